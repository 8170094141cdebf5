import { expect, test } from "./fixtures.js";
import { open, ready, run } from "./harness.js";

/** A text the local model is not sure about. */
const UNSURE = "I guess the flight was okay but the seat was small";
const HAPPY = "I love this, what a wonderful day! Thank you so much";

test.describe("a real LLM", () => {
  test("answers in the task's labels, with usage and the reason", async ({ page, harness, llm }) => {
    const remote = { provider: "openai", baseUrl: llm.address, model: "smollm2-135m", timeoutMs: 90_000 } as const;
    await ready(page, harness.address, { remote });

    const { answer: unsure } = await run(page, "sentiment", UNSURE);
    expect(unsure).toMatchObject({ ranOn: "remote", reason: "low_confidence", degraded: false, confidence: null });
    expect(["negative", "neutral", "positive"]).toContain(unsure!.output.label);
    expect(unsure!.usage!.inputTokens).toBeGreaterThan(10);
    expect(unsure!.usage!.outputTokens).toBeGreaterThan(1);
    // Both tiers of the task, and then the LLM.
    expect(unsure!.attempts.map((a) => [a.on, a.outcome])).toEqual([
      ["local", "escalated"],
      ["local", "escalated"],
      ["remote", "answered"],
    ]);
    for (const { confidence, threshold } of unsure!.attempts.slice(0, 2)) expect(confidence!).toBeLessThan(threshold!);
    expect(unsure!.explanation).toContain("below its threshold");

    const { answer: sure } = await run(page, "sentiment", HAPPY);
    expect(sure).toMatchObject({ ranOn: "local", reason: "confident" });

    const { answer: only } = await run(page, "sentiment", HAPPY, { mode: "only-remote" });
    expect(only).toMatchObject({ ranOn: "remote", reason: "mode", tier: "smollm2-135m" });

    const options = { labels: ["sport", "politics"], instruction: "Name the topic of the text." };
    const { answer: own } = await run(page, "topic", "The match ended 2:1 after extra time.", options);
    expect(own).toMatchObject({ ranOn: "remote", reason: "unknown_task" });
    expect(options.labels).toContain(own!.output.label);
  });

  test("can be aborted while it works, and asked again", async ({ page, harness, llm }) => {
    const remote = { provider: "openai", baseUrl: llm.address, model: "smollm2-135m", timeoutMs: 90_000 } as const;
    await ready(page, harness.address, { remote, mode: "only-remote" });
    const seen = await page.evaluate(
      async ([unsure]) => {
        const controller = new AbortController();
        setTimeout(() => controller.abort(), 30);
        const aborted = await window.ai
          .run("sentiment", unsure.repeat(30), { signal: controller.signal })
          .catch((thrown: Error) => thrown.name);
        return [aborted, (await window.ai.run("sentiment", unsure)).ranOn];
      },
      [UNSURE] as const,
    );
    expect(seen).toEqual(["AbortError", "remote"]);
  });

  test.describe("when the text is over its context", () => {
    test.use({ expected: [/status of 400/] });

    test("the server's own words come back", async ({ page, harness, llm }) => {
      const remote = { provider: "openai", baseUrl: llm.address, model: "smollm2-135m" } as const;
      await ready(page, harness.address, { remote, mode: "only-remote" });
      const { error } = await run(page, "sentiment", "so many words here ".repeat(5000));
      expect(error).toMatchObject({ code: "remote_status" });
      expect(error!.message).toContain("context");
    });
  });
});

test.describe("a failing remote", () => {
  test.use({ expected: [/Failed to load resource/, /CORS/] });

  const FAULTS: [string, string][] = [
    ["html", "remote_bad_response"],
    ["500", "remote_status"],
    ["401", "remote_status"],
    ["429", "remote_status"],
    ["hang", "remote_timeout"],
    ["reset", "remote_unreachable"],
    ["empty", "remote_bad_response"],
    ["truncated", "remote_bad_response"],
    ["wrong-label", "remote_bad_response"],
    ["prose", "remote_bad_response"],
    ["length", "remote_bad_response"],
    ["refusal", "remote_refused"],
    ["huge", "remote_bad_response"],
    ["redirect", "remote_unreachable"],
  ];
  for (const [fault, code] of FAULTS) {
    test(`(${fault}) leaves the best local answer, or a clear error`, async ({ page, harness, faults }) => {
      const remote = {
        provider: "openai",
        baseUrl: `${faults.address}/${fault}`,
        model: "m",
        timeoutMs: 1500,
      } as const;
      await ready(page, harness.address, { remote, policy: { maxRetries: 0 } });
      faults.requests = [];
      const { answer } = await run(page, "sentiment", UNSURE);
      expect(answer).toMatchObject({ ranOn: "local", reason: "low_confidence", degraded: true });
      expect(answer!.attempts.at(-1)).toMatchObject({ on: "remote", outcome: "failed", code });
      const { error } = await run(page, "sentiment", UNSURE, { mode: "only-remote" });
      expect(error).toMatchObject({ name: "SmallFirstError", code });
      // What was said and is no answer is asked for once more, with what was wrong.
      expect(error!.attempts).toHaveLength(["wrong-label", "prose", "length"].includes(fault) ? 2 : 1);
      expect(faults.requests.some((r) => r.includes("/echo/"))).toBe(false);
      expect((await run(page, "sentiment", HAPPY)).answer?.reason).toBe("confident");
    });
  }

  test("that does not exist is unreachable", async ({ page, harness }) => {
    const remote = { provider: "openai", baseUrl: "http://127.0.0.1:1/v1", model: "m" } as const;
    await ready(page, harness.address, { remote, policy: { maxRetries: 0 } });
    const { answer } = await run(page, "sentiment", UNSURE);
    expect(answer!.attempts.at(-1)).toMatchObject({ code: "remote_unreachable" });
  });
});

test("headers come from the page's callback, before every request", async ({ page, harness, faults }) => {
  await ready(page, harness.address);
  const tokens: (string | undefined)[] = [];
  page.on("request", (request) => {
    if (request.url().includes("/echo/")) tokens.push(request.headers()["authorization"]);
  });
  const codes = await page.evaluate(
    async ([unsure, baseUrl]) => {
      let n = 0;
      const remote = { provider: "openai", baseUrl, model: "m" };
      const ai = await window.create({
        mode: "only-remote",
        remote: { ...remote, headers: async () => ({ authorization: `Bearer ${++n}` }) },
      });
      await ai.run("sentiment", unsure);
      await ai.run("sentiment", `${unsure}!`);
      const failing = async (): Promise<never> => {
        throw new Error("signed out");
      };
      const broken = await window.create({ mode: "only-remote", remote: { ...remote, headers: failing } });
      const { error } = await window.outcome(broken.run("sentiment", unsure));
      return [error?.code, error?.message];
    },
    [UNSURE, `${faults.address}/echo`] as const,
  );
  expect(tokens).toEqual(["Bearer 1", "Bearer 2"]);
  expect(codes[0]).toBe("invalid_option");
  expect(codes[1]).toContain("signed out");
});

test("in only-local nothing but the bundle is ever asked for", async ({ page, harness, faults }) => {
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  faults.requests = [];
  const remote = { provider: "openai", baseUrl: `${faults.address}/echo`, model: "m" } as const;
  await ready(page, harness.address, { remote, mode: "only-local" });
  for (const text of [UNSURE, HAPPY, "Das ist ein deutscher Satz, den niemand versteht."]) {
    await run(page, "sentiment", text);
  }
  await run(page, "topic", UNSURE, { labels: ["a", "b"] });
  await run(page, "spam", "word ".repeat(100_000));
  expect(faults.requests).toEqual([]);
  expect(asked.every((url) => url.startsWith(harness.address) || url.startsWith("data:"))).toBe(true);
});

test("offline, the remote is not even tried", async ({ page, context, harness }) => {
  await ready(page, harness.address, { remote: { provider: "openai", baseUrl: "https://llm.example/v1", model: "m" } });
  await page.evaluate(() => window.ai.preload());
  await context.setOffline(true);
  const { answer } = await run(page, "sentiment", UNSURE);
  expect(answer).toMatchObject({ ranOn: "local", degraded: true, reason: "low_confidence" });
  expect(answer!.attempts.at(-1)).toMatchObject({ on: "remote", outcome: "skipped", code: "offline" });
});

test("offline, with neither the model nor the remote to be had, the file is named that is missing", async ({
  page,
  context,
  harness,
  faults,
  expected,
}) => {
  expected.push(/ERR_INTERNET_DISCONNECTED|ERR_FAILED/);
  await ready(page, harness.address, {
    cache: "none",
    remote: { provider: "openai", baseUrl: "https://llm.example/v1", model: "m" },
  });
  await context.setOffline(true);
  const offline = (await run(page, "spam", "Win money now, in ten easy steps!")).error!;
  expect(offline).toMatchObject({ code: "bundle_unreachable" });
  expect(offline.message).toMatch(/\/models\/(spam|static-text)\/.* could not be fetched .*the device is offline/);
  await context.setOffline(false);

  // Also once the remote is left alone because it failed too often.
  await open(page, harness.address);
  await page.evaluate(
    async ([address, policy]) => {
      window.ai = await window.create({
        bundle: "/broken/missing-file/",
        cache: "none",
        policy,
        remote: { provider: "openai", baseUrl: `${address}/500`, model: "m" },
      });
    },
    [faults.address, { maxRetries: 0, breakerFailures: 1, breakerOpenMs: 60_000 }] as const,
  );
  expected.push(/500|404/);
  for (const remote of ["500", "left alone"]) {
    const { error } = await run(page, "language", "Wo ist denn hier der Bahnhof, bitte?");
    expect(error).toMatchObject({ code: "file_missing" });
    expect(error!.message).toContain("language/gone.sfm");
    expect(error!.message).toContain(remote);
  }
});
