// Apps whose own tests import the package: with vitest, in Node's environment and in jsdom's.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { here, project, run } from "./project.mjs";

const TEST = (environment) => `// @vitest-environment ${environment}
import { createSmallFirst } from "smallfirst";
import { expect, test } from "vitest";

test("the package is there, and harms nothing", async () => {
  expect(typeof window).toBe(${JSON.stringify(environment === "jsdom" ? "object" : "undefined")});
  await expect(createSmallFirst({ bundle: "./nowhere/", storage: "two words" })).rejects.toMatchObject({ code: "invalid_option" });
});

test("it answers from disk", async () => {
  const ai = await createSmallFirst({ bundle: "node_modules/smallfirst-models/", mode: "only-local" });
  const { output, guaranteed } = await ai.run("language", "Entschuldigen Sie bitte, wo ist der Bahnhof?");
  expect([output.label, guaranteed]).toEqual(["deu", true]);
  ai.dispose();
});
`;

test("vitest imports the package in both environments, and it answers there", async (t) => {
  const folder = project(t, ["vitest", "jsdom"]);
  mkdirSync(join(folder, "test"));
  for (const environment of ["node", "jsdom"])
    writeFileSync(join(folder, `test/${environment}.test.js`), TEST(environment));
  await run(folder, process.execPath, join(here, "node_modules/vitest/vitest.mjs"), "run", "--root", folder);
});
