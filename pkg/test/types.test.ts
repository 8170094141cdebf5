// What `smallfirst types` writes, as a page uses it. Nothing is run: `tsc` compiles this file, and each `@ts-expect-error` is an error
// where the line below it is none.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer, SmallFirst } from "../src/index.js";
import type { Tasks } from "./default-tasks.js";

/** Uses of an instance whose tasks are known. */
async function typed(ai: SmallFirst<Tasks>): Promise<string> {
  const { output } = await ai.run("spam", "Win money");
  const label: "spam" | "ham" = output.label;
  // @ts-expect-error - a label that the task does not have
  if (output.label === "spma") return "never";
  // @ts-expect-error - a task that the bundle does not have
  await ai.run("spma", "Win money");
  // @ts-expect-error - the task reads text
  await ai.run("spam", new Uint8Array(4));
  const items = await ai.runBatch("file-type", [new Uint8Array(4)]);
  for (const item of items) if (item.ok) await ai.reportOutcome(item.answer, true);
  // A task of the caller's own names its labels.
  const own: Answer = await ai.run("urgency", "Now!", { labels: ["urgent", "later"] });
  return label + own.output.label;
}

/** Uses of one whose tasks are not. */
async function untyped(ai: SmallFirst): Promise<string> {
  const { output } = await ai.run("anything", new Blob([]));
  // @ts-expect-error - any label is one
  const label: "spam" | "ham" = output.label;
  return label;
}

test("types are compiled, not run", () => {
  assert.equal(typeof typed, "function");
  assert.equal(typeof untyped, "function");
});
