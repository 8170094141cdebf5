// `smallfirst/model`: a bare model in the page, and what docs/model.md says of it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { type Claim, blocks, broken, isModelScript, pageModule, place } from "./docs.js";
import { expect, test } from "./fixtures.js";
import { type Local, root } from "./servers.js";
import type * as Models from "../../pkg/dist/model.js";

declare global {
  interface Window {
    models: typeof Models;
    claim: (claim: [string, Claim], value: unknown) => void;
    claimed: [[string, Claim], unknown][];
  }
}

/** A page with `smallfirst/model` under its name; models are under /small/, those of the documentation under /models/. */
async function reader(page: Page, harness: Local): Promise<void> {
  harness.folders.set("/small/", join(root, "tests/fixtures/models"));
  const map = JSON.stringify({ imports: { "smallfirst/model": "/pkg/model.js" } });
  harness.texts.set(
    "/docs/model.html",
    `<!doctype html><meta charset=utf-8><title>model</title><link rel=icon href=data:,><script type=importmap>${map}</script>`,
  );
  await page.goto(`${harness.address}/docs/model.html`);
  await page.evaluate(async () => {
    const name = "smallfirst/model";
    window.models = (await import(name)) as typeof Models;
    window.claimed = [];
    window.claim = (claim, value) => window.claimed.push([claim, JSON.parse(JSON.stringify(value ?? null))]);
  });
}

test("docs/model.md says what is", async ({ page, harness }) => {
  await reader(page, harness);
  const files: Record<string, string> = {
    "minilm.onnx": "models/onnx/minilm/encoder.onnx",
    "unknown.onnx": "tests/fixtures/models/unknown.onnx",
    "running-sum.onnx": "tests/fixtures/models/running-sum.onnx",
  };
  for (const [name, file] of Object.entries(files)) {
    await page.route(`**/models/${name}`, (route) => route.fulfill({ path: join(root, file) }));
  }
  const all = blocks("docs/model.md").filter(isModelScript);
  expect(all.length).toBeGreaterThan(2);
  for (const block of all) {
    const { code, claims } = pageModule(block);
    harness.texts.set(`/docs/model-${block.line}.js`, code);
    const before = await page.evaluate(() => window.claimed.length);
    await page.evaluate((path) => import(path).then(() => {}), `/docs/model-${block.line}.js`);
    const claimed = (await page.evaluate(() => window.claimed)).slice(before);
    expect(claimed, `${place(block)}: every claim is met`).toHaveLength(claims);
    for (const [[where, claim], value] of claimed) expect(broken(claim, value), where).toBeUndefined();
  }
});

test("every type comes and goes by name, and an input that is wrong is told by its name", async ({ page, harness }) => {
  await reader(page, harness);
  const seen = await page.evaluate(async () => {
    const model = await window.models.loadModel("/small/types.onnx");
    const feeds = {
      words: { data: ["a", "Straße"], dims: [2] },
      flags: { data: [true, false], dims: [2] },
      bytes: { data: new Uint8Array([1, 255]), dims: [2] },
    };
    const given = await model.run(feeds);
    const wrong = async (change: object): Promise<string> =>
      model.run({ ...feeds, ...change }).then(
        () => "nothing",
        (error: Models.SmallFirstError) => `${error.code}: ${error.message}`,
      );
    return {
      names: [model.inputNames, model.outputNames],
      dims: model.inputs.map(({ dims }) => dims),
      upper: given["upper"]!.data,
      others: [given["others"]!.type, [...(given["others"]!.data as Uint8Array)]],
      wide: [given["wide"]!.type, [...(given["wide"]!.data as BigInt64Array)].map(Number)],
      wrong: [
        await wrong({ other: { data: [1], dims: [1] } }),
        await wrong({ words: undefined }),
        await wrong({ bytes: { data: [1, 2, 3], dims: [2] } }),
        await wrong({ bytes: { data: [0.5, 1], dims: [2] } }),
        await wrong({ bytes: { data: [1, 2], dims: [1, 2] } }),
      ],
    };
  });
  expect(seen).toMatchObject({
    names: [
      ["words", "flags", "bytes"],
      ["upper", "others", "wide"],
    ],
    dims: [["n"], ["n"], ["n"]],
    upper: ["A", "STRASSE"],
    others: ["bool", [0, 1]],
    wide: ["int64", [1, 255]],
  });
  expect(seen.wrong[0]).toContain('invalid_option: run: there is no input "other"; there are words, flags, bytes');
  expect(seen.wrong[1]).toContain("words");
  expect(seen.wrong[2]).toContain("bytes has 3 numbers");
  expect(seen.wrong[3]).toContain("bytes needs data of uint8");
  expect(seen.wrong[4]).toContain("model_output");
});

test("a run that is aborted ends, and the next one starts with the model there", async ({ page, harness }) => {
  await reader(page, harness);
  const seen = await page.evaluate(async () => {
    const model = await window.models.loadModel("/small/count.onnx");
    const count = (to: number, signal?: AbortSignal): Promise<unknown> =>
      model
        .run({ times: { data: [to], dims: [] } }, { signal })
        .then(({ counted }) => Number((counted!.data as BigInt64Array)[0]))
        .catch((thrown: unknown) => (thrown as Error).message);
    const few = await count(7);
    const stop = new AbortController();
    const begun = performance.now();
    const long = count(2 ** 40, stop.signal);
    setTimeout(() => stop.abort(new Error("enough")), 200);
    return { few, long: await long, soon: performance.now() - begun < 10_000, again: await count(8) };
  });
  expect(seen).toEqual({ few: 7, long: "enough", soon: true, again: 8 });
});

test("in the page's own thread a model gives the same, and is refused alike", async ({ page, harness }) => {
  await reader(page, harness);
  let workers = 0;
  page.on("worker", () => workers++);
  const seen = await page.evaluate(async () => {
    const { loadModel } = window.models;
    const code = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => "nothing",
        (error: Models.SmallFirstError) => error.code ?? error.message,
      );
    const here = { thread: "page" } as const;
    const model = await loadModel("/small/types.onnx", here);
    const feeds = {
      words: { data: ["a", "Straße"], dims: [2] },
      flags: { data: [true, false], dims: [2] },
      bytes: { data: new Uint8Array([1, 255]), dims: [2] },
    };
    const given = await model.run(feeds);
    // Another one has the same module.
    const beside = await loadModel("/small/beside.onnx", here);
    const x = { data: Float32Array.from({ length: 16 }, (_, at) => at), dims: [1, 16] };
    const codes = [
      await code(model.run({ ...feeds, bytes: { data: [1, 2, 3], dims: [2] } })),
      await code(model.run(feeds, { signal: AbortSignal.abort(new Error("enough")) })),
      await code(loadModel("/small/unknown.onnx", here)),
      await code(loadModel("/small/types.onnx", { thread: "both" as "page" })),
    ];
    const sums = await loadModel("/small/running-sum.onnx", { ...here, state: { new: "sum" } });
    await sums.run({ x: { data: [1, 2], dims: [2] }, sum: { data: [0, 0], dims: [2] } });
    const { largest } = await sums.run({ x: { data: [10, 20], dims: [2] } });
    await sums.reset();
    codes.push(await code(sums.run({ x: { data: [10, 20], dims: [2] } })));
    model.release();
    codes.push(await code(model.run(feeds)));
    return {
      ports: [model.inputNames, model.outputNames],
      upper: given["upper"]!.data,
      wide: [...(given["wide"]!.data as BigInt64Array)].map(Number),
      y: [...((await beside.run({ x }))["y"]!.data as Float32Array)],
      largest: [...(largest!.data as Float32Array)],
      codes,
    };
  });
  expect(workers).toBe(0);
  expect(seen).toEqual({
    ports: [
      ["words", "flags", "bytes"],
      ["upper", "others", "wide"],
    ],
    upper: ["A", "STRASSE"],
    wide: [1, 255],
    y: Array.from({ length: 16 }, (_, at) => 2 * at),
    largest: [22],
    codes: ["invalid_option", "enough", "model_invalid", "invalid_option", "invalid_option", "disposed"],
  });
});

test.describe("what is not there", () => {
  test.use({ expected: [/Failed to load resource/] });

  test("weights beside a model are fetched with it; what is not what it should be is refused", async ({
    page,
    harness,
  }) => {
    await reader(page, harness);
    const seen = await page.evaluate(async () => {
      const { loadModel } = window.models;
      const x = { data: Float32Array.from({ length: 16 }, (_, at) => at), dims: [1, 16] };
      const model = await loadModel("/small/beside.onnx");
      const { y } = await model.run({ x });
      const bytes = await (await fetch("/small/beside.onnx")).arrayBuffer();
      const weights = await (await fetch("/small/beside.weights")).arrayBuffer();
      const given = await loadModel(bytes, { externalData: { "beside.weights": weights } });
      const code = (from: Models.Bytes, options?: Models.ModelOptions): Promise<string> =>
        loadModel(from, options).then(
          () => "loaded",
          (error: Models.SmallFirstError) => error.code,
        );
      return {
        y: [...(y!.data as Float32Array)],
        same: [...((await given.run({ x }))["y"]!.data as Float32Array)],
        codes: [
          await code(bytes),
          await code("/small/nowhere.onnx"),
          await code("/small/beside.onnx", { maxBytes: 100 }),
          await code("/small/beside.onnx", { sha256: "00" }),
          await code(new TextEncoder().encode("no model")),
          await code("/small/running-sum.onnx", { state: { new: "nothing" } }),
          await code("/small/running-sum.onnx", { wasm: "/nowhere/" }),
        ],
      };
    });
    const doubled = Array.from({ length: 16 }, (_, at) => 2 * at);
    expect(seen.y).toEqual(doubled);
    expect(seen.same).toEqual(doubled);
    expect(seen.codes).toEqual([
      "file_missing",
      "file_missing",
      "file_size",
      "hash_mismatch",
      "model_invalid",
      "invalid_option",
      "worker_failed",
    ]);
  });
});

/** A model of a library, and what the library gives (tests/reference/classical_fixture.py). */
interface Classical {
  name: string;
  model: string;
  inputs: Record<string, { type: string; dims: number[]; data: (number | string | null)[] }>;
  outputs: Classical["inputs"];
}

test("models of scikit-learn, XGBoost and LightGBM give what these libraries give", async ({ page, harness }) => {
  test.slow();
  const models = JSON.parse(readFileSync(join(root, "tests/fixtures/classical.json"), "utf8")) as Classical[];
  expect(models.length).toBeGreaterThan(40);
  for (const library of ["xgb", "lgb", "text", "svc", "tree"])
    expect(models.some(({ name }) => name.startsWith(library))).toBe(true);
  await reader(page, harness);
  for (const { name, model, inputs, outputs } of models) {
    const given = await page.evaluate(
      async ([model, inputs]) => {
        const bytes = Uint8Array.from(atob(model), (byte) => byte.charCodeAt(0));
        const loaded = await window.models.loadModel(bytes);
        const feeds = Object.entries(inputs).map(([name, { dims, data }]) => {
          const values = data.map((value) => value ?? Number.NaN);
          return [name, { dims, data: values as unknown as string[] }] as const;
        });
        const results = await loaded.run(Object.fromEntries(feeds));
        loaded.release();
        const plain = Object.entries(results).map(([name, { type, dims, data }]) => {
          const values = Array.from(data as ArrayLike<number | bigint | string>);
          return [
            name,
            { type, dims, data: values.map((value) => (typeof value === "bigint" ? Number(value) : value)) },
          ];
        });
        return Object.fromEntries(plain) as Classical["outputs"];
      },
      [model, inputs] as const,
    );
    for (const [output, { type, dims, data }] of Object.entries(outputs)) {
      const found = given[output]!;
      expect([found.type, found.dims], `${name}: ${output}`).toEqual([type, dims]);
      for (const [at, expected] of data.entries()) {
        const value = found.data[at];
        if (typeof expected !== "number") expect(value, `${name}: ${output} ${at}`).toBe(expected);
        else
          expect(Math.abs(Number(value) - expected), `${name}: ${output} ${at}`).toBeLessThan(
            1e-5 * (1 + Math.abs(expected)),
          );
      }
    }
  }
});
