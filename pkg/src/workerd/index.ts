// The package in Cloudflare Workers: WebAssembly is imported and not compiled, and models come from a server or from the Worker's assets.

import type { Options, SmallFirst } from "../api.js";
import { imported } from "../in-thread-worker.js";
import { strings } from "../memory.js";
import { absolute } from "../options.js";
import type { Surroundings } from "../serve.js";
import { create } from "../smallfirst.js";
import init, { Runtime } from "../wasm/prepared.js";
import module from "../wasm/prepared-relaxed.wasm";

export type * from "../index.js";
export { SmallFirstError } from "../errors.js";

/** Options in Cloudflare Workers. */
export interface WorkerdOptions extends Options {
  /** Where the bundle's files are fetched from; default: the network. A binding of static assets, such as `env.ASSETS`, is one. */
  assets?: { fetch(address: string): Promise<Response> };
}

// The module is imported: nothing is fetched from there.
const nowhere = new URL("https://smallfirst.invalid/prepared-relaxed.wasm");
const engines = imported({
  init,
  Runtime,
  baseline: nowhere,
  relaxed: nowhere,
  where: "in Cloudflare Workers",
  again: "this isolate has to be replaced",
});

/**
 * Reads a bundle's manifest and resolves once the bundle can be asked. Keep the instance for later requests: what it has loaded and
 * what it remembers lasts as long as this isolate. It has the engine for prepared models.
 *
 * @throws SmallFirstError - as in a page.
 */
export function createSmallFirst({ assets, ...options }: WorkerdOptions): Promise<SmallFirst> {
  const around: Omit<Surroundings, "post"> = {
    strings,
    files: () => undefined,
    resource: (address) => assets?.fetch(address),
    module: async () => module,
  };
  return create(options, {
    absolute: (name, address) => absolute(name, address),
    spawn: (engine) => engines(engine, around),
    inThread: true,
    inMemory: true,
  });
}
