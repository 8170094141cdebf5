// Which engine runs where, and when its parts are fetched.

import { expect, test } from "./fixtures.js";
import { open, ready, refused, run } from "./harness.js";

const TEXTS = [
  "Wo ist der Bahnhof?",
  "Where is the station, please?",
  "¿Dónde está la estación de trenes?",
  "Où est la gare?",
];
const TOLERANCE = 1e-3;

/** The modules that were fetched, in order. */
function modules(requests: string[]): string[] {
  return requests
    .filter((request) => request.endsWith(".wasm"))
    .map((request) => request.replace("GET /pkg/wasm/", ""));
}

test("the module with relaxed SIMD is taken where it runs, and only that", async ({ page, harness }) => {
  harness.requests = [];
  await ready(page, harness.address, { mode: "only-local" });
  expect(modules(harness.requests)).toEqual(["prepared-relaxed.wasm"]);
  expect((await run(page, "language", TEXTS[0]!)).answer?.output.label).toBe("deu");
});

test("both modules of an engine give the same answers", async ({ page, harness }) => {
  const calls: [string, string][] = TEXTS.map((text) => ["language", text]);
  calls.push(["sentiment", "What a wonderful, lovely film, I enjoyed every minute of it."]);
  calls.push(["spam", "WIN CASH NOW\n\nClick here to claim your free prize, limited offer!!!"]);
  const answers = [];
  for (const wasm of [undefined, "/pkg/wasm/prepared.wasm"]) {
    harness.requests = [];
    await ready(page, harness.address, { mode: "only-local", engine: "prepared", wasm });
    expect(modules(harness.requests)).toEqual([wasm ? "prepared.wasm" : "prepared-relaxed.wasm"]);
    const given = [];
    for (const [task, input] of calls) given.push((await run(page, task, input, { topK: 100 })).answer!);
    answers.push(given);
  }
  const [relaxed, baseline] = answers as [(typeof answers)[0], (typeof answers)[0]];
  for (const [i, answer] of relaxed.entries()) {
    expect(answer.output.label).toBe(baseline[i]!.output.label);
    const other = new Map(baseline[i]!.output.scores.map(({ label, score }) => [label, score]));
    for (const { label, score } of answer.output.scores)
      expect(Math.abs(score - other.get(label)!)).toBeLessThan(TOLERANCE);
  }
});

test("a bundle with ONNX models gets the engine that runs them", async ({ page, harness }) => {
  harness.requests = [];
  await ready(page, harness.address, { mode: "only-local", bundle: "/onnx/" });
  expect(modules(harness.requests)).toEqual(["prepared-relaxed.wasm", "onnx-relaxed.wasm"]);
  expect(page.workers()).toHaveLength(1);
  expect((await run(page, "language", TEXTS[0]!)).answer?.output.label).toBe("deu");
});

test("an engine that is named is the one that is used", async ({ page, harness }) => {
  await open(page, harness.address);
  const error = await refused(page, { engine: "prepared", bundle: "/onnx/" });
  expect(error?.code).toBe("needs_onnx");
  expect(error?.message).toContain("engine");
  expect((await refused(page, { engine: "fast" }))?.code).toBe("invalid_option");
  expect((await refused(page, { wasm: "/pkg/wasm/onnx.wasm" }))?.code).toBe("invalid_option");
  expect((await refused(page, { preload: "language" }))?.code).toBe("invalid_option");
});

test("a folder of modules, and a worker of the page's own", async ({ page, harness }) => {
  await open(page, harness.address);
  harness.requests = [];
  const asked = await page.evaluate(async () => {
    const asked: string[] = [];
    const worker = (engine: string): Worker => {
      asked.push(engine);
      return new Worker(engine === "onnx" ? "/pkg/worker-onnx.js" : "/pkg/worker.js", { type: "module" });
    };
    window.ai = await window.create({ mode: "only-local", bundle: "/onnx/", worker, wasm: "/held/wasm/" });
    return asked;
  });
  expect(asked).toEqual(["prepared", "onnx"]);
  expect(modules(harness.requests)).toEqual([
    "GET /held/wasm/prepared-relaxed.wasm",
    "GET /held/wasm/onnx-relaxed.wasm",
  ]);
  expect((await run(page, "language", TEXTS[0]!)).answer?.output.label).toBe("deu");
});

test("what is preloaded comes while the module does, once, and is kept", async ({ page, harness }) => {
  await open(page, harness.address);
  harness.requests = [];
  let release = (): void => {};
  harness.gate = new Promise((resolve) => (release = resolve));
  const options = { mode: "only-local", wasm: "/held/wasm/", preload: ["spam"] };
  const created = page.evaluate(async (options) => {
    window.ai = await window.create(options);
  }, options);
  const files = ["language/head.sfm", "language/ngrams.sfng", "spam/head.sfm", "spam/ngrams.sfm", "spam/ood.sfm"];
  const wanted = [...files, "static-text/encoder.sfm", "static-text/tokenizer.json"].map(
    (file) => `GET /models/${file}`,
  );
  await expect.poll(() => wanted.filter((request) => !harness.requests.includes(request))).toEqual([]);
  expect(harness.requests).toContain("GET /models/manifest.json");
  release();
  await created;
  const mail = "WIN CASH NOW\n\nClick here to claim your free prize, limited offer!!!";
  expect((await run(page, "spam", mail)).answer?.output.label).toBe("spam");
  const fetched = harness.requests.filter((request) => request.startsWith("GET /models/"));
  expect(fetched.sort()).toEqual([...wanted, "GET /models/manifest.json"].sort());

  // All of it is in the cache now.
  harness.requests = [];
  await open(page, harness.address);
  await page.evaluate(async (options) => {
    window.ai = await window.create(options);
    await window.ai.preload(["spam"]);
  }, options);
  expect(harness.requests.filter((request) => request.startsWith("GET /models/"))).toEqual([
    "GET /models/manifest.json",
  ]);

  expect((await refused(page, { ...options, preload: ["span"] }))?.code).toBe("unknown_task");
});

test("without preload, the manifest does not wait for the module", async ({ page, harness }) => {
  await open(page, harness.address);
  harness.requests = [];
  let release = (): void => {};
  harness.gate = new Promise((resolve) => (release = resolve));
  const created = page.evaluate(async () => {
    window.ai = await window.create({ mode: "only-local", wasm: "/held/wasm/" });
  });
  await expect.poll(() => harness.requests).toContain("GET /models/manifest.json");
  release();
  await created;
  expect(harness.requests.filter((request) => request.startsWith("GET /models/"))).toEqual([
    "GET /models/manifest.json",
  ]);
});

test("a browser without SIMD, or without WebAssembly, is told what it lacks", async ({ page, harness }) => {
  await page.addInitScript(() => {
    WebAssembly.validate = () => false;
  });
  await open(page, harness.address);
  harness.requests = [];
  const simd = await refused(page, {});
  expect(simd?.code).toBe("no_wasm_simd");
  expect(simd?.message).toContain("SIMD");
  expect(simd?.message).toContain("update");
  await page.evaluate(() => Reflect.deleteProperty(globalThis, "WebAssembly"));
  const none = await refused(page, {});
  expect(none?.code).toBe("no_wasm_simd");
  expect(none?.message).toContain("no WebAssembly");
  expect(harness.requests).toEqual([]);
});
