// Apps whose own tests import the package: with vitest, in Node's environment and in jsdom's, as docs/places/testing.md says.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { here, project, run } from "./project.mjs";
import { blocks } from "./words.mjs";

const PAGE = blocks("docs/places/testing.md");

const MORE = (type) => `
test("the package harms nothing, and reads bytes", async () => {
  expect(typeof window).toBe("${type}");
  await expect(createSmallFirst({ bundle: "./nowhere/", storage: "two words" })).rejects.toMatchObject({ code: "invalid_option" });
  const ai = await createSmallFirst({ bundle: "node_modules/smallfirst-models/", mode: "only-local" });
  const { output } = await ai.run("file-type", new TextEncoder().encode("#!/bin/sh\\necho it goes on\\n"));
  expect(output.label).toBe("shell");
  ai.dispose();
});
`;

test("vitest imports the package in both environments, and it answers there", async (t) => {
  const folder = project(t, ["vitest", "jsdom"]);
  mkdirSync(join(folder, "test"));
  const [code] = PAGE.filter(({ language }) => language === "js").map(({ code }) => code);
  const commands = PAGE.find(({ heading }) => heading === "vitest")
    .code.trim()
    .split("\n");
  assert.equal(commands.length, 2);
  for (const [at, command] of commands.entries()) {
    const [npx, vitest, ...args] = command.split(" ");
    assert.deepEqual([npx, vitest, args.includes("jsdom")], ["npx", "vitest", at === 1]);
    writeFileSync(join(folder, "test/language.test.js"), `${code}${MORE(at === 1 ? "object" : "undefined")}`);
    const said = await run(folder, process.execPath, join(here, "node_modules/vitest/vitest.mjs"), ...args);
    assert.match(said, /Tests .*2 passed/);
  }
});
