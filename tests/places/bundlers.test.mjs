// The package in pages that were made with several bundlers, or none, by the words of their pages in docs/: in Chromium, on a sub-path, under
// a strict Content-Security-Policy, with Trusted Types where the package makes the workers.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { record, version } from "./matrix.mjs";
import { launch, POLICY, serve, TRUSTED, visit } from "./pages.mjs";
import { freePort, here, project, run } from "./project.mjs";
import { blocks, follow } from "./words.mjs";

const GERMAN = "Entschuldigen Sie bitte, können Sie mir sagen, wo der Bahnhof ist?";
const ANSWER = "deu, guaranteed: true";

/** Parcel writes an import map into the page. */
const WITH_IMPORT_MAP = POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'");
const OF_BLOBS = POLICY.replace("worker-src 'self'", "worker-src blob:");

/** The pages, what of theirs is deployed, under which policy, and whose version counts. */
const PLACES = [
  { page: "plain", name: "A page without a bundler", policy: POLICY + TRUSTED },
  { page: "vite", name: "Vite", tool: "vite", deployed: "dist", policy: POLICY + TRUSTED },
  { page: "webpack", name: "webpack", tool: "webpack", policy: POLICY + TRUSTED },
  { page: "rspack", name: "Rspack", tool: "@rspack/core", policy: POLICY + TRUSTED },
  { page: "esbuild", name: "esbuild", tool: "esbuild", policy: POLICY },
  {
    page: "rollup",
    name: "Rollup",
    tool: "rollup",
    linked: ["@rollup/plugin-node-resolve"],
    policy: POLICY,
  },
  {
    page: "parcel",
    name: "Parcel",
    tool: "parcel",
    linked: ["@parcel/config-default"],
    about: { "@parcel/resolver-default": { packageExports: true } },
    policy: WITH_IMPORT_MAP,
  },
  { page: "inline", name: "One file, by esbuild", tool: "esbuild", policy: OF_BLOBS + TRUSTED },
  { page: "service-worker", name: "A service worker, by esbuild", tool: "esbuild", policy: POLICY },
];

/** Asks as a visitor does, as soon as the page listens, and gives how long the answer took from the visit's beginning. */
async function asks(page, complaints) {
  const took = await page
    .evaluate(
      ({ text, answer }) =>
        new Promise((resolve, reject) => {
          const box = document.querySelector("textarea");
          const shown = document.querySelector("output");
          box.value = text;
          const timer = setInterval(() => {
            if (shown.textContent === answer) resolve(performance.now());
            else if (performance.now() > 60_000) reject(new Error(`it shows ${shown.textContent}`));
            else return void box.dispatchEvent(new Event("change"));
            clearInterval(timer);
          }, 20);
        }),
      { text: GERMAN, answer: ANSWER },
    )
    .catch((error) => assert.fail(`${error.message}: ${complaints.join("\n")}`));
  assert.deepEqual(complaints, []);
  return took;
}

/** A project that a page was followed in. */
async function followed(t, page, { linked = [], about = {} } = {}) {
  const folder = project(t, linked);
  const path = join(folder, "package.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...about }));
  const { files } = await follow(`docs/${page}.md`, folder);
  assert.ok(files.length >= 2, page);
  return folder;
}

for (const { page: name, deployed = "public", policy, tool, ...more } of PLACES) {
  test(`${more.name}, as its page says`, async (t) => {
    const folder = await followed(t, `places/${name}`, more);
    const site = await serve(t, join(folder, deployed), { policy });
    const { page, complaints } = await visit(await launch(t), site.address);
    const ms = await asks(page, complaints);
    const known = tool && version(join(here, "node_modules", tool));
    record(t, more.name, { version: known, bytes: site.bytes, ms });
  });
}

test("Vite's server for development serves the page of docs/places/vite.md, too", async (t) => {
  const folder = await followed(t, "places/vite");
  const port = await freePort();
  const vite = join(here, "node_modules/vite/bin/vite.js");
  const child = spawn(process.execPath, [vite, "--port", String(port), "--strictPort", "--host", "127.0.0.1"], {
    cwd: folder,
    stdio: "ignore",
  });
  t.after(() => child.kill());
  const address = `http://127.0.0.1:${port}/`;
  for (let waited = 0; waited < 300; waited++) {
    if (await fetch(address).catch(() => undefined)) break;
    assert.equal(child.exitCode, null, "Vite ended");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { page, complaints } = await visit(await launch(t), address);
  // It loads the page again once it knows what is in it.
  await asks(page, complaints).catch(() => asks(page, complaints));
});

test("a page of several files and its models work offline after one visit, as docs/offline.md says", async (t) => {
  const folder = await followed(t, "offline");
  // A service worker is the page's own script, whose address its own policy would have to trust.
  const site = await serve(t, join(folder, "dist"), { policy: POLICY });
  const { page, complaints } = await visit(await launch(t), site.address);
  await page.waitForFunction(() => document.title === "Ready for offline use", undefined, { timeout: 60_000 });
  assert.deepEqual(complaints, []);
  await page.context().setOffline(true);
  site.close();
  const later = await page.context().newPage();
  await later.goto(site.address);
  await asks(later, []);
});

/** Puts a script into the page of a project, as esbuild bundles it. */
async function bundled(folder, contents) {
  await build({
    absWorkingDir: folder,
    stdin: { contents, resolveDir: folder },
    bundle: true,
    format: "esm",
    outfile: "public/main.js",
    logLevel: "silent",
  });
}

/** Makes the page of docs/places/esbuild.md, with another way to make its instance. */
async function listening(folder, makes) {
  const [html, js] = ["html", "js"].map(
    (language) => blocks("docs/places/esbuild.md").find((block) => block.language === language).code,
  );
  mkdirSync(join(folder, "public"), { recursive: true });
  writeFileSync(join(folder, "public/index.html"), html);
  await bundled(folder, makes + js.slice(js.indexOf("document.querySelector")));
}

test("the workers, the WebAssembly and the models come from another origin", async (t) => {
  const folder = project(t);
  const smallfirst = join(folder, "node_modules/smallfirst/dist/cli/main.js");
  await run(folder, process.execPath, smallfirst, "add-models", "cdn/models", "--tasks", "language");
  await run(folder, process.execPath, smallfirst, "add-engine", "cdn/smallfirst");
  const headers = { "access-control-allow-origin": "*" };
  const { address: other } = await serve(t, join(folder, "cdn"), { under: "/", headers });
  const { code } = blocks("docs/places.md").find(({ heading }) => heading === "Files on another origin");
  await listening(folder, code.replaceAll("https://cdn.example/", other));
  const { origin } = new URL(other);
  const policy = `default-src 'self'; script-src 'self' 'wasm-unsafe-eval' ${origin}; worker-src blob: ${origin}; connect-src ${origin}; img-src data:`;
  const { address } = await serve(t, join(folder, "public"), { policy });
  const { page, complaints } = await visit(await launch(t), address);
  await asks(page, complaints);
});

test("what add-engine prints to be pasted names the workers that it copied", async (t) => {
  const folder = project(t);
  const smallfirst = join(folder, "node_modules/smallfirst/dist/cli/main.js");
  await run(folder, process.execPath, smallfirst, "add-models", "public/models", "--tasks", "language");
  const printed = await run(folder, process.execPath, smallfirst, "add-engine");
  const pasted = printed.match(/^ {2}.*$|^$/gm).join("\n");
  await listening(folder, `import { createSmallFirst } from "smallfirst";\n${pasted}`);
  const { address } = await serve(t, join(folder, "public"), { policy: POLICY, under: "/" });
  const { page, complaints } = await visit(await launch(t), address);
  await asks(page, complaints);
});

/** A project that the page of the one file was followed in, and what a test makes of it. */
async function inlined(t, change = () => {}) {
  const folder = await followed(t, "places/inline");
  await change(folder, join(folder, "node_modules/smallfirst/dist/inline.js"));
  return folder;
}

test("one file: a page imports it from another origin, without a bundler", async (t) => {
  const folder = await inlined(t, (at, file) => {
    mkdirSync(join(at, "cdn"));
    copyFileSync(file, join(at, "cdn/inline.js"));
  });
  const { address: other } = await serve(t, join(folder, "cdn"), {
    under: "/",
    headers: { "access-control-allow-origin": "*" },
  });
  const main = readFileSync(join(folder, "main.js"), "utf8");
  writeFileSync(join(folder, "public/main.js"), main.replace("smallfirst/inline", `${other}inline.js`));
  const policy = OF_BLOBS.replace("script-src 'self'", `script-src 'self' ${new URL(other).origin}`);
  const site = await serve(t, join(folder, "public"), { policy });
  const { page, complaints } = await visit(await launch(t), site.address);
  await asks(page, complaints);
});

test("one file: a page without a server takes its models from a file of the visitor's", async (t) => {
  const folder = await inlined(t, async (at, file) => {
    await run(join(at, "public/models"), "python3", "-m", "zipfile", "-c", join(at, "models.zip"), ".");
    // A page from the disk may import nothing: the script stands in it. Its exports become what the rest of the script names.
    const script = readFileSync(file, "utf8").replace(
      /export\{(\w+) as SmallFirstError,(\w+) as createSmallFirst\};\s*$/,
      "const createSmallFirst = $2;",
    );
    assert.match(script, /const createSmallFirst = /);
    const html = `<!doctype html><meta charset="utf-8"><title>One file</title><input type="file"><textarea></textarea><output></output>
<script type="module">${script.replaceAll("</script", "<\\/script")}
document.querySelector("input").addEventListener("change", async ({ target }) => {
  const ai = await createSmallFirst({ bundle: target.files[0], mode: "only-local", cache: "none" });
  document.querySelector("textarea").addEventListener("change", async ({ target }) => {
    const { output, guaranteed } = await ai.run("language", target.value);
    document.querySelector("output").textContent = \`\${output.label}, guaranteed: \${guaranteed}\`;
  });
});
</script>`;
    writeFileSync(join(at, "page.html"), html);
  });
  const { page, complaints } = await visit(await launch(t), pathToFileURL(join(folder, "page.html")).href);
  await page.setInputFiles("input", join(folder, "models.zip"));
  await asks(page, complaints);
});

test("one file: what it cannot do is said", async (t) => {
  const folder = await inlined(t);
  const site = await serve(t, join(folder, "public"), { policy: POLICY });
  const { page, complaints } = await visit(await launch(t), site.address);
  await page.waitForEvent("pageerror", { timeout: 30_000 }).catch(() => {});
  assert.match(complaints.join("\n"), /the worker's script could not be loaded: .*Content-Security-Policy/);
  for (const [entry, says] of [
    ["inline", "smallfirst/inline"],
    ["in-thread", "smallfirst/in-thread"],
  ]) {
    const script = `import { createSmallFirst } from "smallfirst/${entry}";
globalThis.refused = createSmallFirst({ bundle: new URL("models/", document.baseURI), engine: "onnx"${entry === "in-thread" ? `, wasm: "wasm/x.wasm"` : ""} }).catch(({ code, message }) => [code, message]);`;
    await bundled(folder, script);
    const open = await serve(t, join(folder, "public"), { policy: OF_BLOBS });
    const { page: other } = await visit(await launch(t), open.address);
    await other.waitForFunction(() => globalThis.refused);
    const [code, message] = await other.evaluate(() => globalThis.refused);
    assert.match(code, /^(invalid_option|worker_failed)$/);
    assert.match(message, new RegExp(`there is no engine for ONNX models in ${says}: prepare the model`));
  }
});
