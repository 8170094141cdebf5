// The same class, of the module that runs ONNX models, too; and a model by itself.

import type { Ports } from "../model-protocol.js";
import type { Feed, Tensor } from "../model.js";
import type { SpeechEvent } from "../types.js";
import type { RuntimeRunOptions } from "../wire.js";

export { Runtime, default } from "./prepared.js";

/** What its `Runtime` has beside that. */
export interface Listener {
  /** Begins to listen to a sound, by a number that is the caller's. */
  listen(number: number, task: string, rate: number, options: RuntimeRunOptions): Promise<void>;
  hear(number: number, piece: Float32Array | null): SpeechEvent[];
  hush(number: number): void;
}

/** And of indices of texts. */
export interface Searcher {
  index(name: string, task: string, wanted: string, signal: AbortSignal): Promise<unknown>;
}

/** And of training. */
export interface Trainer {
  train(task: string, examples: string, options: unknown, signal: AbortSignal): Promise<unknown>;
}

export class ModelFile {
  constructor(name: string, file: Uint8Array);
  /** The names of the files beside it that it has weights in. */
  beside(): string[];
  free(): void;
}

export class Session {
  private constructor();
  /** Takes the file's memory. */
  static load(file: ModelFile, beside: Record<string, Uint8Array>): Session;
  ports(): Ports;
  /** From now on, an output of a run is an input of the next one where that is not given. */
  keep(output: string, input: string): void;
  reset(): void;
  free(): void;
  run(feeds: Record<string, Feed>, outputs: string[]): Record<string, Tensor>;
}
