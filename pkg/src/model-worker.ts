// The module worker of `smallfirst/model`: it owns one model, and does what it is asked one after another.

import { toWire } from "./errors.js";
import { Holder } from "./life.js";
import { ModelEngine, Stopped } from "./model-engine.js";
import type { FromModelWorker, ModelRequest, ToModelWorker } from "./model-protocol.js";

interface Scope {
  postMessage(message: FromModelWorker, moved?: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToModelWorker>) => void): void;
}
const scope = globalThis as unknown as Scope;

const holder = new Holder(() => scope.postMessage({ type: "held" }));
const engine = new ModelEngine();
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
    const value = request.type === "load" ? await engine.load(request) : engine.perform(request);
    const moved = request.type === "run" ? Object.values(value ?? {}).flatMap(buffer) : [];
    scope.postMessage({ type: "done", id, value }, moved);
  } catch (thrown) {
    if (thrown instanceof Stopped) scope.postMessage({ type: "dead", message: thrown.message });
    else scope.postMessage({ type: "failed", id, error: toWire(thrown) });
  } finally {
    holder.end();
  }
}

function buffer(tensor: { data?: unknown }): ArrayBuffer[] {
  return ArrayBuffer.isView(tensor.data) ? [tensor.data.buffer as ArrayBuffer] : [];
}
