import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { VERSION, assertOnlyVersion, assertSameVersion } from "../src/version.js";
import { createSmallFirst } from "../src/smallfirst.js";
import { refused, workers } from "./fakes.js";

/** The package's folder. */
const PACKAGE = new URL("../../../", import.meta.url);

test("the version is the one that the packages are published as", () => {
  for (const file of ["package.json", "models/package.json"]) {
    const { version } = JSON.parse(readFileSync(new URL(file, PACKAGE), "utf8")) as { version: string };
    assert.equal(VERSION, version, file);
  }
});

test("two versions in a page may not share what is kept, and the error names both", () => {
  assertOnlyVersion("shared", "0.1.0");
  assertOnlyVersion("shared", "0.1.0");
  assertOnlyVersion("other", "0.2.0");
  const { code, message } = refused(() => assertOnlyVersion("shared", "0.2.0"));
  assert.equal(code, "invalid_option");
  assert.match(message, /smallfirst 0\.1\.0 and 0\.2\.0 are both in this page, .* "shared"/);
});

test("an instance is refused where another version has one with its storage, and made with a storage of its own", async (t) => {
  const { spawn } = workers(() => undefined);
  const make = (storage: string) => createSmallFirst({ bundle: "https://site.example/m/", worker: spawn, storage });
  assertOnlyVersion("taken", "9.9.9");
  await assert.rejects(make("taken"), { code: "invalid_option", message: /9\.9\.9/ });
  const ai = await make("free");
  t.after(() => ai.dispose());
});

test("a worker refuses a page of another version, and names both", () => {
  assertSameVersion(VERSION);
  const { code, message } = refused(() => assertSameVersion("0.3.0", "0.4.0"));
  assert.equal(code, "worker_failed");
  assert.match(message, /smallfirst 0\.3\.0, and its worker of 0\.4\.0/);
  assert.match(refused(() => assertSameVersion(undefined, "0.4.0")).message, /0\.1\.0 or older/);
});
