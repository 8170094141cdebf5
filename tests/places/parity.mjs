// The same inputs and the same answers everywhere: what the command line says natively, and how near others have to come.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { REPORTS } from "./pages.mjs";
import { root, run } from "./project.mjs";

const SMALLFIRST = process.env.SMALLFIRST_BIN ?? join(root, "target/debug/smallfirst");
const DATA = process.env.SMALLFIRST_DATA ?? join(root, "target/data");
/** As in tests/e2e/parity.spec.ts. */
const TOLERANCE = 1e-3;
const TOLERANCE_INT8 = 2e-2;

/** How many inputs of each task are asked: all where it may take minutes, and fewer of those who run the same WebAssembly. */
export const INPUTS = 300;
export const FEWER = REPORTS ? INPUTS : 100;

/** The tasks, and the files of their rows. */
export const TASKS = [
  ["language", "language.test"],
  ["file-type", "filetype.sample"],
  ["spam", "spam.test"],
  ["sentiment", "sentiment.test"],
];

export function lines(text) {
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** So many rows of a file, from all of it. */
export function sample(file, count) {
  const all = lines(readFileSync(join(DATA, `${file}.jsonl`), "utf8"));
  return Array.from({ length: count }, (_, i) => all[i * Math.floor(all.length / count)]);
}

/** What the command line says of rows. */
export async function natively(folder, task, rows) {
  const file = join(folder, "sample.jsonl");
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const column = task === "file-type" ? "path" : "input";
  const args = ["run", join(root, "models"), "--task", task, "--text", column, "--data", file, "--all-scores"];
  const native = lines(await run(folder, SMALLFIRST, ...args));
  assert.equal(native.length, rows.length);
  return native;
}

/** Holds answers against the native ones, and gives how many there are, and how far apart two scores are at most. */
export function compare(task, ours, native, rows) {
  const tolerance = task === "sentiment" ? TOLERANCE_INT8 : TOLERANCE;
  assert.equal(ours.length, rows.length);
  let [answered, largest] = [0, 0];
  for (const [i, answer] of ours.entries()) {
    const other = native[i];
    const row = JSON.stringify(rows[i]).slice(0, 200);
    assert.equal(answer.code, other.code, row);
    if (answer.code) continue;
    answered++;
    assert.equal(answer.output.label, other.output.label, row);
    const near = answer.attempts.some(
      ({ confidence, threshold }) =>
        confidence !== null && threshold !== null && Math.abs(confidence - threshold) < tolerance - TOLERANCE,
    );
    if (!near) assert.equal(answer.reason, other.reason, row);
    const scores = new Map(other.output.scores.map(({ label, score }) => [label, score]));
    assert.equal(answer.output.scores.length, scores.size);
    for (const { label, score } of answer.output.scores)
      largest = Math.max(largest, Math.abs(score - scores.get(label)));
  }
  assert.ok(largest < tolerance, `scores differ by ${largest}`);
  assert.ok(answered > rows.length / 2);
  return { answered, largest };
}

/** The same as a line. */
export function agreement(name, rows, { answered, largest }) {
  return `${name}: ${answered} of ${rows.length} answers equal, the others refused alike, scores within ${largest.toExponential(1)}`;
}
