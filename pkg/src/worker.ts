// The module worker: it owns the WebAssembly engine and forwards calls to it.

import { fromWire, describe, toWire } from "./errors.js";
import { engineInput } from "./input.js";
import type { EngineRunOptions, FromWorker, HeadersReply, Request, ToWorker, WireInput, WireItem } from "./protocol.js";
// Not `import()`: bundlers whose workers are one script (Vite by default) cannot split it off.
import init, { Engine, type EngineHooks } from "./wasm/smallfirst.js";

/** The part of the worker's global scope that is used; the DOM library types describe a page's. */
interface Scope {
  postMessage(message: FromWorker): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
  addEventListener(type: "unhandledrejection", listener: (event: PromiseRejectionEvent) => void): void;
}
const scope = globalThis as unknown as Scope;

/** The engine, once it was started. */
let engine: Engine | undefined;
/** The calls that run, by id. */
const running = new Map<number, AbortController>();
/** The requests for headers that wait for the page, by number. */
const asked = new Map<number, (reply: HeadersReply) => void>();
let asks = 0;

scope.addEventListener("message", ({ data }) => {
  switch (data.type) {
    case "request":
      void answer(data.id, data.request);
      break;
    case "abort":
      running.get(data.id)?.abort();
      break;
    case "headers":
      asked.get(data.ask)?.(data.reply);
      asked.delete(data.ask);
      break;
  }
});

// A trap inside a Rust future surfaces here, or as an uncaught error (which the page sees by
// itself), and leaves the call's promise pending for ever.
scope.addEventListener("unhandledrejection", (event) => {
  if (isTrap(event.reason)) dead(event.reason);
});

async function answer(id: number, request: Request): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    scope.postMessage({ type: "done", id, value: await perform(request, controller.signal) });
  } catch (thrown) {
    if (isTrap(thrown)) dead(thrown);
    else scope.postMessage({ type: "failed", id, error: toWire(thrown) });
  } finally {
    running.delete(id);
  }
}

async function perform(request: Request, signal: AbortSignal): Promise<unknown> {
  if (request.type === "start") return start(request);
  if (!engine) throw new Error("the worker was not started");
  switch (request.type) {
    case "run":
      return engine.run(request.task, await engineInput(request.input), request.options, signal);
    case "runBatch":
      return runBatch(engine, request.task, request.inputs, request.options, signal);
    case "tasks":
      return engine.tasks();
    case "card":
      return engine.card(request.task);
    case "drift":
      return engine.drift(request.task);
    case "audit":
      return engine.audit(request.task, request.risk, request.correct);
    case "prepare":
      return engine.prepare(request.tasks, signal);
  }
}

async function start(request: Extract<Request, { type: "start" }>): Promise<void> {
  try {
    await init({ module_or_path: request.wasm ?? new URL("./wasm/smallfirst_bg.wasm", import.meta.url) });
  } catch (thrown) {
    const error = `the WebAssembly module could not be loaded: ${describe(thrown)}`;
    throw fromWire({ code: "worker_failed", message: error, attempts: [] });
  }
  const hooks: EngineHooks = {};
  if (request.headers) hooks.headers = askHeaders;
  if (request.progress) hooks.progress = (event) => scope.postMessage({ type: "progress", event });
  if (request.drift) hooks.drift = (event) => scope.postMessage({ type: "drift", event });
  engine = await Engine.create(request.options, hooks);
}

/** The callback that gives headers lives on the page; its secrets pass through here only. */
function askHeaders(): Promise<Record<string, string>> {
  const ask = ++asks;
  return new Promise((resolve, reject) => {
    asked.set(ask, (reply) => ("error" in reply ? reject(new Error(reply.error)) : resolve(reply.headers)));
    scope.postMessage({ type: "headers", ask });
  });
}

async function runBatch(
  engine: Engine,
  task: string,
  inputs: WireInput[],
  options: EngineRunOptions,
  signal: AbortSignal,
): Promise<WireItem[]> {
  const items: WireItem[] = [];
  for (const input of inputs) {
    try {
      items.push({ ok: true, answer: await engine.run(task, await engineInput(input), options, signal) });
    } catch (thrown) {
      if (isTrap(thrown)) throw thrown;
      items.push({ ok: false, error: toWire(thrown) });
    }
    await turn();
    // Nobody waits for the rest: the page rejected the batch when it aborted it.
    if (signal.aborted) break;
  }
  return items;
}

/** Lets waiting messages in (an abort, another call). A timer would be slowed down to 4 ms per item. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Whether the WebAssembly instance is unusable: it trapped, or ran out of stack or memory. */
function isTrap(thrown: unknown): boolean {
  return thrown instanceof WebAssembly.RuntimeError || thrown instanceof RangeError;
}

function dead(thrown: unknown): void {
  scope.postMessage({ type: "dead", message: `the engine stopped: ${describe(thrown)}` });
}
