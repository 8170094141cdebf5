// What the driver writes into results.json. xtask/src/bench/ makes tables and the plot of it.

import type { Case, Model } from "../shared/cases.js";
import type { Agreement } from "../shared/protocol.js";

export type Check = { case: string; contender: string } & (Agreement | { ok: false; error: string });

export interface Cold {
  row: string;
  contender: string;
  ms: number[];
  /** Bytes of bodies, as sent, until the first answer; and the files they were. */
  bytes: number;
  files: { path: string; bytes: number }[];
  /** The longest stall of the main thread until then. */
  longest: number[];
  answer: string;
}

export interface Warm {
  case: string;
  contender: string;
  ms: number[];
}

/** The WebAssembly memory after a model's case ran, the smaller ones before it. */
export interface Memory {
  case: string;
  contender: string;
  bytes: number;
}

/** One loop of nothing but arithmetic, or one of smallfirst's kernels. */
export interface Speed {
  name: string;
  contender: string;
  /** Thousands of millions of multiplications and additions a second; one each round. */
  gflops: number[];
}

export interface Soak {
  what: string;
  contender: string;
  before: number;
  after: number;
}

export interface Results {
  date: string;
  machine: { cpu: string; cores: number; memory: number; system: string };
  options: Record<string, unknown>;
  versions: Record<string, string>;
  models: Model[];
  cases: Pick<Case, "id" | "model" | "title" | "timed" | "flops">[];
  /** What could not be measured, and why. */
  missing: string[];
  checks: Check[];
  cold: Cold[];
  warm: Warm[];
  memory: Memory[];
  /** The public API's calls on a loaded page, and the longest stall they gave its main thread. */
  api: { task: string; ms: number[]; longest: number }[];
  /** Batches of so many inputs, by how many workers share them. */
  batches: { task: string; workers: number; inputs: number; ms: number[] }[];
  peak: Speed[];
  kernels: Speed[];
  soak: Soak[];
}

/** Times with the digits that mean something. */
export const rounded = (values: number[]): number[] => values.map((value) => Number(value.toPrecision(5)));

/** The first line of what went wrong, without the colours of a terminal. */
export function reason(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.split("\n")[0]!.replace(/\x1b\[\d+m/g, "");
}
