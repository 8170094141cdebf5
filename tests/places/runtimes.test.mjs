// One engine: what the command line says natively, Node, Deno and Bun say too, without a page or a worker.

import assert from "node:assert/strict";
import { cpSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { agreement, compare, FEWER, INPUTS, lines, natively, sample, TASKS } from "./parity.mjs";
import { fails, here, project, run } from "./project.mjs";

/** The runtimes of the tests of the proxy. */
const others = join(here, "../e2e/proxy/node_modules/.bin");
const RUNTIMES = [
  ["Node", INPUTS, process.execPath],
  ["Bun", FEWER, join(others, "bun")],
  ["Deno", FEWER, join(others, "deno"), "run", "--allow-read", "--allow-env"],
];

for (const [task, file] of TASKS) {
  test(`${task}: Node, Bun and Deno agree with the command line on real inputs`, async (t) => {
    const rows = sample(file, INPUTS);
    const folder = project(t);
    const native = await natively(folder, task, rows);
    cpSync(join(here, "fixtures/answers.mjs"), join(folder, "answers.mjs"));
    for (const [name, count, ...command] of RUNTIMES) {
      assert.ok(existsSync(command[0]), `${command[0]} is missing: run npm ci in tests/e2e/proxy`);
      const some = rows.slice(0, count);
      writeFileSync(join(folder, "rows.json"), JSON.stringify(some));
      const ours = lines(await run(folder, ...command, "answers.mjs", task, "rows.json"));
      t.diagnostic(agreement(name, some, compare(task, ours, native, some)));
    }
  });
}

test("a process ends by itself, and a bundle comes from disk or from a server", async (t) => {
  const folder = project(t);
  writeFileSync(
    join(folder, "main.mjs"),
    `import { createServer } from "node:http";
     import { readFile } from "node:fs/promises";
     import { fileURLToPath } from "node:url";
     import { createSmallFirst } from "smallfirst";
     const models = import.meta.resolve("smallfirst-models/manifest.json");
     const asked = [];
     const server = createServer(async (request, response) => {
       asked.push(request.url);
       response.end(await readFile(new URL("." + request.url, models)));
     }).listen(0, "127.0.0.1", async () => {
       const labels = [];
       const places = ["node_modules/smallfirst-models", fileURLToPath(models), models, \`http://127.0.0.1:\${server.address().port}/\`];
       for (const bundle of places) {
         const ai = await createSmallFirst({ bundle, preload: ["language"] });
         labels.push((await ai.run("language", "Ceci est une phrase assez longue en français.")).output.label);
         ai.dispose();
         const late = await ai.run("language", "Bonjour").catch((error) => error.code);
         labels.push(late);
       }
       server.close();
       console.log(JSON.stringify({ labels, asked: asked.sort() }));
     });`,
  );
  const before = performance.now();
  const { labels, asked } = JSON.parse(await run(folder, process.execPath, "main.mjs"));
  assert.deepEqual(labels, Array(4).fill(["fra", "disposed"]).flat());
  assert.deepEqual(asked, ["/language/head.sfm", "/language/ngrams.sfng", "/manifest.json"]);
  // Nothing waits for a timer: a worker's lock alone would be kept for two seconds.
  t.diagnostic(`${Math.round(performance.now() - before)} ms from start to end`);
});

test("threads of the process give the same answers, share what is kept, and end with their work", async (t) => {
  const folder = project(t);
  cpSync(join(here, "fixtures/threads.mjs"), join(folder, "main.mjs"));
  for (const [name, , ...command] of RUNTIMES) {
    const permissions = name === "Deno" ? ["--allow-net", "--allow-sys"] : [];
    const said = JSON.parse(await run(folder, ...command, ...permissions, "main.mjs"));
    const outcomes = ["remote", "remote", "over_budget"];
    assert.deepEqual({ name, ...said }, { name, answers: 1, file: "shell", outcomes, asked: 2, today: 2 });
  }
});

test("a thread that is gone takes no call with it", async (t) => {
  const folder = project(t);
  writeFileSync(
    join(folder, "main.mjs"),
    `import process from "node:process";
     import { createSmallFirst } from "smallfirst";
     const threads = [];
     process.on("worker", (thread) => threads.push(thread));
     const ai = await createSmallFirst({ bundle: import.meta.resolve("smallfirst-models/manifest.json"), mode: "only-local", workers: 1 });
     const asked = ai.run("language", "Wo ist denn hier der Bahnhof, bitte?");
     void threads[0].terminate();
     const { output } = await asked;
     console.log(output.label, threads.length);`,
  );
  assert.equal(await run(folder, process.execPath, "main.mjs"), "deu 2\n");
});

test("what is not there, not whole or meant for pages is refused with what to do", async (t) => {
  const folder = project(t);
  writeFileSync(
    join(folder, "main.mjs"),
    `import { writeFile } from "node:fs/promises";
     import { createSmallFirst, SmallFirstError } from "smallfirst";
     const bundle = "node_modules/smallfirst-models/";
     await writeFile(bundle + "language/head.sfm", "damaged");
     for (const options of [{ bundle: "./nowhere/" }, { bundle, workers: 40 },
       { bundle, remote: { provider: "openai", baseUrl: "/llm/v1", model: "m" } }])
       await createSmallFirst(options).catch((error) => console.log(error instanceof SmallFirstError, error.code, error.message));
     const ai = await createSmallFirst({ bundle });
     await ai.run("language", "Ceci est une phrase.", { mode: "only-local" }).catch((error) => console.log(JSON.stringify(error.attempts)));
     const again = await ai.run("file-type", new TextEncoder().encode("#!/bin/sh\\necho it goes on\\n"));
     console.log(again.output.label);`,
  );
  const [nowhere, workers, remote, damaged, on] = (await run(folder, process.execPath, "main.mjs")).trim().split("\n");
  assert.match(nowhere, /^true not_a_bundle there is no manifest at file:\/\/.*\/nowhere\/manifest\.json/);
  assert.match(workers, /^true invalid_option workers must be a whole number from 1 to 16/);
  assert.match(remote, /^true invalid_option remote\.baseUrl is \/llm\/v1; .* name the server/);
  assert.match(damaged, /"(file_size|hash_mismatch)"/);
  assert.equal(on, "shell");
});

test("bundled for Node, it takes the WebAssembly that is installed or named, and says what to do where there is none", async (t) => {
  const folder = project(t);
  writeFileSync(
    join(folder, "main.mjs"),
    `import { createSmallFirst } from "smallfirst";
     const wasm = process.argv[2];
     createSmallFirst({ bundle: "node_modules/smallfirst-models", wasm })
       .then((ai) => ai.run("language", "Ceci est une phrase assez longue en français.", { mode: "only-local" }))
       .then(({ output }) => console.log(output.label), ({ code, message }) => console.log(code, message));`,
  );
  const outputs = ["out/main.mjs", "out/main.cjs"];
  for (const outfile of outputs) {
    const format = outfile.endsWith(".cjs") ? "cjs" : "esm";
    const options = {
      absWorkingDir: folder,
      entryPoints: ["main.mjs"],
      bundle: true,
      platform: "node",
      logLevel: "silent",
    };
    assert.deepEqual((await build({ ...options, format, outfile })).warnings, []);
    assert.equal(await run(folder, process.execPath, outfile), "fra\n");
  }
  await run(folder, process.execPath, "node_modules/smallfirst/dist/cli/main.js", "add-engine", "copied");
  rmSync(join(folder, "node_modules/smallfirst"), { recursive: true });
  for (const outfile of outputs) {
    assert.equal(await run(folder, process.execPath, outfile, "copied/wasm/"), "fra\n", outfile);
    assert.match(
      await run(folder, process.execPath, outfile),
      /^worker_failed .*there is no module at .*prepared.*\.wasm: keep smallfirst out of the bundle/,
    );
  }
});

test("the page's own entry does no harm where it is imported without a page", async (t) => {
  const folder = project(t);
  writeFileSync(
    join(folder, "main.mjs"),
    `import { createSmallFirst } from "./node_modules/smallfirst/dist/index.js";
     await createSmallFirst({ bundle: "https://site.example/models/" }).catch(({ code, message }) => console.log(code, message));`,
  );
  assert.match(await run(folder, process.execPath, "main.mjs"), /^worker_failed .*there are no workers here/);
  const { stderr } = await fails(folder, process.execPath, "-e", `require("smallfirst/nothing")`);
  assert.match(stderr, /ERR_PACKAGE_PATH_NOT_EXPORTED/);
});
