// The same class, of the module that runs ONNX models, too; and a model by itself.

import type { Ports } from "../model-protocol.js";
import type { Feed, Tensor } from "../model.js";

export { Runtime, default } from "./prepared.js";

export class Session {
  private constructor();
  /** The names of the files beside an ONNX file that it has weights in. */
  static beside(name: string, file: Uint8Array): string[];
  static load(name: string, file: Uint8Array, beside: Record<string, Uint8Array>): Session;
  ports(): Ports;
  /** From now on, an output of a run is an input of the next one where that is not given. */
  keep(output: string, input: string): void;
  reset(): void;
  run(feeds: Record<string, Feed>, outputs: string[]): Record<string, Tensor>;
}
