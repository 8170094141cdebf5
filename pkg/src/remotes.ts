// The caller's remotes: checked, brought into the engine's form, and asked for what only the page has.

import type { BeforeRemote, ConsentRequest, Privacy, RemoteFunction, RemoteOptions } from "./api.js";
import { askBuiltin } from "./builtin.js";
import { SmallFirstError } from "./errors.js";
import type { Consent, RuntimeEndpoint, RuntimeRemote, PageCall } from "./protocol.js";
import type { ProviderKind } from "./types.js";

/** Every key of a type: a missing one does not compile. */
export type Keys<T> = Record<keyof T, true>;

const REMOTE_OPTIONS: Keys<RemoteOptions> = {
  provider: true,
  baseUrl: true,
  model: true,
  headers: true,
  apiKey: true,
  dangerouslyAllowBrowser: true,
  run: true,
  languages: true,
  connectMs: true,
  firstByteMs: true,
  timeoutMs: true,
  maxInputBytes: true,
  maxTokens: true,
  maxTokensField: true,
  temperature: true,
  structured: true,
  apiVersion: true,
  extraBody: true,
  idempotencyHeader: true,
  price: true,
};

const PRIVACY: Keys<Privacy> = { egress: true, tasks: true, ownTasks: true, redact: true, beforeRemote: true };

const SAID: Keys<Exclude<BeforeRemote, boolean | void | undefined>> = {
  allow: true,
  text: true,
  messages: true,
  system: true,
  why: true,
};

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
    checkKeys("privacy", this.#privacy, PRIVACY);
    checkFunction("privacy.beforeRemote", this.#privacy.beforeRemote);
  }

  /** What the engine is told of them. */
  engine(absolute: (name: string, address: string | URL) => URL): RuntimeRemote {
    const { egress, tasks, ownTasks, redact, beforeRemote } = this.#privacy;
    const privacy: NonNullable<RuntimeRemote["privacy"]> = {};
    if (egress !== undefined) privacy.egress = egress;
    if (tasks !== undefined) privacy.tasks = tasks;
    if (ownTasks !== undefined) privacy.ownTasks = ownTasks;
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
      checkKeys("privacy.beforeRemote", said, SAID);
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
  checkKeys("remote", remote, REMOTE_OPTIONS);
  checkFunction("remote.headers", remote.headers);
  checkFunction("remote.run", remote.run);
  if (remote.provider === "custom" && remote.run === undefined)
    throw invalid("remote.run is missing: the provider custom calls it");
  if (remote.provider !== "custom" && remote.run !== undefined)
    throw invalid('remote.run is for the provider "custom" only');
}

function endpoint(remote: RemoteOptions, absolute: (name: string, address: string | URL) => URL): RuntimeEndpoint {
  const {
    headers: _headers,
    apiKey,
    dangerouslyAllowBrowser: _allow,
    run: _run,
    languages: _languages,
    baseUrl,
    ...rest
  } = remote;
  const own = apiKey === undefined ? undefined : ADDRESSES[remote.provider];
  const address = baseUrl ?? own ?? (remote.provider === "ollama" ? "http://localhost:11434" : undefined);
  const isPage = remote.provider === "custom" || remote.provider === "prompt-api";
  if (address === undefined && !isPage) {
    throw invalid("remote.baseUrl is missing: the address of your proxy, or of the server itself");
  }
  const given = Object.entries(rest).filter(([, value]) => value !== undefined);
  const engine = Object.fromEntries(given) as unknown as RuntimeEndpoint;
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

/** A typing mistake must not be silently without effect. */
export function checkKeys(what: string, options: unknown, known: Record<string, true>): void {
  if (typeof options !== "object" || options === null) throw invalid(`${what}: the options must be an object`);
  for (const key of Object.keys(options)) {
    if (!Object.hasOwn(known, key)) {
      throw invalid(`${what}: there is no option "${key}"; the options are ${Object.keys(known).join(", ")}`);
    }
  }
}

export function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== "function") throw invalid(`${name} must be a function`);
}

export function invalid(message: string): SmallFirstError {
  return new SmallFirstError("invalid_option", message);
}
