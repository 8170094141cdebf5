// What the worker fetches while the WebAssembly is still compiled: the manifest, and the files of some tasks.

import type { EngineOptions } from "./protocol.js";

/** The parts of a manifest that lead from a task to its files; the engine checks it whole. */
interface Manifest {
  files?: Record<string, { bytes: number; sha256: string }>;
  tasks?: Record<string, { tiers?: string[]; limits?: { languages?: { task?: string } | null } }>;
  heads?: Record<string, unknown>;
  encoders?: Record<string, unknown>;
  tokenizers?: Record<string, unknown>;
}

/** The most bytes that are fetched ahead, where `maxBundleBytes` does not say less. */
const MOST = 256 * 1024 * 1024;
/** The most bytes of a file that the browser takes in whole, beside the worker. */
const SMALL = 16 * 1024 * 1024;
/** The engine's cache (src/browser/store.rs); what is there is not fetched. */
const CACHE = "smallfirst-v1";

/** Requests that were made before the engine could make them. Each is handed out once. */
export class Preload {
  readonly #options: EngineOptions;
  readonly #watched: boolean;
  readonly #waiting = new Map<string, Promise<Response | undefined>>();
  /** Kept once it is known which files there are to fetch. */
  readonly #planned: Promise<void>;

  /** Begins to fetch the manifest, and then the files of `tasks`. Whether the page hears of their progress: `watched`. */
  constructor(options: EngineOptions, tasks: string[], watched: boolean) {
    this.#options = options;
    this.#watched = watched;
    const manifest = fetch(options.bundle, { cache: "no-cache", redirect: "follow" });
    // The copy is made before the engine can have read the response.
    const copy = manifest.then((response) => (tasks.length > 0 && response.ok ? response.clone() : undefined));
    this.#wait(options.bundle, manifest);
    // A manifest that cannot be read is the engine's to tell of.
    this.#planned = copy.then((response) => this.#plan(response, tasks)).catch(() => {});
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

  async #plan(response: Response | undefined, tasks: string[]): Promise<void> {
    if (!response) return;
    const manifest = (await response.json()) as Manifest;
    const { bundle, maxBundleBytes = MOST, cache } = this.#options;
    const base = bundle.slice(0, bundle.lastIndexOf("/") + 1);
    const total = Object.values(manifest.files ?? {}).reduce((sum, file) => sum + file.bytes, 0);
    if (!(total <= maxBundleBytes)) return;
    const store = cache === "none" ? undefined : globalThis.caches?.open(CACHE);
    const size = (path: string): number => manifest.files?.[path]?.bytes ?? 0;
    // Small ones first: what they are for can begin while a large one is on its way.
    for (const path of [...filesOf(manifest, tasks)].sort((a, b) => size(a) - size(b))) {
      const entry = manifest.files?.[path];
      const url = base + path;
      // A path that leads out of the bundle is refused by the engine.
      if (entry && new URL(url).href.startsWith(base)) this.#wait(url, ahead(url, entry, store, this.#watched));
    }
  }
}

/** Fetches a file, unless it is in the cache. Its body is read at once: one that waits would hold up other requests. */
async function ahead(
  url: string,
  entry: { bytes: number; sha256: string },
  store: Promise<Cache> | undefined,
  watched: boolean,
): Promise<Response | undefined> {
  const kept = await store?.then((cache) => cache.match(`${url}?sha256=${entry.sha256}`)).catch(() => undefined);
  if (kept) return undefined;
  const response = await fetch(url);
  if (!response.body) return response;
  const { status } = response;
  // The browser takes a body in while this thread is busy, but tells nothing until it has all of it.
  if (!watched && entry.bytes <= SMALL) return new Response(await response.blob(), { status });
  const room = new ByteLengthQueuingStrategy({ highWaterMark: entry.bytes });
  return new Response(response.body.pipeThrough(new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, room)), { status });
}

/** The files that `tasks` need, and those of the tasks that tell their languages. */
function filesOf(manifest: Manifest, tasks: string[]): Set<string> {
  const files = new Set<string>();
  const seen = new Set<unknown>();
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner !== "string") walk(inner);
      else if (key === "file") files.add(inner);
      else if (key === "encoder") walk(manifest.encoders?.[inner]);
      else if (key === "tokenizer") walk(manifest.tokenizers?.[inner]);
    }
  };
  const languages = tasks.map((name) => manifest.tasks?.[name]?.limits?.languages?.task);
  for (const name of [...tasks, ...languages]) {
    for (const head of (name !== undefined && manifest.tasks?.[name]?.tiers) || []) walk(manifest.heads?.[head]);
  }
  return files;
}
