// Loops of arithmetic and smallfirst's kernels, timed on the page: nothing else runs here.

import type { Bindings } from "../shared/smallfirst.js";

declare global {
  interface Window {
    peak: Peak;
  }
}

class Peak {
  private loops: ((times: number) => number)[] = [];
  private kernels: ((times: number) => number)[] = [];

  /** `kernels`: the bindings of a build that exports them. */
  async start(kernels: string | undefined): Promise<{ kernels: { name: string; flops: number }[] | undefined }> {
    const { instance } = await WebAssembly.instantiateStreaming(fetch("/site/peak.wasm"));
    for (let index = 0; `run${index}` in instance.exports; index++)
      this.loops.push(instance.exports[`run${index}`] as (times: number) => number);
    if (!kernels) return { kernels: undefined };
    const bindings = (await import(kernels)) as Bindings;
    await bindings.default({});
    const { kernelCases, KernelBench } = bindings;
    if (!kernelCases || !KernelBench) return { kernels: undefined };
    const cases = kernelCases();
    this.kernels = cases.map((_, index) => {
      const bench = new KernelBench(index);
      return (times) => bench.run(times);
    });
    return { kernels: cases.map(({ name, flops }) => ({ name, flops })) };
  }

  /** How often a second it runs, over some 100 ms. */
  rate(kind: "peak" | "kernels", index: number): number {
    const run = (kind === "peak" ? this.loops : this.kernels)[index]!;
    for (let times = 1; ; times *= 2) {
      const started = performance.now();
      run(times);
      const taken = performance.now() - started;
      if (taken >= 60) return (times * 1000) / taken;
    }
  }
}

window.peak = new Peak();
