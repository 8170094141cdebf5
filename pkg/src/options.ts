// The caller's options, checked and brought into the form that crosses to the worker.

import type { DriftOptions, GenerateOptions, Options, RunOptions } from "./api.js";
import type { EngineName, Modules, Storage } from "./protocol.js";
import { checkFunction, checkNames, invalid, namesOf, picked } from "./check.js";
import type { Remotes } from "./remotes.js";
import { USUAL_NAME } from "./store.js";
import { isFile } from "./train.js";
import { OPTION_NAMES, type RuntimeOptions, type RuntimeRunOptions, type RuntimeTextOptions } from "./wire.js";

const OPTIONS = namesOf<Options>()([
  ...OPTION_NAMES.runtime,
  "policy",
  "budget",
  "privacy",
  "answerCache",
  "cache",
  "storage",
  "onProgress",
  "signal",
  "worker",
  "wasm",
  "engine",
  "preload",
  "workers",
]);
/** What the workers say to each other is none of the caller's options. */
const RUN_OPTIONS = namesOf<RunOptions>()([...OPTION_NAMES.run.filter((name) => name !== "alarmed"), "signal"]);
const GENERATE_OPTIONS = namesOf<GenerateOptions>()([...OPTION_NAMES.generate, "signal"]);

/** Checks the names of the options of `createSmallFirst`, before anything is made of them. */
export function checkOptions(options: Options): void {
  check("createSmallFirst", options, OPTIONS);
}

/** Checks the options of `createSmallFirst` and gives the engine's. */
export function engineOptions(options: Options, remotes: Remotes, whole: Absolute = absolute): RuntimeOptions {
  checkFunction("onProgress", options.onProgress);
  checkFunction("worker", options.worker);
  const { learn, onDrift, ...given } = picked(options, OPTION_NAMES.runtime);
  const { action } = drifting(onDrift);
  // `privacy` is the page's here; what the engine is told of it comes with the endpoints.
  const remote = { ...picked(options, OPTION_NAMES.remote), ...remotes.engine(whole) };
  const learned = learn === undefined || learn === false ? {} : { learn: learn === true ? {} : learn };
  const drift = action === undefined ? {} : { onDrift: action };
  return { ...given, ...learned, ...drift, bundle: manifestUrl(options.bundle, whole), remote } as RuntimeOptions;
}

/** Checks what a drift does, and who is told of it. */
export function drifting(onDrift: Options["onDrift"]): DriftOptions {
  const form = typeof onDrift === "object" && onDrift !== null ? onDrift : undefined;
  const short = typeof onDrift === "function" ? { notify: onDrift } : { action: onDrift as DriftOptions["action"] };
  if (form) checkNames("onDrift", form, ["action", "notify"]);
  const { action, notify } = form ?? short;
  checkFunction("onDrift.notify", notify);
  if (action === undefined || action === "report" || action === "stop") return { action, notify };
  throw invalid(`onDrift must be "report", "stop", a function, or { action, notify }, not ${String(action)}`);
}

/** Checks under which name things are kept, and whether files are. */
export function storage({ storage: name = USUAL_NAME, cache = "persistent" }: Options): Storage {
  if (typeof name !== "string" || !/^[a-z0-9-]{1,64}$/.test(name)) {
    throw invalid(`storage must be a name of 1 to 64 characters out of a to z, 0 to 9 and "-", not ${String(name)}`);
  }
  if (cache !== "persistent" && cache !== "none")
    throw invalid(`cache must be "persistent" or "none", not ${String(cache)}`);
  return { name, files: cache === "persistent" };
}

/** Checks which engine is wanted; undefined leaves it to the bundle. */
export function which(engine: Options["engine"]): EngineName | undefined {
  if (engine === undefined || engine === "auto") return undefined;
  if (engine === "prepared" || engine === "onnx") return engine;
  throw invalid(`engine must be "auto", "prepared" or "onnx", not ${String(engine)}`);
}

/** Checks where the WebAssembly is said to be. */
export function modules({ wasm, engine }: Options, whole: Absolute = absolute): Modules | undefined {
  if (wasm === undefined) return undefined;
  const both = typeof wasm === "object" && wasm !== null && "baseline" in wasm ? wasm : undefined;
  const one = which(engine) !== undefined;
  if (both === undefined) {
    const { href } = whole("wasm", wasm as string | URL);
    if (one || href.endsWith("/")) return href;
  } else if (one) {
    return {
      baseline: whole("wasm.baseline", both.baseline).href,
      relaxed: whole("wasm.relaxed", both.relaxed).href,
    };
  }
  throw invalid(
    "wasm names the modules of one engine: say which by `engine`, or give the folder (ending in a slash) that has those of both",
  );
}

/** Checks the names of the tasks to fetch ahead. */
export function preloaded(tasks: Options["preload"]): string[] {
  if (tasks === undefined) return [];
  if (Array.isArray(tasks) && tasks.every((task) => typeof task === "string")) return [...tasks];
  throw invalid("preload must be a list of task names");
}

/** The most workers. */
const MOST_WORKERS = 16;
/** And where the caller leaves it to us: each has its own copy of the models. */
const MOST_AUTO = 4;

const pageProcessors = (): number => globalThis.navigator?.hardwareConcurrency || 1;

/** Checks how many workers are wanted. Where the engine runs in the thread that asks, more than one would gain nothing. */
export function workers(count: Options["workers"], inThread = false, processors = pageProcessors): number {
  if (count === undefined || (count === "auto" && inThread)) return 1;
  if (count === "auto") return Math.max(1, Math.min(processors(), MOST_AUTO));
  if (inThread && Number.isInteger(count) && count > 1)
    throw invalid(
      `workers is ${count}, and here the engine runs in the thread that asks: leave it out, or set it to 1`,
    );
  if (Number.isInteger(count) && count >= 1 && count <= MOST_WORKERS) return count;
  throw invalid(`workers must be a whole number from 1 to ${MOST_WORKERS}, or "auto", not ${String(count)}`);
}

/** Checks the options of a call and gives the engine's. */
export function engineRunOptions(what: string, options: RunOptions): RuntimeRunOptions {
  check(what, options, RUN_OPTIONS);
  return picked(options, OPTION_NAMES.run) as RuntimeRunOptions;
}

/** Checks the options of a call that wants text and gives the engine's. */
export function engineTextOptions(options: GenerateOptions): RuntimeTextOptions {
  check("generate", options, GENERATE_OPTIONS);
  return picked(options, OPTION_NAMES.generate) as RuntimeTextOptions;
}

/** Checks that there is nothing but a signal. */
export function checkSignalOnly(what: string, options: { signal?: AbortSignal | undefined }): void {
  check(what, options, ["signal"]);
}

/** Makes an address absolute that an option has. */
export type Absolute = (name: string, address: string | URL) => URL;

/** An address relative to the page, or to `base`, absolute. */
export function absolute(name: string, address: string | URL, base?: string): URL {
  // `undefined` would be the address of a folder of that name. Not `instanceof`, which says no to a URL of another frame.
  if (typeof address !== "string" && Object.prototype.toString.call(address) !== "[object URL]") {
    throw invalid(
      `${name} must be an address, a string or a URL, not ${address == null ? String(address) : `of type ${typeof address}`}`,
    );
  }
  try {
    // In a worker there is no document; in neither, only absolute addresses work.
    return new URL(address, base ?? globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    throw invalid(`${name} is not an address: ${String(address)}`);
  }
}

/** The address that the manifest has in a bundle of one file. No network knows the name (RFC 2606). */
const IN_A_FILE = "https://bundle.invalid/manifest.json";

function manifestUrl(bundle: string | URL | Blob, whole: Absolute): string {
  if (isFile(bundle)) return IN_A_FILE;
  const url = whole("bundle", bundle);
  if (!url.pathname.endsWith(".json")) url.pathname = `${url.pathname.replace(/\/$/, "")}/manifest.json`;
  return url.href;
}

/** Checks the names, and the signal that many options have. */
function check(what: string, options: unknown, known: readonly PropertyKey[]): void {
  checkNames(what, options, known);
  const { signal } = options as { signal?: unknown };
  // Not `instanceof`, which says no to a signal of another frame.
  if (signal !== undefined && Object.prototype.toString.call(signal) !== "[object AbortSignal]") {
    throw invalid(`${what}: signal must be an AbortSignal`);
  }
}
