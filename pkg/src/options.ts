// The caller's options, checked and brought into the form that crosses to the worker.

import type { Options, RemoteOptions, RunOptions } from "./api.js";
import { SmallFirstError } from "./errors.js";
import type { EngineOptions, EngineRunOptions } from "./protocol.js";

/** Every key of a type: a missing one does not compile. */
type Keys<T> = Record<keyof T, true>;

const OPTIONS: Keys<Options> = {
  bundle: true,
  mode: true,
  risk: true,
  remote: true,
  manifestSha256: true,
  maxBundleBytes: true,
  cache: true,
  onProgress: true,
  onDrift: true,
  signal: true,
  worker: true,
  wasm: true,
};
const REMOTE_OPTIONS: Keys<RemoteOptions> = {
  provider: true,
  baseUrl: true,
  model: true,
  headers: true,
  timeoutMs: true,
  maxInputBytes: true,
  maxTokens: true,
};
const RUN_OPTIONS: Keys<RunOptions> = {
  mode: true,
  risk: true,
  topK: true,
  signal: true,
  labels: true,
  instruction: true,
};

/** Checks the options of `createSmallFirst` and gives the engine's. */
export function engineOptions(options: Options): EngineOptions {
  checkKeys("createSmallFirst", options, OPTIONS);
  checkFunction("onProgress", options.onProgress);
  checkFunction("onDrift", options.onDrift);
  checkFunction("worker", options.worker);
  const { mode, risk, remote, manifestSha256, maxBundleBytes, cache } = options;
  return defined({
    bundle: manifestUrl(options.bundle),
    mode,
    risk,
    remote: remote === undefined ? undefined : endpoint(remote),
    manifestSha256,
    maxBundleBytes,
    cache,
  }) as EngineOptions;
}

/** Checks the options of a call and gives the engine's. */
export function engineRunOptions(what: string, options: RunOptions): EngineRunOptions {
  checkKeys(what, options, RUN_OPTIONS);
  const { mode, risk, topK, labels, instruction } = options;
  return defined({ mode, risk, topK, labels, instruction }) as EngineRunOptions;
}

/** Checks that there is nothing but a signal. */
export function checkSignalOnly(what: string, options: { signal?: AbortSignal | undefined }): void {
  checkKeys(what, options, { signal: true });
}

/** An address relative to the page, absolute. */
export function absolute(name: string, address: string | URL): URL {
  try {
    // In a worker there is no document; in neither, only absolute addresses work.
    return new URL(address, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    throw invalid(`${name} is not an address: ${String(address)}`);
  }
}

function manifestUrl(bundle: string | URL): string {
  const url = absolute("bundle", bundle);
  if (!url.pathname.endsWith(".json")) url.pathname = `${url.pathname.replace(/\/$/, "")}/manifest.json`;
  return url.href;
}

function endpoint(remote: RemoteOptions): NonNullable<EngineOptions["remote"]> {
  if (typeof remote === "object" && remote !== null && "apiKey" in remote) {
    throw invalid(
      "remote.apiKey does not exist: every visitor could read the key. Keep it in a proxy of your own, " +
        "name the proxy as remote.baseUrl, and give it a short-lived token with remote.headers()",
    );
  }
  checkKeys("remote", remote, REMOTE_OPTIONS);
  checkFunction("remote.headers", remote.headers);
  const { provider, model, timeoutMs, maxInputBytes, maxTokens } = remote;
  const baseUrl = absolute("remote.baseUrl", remote.baseUrl).href;
  return defined({ provider, baseUrl, model, timeoutMs, maxInputBytes, maxTokens }) as NonNullable<EngineOptions["remote"]>;
}

/** A typing mistake must not be silently without effect. */
function checkKeys(what: string, options: unknown, known: Record<string, true>): void {
  if (typeof options !== "object" || options === null) throw invalid(`${what}: the options must be an object`);
  for (const key of Object.keys(options)) {
    if (!Object.hasOwn(known, key)) {
      throw invalid(`${what}: there is no option "${key}"; the options are ${Object.keys(known).join(", ")}`);
    }
  }
  const signal = "signal" in options ? options.signal : undefined;
  // Not `instanceof`, which says no to a signal of another frame.
  if (signal !== undefined && Object.prototype.toString.call(signal) !== "[object AbortSignal]") {
    throw invalid(`${what}: signal must be an AbortSignal`);
  }
}

function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== "function") throw invalid(`${name} must be a function`);
}

/** Without the keys that are undefined: for the engine, only an absent key means the default. */
function defined(object: Record<string, unknown>): unknown {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

function invalid(message: string): SmallFirstError {
  return new SmallFirstError("invalid_option", message);
}
