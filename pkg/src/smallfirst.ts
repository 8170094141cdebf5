import type {
  AnyTasks,
  BatchItem,
  GenerateOptions,
  Input,
  Options,
  PreloadOptions,
  RunOptions,
  SmallFirst,
  TaskTypes,
  SoundStream,
  StreamOptions,
  TextAnswer,
  TextStream,
} from "./api.js";
import { asFetch, type AsFetchOptions } from "./as-fetch.js";
import { assertOnlyVersion, VERSION } from "./version.js";
import { abortable } from "./abort.js";
import { Connection, type Setup } from "./connection.js";
import { fromWire, SmallFirstError } from "./errors.js";
import { WorkerPool } from "./worker-pool.js";
import { anyInput, transfers, wireInput, wireItem } from "./input.js";
import { type CallName, EVENTS, type Events, Listeners } from "./events.js";
import { invalid } from "./check.js";
import { Ledger } from "./ledger.js";
import { heard } from "./listening.js";
import {
  type Absolute,
  absolute,
  checkOptions,
  checkSignalOnly,
  drifting,
  engineOptions,
  engineRunOptions,
  engineTextOptions,
  modules,
  preloaded,
  storage,
  which,
  workers,
} from "./options.js";
import type { EngineName, WireItem } from "./protocol.js";
import { Remotes } from "./remotes.js";
import { type IndexOptions, type SearchIndex, searchIndex } from "./search.js";
import { Pieces } from "./stream.js";
import { requireSimd } from "./support.js";
import { type Example, isFile, train, type Trained, type TrainOptions } from "./train.js";
import type {
  Answer,
  Card,
  Drift,
  EgressReport,
  LearnedExample,
  LearnedTask,
  Output,
  SpeechEvent,
  TaskInfo,
  UsageReport,
} from "./types.js";

/**
 * Starts a worker, fetches a bundle's manifest and resolves once the bundle can be asked. Models
 * are fetched when they are first needed, or by `preload`.
 *
 * @throws SmallFirstError - `invalid_option`, `no_wasm_simd`, `worker_failed`, `needs_onnx`, or what is wrong
 * with the bundle: `bundle_unreachable`, `not_a_bundle`, `bundle_version`, `bundle_invalid`,
 * `hash_mismatch`. When aborted, the signal's reason.
 */
export async function createSmallFirst<T extends TaskTypes = AnyTasks>(options: Options): Promise<SmallFirst<T>> {
  // What a task takes is checked in the engine; the types are the caller's word for what the bundle has.
  return (await create(options, PAGE)) as unknown as SmallFirst<T>;
}

/** Where instances are made. */
export interface Place {
  /** Makes an option's address absolute. */
  absolute: Absolute;
  /** Makes what answers where the caller gives no function for it; undefined for a page's own worker. */
  spawn: ((engine: EngineName) => Worker) | undefined;
  /** Whether that runs in the thread that asks. */
  inThread: boolean;
  /** What makes threads where the caller says how many there are to be, and how many processors they have. */
  threads?: { spawn: (engine: EngineName) => Worker; processors: () => number };
  /** Whether what it keeps is kept in memory, for each copy of the package by itself. */
  inMemory: boolean;
}

const PAGE: Place = { absolute, spawn: undefined, inThread: false, inMemory: false };

/** Makes an instance in a place. */
export async function create(options: Options, place: Place): Promise<SmallFirst> {
  checkOptions(options);
  const archive = isFile(options.bundle) ? options.bundle : undefined;
  const remotes = new Remotes(options.remote, options.privacy);
  const engine = engineOptions(options, remotes, place.absolute);
  const wasm = modules(options, place.absolute);
  const preload = preloaded(options.preload);
  const { signal, onProgress, worker } = options;
  const threads = worker === undefined && options.workers !== undefined ? place.threads : undefined;
  const inThread = worker === undefined && place.inThread && threads === undefined;
  const count = workers(options.workers, inThread, threads?.processors);
  const { notify } = drifting(options.onDrift);
  const listeners = new Listeners();
  const onDrift = (drift: Drift): void => {
    listeners.tell("drift", drift);
    // If it throws, the page's own error reporting shows it, and nothing here is affected.
    notify?.(drift);
  };
  if (worker !== undefined || !place.inMemory) assertOnlyVersion(storage(options).name);
  signal?.throwIfAborted();
  await abortable(requireSimd(), signal);
  const setup: Setup = {
    spawn: worker ?? threads?.spawn ?? place.spawn,
    tellsEnd: inThread || threads !== undefined,
    engine: which(options.engine),
    start: {
      type: "start",
      version: VERSION,
      options: engine,
      // What is at hand need not be kept.
      storage: archive ? { ...storage(options), files: false } : storage(options),
      wasm,
      preload,
      archive,
      hooks: {
        headers: remotes.haveHeaders,
        consent: remotes.haveConsent,
        page: remotes.havePage,
        progress: onProgress !== undefined,
        // Somebody may listen later.
        drift: true,
      },
      legacy: undefined,
    },
    remotes,
    ledger: new Ledger((sent) => {
      if (listeners.has("egress")) listeners.tell("egress", structuredClone(sent));
    }),
    repeats: true,
    onProgress,
    onDrift,
  };
  const connection = new Connection(setup);
  try {
    await connection.ready(signal);
  } catch (thrown) {
    connection.close();
    throw thrown;
  }
  return new Instance(connection, new WorkerPool(connection, setup, count - 1), setup.ledger, listeners);
}

class Instance implements SmallFirst {
  /** To the first worker, which does all but what helpers take off it. */
  readonly #connection: Connection;
  readonly #helpers: WorkerPool;
  readonly #ledger: Ledger;
  readonly #listeners: Listeners;
  // Defined below, and only where the symbols exist.
  declare [Symbol.dispose]: () => void;
  declare [Symbol.asyncDispose]: () => Promise<void>;

  constructor(connection: Connection, helpers: WorkerPool, ledger: Ledger, listeners: Listeners) {
    this.#connection = connection;
    this.#helpers = helpers;
    this.#ledger = ledger;
    this.#listeners = listeners;
    const define = (symbol: symbol | undefined, value: () => unknown): void => {
      if (symbol) Object.defineProperty(this, symbol, { value });
    };
    define(Symbol.dispose, () => this.dispose());
    define(Symbol.asyncDispose, async () => this.dispose());
  }

  async run(task: string, input: Input, options: RunOptions = {}): Promise<Answer> {
    this.#connection.assertOpen();
    const engine = engineRunOptions("run", options);
    options.signal?.throwIfAborted();
    const made = anyInput(input);
    // What needs no time takes none: bytes are copied before this returns.
    const wire = made instanceof Promise ? await made : made;
    const request = { type: "run", task: checkTask(task), input: wire, options: engine } as const;
    return this.#told(
      "run",
      task,
      this.#connection.call(request, transfers([wire]), options.signal) as Promise<Answer>,
    );
  }

  async runBatch(task: string, inputs: Iterable<Input>, options: RunOptions = {}): Promise<BatchItem[]> {
    this.#connection.assertOpen();
    const engine = engineRunOptions("runBatch", options);
    options.signal?.throwIfAborted();
    // A string is a list of its characters, too; nobody means that.
    if (typeof inputs !== "object" || inputs === null || !(Symbol.iterator in inputs)) {
      throw new SmallFirstError("input_kind", "runBatch takes a list of inputs; run takes one");
    }
    // Each begins before this returns.
    const wire = await Promise.all(Array.from(inputs, wireItem));
    const batch = { type: "runBatch", task: checkTask(task), inputs: wire, options: engine } as const;
    const shared = await this.#helpers.share(batch, options.signal);
    const items = shared ?? ((await this.#connection.call(batch, transfers(wire), options.signal)) as WireItem[]);
    return items.map((item) => {
      if (item.ok) this.#answered("runBatch", task, item.answer);
      else this.#failed("runBatch", task, fromWire(item.error));
      return item.ok ? item : { ok: false, error: fromWire(item.error) };
    });
  }

  generate(task: string, input: string, options: GenerateOptions = {}): TextStream {
    const stop = new AbortController();
    const start = async (take: (text: string, more: () => void) => void): Promise<TextAnswer> => {
      this.#connection.assertOpen();
      const engine = engineTextOptions(options);
      const { signal } = options;
      signal?.throwIfAborted();
      stop.signal.throwIfAborted();
      const abort = (): void => stop.abort(signal?.reason);
      signal?.addEventListener("abort", abort, { once: true });
      const request = { type: "generate", task: checkTask(task), input: wireInput(input), options: engine } as const;
      try {
        const answer = this.#connection.call(request, [], stop.signal, take) as Promise<TextAnswer>;
        return await this.#told("generate", task, answer);
      } finally {
        signal?.removeEventListener("abort", abort);
      }
    };
    return new Pieces(start, () => stop.abort());
  }

  stream(task: string, sound: SoundStream, options: StreamOptions = {}): AsyncIterableIterator<SpeechEvent> {
    this.#connection.assertOpen();
    const { sampleRate, signal, ...others } = options;
    const engine = engineRunOptions("stream", others);
    const ask: Parameters<typeof heard>[0] = (...asked) => this.#connection.call(asked[0], asked[1], asked[2]);
    return heard(ask, checkTask(task), sound, engine, sampleRate, signal);
  }

  async train(task: string, examples: Iterable<Example> | Blob, options: TrainOptions = {}): Promise<Trained> {
    return train(this.#connection, checkTask(task), examples, options);
  }

  index(name: string, options: IndexOptions): SearchIndex {
    return searchIndex(this.#connection, name, options);
  }

  async usage(): Promise<UsageReport> {
    return (await this.#connection.call({ type: "usage" }, [], undefined)) as UsageReport;
  }

  async egress(): Promise<EgressReport> {
    this.#connection.assertOpen();
    return this.#ledger.report();
  }

  async clearAnswerCache(): Promise<void> {
    await this.#connection.call({ type: "clearAnswerCache" }, [], undefined);
  }

  async learned(): Promise<LearnedTask[]> {
    return (await this.#connection.call({ type: "learned" }, [], undefined)) as LearnedTask[];
  }

  async exportExamples(task?: string): Promise<LearnedExample[]> {
    if (task !== undefined) checkTask(task);
    return (await this.#connection.call({ type: "examples", task }, [], undefined)) as LearnedExample[];
  }

  async forgetExamples(task?: string): Promise<void> {
    if (task !== undefined) checkTask(task);
    await this.#connection.call({ type: "forgetExamples", task }, [], undefined);
  }

  async tasks(): Promise<TaskInfo[]> {
    return (await this.#connection.call({ type: "tasks" }, [], undefined)) as TaskInfo[];
  }

  async preload(tasks?: string[], options: PreloadOptions = {}): Promise<void> {
    checkSignalOnly("preload", options);
    await this.#connection.call({ type: "preload", tasks }, [], options.signal);
  }

  async card(task: string): Promise<Card> {
    return (await this.#connection.call({ type: "card", task: checkTask(task) }, [], undefined)) as Card;
  }

  async reportOutcome(answer: Answer<unknown>, outcome: boolean | string): Promise<boolean> {
    const label = typeof outcome === "string" ? outcome : undefined;
    if (typeof answer !== "object" || answer === null || (label === undefined && typeof outcome !== "boolean")) {
      throw new SmallFirstError(
        "invalid_option",
        "reportOutcome takes an answer, and whether it is correct or the label that is",
      );
    }
    this.#connection.assertOpen();
    // An answer that an earlier version of the package gave, or that lost it on its way, was not drawn either.
    const audit = answer.audit as Answer["audit"] | undefined;
    if (typeof audit?.id !== "number") return false;
    // Only tasks that give one label draw answers.
    const given = (answer.output as Output).label;
    const request = {
      type: "reportOutcome",
      task: checkTask(answer.task),
      audit: audit.id,
      correct: label === undefined ? outcome === true : given === label,
      label,
      local: audit.local ?? undefined,
    } as const;
    return (await this.#connection.call(request, [], undefined)) as boolean;
  }

  async drift(task: string): Promise<Drift[]> {
    return (await this.#connection.call({ type: "drift", task: checkTask(task) }, [], undefined)) as Drift[];
  }

  on<T extends keyof Events>(type: T, listener: (event: Events[T]) => void): () => void {
    if (!EVENTS.includes(type)) throw invalid(`on: there is no event "${type}"; the events are ${EVENTS.join(", ")}`);
    if (typeof listener !== "function") throw invalid("on: the listener must be a function");
    return this.#listeners.add(type, listener);
  }

  asFetch(options?: AsFetchOptions): typeof fetch {
    return asFetch(this, options);
  }

  /** What a call comes to, of which the listeners are told. */
  async #told<T extends Answer | TextAnswer>(call: CallName, task: string, work: Promise<T>): Promise<T> {
    try {
      const answer = await work;
      this.#answered(call, task, answer);
      return answer;
    } catch (thrown) {
      this.#failed(call, task, thrown);
      throw thrown;
    }
  }

  #answered(call: CallName, task: string, answer: Answer | TextAnswer): void {
    this.#listeners.tell("answer", { task, call, answer });
    if (answer.ranOn === "remote" || answer.attempts.some(({ on }) => on === "remote"))
      this.#listeners.tell("escalation", { task, call, answer });
  }

  #failed(call: CallName, task: string, thrown: unknown): void {
    // An abort rejects with the caller's own reason.
    if (thrown instanceof SmallFirstError) this.#listeners.tell("failure", { task, call, error: thrown });
  }

  dispose(): void {
    this.#connection.close();
    this.#helpers.close();
  }
}

function checkTask(task: unknown): string {
  if (typeof task === "string") return task;
  throw new SmallFirstError("invalid_option", "the task must be a string");
}
