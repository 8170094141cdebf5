// What a page and the worker of a bare model say to each other.

import type { WireError } from "./errors.js";
import type { Feed, Tensor } from "./model.js";

/** An input or output of a model. */
export interface Port {
  /** Its name. */
  name: string;
  /** The type of its elements, `null` where the file does not say. */
  type: string | null;
  /** Its lengths: a number, a name for one that may be any, or `null`. `null` as a whole where the file does not say. */
  dims: (number | string | null)[] | null;
}

/** All of them. */
export interface Ports {
  inputs: Port[];
  outputs: Port[];
}

/** What a worker may be asked. */
export type ModelRequest =
  | {
      type: "load";
      name: string;
      file: ArrayBuffer;
      beside: Record<string, ArrayBuffer>;
      state: Record<string, string>;
      wasm?: string;
    }
  | { type: "run"; feeds: Record<string, Feed>; outputs: string[] }
  | { type: "reset" };

/** To the worker. */
export type ToModelWorker =
  | { type: "request"; id: number; request: ModelRequest }
  | { type: "life"; lock: string }
  | { type: "ping" };

/** From it. */
export type FromModelWorker =
  | { type: "done"; id: number; value: undefined | Ports | { missing: string[] } | Record<string, Tensor> }
  | { type: "failed"; id: number; error: WireError }
  | { type: "dead"; message: string }
  | { type: "held" }
  | { type: "pong" };
