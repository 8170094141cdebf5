// What the page and its worker say to each other.

import type { WireError } from "./errors.js";
import type { Sound } from "./sound.js";
import type { TableRow } from "./sound-input.js";
import type { Answer, ConsentRequest, Drift, Progress, Sent, TrainingOptions } from "./types.js";
import type { Adopted, RuntimeOptions, RuntimeRunOptions, RuntimeTextOptions } from "./wire.js";

/** What is kept beyond a visit. */
export interface Storage {
  /** The name that it is kept under. */
  name: string;
  /** Whether files of the bundle are. */
  files: boolean;
}

/** The monitors of a task; the engine knows what is in it. */
export interface Monitors {
  task: string;
}

/** What an engine leaves to the one that comes after it. */
export interface Legacy {
  /** The manifest's SHA-256: of another bundle, nothing is taken over. */
  manifest: string;
  monitors: Monitors[];
}

/** An input on its way; one that is none travels as the error it gives, so that it keeps its place in a batch. */
export type WireInput =
  | string
  | Uint8Array
  | Blob
  | ImageBitmap
  | ImageData
  | { text: string; second: string }
  | Sound
  | { row: TableRow }
  | { error: WireError };

/** In place of an input that another worker answered: what the first one is to know of it. */
export interface Delegated {
  answer: Adopted;
  /** The input's length. */
  bytes: number;
}

/** What the first worker says before a batch is shared. Its models are loaded then. */
export interface Sharing {
  /** The manifest's SHA-256. */
  manifest: string;
  /** Whether an alarm has ended the task's guarantee. */
  alarmed: boolean;
}

/** Which functions of the page there are. */
export interface HooksThere {
  headers: boolean;
  consent: boolean;
  page: boolean;
  progress: boolean;
  drift: boolean;
}

/** Where the WebAssembly is: a folder (its address ends in a slash), a module, or two to choose from. */
export type Modules = string | { baseline: string; relaxed: string };

/** Which of the engines: the one for prepared models, or the one that runs any ONNX model, too. */
export type EngineName = "prepared" | "onnx";

/** What can be asked. `start` comes first, and once per worker. */
export type Request =
  | {
      type: "start";
      /** The page's version of the package; workers of a script that is copied or cached may be of another. */
      version: string;
      options: RuntimeOptions;
      storage: Storage;
      wasm: Modules | undefined;
      preload: string[];
      /** The bundle, where it is one file; the manifest's address then means what is in it. */
      archive: Blob | undefined;
      hooks: HooksThere;
      /** Of the worker before this one. */
      legacy: Legacy | undefined;
    }
  | { type: "run"; task: string; input: WireInput; options: RuntimeRunOptions }
  | { type: "runBatch"; task: string; inputs: (WireInput | Delegated)[]; options: RuntimeRunOptions }
  | { type: "generate"; task: string; input: WireInput; options: RuntimeTextOptions }
  /** A sound that goes on, by its number; its pieces, of which null is the end; nothing more of it. */
  | { type: "listen"; number: number; task: string; rate: number; options: RuntimeRunOptions }
  | { type: "hear"; number: number; samples: Float32Array | null }
  | { type: "hush"; number: number }
  | { type: "tasks" }
  | { type: "card"; task: string }
  | { type: "drift"; task: string }
  | {
      type: "reportOutcome";
      task: string;
      audit: number;
      correct: boolean;
      label: string | undefined;
      local: string | undefined;
    }
  | { type: "usage" }
  | { type: "clearAnswerCache" }
  | { type: "learned" }
  | { type: "examples"; task: string | undefined }
  | { type: "forgetExamples"; task: string | undefined }
  /** What is wanted of an index, as JSON. */
  | { type: "index"; name: string; task: string; wanted: string }
  /** What is learnt from, as JSON. */
  | { type: "train"; task: string; examples: string; options: Partial<TrainingOptions> }
  | { type: "preload"; tasks: string[] | undefined; firstTier?: boolean }
  | { type: "share"; task: string };

/** What the worker asks the page. */
export type Question =
  | { what: "headers"; endpoint: number }
  | { what: "consent"; outgoing: ConsentRequest }
  /** To write down what is about to leave. */
  | { what: "sent"; requests: Sent[] };

/** The page's answer to it. */
export type QuestionReply = { value: unknown } | { error: string };

/** What the worker asks a function of the page that stands for a remote. */
export interface PageCall {
  endpoint: number;
  /** The question, as JSON. */
  body: string;
}

/** Page to worker. */
export type ToWorker =
  /** The lock to hold while calls run. */
  | { type: "life"; lock: string }
  /** Is anybody there? */
  | { type: "ping" }
  | { type: "request"; id: number; request: Request }
  | { type: "abort"; id: number }
  /** The reader of a text wants another piece. */
  | { type: "pull"; id: number }
  | { type: "reply"; ask: number; reply: QuestionReply }
  /** A line of what a function of the page gives; its end; or what it threw. */
  | { type: "pageLine"; ask: number; line: string }
  | { type: "pageEnd"; ask: number }
  | { type: "pageError"; ask: number; error: string };

/** Worker to page. */
export type FromWorker =
  /** The answer to a ping. */
  | { type: "pong" }
  /** The worker holds its lock. */
  | { type: "held" }
  | { type: "done"; id: number; value: unknown }
  | { type: "failed"; id: number; error: WireError }
  | { type: "delta"; id: number; text: string }
  | { type: "ask"; ask: number; question: Question }
  | { type: "page"; ask: number; call: PageCall }
  | { type: "pageStop"; ask: number }
  | { type: "progress"; event: Progress }
  | { type: "drift"; event: Drift }
  /** The monitors that have changed. Comes before the answer that changed them. */
  | { type: "monitors"; legacy: Legacy }
  /** The worker has read that a call was aborted. */
  | { type: "heard"; id: number }
  | { type: "dead"; message: string };

/** One item of a batch on its way back. */
export type WireItem = { ok: true; answer: Answer } | { ok: false; error: WireError };
