// One engine: what the command line says natively, the browser says too.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, root, test } from "./fixtures.js";
import { type Answer, ready } from "./harness.js";

/** How far apart two scores may be: both sides compute in f32, with kernels that add in another order. */
const TOLERANCE = 1e-3;
/** Of models whose inputs are rounded to int8 as they run: kernels differ in the last bits, and so in what lies halfway. */
const TOLERANCE_INT8 = 2e-2;
const INPUTS = 300;

interface Line {
  input?: string;
  path?: string;
}
type Result = Answer | { code: string };

for (const [task, file] of [
  ["language", "language.test"],
  ["file-type", "filetype.sample"],
  ["spam", "spam.test"],
  ["sentiment", "sentiment.test"],
] as const) {
  test(`${task}: the browser and the command line agree on ${INPUTS} real inputs`, async ({ page, harness }) => {
    const data = readFileSync(join(process.env["SMALLFIRST_DATA"]!, `${file}.jsonl`), "utf8")
      .trim()
      .split("\n");
    const tolerance = task === "sentiment" ? TOLERANCE_INT8 : TOLERANCE;
    const step = Math.floor(data.length / INPUTS);
    const lines = Array.from({ length: INPUTS }, (_, i) => data[i * step]!);
    const sample = join(mkdtempSync(join(tmpdir(), "smallfirst-parity-")), "sample.jsonl");
    writeFileSync(sample, `${lines.join("\n")}\n`);
    const args = [
      "run",
      join(root, "models"),
      "--task",
      task,
      "--text",
      task === "file-type" ? "path" : "input",
      "--data",
      sample,
      "--all-scores",
    ];
    const printed = execFileSync(process.env["SMALLFIRST_BIN"]!, args, { encoding: "utf8", maxBuffer: 1 << 28 });
    const native = printed
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Result);
    expect(native).toHaveLength(INPUTS);

    await ready(page, harness.address, { mode: "only-local" });
    const inputs = lines.map((line) => {
      const { input, path } = JSON.parse(line) as Line;
      if (input !== undefined) return input;
      harness.files.push(path!);
      return { url: `/files/${harness.files.length - 1}` };
    });
    const browser = await page.evaluate(
      async ([task, inputs]) => {
        const given: (string | Blob)[] = [];
        for (const input of inputs)
          given.push(typeof input === "string" ? input : await (await fetch(input.url)).blob());
        const items = await window.ai.runBatch(task, given, { topK: 1000 });
        return items.map((item) => (item.ok ? item.answer : { code: item.error.code }));
      },
      [task, inputs] as const,
    );

    let answered = 0;
    let largest = 0;
    for (const [i, ours] of (browser as Result[]).entries()) {
      const theirs = native[i]!;
      if ("code" in theirs || "code" in ours) {
        expect((ours as { code: string }).code, lines[i]).toBe((theirs as { code: string }).code);
        continue;
      }
      answered += 1;
      expect(ours.output.label, lines[i]).toBe(theirs.output.label);
      const near = ours.attempts.some(
        ({ confidence, threshold }) =>
          confidence !== null && threshold !== null && Math.abs(confidence - threshold) < tolerance - TOLERANCE,
      );
      if (!near) expect(ours.reason, lines[i]).toBe(theirs.reason);
      const reference = new Map(theirs.output.scores.map((s) => [s.label, s.score]));
      expect(ours.output.scores).toHaveLength(reference.size);
      for (const { label, score } of ours.output.scores) {
        const difference = Math.abs(score - reference.get(label)!);
        largest = Math.max(largest, difference);
        // Each `expect` is a step that is kept: sixty thousand of them take minutes.
        if (!(difference < tolerance)) expect(difference, `${label} of ${lines[i]}`).toBeLessThan(tolerance);
      }
    }
    console.log(
      `${task}: ${answered} answers equal, ${INPUTS - answered} refused alike, scores within ${largest.toExponential(1)}`,
    );
    expect(answered).toBeGreaterThanOrEqual(200);
  });
}
