// What the page and its worker say to each other.

import type { WireError } from "./errors.js";
import type { Answer, Drift, Endpoint, Mode, Progress } from "./types.js";

/** What `Engine.create` takes. Absent keys are left out: the engine has the defaults. */
export interface EngineOptions {
  /** The manifest's absolute address. */
  bundle: string;
  mode?: Mode;
  risk?: number;
  remote?: Pick<Endpoint, "provider" | "baseUrl" | "model"> & { timeoutMs?: number; maxInputBytes?: number; maxTokens?: number };
  manifestSha256?: string;
  maxBundleBytes?: number;
  cache?: "persistent" | "none";
}

/** What `Engine.run` takes. */
export interface EngineRunOptions {
  mode?: Mode;
  risk?: number;
  topK?: number;
  labels?: string[];
  instruction?: string;
}

/** An input on its way; one that is none travels as the error it gives, so that it keeps its place in a batch. */
export type WireInput = string | Uint8Array | Blob | { error: WireError };

/** What can be asked. `start` comes first, and once per worker. */
export type Request =
  | { type: "start"; options: EngineOptions; wasm: string | undefined; headers: boolean; progress: boolean; drift: boolean }
  | { type: "run"; task: string; input: WireInput; options: EngineRunOptions }
  | { type: "runBatch"; task: string; inputs: WireInput[]; options: EngineRunOptions }
  | { type: "tasks" }
  | { type: "card"; task: string }
  | { type: "drift"; task: string }
  | { type: "audit"; task: string; risk: number; correct: boolean }
  | { type: "prepare"; tasks: string[] | undefined };

/** The answer to a request for headers. */
export type HeadersReply = { headers: Record<string, string> } | { error: string };

/** Page to worker. */
export type ToWorker =
  | { type: "request"; id: number; request: Request }
  | { type: "abort"; id: number }
  | { type: "headers"; ask: number; reply: HeadersReply };

/** Worker to page. */
export type FromWorker =
  | { type: "done"; id: number; value: unknown }
  | { type: "failed"; id: number; error: WireError }
  | { type: "headers"; ask: number }
  | { type: "progress"; event: Progress }
  | { type: "drift"; event: Drift }
  | { type: "dead"; message: string };

/** One item of a batch on its way back. */
export type WireItem = { ok: true; answer: Answer } | { ok: false; error: WireError };
