/// <reference lib="esnext.disposable" preserve="true" />
import type { SmallFirstError } from "./errors.js";
import type { Events } from "./events.js";
import type { AsFetchOptions } from "./as-fetch.js";
import type { IndexOptions, SearchIndex } from "./search.js";
import type { Example, Trained, TrainOptions } from "./train.js";
import type {
  Answer,
  AnswerCache,
  Budget,
  Card,
  ConsentRequest,
  Drift,
  EgressReport,
  Endpoint,
  LearnedExample,
  LearnedTask,
  LearnOptions,
  Output,
  Policy,
  Progress,
  ProviderKind,
  RedactOptions,
  SpeechEvent,
  TaskInfo,
  TextOutput,
  UsageReport,
} from "./types.js";
import type {
  Consent,
  PageRequest,
  RemoteReply,
  RuntimeOptions,
  RuntimePrivacy,
  RuntimeRunOptions,
  RuntimeTextOptions,
} from "./wire.js";
import type { Picture } from "./image.js";
import type { Sound } from "./sound.js";
import type { Samples, TableRow } from "./sound-input.js";

export type { ConsentRequest, Message } from "./types.js";
export type { RemoteReply } from "./wire.js";
export type { Samples, TableRow } from "./sound-input.js";

/**
 * What a task can be asked about. Bytes are copied; the caller's array stays usable. Some tasks read two texts, some an
 * image: what shows one, or a file of it. Some read a sound, as samples with their rate; `readSound` of `smallfirst/sound` makes these
 * of files. Some read a row of a table.
 */
export type Input =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | Picture
  | { text: string; textPair: string }
  | { question: string; context: string }
  | AudioBuffer
  | Sound
  | Samples
  | { row: TableRow };

/** A sound that goes on: a microphone's stream, or samples of one channel as they come, which need the option `sampleRate`. */
export type SoundStream = MediaStream | ReadableStream<Float32Array> | AsyncIterable<Float32Array>;

/** How a sound that goes on is heard. */
export interface StreamOptions extends Given<
  Pick<
    RuntimeRunOptions,
    "threshold" | "negThreshold" | "minSpeechDurationMs" | "minSilenceDurationMs" | "speechPadMs" | "maxSpeechDurationS"
  >
> {
  /** Samples a second. A MediaStream says its own. */
  sampleRate?: number | undefined;
  /** Ends the listening: the iteration rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** What a bundle's tasks take and give, by name. `smallfirst types` writes them for a bundle, with labels as literals. */
export type TaskTypes = Record<string, { input: Input; output: unknown }>;

/** The tasks of a bundle that nobody has named: any text or file, and one label. */
export type AnyTasks = Record<string, { input: Input; output: Output }>;

/** What the engine has, where all of it may be left out. */
export type Given<T> = { [K in keyof T]?: T[K] | undefined };

/** How an instance is made. Unknown keys are refused with the code `invalid_option`. */
export interface Options extends Given<Omit<RuntimeOptions, "bundle" | "remote" | "learn" | "onDrift">> {
  /**
   * The folder of a bundle, or the address of its `manifest.json`, relative to the page; or a bundle in one file, a zip, as `train`
   * makes it.
   */
  bundle: string | URL | Blob;
  /**
   * Where to ask when the local models are not sure enough; of several, each when the ones before it
   * failed. Absent: nothing is ever sent anywhere.
   */
  remote?: RemoteOptions | RemoteOptions[] | undefined;
  /** How failures of the remotes are met: retries, deadline, hedge, breaker. */
  policy?: Partial<Policy> | undefined;
  /**
   * What may be spent on remotes. All instances of the site with the same `storage` share one budget, in all tabs, and it
   * outlives reloads. Where it cannot be read, the limits of the current minute and day count as reached.
   */
  budget?: Partial<Budget> | undefined;
  /** What may leave the device, and how it is changed before. */
  privacy?: Privacy | undefined;
  /**
   * How answers of remotes are kept, so that the same question is asked once. Default: 200 answers, until the worker ends;
   * with `persist`, in this browser; in either case for at most `days` (30 days).
   */
  answerCache?: Partial<AnswerCache> | undefined;
  /**
   * Makes examples of what the remotes answer, and answers texts that nearly repeat them on this device, once enough
   * examples show that at most the risk's share of such answers would be others than the remote's. Examples, with their
   * inputs unless `keepInputs` is false, stay in this browser until they are forgotten. Default: off.
   */
  learn?: boolean | Partial<LearnOptions> | undefined;
  /** Whether verified files are kept in the browser (Cache API). Default: `"persistent"`. */
  cache?: "persistent" | "none" | undefined;
  /**
   * The name that everything in this browser is kept under: 1 to 64 characters out of a to z, 0 to 9 and `-`. Instances with
   * different names share nothing, be they of one app or of several on one origin: no budget, no answers, no examples, no
   * monitors, no files. It keeps them apart, not out: every script of an origin can read all that is kept there. Default: `"smallfirst"`.
   */
  storage?: string | undefined;
  /** Told what happens to the bundle's files. */
  onProgress?: ((event: Progress) => void) | undefined;
  /**
   * What a drift does, and who is told of it. A function is told when a task's inputs differ from the calibration data
   * (`watched: "inputs"`), its audited answers break the promised error rate (`"errors"`), answers by example are not the
   * remote's (`"examples"`), or a remote is not right as often as its profile expects (`"remote"`). Audited errors always end the
   * task's guarantee: its answers are not `guaranteed` any more. Inputs that differ may be harmless and end it only with
   * `"stop"`. Default: `"report"`. `{ action, notify }` says both.
   */
  onDrift?: "report" | "stop" | ((drift: Drift) => void) | DriftOptions | undefined;
  /** Aborts the creation; has no meaning afterwards. */
  signal?: AbortSignal | undefined;
  /**
   * Makes the module worker, for pages where the package cannot make it itself. Must give a new
   * one each time (it is called again after a worker died), of a script that imports
   * `smallfirst/worker`, or `smallfirst/worker-onnx` when it is called with `"onnx"`.
   */
  worker?: ((engine: "prepared" | "onnx") => Worker) | undefined;
  /**
   * Which engine runs the models. `"prepared"` is small and runs models that were prepared when the bundle was packed;
   * `"onnx"` is larger and runs any ONNX model, too. Default: `"auto"`, which starts with the small one and takes the
   * other where the bundle has files ending in `.onnx`.
   */
  engine?: "auto" | "prepared" | "onnx" | undefined;
  /**
   * Where the WebAssembly is, if not beside the package's own scripts; relative to the page. A folder, ending in a slash,
   * with the files of the package's `dist/wasm`; or, with an `engine` other than `"auto"`, the address of one module, or
   * of two to choose from by what the browser can do: `baseline` needs SIMD, `relaxed` relaxed SIMD.
   */
  wasm?: string | URL | { baseline: string | URL; relaxed: string | URL } | undefined;
  /**
   * Names of tasks whose files are fetched at once, while the WebAssembly is still compiled, and whose models are then
   * loaded without anybody waiting for it. Of a task with several tiers that is the first; a further one is fetched when those
   * before it are not sure enough. Default: none; every file is fetched when it is first needed.
   */
  preload?: string[] | undefined;
  /**
   * How many workers share the inputs of a `runBatch`, 1 to 16, or `"auto"`: as many as there are processors, up to 4.
   * Those beside the first start when a batch first needs them, each with its own copy of the task's models in memory. They only
   * compute on the device: remotes, budgets, examples and monitors are the first one's, and so are all other calls.
   * Default: 1. In Node, Bun and Deno the default is the thread that asks, and a number, 1 too, is that of threads.
   */
  workers?: number | "auto" | undefined;
}

/** What a drift does, and who is told of it. */
export interface DriftOptions {
  /** Whether inputs that differ from the calibration data end the task's guarantee. Default: `"report"`. */
  action?: "report" | "stop" | undefined;
  /** Told of every drift. */
  notify?: ((drift: Drift) => void) | undefined;
}

/** What may leave the device. */
export interface Privacy extends Given<Omit<RuntimePrivacy, "redact" | "beforeRemote">> {
  /**
   * Personal data is replaced by placeholders before it is sent, and put back into the reply. `true` for every kind;
   * else the kinds, and patterns of your own. Files are not sent then: their bytes cannot be redacted.
   */
  redact?: boolean | Partial<RedactOptions> | undefined;
  /**
   * Sees all that is about to leave, after redaction: every message, the rules, the labels. `false` keeps it here;
   * `{ messages }` sends those instead (as many, with the same roles), `{ text }` does where there is only one, and
   * `{ system }` replaces the rules of a text. What comes back is redacted like the input. Where the task's egress is `ask`,
   * only `true` or `{ allow: true }` lets it go. If it throws, nothing leaves.
   */
  beforeRemote?: ((outgoing: ConsentRequest) => BeforeRemote | Promise<BeforeRemote>) | undefined;
}

/** What `beforeRemote` may say. */
export type BeforeRemote = boolean | undefined | void | Given<Consent>;

/** A remote model, best behind a proxy of your own: whatever a page knows, its visitors know. */
export interface RemoteOptions extends Given<Omit<Endpoint, "provider" | "baseUrl">> {
  /** The wire format. `"openai"` is the chat completions API that many servers speak. */
  provider: ProviderKind;
  /** The address up to and without the provider's path; relative to the page. Best your own proxy. */
  baseUrl?: string | URL | undefined;
  /**
   * Gives headers for one request, for example a short-lived token. Called on the page, before
   * every request. If it throws, the remote counts as failed.
   */
  headers?: (() => Promise<Record<string, string>> | Record<string, string>) | undefined;
  /** A provider's key. Only together with `dangerouslyAllowBrowser`. */
  apiKey?: string | undefined;
  /** Says that you know: a key in a page belongs to whoever visits it. Meant for visitors who bring their own. */
  dangerouslyAllowBrowser?: boolean | undefined;
  /** The function to call, for the provider `"custom"`. */
  run?: RemoteFunction | undefined;
  /** The languages it is used in, for the provider `"prompt-api"`. Default: `["en"]`. */
  languages?: string[] | undefined;
}

/** What a function that stands for a remote is asked. */
export interface RemoteRequest extends PageRequest {
  /** Aborts when the answer is no longer wanted. */
  signal: AbortSignal;
}

/** A function that stands for a remote. Text may come piece by piece. */
export type RemoteFunction = (
  request: RemoteRequest,
) => Promise<string | RemoteReply | AsyncIterable<string>> | AsyncIterable<string>;

/** How one call is made. Unknown keys are refused with the code `invalid_option`. */
export interface RunOptions extends Given<Omit<RuntimeRunOptions, "alarmed">> {
  /** Aborts the call: it rejects at once with the signal's reason. The instance stays usable. */
  signal?: AbortSignal | undefined;
}

/** How text is asked for. Unknown keys are refused with the code `invalid_option`. */
export interface GenerateOptions extends Given<RuntimeTextOptions> {
  /** Aborts the call: it rejects at once with the signal's reason. The instance stays usable. */
  signal?: AbortSignal | undefined;
}

/** The answer of a task that writes text. */
export type TextAnswer = Answer<TextOutput>;

/**
 * A text on its way. Iterate over it for the pieces as they come (whoever stops reading ends the call), or take the
 * answer alone. A slow reader slows the remote down.
 */
export interface TextStream extends AsyncIterable<string> {
  /** The whole answer, once it is there. */
  readonly answer: Promise<TextAnswer>;
}

/** How models are loaded ahead. */
export interface PreloadOptions {
  /** Aborts the call: it rejects at once with the signal's reason. What was loaded stays. */
  signal?: AbortSignal | undefined;
}

/** What became of one input of a batch. */
export type BatchItem<O = Output> = { ok: true; answer: Answer<O> } | { ok: false; error: SmallFirstError };

/** A bundle, ready to be asked. It owns its workers; dispose of it when it is no longer needed. */
export interface SmallFirst<T extends TaskTypes = AnyTasks> {
  /**
   * Answers one call.
   *
   * @param task - A task of the bundle, or any name together with `labels` and `instruction`.
   * @throws SmallFirstError - with a `code`, and `attempts` where something was tried.
   */
  run<K extends keyof T & string>(task: K, input: T[K]["input"], options?: RunOptions): Promise<Answer<T[K]["output"]>>;
  run(task: string, input: Input, options: RunOptions & { labels: string[] }): Promise<Answer>;
  /**
   * Answers one call per input, in order: one item each, in the inputs' order. A bad input gives
   * an item with an error and loses nothing. With the option `workers`, several compute at the same time; then all of the
   * task's models are loaded first.
   *
   * @throws SmallFirstError - only where the whole batch is concerned: `invalid_option`,
   * `input_kind` (what was given is no list), `worker_failed`, `disposed`.
   */
  runBatch<K extends keyof T & string>(
    task: K,
    inputs: Iterable<T[K]["input"]>,
    options?: RunOptions,
  ): Promise<BatchItem<T[K]["output"]>[]>;
  runBatch(task: string, inputs: Iterable<Input>, options: RunOptions & { labels: string[] }): Promise<BatchItem[]>;
  /**
   * Writes text: a task of the bundle that does, or any name together with `instruction`.
   *
   * @throws SmallFirstError - nothing at once: the stream, and its answer, reject.
   */
  generate(task: string, input: string, options?: GenerateOptions): TextStream;
  /**
   * Tells where somebody speaks in a sound that goes on, while it does: a task of the kind `voice-activity-detection`. Iterate over it.
   * Speech that begins or ends is told at once, and each segment as soon as nothing can change it: all of them are what `run` gives of
   * the whole sound. Whoever stops reading ends the listening.
   *
   * @throws SmallFirstError - nothing at once: the iteration rejects.
   */
  stream(task: string, sound: SoundStream, options?: StreamOptions): AsyncIterableIterator<SpeechEvent>;
  /**
   * Trains a task of your own on labelled texts, on this device: a head on the vectors of one of the bundle's encoders. The larger
   * engine does it (`engine: "onnx"`).
   *
   * @param task - Its name: 1 to 64 letters, digits, dots, dashes and underscores.
   * @param examples - Labelled texts, or a table (CSV, TSV or JSON Lines in UTF-8) with the columns `text` and `label`.
   * @throws SmallFirstError - `invalid_data` where the rows cannot be learnt from: in which row, how, and what to do;
   * `invalid_option`, `needs_onnx`, or why the encoder could not be loaded.
   */
  train(task: string, examples: Iterable<Example> | Blob, options?: TrainOptions): Promise<Trained>;
  /**
   * Search by meaning over your own texts, kept in this browser.
   *
   * @param name - The index's: 1 to 64 letters, digits, dots, dashes and underscores.
   * @throws SmallFirstError - `invalid_option`.
   */
  index(name: string, options: IndexOptions): SearchIndex;
  /** What was spent on remotes, in all tabs, and what local and kept answers saved. */
  usage(): Promise<UsageReport>;
  /** Everything that left the device since the instance was made, what is under way included. */
  egress(): Promise<EgressReport>;
  /** Forgets the answers of remotes that are kept, also those that an earlier visit persisted. */
  clearAnswerCache(): Promise<void>;
  /** The tasks that examples were made of, with `learn`. */
  learned(): Promise<LearnedTask[]>;
  /** The examples of a task, or of all, the oldest first: labelled rows, for training a model of your own. */
  exportExamples(task?: string): Promise<LearnedExample[]>;
  /** Forgets the examples of a task, or of all, in this browser. */
  forgetExamples(task?: string): Promise<void>;
  /** What the bundle can do. Downloads nothing. */
  tasks(): Promise<TaskInfo[]>;
  /**
   * Fetches and loads the models of some tasks, or of all, ahead of the first call: those of all tiers. With the cache on,
   * they then work offline.
   *
   * @throws SmallFirstError - with a `code`, for example `unknown_task` or `bundle_unreachable`.
   */
  preload(tasks?: string[], options?: PreloadOptions): Promise<void>;
  /**
   * The model card of a task, with its measured evaluation. Fetched when asked for.
   *
   * @throws SmallFirstError - with a `code`, for example `unknown_task` or `file_missing`.
   */
  card(task: string): Promise<Card>;
  /**
   * Says that an answer was found right or wrong, by a person or by later evidence: whether it is correct, or the label that
   * is. The label says more: whether the local answer was right beside which a remote was asked. Only answers count that were drawn to
   * be audited, those with an `audit`, and each once; an answer may be kept and reported on a later visit. True where it
   * counts. Report every drawn answer, whatever it turned out to be: whoever reports the wrong ones only raises false
   * alarms. Any other answer may be reported, too, and changes nothing.
   *
   * @throws SmallFirstError - with a `code`, for example `invalid_option` for a label that the task does not have.
   */
  reportOutcome(answer: Answer<unknown>, outcome: boolean | string): Promise<boolean>;
  /**
   * How the monitors of a task stand; empty before its first call. They go on from page to page, for all instances with
   * the same `storage`, until the task is calibrated anew.
   */
  drift(task: string): Promise<Drift[]>;
  /**
   * Calls a function when something happens, in this instance: an `answer`, an `escalation` to a remote, a `failure`, an
   * `egress` (a request, before it leaves), a `drift`. Gives a function that ends this. What listeners get is theirs to look at and
   * not to change.
   */
  on<T extends keyof Events>(type: T, listener: (event: Events[T]) => void): () => void;
  /**
   * A `fetch` for a client of the chat completions API. A request with a JSON schema of one choice, whose name is a task's and whose
   * options are the task's labels, is answered on this device where that is guaranteed. All else is passed on as it is.
   */
  asFetch(options?: AsFetchOptions): typeof fetch;
  /** Ends the workers. What is under way, and every later call, rejects with the code `disposed`. */
  dispose(): void;
  /** The same, for `using`. There only in browsers that know `Symbol.dispose`. */
  [Symbol.dispose](): void;
  /** The same, for `await using`. There only in browsers that know `Symbol.asyncDispose`. */
  [Symbol.asyncDispose](): Promise<void>;
}
