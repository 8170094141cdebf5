// `smallfirst/pipeline` on folders as Hugging Face's tools write them, beside what transformers.js gives on them.
//
// tests/fixtures/pipelines.json has that for two folders of the repository's own files. With SMALLFIRST_FOLDERS=target/folders, all
// of what `cargo xtask conformance --pipelines` composed is run, and what came of it is left in browser.json there.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures.js";
import { composed } from "./folders.js";
import { type Local, root } from "./servers.js";
import type * as Pipelines from "../../pkg/dist/pipeline.js";
import type * as Package from "../../pkg/dist/index.js";

declare global {
  interface Window {
    pipelines: typeof Pipelines;
    run: Pipelines.AnyPipeline;
  }
}

/** What a folder gave: of transformers.js, or of this package. */
interface Run {
  folder: string;
  task: string;
  dtype: string;
  options: Record<string, unknown>;
  cases: { input: string; output?: unknown; error?: string }[];
}
type Runs = Record<string, Run>;

const OF_IMAGES = ["image-classification", "image-feature-extraction", "object-detection"];
const KINDS = ["text-classification", "token-classification", "fill-mask", "feature-extraction", ...OF_IMAGES];

let own = "";
test.beforeAll(() => {
  own = composed();
});
test.afterAll(() => rmSync(own, { recursive: true, force: true }));

/** A page with `smallfirst/pipeline`, and the folders under /hf/. */
async function ready(page: Page, harness: Local, folders = own): Promise<void> {
  harness.folders.set("/hf/", folders);
  await page.goto(harness.address);
  await page.evaluate(async () => {
    const path = "/pkg/pipeline.js";
    window.pipelines = (await import(path)) as typeof Pipelines;
  });
}

/** Runs a folder on the inputs of what is expected of it. */
async function results(page: Page, { folder, task, dtype, options, cases }: Run): Promise<Run> {
  await page.evaluate(
    async ([folder, task, dtype]) => {
      const { pipeline } = window.pipelines;
      const made = await pipeline(task as "fill-mask", `/hf/${folder}/`, { dtype: dtype as "q8" });
      window.run = made as unknown as Pipelines.AnyPipeline;
    },
    [folder, task, dtype] as const,
  );
  const inputs = cases.map(({ input }): [string, string] => [
    input,
    OF_IMAGES.includes(task) ? `/inputs/${input}` : input,
  ]);
  const found = await page.evaluate(
    async ([inputs, options]) => {
      const all: Run["cases"] = [];
      for (const [input, given] of inputs) {
        const output = await window.run(given, options).catch((thrown: unknown) => thrown as Package.SmallFirstError);
        if (output instanceof Error)
          all.push({ input, error: `${(output as { code?: string }).code}: ${output.message}` });
        // Typed arrays would come over as objects.
        else if (output && typeof output === "object" && "dims" in output) {
          const { type, dims, data } = output as Pipelines.TensorLike;
          all.push({ input, output: { type, dims, data: Array.from(data) } });
        } else all.push({ input, output });
      }
      await window.run.dispose();
      return all;
    },
    [inputs, options] as const,
  );
  return { folder, task, dtype, options, cases: found };
}

/** What compare.mjs says; it throws where something differs. */
function compared(expected: string, found: string): string {
  const script = join(root, "tests/reference/pipelines/compare.mjs");
  return execFileSync("node", [script, expected, found], { encoding: "utf8" });
}

test("pipeline() gives what transformers.js gives", async ({ page, harness }) => {
  test.slow();
  await ready(page, harness);
  const fixture = join(root, "tests/fixtures/pipelines.json");
  const expected = JSON.parse(readFileSync(fixture, "utf8")) as Runs;
  expect(new Set(Object.values(expected).map(({ task }) => task)).size).toBeGreaterThan(1);
  const found: Runs = {};
  for (const [name, run] of Object.entries(expected)) found[name] = await results(page, run);
  const folder = mkdtempSync(join(tmpdir(), "smallfirst-pipelines-"));
  writeFileSync(join(folder, "found.json"), JSON.stringify(found));
  console.log(compared(fixture, join(folder, "found.json")));
  rmSync(folder, { recursive: true });
});

test.describe("all that was composed", () => {
  const given = process.env["SMALLFIRST_FOLDERS"];
  test.skip(!given, "SMALLFIRST_FOLDERS is not set");

  test("gives what transformers.js gives", async ({ page, harness }) => {
    test.setTimeout(3_600_000);
    const folders = resolve(root, given!);
    expect(existsSync(join(folders, "expected.json")), "cargo xtask conformance --pipelines was run").toBe(true);
    await ready(page, harness, folders);
    harness.folders.set("/inputs/", `${folders}-inputs`);
    const expected = JSON.parse(readFileSync(join(folders, "expected.json"), "utf8")) as Runs;
    const found: Runs = {};
    for (const [name, run] of Object.entries(expected)) {
      if (!KINDS.includes(run.task)) continue;
      found[name] = await results(page, run).catch((thrown: unknown) => {
        // A folder that does not load fails in every case; the others are run.
        const error = (thrown as Error).message;
        return { ...run, cases: run.cases.map(({ input }) => ({ input, error })) };
      });
    }
    writeFileSync(join(folders, "browser.json"), `${JSON.stringify(found)}\n`);
    console.log(compared(join(folders, "expected.json"), join(folders, "browser.json")));
  });

  test("spans are where the letters are, behind emoji and letters of several code points, too", async ({
    page,
    harness,
  }) => {
    await ready(page, harness, resolve(root, given!));
    const seen = await page.evaluate(async () => {
      const tagger = await window.pipelines.pipeline("token-classification", "/hf/rampart/");
      const texts = [
        "😀 My name is John Smith, john@example.com",
        "👩‍👩‍👧 e\u0301te\u0301 שלום: call Anna Kowalska 🎉 at +48 22 555 01 23",
      ];
      const all = [];
      for (const text of texts) {
        const entities = await tagger(text, { aggregation_strategy: "simple" });
        all.push(entities.map(({ word, start, end }) => [word, text.slice(start, end)]));
      }
      await tagger.dispose();
      return all;
    });
    for (const entities of seen) expect(entities.length).toBeGreaterThan(1);
    const plain = (text: string): string => text.replaceAll(/\s|##/g, "").toLowerCase();
    for (const [word, letters] of seen.flat()) expect(plain(letters!)).toBe(plain(word!));
  });

  test("each of several labels has a score of its own", async ({ page, harness }) => {
    await ready(page, harness, resolve(root, given!));
    const seen = await page.evaluate(async () => {
      const classify = await window.pipelines.pipeline("text-classification", "/hf/tox-block/");
      const scores = await classify("You are a stupid idiot", { top_k: null });
      const { output, calibrated } = await classify.run("You are a stupid idiot");
      await classify.dispose();
      return { scores, output, calibrated };
    });
    expect(seen.scores).toHaveLength(6);
    expect(seen.scores.reduce((sum, { score }) => sum + score, 0)).toBeGreaterThan(1.2);
    const labels = (seen.output as unknown as { labels: { label: string }[] }).labels.map(({ label }) => label);
    expect(labels).toContain("toxic");
    expect(labels).toContain("insult");
    expect(seen.calibrated).toBe(false);
  });
});

test("a folder is for createSmallFirst, too, which promises nothing of its answers", async ({ page, harness }) => {
  await ready(page, harness);
  const seen = await page.evaluate(async () => {
    const path = "/pkg/index.js";
    const { createSmallFirst } = (await import(path)) as typeof Package;
    const ai = await createSmallFirst({ bundle: "/hf/sentiment/" });
    const [task] = await ai.tasks();
    const answer = await ai.run("text-classification", "What a wonderful day!");
    ai.dispose();
    return { task: task!.id, labels: task!.labels.length, answer };
  });
  expect(seen.task).toBe("text-classification");
  expect(seen.labels).toBe(3);
  expect(seen.answer).toMatchObject({ output: { label: "positive" }, calibrated: false, guaranteed: false });
});

test("what is not known, or not there, is told by a code", async ({ page, harness }) => {
  await ready(page, harness);
  const seen = await page.evaluate(async () => {
    const { pipeline } = window.pipelines;
    const wrong = async (...given: [string | null, string, object?]): Promise<string[]> => {
      const [task, model, options] = given;
      return pipeline(task as "fill-mask", model, options).then(
        () => ["made"],
        (error: Package.SmallFirstError) => [error.code, error.message],
      );
    };
    return {
      task: await wrong("mind-reading", "/hf/sentiment/"),
      unfit: await wrong("fill-mask", "/hf/sentiment/"),
      empty: await wrong("text-classification", "/hf/nowhere/"),
      dtype: await wrong("text-classification", "/hf/sentiment/", { dtype: "q4" }),
    };
  });
  expect(seen.task[0]).toBe("invalid_option");
  expect(seen.task[1]).toContain("mind-reading");
  expect(seen.unfit[0]).toBe("invalid_option");
  expect(seen.empty[0]).toBe("not_a_bundle");
  expect(seen.dtype[0]).toBe("file_missing");
  expect(seen.dtype[1]).toContain("onnx/model_q4.onnx, model_q4.onnx");
});

test("without a task, it is the model's; one text gives its output, several give a list; then the worker ends", async ({
  page,
  harness,
}) => {
  await ready(page, harness);
  const seen = await page.evaluate(async () => {
    const classify = await window.pipelines.pipeline(null, "/hf/sentiment/");
    const one = await classify("What a wonderful day!");
    const two = await classify(["What a wonderful day!", "I hate it."]);
    await classify.dispose();
    const after = await classify("again").then(
      () => "an answer",
      (error: Package.SmallFirstError) => error.code,
    );
    const extract = await window.pipelines.pipeline("feature-extraction", "/hf/minilm/");
    const { dims } = await extract(["one text", "and another, longer one"], { pooling: "mean", normalize: true });
    await extract.dispose();
    return { task: classify.task, one, two, after, dims };
  });
  expect(seen.task).toBe("text-classification");
  expect(seen.one).toMatchObject([{ label: "positive" }]);
  expect(seen.two).toMatchObject([{ label: "positive" }, { label: "negative" }]);
  expect(seen.after).toBe("disposed");
  expect(seen.dims).toEqual([2, 384]);
});
