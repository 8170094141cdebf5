// Risks, cards, audits and drift through the npm package.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "./fixtures.js";
import { ready, run } from "./harness.js";

const GERMAN = "Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig.";

test("a risk decides what is local, and the answer says what is promised", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const { answer } = await run(page, "language", GERMAN);
  expect(answer).toMatchObject({ risk: 0.05, guaranteed: true, degraded: false });
  const tasks = await page.evaluate(() => window.ai.tasks());
  const { risks } = tasks.find((t) => t.id === "language")!;
  expect(risks.map((r) => r.risk)).toEqual([0.01, 0.02, 0.05, 0.1, 0.2]);
  // A smaller risk asks for more confidence, and one that nothing certifies for more than there is.
  const certified = risks.filter((r) => r.certified);
  const thresholds: number[] = [];
  for (const { risk } of certified) {
    const { answer } = await run(page, "language", GERMAN, { risk });
    expect(answer!.risk).toBe(risk);
    thresholds.push(answer!.threshold!);
  }
  expect([...thresholds].sort((a, b) => b - a)).toEqual(thresholds);
  const { answer: refused } = await run(page, "language", GERMAN, { risk: 0.001 });
  expect(refused).toMatchObject({ reason: "uncertified", guaranteed: false, degraded: true, threshold: null });
  // A task of bytes has its certificates, too.
  const html = [...new TextEncoder().encode("<!doctype html><html><body><p>Hello, world</p></body></html>")];
  expect((await run(page, "file-type", html)).answer).toMatchObject({ guaranteed: true, risk: 0.05, degraded: false });
  expect((await run(page, "file-type", html, { risk: 0.1 })).answer).toMatchObject({ guaranteed: true, risk: 0.1 });
  expect((await run(page, "file-type", html, { risk: 0.001 })).answer).toMatchObject({ reason: "uncertified" });
});

test("a sentence is answered here, and a word says why it is not", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const { answer: sentence } = await run(page, "language", "Wo ist der nächste Bahnhof, bitte?");
  expect(sentence).toMatchObject({ output: { label: "deu" }, guaranteed: true, reason: "confident" });
  const { answer: word } = await run(page, "language", "Tag");
  expect(word).toMatchObject({ guaranteed: false, reason: "low_confidence", degraded: true });
  expect(word!.attempts[0]!.doubts).toContain("short_input");
  expect(word!.explanation).toContain("the input is short");
});

test("the instance's risk counts for calls that name none, and a wrong one is refused", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local", risk: 0.2 });
  expect((await run(page, "language", GERMAN)).answer!.risk).toBe(0.2);
  expect((await run(page, "language", GERMAN, { risk: 0.1 })).answer!.risk).toBe(0.1);
  for (const risk of [0, 1, -1, Number.NaN, "5 %"]) {
    expect((await run(page, "language", GERMAN, { risk })).error?.code).toBe("invalid_option");
  }
});

test("what is unlike the training data escalates for that reason", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const data = readFileSync(join(process.env["SMALLFIRST_DATA"]!, "spam.oos.test.jsonl"), "utf8").trim().split("\n");
  const inputs = data.map((line) => (JSON.parse(line) as { input: string }).input);
  const reasons = await page.evaluate(async (inputs) => {
    const items = await window.ai.runBatch("spam", inputs);
    return items.map((item) => (item.ok ? item.answer.reason : item.error.code));
  }, inputs);
  const outside = reasons.filter((reason) => reason === "out_of_distribution" || reason === "unsupported_language");
  expect(reasons).toContain("out_of_distribution");
  // The cut lets everyday mails pass, and with them more of what is no mail (models/spam/README.md).
  expect(outside.length / reasons.length).toBeGreaterThan(0.65);
});

test("a task's card comes with its evaluation", async ({ page, harness }) => {
  await ready(page, harness.address);
  const card = await page.evaluate(() => window.ai.card("spam"));
  expect(card.task).toBe("spam");
  expect(card.markdown).toContain("model-index:");
  expect(card.evaluation).toMatchObject({ task: "spam", accuracy: { n: expect.any(Number) as unknown } });
  const code = await page.evaluate(() => window.ai.card("nothing").catch((e: { code: string }) => e.code));
  expect(code).toBe("unknown_task");
});

test("inputs that differ raise an event, and wrong audited answers end the guarantee", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const seen = await page.evaluate(
    async ([german]) => {
      const events: { task: string; watched: string; alarmed: boolean }[] = [];
      const onDrift = (e: (typeof events)[0]): unknown => events.push(e);
      const ai = await window.create({ mode: "only-local", onDrift });
      const before = await ai.run("language", german);
      // The same sure input over and over is nothing like the calibration data.
      await ai.runBatch(
        "language",
        Array.from({ length: 400 }, () => german),
      );
      const after = await ai.run("language", german);
      const status = await ai.drift("language");
      // The next instance goes on with the monitors, which are written once a second, and the alarm ends its guarantee.
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const stopped = await window.create({ mode: "only-local", onDrift: "stop" });
      const ended = await stopped.run("language", german);
      // Another one, whose audited answers are all wrong.
      const other = await window.create({ mode: "only-local", onDrift, auditShare: 1, storage: "other" });
      const counted: boolean[] = [];
      let answer = await other.run("language", german);
      for (let i = 0; i < 20 && answer.guaranteed; i++) {
        counted.push(await other.reportOutcome(answer, false), await other.reportOutcome(answer, false));
        answer = await other.run("language", german);
      }
      const plain = await other.reportOutcome(answer, false);
      const audited = (await other.drift("language")).find((d) => d.watched === "errors");
      return {
        events,
        guaranteed: [before, after, ended, answer].map((answer) => answer.guaranteed),
        explanation: ended.explanation,
        status,
        counted,
        plain,
        audited,
      };
    },
    [GERMAN] as const,
  );
  expect(seen.guaranteed).toEqual([true, true, false, false]);
  expect(seen.explanation).toContain("without a promise of how often such answers are wrong");
  expect(seen.events.map((e) => e.watched)).toEqual(["inputs", "errors"]);
  expect(seen.status[0]).toMatchObject({ watched: "inputs", alarmed: true, falseAlarmRate: 0.01, observed: 402 });
  // Each counts once, and what was not drawn does not.
  expect(seen.counted).toEqual(seen.counted.map((_, i) => i % 2 === 0));
  expect(seen.plain).toBe(false);
  expect(seen.audited).toMatchObject({ observed: seen.counted.length / 2, alarmed: true, risk: 0.05 });
});
