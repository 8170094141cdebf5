// The module worker of `smallfirst/model`: it owns one model, and does what it is asked one after another.

import { describe, fromWire, toWire } from "./errors.js";
import { Holder } from "./life.js";
import type { FromModelWorker, ModelRequest, ToModelWorker } from "./model-protocol.js";
import { hasRelaxedSimd } from "./support.js";
import init, { Session } from "./wasm/onnx.js";

interface Scope {
  postMessage(message: FromModelWorker, moved?: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToModelWorker>) => void): void;
}
const scope = globalThis as unknown as Scope;

const holder = new Holder(() => scope.postMessage({ type: "held" }));
let started: Promise<unknown> | undefined;
let session: Session | undefined;
/** The last thing that was asked. */
let last: Promise<void> = Promise.resolve();

scope.addEventListener("message", ({ data }) => {
  switch (data.type) {
    case "life":
      holder.name(data.lock);
      break;
    case "ping":
      scope.postMessage({ type: "pong" });
      break;
    case "request":
      last = last.then(() => answer(data.id, data.request));
      break;
  }
});

async function answer(id: number, request: ModelRequest): Promise<void> {
  holder.begin();
  try {
    const value = await perform(request);
    const moved = request.type === "run" ? Object.values(value ?? {}).flatMap(buffer) : [];
    scope.postMessage({ type: "done", id, value: value as undefined }, moved);
  } catch (thrown) {
    // The module is unusable: it trapped, or ran out of stack or memory.
    if (thrown instanceof WebAssembly.RuntimeError || thrown instanceof RangeError)
      scope.postMessage({ type: "dead", message: `the engine stopped: ${describe(thrown)}` });
    else scope.postMessage({ type: "failed", id, error: toWire(thrown) });
  } finally {
    holder.end();
  }
}

function buffer(tensor: { data?: unknown }): ArrayBuffer[] {
  return ArrayBuffer.isView(tensor.data) ? [tensor.data.buffer as ArrayBuffer] : [];
}

async function perform(request: ModelRequest): Promise<object | undefined> {
  switch (request.type) {
    case "load":
      return load(request);
    case "run":
      return loaded().run(request.feeds, request.outputs);
    case "reset":
      loaded().reset();
      return undefined;
  }
}

async function load(request: Extract<ModelRequest, { type: "load" }>): Promise<object> {
  try {
    await (started ??= start(request.wasm));
  } catch (thrown) {
    started = undefined;
    const message = `the WebAssembly module could not be loaded: ${describe(thrown)}`;
    throw fromWire({ code: "worker_failed", message, attempts: [] });
  }
  const { name, state } = request;
  const file = new Uint8Array(request.file);
  const missing = Session.beside(name, file).filter((beside) => !(beside in request.beside));
  if (missing.length > 0) return { missing };
  const beside = Object.fromEntries(Object.entries(request.beside).map(([of, bytes]) => [of, new Uint8Array(bytes)]));
  const made = Session.load(name, file, beside);
  for (const [output, input] of Object.entries(state)) made.keep(output, input);
  session = made;
  return made.ports();
}

async function start(given: string | undefined): Promise<void> {
  const relaxed = await hasRelaxedSimd();
  const own = relaxed
    ? new URL("./wasm/onnx-relaxed.wasm", import.meta.url)
    : new URL("./wasm/onnx.wasm", import.meta.url);
  const named = given?.endsWith("/") ? `${given}onnx${relaxed ? "-relaxed" : ""}.wasm` : given;
  await init({ module_or_path: named ?? own });
}

function loaded(): Session {
  if (!session) throw new Error("no model was loaded");
  return session;
}
