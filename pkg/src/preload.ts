// What the worker fetches while the WebAssembly is still compiled: the manifest, and the files of some tasks' first tiers.

import type { Files, PatientCache } from "./store.js";
import { MAX_BUNDLE_BYTES, MAX_MANIFEST_BYTES } from "./types.js";
import type { RuntimeOptions } from "./wire.js";

/** A file in a manifest. */
interface FileEntry {
  bytes: number;
  sha256: string;
}

/** The parts of a manifest that lead from a task to its files; the engine checks it whole. */
interface Manifest {
  files?: Record<string, FileEntry>;
  tasks?: Record<
    string,
    { tiers?: string[]; limits?: { languages?: { task?: string } | null }; extract?: { encoder?: string } | null }
  >;
  heads?: Record<string, unknown>;
  models?: Record<string, unknown>;
  encoders?: Record<string, unknown>;
  tokenizers?: Record<string, unknown>;
}

/** Gets what is at an address, as `fetch` does. */
export type Get = (address: string, init: RequestInit) => Promise<Response>;

/** The most bytes of a file that the browser takes in whole, beside the worker. */
const SMALL = 16 * 1024 * 1024;
/** How long a server may take to begin its answer, in milliseconds; as in src/browser/fetch.rs. */
const SERVER_MS = 20_000;
/** The most files that are fetched ahead. */
const MOST_FILES = 64;
/** How deep a head, an encoder or a tokenizer names its files at most. */
const DEEPEST = 8;

/** Requests that were made before the engine could make them. Each is handed out once. */
export class Preload {
  readonly #options: RuntimeOptions;
  readonly #files: Files | undefined;
  readonly #watched: boolean;
  readonly #waiting = new Map<string, Promise<Response | undefined>>();
  readonly #fetch: Get;
  /** Kept once it is known which files there are to fetch. */
  readonly #planned: Promise<void>;

  /**
   * Begins to fetch the manifest, and then those of the files of `tasks` that are not kept in `files`. Whether the page hears
   * of their progress: `watched`.
   */
  constructor(options: RuntimeOptions, tasks: string[], files: Files | undefined, watched: boolean, get: Get = fetch) {
    this.#options = options;
    this.#files = files;
    this.#watched = watched;
    this.#fetch = get;
    const response = answered(get, options.bundle, { cache: "no-cache", redirect: "follow" });
    if (tasks.length === 0) {
      this.#wait(options.bundle, response);
      this.#planned = Promise.resolve();
      return;
    }
    const read = response.then(readManifest);
    // The engine reads the same bytes, and tells what is wrong with them.
    this.#wait(
      options.bundle,
      read.then(({ bytes, status }) => new Response(bytes.length > 0 ? bytes : null, { status })),
    );
    this.#planned = read
      .then(({ bytes, status }) => (status === 200 ? this.#plan(bytes, tasks) : undefined))
      .catch(() => {});
  }

  /** The response to the request for `url`, if one was made. */
  async take(url: string): Promise<Response | undefined> {
    if (url !== this.#options.bundle) await this.#planned;
    const waiting = this.#waiting.get(url);
    this.#waiting.delete(url);
    return waiting;
  }

  #wait(url: string, response: Promise<Response | undefined>): void {
    this.#waiting.set(url, response);
    // Whoever takes it hears of its failure.
    response.catch(() => {});
  }

  async #plan(bytes: Uint8Array<ArrayBuffer>, tasks: string[]): Promise<void> {
    const { bundle, manifestSha256, maxBundleBytes = MAX_BUNDLE_BYTES } = this.#options;
    if (bytes.length > MAX_MANIFEST_BYTES || !(await isPinned(bytes, manifestSha256))) return;
    const manifest = JSON.parse(new TextDecoder().decode(bytes)) as Manifest;
    const entries = new Map(Object.entries(manifest.files ?? {}));
    if (!fits([...entries.values()], maxBundleBytes)) return;
    const base = new URL(".", bundle).href;
    // Whatever the address carries, a signature for example, the files beside it need, too.
    const { search } = new URL(bundle);
    const store = this.#files?.open();
    const size = (path: string): number => entries.get(path)?.bytes ?? 0;
    // Small ones first: what they are for can begin while a large one is on its way.
    for (const path of [...filesOf(manifest, tasks)].sort((a, b) => size(a) - size(b)).slice(0, MOST_FILES)) {
      const entry = entries.get(path);
      const url = base + path + search;
      // A path that leads out of the bundle is refused by the engine.
      if (entry && new URL(url).href.startsWith(base))
        this.#wait(url, this.#ahead(url, this.#files?.file(base + path, entry.sha256), entry, store));
    }
  }

  /** Fetches a file, unless it is kept. Its body is read at once: one that waits would hold up other requests. */
  async #ahead(
    url: string,
    key: string | undefined,
    entry: FileEntry,
    store: Promise<PatientCache | undefined> | undefined,
  ): Promise<Response | undefined> {
    const found =
      key === undefined ? undefined : await store?.then((cache) => cache?.match(key)).catch(() => undefined);
    if (found) return undefined;
    const response = await answered(this.#fetch, url, {});
    if (!response.body) return response;
    const { status } = response;
    // The browser takes a body in while this thread is busy, but tells nothing until it has all of it.
    if (!this.#watched && entry.bytes <= SMALL && isAsLong(response, entry.bytes))
      return new Response(await response.blob(), { status });
    // Takes in no more than the file should have; of a longer one the rest waits until the engine refuses it.
    const room = new ByteLengthQueuingStrategy({ highWaterMark: entry.bytes });
    return new Response(
      response.body.pipeThrough(new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, room)),
      { status },
    );
  }
}

/** The response to a request, which must begin in time: there are servers that accept a connection and never answer. */
async function answered(get: Get, url: string, init: RequestInit): Promise<Response> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error(`no answer within ${SERVER_MS / 1000} s`)), SERVER_MS);
  try {
    return await get(url, { ...init, signal: controller.signal });
  } finally {
    clearTimeout(timer);
  }
}

/** Reads a manifest, and of one that is too long as much as shows it. */
async function readManifest(response: Response): Promise<{ bytes: Uint8Array<ArrayBuffer>; status: number }> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  if (!response.body) return { bytes: new Uint8Array(), status: response.status };
  const reader = response.body.getReader();
  while (length <= MAX_MANIFEST_BYTES) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
  }
  if (length > MAX_MANIFEST_BYTES) reader.cancel().catch(() => {});
  return { bytes: new Uint8Array(await new Blob(parts).arrayBuffer()), status: response.status };
}

/** Whether a manifest is the one that is wanted. Where the browser cannot tell, nothing is fetched ahead: the engine can. */
async function isPinned(bytes: Uint8Array<ArrayBuffer>, pin: string | undefined): Promise<boolean> {
  if (pin === undefined) return true;
  const digest = await globalThis.crypto?.subtle?.digest("SHA-256", bytes);
  if (!digest) return false;
  const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex === pin.toLowerCase();
}

/** Whether all sizes are some, and their sum is not over `most`. */
function fits(entries: FileEntry[], most: number): boolean {
  let sum = 0;
  for (const { bytes } of entries) {
    if (!Number.isSafeInteger(bytes) || bytes < 0) return false;
    sum += bytes;
  }
  return sum <= most;
}

/** Whether a response says that its body is so long. A compressed one, which could become any length, says another. */
function isAsLong({ headers }: Response, bytes: number): boolean {
  return headers.get("content-length") === String(bytes) && !headers.has("content-encoding");
}

/** The files of the first tier of `tasks`, as `Bundle::files_of_task` says once the module is there. */
function filesOf(manifest: Manifest, tasks: string[]): Set<string> {
  const files = new Set<string>();
  const seen = new Set<unknown>();
  const walk = (value: unknown, depth: number): void => {
    if (typeof value !== "object" || value === null || seen.has(value) || depth > DEEPEST) return;
    seen.add(value);
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner !== "string") walk(inner, depth + 1);
      else if (key === "file" || key === "dictionary") files.add(inner);
      else if (key === "encoder") walk(manifest.encoders?.[inner], depth + 1);
      else if (key === "tokenizer") walk(manifest.tokenizers?.[inner], depth + 1);
    }
  };
  const languages = tasks.map((name) => manifest.tasks?.[name]?.limits?.languages?.task);
  for (const name of tasks) walk(manifest.tasks?.[name]?.extract, 0);
  for (const name of [...tasks, ...languages]) {
    const [first] = (name !== undefined && manifest.tasks?.[name]?.tiers) || [];
    if (first === undefined) continue;
    walk(manifest.heads?.[first], 0);
    walk(manifest.models?.[first], 0);
  }
  return files;
}
