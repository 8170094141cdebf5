import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Archive, zipped } from "../src/zip.js";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

const FILES = {
  "manifest.json": bytes("{}"),
  "a/größe.txt": bytes("x".repeat(5000)),
  "a/empty": bytes(""),
};

async function text(archive: Archive, path: string): Promise<[number, string]> {
  const response = await archive.response(path);
  return [response.status, await response.text()];
}

test("what is written is read again, and by other programs", async () => {
  const file = zipped(FILES);
  const archive = await Archive.open(file);
  for (const [path, content] of Object.entries(FILES)) {
    assert.deepEqual(await text(archive, path), [200, new TextDecoder().decode(content)]);
  }
  assert.deepEqual(await text(archive, "b"), [404, ""]);
  // The same files, the same bytes.
  assert.deepEqual(await file.bytes?.(), await zipped(FILES).bytes?.());
  const path = join(mkdtempSync(join(tmpdir(), "zip-")), "a.zip");
  writeFileSync(path, new Uint8Array(await file.arrayBuffer()));
  const script =
    "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), len(z.namelist()), len(z.read('a/größe.txt')))";
  assert.equal(execFileSync("python3", ["-c", script, path], { encoding: "utf8" }).trim(), "None 3 5000");
});

test("a folder that somebody zipped with compression is read, too", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "zip-")), "a.zip");
  const script =
    "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as z:\n  z.writestr('mood/manifest.json', '{}')\n  z.writestr('mood/a/head', 'y' * 9000)\n  z.comment = b'made by hand'";
  execFileSync("python3", ["-c", script, path]);
  const archive = await Archive.open(new Blob([readFileSync(path)]));
  assert.deepEqual(await text(archive, "a/head"), [200, "y".repeat(9000)]);
  assert.deepEqual(await text(archive, "manifest.json"), [200, "{}"]);
});

test("what is no bundle is refused by its code, wherever it is cut or damaged", async () => {
  const whole = new Uint8Array(await zipped(FILES).arrayBuffer());
  const refused = async (file: Uint8Array<ArrayBuffer>): Promise<void> => {
    await assert.rejects(Archive.open(new Blob([file])), { code: "not_a_bundle" });
  };
  await refused(bytes(""));
  await refused(bytes("no zip at all, but long enough to hold a record"));
  await refused(new Uint8Array(await zipped({ "a.txt": bytes("a") }).arrayBuffer()));
  for (let end = 0; end < whole.length; end += 97) await refused(whole.slice(0, end));
  // Each byte of the directory damaged: refused, or nothing but what is there is given.
  for (let at = whole.length - 260; at < whole.length; at++) {
    const damaged = whole.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 0xff;
    try {
      const archive = await Archive.open(new Blob([damaged]));
      await (await archive.response("a/empty")).text();
    } catch (thrown) {
      assert.match(String((thrown as { code?: string }).code ?? (thrown as Error).name), /not_a_bundle|TypeError/);
    }
  }
});
