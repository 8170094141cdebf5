// The proxy's options, checked before it answers anything: what is misspelt there is found at the start, and not when
// somebody spends the key.

import { CALLS, type CallName, FORMATS } from "./calls.js";
import type { TokensField } from "./fields.js";
import { normalHost } from "./hosts.js";
import { quoted } from "./refusal.js";

/** Who asks, as `authorize` sees it. */
export interface Caller<Context = unknown> {
  readonly method: string;
  /** The address that was asked, as the framework gives it. */
  readonly url: string;
  readonly headers: Headers;
  /** The address that asks, behind the trusted hops. */
  readonly address: string | undefined;
  /** What was given as `info.context`; in the Node adapter the `IncomingMessage`. */
  readonly context: Context | undefined;
}

export interface ProxyOptions<Context = unknown> {
  /** The API's address, up to and without the paths of `CallName`. */
  upstream: string;
  /** The API's key. */
  key?: string | undefined;
  /** How the key is sent. Default: `bearer`. */
  keyHeader?: "bearer" | "x-api-key" | "x-goog-api-key" | undefined;
  /** The models that may be asked. */
  models: readonly string[];
  /** The calls that may be made. Default: all that the proxy knows. */
  calls?: readonly CallName[] | undefined;
  /** Other origins whose pages may ask, such as `https://app.example`. Those of the proxy's own hosts may. */
  origins?: readonly string[] | undefined;
  /** The names under which the proxy is reached, such as `app.example`, besides those of the machine itself (`localhost`). */
  hosts?: readonly string[] | undefined;
  /** The scheme under which pages reach it. Default: the request's own; to be set where a server in front of it ends TLS. */
  scheme?: "http" | "https" | undefined;
  /** What comes before the paths, such as `/llm/v1`. Default: where a framework has mounted it, or nothing. */
  prefix?: string | undefined;
  /** How many proxies in front of it append to `X-Forwarded-For`. Default: 0, so that the header is not read. */
  trustedHops?: number | undefined;
  /** Fields that pass besides the known ones, by call: dotted names, each with all that is in it. */
  fields?: Partial<Record<Exclude<CallName, "/models">, readonly string[]>> | undefined;
  /** The most bytes of a request's body. Default: 262144. */
  maxBytes?: number | undefined;
  /** The most bytes of a reply. Default: 16777216. */
  maxReplyBytes?: number | undefined;
  /** The most tokens a reply may have; also set where a request says nothing. Default: 4096. */
  maxTokens?: number | undefined;
  /** Which field sets that in a chat completion that has none. Default: `max_completion_tokens`. */
  tokensField?: TokensField | undefined;
  /** The most replies to one request (`n`, `candidateCount`). Default: 1. */
  maxChoices?: number | undefined;
  /** How many requests may come from one address in a minute. Default: 60. */
  perMinute?: number | undefined;
  /** How many requests may come from all addresses in a minute. Default: no limit. */
  totalPerMinute?: number | undefined;
  /** How many addresses are remembered for that. Default: 10000. */
  maxAddresses?: number | undefined;
  /** How many milliseconds a request's body may take to arrive. Default: 10000. */
  bodyTimeoutMs?: number | undefined;
  /** How many milliseconds a reply may take. Default: 120000. */
  timeoutMs?: number | undefined;
  /** Whether the caller may ask at all, for example by its session. */
  authorize?: ((caller: Caller<Context>) => boolean | Promise<boolean>) | undefined;
}

/** The options with their defaults, in the form they are used in. */
export interface Settings {
  readonly upstream: string;
  readonly key: string | undefined;
  readonly keyHeader: "bearer" | "x-api-key" | "x-goog-api-key";
  readonly models: ReadonlySet<string>;
  readonly calls: ReadonlySet<CallName>;
  readonly origins: ReadonlySet<string>;
  readonly hosts: ReadonlySet<string>;
  readonly scheme: "http" | "https" | undefined;
  readonly prefix: string | undefined;
  readonly trustedHops: number;
  readonly widened: ReadonlyMap<CallName, ReadonlySet<string>>;
  readonly maxBytes: number;
  readonly maxReplyBytes: number;
  readonly maxTokens: number;
  readonly tokensField: TokensField;
  readonly maxChoices: number;
  readonly perMinute: number;
  readonly totalPerMinute: number | undefined;
  readonly maxAddresses: number;
  readonly bodyTimeoutMs: number;
  readonly timeoutMs: number;
}

/** The settings, and who is asked whether a caller may ask. */
export interface Checked<Context> extends Settings {
  readonly authorize: (caller: Caller<Context>) => boolean | Promise<boolean>;
}

/** Every option: a missing one does not compile. */
const NAMES: Record<keyof ProxyOptions, true> = {
  upstream: true,
  key: true,
  keyHeader: true,
  models: true,
  calls: true,
  origins: true,
  hosts: true,
  scheme: true,
  prefix: true,
  trustedHops: true,
  fields: true,
  maxBytes: true,
  maxReplyBytes: true,
  maxTokens: true,
  tokensField: true,
  maxChoices: true,
  perMinute: true,
  totalPerMinute: true,
  maxAddresses: true,
  bodyTimeoutMs: true,
  timeoutMs: true,
  authorize: true,
};

const TOKENS_FIELDS: readonly TokensField[] = ["max_completion_tokens", "max_tokens"];

/** The longest that a timer waits: it is kept in 31 bits, and fires at once above them. */
const MAX_MS = 2 ** 31 - 1;

/** Checks the options. Throws a `TypeError` that names the option, what it was, and what it may be. */
export function check<Context>(options: ProxyOptions<Context>): Checked<Context> {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("the proxy needs options: at least { upstream, models }");
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(NAMES, name)) {
      throw new TypeError(`the proxy has no option ${quoted(name)}; it has ${Object.keys(NAMES).join(", ")}`);
    }
  }
  const upstream = address(options.upstream);
  const scheme = choice("scheme", options.scheme, ["http", "https"] as const);
  const calls = strings("calls", options.calls ?? CALLS);
  for (const call of calls) choice("calls", call, CALLS);
  return {
    upstream,
    key: secret(options.key),
    keyHeader: choice("keyHeader", options.keyHeader, ["bearer", "x-api-key", "x-goog-api-key"] as const) ?? "bearer",
    models: new Set(filled("models", strings("models", options.models), "the names of the models that may be asked")),
    calls: new Set(filled("calls", calls, "the calls that may be made") as CallName[]),
    origins: new Set(strings("origins", options.origins ?? []).map(origin)),
    hosts: new Set(strings("hosts", options.hosts ?? []).map((host) => hostName(host, scheme))),
    scheme,
    prefix: prefix(options.prefix),
    trustedHops: count("trustedHops", options.trustedHops, 0, 0, 32),
    widened: widened(options.fields),
    maxBytes: count("maxBytes", options.maxBytes, 256 * 1024, 1, 2 ** 30),
    maxReplyBytes: count("maxReplyBytes", options.maxReplyBytes, 16 * 1024 * 1024, 1, 2 ** 40),
    maxTokens: count("maxTokens", options.maxTokens, 4096, 1, 2 ** 31),
    tokensField: choice("tokensField", options.tokensField, TOKENS_FIELDS) ?? "max_completion_tokens",
    maxChoices: count("maxChoices", options.maxChoices, 1, 1, 1000),
    perMinute: count("perMinute", options.perMinute, 60, 1, 1_000_000),
    totalPerMinute:
      options.totalPerMinute === undefined
        ? undefined
        : count("totalPerMinute", options.totalPerMinute, 1, 1, 1_000_000_000),
    maxAddresses: count("maxAddresses", options.maxAddresses, 10_000, 1, 1_000_000),
    bodyTimeoutMs: count("bodyTimeoutMs", options.bodyTimeoutMs, 10_000, 1, MAX_MS),
    timeoutMs: count("timeoutMs", options.timeoutMs, 120_000, 1, MAX_MS),
    authorize: permission(options.authorize),
  };
}

function fail(name: string, value: unknown, wanted: string): never {
  throw new TypeError(`the proxy's option ${name} is ${quoted(value)}; it must be ${wanted}`);
}

function address(value: unknown): string {
  const wanted = 'an http or https address without credentials, query or fragment, such as "https://api.example/v1"';
  let url: URL;
  try {
    url = new URL(value as string);
  } catch {
    return fail("upstream", value, wanted);
  }
  if (!["http:", "https:"].includes(url.protocol)) fail("upstream", value, wanted);
  if (url.username !== "" || url.password !== "") {
    throw new TypeError("the proxy's option upstream holds credentials; give them as `key`");
  }
  // Empty ones, too, which the parsed address no longer shows.
  if (/[?#]/.test(value as string)) fail("upstream", value, wanted);
  return url.href.replace(/\/+$/, "");
}

function secret(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  // Not shown: it is a key.
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value)) {
    throw new TypeError(
      "the proxy's option key must be a string of visible ASCII characters; leave it out where the API needs none",
    );
  }
  return value;
}

function count(name: string, value: unknown, standard: number, least: number, most: number): number {
  if (value === undefined) return standard;
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  // JSON has no NaN.
  return fail(name, typeof value === "number" ? String(value) : value, `a whole number from ${least} to ${most}`);
}

function choice<T extends string>(name: string, value: unknown, allowed: readonly T[]): T | undefined {
  if (value === undefined || allowed.includes(value as T)) return value as T | undefined;
  return fail(name, value, `one of ${allowed.map((one) => JSON.stringify(one)).join(", ")}`);
}

function strings(name: string, value: unknown): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string" && item !== "")) return value as string[];
  return fail(name, value, "a list of strings");
}

function filled(name: string, value: string[], what: string): string[] {
  return value.length > 0 ? value : fail(name, value, `a list with ${what}`);
}

function origin(value: string): string {
  let exact: string | undefined;
  try {
    exact = new URL(value).origin;
  } catch {
    // It is said below.
  }
  // Of other schemes, such as an app's own, the parser knows no origin.
  const other = /^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+$/.test(value);
  if (value === exact || (exact === "null" && other)) return value;
  return fail(
    "origins",
    value,
    `exact origins, such as ${quoted(exact && exact !== "null" ? exact : "https://app.example")}`,
  );
}

function hostName(value: string, scheme: string | undefined): string {
  const host = normalHost(value, scheme ?? "http");
  return (
    host ?? fail("hosts", value, 'names of hosts without scheme and path, such as "app.example" or "app.example:8443"')
  );
}

function prefix(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string" || !/^(?:\/[\w.~!$&'()*+,;=:@-]+)*\/?$/.test(value)) {
    return fail("prefix", value, 'a path such as "/llm/v1"');
  }
  return value.replace(/\/$/, "");
}

function widened(value: unknown): Map<CallName, Set<string>> {
  const all = new Map<CallName, Set<string>>();
  if (value === undefined) return all;
  const wanted = 'lists of field names by call, such as { "/chat/completions": ["user", "messages.content"] }';
  if (typeof value !== "object" || value === null || Array.isArray(value)) return fail("fields", value, wanted);
  for (const [call, names] of Object.entries(value)) {
    if (!Object.hasOwn(FORMATS, call)) {
      const known = Object.keys(FORMATS).join(", ");
      throw new TypeError(`the proxy's option fields names the call ${quoted(call)}; there are ${known}`);
    }
    const { guarded, spelling = (name: string) => name } = FORMATS[call as keyof typeof FORMATS];
    const list = strings(`fields[${quoted(call)}]`, names).map((name) => name.split(".").map(spelling).join("."));
    for (const name of list) {
      const inside = guarded.find((one) => one === name || one.startsWith(`${name}.`));
      if (inside !== undefined) {
        throw new TypeError(
          `the proxy's option fields lets ${quoted(name)} of ${call} through unchecked, but ${inside} has a limit; ` +
            "name the single fields in it that are to pass, or set models, maxTokens or maxChoices",
        );
      }
    }
    all.set(call as CallName, new Set(list));
  }
  return all;
}

function permission<Context>(value: unknown): Checked<Context>["authorize"] {
  if (value === undefined) return () => true;
  return typeof value === "function"
    ? (value as Checked<Context>["authorize"])
    : fail("authorize", value, "a function");
}
