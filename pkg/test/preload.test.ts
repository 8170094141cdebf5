import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { Preload } from "../src/preload.js";
import type { RuntimeOptions } from "../src/wire.js";
import type { Files } from "../src/store.js";
import { isSettled, never, settle, stub } from "./fakes.js";

const BASE = "https://site.example/models/";
const BUNDLE = `${BASE}manifest.json`;

function file(bytes: number): object {
  return { bytes, sha256: `hash of ${bytes}` };
}

/** A manifest of three tasks, of which two share an encoder, and one tells the language of the other two. */
const MANIFEST = {
  files: {
    "encoder.sfm": file(5000),
    "tokenizer.json": file(300),
    "spam.sfm": file(20),
    "spam-large.sfm": file(9000),
    "mood.sfm": file(10),
    "language.sfm": file(100),
    "other.sfm": file(1),
  },
  tasks: {
    spam: { tiers: ["spam", "spam-large"], limits: { languages: { task: "language" } } },
    mood: { tiers: ["mood"], limits: { languages: null } },
    language: { tiers: ["language"] },
    other: { tiers: ["other"] },
  },
  heads: {
    spam: { model: { file: "spam.sfm" }, features: { encoder: "text" } },
    "spam-large": { model: { file: "spam-large.sfm" } },
    mood: { model: { file: "mood.sfm" }, features: [{ encoder: "text" }] },
    language: { model: { file: "language.sfm" } },
    other: { model: { file: "other.sfm" } },
  },
  encoders: { text: { file: "encoder.sfm", tokenizer: "words" } },
  tokenizers: { words: { file: "tokenizer.json" } },
};

/** A site with a manifest, whose files say their own address. Gives what was requested, in order. */
function site(t: TestContext, manifest: unknown, more: { status?: number } = {}): string[] {
  const requested: string[] = [];
  const text = typeof manifest === "string" ? manifest : JSON.stringify(manifest);
  stub(t, "fetch", async (url: string) => {
    requested.push(url);
    if (new URL(url).pathname.endsWith("/manifest.json")) return new Response(text, { status: more.status ?? 200 });
    return new Response(`contents of ${url}`);
  });
  return requested;
}

function preload(tasks: string[], options: Partial<RuntimeOptions> = {}, files?: Files): Preload {
  return new Preload({ bundle: BUNDLE, ...options }, tasks, files, false);
}

function paths(requested: string[]): string[] {
  return requested.map((url) => url.replace(BASE, ""));
}

test("without tasks only the manifest is requested, and its response is handed out once", async (t) => {
  const requested = site(t, MANIFEST);
  const ahead = preload([]);
  const response = await ahead.take(BUNDLE);
  assert.deepEqual(await response!.json(), MANIFEST);
  assert.equal(await ahead.take(BUNDLE), undefined);
  assert.equal(await ahead.take(`${BASE}spam.sfm`), undefined);
  assert.deepEqual(paths(requested), ["manifest.json"]);
});

test("the files of tasks, and of those that tell their languages, are requested once each, the smallest first", async (t) => {
  const requested = site(t, MANIFEST);
  const ahead = preload(["spam", "mood"]);
  assert.deepEqual(await (await ahead.take(BUNDLE))!.json(), MANIFEST);
  const head = await ahead.take(`${BASE}spam.sfm`);
  assert.equal(await head!.text(), `contents of ${BASE}spam.sfm`);
  assert.equal(await ahead.take(`${BASE}spam.sfm`), undefined);
  assert.deepEqual(paths(requested), [
    "manifest.json",
    "mood.sfm",
    "spam.sfm",
    "language.sfm",
    "tokenizer.json",
    "encoder.sfm",
    // Not spam-large.sfm: a further tier is fetched when those before it are not sure enough.
  ]);
});

test("the files that are requested for a task are those that the engine says it needs", async (t) => {
  const root = new URL("../../../../", import.meta.url);
  const read = (path: string): unknown => JSON.parse(readFileSync(new URL(path, root), "utf8"));
  const cases = read("tests/fixtures/task-files.json") as { manifest: unknown; files: Record<string, string[]> }[];
  assert.equal(cases.length, 3);
  for (const { manifest, files } of cases) {
    const requested = site(t, typeof manifest === "string" ? read(manifest) : manifest);
    for (const [task, needed] of Object.entries(files)) {
      await preload([task]).take(`${BASE}none`);
      const [first, ...rest] = paths(requested.splice(0));
      assert.equal(first, "manifest.json");
      assert.deepEqual(rest.sort(), needed, task);
    }
  }
});

test("a task that the bundle does not have needs no file", async (t) => {
  const requested = site(t, MANIFEST);
  const ahead = preload(["nope", "mood"]);
  await ahead.take(`${BASE}mood.sfm`);
  assert.deepEqual(paths(requested), ["manifest.json", "mood.sfm", "tokenizer.json", "encoder.sfm"]);
});

test("files beside a manifest with a query have the query, too", async (t) => {
  const requested = site(t, MANIFEST);
  const ahead = preload(["other"], { bundle: `${BUNDLE}?key=1` });
  assert.ok(await ahead.take(`${BASE}other.sfm?key=1`));
  assert.deepEqual(paths(requested), ["manifest.json?key=1", "other.sfm?key=1"]);
});

test("a file that is kept is not requested, and one whose cache fails is", async (t) => {
  const requested = site(t, MANIFEST);
  const asked: string[] = [];
  const match = async (key: string): Promise<Response | undefined> => {
    asked.push(key);
    if (key.includes("tokenizer")) throw new Error("the cache is broken");
    return key.includes("mood") ? new Response("kept") : undefined;
  };
  const files = {
    open: async () => ({ match }),
    file: (address: string, sha256: string) => `${address}#${sha256}`,
  } as unknown as Files;
  const ahead = preload(["mood"], {}, files);
  assert.equal(await ahead.take(`${BASE}mood.sfm`), undefined);
  assert.ok(await ahead.take(`${BASE}tokenizer.json`));
  assert.ok(await ahead.take(`${BASE}encoder.sfm`));
  assert.deepEqual(paths(requested).sort(), ["encoder.sfm", "manifest.json", "tokenizer.json"]);
  assert.deepEqual(asked.map((key) => key.replace(BASE, "")).sort(), [
    "encoder.sfm#hash of 5000",
    "mood.sfm#hash of 10",
    "tokenizer.json#hash of 300",
  ]);
});

test("of a bundle that is not the pinned one no file is requested, of the pinned one they are", async (t) => {
  const pin = createHash("sha256").update(JSON.stringify(MANIFEST)).digest("hex");
  const requested = site(t, MANIFEST);
  const other = preload(["other"], { manifestSha256: "0".repeat(64) });
  assert.equal(await other.take(`${BASE}other.sfm`), undefined);
  assert.deepEqual(paths(requested), ["manifest.json"]);
  assert.ok(await preload(["other"], { manifestSha256: pin.toUpperCase() }).take(`${BASE}other.sfm`));
});

const IMPOSSIBLE: Record<string, unknown> = {
  "is no JSON": "{",
  "has a size that is none": { ...MANIFEST, files: { ...MANIFEST.files, "other.sfm": { bytes: "1", sha256: "x" } } },
  "has a negative size": { ...MANIFEST, files: { ...MANIFEST.files, "other.sfm": { bytes: -1, sha256: "x" } } },
  "has more bytes than a bundle may have": {
    ...MANIFEST,
    files: { ...MANIFEST.files, "x.sfm": file(256 * 1024 * 1024) },
  },
};

for (const [what, manifest] of Object.entries(IMPOSSIBLE)) {
  test(`nothing is fetched ahead by a manifest that ${what}, and the engine gets to see it`, async (t) => {
    const requested = site(t, manifest);
    const ahead = preload(["other"]);
    assert.equal(await ahead.take(`${BASE}other.sfm`), undefined);
    const text = await (await ahead.take(BUNDLE))!.text();
    assert.equal(text, typeof manifest === "string" ? manifest : JSON.stringify(manifest));
    assert.deepEqual(paths(requested), ["manifest.json"]);
  });
}

test("a path that leads out of the bundle is not requested", async (t) => {
  const manifest = structuredClone(MANIFEST) as unknown as {
    files: object;
    heads: { other: { model: { file: string } } };
  };
  manifest.files = { "../secret.json": file(1), "deep/../other.sfm": file(2) };
  manifest.heads.other = { model: { file: "../secret.json" }, more: { file: "deep/../other.sfm" } } as never;
  const requested = site(t, manifest);
  const ahead = preload(["other"]);
  assert.ok(await ahead.take(`${BASE}deep/../other.sfm`));
  assert.deepEqual(paths(requested), ["manifest.json", "deep/../other.sfm"]);
});

test("a manifest without a bottom comes to an end, and so does a list of files", async (t) => {
  const files = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, file(i)]));
  let deep: object = { file: "f0" };
  for (let i = 0; i < 20; i++) deep = { deep };
  const many = Object.keys(files).map((path) => ({ file: path }));
  const requested = site(t, {
    files,
    tasks: { a: { tiers: ["deep"] }, b: { tiers: ["many"] } },
    heads: { deep, many },
  });
  await preload(["a"]).take("nothing");
  assert.equal(requested.length, 1);
  await preload(["b"]).take("nothing");
  assert.equal(requested.length, 2 + 64);
});

test("the answer of a server that has no manifest is the engine's to judge", async (t) => {
  const requested = site(t, "not here", { status: 404 });
  const ahead = preload(["other"]);
  const response = await ahead.take(BUNDLE);
  assert.deepEqual([response!.status, await response!.text()], [404, "not here"]);
  assert.deepEqual(paths(requested), ["manifest.json"]);
});

test("a failure is told to whoever takes the response, and is else no unhandled one", async (t) => {
  stub(t, "fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  await assert.rejects(preload([]).take(BUNDLE), new TypeError("Failed to fetch"));
  await assert.rejects(preload(["other"]).take(BUNDLE), new TypeError("Failed to fetch"));
  assert.equal(await preload(["other"]).take(`${BASE}other.sfm`), undefined);
  preload([]);
  await settle();
});

test("a server that accepts and never answers is given up after twenty seconds", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  stub(t, "fetch", (_: string, { signal }: RequestInit) => {
    return new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason as Error)));
  });
  const waiting = preload([]).take(BUNDLE);
  t.mock.timers.tick(19_999);
  assert.equal(await isSettled(waiting), false);
  t.mock.timers.tick(1);
  await assert.rejects(waiting, { message: "no answer within 20 s" });
});

test("of a manifest without an end no more is read than shows that it is too long", async (t) => {
  const seen = { cancelled: 0, parts: 0 };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      seen.parts++;
      controller.enqueue(new Uint8Array(1024 * 1024));
    },
    cancel() {
      seen.cancelled++;
    },
  });
  stub(t, "fetch", async () => new Response(body));
  const response = await preload(["other"]).take(BUNDLE);
  assert.equal((await response!.arrayBuffer()).byteLength, 5 * 1024 * 1024);
  await settle();
  assert.equal(seen.cancelled, 1);
  assert.ok(seen.parts <= 6, String(seen.parts));
});

test("a file is taken in whole beside the worker, unless its progress is watched or its length is another", async (t) => {
  const blobs: string[] = [];
  const contents = "x".repeat(20);
  const serve = (headers: Record<string, string>): void => {
    stub(t, "fetch", async (url: string) => {
      if (url === BUNDLE) return new Response(JSON.stringify(MANIFEST));
      const response = new Response(contents, { headers });
      const blob = response.blob.bind(response);
      return Object.assign(response, { blob: () => (blobs.push(url), blob()) });
    });
  };
  const taken = async (headers: Record<string, string>, watched: boolean): Promise<number> => {
    serve(headers);
    blobs.length = 0;
    const ahead = new Preload({ bundle: BUNDLE }, ["spam"], undefined, watched);
    const response = await ahead.take(`${BASE}spam.sfm`);
    assert.equal(await response!.text(), contents);
    return blobs.filter((url) => url.endsWith("/spam.sfm")).length;
  };
  assert.equal(await taken({ "content-length": "20" }, false), 1);
  assert.equal(await taken({ "content-length": "20" }, true), 0);
  assert.equal(await taken({ "content-length": "21" }, false), 0);
  assert.equal(await taken({}, false), 0);
  assert.equal(await taken({ "content-length": "20", "content-encoding": "br" }, false), 0);
});

test("the files are requested while the engine still waits for the manifest", async (t) => {
  const requested = site(t, MANIFEST);
  preload(["other"]);
  await settle();
  assert.deepEqual(paths(requested), ["manifest.json", "other.sfm"]);
  stub(t, "fetch", never);
});
