// The packages as they are published: what is in them, and the command that sets an app up.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { fails, project, root, run, tarball } from "./project.mjs";

function manifestOf(folder) {
  return JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
}

test("npm installs both tarballs in an empty folder, and the command copies a task that then answers", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "smallfirst-dist-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const install = [
    "install",
    "--offline",
    "--no-audit",
    "--no-fund",
    tarball("smallfirst"),
    tarball("smallfirst-models"),
  ];
  await run(folder, "npm", ...install);
  // As the page of the package says it.
  const page = readFileSync(join(root, "pkg/models/README.md"), "utf8");
  const [, command] = /^npx (smallfirst add-models .*)$/m.exec(page);
  const said = await run(folder, "npx", "--no-install", ...command.split(" "));
  assert.match(said, /^copied 1\d files, \d+\.\d MB, to public\/models: language, spam\n/);
  assert.match(said, /createSmallFirst\(\{ bundle: "\/models\/" \}\)/);

  const [models, installed] = [join(folder, "public/models"), join(folder, "node_modules/smallfirst-models")];
  const { files } = manifestOf(models);
  for (const file of Object.keys(files)) assert.equal(statSync(join(models, file)).size, files[file].bytes, file);
  assert.ok(existsSync(join(models, "static-text/NOTICE")) && existsSync(join(models, "NOTICE")));
  assert.ok(!existsSync(join(models, "file-type")));
  // The engine takes it, and answers as with the whole bundle.
  writeFileSync(
    join(folder, "ask.mjs"),
    `import { createSmallFirst } from "smallfirst";
     const answers = [];
     for (const bundle of ["./public/models/", import.meta.resolve("smallfirst-models/manifest.json")]) {
       const ai = await createSmallFirst({ bundle, mode: "only-local" });
       answers.push([await ai.run("spam", "You have won a free prize, click here to claim it now"),
         await ai.run("language", "Entschuldigen Sie bitte, wo ist der Bahnhof?")].map((a) => [a.output, a.confidence, a.guaranteed]));
     }
     console.log(JSON.stringify(answers));`,
  );
  const [some, all] = JSON.parse(await run(folder, process.execPath, "ask.mjs"));
  assert.equal(some[0][0].label, "spam");
  assert.equal(some[1][0].label, "deu");
  assert.deepEqual(some, all);
  // What is installed is what the manifest names, and what tells of it.
  const there = execFileSync("find", [".", "-type", "f"], { cwd: installed, encoding: "utf8" }).trim().split("\n");
  const named = new Set(Object.keys(manifestOf(installed).files).map((file) => `./${file}`));
  const more = there.filter((file) => !named.has(file) && !/\/(LICENSE|NOTICE)$/.test(file)).sort();
  assert.deepEqual(more, ["./README.md", "./manifest.json", "./package.json"]);
});

test("the command says what is wrong, and ends with another code where it was typed wrongly", async (t) => {
  const folder = project(t);
  const smallfirst = (...args) =>
    fails(folder, process.execPath, join(folder, "node_modules/smallfirst/dist/cli/main.js"), ...args);
  const unknown = await smallfirst("add-models", "--tasks", "mood");
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /^smallfirst: there is no task "mood"; the tasks are answer, file-type, language, /);
  for (const args of [["add"], ["init", "--for", "gulp"], ["add-models", "a", "b"], ["add-models", "--task", "spam"]]) {
    const { code, stderr } = await smallfirst(...args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^smallfirst: .*; see --help\n$/);
  }
  const path = join(folder, "node_modules/smallfirst-models/package.json");
  const about = JSON.parse(readFileSync(path, "utf8"));
  const { version } = about;
  writeFileSync(path, JSON.stringify({ ...about, version: "0.9.0" }));
  const { stderr } = await smallfirst("add-models");
  assert.match(
    stderr,
    new RegExp(`smallfirst-models 0\\.9\\.0 does not belong to smallfirst ${version.replaceAll(".", "\\.")}`),
  );
});

test("publint has nothing to say of the packages", async (t) => {
  const folder = project(t);
  for (const name of ["smallfirst", "smallfirst-models"]) {
    const { messages, pkg } = await publint({ pkgDir: join(folder, "node_modules", name), pack: false, strict: true });
    assert.deepEqual(
      messages.map((message) => formatMessage(message, pkg)),
      [],
    );
  }
});

test("the types of every entry point are found by Node's resolution and by bundlers'", async () => {
  const { problems, entrypoints } = await checkPackage(
    createPackageFromTarballData(new Uint8Array(readFileSync(tarball("smallfirst")))),
  );
  assert.ok(Object.keys(entrypoints).length > 10);
  // The package has modules alone: scripts of the older kind import them, and tools from before `exports` do not find them. Files of
  // WebAssembly and JSON have no types.
  const wrong = problems.filter(
    ({ kind, entrypoint, resolutionKind }) =>
      kind !== "CJSResolvesToESM" && resolutionKind !== "node10" && !/\.(wasm|json)$/.test(entrypoint ?? ""),
  );
  assert.deepEqual(wrong, []);
});
