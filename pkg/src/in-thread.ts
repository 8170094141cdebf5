// The package in the thread that asks, for where there are no workers: service workers, those of browser extensions among them.

import type { AnyTasks, Options, SmallFirst, TaskTypes } from "./api.js";
import { imported } from "./in-thread-worker.js";
import { absolute } from "./options.js";
import { create } from "./smallfirst.js";
import { Files, Strings } from "./store.js";
// Not `import()`, which service workers do not have.
import init, { Runtime } from "./wasm/prepared.js";

export type * from "./index.js";
export { SmallFirstError } from "./errors.js";

const engines = imported({
  init,
  Runtime,
  // Literal, so that bundlers find the modules.
  baseline: new URL("./wasm/prepared.wasm", import.meta.url),
  relaxed: new URL("./wasm/prepared-relaxed.wasm", import.meta.url),
  where: "in smallfirst/in-thread",
  again: "start this page or service worker anew",
});

/**
 * As `createSmallFirst` of `smallfirst`, without a worker: the thread that asks is busy while a model runs. Models, and what is remembered,
 * are kept in the browser as they are there. It has the engine for prepared models.
 *
 * @throws SmallFirstError - as there.
 */
export async function createSmallFirst<T extends TaskTypes = AnyTasks>(options: Options): Promise<SmallFirst<T>> {
  const around = {
    strings: (name: string) => new Strings(name),
    files: (name: string, bundle: string) => new Files(name, bundle),
  };
  return (await create(options, {
    absolute,
    spawn: (engine) => engines(engine, around),
    inThread: true,
    inMemory: false,
  })) as unknown as SmallFirst<T>;
}
