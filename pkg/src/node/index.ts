// The package in Node, Deno and Bun: no page, no worker; models and WebAssembly from disk.

import { availableParallelism } from "node:os";
import type { Options, SmallFirst } from "../api.js";
import type { EngineName } from "../protocol.js";
import { create } from "../smallfirst.js";
import { NODE } from "./place.js";
import { ThreadWorker } from "./thread-worker.js";

export type * from "../index.js";
export { SmallFirstError } from "../errors.js";

/**
 * Reads a bundle's manifest, from disk or from a server, and resolves once the bundle can be asked. Models are read when they are
 * first needed, or by `preload`. The engine runs in this thread, or in as many threads as `workers` says; what is kept from call to call is
 * in this process's memory.
 *
 * @throws SmallFirstError - as in a page.
 */
export function createSmallFirst(options: Options): Promise<SmallFirst> {
  const threads = {
    spawn: (engine: EngineName) => new ThreadWorker(engine) as unknown as Worker,
    processors: availableParallelism,
  };
  return create(options, { ...NODE, threads });
}
