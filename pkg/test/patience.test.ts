import assert from "node:assert/strict";
import { test } from "node:test";
import { Patience } from "../src/patience.js";
import { isSettled, never, stub } from "./fakes.js";

const LATE = { message: "the browser's storage does not answer" };

test("what comes in time is given, be it a value or a failure", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const patience = new Patience();
  assert.equal(await patience.wait(() => Promise.resolve("kept")), "kept");
  await assert.rejects(
    patience.wait(() => Promise.reject(new Error("the disk is full"))),
    { message: "the disk is full" },
  );
});

test("nothing is waited for longer than a second, and a moment for what came while the thread was busy", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const waiting = new Patience().wait(never);
  t.mock.timers.tick(1000);
  assert.equal(await isSettled(waiting), false);
  t.mock.timers.tick(19);
  assert.equal(await isSettled(waiting), false);
  t.mock.timers.tick(1);
  await assert.rejects(waiting, LATE);
});

test("what has come by that moment counts", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let come = (_: string): void => {};
  const waiting = new Patience().wait(() => new Promise<string>((resolve) => (come = resolve)));
  t.mock.timers.tick(5000);
  come("just so");
  assert.equal(await waiting, "just so");
  t.mock.timers.tick(20);
  assert.equal(await waiting, "just so");
});

test("while something hangs, nothing else is begun; once it ends, all is as before", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const patience = new Patience();
  let come = (): void => {};
  const hanging = patience.wait(() => new Promise<void>((resolve) => (come = resolve)));
  t.mock.timers.tick(1000);
  t.mock.timers.tick(20);
  await assert.rejects(hanging, LATE);
  let begun = 0;
  const work = async (): Promise<number> => ++begun;
  await assert.rejects(patience.wait(work), LATE);
  assert.equal(begun, 0);
  // Another storage's patience is its own.
  assert.equal(await new Patience().wait(work), 1);
  come();
  await isSettled(hanging);
  assert.equal(await patience.wait(work), 2);
});

test("of several that hang, all have to end", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const patience = new Patience();
  const ends: (() => void)[] = [];
  const hang = (): Promise<void> => patience.wait(() => new Promise<void>((resolve) => ends.push(resolve)));
  const hanging = [hang(), hang()];
  t.mock.timers.tick(1000);
  t.mock.timers.tick(20);
  for (const one of hanging) await assert.rejects(one, LATE);
  ends[0]!();
  await isSettled(hanging[0]!);
  await assert.rejects(
    patience.wait(async () => {}),
    LATE,
  );
  ends[1]!();
  await isSettled(hanging[1]!);
  await patience.wait(async () => {});
});

test("a caller may give it longer, and without a network it has ten seconds", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const long = new Patience().wait(never, 30_000);
  t.mock.timers.tick(29_999);
  assert.equal(await isSettled(long), false);
  t.mock.timers.tick(1);
  t.mock.timers.tick(20);
  await assert.rejects(long, LATE);
  stub(t, "navigator", { onLine: false });
  const offline = new Patience().wait(never);
  t.mock.timers.tick(9999);
  t.mock.timers.tick(20);
  assert.equal(await isSettled(offline), false);
  t.mock.timers.tick(20);
  await assert.rejects(offline, LATE);
  // What is given longer still has that.
  const both = new Patience().wait(never, 30_000);
  t.mock.timers.tick(29_999);
  assert.equal(await isSettled(both), false);
  t.mock.timers.tick(1);
  t.mock.timers.tick(20);
  await assert.rejects(both, LATE);
});
