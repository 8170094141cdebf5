import { abortable } from "./abort.js";
import { describe, fromWire, SmallFirstError } from "./errors.js";
import type { EngineName, FromWorker, PageCall, Question, QuestionReply, Request, ToWorker } from "./protocol.js";
import type { Remotes } from "./remotes.js";
import type { Drift, Progress } from "./types.js";

/** What a connection needs to start a worker, at first and again after one died. */
export interface Setup {
  spawn: ((engine: EngineName) => Worker) | undefined;
  /** The engine that is wanted; undefined leaves it to the bundle. */
  engine: EngineName | undefined;
  start: Extract<Request, { type: "start" }>;
  remotes: Remotes;
  onProgress: ((event: Progress) => void) | undefined;
  onDrift: ((drift: Drift) => void) | undefined;
}

interface Pending {
  resolve: (value: unknown) => void;
  reject: (error: SmallFirstError) => void;
  /** Takes a piece of text, and says when the next may come. */
  take: ((text: string, more: () => void) => void) | undefined;
}

/** One worker at a time, and the calls that wait for it. */
export class Connection {
  readonly #setup: Setup;
  readonly #pending = new Map<number, Pending>();
  /** The calls of the page's own functions that are under way. */
  readonly #pages = new Map<number, AbortController>();
  #lastId = 0;
  #closed = false;
  #worker: Worker | undefined;
  /** The started worker; undefined while there is none, so a failed start is not remembered. */
  #started: Promise<Worker> | undefined;

  /** The engine that workers are started with. */
  #engine: EngineName;

  constructor(setup: Setup) {
    this.#setup = setup;
    this.#engine = setup.engine ?? "prepared";
  }

  /** The engine that the worker was started with. */
  get engine(): EngineName {
    return this.#engine;
  }

  /** Resolves once the engine is there. */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    await abortable(this.#ready(), signal);
  }

  /** Sends a request, starting a worker first if there is none. */
  async call(
    request: Request,
    transfer: Transferable[],
    signal: AbortSignal | undefined,
    take?: (text: string, more: () => void) => void,
  ): Promise<unknown> {
    this.assertOpen();
    signal?.throwIfAborted();
    const id = ++this.#lastId;
    return abortable(this.#send(id, request, transfer, take), signal, () => this.#abort(id));
  }

  /** Throws `disposed` once the connection is closed. */
  assertOpen(): void {
    if (this.#closed) throw disposed();
  }

  /** Ends the worker and rejects what waits. */
  close(): void {
    this.#closed = true;
    this.#end(disposed);
  }

  #send(id: number, request: Request, transfer: Transferable[], take: Pending["take"]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, take });
      this.#ready().then(
        (worker) => {
          // It may have been aborted while the worker started.
          if (this.#pending.has(id)) this.#post(worker, id, request, transfer);
        },
        (error: SmallFirstError) => this.#take(id)?.reject(error),
      );
    });
  }

  #post(worker: Worker, id: number, request: Request, transfer: Transferable[]): void {
    const message: ToWorker = { type: "request", id, request };
    try {
      worker.postMessage(message, transfer);
    } catch (thrown) {
      // A function or the like somewhere in the options.
      const error = new SmallFirstError("invalid_option", `the call cannot be sent to the worker: ${describe(thrown)}`);
      this.#take(id)?.reject(error);
    }
  }

  #abort(id: number): void {
    if (!this.#take(id)) return;
    const message: ToWorker = { type: "abort", id };
    this.#worker?.postMessage(message);
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #ready(): Promise<Worker> {
    if (this.#closed) return Promise.reject(disposed());
    return this.#started ?? this.#start();
  }

  #start(): Promise<Worker> {
    const started = this.#open(this.#engine).catch((error: unknown) => {
      const other = this.#setup.engine === undefined && this.#engine === "prepared" && error instanceof SmallFirstError && error.code === "needs_onnx";
      if (!other || this.#closed || started !== this.#started) throw error;
      this.#worker?.terminate();
      this.#engine = "onnx";
      return this.#open(this.#engine);
    });
    this.#started = started;
    started.catch(() => {
      if (started === this.#started) this.#forget();
    });
    return started;
  }

  /** Makes a worker with an engine, and resolves once it is started. */
  #open(engine: EngineName): Promise<Worker> {
    let worker: Worker;
    try {
      worker = (this.#setup.spawn ?? spawn)(engine);
    } catch (thrown) {
      return Promise.reject(failed(`the worker could not be made: ${describe(thrown)}`));
    }
    worker.addEventListener("message", (event: MessageEvent<FromWorker>) => this.#receive(worker, event.data));
    worker.addEventListener("messageerror", () => this.#died(worker, "a message of the worker could not be read"));
    worker.addEventListener("error", (event) => {
      // Without a message, the script itself did not load.
      this.#died(worker, event.message || "the worker's script could not be loaded");
    });
    this.#worker = worker;
    const id = ++this.#lastId;
    const started = new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject, take: undefined }));
    this.#post(worker, id, this.#setup.start, []);
    return started.then(() => worker);
  }

  #receive(worker: Worker, message: FromWorker): void {
    // A worker that was given up may still have messages under way.
    if (worker !== this.#worker) return;
    switch (message.type) {
      case "done":
        this.#take(message.id)?.resolve(message.value);
        break;
      case "failed":
        this.#take(message.id)?.reject(fromWire(message.error));
        break;
      case "delta": {
        const { id } = message;
        const more = (): void => tell(worker, { type: "pull", id });
        this.#pending.get(id)?.take?.(message.text, more);
        break;
      }
      case "ask":
        void this.#reply(worker, message.ask, message.question);
        break;
      case "page":
        void this.#page(worker, message.ask, message.call);
        break;
      case "pageStop":
        this.#pages.get(message.ask)?.abort();
        break;
      case "dead":
        this.#died(worker, message.message);
        break;
      case "progress":
        // If it throws, the page's own error reporting shows it, and nothing here is affected.
        this.#setup.onProgress?.(message.event);
        break;
      case "drift":
        this.#setup.onDrift?.(message.event);
        break;
    }
  }

  async #reply(worker: Worker, ask: number, question: Question): Promise<void> {
    const { remotes } = this.#setup;
    let reply: QuestionReply;
    try {
      reply = { value: await (question.what === "headers" ? remotes.headers(question.endpoint) : remotes.consent(question.outgoing)) };
    } catch (thrown) {
      reply = { error: describe(thrown) };
    }
    tell(worker, { type: "reply", ask, reply });
  }

  async #page(worker: Worker, ask: number, call: PageCall): Promise<void> {
    const controller = new AbortController();
    this.#pages.set(ask, controller);
    try {
      for await (const line of this.#setup.remotes.page(call, controller.signal)) tell(worker, { type: "pageLine", ask, line });
      tell(worker, { type: "pageEnd", ask });
    } catch (thrown) {
      tell(worker, { type: "pageError", ask, error: describe(thrown) });
    } finally {
      this.#pages.delete(ask);
    }
  }

  #died(worker: Worker, why: string): void {
    if (worker === this.#worker) this.#end(() => failed(why));
  }

  #end(error: () => SmallFirstError): void {
    this.#forget();
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of waiting) reject(error());
  }

  #forget(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#started = undefined;
    for (const controller of this.#pages.values()) controller.abort();
  }
}

function spawn(engine: EngineName): Worker {
  if (typeof Worker === "undefined") throw new Error("there are no workers here; call it in a browser");
  // Literal, so that bundlers find the workers.
  if (engine === "onnx") return new Worker(new URL("./worker-onnx.js", import.meta.url), { type: "module" });
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
}

function tell(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}

function disposed(): SmallFirstError {
  return new SmallFirstError("disposed", "this instance was disposed of");
}

function failed(why: string): SmallFirstError {
  return new SmallFirstError("worker_failed", `${why} (the next call starts a fresh worker)`);
}
