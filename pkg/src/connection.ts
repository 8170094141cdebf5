import { abortable } from "./abort.js";
import { describe, fromWire, SmallFirstError } from "./errors.js";
import type { Ledger } from "./ledger.js";
import { Life } from "./life.js";
import type {
  EngineName,
  FromWorker,
  Legacy,
  Monitors,
  PageCall,
  Question,
  QuestionReply,
  Request,
  ToWorker,
} from "./protocol.js";
import type { Remotes } from "./remotes.js";
import { trusting } from "./trusted.js";
import type { Drift, Progress } from "./types.js";

/** What a connection needs to start a worker, at first and again after one died. */
export interface Setup {
  spawn: ((engine: EngineName) => Worker) | undefined;
  /** Whether its end is told, however it comes: in this thread, and in others of a process. Else it is looked after. */
  tellsEnd: boolean;
  /** The engine that is wanted; undefined leaves it to the bundle. */
  engine: EngineName | undefined;
  start: Extract<Request, { type: "start" }>;
  remotes: Remotes;
  /** Where it is written down what leaves the device. */
  ledger: Ledger;
  /** Whether calls that were lost with their worker run again. */
  repeats: boolean;
  onProgress: ((event: Progress) => void) | undefined;
  onDrift: ((drift: Drift) => void) | undefined;
}

/** A call that has no answer yet. */
interface Pending {
  request: Request;
  /** What moves to the worker. */
  transfer: Transferable[];
  /** The worker that has it; undefined before it is sent. */
  worker: Worker | undefined;
  /**
   * Whether it may run again on another worker: its input is still here, none of its text was given out, and nothing may have
   * left the device for it, which must not be sent and paid twice.
   */
  repeatable: boolean;
  resolve: (value: unknown) => void;
  reject: (error: SmallFirstError) => void;
  /** Takes a piece of text, and says when the next may come. */
  take: ((text: string, more: () => void) => void) | undefined;
}

/** Inputs up to so many bytes are copied to the worker and not moved, so that a call can run again. */
const COPIED = 1024 * 1024;

/** How often, in milliseconds, and how many times it is looked whether the worker has heard of an abort. */
const LOOK_MS = 1000;
const LOOKS = 5;

/**
 * One worker at a time, and the calls that wait for it.
 *
 * A worker may die, or be ended because it is too busy to hear of an abort. Which of its calls is to blame is not known, and
 * the others must not suffer: they run again on the next worker, one at a time. One that loses its second worker, too, is
 * rejected.
 */
export class Connection {
  readonly #setup: Setup;
  readonly #pending = new Map<number, Pending>();
  /** The calls of the page's own functions that are under way. */
  readonly #pages = new Map<number, AbortController>();
  #lastId = 0;
  #closed = false;
  #worker: Worker | undefined;
  #life: Life | undefined;
  /** The calls that lost their worker and are to run again, and the one of them that does. */
  readonly #again: number[] = [];
  #alone: number | undefined;
  /** The aborts that the worker has not heard of yet, the oldest first. */
  #unheard: number[] = [];
  #looking: ReturnType<typeof setInterval> | undefined;
  /** What the monitors of workers before knew, by their tasks. */
  #manifest: string | undefined;
  readonly #monitors = new Map<string, Monitors>();
  /** The started worker; undefined while there is none, so a failed start is not remembered. */
  #started: Promise<Worker> | undefined;

  /** The engine that workers are started with. */
  #engine: EngineName;
  /** Whether a worker was ever ready. Before that there is no instance to call once more. */
  #wasReady = false;

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
    this.#wasReady = true;
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
    const bytes = transfer.reduce<number>(
      (sum, moved) => sum + (moved instanceof ArrayBuffer ? moved.byteLength : Infinity),
      0,
    );
    const copied = this.#setup.repeats && bytes <= COPIED;
    const answer = new Promise((resolve, reject) => {
      const moved = copied ? [] : transfer;
      this.#pending.set(id, { request, transfer: moved, worker: undefined, repeatable: copied, resolve, reject, take });
      this.#send(id);
    });
    return abortable(answer, signal, () => this.#abort(id));
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

  /** Sends a call once there is a worker. */
  #send(id: number): void {
    this.#ready().then(
      // By then another one may be there.
      (worker) => (worker === this.#worker ? this.#post(worker, id) : this.#send(id)),
      (error: SmallFirstError) => this.#take(id)?.reject(error),
    );
  }

  #post(worker: Worker, id: number): void {
    const call = this.#pending.get(id);
    // It may have been aborted while the worker started.
    if (!call) return;
    call.worker = worker;
    const message: ToWorker = { type: "request", id, request: call.request };
    try {
      worker.postMessage(message, call.transfer);
    } catch (thrown) {
      // A function or the like somewhere in the options.
      const error = new SmallFirstError("invalid_option", `the call cannot be sent to the worker: ${describe(thrown)}`);
      this.#take(id)?.reject(error);
    }
  }

  #abort(id: number): void {
    const worker = this.#take(id)?.worker;
    // Whoever was not sent is not heard of.
    if (!worker || worker !== this.#worker) return;
    tell(worker, { type: "abort", id });
    this.#unheard.push(id);
    this.#look(worker);
  }

  /** Ends a worker that does not hear of an abort. Looks several times, because a page that slept wakes to an old timer. */
  #look(worker: Worker): void {
    if (this.#looking !== undefined) return;
    let oldest = this.#unheard[0];
    let looks = 0;
    this.#looking = setInterval(() => {
      if (this.#unheard.length === 0) this.#lookAway();
      else if (this.#unheard[0] !== oldest) [oldest, looks] = [this.#unheard[0], 0];
      else if (++looks === LOOKS)
        this.#died(worker, `the worker did not hear of an abort for ${(LOOKS * LOOK_MS) / 1000} s and was ended`);
    }, LOOK_MS);
  }

  #lookAway(): void {
    clearInterval(this.#looking);
    this.#looking = undefined;
    this.#unheard = [];
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (id === this.#alone) {
      this.#alone = undefined;
      this.#repeat();
    }
    return pending;
  }

  /** Runs the next call again that lost its worker, unless one still does. */
  #repeat(): void {
    while (this.#alone === undefined) {
      const id = this.#again.shift();
      if (id === undefined) return;
      const call = this.#pending.get(id);
      if (!call) continue;
      call.repeatable = false;
      this.#alone = id;
      this.#send(id);
    }
  }

  #ready(): Promise<Worker> {
    if (this.#closed) return Promise.reject(disposed());
    return this.#started ?? this.#start();
  }

  #start(): Promise<Worker> {
    const started = this.#open(this.#engine).catch((error: unknown) => {
      const other =
        this.#setup.engine === undefined &&
        this.#engine === "prepared" &&
        error instanceof SmallFirstError &&
        error.code === "needs_onnx";
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
      if (thrown instanceof SmallFirstError) return Promise.reject(thrown);
      return Promise.reject(this.#failed(`the worker could not be made: ${describe(thrown)}`));
    }
    worker.addEventListener("message", (event: MessageEvent<FromWorker>) => this.#receive(worker, event.data));
    worker.addEventListener("messageerror", () => this.#died(worker, "a message of the worker could not be read"));
    worker.addEventListener("error", (event) => {
      // Without a message, the script itself did not load.
      this.#died(
        worker,
        event.message ||
          "the worker's script could not be loaded: check where it is, and the page's Content-Security-Policy",
      );
    });
    this.#worker = worker;
    this.#life?.end();
    if (!this.#setup.tellsEnd) {
      this.#life = new Life(
        worker,
        () => this.#pending.size > 0,
        (why) => this.#died(worker, why),
      );
    }
    const id = ++this.#lastId;
    const request = { ...this.#setup.start, legacy: this.#legacy() };
    const started = new Promise((resolve, reject) => {
      this.#pending.set(id, {
        request,
        transfer: [],
        worker: undefined,
        repeatable: false,
        resolve,
        reject,
        take: undefined,
      });
    });
    this.#post(worker, id);
    return started.then(() => worker);
  }

  #legacy(): Legacy | undefined {
    return this.#manifest === undefined
      ? undefined
      : { manifest: this.#manifest, monitors: [...this.#monitors.values()] };
  }

  /** Keeps what the next worker is to know. */
  #inherit({ manifest, monitors }: Legacy): void {
    // Monitors of another bundle watch another promise.
    if (manifest !== this.#manifest) this.#monitors.clear();
    this.#manifest = manifest;
    for (const one of monitors) this.#monitors.set(one.task, one);
  }

  #receive(worker: Worker, message: FromWorker): void {
    // A worker that was given up may still have messages under way.
    if (worker !== this.#worker) return;
    this.#life?.heard();
    switch (message.type) {
      case "pong":
        break;
      case "held":
        this.#life?.held();
        break;
      case "done":
        this.#take(message.id)?.resolve(message.value);
        break;
      case "failed":
        this.#take(message.id)?.reject(fromWire(message.error));
        break;
      case "delta": {
        const { id } = message;
        const call = this.#pending.get(id);
        const more = (): void => tell(worker, { type: "pull", id });
        if (call) call.repeatable = false;
        call?.take?.(message.text, more);
        break;
      }
      case "ask":
        // For which call, the worker does not say.
        for (const call of this.#pending.values()) if (call.worker === worker) call.repeatable = false;
        void this.#reply(worker, message.ask, message.question);
        break;
      case "page":
        void this.#page(worker, message.ask, message.call);
        break;
      case "pageStop":
        this.#pages.get(message.ask)?.abort();
        break;
      case "monitors":
        this.#inherit(message.legacy);
        break;
      case "heard":
        this.#unheard = this.#unheard.filter((id) => id !== message.id);
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
    let reply: QuestionReply;
    try {
      reply = { value: await this.#answer(question) };
    } catch (thrown) {
      reply = { error: describe(thrown) };
    }
    tell(worker, { type: "reply", ask, reply });
  }

  async #answer(question: Question): Promise<unknown> {
    const { remotes, ledger } = this.#setup;
    switch (question.what) {
      case "headers":
        return remotes.headers(question.endpoint);
      case "consent":
        return remotes.consent(question.outgoing);
      case "sent":
        for (const sent of question.requests) ledger.write(sent);
        return undefined;
    }
  }

  async #page(worker: Worker, ask: number, call: PageCall): Promise<void> {
    const controller = new AbortController();
    this.#pages.set(ask, controller);
    try {
      for await (const line of this.#setup.remotes.page(call, controller.signal))
        tell(worker, { type: "pageLine", ask, line });
      tell(worker, { type: "pageEnd", ask });
    } catch (thrown) {
      tell(worker, { type: "pageError", ask, error: describe(thrown) });
    } finally {
      this.#pages.delete(ask);
    }
  }

  #died(worker: Worker, why: string): void {
    if (worker !== this.#worker) return;
    this.#forget();
    // Those that wait for a worker to start hear of it by its start, which is one of these.
    const lost = [...this.#pending].filter(([, call]) => call.worker === worker);
    for (const [id, call] of lost) {
      call.worker = undefined;
      if (call.repeatable) this.#again.push(id);
      else this.#take(id)?.reject(this.#failed(why));
    }
    this.#repeat();
  }

  #failed(why: string): SmallFirstError {
    return new SmallFirstError("worker_failed", this.#wasReady ? `${why} (the next call starts a fresh worker)` : why);
  }

  #end(error: () => SmallFirstError): void {
    this.#forget();
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of waiting) reject(error());
  }

  #forget(): void {
    this.#life?.end();
    this.#life = undefined;
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#started = undefined;
    this.#lookAway();
    for (const controller of this.#pages.values()) controller.abort();
  }
}

function spawn(engine: EngineName): Worker {
  if (typeof Worker === "undefined")
    throw new Error(
      `there are no workers here: a service worker imports smallfirst/in-thread, and tests outside of a browser take the condition "node"`,
    );
  return trusting(() => {
    // Literal, so that bundlers find the workers.
    if (engine === "onnx") return new Worker(new URL("./worker-onnx.js", import.meta.url), { type: "module" });
    return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  });
}

function tell(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}

function disposed(): SmallFirstError {
  return new SmallFirstError("disposed", "this instance was disposed of");
}
