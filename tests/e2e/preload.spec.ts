// What is fetched ahead of the engine: bounded, and nothing of a manifest that is not the one that is wanted.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { expect, root, test } from "./fixtures.js";
import { open, ready, refused, run } from "./harness.js";
import { Local } from "./servers.js";

test.use({ expected: [/Failed to load resource/] });

const GERMAN = "Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig.";
const MIB = 1024 * 1024;
const manifest = readFileSync(join(root, "models/manifest.json"), "utf8");

/** How many bytes an endless response has sent. */
interface Sent {
  bytes: number;
}

/** Sends bytes until the other side goes away, and as fast as it takes them. */
function endless(response: ServerResponse, byte: string): Sent {
  const part = Buffer.alloc(MIB, byte);
  const sent = { bytes: 0 };
  const more = (): void => {
    while (!response.destroyed && sent.bytes < 600 * MIB) {
      sent.bytes += part.length;
      if (!response.write(part)) return;
    }
    response.destroy();
  };
  response.on("drain", more);
  more();
  return sent;
}

/**
 * Expects that responses have come to a halt, long before their end: what the network holds between the two (64 MiB and more
 * on a busy machine) comes on top of what is read.
 */
async function expectHalted(all: Sent[]): Promise<void> {
  const bytes = (): number[] => all.map((sent) => sent.bytes);
  await expect(async () => {
    const before = bytes();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(bytes()).toEqual(before);
  }).toPass({ timeout: 20_000 });
  for (const sent of bytes()) expect(sent).toBeLessThan(300 * MIB);
}

test("a manifest without an end is given up at its bound", async ({ page, harness }) => {
  const sent: Sent[] = [];
  const server = await Local.start((_, response) => {
    response.setHeader("content-type", "application/json");
    sent.push(endless(response, " "));
  });
  await open(page, harness.address);
  let release = (): void => {};
  harness.gate = new Promise((resolve) => (release = resolve));
  // While there is no engine, nobody else ends it.
  const held = refused(page, { bundle: `${server.address}/`, preload: ["language"], wasm: "/held/wasm/" });
  await expect.poll(() => sent.length).toBe(1);
  await expectHalted(sent);
  release();
  expect(await held).toMatchObject({ code: "not_a_bundle" });
  expect(await refused(page, { bundle: `${server.address}/` })).toMatchObject({ code: "not_a_bundle" });
  expect(sent).toHaveLength(2);
  await expectHalted(sent);
  await server.stop();
});

test("of a bundle that is not the pinned one no file is requested", async ({ page, harness }) => {
  await open(page, harness.address);
  harness.requests = [];
  const wrong = await refused(page, { preload: ["language", "sentiment"], manifestSha256: "0".repeat(64) });
  expect(wrong).toMatchObject({ code: "hash_mismatch" });
  expect(harness.requests.filter((r) => r.includes("/models/"))).toEqual(["GET /models/manifest.json"]);

  // And of the pinned one they are.
  const pin = createHash("sha256").update(manifest).digest("hex").toUpperCase();
  await ready(page, harness.address, { preload: ["language"], manifestSha256: pin, mode: "only-local" });
  expect((await run(page, "language", GERMAN)).answer?.output.label).toBe("deu");
  expect(harness.requests.filter((r) => r.includes("/models/language/")).sort()).toEqual([
    "GET /models/language/head.sfm",
    "GET /models/language/ngrams.sfng",
  ]);
});

test("nothing is fetched ahead by a manifest with impossible sizes, or without a bottom", async ({ page, harness }) => {
  let body = "";
  const server = await Local.start((_, response, path) => {
    if (path === "/manifest.json") response.setHeader("content-type", "application/json").end(body);
    else response.writeHead(404).end();
  });
  const sized = (bytes: string): string => manifest.replace(/"bytes":\s*\d+/, `"bytes": ${bytes}`);
  const nested = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  const inHead = (value: string): string => manifest.replace(/("heads":\s*\{\s*"[^"]+":\s*\{)/, `$1 "deep": ${value},`);
  expect(sized("-1")).not.toBe(manifest);
  expect(inHead("1")).not.toBe(manifest);
  await open(page, harness.address);
  for (body of [
    sized("-1"),
    sized("1.5"),
    sized("1e300"),
    sized('"9"'),
    sized("300000000"),
    nested(2 * MIB - 1),
    inHead(nested(50_000)),
  ]) {
    server.requests = [];
    const error = await refused(page, {
      bundle: `${server.address}/`,
      preload: ["file-type", "language", "sentiment", "spam"],
    });
    expect(["bundle_invalid", "not_a_bundle", "file_size"]).toContain(error?.code);
    const files = server.requests.filter((r) => !r.endsWith("/manifest.json"));
    // What the depth has nothing to do with may be requested: the engine refuses the whole a moment later.
    if (!body.includes('"deep"')) expect(files).toEqual([]);
  }
  await server.stop();
});

test("a file without an end is given up at its size", async ({ page, harness }) => {
  const sent: Sent[] = [];
  const server = await Local.start((_, response, path) => {
    if (path === "/manifest.json") response.setHeader("content-type", "application/json").end(manifest);
    else sent.push(endless(response, "x"));
  });
  await open(page, harness.address);
  const code = await page.evaluate(
    async ([bundle, german]) => {
      const address: string = "/pkg/index.js";
      const { createSmallFirst } = (await import(address)) as typeof import("../../pkg/dist/index.js");
      // Nobody is told of the progress, so the browser could take files in whole.
      const ai = await createSmallFirst({ bundle, preload: ["language"], mode: "only-local" });
      return (await window.outcome(ai.run("language", german))).error?.code;
    },
    [`${server.address}/`, GERMAN] as const,
  );
  expect(code).toBe("file_size");
  expect(sent.length).toBeGreaterThan(1);
  await expectHalted(sent);
  await server.stop();
});
