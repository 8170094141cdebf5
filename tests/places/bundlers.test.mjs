// The package in pages that were built with several bundlers, as their pages in docs/places/ say it, in Chromium, on a sub-path, under a
// strict Content-Security-Policy with Trusted Types.

import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { launch, POLICY, serve, TRUSTED, visit } from "./pages.mjs";
import { here, project, run } from "./project.mjs";
import { blocks } from "./words.mjs";

const PAGE = `<!doctype html><html><head><meta charset="utf-8"><title>waits</title><link rel="icon" href="data:,"></head>
<body><script type="module" src="main.js"></script></body></html>`;

/** What an app does: its own options between the bundle and the call. */
function main(more = "") {
  return `import { createSmallFirst } from "smallfirst";
const options = { bundle: new URL("models/", document.baseURI), mode: "only-local"${more} };
try {
  const ai = await createSmallFirst(options);
  const { output, reason, guaranteed } = await ai.run("language", "Entschuldigen Sie bitte, können Sie mir sagen, wo der Bahnhof ist?");
  document.title = [output.label, reason, guaranteed].join(" ");
} catch (error) {
  document.title = error.code + ": " + error.message;
}
`;
}

/** A project with the models of one task in the folder that is deployed, and the bundlers linked. */
async function app(t, ...linked) {
  const folder = project(t, linked);
  await run(
    folder,
    process.execPath,
    "node_modules/smallfirst/dist/cli/main.js",
    "add-models",
    "out/models",
    "--tasks",
    "language",
  );
  writeFileSync(join(folder, "main.js"), main());
  writeFileSync(join(folder, "out/index.html"), PAGE);
  return folder;
}

async function answers(t, folder, policy = POLICY + TRUSTED) {
  const { address } = await serve(t, join(folder, "out"), { policy });
  const { page, complaints } = await visit(await launch(t), address);
  await page.waitForFunction(() => document.title !== "waits", undefined, { timeout: 60_000 }).catch(() => {});
  assert.equal(await page.title(), "deu confident true", complaints.join("\n"));
  assert.deepEqual(complaints, []);
}

test("webpack finds the workers and the WebAssembly by itself", async (t) => {
  const folder = await app(t);
  const { default: webpack } = await import("webpack");
  const compiler = webpack({
    mode: "production",
    context: folder,
    entry: "./main.js",
    output: { path: join(folder, "out"), filename: "main.js", publicPath: "auto" },
    experiments: { topLevelAwait: true },
    performance: false,
  });
  const stats = await new Promise((resolve, reject) =>
    compiler.run((error, done) => (error ? reject(error) : resolve(done))),
  );
  await new Promise((resolve) => compiler.close(resolve));
  assert.deepEqual(stats.toJson({ all: false, errors: true, warnings: true }), { errors: [], warnings: [] });
  await answers(t, folder);
});

test("Rspack finds the workers and the WebAssembly by itself", async (t) => {
  const folder = await app(t);
  const { rspack } = await import("@rspack/core");
  const compiler = rspack({
    mode: "production",
    context: folder,
    entry: "./main.js",
    output: { path: join(folder, "out"), filename: "main.js", publicPath: "auto" },
    performance: false,
  });
  const stats = await new Promise((resolve, reject) =>
    compiler.run((error, done) => (error ? reject(error) : resolve(done))),
  );
  await new Promise((resolve) => compiler.close(resolve));
  assert.deepEqual(stats.toJson({ all: false, errors: true, warnings: true }).errors, []);
  await answers(t, folder);
});

test("Vite finds the workers and the WebAssembly by itself, on a base path", async (t) => {
  const folder = await app(t);
  const { build } = await import("vite");
  writeFileSync(join(folder, "index.html"), PAGE.replace("main.js", "/main.js"));
  const outDir = join(folder, "out");
  await build({
    root: folder,
    base: "/app/",
    logLevel: "silent",
    configFile: false,
    build: { outDir, emptyOutDir: false },
  });
  await answers(t, folder);
});

/** How an app names the workers that the package's command has copied. */
const COPIED = `,
  worker: (engine) => new Worker(
    new URL(engine === "onnx" ? "smallfirst/worker-onnx.js" : "smallfirst/worker.js", document.baseURI), { type: "module" })`;

/** The same with the workers as files of the site. They are made by the app, so the policy for trusted addresses is the app's. */
async function withEngine(t) {
  const folder = await app(t);
  await run(folder, process.execPath, "node_modules/smallfirst/dist/cli/main.js", "add-engine", "out/smallfirst");
  writeFileSync(join(folder, "main.js"), main(COPIED));
  return folder;
}

test("esbuild: the workers are files of the site", async (t) => {
  const folder = await withEngine(t);
  const { build } = await import("esbuild");
  const { warnings } = await build({
    absWorkingDir: folder,
    entryPoints: ["main.js"],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    outfile: "out/main.js",
    logLevel: "silent",
  });
  assert.deepEqual(warnings, []);
  await answers(t, folder, POLICY);
});

test("Rollup: the workers are files of the site", async (t) => {
  const folder = await withEngine(t);
  const { rollup } = await import("rollup");
  const { nodeResolve } = await import("@rollup/plugin-node-resolve");
  const warnings = [];
  const bundle = await rollup({
    input: join(folder, "main.js"),
    plugins: [nodeResolve({ browser: true })],
    onwarn: ({ message }) => warnings.push(message),
  });
  // What hears sounds is a file of its own, fetched when it is used.
  await bundle.write({ dir: join(folder, "out"), format: "es" });
  await bundle.close();
  assert.deepEqual(warnings, []);
  await answers(t, folder, POLICY);
});

test("Parcel: the workers are files of the site, once it reads what a package exports", async (t) => {
  const folder = await withEngine(t);
  const about = { name: "app", private: true, "@parcel/resolver-default": { packageExports: true } };
  writeFileSync(join(folder, "package.json"), JSON.stringify(about));
  writeFileSync(join(folder, "index.html"), PAGE);
  const parcel = join(here, "node_modules/.bin/parcel");
  const config = join(here, "node_modules/@parcel/config-default/index.json");
  await run(
    folder,
    parcel,
    "build",
    "index.html",
    "--dist-dir",
    "out",
    "--public-url",
    "./",
    "--no-cache",
    "--no-source-maps",
    "--config",
    config,
  );
  // Parcel writes an import map into the page, which a policy has to allow.
  await answers(t, folder, POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'"));
});

test("the workers, the WebAssembly and the models come from another origin", async (t) => {
  const folder = await app(t);
  const cdn = join(folder, "cdn");
  await run(folder, process.execPath, "node_modules/smallfirst/dist/cli/main.js", "add-engine", "cdn/smallfirst");
  renameSync(join(folder, "out/models"), join(cdn, "models"));
  const headers = { "access-control-allow-origin": "*" };
  const { address: other } = await serve(t, cdn, { under: "/", headers });
  const { code } = blocks("docs/places.md").find(({ heading }) => heading === "Files on another origin");
  const asks = main()
    .replace(/^import .*\n/, "")
    .replace("const ai = await createSmallFirst(options);", "");
  writeFileSync(join(folder, "main.js"), `${code.replaceAll("https://cdn.example/", other)}${asks}`);
  const { build } = await import("esbuild");
  await build({
    absWorkingDir: folder,
    entryPoints: ["main.js"],
    bundle: true,
    format: "esm",
    outfile: "out/main.js",
    logLevel: "silent",
  });
  const { origin } = new URL(other);
  const policy = `default-src 'self'; script-src 'self' 'wasm-unsafe-eval' ${origin}; worker-src blob: ${origin}; connect-src ${origin}; img-src data:`;
  await answers(t, folder, policy);
});
