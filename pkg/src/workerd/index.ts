// The package in Cloudflare Workers: WebAssembly is imported and not compiled, and models come from a server or from the Worker's assets.

import type { Options, SmallFirst } from "../api.js";
import { invalid } from "../check.js";
import { SmallFirstError } from "../errors.js";
import { InProcessWorker } from "../in-process.js";
import { strings } from "../memory.js";
import { absolute } from "../options.js";
import type { EngineName } from "../protocol.js";
import type { Build, Surroundings } from "../serve.js";
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

/** The instance of the engine that stopped cannot be made anew: its module is there once. */
let stopped = false;

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
    spawn: (engine) => new InProcessWorker(load(engine), around, () => void (stopped = true)) as unknown as Worker,
  });
}

async function load(engine: EngineName): Promise<Build> {
  if (engine === "onnx") throw invalid("there is no engine for ONNX models in Cloudflare Workers: prepare the model");
  if (stopped) throw new SmallFirstError("worker_failed", "the engine stopped; this isolate has to be replaced");
  const nowhere = new URL("https://smallfirst.invalid/prepared-relaxed.wasm");
  return { name: engine, init, Runtime, baseline: nowhere, relaxed: nowhere };
}
