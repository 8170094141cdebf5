// The blocks of docs/places.md, of the page of the models and of pages in docs/places/, run as they stand.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { record, version } from "./matrix.mjs";
import { REPORTS } from "./pages.mjs";
import { here, project, root, run } from "./project.mjs";
import { blocks, follow } from "./words.mjs";

/** What bundlers.test.mjs runs. */
const ELSEWHERE = "Files on another origin";

const PAGES = {
  places: blocks("docs/places.md"),
  models: blocks("pkg/models/README.md"),
  react: blocks("docs/places/react.md"),
  openai: blocks("docs/places/openai.md"),
  "ai-sdk": blocks("docs/places/ai-sdk.md"),
};

/** The code of a block, of which there is one. */
function block(page, heading, language) {
  const fitting = PAGES[page].filter((one) => one.heading === heading && one.language === language);
  assert.equal(fitting.length, 1, `${page}: ${heading}, ${language}`);
  fitting[0].done = true;
  return fitting[0].code;
}

/** Runs a module in a project. */
async function main(folder, code) {
  writeFileSync(join(folder, "main.mjs"), code);
  return run(folder, process.execPath, "main.mjs");
}

const AI = `import { createSmallFirst } from "smallfirst";
const ai = await createSmallFirst({ bundle: import.meta.resolve("smallfirst-models/manifest.json"), mode: "only-local" });
const mail = "You have won a free prize! Click here now to claim your cash, this offer expires today.";
`;

test("the commands of the pages copy what they say", async (t) => {
  for (const [page, heading] of [
    ["places", "Models for a site"],
    ["models", "smallfirst-models"],
  ]) {
    const [install, add, ...more] = block(page, heading, "sh").trim().split("\n");
    assert.deepEqual([install, more], ["npm install smallfirst smallfirst-models", []]);
    const folder = project(t);
    const command = add.replace("npx smallfirst", "node node_modules/smallfirst/dist/cli/main.js").split(" ");
    assert.match(await run(folder, ...command), /^copied \d+ files, .* to public\/models: language, spam\n/);
  }
});

for (const [page, place, runtime] of [
  ["node", "Node", undefined],
  ["bun", "Bun", "bun"],
  ["deno", "Deno", "deno"],
]) {
  test(`${place}, as its page says`, async (t) => {
    const folder = project(t);
    const before = performance.now();
    const { printed } = await follow(`docs/places/${page}.md`, folder);
    const ms = performance.now() - before;
    assert.equal(printed, "deu true\n");
    const installed = runtime && version(join(here, "../e2e/proxy/node_modules", runtime));
    record(t, place, { version: installed ?? process.versions.node, ms });
    if (place === "Node") assert.equal(await run(folder, process.execPath, "threads.js"), "deu fin\n");
  });
}

test("the scripts for LLM clients and of what happens run", async (t) => {
  const folder = project(t, ["openai", "ai"]);
  assert.equal(
    await main(folder, `${block("models", "smallfirst-models", "js")}console.log((await ai.tasks()).length > 5);`),
    "true\n",
  );
  const client = block("openai", "OpenAI's client", "js");
  const asked = `import OpenAI from "openai";\n${AI}const [apiKey, baseURL] = ["k", "http://127.0.0.1:9/v1"];\n${client}
const schema = { type: "object", properties: { label: { type: "string", enum: ["ham", "spam"] } }, required: ["label"] };
const response_format = { type: "json_schema", json_schema: { name: "spam", schema } };
const said = await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: mail }], response_format });
console.log(said.model, said.choices[0].message.content);`;
  assert.equal(await main(folder, asked), `smallfirst/spam {"label":"spam"}\n`);
  const sdk = block("ai-sdk", "Vercel's AI SDK", "js");
  const names = `import { experimental_decide, generateText, Output, wrapLanguageModel } from "ai";\nimport { MockLanguageModelV4 } from "ai/test";\n`;
  // The model fails when it is asked.
  assert.equal(await main(folder, `${names}${AI}const model = new MockLanguageModelV4();\n${sdk}`), "spam spam true\n");
  const happens = block("places", "What happens", "js");
  const counted = `${AI}const counts = {};
const instrument = (name) => ({ add: (n) => (counts[name] = (counts[name] ?? 0) + n), record: () => {} });
const meter = { createCounter: instrument, createHistogram: instrument };
${happens}
console.groupCollapsed = console.table = () => {};
await ai.run("spam", mail);
console.log(counts["smallfirst.answers"], performance.getEntriesByName("smallfirst spam").length, typeof stop);`;
  assert.match(await main(folder, counted), /\n1 1 function\n$/);
});

test("the component renders, on a server too", async (t) => {
  const folder = project(t, ["react", "react-dom"]);
  writeFileSync(join(folder, "app.jsx"), block("react", "React", "jsx"));
  // One React for the page's code, the package and the server's part: the project's.
  await build({
    absWorkingDir: folder,
    stdin: {
      contents: `import { createElement } from "react";
        import { renderToString } from "react-dom/server";
        import { App } from "./app.jsx";
        export default () => renderToString(createElement(App));`,
      resolveDir: folder,
    },
    bundle: true,
    platform: "node",
    format: "cjs",
    jsx: "automatic",
    external: ["smallfirst"],
    alias: { "smallfirst/react": join(folder, "node_modules/smallfirst/dist/react.js") },
    outfile: join(folder, "app.cjs"),
    preserveSymlinks: true,
    logLevel: "silent",
  }).then(({ warnings }) => assert.deepEqual(warnings, []));
  // The package is a module, which a script of the older kind imports.
  const bundled = readFileSync(join(folder, "app.cjs"), "utf8").replace(
    /require\("smallfirst"\)/g,
    `globalThis.smallfirst`,
  );
  writeFileSync(join(folder, "app.cjs"), bundled);
  globalThis.smallfirst = await import(pathToFileURL(join(folder, "node_modules/smallfirst/dist/node/index.js")).href);
  t.after(() => delete globalThis.smallfirst);
  const { default: render } = createRequire(join(folder, "package.json"))("./app.cjs");
  const html = render();
  assert.match(html, /<textarea name="text"><\/textarea><output>idle<\/output>/);
});

test("every block of the pages was run", () => {
  for (const [page, all] of Object.entries(PAGES))
    for (const { heading, language, done } of all.filter(({ heading }) => heading !== ELSEWHERE))
      assert.ok(done, `${page}: ${heading}, ${language}`);
});

// Where the table is being measured, it is written afterwards.
test("the page of places leads to every page, and names the versions that are installed", { skip: REPORTS }, () => {
  const index = readFileSync(join(root, "docs/places.md"), "utf8");
  for (const file of readdirSync(join(root, "docs/places"))) assert.ok(index.includes(`(places/${file})`), file);
  const rows = [...index.matchAll(/^\| \[[^\]]+\]\(places\/([\w-]+)\.md\) \| ([\d.]*) \|/gm)];
  assert.ok(rows.length > 10);
  for (const [, page, known] of rows) {
    const at = join(here, "node_modules", page === "rspack" ? "@rspack/core" : page, "package.json");
    if (existsSync(at)) assert.equal(known, JSON.parse(readFileSync(at, "utf8")).version, page);
  }
});
