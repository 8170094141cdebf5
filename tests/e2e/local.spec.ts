import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, root, test } from "./fixtures.js";
import { ready, run } from "./harness.js";

const HAPPY = "I love this, what a wonderful day! Thank you so much";
const OFFER =
  "Lower your mortgage payment today\n\nDear homeowner,\n\nInterest rates are at their lowest point in years, and you have been selected to receive a free quote with no obligation. Thousands of families have already saved hundreds of dollars every month. Bad credit is no problem. Click the link below, fill in the short form, and one of our lenders will call you within 24 hours.\n\nhttp://www.example.com/quote\n\nThis offer is limited. To be removed from our mailing list, reply with the word remove in the subject line.";
const GERMAN = "Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig.";

test("every task answers on the device, and says how sure it is", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const rust = [...readFileSync(join(root, "src/engine.rs"))];
  const cases: [string, string | number[], string][] = [
    ["language", GERMAN, "deu"],
    ["sentiment", HAPPY, "positive"],
    ["spam", OFFER, "spam"],
    ["file-type", rust, "rust"],
  ];
  for (const [task, input, label] of cases) {
    const { answer, error } = await run(page, task, input, { topK: 2 });
    expect(error, task).toBeUndefined();
    expect(answer).toMatchObject({ task, ranOn: "local", reason: "confident", degraded: false, usage: null });
    expect(answer!.output.label).toBe(label);
    expect(answer!.output.scores).toHaveLength(2);
    expect(answer!.output.scores[0]).toEqual({ label, score: answer!.output.score });
    expect(answer!.confidence!).toBeGreaterThanOrEqual(answer!.threshold!);
    expect(answer!.attempts.map((a) => a.outcome)).toEqual(["answered"]);
    expect(answer!.timing.totalMs).toBeGreaterThan(0);
  }
});

test("tasks() tells what the bundle can do and what is loaded", async ({ page, harness }) => {
  await ready(page, harness.address);
  const before = await page.evaluate(() => window.ai.tasks());
  expect(before.map((t) => t.id).sort()).toEqual([
    "answer",
    "file-type",
    "language",
    "rewrite",
    "sentiment",
    "spam",
    "summarise",
  ]);
  expect(before.every((t) => t.tiers.every((tier) => !tier.loaded))).toBe(true);
  expect(before.find((t) => t.id === "language")!.labels).toHaveLength(75);
  await page.evaluate(() => window.ai.preload(["language"]));
  const after = await page.evaluate(() => window.ai.tasks());
  const loaded = after.filter((t) => t.tiers.some((tier) => tier.loaded)).map((t) => t.id);
  expect(loaded).toEqual(["language"]);
});

test("a batch gives one item an input, and a bad one loses nothing", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const items = await page.evaluate(
    async ([happy]) => {
      const inputs = [happy, "", "\ud800", 7 as unknown as string, happy];
      const items = await window.ai.runBatch("sentiment", inputs);
      return items.map((item) => (item.ok ? item.answer.output.label : item.error.code));
    },
    [HAPPY] as const,
  );
  expect(items).toEqual(["positive", "empty_input", "invalid_text", "input_kind", "positive"]);
});

test("bytes may come as an array, a buffer or a file, and stay the caller's", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const labels = await page.evaluate(async () => {
    const html = "<!doctype html><html><head><title>x</title></head><body><p>Hello, world</p></body></html>";
    const bytes = new TextEncoder().encode(html);
    const inputs = [bytes, bytes.buffer, new Blob([bytes]), new File([bytes], "x.bin")];
    const labels: string[] = [];
    for (const input of inputs) labels.push((await window.ai.run("file-type", input)).output.label);
    return [...labels, String(bytes.length)];
  });
  expect(labels).toEqual(["html", "html", "html", "html", "89"]);
});

test("instances are independent, and a disposed one says so", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const seen = await page.evaluate(
    async ([german]) => {
      const other = await window.create({ mode: "only-local" });
      const both = await Promise.all([other.run("language", german), window.ai.run("language", german)]);
      const running = window.outcome(other.run("file-type", new Uint8Array(100)));
      other.dispose();
      other.dispose();
      const late = await window.outcome(other.run("language", german));
      const first = await window.ai.run("language", german);
      return [...both.map((a) => a.output.label), (await running).error?.code, late.error?.code, first.output.label];
    },
    [GERMAN] as const,
  );
  expect(seen).toEqual(["deu", "deu", "disposed", "disposed", "deu"]);
});

test("an abort rejects at once with the signal's reason, and the instance goes on", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const seen = await page.evaluate(
    async ([german]) => {
      const name = (thrown: unknown): string => (thrown as Error).name;
      const already = await window.ai.run("language", german, { signal: AbortSignal.abort() }).catch(name);
      const controller = new AbortController();
      const many = Array.from({ length: 20_000 }, () => german);
      const batch = window.ai.runBatch("language", many, { signal: controller.signal }).catch(name);
      setTimeout(() => controller.abort(), 50);
      const during = await batch;
      const creating = await window.create({ signal: AbortSignal.abort() }).catch(name);
      return [already, during, creating, (await window.ai.run("language", german)).output.label];
    },
    [GERMAN] as const,
  );
  expect(seen).toEqual(["AbortError", "AbortError", "AbortError", "deu"]);
});

test("the page stays responsive while the worker works", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const { ticks, done } = await page.evaluate(
    async ([german]) => {
      let ticks = 0;
      const timer = setInterval(() => ticks++, 5);
      const items = await window.ai.runBatch(
        "file-type",
        Array.from({ length: 60 }, () => new TextEncoder().encode(german)),
      );
      clearInterval(timer);
      return { ticks, done: items.filter((item) => item.ok).length };
    },
    [GERMAN] as const,
  );
  expect(done).toBe(60);
  // On the main thread the batch would be one long task, with no tick inside.
  expect(ticks).toBeGreaterThan(3);
});

test.describe("a worker that dies", () => {
  test.use({ expected: [/crash on purpose/] });

  test("is replaced at the next call", async ({ page, harness }) => {
    await ready(page, harness.address, { mode: "only-local" });
    expect((await run(page, "language", GERMAN)).answer?.output.label).toBe("deu");
    const worker = page.workers()[0]!;
    await worker.evaluate(() => {
      setTimeout(() => {
        throw new Error("crash on purpose");
      });
    });
    await expect.poll(() => page.workers().length).toBe(0);
    expect((await run(page, "language", GERMAN)).answer?.output.label).toBe("deu");
  });
});
