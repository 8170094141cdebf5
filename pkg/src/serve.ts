// What the module workers do: they own the WebAssembly engine and forward calls to it.

import { fromWire, describe, type SmallFirstError, toWire } from "./errors.js";
import { type EngineInput, engineInput } from "./input.js";
import { Holder } from "./life.js";
import { type Get, Preload } from "./preload.js";
import type {
  Delegated,
  EngineName,
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
import { assertSameVersion } from "./version.js";
import type initEngine from "./wasm/prepared.js";
import type { InputKind } from "./types.js";
import type { Listener, Searcher, Trainer } from "./wasm/onnx.js";
import type { Runtime, RuntimeHooks } from "./wasm/prepared.js";
import type { Adoption, Consent, RuntimeRunOptions } from "./wire.js";
import { Archive } from "./zip.js";

/** The part of the worker's global scope that is used; the DOM library types describe a page's. */
interface Scope {
  postMessage(message: FromWorker): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
  addEventListener(type: "unhandledrejection", listener: (event: PromiseRejectionEvent) => void): void;
}

/** An engine, and where its modules are. */
export interface Build {
  name: EngineName;
  init: typeof initEngine;
  Runtime: typeof Runtime;
  baseline: URL;
  relaxed: URL;
}

/** What an engine has around it, besides what every JavaScript has. */
export interface Surroundings {
  /** Says something to the page. */
  post(message: FromWorker): void;
  /** Strings that are kept under a name. */
  strings(name: string): Pick<Strings, "update">;
  /** Where the files of a bundle are kept; undefined where nothing is. */
  files(name: string, bundle: string): Files | undefined;
  /** What is at an address that `fetch` does not know, such as a file's; undefined where it does. */
  resource?(address: string): Promise<Response> | undefined;
  /** The contents of a WebAssembly module; where this is missing, the browser fetches and compiles it in one. */
  module?(address: string | URL): Promise<BufferSource | WebAssembly.Module>;
}

/** The least time between two writings of what monitors saw, in milliseconds. */
const KEEPING_MS = 1000;

/** Makes this worker answer calls. `around` is what it has around it beside the browser. */
export function serve(name: EngineName, made: Omit<Build, "name">, around: Pick<Surroundings, "module"> = {}): void {
  const scope = globalThis as unknown as Scope;
  const server = new Server(
    { name, ...made },
    {
      post: (message) => scope.postMessage(message),
      strings: (kept) => new Strings(kept),
      files: (kept, bundle) => new Files(kept, bundle),
      ...around,
    },
  );
  scope.addEventListener("message", ({ data }) => server.receive(data));
  // A trap inside a Rust future surfaces here, or as an uncaught error (which the page sees by
  // itself), and leaves the call's promise pending for ever.
  scope.addEventListener("unhandledrejection", (event) => server.rejected(event.reason));
}

/** An engine and the calls that it runs: what a worker does, in whatever thread. */
export class Server {
  readonly #build: Build;
  readonly #around: Surroundings;
  /** What the page sees that this worker is there by. */
  readonly #holder: Holder;
  /** The engine, once it was started. */
  #engine: Runtime | undefined;
  /** What each of its tasks reads, once somebody asked. */
  #reads: Map<string, InputKind> | undefined;
  /** Whether what monitors saw is being written, or will be. */
  #keeping = false;
  /** The calls that run, by id. */
  readonly #running = new Map<number, AbortController>();
  /** The readers of texts who have not asked for more yet, by the call's id. */
  readonly #readers = new Map<number, () => void>();
  /** The questions that wait for the page, by number. */
  readonly #asked = new Map<number, (reply: QuestionReply) => void>();
  /** The replies of the page's functions that are under way, by number. */
  readonly #pages = new Map<number, ReadableStreamDefaultController<Uint8Array>>();
  #asks = 0;
  /** How many pieces of work the engine has. */
  #busy = 0;
  #closed = false;

  constructor(build: Build, around: Surroundings) {
    this.#build = build;
    this.#around = around;
    this.#holder = new Holder(() => around.post({ type: "held" }));
  }

  /** Takes in what a promise was rejected with that nobody waited for. */
  rejected(reason: unknown): void {
    if (isTrap(reason)) this.#dead(reason);
  }

  /** Ends all calls, and gives back the engine's memory once none runs. A thread that ends does this by itself. */
  close(): void {
    this.#closed = true;
    for (const controller of this.#running.values()) controller.abort();
    this.#release();
  }

  #begin(): void {
    this.#busy++;
    this.#holder.begin();
  }

  #end(): void {
    this.#busy--;
    this.#holder.end();
    this.#release();
  }

  #release(): void {
    if (!this.#closed || this.#busy > 0 || this.#keeping) return;
    this.#engine?.free();
    this.#engine = undefined;
  }

  /** Takes in what the page says. */
  receive(data: ToWorker): void {
    switch (data.type) {
      case "life":
        this.#holder.name(data.lock);
        break;
      case "ping":
        this.#around.post({ type: "pong" });
        break;
      case "request":
        void this.#answer(data.id, data.request);
        break;
      case "abort":
        this.#running.get(data.id)?.abort();
        this.#around.post({ type: "heard", id: data.id });
        break;
      case "pull":
        this.#readers.get(data.id)?.();
        break;
      case "reply":
        this.#asked.get(data.ask)?.(data.reply);
        this.#asked.delete(data.ask);
        break;
      case "pageLine":
        this.#pages.get(data.ask)?.enqueue(new TextEncoder().encode(`${data.line}\n`));
        break;
      case "pageEnd":
        this.#pages.get(data.ask)?.close();
        this.#pages.delete(data.ask);
        break;
      case "pageError":
        this.#pages.get(data.ask)?.error(new Error(data.error));
        this.#pages.delete(data.ask);
        break;
    }
  }

  async #answer(id: number, request: Request): Promise<void> {
    const controller = new AbortController();
    this.#running.set(id, controller);
    this.#begin();
    try {
      const value = await this.perform(id, request, controller.signal);
      this.#handOver();
      this.#around.post({ type: "done", id, value });
      void this.#keep();
    } catch (thrown) {
      if (isTrap(thrown)) this.#dead(thrown);
      else this.#around.post({ type: "failed", id, error: toWire(thrown) });
    } finally {
      this.#running.delete(id);
      this.#readers.delete(id);
      this.#end();
    }
  }

  /** Gives the page what the next worker is to know, should this one die. */
  #handOver(): void {
    const engine = this.#engine;
    const monitors = engine?.changes();
    if (engine && monitors?.length)
      this.#around.post({ type: "monitors", legacy: { manifest: engine.manifestSha256(), monitors } });
  }

  /**
   * Has what monitors saw written where later pages find it, once nobody waits for this answer: at once, and then once a
   * second at most. What was seen meanwhile is written the next time.
   */
  async #keep(): Promise<void> {
    const engine = this.#engine;
    if (this.#keeping || this.#closed || !engine?.unwritten()) return;
    this.#keeping = true;
    try {
      await engine.keep(new AbortController().signal);
      // Of what was merged with it.
      this.#handOver();
    } catch (thrown) {
      if (isTrap(thrown)) this.#dead(thrown);
    }
    const timer = setTimeout(() => {
      this.#keeping = false;
      if (this.#closed) this.#release();
      else void this.#keep();
    }, KEEPING_MS);
    // Where a process could end, this is no reason not to.
    (timer as { unref?: () => void }).unref?.();
  }

  private async perform(id: number, request: Request, signal: AbortSignal): Promise<unknown> {
    if (request.type === "start") return this.#start(request);
    const engine = this.#engine;
    if (!engine) throw new Error("the worker was not started");
    switch (request.type) {
      case "run":
        return engine.run(
          request.task,
          await this.#inputOf(engine, request.task, request.input),
          request.options,
          signal,
        );
      case "runBatch":
        return this.#runBatch(engine, request.task, request.inputs, request.options, signal);
      case "generate":
        return engine.generate(request.task, await engineInput(request.input), request.options, signal, (text) =>
          this.#deliver(id, text),
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
      case "index":
        return searcher(engine).index(request.name, request.task, request.wanted, signal);
      case "train":
        return trainer(engine).train(request.task, request.examples, request.options, signal);
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

  async #start(request: Extract<Request, { type: "start" }>): Promise<void> {
    assertSameVersion(request.version);
    const [build, around] = [this.#build, this.#around];
    // Before the WebAssembly is there, and beside it.
    const { options, storage, legacy } = request;
    const files = storage.files ? around.files(storage.name, options.bundle) : undefined;
    const inside = await archived(request.archive, options.bundle);
    const resource = (address: string): Promise<Response> | undefined =>
      inside?.(address) ?? around.resource?.(address);
    const get: Get = (address, init) => resource(address) ?? fetch(address, init);
    const preload = new Preload(options, request.preload, files, request.hooks.progress, get);
    try {
      const address = await moduleOf(build, request.wasm);
      await build.init({ module_or_path: (await around.module?.(address)) ?? address });
    } catch (thrown) {
      const error = `the WebAssembly module could not be loaded: ${describe(thrown)}`;
      throw fromWire({ code: "worker_failed", message: error, attempts: [] });
    }
    const strings = around.strings(storage.name);
    const hooks: RuntimeHooks = {
      sent: (requests) => this.#ask({ what: "sent", requests }),
      update: (key, change) => {
        // What is about to be written is not the next worker's to write, whether this one survives it or not.
        this.#handOver();
        return strings.update(key, change);
      },
      fetch: async (url) => (await preload.take(url)) ?? resource(url),
    };
    if (files) hooks.files = files;
    const there = request.hooks;
    if (there.headers)
      hooks.headers = (endpoint) => this.#ask({ what: "headers", endpoint }) as Promise<Record<string, string>>;
    if (there.consent) hooks.consent = (outgoing) => this.#ask({ what: "consent", outgoing }) as Promise<Consent>;
    if (there.page) hooks.page = (endpoint, body, signal) => this.#callPage({ endpoint, body }, signal);
    if (there.progress) hooks.progress = (event) => this.#around.post({ type: "progress", event });
    hooks.drift = (event) => {
      // Whatever becomes of the call that raised the alarm, it stays.
      this.#handOver();
      if (there.drift) this.#around.post({ type: "drift", event });
    };
    const made = await build.Runtime.create(options, hooks);
    if (legacy?.manifest === made.manifestSha256()) made.resume(legacy.monitors);
    this.#loadAhead(made, request.preload);
    this.#engine = made;
  }

  /** Loads the models whose files were fetched ahead. Nobody waits for it; the first call that needs them tells what fails. */
  #loadAhead(engine: Runtime, tasks: string[]): void {
    if (tasks.length === 0) return;
    const unknown = tasks.find((task) => !engine.knows(task));
    if (unknown !== undefined) {
      const known = engine.tasks().map((task) => task.id);
      const error = `preload: the bundle has no task "${unknown}"; its tasks are ${known.join(", ")}`;
      throw fromWire({ code: "unknown_task", message: error, attempts: [] });
    }
    // It may keep this worker busy for long.
    this.#begin();
    engine
      .preload(tasks, true, new AbortController().signal)
      .catch((thrown: unknown) => {
        if (isTrap(thrown)) this.#dead(thrown);
      })
      .finally(() => this.#end());
  }

  /** The caller's functions live on the page; their secrets pass through here only. */
  #ask(question: Question): Promise<unknown> {
    const ask = ++this.#asks;
    return new Promise((resolve, reject) => {
      this.#asked.set(ask, (reply) => ("error" in reply ? reject(new Error(reply.error)) : resolve(reply.value)));
      this.#around.post({ type: "ask", ask, question });
    });
  }

  /** What a function of the page says, as a body to be read. */
  #callPage(call: PageCall, signal: AbortSignal): ReadableStream<Uint8Array> {
    const ask = ++this.#asks;
    signal.addEventListener("abort", () => {
      if (!this.#pages.delete(ask)) return;
      this.#around.post({ type: "pageStop", ask });
    });
    return new ReadableStream({
      start: (controller) => {
        this.#pages.set(ask, controller);
        this.#around.post({ type: "page", ask, call });
      },
    });
  }

  /** Sends a piece of text to the page, and waits until its reader wants more. */
  #deliver(id: number, text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#readers.set(id, resolve);
      this.#around.post({ type: "delta", id, text });
    });
  }

  /**
   * One item an input; of one that was answered elsewhere and needs no other answer, what is added to it. Ends before the
   * first of those that does need one: the page has its input.
   */
  async #runBatch(
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
        const given = await this.#inputOf(engine, task, input);
        items.push({ ok: true, answer: await engine.run(task, given, options, signal) });
      } catch (thrown) {
        if (isTrap(thrown)) throw thrown;
        items.push({ ok: false, error: toWire(thrown) });
      }
      void this.#keep();
      await turn();
      // Nobody waits for the rest: the page rejected the batch when it aborted it.
      if (signal.aborted) break;
    }
    return items;
  }

  /** An input as the engine takes it: a file is an image where the task reads images. */
  #inputOf(engine: Runtime, task: string, input: WireInput): Promise<EngineInput> {
    if (typeof input === "string" || "error" in input || "second" in input || "channels" in input || "row" in input)
      return engineInput(input);
    this.#reads ??= new Map(engine.tasks().map(({ id, input: kind }) => [id, kind]));
    return engineInput(input, this.#reads.get(task));
  }

  /** Tells the page that the engine is of no use any more. */
  #dead(thrown: unknown): void {
    this.#around.post({ type: "dead", message: `the engine stopped: ${describe(thrown)}` });
  }
}

/** What is in the one file that a bundle is, by the addresses beside its manifest's; undefined where it is none. */
async function archived(
  file: Blob | undefined,
  manifest: string,
): Promise<((address: string) => Promise<Response> | undefined) | undefined> {
  if (!file) return undefined;
  const archive = await Archive.open(file);
  const base = new URL(".", manifest).href;
  return (address) => (address.startsWith(base) ? archive.response(address.slice(base.length)) : undefined);
}

/** The module that suits the browser best. */
async function moduleOf(build: Build, given: Modules | undefined): Promise<string | URL> {
  const relaxed = await hasRelaxedSimd();
  if (given === undefined) return relaxed ? build.relaxed : build.baseline;
  if (typeof given !== "string") return relaxed ? given.relaxed : given.baseline;
  return given.endsWith("/") ? `${given}${build.name}${relaxed ? "-relaxed" : ""}.wasm` : given;
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

/** The engine, if it is the one that hears sounds. */
function listener(engine: Runtime): Listener {
  if ("listen" in engine) return engine as Runtime & Listener;
  throw other("sounds are heard");
}

/** The engine, if it is the one that makes vectors. */
function searcher(engine: Runtime): Searcher {
  if ("index" in engine) return engine as Runtime & Searcher;
  throw other("texts are found");
}

/** The engine, if it is the one that trains. */
function trainer(engine: Runtime): Trainer {
  if ("train" in engine) return engine as Runtime & Trainer;
  throw other("tasks are trained");
}

function other(what: string): SmallFirstError {
  return fromWire({
    code: "needs_onnx",
    message: `${what} by the other engine: leave \`engine\` out, or set it to "onnx"`,
    attempts: [],
  });
}
