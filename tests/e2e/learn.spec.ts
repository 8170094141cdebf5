import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "./fixtures.js";
import { open } from "./harness.js";

/** Real mails in a random order, told by their senders' folder; the labels stand for the remote. */
function mails(n: number): { input: string; label: string }[] {
  const lines = readFileSync(join(process.env["SMALLFIRST_DATA"]!, "spam.jsonl"), "utf8").trim().split("\n");
  const rows = lines.map((line) => JSON.parse(line) as { input: string; label: string });
  // Any order that is no order of the file: by a multiplicative hash of the place.
  const key = (at: number): number => Math.imul(at + 1, 0x9e3779b1) >>> 0;
  return rows
    .map((row, at) => ({ row, key: key(at) }))
    .sort((a, b) => a.key - b.key)
    .slice(0, n)
    .map(({ row }) => row);
}

test("a task of the page's own comes to be answered on the device, also after a reload, until it is forgotten", async ({
  page,
  harness,
}) => {
  test.setTimeout(240_000);
  const stream = mails(420);
  await open(page, harness.address);
  const start = `async () => {
    window.asked = 0;
    window.ai = await window.create({
      learn: true,
      risk: 0.2,
      remote: { provider: "custom", run: ({ input }) => (window.asked++, { label: window.truth.get(input) }) },
    });
    window.ask = (input) => window.ai.run("is-spam", input, { labels: ["ham", "spam"], instruction: "Is this mail spam?" });
  }`;
  const seen = await page.evaluate(
    async ([stream, start]) => {
      const w = window as unknown as {
        truth: Map<string, string>;
        asked: number;
        ask: (input: string) => Promise<import("./harness.js").Answer>;
      };
      w.truth = new Map(stream.map(({ input, label }) => [input, label]));
      await (0, eval)(start)();
      const answers = [];
      for (const { input, label } of stream) {
        const answer = await w.ask(input);
        answers.push({ reason: answer.reason, right: answer.output.label === label, answer });
      }
      return { asked: w.asked, answers };
    },
    [stream, start] as const,
  );
  const learned = seen.answers.filter((a) => a.reason === "learned");
  expect(learned.length).toBeGreaterThan(60);
  expect(seen.asked + learned.length).toBe(stream.length);
  expect(learned.filter((a) => !a.right).length / learned.length).toBeLessThan(0.2);
  expect(seen.answers.slice(0, 100).every((a) => a.reason === "unknown_task")).toBe(true);
  const { answer } = learned[0]!;
  expect(answer).toMatchObject({
    ranOn: "local",
    tier: "learned",
    guaranteed: false,
    degraded: false,
    calibrated: true,
    sent: [],
  });
  expect(answer.confidence).toBeGreaterThanOrEqual(0.8);
  expect(answer.learned).toMatchObject({ risk: 0.2 });
  expect(answer.explanation).toContain("of the 5 most similar inputs");

  // A new page, no network: the examples are still there.
  await open(page, harness.address);
  const later = await page.evaluate(
    async ([input, start]) => {
      const w = window as unknown as {
        truth: Map<string, string>;
        asked: number;
        ask: (input: string) => Promise<import("./harness.js").Answer>;
      };
      w.truth = new Map();
      await (0, eval)(start)();
      const again = await window.ai.run("is-spam", input, {
        mode: "only-local",
        labels: ["ham", "spam"],
        instruction: "Is this mail spam?",
      });
      const report = await window.ai.learned();
      const rows = await window.ai.exportExamples("is-spam");
      const other = await window.ai.exportExamples("other");
      await window.ai.forgetExamples();
      const gone = await window.outcome(
        window.ai.run("is-spam", input, {
          mode: "only-local",
          labels: ["ham", "spam"],
          instruction: "Is this mail spam?",
        }),
      );
      return { again, report, rows, other, gone, left: await window.ai.exportExamples() };
    },
    [stream[seen.answers.findIndex((a) => a.reason === "learned")]!.input, start] as const,
  );
  expect(later.again).toMatchObject({ reason: "learned", ranOn: "local" });
  expect(later.report).toEqual([{ task: "is-spam", examples: seen.asked, total: seen.asked, distrusted: false }]);
  expect(later.rows).toHaveLength(seen.asked);
  expect(later.rows[0]).toMatchObject({ task: "is-spam", input: stream[0]!.input, label: stream[0]!.label });
  expect(later.other).toEqual([]);
  expect(later.gone.error).toMatchObject({ code: "unknown_task" });
  expect(later.left).toEqual([]);
});

test("what to learn is checked", async ({ page, harness }) => {
  await open(page, harness.address);
  const codes = await page.evaluate(async () => {
    const of = (learn: unknown) =>
      window.create({ learn }).then(
        () => "fine",
        (thrown: unknown) => window.failure(thrown).code,
      );
    return [
      await of({ examples: 3 }),
      await of({ audits: 1 }),
      await of("yes"),
      await of(false),
      await of({ keepInputs: false }),
    ];
  });
  expect(codes).toEqual(["invalid_option", "invalid_option", "invalid_option", "fine", "fine"]);
});
