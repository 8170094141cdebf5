// The machine's limit inside WebAssembly: loops of nothing but arithmetic, on as many accumulators as fit into registers.
// And smallfirst's kernels, where a build with the feature `bench` is at hand.

import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import createWabt from "wabt";
import { Browser } from "./browser.js";
import type { Options } from "./options.js";
import { site as folder } from "./paths.js";
import { reason, type Results, rounded } from "./results.js";
import type { Site } from "./server.js";

const ACCUMULATORS = 12;

/** Each step needs what the step before it made, so that a compiler cannot leave it out. */
const LOOPS = [
  { name: "f32x4 multiply, add", flops: 8, step: (x: string) => `(f32x4.add (f32x4.mul ${x} (local.get $m)) (local.get $a))` },
  { name: "f32x4 relaxed multiply-add", flops: 8, step: (x: string) => `(f32x4.relaxed_madd ${x} (local.get $m) (local.get $a))` },
  { name: "16-bit dot, add", flops: 16, step: (x: string) => `(i32x4.add (i32x4.dot_i16x8_s ${x} (local.get $m)) ${x})` },
  {
    name: "8-bit relaxed dot to 16 bits, add",
    flops: 32,
    step: (x: string) => `(i16x8.add (i16x8.relaxed_dot_i8x16_i7x16_s ${x} (local.get $m)) ${x})`,
  },
  {
    name: "8-bit relaxed dot to 32 bits, add",
    flops: 32,
    step: (x: string) => `(i32x4.relaxed_dot_i8x16_i7x16_add_s ${x} (local.get $m) ${x})`,
  },
];

/** A module with a function for each loop, `loop0` and so on, that takes how often. */
async function module(): Promise<Uint8Array> {
  const names = Array.from({ length: ACCUMULATORS }, (_, i) => `$x${i}`);
  const functions = LOOPS.map(
    ({ step }, index) => `
  (func (export "loop${index}") (param $times i32) (result v128)
    (local $m v128) (local $a v128) ${names.map((name) => `(local ${name} v128)`).join(" ")}
    (local.set $m (f32x4.splat (f32.const 0.5)))
    (local.set $a (f32x4.splat (f32.const 1)))
    ${names.map((name, i) => `(local.set ${name} (f32x4.splat (f32.const ${i})))`).join(" ")}
    (loop $again
      ${names.map((name) => `(local.set ${name} ${step(`(local.get ${name})`)})`).join("\n      ")}
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    ${names.slice(1).reduce((sum, name) => `(v128.xor ${sum} (local.get ${name}))`, `(local.get ${names[0]})`)})
  (func (export "run${index}") (param $times i32) (result i32)
    (i32x4.extract_lane 0 (call ${index * 2} (local.get $times))))`,
  );
  const wabt = await createWabt();
  const parsed = wabt.parseWat("peak.wat", `(module ${functions.join("")})`, { simd: true, relaxed_simd: true } as object);
  try {
    return parsed.toBinary({}).buffer;
  } finally {
    parsed.destroy();
  }
}

export async function peak(site: Site, kernels: string | undefined, native: string, options: Options, results: Results): Promise<void> {
  if (!options.wants("peak kernels")) return;
  writeFileSync(join(folder, "peak.wasm"), await module());
  const browser = await Browser.start();
  try {
    await browser.page.goto(`${site.address}/page/peak`);
    const loops = LOOPS.map(({ name, flops }) => ({ name, flops: flops * ACCUMULATORS }));
    const found = await browser.page.evaluate(([kernels]) => window.peak.start(kernels), [kernels] as const);
    if (!found.kernels) results.missing.push("kernels: no build of smallfirst with the feature `bench` that exports `kernelCases`");
    const all = [
      ...loops.map((loop, index) => ({ ...loop, kind: "peak" as const, index, gflops: [] as number[] })),
      ...(found.kernels ?? []).map((kernel, index) => ({ ...kernel, kind: "kernels" as const, index, gflops: [] as number[] })),
    ];
    for (let round = 0; round < options.rounds; round++) {
      for (const entry of options.shuffled(all)) {
        const rate = await browser.page.evaluate(([kind, index]) => window.peak.rate(kind, index), [entry.kind, entry.index] as const);
        entry.gflops.push((rate * entry.flops) / 1e9);
      }
      if (kernels) await nativeKernels(native, results);
    }
    for (const { name, kind, gflops } of all) results[kind].push({ name, contender: "wasm", gflops: rounded(gflops) });
  } catch (thrown) {
    results.missing.push(`peak loops: ${reason(thrown)}; ${browser.complaints.join("; ")}`);
  } finally {
    await browser.stop();
  }
}

/** The same kernels on the bare machine: `bench-kernels --json` prints `[{ name, gflops }]`. */
async function nativeKernels(program: string, results: Results): Promise<void> {
  const { stdout } = await promisify(execFile)(program, ["bench-kernels", "--json"]);
  for (const { name, gflops } of JSON.parse(stdout) as { name: string; gflops: number }[]) {
    const known = results.kernels.find((kernel) => kernel.name === name && kernel.contender === "native");
    if (known) known.gflops.push(gflops);
    else results.kernels.push({ name, contender: "native", gflops: [gflops] });
  }
}
