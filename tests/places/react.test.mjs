// The hooks with React itself, in jsdom, on real models.

import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { JSDOM } from "jsdom";
import { here, project, withVectors } from "./project.mjs";

const GERMAN = "Entschuldigen Sie bitte, können Sie mir sagen, wo der Bahnhof ist?";
const FRENCH = "Pardon, pourriez-vous me dire où se trouve la gare, s'il vous plaît ?";

/** A page with React, and the package as an app there has it. */
async function page(t) {
  const folder = project(t);
  // React has one copy of itself, which is found beside the package, too; a link would lead out of the project.
  for (const name of ["react", "react-dom", "scheduler"])
    cpSync(join(here, "node_modules", name), join(folder, "node_modules", name), { recursive: true });
  const dom = new JSDOM(`<main></main>`, { url: "http://localhost/" });
  const { window } = dom;
  const globals = { window, document: window.document, navigator: window.navigator, IS_REACT_ACT_ENVIRONMENT: true };
  for (const [name, value] of Object.entries(globals)) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    t.after(() =>
      before ? Object.defineProperty(globalThis, name, before) : Reflect.deleteProperty(globalThis, name),
    );
  }
  t.after(() => dom.window.close());
  const of = (name) => import(pathToFileURL(createRequire(join(folder, "package.json")).resolve(name)).href);
  const React = (await of("react")).default;
  const { createRoot } = (await of("react-dom/client")).default;
  const hooks = await import(pathToFileURL(join(folder, "node_modules/smallfirst/dist/react.js")).href);
  const { createSmallFirst } = await import(
    pathToFileURL(join(folder, "node_modules/smallfirst/dist/node/index.js")).href
  );
  const main = dom.window.document.querySelector("main");
  const root = createRoot(main);
  const bundle = join(folder, "node_modules/smallfirst-models/");
  const { act } = React;
  const until = async (what) => {
    for (let i = 0; i < 600; i++) {
      if (what()) return;
      await act(() => new Promise((resolve) => setTimeout(resolve, 50)));
    }
    assert.fail(`it does not come about: ${main.textContent}`);
  };
  return { React, h: React.createElement, hooks, createSmallFirst, main, root, act, until, bundle };
}

test("a task is asked in StrictMode: the status is shown, and a call of before does not overtake", async (t) => {
  const { React, h, hooks, main, root, act, until, bundle } = await page(t);
  const statuses = [];
  let call;
  function Language() {
    call = hooks.useTask("language", { topK: 1 });
    if (statuses.at(-1) !== call.status) statuses.push(call.status);
    return h("output", null, call.answer?.output.label ?? call.status);
  }
  const files = [];
  const options = { bundle, mode: "only-local", onProgress: ({ file }) => files.push(file) };
  const app = h(React.StrictMode, null, h(hooks.SmallFirstProvider, { options }, h(Language)));
  await act(() => root.render(app));
  let first;
  let second;
  await act(async () => {
    // Before the instance is there; and ended by the next one.
    first = call.run(GERMAN).catch((error) => error.name);
    second = call.run(FRENCH);
  });
  await until(() => main.textContent === "fra");
  assert.equal(await first, "AbortError");
  assert.equal((await second).output.scores.length, 1);
  assert.deepEqual(statuses, ["idle", "loading", "running", "done"]);
  assert.ok(files.includes("language/head.sfm"));
  assert.equal(call.progress.file.startsWith("language/"), true);
  // What the task refuses is shown as such, and thrown.
  let refused;
  await act(async () => {
    refused = await call.run("").catch((error) => error);
  });
  assert.equal(refused.code, "empty_input");
  assert.equal(call.status, "failed");
  assert.equal(call.error, refused);
  await act(() => root.unmount());
});

test("an unmounted component's call ends, and the provider's instance with the provider", async (t) => {
  const { h, hooks, createSmallFirst, root, act, until, bundle } = await page(t);
  const asked = [];
  const real = await createSmallFirst({ bundle, mode: "only-local" });
  t.after(() => real.dispose());
  const instance = {
    run: (task, input, options) => {
      asked.push(options.signal);
      return new Promise((_, reject) => options.signal.addEventListener("abort", () => reject(options.signal.reason)));
    },
  };
  let call;
  let shared;
  const Ask = () => ((call = hooks.useTask("language")), null);
  const Look = () => ((shared = hooks.useSmallFirst()), null);
  const tree = (inner, given) => h(hooks.SmallFirstProvider, given, h(Look), inner);
  await act(() => root.render(tree(h(Ask), { instance })));
  let ended;
  await act(async () => {
    ended = call.run(GERMAN).catch((error) => error.name);
  });
  assert.equal(asked[0].aborted, false);
  await act(() => root.render(tree(null, { instance })));
  assert.equal(asked[0].aborted, true);
  assert.equal(await ended, "AbortError");
  await act(() => root.render(h("p", null, "another page")));
  await act(() => root.render(tree(null, { options: { bundle, mode: "only-local" } })));
  await until(() => shared.ai !== undefined);
  const { ai } = shared;
  await act(() => root.unmount());
  assert.equal(await ai.tasks().catch(({ code }) => code), "disposed");
  // An instance of the app's own stays.
  assert.equal((await real.run("language", GERMAN)).output.label, "deu");
});

test("a text comes piece by piece, and what the provider cannot make is told", async (t) => {
  const { h, hooks, main, root, act, until, bundle } = await page(t);
  let call;
  function Summary() {
    call = hooks.useGenerate("mood", { instruction: "Say something kind." });
    return h("output", null, call.status === "failed" ? call.error.code : call.text);
  }
  const answer = { output: { text: "one two", truncated: false } };
  const instance = {
    generate: () => ({
      async *[Symbol.asyncIterator]() {
        for (const piece of ["one", " two"]) {
          yield piece;
          await new Promise((resolve) => setTimeout(resolve, 300));
        }
      },
      answer: Promise.resolve(answer),
    }),
  };
  await act(() => root.render(h(hooks.SmallFirstProvider, { instance }, h(Summary))));
  let given;
  await act(async () => {
    given = call.run("hello");
  });
  await until(() => main.textContent === "one");
  assert.equal(call.status, "running");
  await until(() => main.textContent === "one two");
  await act(async () => assert.equal(await given, answer));
  const options = { bundle, storage: "two words" };
  await act(() => root.render(h(hooks.SmallFirstProvider, { key: "other", options }, h(Summary))));
  let failed;
  await act(async () => {
    failed = call.run("hello").catch(({ code }) => code);
  });
  await until(() => main.textContent === "invalid_option");
  assert.equal(await failed, "invalid_option");
  await act(() => root.unmount());
});

test("an index is asked while one types, and a search ends the one before", async (t) => {
  const { h, hooks, createSmallFirst, main, root, act, until, bundle } = await page(t);
  const instance = await createSmallFirst({ bundle: withVectors(t, bundle), mode: "only-local" });
  t.after(() => instance.dispose());
  const notes = instance.index("notes", { task: "meaning" });
  const texts = ["The train to Vienna leaves at nine.", "Our cat had four kittens.", "The invoice has to be paid."];
  assert.equal(await notes.put(texts.map((text, at) => ({ id: String(at), text }))), 3);
  let call;
  function Notes() {
    call = hooks.useSearch("notes", { task: "meaning", limit: 1 });
    return h("output", null, call.answer?.map(({ id }) => id).join() ?? call.status);
  }
  await act(() => root.render(h(hooks.SmallFirstProvider, { instance }, h(Notes))));
  assert.equal(main.textContent, "idle");
  let first;
  await act(async () => {
    first = call.run("railway station").catch((error) => error.name);
    call.run("pets");
  });
  await until(() => main.textContent === "1");
  assert.equal(await first, "AbortError");
  await act(() => call.run("money that I owe"));
  assert.equal(main.textContent, "2");
  await act(() => root.unmount());
});

test("the hooks have at most 3 kB", async (t) => {
  const folder = project(t);
  const { outputFiles } = await build({
    entryPoints: [join(folder, "node_modules/smallfirst/dist/react.js")],
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
    external: ["react", "smallfirst"],
  });
  const bytes = gzipSync(outputFiles[0].contents).length;
  t.diagnostic(`${bytes} bytes with gzip`);
  assert.ok(bytes <= 3 * 1024);
});
