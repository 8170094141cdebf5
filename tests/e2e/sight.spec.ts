// Objects, text and vectors of images, with models of a few nodes; and text with PP-OCR's models, where
// `tests/reference/files.py target/files --only ppocr6` put them.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { blocks, isFolderConfig } from "./docs.js";
import { expect, test } from "./fixtures.js";
import { type Local, root } from "./servers.js";
import type * as Package from "../../pkg/dist/index.js";
import type * as Pipelines from "../../pkg/dist/pipeline.js";

declare global {
  interface Window {
    pipelines: typeof Pipelines;
    /** A white canvas with black rectangles: left, top, width, height. */
    drawn: (width: number, height: number, rectangles: number[][], color?: string) => HTMLCanvasElement;
    refusal: (work: Promise<unknown>) => Promise<string>;
  }
}

const AS_IT_IS = { image_processor_type: "ViTImageProcessor", do_resize: false, do_normalize: false };

/** One of tests/fixtures/models, which make.py describes. */
const fixture = (name: string): Buffer => readFileSync(join(root, `tests/fixtures/models/${name}.onnx`));
const [OBJECTS, MEANS, DARK, HI] = ["objects", "means", "dark", "hi"].map(fixture) as [Buffer, Buffer, Buffer, Buffer];

async function serve(page: Page, name: string, files: Record<string, object | Buffer>): Promise<void> {
  await page.route(`**/folders/${name}/**`, async (route) => {
    const path = new URL(route.request().url()).pathname.split(`/folders/${name}/`)[1] ?? "";
    const file = files[path];
    if (file === undefined) await route.fulfill({ status: 404, body: "" });
    else if (Buffer.isBuffer(file)) await route.fulfill({ body: file });
    else await route.fulfill({ body: JSON.stringify(file), contentType: "application/json" });
  });
}

/** What docs/pipeline.md says of a folder of two models. */
const [TWO] = blocks("docs/pipeline.md")
  .filter(isFolderConfig)
  .map(({ code }) => JSON.parse(code) as object);

async function opened(page: Page, harness: Local): Promise<void> {
  await serve(page, "objects", {
    "config.json": { architectures: ["YolosForObjectDetection"], id2label: { 0: "cat", 1: "dog" } },
    "preprocessor_config.json": AS_IT_IS,
    "onnx/model.onnx": OBJECTS,
  });
  await serve(page, "vectors", {
    "config.json": { architectures: ["EfficientNetModel"] },
    "preprocessor_config.json": AS_IT_IS,
    "onnx/model.onnx": MEANS,
  });
  await serve(page, "text", { "config.json": TWO!, "detector.onnx": DARK, "recogniser.onnx": HI });
  await page.goto(harness.address);
  await page.evaluate(async () => {
    const path = "/pkg/pipeline.js";
    window.pipelines = (await import(path)) as typeof Pipelines;
    window.drawn = (width, height, rectangles, color = "white") => {
      const canvas = Object.assign(document.createElement("canvas"), { width, height });
      const context = canvas.getContext("2d")!;
      context.fillStyle = color;
      context.fillRect(0, 0, width, height);
      context.fillStyle = "black";
      for (const [left, top, wide, high] of rectangles) context.fillRect(left!, top!, wide!, high!);
      return canvas;
    };
    window.refusal = (work) =>
      work.then(
        () => "nothing",
        (error: Package.SmallFirstError) => `${error.code}: ${error.message}`,
      );
  });
}

// A file that is not there is looked for: the browser says so.
test.use({ expected: [/Failed to load resource: .*404/] });

test("objects are given as transformers.js gives them, and whole by run()", async ({ page, harness }) => {
  await opened(page, harness);
  const seen = await page.evaluate(async () => {
    const detect = await window.pipelines.pipeline("object-detection", "/folders/objects/");
    const canvas = window.drawn(40, 20, []);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve));
    const address = URL.createObjectURL(blob!);
    const whole = await detect.run(canvas, { threshold: 0.5 });
    const seen = {
      task: detect.task,
      usual: await detect(canvas),
      parts: await detect(blob!, { percentage: true }),
      several: await detect([address, canvas.toDataURL()], { threshold: 0.99 }),
      whole: whole.output,
      said: [whole.ranOn, whole.calibrated, whole.guaranteed],
      confidence: whole.confidence,
      first: (await detect.run(canvas, { topK: 1, threshold: 0.1 })).output,
      dot: await detect(window.drawn(1, 1, [])),
    };
    await detect.dispose();
    return seen;
  });
  expect(seen.task).toBe("object-detection");
  const [cat, dog] = [
    { label: "cat", box: { xmin: 0, ymin: 0, xmax: 20, ymax: 20 } },
    { label: "dog", box: { xmin: 25, ymin: 5, xmax: 40, ymax: 15 } },
  ];
  expect(seen.usual).toMatchObject([cat, dog]);
  expect(seen.usual[0]!.score).toBeCloseTo(Math.exp(6) / (Math.exp(6) + 2), 5);
  expect(seen.parts[0]!.box).toEqual({ xmin: 0, ymin: 0, xmax: 0.5, ymax: 1 });
  expect(seen.parts[1]!.box).toEqual({ xmin: 0.625, ymin: 0.25, xmax: 1, ymax: 0.75 });
  expect(seen.several).toMatchObject([[cat], [cat]]);
  expect(seen.whole).toMatchObject({ width: 40, height: 20, objects: [cat, { label: "dog" }] });
  expect(seen.said).toEqual(["local", false, false]);
  expect(seen.confidence).toBeCloseTo(Math.exp(4) / (Math.exp(4) + 2), 5);
  expect((seen.first as unknown as Package.ObjectsOutput).objects).toMatchObject([cat]);
  // Boxes of one pixel are within it.
  expect(seen.dot.map(({ label }) => label)).toEqual(["cat", "dog"]);
});

test("vectors of images are stacked, and pooled where that is asked for", async ({ page, harness }) => {
  await opened(page, harness);
  const seen = await page.evaluate(async () => {
    const extract = await window.pipelines.pipeline(null, "/folders/vectors/");
    const named = await window.pipelines.pipeline("image-feature-extraction", "/folders/vectors/");
    const [red, white] = [window.drawn(8, 4, [], "red"), window.drawn(8, 4, [])];
    const pooled = await named([red, white], { pool: true });
    const raw = await named(red);
    const whole = await named.run(red, { pooling: "max", normalize: true });
    const { data, dims } = whole.output as unknown as Package.VectorOutput;
    const refused = await window.refusal(named.run(red, { threshold: 0.5 }));
    const task = extract.task;
    await Promise.all([extract.dispose(), named.dispose()]);
    return {
      task,
      pooled: [pooled.type, pooled.dims, pooled.tolist()],
      raw: raw.dims,
      whole: [dims, [...data]],
      refused,
    };
  });
  expect(seen.task).toBe("image-feature-extraction");
  expect(seen.pooled).toEqual([
    "float32",
    [2, 3],
    [
      [1, 0, 0],
      [1, 1, 1],
    ],
  ]);
  expect(seen.raw).toEqual([1, 3, 4, 8]);
  expect(seen.whole).toEqual([
    [1, 3],
    [1, 0, 0],
  ]);
  expect(seen.refused).toContain("invalid_option: ");
});

test("text is found and read, and where there is none there is none", async ({ page, harness }) => {
  await opened(page, harness);
  const seen = await page.evaluate(async () => {
    const read = await window.pipelines.pipeline("ocr", "/folders/text/");
    const two = window.drawn(128, 96, [
      [10, 10, 60, 16],
      [10, 60, 100, 20],
    ]);
    const texts = await read(two);
    const whole = await read.run(two);
    const none = await read.run(window.drawn(64, 64, []));
    const dot = await read([window.drawn(1, 1, [])]);
    const refused = await window.refusal(read.run(two, { topK: 1 }));
    const task = read.task;
    await read.dispose();
    return {
      task,
      texts,
      output: whole.output,
      sure: whole.confidence,
      none: none.output,
      nothing: none.confidence,
      dot,
      refused,
    };
  });
  expect(seen.task).toBe("image-to-text");
  expect(seen.texts).toEqual([{ generated_text: "Hi!\nHi!" }]);
  const { lines, ...rest } = seen.output as unknown as Package.OcrOutput;
  expect(rest).toEqual({ text: "Hi!\nHi!", width: 128, height: 96 });
  for (const [at, { box, quad, text, score }] of lines.entries()) {
    expect([text, quad.length]).toEqual(["Hi!", 4]);
    expect(score).toBeCloseTo(0.8, 5);
    // Around what was drawn, and not much larger.
    const [left, top, right, bottom] = [
      [10, 10, 70, 26],
      [10, 60, 110, 80],
    ][at]!;
    expect(box.xmin).toBeLessThanOrEqual(left!);
    expect(box.ymin).toBeLessThanOrEqual(top!);
    expect(box.xmax).toBeGreaterThanOrEqual(right! - 1);
    expect(box.ymax).toBeGreaterThanOrEqual(bottom! - 1);
    expect(box.xmax - box.xmin).toBeLessThan(right! - left! + 60);
  }
  expect(seen.sure).toBeCloseTo(0.8, 2);
  expect(seen.none).toEqual({ text: "", lines: [], width: 64, height: 64 });
  expect(seen.nothing).toBeGreaterThan(0.99);
  expect(seen.dot).toEqual([[{ generated_text: "" }]]);
  expect(seen.refused).toContain("invalid_option: ");
});

test("what is no image, is damaged or is too large is refused by a code", async ({ page, harness }) => {
  await opened(page, harness);
  await serve(page, "other", {
    "config.json": { architectures: ["OwlViTForObjectDetection"], id2label: { 0: "cat", 1: "dog" } },
    "preprocessor_config.json": AS_IT_IS,
    "onnx/model.onnx": OBJECTS,
  });
  await serve(page, "unfit", {
    "config.json": { architectures: ["YolosForObjectDetection"], id2label: { 0: "cat" } },
    "preprocessor_config.json": AS_IT_IS,
    "onnx/model.onnx": OBJECTS,
  });
  await serve(page, "half", { "config.json": { ocr: { recogniser: { file: "recogniser.onnx" } } } });
  await serve(page, "mute", { "config.json": TWO!, "detector.onnx": DARK, "recogniser.onnx": DARK });
  const seen = await page.evaluate(async () => {
    const { pipeline } = window.pipelines;
    const detect = await pipeline("object-detection", "/folders/objects/");
    const canvas = window.drawn(40, 20, []);
    const png = new Uint8Array(await (await new Promise<Blob | null>((made) => canvas.toBlob(made)))!.arrayBuffer());
    // A file that says it is of 20,000 x 20,000.
    const large = png.slice();
    new DataView(large.buffer).setUint32(16, 20_000);
    new DataView(large.buffer).setUint32(20, 20_000);
    const refused = {
      text: await window.refusal(detect.run("a text")),
      bytes: await window.refusal(detect(new Uint8Array([1, 2, 3]))),
      damaged: await window.refusal(detect(new Blob([png.slice(0, 60)]))),
      large: await window.refusal(detect(large)),
      address: await window.refusal(detect("/nowhere.png")),
      option: await window.refusal(detect(canvas, { threshold: 2 })),
      class: await window.refusal(pipeline(null, "/folders/other/")),
      half: await window.refusal(pipeline(null, "/folders/half/")),
      none: await window.refusal(pipeline("ocr", "/folders/objects/")),
      mute: await window.refusal(pipeline("ocr", "/folders/mute/").then((read) => read(canvas))),
      unfit: await window.refusal(pipeline(null, "/folders/unfit/").then((made) => made(canvas))),
    };
    // All that did not hurt it.
    const after = await detect(canvas);
    await detect.dispose();
    return { refused, after: after.length };
  });
  for (const [what, code] of Object.entries({
    text: "input_kind",
    bytes: "input_kind",
    damaged: "input_kind",
    large: "input_too_long: the image has 20000 x 20000",
    address: "input_kind",
    option: "invalid_option: threshold",
    class: "model_invalid: config.json names the class OwlViT",
    half: "model_invalid: config.json: ocr names no detector",
    none: "invalid_option: the model is a YolosForObjectDetection",
    mute: "model_invalid: recogniser.onnx does not say which characters",
    unfit: "model_output: onnx/model.onnx gave logits",
  }))
    expect(seen.refused[what as keyof typeof seen.refused], what).toContain(code);
  expect(seen.after).toBe(2);
});

test.describe("PP-OCR's models", () => {
  const files = process.env["SMALLFIRST_FILES"] ?? join(root, "target/files");
  const model = (name: string): string => join(files, name, "model.onnx");
  const [detector, recogniser] = [model("ppocr6-det-tiny"), model("ppocr6-rec-tiny")];
  test.skip(!existsSync(detector) || !existsSync(recogniser), "the models are not there");

  test("read what a page draws", async ({ page, harness }) => {
    test.slow();
    await opened(page, harness);
    const text = { "config.json": TWO!, "detector.onnx": readFileSync(detector) };
    await serve(page, "pp-ocr", { ...text, "recogniser.onnx": readFileSync(recogniser) });
    const seen = await page.evaluate(async () => {
      const read = await window.pipelines.pipeline("ocr", "/folders/pp-ocr/");
      const canvas = window.drawn(480, 200, []);
      const context = canvas.getContext("2d")!;
      context.font = "28px sans-serif";
      context.fillText("The train is late.", 24, 60);
      context.fillText("Platform 9, 14:35", 24, 140);
      const { output, confidence } = await read.run(canvas);
      await read.dispose();
      return { text: (output as unknown as Package.OcrOutput).text, confidence };
    });
    expect(seen.text).toBe("The train is late.\nPlatform 9, 14:35");
    expect(seen.confidence).toBeGreaterThan(0.8);
  });
});
