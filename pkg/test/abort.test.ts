import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { abortable } from "../src/abort.js";
import { never } from "./fakes.js";

test("without a signal the work is given as it is", () => {
  const work = Promise.resolve(1);
  assert.equal(abortable(work, undefined), work);
});

test("work that ends in time gives its value or its failure, and leaves no listener", async () => {
  const { signal } = new AbortController();
  const failure = new Error("it failed");
  const aborted: string[] = [];
  const good = abortable(Promise.resolve("done"), signal, () => aborted.push("good"));
  const bad = abortable(Promise.reject(failure), signal, () => aborted.push("bad"));
  assert.equal(getEventListeners(signal, "abort").length, 2);
  assert.equal(await good, "done");
  await assert.rejects(bad, failure);
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.deepEqual(aborted, []);
});

test("an abort rejects at once with the signal's reason, and is told once", async () => {
  const controller = new AbortController();
  let told = 0;
  const work = abortable(never(), controller.signal, () => told++);
  const reason = new Error("the user left");
  controller.abort(reason);
  controller.abort(new Error("again"));
  await assert.rejects(work, reason);
  assert.equal(told, 1);
});

test("work that fails after its abort is no unhandled failure", async () => {
  const controller = new AbortController();
  let fail = (_: Error): void => {};
  const work = abortable(
    new Promise<void>((_, reject) => {
      fail = reject;
    }),
    controller.signal,
  );
  controller.abort();
  await assert.rejects(work, { name: "AbortError" });
  fail(new Error("late"));
});
