// The package in one file, its worker and its WebAssembly inside: for bundlers that find no workers, for pages without a server of
// their own, and for scripts from another origin.

import type { AnyTasks, Options, SmallFirst, TaskTypes } from "./api.js";
import { invalid } from "./check.js";
// The bundler puts the worker's whole script there.
import script from "./inline-worker.js.txt";
import { absolute } from "./options.js";
import type { EngineName } from "./protocol.js";
import { create } from "./smallfirst.js";
import { trusting } from "./trusted.js";

export type * from "./index.js";
export { SmallFirstError } from "./errors.js";

/** The address of the worker's script, which all workers of a page share. */
let address: string | undefined;

function spawn(engine: EngineName): Worker {
  if (engine === "onnx") throw invalid("there is no engine for ONNX models in smallfirst/inline: prepare the model");
  if (typeof Worker === "undefined")
    throw invalid("there are no workers here: import smallfirst/in-thread, whose engine needs none");
  const own = (address ??= URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  // Not a module, which pages from the disk may not start.
  return trusting(() => new Worker(own));
}

/**
 * As `createSmallFirst` of `smallfirst`. A Content-Security-Policy has to allow the worker: `worker-src blob:`. It has the engine for
 * prepared models.
 *
 * @throws SmallFirstError - as there.
 */
export async function createSmallFirst<T extends TaskTypes = AnyTasks>(options: Options): Promise<SmallFirst<T>> {
  const made = await create(options, { absolute, spawn, inThread: false, inMemory: false });
  return made as unknown as SmallFirst<T>;
}
