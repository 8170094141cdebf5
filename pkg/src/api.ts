/// <reference lib="esnext.disposable" preserve="true" />
import type { SmallFirstError } from "./errors.js";
import type { Answer, Card, Drift, Mode, Progress, ProviderKind, TaskInfo } from "./types.js";

/** What a task can be asked about. Bytes are copied; the caller's array stays usable. */
export type Input = string | Uint8Array | ArrayBuffer | Blob;

/** How an instance is made. Unknown keys are refused with the code `invalid_option`. */
export interface Options {
  /** The folder of a bundle, or the address of its `manifest.json`; relative to the page. */
  bundle: string | URL;
  /** Who may answer, and who is asked first. Default: `"prefer-local"`. */
  mode?: Mode | undefined;
  /**
   * The error rate allowed among locally given answers, above 0 and below 1, for example 0.05.
   * Default: each task's own. A task without a certificate for it escalates.
   */
  risk?: number | undefined;
  /** Where to ask when the local models are not sure enough. Absent: nothing is ever sent anywhere. */
  remote?: RemoteOptions | undefined;
  /** The manifest's SHA-256 (hex). With it, nothing but this very bundle is accepted (`hash_mismatch`). */
  manifestSha256?: string | undefined;
  /** The most bytes the bundle may have. Default: 256 MiB. */
  maxBundleBytes?: number | undefined;
  /** Whether verified files are kept in the browser (Cache API). Default: `"persistent"`. */
  cache?: "persistent" | "none" | undefined;
  /** Told what happens to the bundle's files. */
  onProgress?: ((event: Progress) => void) | undefined;
  /**
   * Told when a task's inputs no longer look like its calibration data, or its audited answers
   * break the promised error rate. From then on its answers are not `guaranteed`.
   */
  onDrift?: ((drift: Drift) => void) | undefined;
  /** Aborts the creation; has no meaning afterwards. */
  signal?: AbortSignal | undefined;
  /**
   * Makes the module worker, for pages where the package cannot make it itself. Must give a new
   * one each time (it is called again after a worker died), of a script that imports
   * `smallfirst/worker`.
   */
  worker?: (() => Worker) | undefined;
  /** Where `smallfirst_bg.wasm` is, if not beside the package's own scripts; relative to the page. */
  wasm?: string | URL | undefined;
}

/** A remote model. There is no option for a key, on purpose: whatever a page knows, its visitors know. */
export interface RemoteOptions {
  /** The wire format: `"openai"` is the chat completions API that many servers speak. */
  provider: ProviderKind;
  /** The address up to and without `/chat/completions`; relative to the page. Best your own proxy. */
  baseUrl: string | URL;
  /** The model's name there. */
  model: string;
  /**
   * Gives headers for one request, for example a short-lived token. Called on the page, before
   * every request. If it throws, the remote counts as failed.
   */
  headers?: (() => Promise<Record<string, string>> | Record<string, string>) | undefined;
  /** How long a reply may take, in milliseconds. Default: 30000. */
  timeoutMs?: number | undefined;
  /** The longest input that is sent, in bytes. Default: 100000. */
  maxInputBytes?: number | undefined;
  /** The most tokens of a reply. Default: nothing is said to the server. */
  maxTokens?: number | undefined;
}

/** How one call is made. Unknown keys are refused with the code `invalid_option`. */
export interface RunOptions {
  /** Overrides the instance's mode for this call. */
  mode?: Mode | undefined;
  /** Overrides the instance's risk for this call. */
  risk?: number | undefined;
  /** How many labels `output.scores` lists. Default: 5. */
  topK?: number | undefined;
  /** Aborts the call: it rejects at once with the signal's reason. The instance stays usable. */
  signal?: AbortSignal | undefined;
  /** For a task the bundle does not have: the labels the remote may choose from. */
  labels?: string[] | undefined;
  /** For a task the bundle does not have: what the remote is to decide, in one sentence. */
  instruction?: string | undefined;
}

/** How models are loaded ahead. */
export interface PrepareOptions {
  /** Aborts the call: it rejects at once with the signal's reason. What was loaded stays. */
  signal?: AbortSignal | undefined;
}

/** What became of one input of a batch. */
export type BatchItem = { ok: true; answer: Answer } | { ok: false; error: SmallFirstError };

/** A bundle, ready to be asked. It owns one worker; dispose of it when it is no longer needed. */
export interface SmallFirst {
  /**
   * Answers one call.
   *
   * @param task - A task of the bundle, or any name together with `labels` and `instruction`.
   * @throws SmallFirstError - with a `code`, and `attempts` where something was tried.
   */
  run(task: string, input: Input, options?: RunOptions): Promise<Answer>;
  /**
   * Answers one call per input, in order: one item each, in the inputs' order. A bad input gives
   * an item with an error and loses nothing.
   *
   * @throws SmallFirstError - only where the whole batch is concerned: `invalid_option`,
   * `input_kind` (what was given is no list), `worker_failed`, `disposed`.
   */
  runBatch(task: string, inputs: Iterable<Input>, options?: RunOptions): Promise<BatchItem[]>;
  /** What the bundle can do. Downloads nothing. */
  tasks(): Promise<TaskInfo[]>;
  /**
   * Fetches and loads the models of some tasks, or of all, ahead of the first call; with the
   * cache on, they then work offline.
   *
   * @throws SmallFirstError - with a `code`, for example `unknown_task` or `bundle_unreachable`.
   */
  prepare(tasks?: string[], options?: PrepareOptions): Promise<void>;
  /**
   * The model card of a task, with its measured evaluation. Fetched when asked for.
   *
   * @throws SmallFirstError - with a `code`, for example `unknown_task` or `file_missing`.
   */
  card(task: string): Promise<Card>;
  /**
   * Says that an answer was found right or wrong, by a person or by later evidence. Only guaranteed
   * answers count: it is their error rate that was promised. Audit a random sample, or all; picking
   * the suspicious ones raises false alarms.
   */
  audit(answer: Answer, correct: boolean): Promise<void>;
  /** How the monitors of a task stand; empty before its first call. They start anew with each worker. */
  drift(task: string): Promise<Drift[]>;
  /** Ends the worker. What is under way, and every later call, rejects with the code `disposed`. */
  dispose(): void;
  /** The same, for `using`. There only in browsers that know `Symbol.dispose`. */
  [Symbol.dispose](): void;
  /** The same, for `await using`. There only in browsers that know `Symbol.asyncDispose`. */
  [Symbol.asyncDispose](): Promise<void>;
}
