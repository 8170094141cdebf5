// What the module workers do: they own the WebAssembly engine and forward calls to it.

import { fromWire, describe, toWire } from "./errors.js";
import { type EngineInput, engineInput } from "./input.js";
import { Holder } from "./life.js";
import { Preload } from "./preload.js";
import type {
  Delegated,
  FromWorker,
  Modules,
  PageCall,
  Question,
  QuestionReply,
  Request,
  Sharing,
  ToWorker,
  WireInput,
  WireItem,
} from "./protocol.js";
import { Files, Strings } from "./store.js";
import { hasRelaxedSimd } from "./support.js";
import type initEngine from "./wasm/prepared.js";
import type { InputKind } from "./types.js";
import type { Listener } from "./wasm/onnx.js";
import type { Runtime, RuntimeHooks } from "./wasm/prepared.js";
import type { Adoption, Consent, RuntimeRunOptions } from "./wire.js";

/** The part of the worker's global scope that is used; the DOM library types describe a page's. */
interface Scope {
  postMessage(message: FromWorker): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
  addEventListener(type: "unhandledrejection", listener: (event: PromiseRejectionEvent) => void): void;
}
const scope = globalThis as unknown as Scope;

/** The engine of a worker, and where its modules are. */
export interface Build {
  init: typeof initEngine;
  Runtime: typeof Runtime;
  baseline: URL;
  relaxed: URL;
}

/** The engine that is started on demand, and its name in files. */
let build: (Build & { name: "prepared" | "onnx" }) | undefined;

/** What the page sees that this worker is there by. */
const holder = new Holder(() => scope.postMessage({ type: "held" }));
/** The engine, once it was started. */
let engine: Runtime | undefined;
/** What each of its tasks reads, once somebody asked. */
let reads: Map<string, InputKind> | undefined;
/** Whether what monitors saw is being written, or will be. */
let keeping = false;
/** The least time between two of those writings, in milliseconds. */
const KEEPING_MS = 1000;
/** The calls that run, by id. */
const running = new Map<number, AbortController>();
/** The readers of texts who have not asked for more yet, by the call's id. */
const readers = new Map<number, () => void>();
/** The questions that wait for the page, by number. */
const asked = new Map<number, (reply: QuestionReply) => void>();
/** The replies of the page's functions that are under way, by number. */
const pages = new Map<number, ReadableStreamDefaultController<Uint8Array>>();
let asks = 0;

/** Makes this worker answer calls. */
export function serve(name: "prepared" | "onnx", made: Build): void {
  build = { name, ...made };
  scope.addEventListener("message", receive);
  // A trap inside a Rust future surfaces here, or as an uncaught error (which the page sees by
  // itself), and leaves the call's promise pending for ever.
  scope.addEventListener("unhandledrejection", (event) => {
    if (isTrap(event.reason)) dead(event.reason);
  });
}

function receive({ data }: MessageEvent<ToWorker>): void {
  switch (data.type) {
    case "life":
      holder.name(data.lock);
      break;
    case "ping":
      scope.postMessage({ type: "pong" });
      break;
    case "request":
      void answer(data.id, data.request);
      break;
    case "abort":
      running.get(data.id)?.abort();
      scope.postMessage({ type: "heard", id: data.id });
      break;
    case "pull":
      readers.get(data.id)?.();
      break;
    case "reply":
      asked.get(data.ask)?.(data.reply);
      asked.delete(data.ask);
      break;
    case "pageLine":
      pages.get(data.ask)?.enqueue(new TextEncoder().encode(`${data.line}\n`));
      break;
    case "pageEnd":
      pages.get(data.ask)?.close();
      pages.delete(data.ask);
      break;
    case "pageError":
      pages.get(data.ask)?.error(new Error(data.error));
      pages.delete(data.ask);
      break;
  }
}

async function answer(id: number, request: Request): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  holder.begin();
  try {
    const value = await perform(id, request, controller.signal);
    handOver();
    scope.postMessage({ type: "done", id, value });
    void keep();
  } catch (thrown) {
    if (isTrap(thrown)) dead(thrown);
    else scope.postMessage({ type: "failed", id, error: toWire(thrown) });
  } finally {
    running.delete(id);
    readers.delete(id);
    holder.end();
  }
}

/** Gives the page what the next worker is to know, should this one die. */
function handOver(): void {
  const monitors = engine?.changes();
  if (engine && monitors?.length)
    scope.postMessage({ type: "monitors", legacy: { manifest: engine.manifestSha256(), monitors } });
}

/**
 * Has what monitors saw written where later pages find it, once nobody waits for this answer: at once, and then once a
 * second at most. What was seen meanwhile is written the next time.
 */
async function keep(): Promise<void> {
  if (keeping || !engine?.unwritten()) return;
  keeping = true;
  try {
    await engine.keep(new AbortController().signal);
    // Of what was merged with it.
    handOver();
  } catch (thrown) {
    if (isTrap(thrown)) dead(thrown);
  }
  setTimeout(() => {
    keeping = false;
    void keep();
  }, KEEPING_MS);
}

async function perform(id: number, request: Request, signal: AbortSignal): Promise<unknown> {
  if (request.type === "start") return start(request);
  if (!engine) throw new Error("the worker was not started");
  switch (request.type) {
    case "run":
      return engine.run(request.task, await inputOf(engine, request.task, request.input), request.options, signal);
    case "runBatch":
      return runBatch(engine, request.task, request.inputs, request.options, signal);
    case "generate":
      return engine.generate(request.task, await engineInput(request.input), request.options, signal, (text) =>
        deliver(id, text),
      );
    case "listen":
      return listener(engine).listen(request.number, request.task, request.rate, request.options);
    case "hear":
      return listener(engine).hear(request.number, request.samples);
    case "hush":
      return listener(engine).hush(request.number);
    case "usage":
      return engine.usage(signal);
    case "clearAnswerCache":
      return engine.clearAnswerCache(signal);
    case "learned":
      return engine.learned(signal);
    case "examples":
      return engine.examples(request.task, signal);
    case "forgetExamples":
      return engine.forgetExamples(request.task, signal);
    case "tasks":
      return engine.tasks();
    case "card":
      return engine.card(request.task);
    case "drift":
      return engine.drift(request.task, signal);
    case "reportOutcome":
      return engine.reportOutcome(request.task, request.audit, request.correct, request.label, request.local, signal);
    case "preload":
      return engine.preload(request.tasks, request.firstTier ?? false, signal);
    case "share":
      await engine.preload([request.task], true, signal);
      return {
        manifest: engine.manifestSha256(),
        alarmed: await engine.guaranteeEnded(request.task, signal),
      } satisfies Sharing;
  }
}

async function start(request: Extract<Request, { type: "start" }>): Promise<void> {
  if (!build) throw new Error("the worker has no engine");
  // Before the WebAssembly is there, and beside it.
  const { options, storage, legacy } = request;
  const files = storage.files ? new Files(storage.name, options.bundle) : undefined;
  const preload = new Preload(options, request.preload, files, request.hooks.progress);
  try {
    await build.init({ module_or_path: await moduleOf(build, request.wasm) });
  } catch (thrown) {
    const error = `the WebAssembly module could not be loaded: ${describe(thrown)}`;
    throw fromWire({ code: "worker_failed", message: error, attempts: [] });
  }
  const strings = new Strings(storage.name);
  const hooks: RuntimeHooks = {
    sent: (requests) => ask({ what: "sent", requests }),
    update: (key, change) => {
      // What is about to be written is not the next worker's to write, whether this one survives it or not.
      handOver();
      return strings.update(key, change);
    },
    fetch: (url) => preload.take(url),
  };
  if (files) hooks.files = files;
  const there = request.hooks;
  if (there.headers)
    hooks.headers = (endpoint) => ask({ what: "headers", endpoint }) as Promise<Record<string, string>>;
  if (there.consent) hooks.consent = (outgoing) => ask({ what: "consent", outgoing }) as Promise<Consent>;
  if (there.page) hooks.page = (endpoint, body, signal) => callPage({ endpoint, body }, signal);
  if (there.progress) hooks.progress = (event) => scope.postMessage({ type: "progress", event });
  hooks.drift = (event) => {
    // Whatever becomes of the call that raised the alarm, it stays.
    handOver();
    if (there.drift) scope.postMessage({ type: "drift", event });
  };
  const made = await build.Runtime.create(options, hooks);
  if (legacy?.manifest === made.manifestSha256()) made.resume(legacy.monitors);
  loadAhead(made, request.preload);
  engine = made;
}

/** The module that suits the browser best. */
async function moduleOf(build: Build & { name: string }, given: Modules | undefined): Promise<string | URL> {
  const relaxed = await hasRelaxedSimd();
  if (given === undefined) return relaxed ? build.relaxed : build.baseline;
  if (typeof given !== "string") return relaxed ? given.relaxed : given.baseline;
  return given.endsWith("/") ? `${given}${build.name}${relaxed ? "-relaxed" : ""}.wasm` : given;
}

/** Loads the models whose files were fetched ahead. Nobody waits for it; the first call that needs them tells what fails. */
function loadAhead(engine: Runtime, tasks: string[]): void {
  if (tasks.length === 0) return;
  const unknown = tasks.find((task) => !engine.knows(task));
  if (unknown !== undefined) {
    const known = engine.tasks().map((task) => task.id);
    const error = `preload: the bundle has no task "${unknown}"; its tasks are ${known.join(", ")}`;
    throw fromWire({ code: "unknown_task", message: error, attempts: [] });
  }
  // It may keep this worker busy for long.
  holder.begin();
  engine
    .preload(tasks, true, new AbortController().signal)
    .catch((thrown: unknown) => {
      if (isTrap(thrown)) dead(thrown);
    })
    .finally(() => holder.end());
}

/** The caller's functions live on the page; their secrets pass through here only. */
function ask(question: Question): Promise<unknown> {
  const ask = ++asks;
  return new Promise((resolve, reject) => {
    asked.set(ask, (reply) => ("error" in reply ? reject(new Error(reply.error)) : resolve(reply.value)));
    scope.postMessage({ type: "ask", ask, question });
  });
}

/** What a function of the page says, as a body to be read. */
function callPage(call: PageCall, signal: AbortSignal): ReadableStream<Uint8Array> {
  const ask = ++asks;
  signal.addEventListener("abort", () => {
    if (!pages.delete(ask)) return;
    scope.postMessage({ type: "pageStop", ask });
  });
  return new ReadableStream({
    start(controller) {
      pages.set(ask, controller);
      scope.postMessage({ type: "page", ask, call });
    },
  });
}

/** Sends a piece of text to the page, and waits until its reader wants more. */
function deliver(id: number, text: string): Promise<void> {
  return new Promise((resolve) => {
    readers.set(id, resolve);
    scope.postMessage({ type: "delta", id, text });
  });
}

/**
 * One item an input; of one that was answered elsewhere and needs no other answer, what is added to it. Ends before the
 * first of those that does need one: the page has its input.
 */
async function runBatch(
  engine: Runtime,
  task: string,
  inputs: (WireInput | Delegated)[],
  options: RuntimeRunOptions,
  signal: AbortSignal,
): Promise<(WireItem | Adoption)[]> {
  const items: (WireItem | Adoption)[] = [];
  for (const input of inputs) {
    if (typeof input === "object" && "answer" in input) {
      const adoption = await engine.adopt(task, input.answer, input.bytes, signal);
      if (!adoption) break;
      items.push(adoption);
      continue;
    }
    try {
      const given = await inputOf(engine, task, input);
      items.push({ ok: true, answer: await engine.run(task, given, options, signal) });
    } catch (thrown) {
      if (isTrap(thrown)) throw thrown;
      items.push({ ok: false, error: toWire(thrown) });
    }
    void keep();
    await turn();
    // Nobody waits for the rest: the page rejected the batch when it aborted it.
    if (signal.aborted) break;
  }
  return items;
}

/** The engine, if it is the one that hears sounds. */
function listener(engine: Runtime): Listener {
  if ("listen" in engine) return engine as Runtime & Listener;
  throw fromWire({
    code: "needs_onnx",
    message: 'sounds are heard by the other engine: leave `engine` out, or set it to "onnx"',
    attempts: [],
  });
}

/** An input as the engine takes it: a file is an image where the task reads images. */
function inputOf(engine: Runtime, task: string, input: WireInput): Promise<EngineInput> {
  if (typeof input === "string" || "error" in input || "second" in input || "channels" in input || "row" in input)
    return engineInput(input);
  reads ??= new Map(engine.tasks().map(({ id, input: kind }) => [id, kind]));
  return engineInput(input, reads.get(task));
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
