import assert from "node:assert/strict";
import { test } from "node:test";
import { SmallFirstError, describe, fromWire, toWire } from "../src/errors.js";
import { answer } from "./fakes.js";

test("an error keeps its code and its attempts on the way between threads", () => {
  const { attempts } = answer("spam");
  const error = fromWire(
    structuredClone(toWire(new SmallFirstError("remote_unreachable", "nobody answers", attempts))),
  );
  assert.ok(error instanceof SmallFirstError);
  assert.ok(error instanceof Error);
  const { name, code, message } = error;
  assert.deepEqual(
    { name, code, message },
    { name: "SmallFirstError", code: "remote_unreachable", message: "nobody answers" },
  );
  assert.deepEqual(error.attempts, attempts);
});

test("an error has no attempts where nothing was tried", () => {
  assert.deepEqual(new SmallFirstError("disposed", "it is gone").attempts, []);
});

test("an error of another class that has a code keeps it", () => {
  // As the engine's are, which come from wasm-bindgen.
  const engine = Object.assign(new Error("too long"), { code: "input_too_long", attempts: "none" });
  assert.deepEqual(toWire(engine), { code: "input_too_long", message: "too long", attempts: [] });
});

test("what has no code of ours is internal", () => {
  const numbered = Object.assign(new Error("aborted"), { code: 20 });
  assert.deepEqual(toWire(numbered), { code: "internal", message: "aborted", attempts: [] });
  assert.deepEqual(toWire("a string"), { code: "internal", message: "a string", attempts: [] });
  assert.deepEqual(toWire({ code: "unknown_task" }), { code: "internal", message: "[object Object]", attempts: [] });
});

test("whatever was thrown is told in words", () => {
  const unspeakable = {
    toString(): string {
      throw new Error("no");
    },
  };
  const cases: [unknown, string][] = [
    [new Error("it broke"), "it broke"],
    [new RangeError(), "RangeError"],
    ["it broke", "it broke"],
    [undefined, "undefined"],
    [null, "null"],
    [42, "42"],
    [unspeakable, "something that cannot be shown was thrown"],
    [Object.create(null), "something that cannot be shown was thrown"],
  ];
  for (const [thrown, words] of cases) assert.equal(describe(thrown), words);
});
