import assert from "node:assert/strict";
import { test } from "node:test";
import type { TextAnswer } from "../src/api.js";
import { Pieces } from "../src/stream.js";
import { answer, isSettled, settle } from "./fakes.js";

const WHOLE: TextAnswer = { ...answer("spam"), output: { text: "Hello, world", truncated: false } };

/** A text whose pieces the test gives. */
function text() {
  const seen = { more: 0, cancelled: 0 };
  let take = (_text: string, _more: () => void): void => {};
  let finish = (_answer: TextAnswer): void => {};
  let fail = (_error: Error): void => {};
  const pieces = new Pieces(
    (taker) => {
      take = taker;
      return new Promise((resolve, reject) => {
        finish = resolve;
        fail = reject;
      });
    },
    () => seen.cancelled++,
  );
  return {
    pieces,
    seen,
    give: (piece: string) => take(piece, () => seen.more++),
    finish: () => finish(WHOLE),
    fail: (error: Error) => fail(error),
  };
}

async function all(pieces: AsyncIterable<string>): Promise<string[]> {
  const read: string[] = [];
  for await (const piece of pieces) read.push(piece);
  return read;
}

test("pieces come in their order, and then the answer", async () => {
  const { pieces, seen, give, finish } = text();
  give("Hel");
  const reading = all(pieces);
  await settle();
  give("lo, ");
  give("");
  give("world");
  finish();
  assert.deepEqual(await reading, ["Hel", "lo, ", "world"]);
  assert.equal(await pieces.answer, WHOLE);
  assert.deepEqual(seen, { more: 4, cancelled: 0 });
});

test("pieces that came before the end are still read after it", async () => {
  const { pieces, give, finish } = text();
  give("Hello");
  finish();
  await settle();
  assert.deepEqual(await all(pieces), ["Hello"]);
});

test("a slow reader slows the remote down, at 4096 characters that wait", async () => {
  const { pieces, seen, give, finish } = text();
  const reader = pieces[Symbol.asyncIterator]();
  give("x".repeat(4095));
  assert.equal(seen.more, 1);
  give("y");
  await settle();
  assert.equal(seen.more, 1);
  assert.equal((await reader.next()).value?.length, 4095);
  assert.equal(seen.more, 2);
  give("z".repeat(9000));
  assert.equal(seen.more, 2);
  assert.equal((await reader.next()).value, "y");
  // The long one itself still waits.
  assert.equal(seen.more, 2);
  assert.equal((await reader.next()).value?.length, 9000);
  assert.equal(seen.more, 3);
  finish();
  assert.deepEqual(await reader.next(), { value: undefined, done: true });
});

test("whoever asks for the answer alone is not held up by pieces that nobody reads", async () => {
  const { pieces, seen, give, finish } = text();
  give("x".repeat(5000));
  assert.equal(seen.more, 0);
  const whole = pieces.answer;
  assert.equal(seen.more, 1);
  give("y".repeat(5000));
  assert.equal(seen.more, 2);
  finish();
  assert.equal(await whole, WHOLE);
});

test("whoever reads pieces and asks for the answer, too, is still the one who sets the pace", async () => {
  const { pieces, seen, give, finish } = text();
  const reader = pieces[Symbol.asyncIterator]();
  const first = reader.next();
  give("a");
  assert.equal((await first).value, "a");
  const whole = pieces.answer;
  give("x".repeat(5000));
  assert.equal(seen.more, 1);
  assert.equal((await reader.next()).value?.length, 5000);
  assert.equal(seen.more, 2);
  finish();
  assert.equal(await whole, WHOLE);
});

test("whoever stops reading ends the call", async () => {
  const { pieces, seen, give } = text();
  give("Hel");
  give("lo");
  for await (const piece of pieces) {
    assert.equal(piece, "Hel");
    break;
  }
  assert.equal(seen.cancelled, 1);
});

test("a failure comes after the pieces that were there, and does not end the call again", async () => {
  const { pieces, seen, give, fail } = text();
  const read: string[] = [];
  const reading = (async () => {
    for await (const piece of pieces) read.push(piece);
  })();
  give("Hel");
  await settle();
  fail(new Error("the server broke off"));
  await assert.rejects(reading, { message: "the server broke off" });
  assert.deepEqual(read, ["Hel"]);
  await assert.rejects(pieces.answer, { message: "the server broke off" });
  assert.equal(seen.cancelled, 0);
});

test("a failure that nobody asks about is no unhandled one", async () => {
  const { fail } = text();
  fail(new Error("nobody listens"));
  await settle();
});

test("a reader waits for the next piece, and for no other", async () => {
  const { pieces, give } = text();
  const next = pieces[Symbol.asyncIterator]().next();
  assert.equal(await isSettled(next), false);
  give("");
  assert.equal(await isSettled(next), false);
  give("now");
  assert.deepEqual(await next, { value: "now", done: false });
});
