// The package in Cloudflare's runtime, bundled as wrangler does it, with models as static assets.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { record, version } from "./matrix.mjs";
import { agreement, compare, FEWER, natively, sample, TASKS } from "./parity.mjs";
import { freePort, here, project } from "./project.mjs";
import { follow } from "./words.mjs";

/** That of the tests of the proxy. */
const WORKERD = join(here, "../e2e/proxy/node_modules/.bin/workerd");

/** Bundles a Worker as wrangler does: WebAssembly files stay files, which the runtime compiles. */
async function bundled(folder, entry) {
  const wasm = new Map();
  const files = {
    name: "wasm",
    setup: ({ onResolve }) =>
      onResolve({ filter: /\.wasm$/ }, ({ path, resolveDir }) => {
        wasm.set(basename(path), join(resolveDir, path));
        return { path: `./${basename(path)}`, external: true };
      }),
  };
  const { warnings } = await build({
    absWorkingDir: folder,
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
    outfile: "worker.js",
    plugins: [files],
    logLevel: "silent",
  });
  assert.deepEqual(warnings, []);
  for (const [name, path] of wasm) copyFileSync(path, join(folder, name));
  return [...wasm.keys()];
}

/** Starts a project's Worker, with the folder `public` as its assets. */
async function started(t, folder, entry) {
  assert.ok(existsSync(WORKERD), `${WORKERD} is missing: run npm ci in tests/e2e/proxy`);
  const modules = await bundled(folder, entry);
  const port = await freePort();
  writeFileSync(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "main", worker = .main), (name = "assets", disk = (path = "public")) ],
  sockets = [ (name = "http", address = "127.0.0.1:${port}", http = (), service = "main") ],
);
const main :Workerd.Worker = (
  modules = [ (name = "worker.js", esModule = embed "worker.js"),
    ${modules.map((name) => `(name = "${name}", wasm = embed "${name}")`).join(", ")} ],
  bindings = [ (name = "ASSETS", service = "assets") ],
  compatibilityDate = "2026-01-01",
);
`,
  );
  const child = spawn(WORKERD, ["serve", "config.capnp"], { cwd: folder, stdio: ["ignore", "inherit", "pipe"] });
  let said = "";
  child.stderr.on("data", (part) => (said += part));
  t.after(() => child.kill());
  for (let waited = 0; waited < 150; waited++) {
    const there = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: "" }).catch(() => undefined);
    if (there) return { address: `http://127.0.0.1:${port}/`, said: () => said };
    assert.equal(child.exitCode, null, said);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`workerd does not answer: ${said}`);
}

test("Cloudflare Workers: the page's Worker answers, for several requests at once", async (t) => {
  const folder = project(t);
  await follow("docs/places/workers.md", folder);
  const before = performance.now();
  const { address, said } = await started(t, folder, "src/index.js");
  const texts = ["Entschuldigen Sie bitte, wo ist der Bahnhof?", "Ceci est une phrase assez longue en français."];
  const ask = async (body) => {
    const response = await fetch(address, { method: "POST", body });
    return response.ok ? response.json() : assert.fail(`${response.status}: ${said()}`);
  };
  const answers = await Promise.all([...texts, ...texts].map(ask));
  const took = performance.now() - before;
  assert.deepEqual(
    answers.map(({ label, guaranteed }) => [label, guaranteed]),
    ["deu", "fra", "deu", "fra"].map((label) => [label, true]),
  );
  const installed = version(join(here, "../e2e/proxy/node_modules/workerd"));
  record(t, "Cloudflare Workers (workerd)", { version: installed, ms: took });
  assert.deepEqual(await ask(texts[0]), answers[0]);
});

test("Cloudflare Workers: the same answers as the command line", async (t) => {
  const folder = project(t);
  mkdirSync(join(folder, "public"));
  renameSync(join(folder, "node_modules/smallfirst-models"), join(folder, "public/models"));
  copyFileSync(join(here, "fixtures/worker.mjs"), join(folder, "worker.mjs"));
  const { address, said } = await started(t, folder, "worker.mjs");
  for (const [task, file] of TASKS) {
    const rows = sample(file, FEWER);
    const native = await natively(folder, task, rows);
    const inputs = rows.map(({ input, path }) => input ?? { bytes: readFileSync(path).toString("base64") });
    const response = await fetch(`${address}?task=${task}`, { method: "POST", body: JSON.stringify(inputs) });
    assert.ok(response.ok, said());
    const { answers, memory } = await response.json();
    t.diagnostic(agreement(task, rows, compare(task, answers, native, rows)));
    t.diagnostic(`the engine's memory so far: ${Math.round(memory / 1e6)} MB`);
    // What Cloudflare gives an isolate, less what JavaScript needs.
    assert.ok(memory < 100e6);
  }
});
