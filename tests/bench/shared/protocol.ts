// What the driver asks a contender's worker, and what it answers.

import type { Case, Model } from "./cases.js";

export type Ask =
  | { do: "start"; settings: Settings }
  | { do: "load"; model: Model }
  | { do: "check"; case: Case }
  | { do: "run"; case: Case; samples: number; inner: number }
  | { do: "reload"; case: Case; model: Model; times: number }
  | { do: "memory" };

export interface Settings {
  /** smallfirst: the addresses of the bindings and of the module that is measured. */
  smallfirst?: { bindings: string; wasm: string };
}

/** How an output differs from the reference. */
export interface Agreement {
  cosine: number;
  largest: number;
  ok: boolean;
}

export interface Times {
  /** Milliseconds of one run; each the mean of `inner` runs in a row. */
  ms: number[];
}

export interface Memory {
  /** Of all WebAssembly memories together. They never shrink, so this is the peak. */
  bytes: number;
}

export type Answer = Agreement | Times | Memory | null;
export type Reply = { value: Answer } | { error: string };
