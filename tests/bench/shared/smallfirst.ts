// The low-level part of the bindings of smallfirst's WebAssembly module.

import type { Input, Output } from "../workers/serve.js";

export interface Bindings {
  default(options: { module_or_path: string }): Promise<unknown>;
  Model: { load(name: string, file: Uint8Array): LoadedModel };
  /** Only in builds with the feature `bench`. */
  kernelCases?(): { name: string; flops: number }[];
  KernelBench?: new (index: number) => { run(times: number): number; free(): void };
}

export interface LoadedModel {
  run(inputs: Input[]): Output[];
  free(): void;
}
