// Sounds and rows of tables in a page: what docs/sound.md and docs/tables.md say of them, a stream beside the whole sound, and what is
// refused. The models are small ones of tests/fixtures/models: one finds loud windows to be speech.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { type Claim, blocks, broken, isNumbersScript, pageModule, place } from "./docs.js";
import { expect, test } from "./fixtures.js";
import { type Local, root } from "./servers.js";
import { wav } from "./sounds.js";
import type * as Package from "../../pkg/dist/index.js";
import type * as Pipelines from "../../pkg/dist/pipeline.js";

declare global {
  interface Window {
    pipelines: typeof Pipelines;
    smallfirst: typeof Package;
    claim: (claim: [string, Claim], value: unknown) => void;
    claimed: [[string, Claim], unknown][];
    /** Silence, a tone, silence, at a rate. */
    tones: (rate: number, times: number) => Float32Array;
    /** A stream of the browser that plays these samples once. */
    played: (samples: Float32Array, rate: number) => MediaStream;
    /** A stream of these pieces. */
    streamed: (pieces: AsyncIterable<unknown> | unknown[]) => ReadableStream<Float32Array>;
  }
}

const model = (name: string): Buffer => readFileSync(join(root, "tests/fixtures/models", `${name}.onnx`));

/** The bundle of docs/tables.md. */
function homes(): Record<string, string | Buffer> {
  const file = model("homes");
  const features = {
    kind: "table",
    columns: [
      { name: "rooms", kind: "number" },
      { name: "age", kind: "number" },
    ],
  };
  const manifest = {
    format: "smallfirst-bundle",
    version: 1,
    name: "homes",
    revision: "1",
    files: {
      "model.onnx": {
        bytes: file.length,
        sha256: createHash("sha256").update(file).digest("hex"),
        license: "MIT",
      },
    },
    heads: { price: { file: "model.onnx", features, output: "probabilities", temperature: 1 } },
    tasks: {
      price: {
        kind: "classify",
        input: "table",
        title: "Price",
        instruction: "Tell whether a home is cheap.",
        labels: [{ id: "cheap" }, { id: "dear" }],
        limits: { minBytes: 1, maxBytes: 1_048_576 },
        tiers: ["price"],
      },
    },
  };
  return { "manifest.json": JSON.stringify(manifest), "model.onnx": file };
}

const FOLDERS: Record<string, Record<string, string | Buffer>> = {
  "folders/voice": { "config.json": JSON.stringify({ model_type: "custom" }), "onnx/model.onnx": model("loudness") },
  "folders/loudness": {
    "config.json": JSON.stringify({
      architectures: ["Wav2Vec2ForSequenceClassification"],
      id2label: { 0: "loud", 1: "quiet" },
    }),
    "preprocessor_config.json": JSON.stringify({
      feature_extractor_type: "Wav2Vec2FeatureExtractor",
      feature_size: 1,
      sampling_rate: 16_000,
      do_normalize: false,
    }),
    "onnx/model.onnx": model("loud-or-quiet"),
  },
  "tables/homes": homes(),
};

const GREETING = Array.from({ length: 32_000 }, (_, at) => (at < 8_000 || at > 24_000 ? 0 : 0.8 * Math.sin(at / 5)));

async function opened(page: Page, harness: Local): Promise<void> {
  const imports = {
    "smallfirst/pipeline": "/pkg/pipeline.js",
    "smallfirst/sound": "/pkg/sound.js",
    smallfirst: "/pkg/index.js",
  };
  harness.texts.set(
    "/docs/sound.html",
    `<!doctype html><meta charset=utf-8><title>sound</title><link rel=icon href=data:,><script type=importmap>${JSON.stringify({ imports })}</script>`,
  );
  for (const [folder, files] of Object.entries(FOLDERS)) {
    await page.route(`**/${folder}/**`, async (route) => {
      const file = files[new URL(route.request().url()).pathname.split(`/${folder}/`)[1] ?? ""];
      if (file !== undefined) await route.fulfill({ body: file });
      else await route.fulfill({ status: 404, body: "" });
    });
  }
  await page.route("**/sounds/greeting.wav", (route) =>
    route.fulfill({
      body: wav(
        Int16Array.from(GREETING, (sample) => Math.round(sample * 32_767)),
        16_000,
      ),
      contentType: "audio/wav",
    }),
  );
  await page.goto(`${harness.address}/docs/sound.html`);
  // Browsers let a page listen once somebody has clicked on it.
  await page.mouse.click(5, 5);
  await page.evaluate(async () => {
    const [folders, whole] = ["smallfirst/pipeline", "smallfirst"];
    window.pipelines = (await import(folders!)) as typeof Pipelines;
    window.smallfirst = (await import(whole!)) as typeof Package;
    window.claimed = [];
    window.claim = (claim, value) => window.claimed.push([claim, JSON.parse(JSON.stringify(value ?? null))]);
    window.tones = (rate, times) =>
      Float32Array.from({ length: times * 2 * rate + rate / 2 }, (_, at) =>
        Math.floor(at / rate) % 2 === 1 ? 0.8 * Math.sin((at / rate) * 440 * 2 * Math.PI) : 0,
      );
    window.played = (samples, rate) => {
      const context = new AudioContext();
      const buffer = context.createBuffer(1, samples.length, rate);
      buffer.copyToChannel(new Float32Array(samples), 0);
      const source = context.createBufferSource();
      source.buffer = buffer;
      const to = context.createMediaStreamDestination();
      source.connect(to);
      source.start();
      source.onended = () => to.stream.getTracks().forEach((track) => track.stop());
      return to.stream;
    };
    window.streamed = (pieces) =>
      new ReadableStream({
        async start(controller) {
          for await (const piece of pieces) controller.enqueue(piece as Float32Array);
          controller.close();
        },
      });
    // A page of tests has no microphone.
    navigator.mediaDevices.getUserMedia = async () => window.played(window.tones(16_000, 2), 16_000);
  });
}

// A file that is not there is looked for: the browser says so.
test.use({ expected: [/Failed to load resource: .*404/] });

for (const file of ["docs/sound.md", "docs/tables.md"]) {
  test(`${file} says what is`, async ({ page, harness }) => {
    await opened(page, harness);
    const all = blocks(file).filter(isNumbersScript);
    expect(all.length).toBeGreaterThan(1);
    for (const block of all) {
      const { code, claims } = pageModule(block);
      const path = `/docs/numbers-${block.line}.js`;
      harness.texts.set(path, code);
      const before = await page.evaluate(() => window.claimed.length);
      await page.evaluate((path) => import(path).then(() => {}), path);
      const claimed = (await page.evaluate(() => window.claimed)).slice(before);
      expect(claimed, `${place(block)}: every claim is met`).toHaveLength(claims);
      for (const [[where, claim], value] of claimed) expect(broken(claim, value), where).toBeUndefined();
    }
  });
}

test("a stream has the segments of the whole sound, whatever its pieces, and whoever stops reading ends it", async ({
  page,
  harness,
}) => {
  await opened(page, harness);
  const seen = await page.evaluate(async () => {
    const detect = await window.pipelines.pipeline("voice-activity-detection", "/folders/voice/");
    const all: Record<string, unknown> = {};
    for (const rate of [8_000, 44_100, 96_000]) {
      const samples = window.tones(rate, 3);
      const whole = await detect({ samples, sampleRate: rate });
      const buffer = new AudioBuffer({ length: samples.length, sampleRate: rate });
      buffer.copyToChannel(new Float32Array(samples), 0);
      const same = [await detect(buffer), await detect(samples, { sampling_rate: rate })];
      for (const size of [1_000, 12_345]) {
        async function* pieces(): AsyncGenerator<Float32Array> {
          for (let at = 0; at < samples.length; at += size) yield samples.subarray(at, at + size);
        }
        const segments = [];
        const given = size === 1_000 ? pieces() : window.streamed(pieces());
        for await (const event of detect.stream(given, { sampling_rate: rate }))
          if (event.kind === "segment") segments.push({ start: event.start, end: event.end, score: event.score });
        same.push({ segments });
      }
      all[rate] = [whole.segments.length, same.every((one) => JSON.stringify(one) === JSON.stringify(whole))];
    }
    // The source is told when nobody reads any more.
    let cancelled = false;
    const endless = new ReadableStream<Float32Array>({
      pull: (controller) => controller.enqueue(window.tones(16_000, 1)),
      cancel: () => {
        cancelled = true;
      },
    });
    let first;
    for await (const event of detect.stream(endless, { sampling_rate: 16_000 })) {
      first = event.kind;
      break;
    }
    // Nor is the worker kept from other calls.
    const after = await detect({ samples: new Float32Array(16_000), sampleRate: 16_000 });
    await detect.dispose();
    return { all, first, cancelled, after: after.segments };
  });
  expect(seen.all).toEqual({ 8000: [3, true], 44100: [3, true], 96000: [3, true] });
  expect(seen).toMatchObject({ first: "speech-start", cancelled: true, after: [] });
});

test("a MediaStream is heard while it plays", async ({ page, harness }) => {
  await opened(page, harness);
  const seen = await page.evaluate(async () => {
    const detect = await window.pipelines.pipeline("voice-activity-detection", "/folders/voice/");
    const told: { kind: string; at: number }[] = [];
    const from = performance.now();
    for await (const event of detect.stream(window.played(window.tones(16_000, 2), 16_000)))
      told.push({ kind: event.kind, at: (performance.now() - from) / 1000 });
    await detect.dispose();
    return told;
  });
  expect(seen.map(({ kind }) => kind)).toEqual([
    "speech-start",
    "speech-end",
    "segment",
    "speech-start",
    "speech-end",
    "segment",
  ]);
  // Told while the rest was still to come.
  expect(seen[0]!.at).toBeLessThan(seen[5]!.at - 1);
});

test("what is no sound, or no row, is told by a code, and the instance goes on", async ({ page, harness }) => {
  await opened(page, harness);
  const seen = await page.evaluate(async () => {
    const detect = await window.pipelines.pipeline("voice-activity-detection", "/folders/voice/");
    const told = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => "fine",
        (error: Package.SmallFirstError) => error.code,
      );
    const samples = new Float32Array(16_000);
    const broken = Float32Array.of(0, Number.NaN);
    const streamed = async (pieces: unknown[], options: object): Promise<void> => {
      for await (const event of detect.stream(window.streamed(pieces), options)) void event;
    };
    const sounds = {
      fine: await told(detect({ samples, sampleRate: 16_000 })),
      empty: await told(detect({ samples: new Float32Array(), sampleRate: 16_000 })),
      broken: await told(detect({ samples: broken, sampleRate: 16_000 })),
      rate: await told(detect({ samples, sampleRate: 0 })),
      text: await told(detect.run("hello")),
      file: await told(detect.run(new Blob(["RIFF"]))),
      noFile: await told(detect(new Blob(["no sound at all"]))),
      option: await told(detect.run({ samples, sampleRate: 16_000 }, { topK: 2 })),
      threshold: await told(detect({ samples, sampleRate: 16_000 }, { threshold: 2 })),
      streamedRate: await told(streamed([samples], {})),
      streamedText: await told(streamed(["hello"], { sampling_rate: 16_000 })),
      streamedNaN: await told(streamed([broken], { sampling_rate: 16_000 })),
      after: await told(detect({ samples, sampleRate: 16_000 })),
    };
    const ai = await window.smallfirst.createSmallFirst({ bundle: "/tables/homes/", engine: "onnx" });
    const row = (row: object): Promise<string> =>
      ai.run("price", { row: row as Package.TableRow }).then(
        (answer) => answer.output.label,
        (error: Package.SmallFirstError) => `${error.code}: ${error.message}`,
      );
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`more${at}`, at]));
    const tables = {
      fine: await row({ rooms: 1, age: 90 }),
      missing: await row({ rooms: 1 }),
      text: await row({ rooms: "1", age: 90 }),
      none: await row({ rooms: 1, age: null }),
      half: await row({ rooms: 1.5, age: 90 }),
      nan: await row({ rooms: 1, age: Number.NaN }),
      list: await row({ rooms: [1], age: 90 }),
      empty: await row({}),
      many: await row({ ...many, rooms: 5, age: 10 }),
      after: await row({ rooms: 1, age: 90 }),
    };
    const stream = async (): Promise<void> => {
      for await (const event of ai.stream("price", window.streamed([samples]), { sampleRate: 16_000 })) void event;
    };
    const kind = await told(stream());
    ai.dispose();
    await detect.dispose();
    return { sounds, tables, kind };
  });
  expect(seen.sounds).toEqual({
    fine: "fine",
    empty: "empty_input",
    broken: "input_kind",
    rate: "input_kind",
    text: "input_kind",
    file: "input_kind",
    noFile: "input_kind",
    option: "invalid_option",
    threshold: "invalid_option",
    streamedRate: "invalid_option",
    streamedText: "input_kind",
    streamedNaN: "input_kind",
    after: "fine",
  });
  expect(seen.tables.fine).toBe("cheap");
  expect(seen.tables.many).toBe("dear");
  expect(seen.tables.after).toBe("cheap");
  for (const wrong of ["missing", "text", "none", "half", "nan", "list"] as const)
    expect(seen.tables[wrong]).toMatch(/^input_kind: .*"(rooms|age)"/);
  expect(seen.tables.empty).toMatch(/^empty_input: /);
  expect(seen.kind).toBe("invalid_option");
});
