// A bare model in this thread: what `smallfirst/model` asks, done by the WebAssembly module. A worker has one, and so has a page
// that wants its model in its own thread. The module is there once for all of them.

import { describe, fromWire, SmallFirstError, toWire } from "./errors.js";
import type { ModelRequest, Ports } from "./model-protocol.js";
import type { Tensor } from "./model.js";
import { hasRelaxedSimd } from "./support.js";
import init, { ModelFile, Session } from "./wasm/onnx.js";

let started: Promise<unknown> | undefined;
/** Why the module is unusable, once it is. */
let stopped: string | undefined;

/** What is asked when a model is loaded. */
export type LoadRequest = Extract<ModelRequest, { type: "load" }>;
/** What a model takes and gives, or the files beside it that are still to be given. */
export type Loaded = Ports | { missing: string[] };

/** The module trapped, or ran out of stack or memory: nothing that it has can be used any more. */
export class Stopped extends SmallFirstError {
  constructor(why: string) {
    super("worker_failed", why);
  }
}

/** One model. */
export class ModelEngine {
  #session: Session | undefined;

  /**
   * Reads the model.
   *
   * @throws {SmallFirstError} When it cannot be run; a {@link Stopped} when the module cannot go on.
   */
  async load(request: LoadRequest): Promise<Loaded> {
    try {
      await (started ??= start(request.wasm));
    } catch (thrown) {
      started = undefined;
      const message = `the WebAssembly module could not be loaded: ${describe(thrown)}`;
      throw new SmallFirstError("worker_failed", message);
    }
    return guarded(() => {
      const file = new ModelFile(request.name, new Uint8Array(request.file));
      const missing = file.beside().filter((beside) => !(beside in request.beside));
      if (missing.length > 0) {
        file.free();
        return { missing };
      }
      const beside = Object.fromEntries(
        Object.entries(request.beside).map(([of, bytes]) => [of, new Uint8Array(bytes)]),
      );
      const made = Session.load(file, beside);
      for (const [output, input] of Object.entries(request.state)) made.keep(output, input);
      this.#session = made;
      return made.ports();
    });
  }

  /** Does anything else that may be asked, at once. */
  perform(request: Exclude<ModelRequest, { type: "load" }>): Record<string, Tensor> | undefined {
    const session = this.#session;
    if (!session) throw new Error("no model was loaded");
    return guarded(() => {
      if (request.type === "run") return session.run(request.feeds, request.outputs);
      session.reset();
      return undefined;
    });
  }

  /** Gives its memory back. */
  free(): void {
    if (stopped === undefined) this.#session?.free();
    this.#session = undefined;
  }
}

function guarded<T>(work: () => T): T {
  if (stopped !== undefined) throw new Stopped(stopped);
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof WebAssembly.RuntimeError || thrown instanceof RangeError) {
      stopped = `the engine stopped: ${describe(thrown)}`;
      throw new Stopped(stopped);
    }
    throw fromWire(toWire(thrown));
  }
}

async function start(given: string | undefined): Promise<void> {
  const relaxed = await hasRelaxedSimd();
  const own = relaxed
    ? new URL("./wasm/onnx-relaxed.wasm", import.meta.url)
    : new URL("./wasm/onnx.wasm", import.meta.url);
  const named = given?.endsWith("/") ? `${given}onnx${relaxed ? "-relaxed" : ""}.wasm` : given;
  await init({ module_or_path: named ?? own });
}
