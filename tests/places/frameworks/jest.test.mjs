// Apps whose own tests import the package: with jest, in Node's environment and in jsdom's, as docs/places/testing.md says.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { project } from "../project.mjs";
import { blocks } from "../words.mjs";
import { folder as here, node } from "./tools.mjs";

const PAGE = blocks("docs/places/testing.md");

const MORE = (type) => `
test("the package harms nothing, and reads bytes of either side", async () => {
  expect(typeof window).toBe("${type}");
  await expect(createSmallFirst({ bundle: "./nowhere/", storage: "two words" })).rejects.toMatchObject({ code: "invalid_option" });
  const ai = await createSmallFirst({ bundle: "node_modules/smallfirst-models/", mode: "only-local" });
  const script = new TextEncoder().encode("#!/bin/sh\\necho it goes on\\n");
  for (const bytes of [script, Uint8Array.from(script), Uint8Array.from(script).buffer, Buffer.from(script)]) {
    const { output } = await ai.run("file-type", bytes);
    expect(output.label).toBe("shell");
  }
  ai.dispose();
});
`;

test("jest imports the package in both environments, and it answers there", (t) => {
  const folder = project(t);
  mkdirSync(join(folder, "test"));
  for (const name of ["jest", "jest-environment-jsdom"])
    symlinkSync(join(here, "node_modules", name), join(folder, "node_modules", name));
  const [code, environment] = PAGE.filter(({ language }) => language === "js").map(({ code }) => code);
  assert.match(environment, /^\/\/ jsdom\.js\n/);
  writeFileSync(join(folder, "jsdom.js"), environment);
  const commands = PAGE.filter(({ heading, language }) => heading === "jest" && language === "sh");
  assert.equal(commands.length, 2);
  for (const [at, command] of commands.entries()) {
    const [program, ...args] = command.code.trim().split(" ");
    assert.deepEqual([program, args.includes("./jsdom.js")], ["node", at === 1]);
    const same = code.replace(`import { expect, test } from "vitest";\n`, "");
    assert.notEqual(same, code);
    writeFileSync(join(folder, "test/language.test.js"), `${same}${MORE(at === 1 ? "object" : "undefined")}`);
    const { status, stderr } = spawnSync(node, args, { cwd: folder, encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /Tests: .*2 passed/);
  }
});
