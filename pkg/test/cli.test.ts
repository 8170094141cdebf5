import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { addEngine } from "../src/cli/engine.js";
import { kindOf, modelsFolder, start } from "../src/cli/init.js";
import { addModels, fits, installedModels } from "../src/cli/models.js";
import { type Manifest, readManifest, subset } from "../src/cli/subset.js";

/** The repository. */
const ROOT = new URL("../../../../", import.meta.url).pathname;

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), "smallfirst-cli-"));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Writes a bundle whose files hold their own names. */
function bundle(into: string, files: string[], more: object): void {
  const entries = files.map((file) => {
    write(join(into, file), file);
    return [file, { bytes: file.length, sha256: createHash("sha256").update(file).digest("hex"), license: "MIT" }];
  });
  const manifest = { format: "smallfirst-bundle", version: 1, name: "b", revision: "r", ...more };
  write(join(into, "manifest.json"), JSON.stringify({ ...manifest, files: Object.fromEntries(entries) as unknown }));
}

/** A bundle of two tasks that share an encoder; one asks another for the language. */
function mails(into: string): void {
  bundle(
    into,
    [
      "t/encoder.sfm",
      "t/tokenizer.json",
      "t/README.md",
      "spam/head.sfm",
      "spam/README.md",
      "mood/head.sfm",
      "l/head.sfm",
    ],
    {
      tokenizers: { words: { kind: "hf-tokenizer", file: "t/tokenizer.json" } },
      encoders: { text: { file: "t/encoder.sfm", features: { kind: "tokens", tokenizer: "words" } } },
      heads: {
        spam: { file: "spam/head.sfm", encoder: "text" },
        mood: { file: "mood/head.sfm", encoder: "text" },
        language: { file: "l/head.sfm" },
      },
      tasks: {
        spam: { tiers: ["spam"], limits: { languages: { task: "language" } }, card: "spam/README.md" },
        mood: { tiers: ["mood"], limits: {} },
        language: { tiers: ["language"] },
      },
    },
  );
  write(join(into, "t/LICENSE"), "of the encoder");
  write(join(into, "mood/LICENSE"), "of the mood");
}

function manifestIn(path: string): Manifest {
  return readManifest(readFileSync(join(path, "manifest.json"), "utf8"), path);
}

test("the models of a task are those that the engine says it needs", () => {
  const fixture = join(ROOT, "tests/fixtures/task-files.json");
  const cases = JSON.parse(readFileSync(fixture, "utf8")) as {
    manifest: string | Manifest;
    files: Record<string, string[]>;
  }[];
  let compared = 0;
  for (const { manifest: given, files } of cases) {
    const manifest =
      typeof given === "string" ? (JSON.parse(readFileSync(join(ROOT, given), "utf8")) as Manifest) : given;
    for (const [task, needed] of Object.entries(files)) {
      const { files: copied } = subset(manifest, [task]);
      for (const file of needed) assert.ok(Object.hasOwn(copied, file), `${task} needs ${file}`);
      // Beside them: further tiers, and what tells of the models.
      const tiers = manifest.tasks[task]!.tiers?.length ?? 0;
      const more = Object.keys(copied).filter((file) => !needed.includes(file) && !/\.(md|json)$/.test(file));
      if (tiers < 2) assert.deepEqual(more, [], task);
      compared++;
    }
  }
  assert.ok(compared > 5);
});

test("a bundle of some tasks is made of their parts, has a revision of its own, and lists no other file", (t) => {
  const from = folder(t);
  mails(from);
  const made = subset(manifestIn(from), ["spam"]);
  assert.deepEqual(Object.keys(made.tasks), ["spam", "language"]);
  assert.deepEqual(Object.keys(made.heads!), ["spam", "language"]);
  assert.deepEqual(Object.keys(made.files).sort(), [
    "l/head.sfm",
    "spam/README.md",
    "spam/head.sfm",
    "t/README.md",
    "t/encoder.sfm",
    "t/tokenizer.json",
  ]);
  assert.match(made.revision, /^[0-9a-f]{12}$/);
  assert.notEqual(made.revision, subset(manifestIn(from), ["mood"]).revision);
  assert.equal(made.revision, subset(manifestIn(from), ["spam"]).revision);
  assert.throws(() => subset(manifestIn(from), ["toString"]), /no task "toString"; the tasks are language, mood, spam/);
});

test("models are copied with their licences, and what no task needs any more is removed, but not what somebody changed", (t) => {
  const [from, to] = [folder(t), join(folder(t), "public/models")];
  mails(from);
  const whole = addModels(from, to, undefined);
  assert.deepEqual(whole.tasks, ["language", "mood", "spam"]);
  // As it was packed, byte for byte, so that a pinned hash goes on to hold.
  assert.equal(readFileSync(join(to, "manifest.json"), "utf8"), readFileSync(join(from, "manifest.json"), "utf8"));
  assert.equal(readFileSync(join(to, "t/LICENSE"), "utf8"), "of the encoder");
  writeFileSync(join(to, "spam/README.md"), "changed");
  const some = addModels(from, to, ["mood"]);
  assert.deepEqual(some.removed.sort(), ["l/head.sfm", "spam/head.sfm"]);
  assert.deepEqual(Object.keys(manifestIn(to).tasks), ["mood"]);
  assert.ok(existsSync(join(to, "spam/README.md")) && existsSync(join(to, "mood/head.sfm")));
  assert.ok(!existsSync(join(to, "spam/head.sfm")));
});

test("a damaged bundle, one of a newer format and one on a foreign manifest are refused, and nothing is written", (t) => {
  const [from, to] = [folder(t), join(folder(t), "models")];
  mails(from);
  writeFileSync(join(from, "mood/head.sfm"), "mood/HEAD.sfm");
  assert.throws(() => addModels(from, to, undefined), /mood\/head\.sfm is not the file that the manifest names/);
  assert.ok(!existsSync(to));
  // The others are whole.
  addModels(from, to, ["language"]);

  const newer = folder(t);
  bundle(newer, [], { version: 2, tasks: {} });
  assert.throws(() => addModels(newer, to, undefined), /version 2 of the format, .* reads version 1/);
  const foreign = folder(t);
  write(join(foreign, "manifest.json"), `{ "name": "an app" }`);
  assert.throws(() => addModels(from, foreign, ["language"]), /is not the manifest of a bundle/);
  assert.equal(readFileSync(join(foreign, "manifest.json"), "utf8"), `{ "name": "an app" }`);
  bundle(newer, [], { tasks: {} });
  const leading = manifestIn(newer);
  leading.files["../outside"] = { bytes: 0, sha256: "" };
  writeFileSync(join(newer, "manifest.json"), JSON.stringify(leading));
  assert.throws(() => addModels(newer, to, undefined), /not in its folder/);
});

test("the installed models are found, and those of another version are refused with both versions", (t) => {
  const app = folder(t);
  assert.throws(() => installedModels(app, "0.1.0"), /npm install smallfirst-models@0\.1\.0/);
  const installed = join(app, "node_modules/smallfirst-models");
  mails(installed);
  const packed = JSON.parse(readFileSync(join(ROOT, "pkg/models/package.json"), "utf8")) as object;
  write(join(installed, "package.json"), JSON.stringify({ ...packed, version: "0.2.3" }));
  assert.equal(installedModels(app, "0.2.0"), installed);
  assert.throws(() => installedModels(app, "0.1.0"), /smallfirst-models 0\.2\.3 does not belong to smallfirst 0\.1\.0/);
});

test("versions belong together as semantic versioning says", () => {
  for (const [one, other, together] of [
    ["0.1.0", "0.1.9", true],
    ["0.1.0", "0.2.0", false],
    ["1.2.0", "1.9.3", true],
    ["1.2.0", "2.0.0", false],
    ["0.1.0", "1.1.0", false],
  ] as const)
    assert.equal(fits(one, other), together, `${one} and ${other}`);
});

test("the workers are copied with all that they import, and with the notices of others' work", (t) => {
  const [from, to] = [folder(t), join(folder(t), "out")];
  write(
    join(from, "worker.js"),
    `import { a } from "./a.js";\nimport init, {\n  B,\n} from "./wasm/b.js";\na(new URL("./wasm/b.wasm", import.meta.url));\n`,
  );
  write(join(from, "worker-onnx.js"), `import "./a.js";\n`);
  write(join(from, "a.js"), `export { c } from './deep/c.js';\n// import "./not.js"\n`);
  for (const file of ["deep/c.js", "wasm/b.js", "wasm/b.wasm", "THIRD-PARTY.txt", "index.js"])
    write(join(from, file), "");
  const copied = ["THIRD-PARTY.txt", "a.js", "deep/c.js", "wasm/b.js", "wasm/b.wasm", "worker-onnx.js", "worker.js"];
  assert.deepEqual(addEngine(from, to), copied);
  for (const file of copied) assert.ok(existsSync(join(to, file)), file);
  assert.ok(!existsSync(join(to, "index.js")));
  rmSync(join(from, "deep/c.js"));
  assert.throws(() => addEngine(from, to), /c\.js is missing: install the package anew/);
});

test("an app is started once, in the way of its bundler, and a file of its own is left alone", (t) => {
  const app = folder(t);
  assert.equal(kindOf(app), "plain");
  write(join(app, "package.json"), JSON.stringify({ dependencies: { next: "16" }, devDependencies: { webpack: "5" } }));
  assert.equal(kindOf(app), "next");
  write(join(app, "package.json"), JSON.stringify({ devDependencies: { vite: "8" } }));
  assert.equal(kindOf(app), "vite");
  assert.equal(modelsFolder("vite"), "public/models");
  write(join(app, "tsconfig.json"), "{}");
  const first = start(app, "vite", "spam");
  assert.deepEqual([first.file, first.written], ["src/smallfirst.ts", true]);
  assert.match(first.byHand.join("\n"), /ai\.run\("spam", text\)/);
  write(join(app, first.file), "mine");
  assert.equal(start(app, "vite", "spam").written, false);
  assert.equal(readFileSync(join(app, first.file), "utf8"), "mine");
  assert.equal(start(app, "plain", undefined).file, "public/smallfirst.js");
});
