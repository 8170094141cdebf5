import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { SmallFirstError } from "../src/errors.js";
import { engineInput, transfers, wireInput, wireItem } from "../src/input.js";
import { refused } from "./fakes.js";

const REFUSAL =
  "the input must be a string, a Uint8Array, an ArrayBuffer, a Blob, an image, { text, textPair }, { question, context }, a sound ({ samples, sampleRate }) or { row }";

test("texts and Blobs go as they are", () => {
  const blob = new Blob(["abc"]);
  assert.equal(wireInput("abc"), "abc");
  assert.equal(wireInput(""), "");
  assert.equal(wireInput(blob), blob);
});

test("bytes are copied when the call is made, so that the caller's stay the caller's", () => {
  const bytes = new Uint8Array([1, 2, 3, 4]);
  const part = wireInput(bytes.subarray(1, 3)) as Uint8Array;
  const buffer = wireInput(bytes.buffer) as Uint8Array;
  bytes.fill(9);
  assert.deepEqual([...part], [2, 3]);
  assert.equal(part.buffer.byteLength, 2);
  assert.deepEqual([...buffer], [1, 2, 3, 4]);
});

test("bytes of another frame are bytes", () => {
  const foreign = runInNewContext("new Uint8Array([7, 8])") as Uint8Array;
  assert.equal(foreign instanceof Uint8Array, false);
  assert.deepEqual([...(wireInput(foreign) as Uint8Array)], [7, 8]);
  assert.deepEqual([...(wireInput(foreign.buffer) as Uint8Array)], [7, 8]);
});

test("bytes that were copied outside of jsdom are the engine's own", async () => {
  const foreign = runInNewContext("new Uint8Array([6, 7, 8, 9]).subarray(1, 3)") as Uint8Array<ArrayBuffer>;
  assert.equal(foreign instanceof Uint8Array, false);
  const own = await engineInput(foreign);
  assert.ok(own instanceof Uint8Array);
  assert.deepEqual([...own], [7, 8]);
  assert.deepEqual(transfers([foreign]), [foreign.buffer]);
});

test("what is no input is refused", () => {
  for (const input of [
    undefined,
    null,
    5,
    true,
    {},
    [1, 2],
    ["a"],
    new Uint16Array(1),
    new DataView(new ArrayBuffer(1)),
  ]) {
    assert.deepEqual(
      refused(() => wireInput(input)),
      { code: "input_kind", message: REFUSAL },
    );
  }
});

test("two texts are named in either way", () => {
  assert.deepEqual(wireInput({ text: "a", textPair: "b" }), { text: "a", second: "b" });
  assert.deepEqual(wireInput({ question: "a", context: "b" }), { text: "a", second: "b" });
  for (const part of [{ text: "a" }, { text: "a", context: "b" }, { question: 1, context: "b" }])
    assert.equal(refused(() => wireInput(part)).code, "input_kind");
});

test("in a batch, what is no input is the error of its item", async () => {
  assert.equal(await wireItem("abc"), "abc");
  assert.deepEqual(await wireItem(5), { error: { code: "input_kind", message: REFUSAL, attempts: [] } });
});

test("bytes of a batch are copied when the call is made", async () => {
  const bytes = new Uint8Array([1, 2]);
  const item = wireItem(bytes);
  bytes.fill(9);
  assert.deepEqual([...((await item) as Uint8Array)], [1, 2]);
});

test("the memory of bytes moves to the worker, and of nothing else", async () => {
  const bytes = new Uint8Array([1]);
  const pair = { text: "a", second: "b" };
  assert.deepEqual(transfers(["abc", bytes, new Blob(["x"]), pair, await wireItem(5)]), [bytes.buffer]);
});

test("in the worker, texts and bytes are taken as they are, and a Blob is read", async () => {
  const bytes = new Uint8Array([1, 2]);
  assert.equal(await engineInput("abc"), "abc");
  assert.equal(await engineInput(bytes), bytes);
  assert.deepEqual([...((await engineInput(new Blob([bytes, "a"]))) as Uint8Array)], [1, 2, 97]);
});

test("in the worker, an item that is none fails with what it was refused for", async () => {
  const failing = engineInput(await wireItem(5));
  await assert.rejects(failing, { message: REFUSAL, code: "input_kind", attempts: [] });
});

test("of a huge Blob only the ends are read", async () => {
  const mebibyte = 1024 * 1024;
  const block = new Uint8Array(mebibyte);
  const begin = new Uint8Array(mebibyte).fill(1);
  const end = new Uint8Array(mebibyte).fill(2);
  const middle = Array.from({ length: 62 }, () => block);
  const whole = (await engineInput(new Blob([begin, ...middle, end]))) as Uint8Array;
  assert.equal(whole.length, 64 * mebibyte);
  const ends = (await engineInput(new Blob([begin, ...middle, "x", end]))) as Uint8Array;
  assert.equal(ends.length, 2 * mebibyte);
  assert.deepEqual([ends[0], ends[mebibyte - 1], ends[mebibyte], ends.at(-1)], [1, 1, 2, 2]);
});

test("a Blob that cannot be read is no input, and it says why", async () => {
  const blob = Object.assign(new Blob(["x"]), { arrayBuffer: () => Promise.reject(new Error("the file is gone")) });
  await assert.rejects(
    engineInput(blob),
    new SmallFirstError("input_kind", "the Blob could not be read: the file is gone"),
  );
});
