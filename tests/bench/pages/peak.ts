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
    await bindings.default({ module_or_path: kernels.replace(/\.js$/, "_bg.wasm") });
    const { kernelCases, KernelBench } = bindings;
    if (!kernelCases || !KernelBench) return { kernels: undefined };
    const cases = kernelCases();
    this.kernels = cases.map((_, index) => {
      const bench = new KernelBench(index);
      return (times) => bench.run(times);
    });
    return { kernels: cases.map(({ name, flops }) => ({ name, flops })) };
  }

  /** How often a second it runs: the best of many short stretches, so that other programs count little. */
  async rate(kind: "peak" | "kernels", index: number): Promise<number> {
    const run = (kind === "peak" ? this.loops : this.kernels)[index]!;
    const timed = (times: number): number => {
      const started = performance.now();
      run(times);
      return performance.now() - started;
    };
    // The browser compiles in the background what runs often, and takes the better code from the next call on.
    for (const begun = performance.now(); performance.now() - begun < 200; ) {
      for (let call = 0; call < 100; call++) run(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    let times = 1;
    while (timed(times) < 5) times *= 2;
    let best = 0;
    for (let stretch = 0; stretch < 20; stretch++) best = Math.max(best, (times * 1000) / timed(times));
    return best;
  }
}

window.peak = new Peak();
