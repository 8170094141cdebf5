// Folders of Hugging Face without a manifest: what docs/pipeline.md says of them, and what is refused.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { type Claim, blocks, broken, isFolderScript, pageModule, place } from "./docs.js";
import { expect, test } from "./fixtures.js";
import { type Local, root } from "./servers.js";
import type * as Package from "../../pkg/dist/index.js";
import type * as Pipelines from "../../pkg/dist/pipeline.js";

declare global {
  interface Window {
    pipelines: typeof Pipelines;
    smallfirst: typeof Package;
    claim: (claim: [string, Claim], value: unknown) => void;
    claimed: [[string, Claim], unknown][];
  }
}

/** What a folder of the committed MiniLM has beside its weights. */
const MINILM: Record<string, string> = {
  "config.json": JSON.stringify({ architectures: ["BertModel"], max_position_embeddings: 128 }),
  "modules.json": JSON.stringify([
    { type: "sentence_transformers.models.Transformer" },
    { type: "sentence_transformers.models.Pooling" },
    { type: "sentence_transformers.models.Normalize" },
  ]),
  "1_Pooling/config.json": JSON.stringify({ pooling_mode_mean_tokens: true }),
};

/** Serves a folder: these texts, and the committed encoder and its tokenizer. All else is not there. */
async function serve(page: Page, name: string, texts: Record<string, string>): Promise<void> {
  const files: Record<string, string> = {
    "tokenizer.json": "models/onnx/minilm/tokenizer.json",
    "onnx/model_quantized.onnx": "models/onnx/minilm/encoder.onnx",
  };
  await page.route(`**/folders/${name}/**`, async (route) => {
    const path = new URL(route.request().url()).pathname.split(`/folders/${name}/`)[1] ?? "";
    const text = texts[path];
    const file = files[path];
    if (text !== undefined) await route.fulfill({ body: text, contentType: "application/json" });
    else if (file !== undefined) await route.fulfill({ body: readFileSync(join(root, file)) });
    else await route.fulfill({ status: 404, body: "" });
  });
}

async function opened(page: Page, harness: Local): Promise<void> {
  const imports = { "smallfirst/pipeline": "/pkg/pipeline.js", smallfirst: "/pkg/index.js" };
  harness.texts.set(
    "/docs/folder.html",
    `<!doctype html><meta charset=utf-8><title>folder</title><link rel=icon href=data:,><script type=importmap>${JSON.stringify({ imports })}</script>`,
  );
  await serve(page, "minilm", MINILM);
  await page.goto(`${harness.address}/docs/folder.html`);
  await page.evaluate(async () => {
    const [folders, whole] = ["smallfirst/pipeline", "smallfirst"];
    window.pipelines = (await import(folders!)) as typeof Pipelines;
    window.smallfirst = (await import(whole!)) as typeof Package;
    window.claimed = [];
    window.claim = (claim, value) => window.claimed.push([claim, JSON.parse(JSON.stringify(value ?? null))]);
  });
}

// A file that is not there is looked for: the browser says so.
test.use({ expected: [/Failed to load resource: .*404/] });

test("docs/pipeline.md says what is", async ({ page, harness }) => {
  await opened(page, harness);
  const all = blocks("docs/pipeline.md").filter(isFolderScript);
  expect(all.length).toBeGreaterThan(1);
  for (const block of all) {
    const { code, claims } = pageModule(block);
    harness.texts.set(`/docs/folder-${block.line}.js`, code);
    const before = await page.evaluate(() => window.claimed.length);
    await page.evaluate((path) => import(path).then(() => {}), `/docs/folder-${block.line}.js`);
    const claimed = (await page.evaluate(() => window.claimed)).slice(before);
    expect(claimed, `${place(block)}: every claim is met`).toHaveLength(claims);
    for (const [[where, claim], value] of claimed) expect(broken(claim, value), where).toBeUndefined();
  }
});

test("vectors come as they are asked for, and near texts have near ones", async ({ page, harness }) => {
  await opened(page, harness);
  const seen = await page.evaluate(async () => {
    const extract = await window.pipelines.pipeline("embeddings", "/folders/minilm");
    const texts = ["The train is late.", "My train has a delay.", "I like strawberries. 🍓"];
    const { dims, type, tolist } = await extract(texts, { pooling: "mean", normalize: true });
    const rows = tolist() as number[][];
    const cosine = (a: number, b: number): number => rows[a]!.reduce((sum, x, at) => sum + x * rows[b]![at]!, 0);
    const bits = await extract(texts[0]!, { pooling: "mean", quantize: true, precision: "ubinary" });
    const [one] = [await extract(texts[1]!, { pooling: "mean", normalize: true })];
    const same = Math.max(...[...one.data].map((x, at) => Math.abs(x - rows[1]![at]!)));
    const result = {
      dims,
      type,
      near: cosine(0, 1),
      far: cosine(0, 2),
      norm: cosine(1, 1),
      bits: [bits.type, ...bits.dims],
      same,
    };
    await extract.dispose();
    return result;
  });
  expect(seen).toMatchObject({ dims: [3, 384], type: "float32", bits: ["uint8", 1, 48], same: 0 });
  expect(seen.norm).toBeCloseTo(1, 5);
  expect(seen.near).toBeGreaterThan(seen.far + 0.2);
});

test("a folder is a bundle of one task", async ({ page, harness }) => {
  await opened(page, harness);
  const seen = await page.evaluate(async () => {
    const ai = await window.smallfirst.createSmallFirst({ bundle: "/folders/minilm/" });
    const [task] = await ai.tasks();
    const answer = await ai.run("feature-extraction", "A text.");
    const output = answer.output as unknown as { data: Float32Array; dims: number[] };
    const wrong = async (input: Package.Input, options: Package.RunOptions): Promise<string> =>
      ai.run("feature-extraction", input, options).then(
        () => "nothing",
        (error: Package.SmallFirstError) => `${error.code}: ${error.message}`,
      );
    return {
      task: [task?.id, task?.kind, task?.input],
      data: [output.data instanceof Float32Array, output.data.length, ...output.dims],
      said: [answer.calibrated, answer.guaranteed, answer.degraded, answer.tier],
      wrong: [
        await wrong("", {}),
        await wrong(new Uint8Array([1]), {}),
        await wrong("a", { topK: 2 }),
        await wrong("word ".repeat(400), {}),
        await wrong({ question: "a", context: "b" }, {}),
      ],
    };
  });
  expect(seen.task).toEqual(["feature-extraction", "feature-extraction", "text"]);
  expect(seen.data).toEqual([true, 384, 1, 384]);
  expect(seen.said).toEqual([false, false, false, "feature-extraction"]);
  const codes = ["empty_input", "input_kind", "invalid_option", "input_too_long", "input_kind"];
  seen.wrong.forEach((said, at) => expect(said).toContain(`${codes[at]}: `));
  expect(seen.wrong[2]).toContain("topK");
  expect(seen.wrong[3]).toContain("128");
});

test("what a folder does not have, or asks for in vain, is told by its name", async ({ page, harness }) => {
  await opened(page, harness);
  const folder = (config: object): Record<string, string> => ({ "config.json": JSON.stringify(config) });
  await serve(page, "none", {});
  await serve(page, "writer", folder({ architectures: ["T5ForConditionalGeneration"], is_encoder_decoder: true }));
  await serve(page, "nameless", folder({ model_type: "bert" }));
  await serve(page, "graded", folder({ architectures: ["BertForSequenceClassification"], problem_type: "regression" }));
  await serve(page, "page", { "config.json": "<!doctype html>" });
  await serve(page, "picture", folder({ architectures: ["ViTForImageClassification"] }));
  const told = (path: string, task: string | null = null, dtype?: string): Promise<string> =>
    page.evaluate(
      ([path, task, dtype]) =>
        window.pipelines.pipeline(task as null, path!, dtype === undefined ? {} : { dtype: dtype as "fp32" }).then(
          (made) => made.task,
          (error: Package.SmallFirstError) => `${error.code}: ${error.message}`,
        ),
      [path, task, dtype] as const,
    );
  expect(await told("/folders/none/")).toContain("not_a_bundle");
  expect(await told("/folders/writer/")).toContain("is_encoder_decoder");
  expect(await told("/folders/nameless/")).toContain("architectures");
  expect(await told("/folders/graded/")).toContain("problem_type");
  expect(await told("/folders/page/")).toContain("not_a_bundle");
  expect(await told("/folders/picture/")).toContain("preprocessor_config.json");
  expect(await told("/folders/minilm/", "mood")).toContain('invalid_option: there is no task "mood"');
  expect(await told("/folders/minilm/", "ner")).toContain("BertModel");
  expect(await told("/folders/minilm/", null, "fp16")).toContain("file_missing");
  expect(await told("/folders/minilm/", null, "fp8")).toContain("invalid_option");
  expect(await told("/folders/minilm/")).toBe("feature-extraction");
});
