import assert from "node:assert/strict";
import { test } from "node:test";
import { change, strings } from "../src/memory.js";

test("changes of a string wait for each other, and one that fails changes nothing and keeps nobody waiting", async () => {
  let give: (value: string) => void = () => {};
  const first = change("turns", "key", () => new Promise<string>((resolve) => (give = resolve)));
  const seen: string[] = [];
  const second = strings("turns").update("key", (before) => {
    seen.push(String(before));
    return `${before} and more`;
  });
  const failing = change("turns", "key", async () => {
    throw new Error("the thread is gone");
  });
  const other = strings("turns").update("other", () => "at once");
  await other;
  assert.equal(seen.length, 0);
  give("first");
  await Promise.all([first, second]);
  assert.deepEqual(seen, ["first"]);
  await assert.rejects(failing, /the thread is gone/);
  await strings("turns").update("key", (before) => {
    seen.push(String(before));
    return undefined;
  });
  await strings("turns").update("key", (before) => {
    seen.push(String(before));
    return before;
  });
  assert.deepEqual(seen, ["first", "first and more", "undefined"]);
});
