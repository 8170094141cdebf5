// What Electron is made of, as docs/places/electron.md says: a main process, which is Node, a page, and what is between them. Electron's
// binary cannot be had where the tests run; fixtures/electron stands for its module.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import webpack from "webpack";
import { launch, POLICY, TRUSTED } from "./pages.mjs";
import { here, project, run } from "./project.mjs";
import { follow } from "./words.mjs";

const GERMAN = "Entschuldigen Sie bitte, können Sie mir sagen, wo der Bahnhof ist?";
const PAGE = `<!doctype html><html><head><meta charset="utf-8"><title>Which language?</title><link rel="icon" href="data:,"></head>
<body><textarea></textarea><output></output><script type="module" src="page.js"></script></body></html>`;

/** The app of the page, and the module that stands for Electron's. */
async function app(t) {
  const folder = project(t);
  const { files } = await follow("docs/places/electron.md", folder);
  assert.deepEqual(files, ["page.js", "main.js", "preload.cjs"]);
  writeFileSync(join(folder, "site/index.html"), PAGE);
  const electron = join(folder, "node_modules/electron");
  mkdirSync(electron);
  cpSync(join(here, "fixtures/electron/index.js"), join(electron, "index.js"));
  writeFileSync(join(electron, "package.json"), `{"name":"electron","main":"index.js"}`);
  return folder;
}

/** Builds one file with webpack. A module has the ending `.mjs`. */
async function packed(folder, entry, target, path, filename) {
  const module = filename.endsWith(".mjs");
  const compiler = webpack({
    mode: "production",
    context: folder,
    entry,
    target,
    output: {
      path: join(folder, path),
      filename,
      module,
      ...(module ? { chunkFormat: "module" } : {}),
    },
    experiments: { outputModule: module, topLevelAwait: true },
    performance: false,
    optimization: { minimize: false },
  });
  const stats = await new Promise((resolve, reject) =>
    compiler.run((error, done) => (error ? reject(error) : resolve(done))),
  );
  await new Promise((resolve) => compiler.close(resolve));
  assert.deepEqual(stats.toJson({ all: false, errors: true, warnings: true }), { errors: [], warnings: [] });
}

/** Starts a main process, and gives the address of its window. */
async function started(t, folder, main) {
  const env = { ...process.env, POLICY: POLICY + TRUSTED };
  const child = spawn(process.execPath, [main], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill());
  let said = "";
  child.stderr.on("data", (part) => (said += part));
  for await (const line of createInterface({ input: child.stdout })) return line;
  assert.fail(`${main}: ${said.slice(-1000)}`);
}

/** Asks a main process as `ipcRenderer.invoke` does. */
async function invoked(address, name, ...args) {
  const response = await fetch(address, { method: "POST", body: JSON.stringify({ name, args }) });
  return response.ok ? response.json() : assert.fail(await response.text());
}

test("Electron's main process answers windows, as it is, and bundled by esbuild and webpack", async (t) => {
  const folder = await app(t);
  const options = {
    absWorkingDir: folder,
    entryPoints: ["main.js"],
    bundle: true,
    platform: "node",
    external: ["electron"],
    logLevel: "silent",
  };
  for (const [format, outfile] of [
    ["esm", "out/main.mjs"],
    ["cjs", "out/main.cjs"],
  ])
    assert.deepEqual((await build({ ...options, format, outfile })).warnings, []);
  await packed(folder, "./main.js", "electron-main", "packed", "main.cjs");
  await packed(folder, "./main.js", "electron-main", "modules", "main.mjs");
  for (const main of ["main.js", "out/main.mjs", "out/main.cjs", "packed/main.cjs", "modules/main.mjs"]) {
    const address = await started(t, folder, main);
    assert.equal(await invoked(address, "language", GERMAN), "German", main);
    const elsewhere = new URL("/..%5c..%5cpackage.json", address);
    assert.equal((await fetch(elsewhere)).status, 404, main);
  }
});

/** The names that a page has with `nodeIntegration`. */
const NODE = `Object.assign(globalThis, {
  global: globalThis,
  process: { type: "renderer", versions: { node: "22.0.0", electron: "39.0.0", chrome: "142.0.0.0" }, env: {}, platform: "linux", cwd: () => "/" },
  module: { exports: {} },
  exports: {},
  require: Object.assign((name) => { throw new Error("required: " + name); }, { resolve: (name) => name }),
  __filename: "/app/site/index.html",
  __dirname: "/app/site",
  setImmediate: (then) => setTimeout(then),
});`;

test("Electron's windows answer by a worker, with and without Node's names, and ask the main process", async (t) => {
  const folder = await app(t);
  await packed(folder, "./page.js", "web", "site", "page.js");
  const address = await started(t, folder, "main.js");
  const browser = await launch(t);
  const code = readFileSync(join(folder, "preload.cjs"), "utf8");
  // What a preload script has of Electron, in a world of its own.
  const preload = `{
    const electron = {
      contextBridge: { exposeInMainWorld: (name, api) => Object.assign(window, { [name]: api }) },
      ipcRenderer: { invoke: async (name, ...args) =>
        (await fetch("/", { method: "POST", body: JSON.stringify({ name, args }) })).json() },
    };
    ((require) => { ${code} })((name) => ({ electron })[name]);
  }`;
  for (const names of ["", NODE]) {
    const page = await (await browser.newContext()).newPage();
    const complaints = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.addInitScript(`${preload}\n${names}`);
    await page.goto(address);
    await page
      .waitForFunction(async (text) => {
        const box = document.querySelector("textarea");
        box.value = text;
        box.dispatchEvent(new Event("change"));
        await new Promise((resolve) => setTimeout(resolve, 100));
        return document.querySelector("output").textContent === "German";
      }, GERMAN)
      .catch((error) => assert.fail(`${error}: ${complaints.join("\n")}`));
    assert.equal(await page.evaluate((text) => window.main.language(text), GERMAN), "German");
    assert.equal(page.workers().length, 1);
    assert.deepEqual(complaints, []);
  }
});

test("webpack's electron-renderer takes Node's part: it answers where Node is, and says what is missing elsewhere", async (t) => {
  const folder = await app(t);
  writeFileSync(
    join(folder, "window.js"),
    `import { createSmallFirst } from "smallfirst";
     const ai = await createSmallFirst({ bundle: "site/models", mode: "only-local" });
     console.log((await ai.run("language", ${JSON.stringify(GERMAN)})).output.title);`,
  );
  // Node with a document: what such a window is.
  await packed(folder, "./window.js", "electron-renderer", "out", "window.mjs");
  const dom = pathToFileURL(join(here, "node_modules/jsdom/lib/api.js")).href;
  writeFileSync(
    join(folder, "start.mjs"),
    `import jsdom from ${JSON.stringify(dom)};
     const { window } = new jsdom.JSDOM("", { url: "file:///elsewhere/index.html" });
     Object.assign(globalThis, { window: globalThis, self: globalThis, document: window.document, location: window.location });
     await import("./out/window.mjs");`,
  );
  assert.equal(await run(folder, process.execPath, "start.mjs"), "German\n");
  // And a window without Node.
  await packed(folder, "./window.js", "electron-renderer", "site", "page.js");
  const address = await started(t, folder, "main.js");
  const page = await (await launch(t)).newPage();
  const failed = page.waitForEvent("pageerror");
  await page.goto(address);
  assert.match(String(await failed), /(global|require) is not defined/);
});
