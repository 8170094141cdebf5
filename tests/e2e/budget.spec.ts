import { expect, test } from "./fixtures.js";
import { ready, run } from "./harness.js";

const remoteOf = (address: string) =>
  ({
    provider: "openai",
    baseUrl: `${address}/echo`,
    model: "m",
    price: { inputPerMillion: 1, outputPerMillion: 2 },
  }) as const;

test("all tabs share one budget, and it outlives a reload", async ({ context, harness, faults }) => {
  faults.requests = [];
  const options = {
    remote: remoteOf(faults.address),
    mode: "only-remote",
    budget: { requestsPerDay: 7 },
    answerCache: { entries: 0 },
  } as const;
  const tabs = await Promise.all([context.newPage(), context.newPage(), context.newPage()]);
  await Promise.all(tabs.map((tab) => ready(tab, harness.address, options)));
  const outcomes = await Promise.all(
    tabs.map((tab) =>
      tab.evaluate(() => Promise.all([1, 2, 3, 4].map((n) => window.outcome(window.ai.run("sentiment", `text ${n}`))))),
    ),
  );
  const all = outcomes.flat();
  expect(all.filter((o) => o.answer?.ranOn === "remote")).toHaveLength(7);
  expect(all.filter((o) => o.error?.code === "over_budget")).toHaveLength(5);
  expect(faults.requests.filter((r) => r.startsWith("POST"))).toHaveLength(7);

  await ready(tabs[0], harness.address, { ...options, mode: "prefer-local" });
  const { answer } = await run(tabs[0], "sentiment", "I guess the flight was okay but the seat was small");
  expect(answer).toMatchObject({ ranOn: "local", degraded: true });
  expect(answer!.attempts.at(-1)).toMatchObject({ outcome: "skipped", code: "over_budget" });
  const usage = await tabs[1].evaluate(() => window.ai.usage());
  expect(usage.today).toMatchObject({ requests: 7 });
  expect(usage.today.inputTokens).toBeGreaterThan(50);
  expect(usage.today.costUsd).toBeGreaterThan(0);
  expect(usage.inFlight).toBe(0);
});

test("what local answers saved is counted", async ({ page, harness, faults }) => {
  await ready(page, harness.address, { remote: remoteOf(faults.address) });
  await run(page, "sentiment", "I love this, what a wonderful day! Thank you so much");
  const usage = await page.evaluate(() => window.ai.usage());
  expect(usage.saved.requests).toBe(1);
  expect(usage.saved.costUsd).toBeGreaterThan(0);
  expect(usage.total.requests).toBe(0);
});

test("the same question is sent once, and kept where that is asked for", async ({ page, harness, faults }) => {
  faults.requests = [];
  const options = { remote: remoteOf(faults.address), mode: "only-remote", answerCache: { persist: true } } as const;
  const posts = () => faults.requests.filter((r) => r.startsWith("POST")).length;
  await ready(page, harness.address, options);
  const first = await page.evaluate(() => Promise.all([1, 2, 3].map(() => window.ai.run("sentiment", "so so"))));
  expect(first.map((a) => a.cached).filter(Boolean)).toHaveLength(2);
  expect(posts()).toBe(1);
  await ready(page, harness.address, options);
  expect((await run(page, "sentiment", "so so")).answer).toMatchObject({ cached: true, ranOn: "remote", usage: null });
  expect(posts()).toBe(1);
  await page.evaluate(() => window.ai.clearAnswerCache());
  expect((await run(page, "sentiment", "so so")).answer).toMatchObject({ cached: false });
  expect(posts()).toBe(2);
});
