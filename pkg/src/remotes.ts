// The caller's remotes: checked, brought into the engine's form, and asked for what only the page has.

import type { ConsentRequest, Privacy, RemoteFunction, RemoteOptions } from "./api.js";
import { askBuiltin } from "./builtin.js";
import { checkFunction, checkNames, invalid, namesOf, picked } from "./check.js";
import type { PageCall } from "./protocol.js";
import type { ProviderKind } from "./types.js";
import { OPTION_NAMES, type Consent, type RuntimeEndpoint, type RuntimePrivacy, type RuntimeRemote } from "./wire.js";

const REMOTE_OPTIONS = namesOf<RemoteOptions>()([
  ...OPTION_NAMES.endpoint,
  "headers",
  "apiKey",
  "dangerouslyAllowBrowser",
  "run",
  "languages",
]);
const PRIVACY = namesOf<Privacy>()(OPTION_NAMES.privacy);
const CONSENT = namesOf<Consent>()(OPTION_NAMES.consent);

/** Where the providers themselves are, for callers who bring their own key. */
const ADDRESSES: Partial<Record<ProviderKind, string>> = {
  openai: "https://api.openai.com/v1",
  "openai-responses": "https://api.openai.com/v1",
  "openai-decisions": "https://api.openai.com/v1",
  anthropic: "https://api.anthropic.com/v1",
  gemini: "https://generativelanguage.googleapis.com/v1beta",
};

/** The remotes of an instance. */
export class Remotes {
  readonly #remotes: RemoteOptions[];
  readonly #privacy: Privacy;

  constructor(remote: RemoteOptions | RemoteOptions[] | undefined, privacy: Privacy | undefined) {
    this.#remotes = remote === undefined ? [] : Array.isArray(remote) ? remote : [remote];
    this.#privacy = privacy ?? {};
    for (const one of this.#remotes) check(one);
    checkNames("privacy", this.#privacy, PRIVACY);
    checkFunction("privacy.beforeRemote", this.#privacy.beforeRemote);
  }

  /** What the engine is told of them. */
  engine(absolute: (name: string, address: string | URL) => URL): Partial<RuntimeRemote> {
    const { redact, beforeRemote, ...rest } = this.#privacy;
    const privacy = picked(rest, OPTION_NAMES.privacy) as Partial<RuntimePrivacy>;
    if (redact !== undefined && redact !== false) privacy.redact = redact === true ? {} : redact;
    if (beforeRemote !== undefined) privacy.beforeRemote = true;
    return { endpoints: this.#remotes.map((remote) => endpoint(remote, absolute)), privacy };
  }

  get haveHeaders(): boolean {
    return this.#remotes.some((r) => r.headers !== undefined || r.apiKey !== undefined);
  }

  get havePage(): boolean {
    return this.#remotes.some((r) => r.provider === "custom" || r.provider === "prompt-api");
  }

  get haveConsent(): boolean {
    return this.#privacy.beforeRemote !== undefined;
  }

  /** The headers of one request. */
  async headers(at: number): Promise<Record<string, string>> {
    const remote = this.#remotes[at];
    if (!remote) return {};
    return { ...keyHeaders(remote), ...plain((await remote.headers?.()) ?? {}) };
  }

  /** What the page says to something that is about to leave. */
  async consent(outgoing: ConsentRequest): Promise<Consent> {
    const said = await this.#privacy.beforeRemote?.(outgoing);
    if (said === false) return { allow: false };
    if (typeof said === "object" && said !== null) {
      checkNames("privacy.beforeRemote", said, CONSENT);
      const given = Object.entries(said).filter(([, value]) => value !== undefined);
      return { ...Object.fromEntries(given), allow: said.allow ?? !outgoing.ask };
    }
    // Where the user is to be asked, only a clear yes is one.
    return { allow: said === true || !outgoing.ask };
  }

  /** Calls the function that stands for a remote, and gives what it says line by line. */
  async *page({ endpoint: at, body }: PageCall, signal: AbortSignal): AsyncGenerator<string> {
    const remote = this.#remotes[at];
    if (!remote) throw new Error("there is no such endpoint");
    const request = { ...JSON.parse(body), signal } as Parameters<RemoteFunction>[0];
    const answered =
      remote.provider === "prompt-api" ? await askBuiltin(request, remote.languages) : await remote.run?.(request);
    const line = (value: object): string => JSON.stringify(value);
    if (typeof answered === "object" && answered !== null && Symbol.asyncIterator in answered) {
      for await (const piece of answered) yield line({ delta: String(piece) });
      yield line({ reply: {} });
    } else {
      yield line({ reply: typeof answered === "string" ? { text: answered } : answered });
    }
  }
}

function check(remote: RemoteOptions): void {
  if (typeof remote !== "object" || remote === null) throw invalid("remote must be an object, or a list of objects");
  if (remote.apiKey !== undefined && remote.dangerouslyAllowBrowser !== true) {
    throw invalid(
      "remote.apiKey would be readable by every visitor. Keep the key in a proxy of your own, name the proxy as " +
        "remote.baseUrl, and give it a short-lived token with remote.headers(). Where the visitor brings their own key, " +
        "say so with remote.dangerouslyAllowBrowser: true",
    );
  }
  checkNames("remote", remote, REMOTE_OPTIONS);
  checkFunction("remote.headers", remote.headers);
  checkFunction("remote.run", remote.run);
  if (remote.provider === "custom" && remote.run === undefined)
    throw invalid("remote.run is missing: the provider custom calls it");
  if (remote.provider !== "custom" && remote.run !== undefined)
    throw invalid('remote.run is for the provider "custom" only');
}

function endpoint(remote: RemoteOptions, absolute: (name: string, address: string | URL) => URL): RuntimeEndpoint {
  const { baseUrl, apiKey, ...rest } = remote;
  const own = apiKey === undefined ? undefined : ADDRESSES[remote.provider];
  const address = baseUrl ?? own ?? (remote.provider === "ollama" ? "http://localhost:11434" : undefined);
  const isPage = remote.provider === "custom" || remote.provider === "prompt-api";
  if (address === undefined && !isPage) {
    throw invalid("remote.baseUrl is missing: the address of your proxy, or of the server itself");
  }
  const engine = picked(rest, OPTION_NAMES.endpoint) as RuntimeEndpoint;
  if (address !== undefined && !isPage) engine.baseUrl = absolute("remote.baseUrl", address).href;
  return engine;
}

/** How each provider wants a key. */
function keyHeaders({ provider, apiKey }: RemoteOptions): Record<string, string> {
  if (apiKey === undefined) return {};
  switch (provider) {
    case "gemini":
      return { "x-goog-api-key": apiKey };
    case "anthropic":
      return { authorization: `Bearer ${apiKey}`, "anthropic-dangerous-direct-browser-access": "true" };
    default:
      return { authorization: `Bearer ${apiKey}` };
  }
}

/** A plain object of strings, which is what can be sent to the worker. */
function plain(given: Record<string, string> | Headers): Record<string, string> {
  const entries = given instanceof Headers ? [...given.entries()] : Object.entries(given);
  if (entries.some(([, value]) => typeof value !== "string")) {
    throw new TypeError("headers() must give an object of strings");
  }
  return Object.fromEntries(entries);
}
