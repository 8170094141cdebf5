// A worker that dies, or hangs: what the page still knows, and what becomes of the calls.

import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures.js";
import { open, ready, run } from "./harness.js";

const GERMAN = "Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig.";
const TEXT = "I guess the flight was okay but the seat was small";

test.use({ expected: [/crash on purpose/, /Failed to load resource/] });

/** Ends the page's first worker by an error that nobody catches. */
async function crash(page: Page): Promise<void> {
  const [worker] = page.workers();
  const closed = worker!.waitForEvent("close");
  await worker!.evaluate(() => {
    setTimeout(() => {
      throw new Error("crash on purpose");
    });
  });
  await closed;
}

/** Keeps the page's first worker busy for ever, from now on. */
async function occupy(page: Page): Promise<void> {
  const [worker] = page.workers();
  await worker!.evaluate(() => {
    setTimeout(() => {
      for (;;);
    });
  });
  await page.waitForTimeout(200);
}

test("the ledger outlives the worker, with what was being sent when it died", async ({ page, harness, faults }) => {
  faults.requests = [];
  const remote = (how: string) => ({ provider: "openai", baseUrl: `${faults.address}/${how}`, model: how }) as const;
  await ready(page, harness.address, { remote: remote("echo"), mode: "only-remote" });
  expect((await run(page, "sentiment", "first")).answer).toMatchObject({ ranOn: "remote" });
  await crash(page);
  expect((await page.evaluate(() => window.ai.egress())).sent).toMatchObject([{ task: "sentiment", model: "echo" }]);

  await ready(page, harness.address, { remote: remote("hang"), mode: "only-remote" });
  const running = run(page, "sentiment", "second");
  await expect.poll(() => faults.requests.filter((r) => r.startsWith("POST /hang"))).toHaveLength(1);
  await crash(page);
  // It may have been answered and paid, so it is not sent once more.
  expect((await running).error).toMatchObject({ code: "worker_failed" });
  const report = await page.evaluate(() => window.ai.egress());
  expect(report).toMatchObject({ requests: 1, sent: [{ model: "hang" }] });
  expect(report.bytes).toBe(report.sent[0]!.bytes);
  expect(report.sent[0]!.body).toContain("second");
  // What the page does with its copy is its own affair.
  await page.evaluate(async () => (await window.ai.egress()).sent.pop());
  expect((await page.evaluate(() => window.ai.egress())).sent).toHaveLength(1);
  expect(faults.requests.filter((r) => r.startsWith("POST /hang"))).toHaveLength(1);
});

test("nothing is sent before the page has written it down", async ({ page, harness, faults }) => {
  faults.requests = [];
  await open(page, harness.address);
  const seen = await page.evaluate(
    async ([remote]) => {
      const worker = (): Worker => {
        const worker = new Worker("/pkg/worker.js", { type: "module" });
        const listen = worker.addEventListener.bind(worker);
        // The page never takes the entry in.
        worker.addEventListener = (type: string, listener: EventListenerOrEventListenerObject) =>
          listen(type, (event) => {
            if ((event as MessageEvent).data?.question?.what !== "sent") (listener as EventListener)(event);
          });
        return worker;
      };
      const ai = await window.create({ remote, worker, mode: "only-remote", policy: { deadlineMs: 1500 } });
      return window.outcome(ai.run("sentiment", "secret"));
    },
    [{ provider: "openai", baseUrl: `${faults.address}/echo`, model: "m" }] as const,
  );
  expect(seen.error).toMatchObject({ code: "remote_timeout" });
  expect(faults.requests).toEqual([]);
});

/** How monitors stand, without the last digits, which may change where numbers are stored as text. */
function rounded(drifts: { evidence: number }[]): object[] {
  return drifts.map((drift) => ({ ...drift, evidence: drift.evidence.toPrecision(9) }));
}

test("an alarm outlives the worker, and so do audits", async ({ page, harness }) => {
  await open(page, harness.address);
  const before = await page.evaluate(
    async ([german]) => {
      window.drifts = [];
      window.ai = await window.create({
        mode: "only-local",
        auditShare: 1,
        onDrift: { action: "stop", notify: (drift: (typeof window.drifts)[0]) => window.drifts.push(drift) },
      });
      const first = await window.ai.run("language", german);
      const items = await window.ai.runBatch(
        "language",
        Array.from({ length: 400 }, () => german),
      );
      for (const [i, correct] of [true, false, true].entries()) {
        const item = items[i]!;
        if (item.ok) await window.ai.reportOutcome(item.answer, correct);
      }
      return { guaranteed: first.guaranteed, told: window.drifts.length, drift: await window.ai.drift("language") };
    },
    [GERMAN] as const,
  );
  expect(before).toMatchObject({ guaranteed: true, told: 1 });
  expect(before.drift).toMatchObject([
    { watched: "inputs", alarmed: true, observed: 401 },
    { watched: "errors", observed: 3 },
  ]);
  await crash(page);
  expect(rounded(await page.evaluate(() => window.ai.drift("language")))).toEqual(rounded(before.drift));
  await crash(page);
  const { answer } = await run(page, "language", GERMAN);
  expect(answer).toMatchObject({ reason: "confident", guaranteed: false });
  const after = await page.evaluate(async () => ({
    told: window.drifts.length,
    drift: await window.ai.drift("language"),
  }));
  expect(after.drift).toMatchObject([{ alarmed: true, observed: 402 }, { observed: 3 }]);
  expect(rounded(after.drift)[1]).toEqual(rounded(before.drift)[1]);
  expect(after.told).toBe(1);
});

test("with another calibration at the same address, monitors begin anew", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  await run(page, "language", GERMAN);
  await crash(page);
  await page.route("**/models/manifest.json", async (route) => {
    const response = await route.fetch();
    const manifest = (await response.json()) as { tasks: { language: { title: string } } };
    manifest.tasks.language.title += " anew";
    await route.fulfill({ response, body: JSON.stringify(manifest) });
  });
  expect(await page.evaluate(() => window.ai.drift("language"))).toEqual([]);
});

test("a worker too busy to hear of an abort is replaced, and the other calls are answered", async ({
  page,
  harness,
}) => {
  await ready(page, harness.address, { mode: "only-local" });
  await run(page, "language", GERMAN);
  const inputs = [...new TextEncoder().encode("<!doctype html><html><body><p>Hello</p></body></html>")];
  await occupy(page);
  const others = Promise.all([run(page, "language", GERMAN), run(page, "file-type", inputs)]);
  const aborted = await page.evaluate(async (german) => {
    const reason = await window.ai
      .run("language", german, { signal: AbortSignal.timeout(300) })
      .catch((thrown: Error) => thrown.name);
    return reason;
  }, GERMAN);
  expect(aborted).toBe("TimeoutError");
  expect((await others).map(({ answer }) => answer?.output.label)).toEqual(["deu", "html"]);
  await expect.poll(() => page.workers().length).toBe(1);
  expect(await page.evaluate(async () => (await window.ai.drift("language")).map((drift) => drift.observed))).toEqual([
    2,
  ]);
});

test("a worker that hears of an abort goes on", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  await run(page, "language", GERMAN);
  const [worker] = page.workers();
  await page.evaluate(async (german) => {
    const many = Array.from({ length: 20_000 }, () => german);
    await window.ai.runBatch("language", many, { signal: AbortSignal.timeout(50) }).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 7000));
  }, GERMAN);
  expect(page.workers()).toEqual([worker]);
});

test.describe("an input that kills its worker", () => {
  test.use({ expected: [/Cannot read properties of null/] });

  test("loses nothing but itself", async ({ page, harness }) => {
    await open(page, harness.address);
    const seen = await page.evaluate(
      async ([german, bytes]) => {
        let made = 0;
        const worker = (): Worker => {
          made++;
          const worker = new Worker("/pkg/worker.js", { type: "module" });
          const post = worker.postMessage.bind(worker);
          worker.postMessage = (message: { request?: { input?: unknown } }, transfer?: Transferable[] | object) => {
            // The worker's script cannot read this.
            if (message.request?.input === "poison") post(null);
            post(message, { transfer: Array.isArray(transfer) ? transfer : [] });
          };
          return worker;
        };
        window.ai = await window.create({ mode: "only-local", worker });
        await window.ai.preload(["language", "file-type"]);
        const code = async (promise: Promise<{ output: { label: string } }>): Promise<string> =>
          promise.then(
            (answer) => answer.output.label,
            (thrown: unknown) => window.failure(thrown).code,
          );
        const calls = [
          code(window.ai.run("language", german)),
          code(window.ai.run("file-type", new Uint8Array(bytes))),
          code(window.ai.run("language", "poison")),
          code(window.ai.run("language", german)),
          code(window.ai.run("file-type", new Uint8Array(bytes))),
        ];
        const codes = await Promise.all(calls);
        return { codes, made, after: await code(window.ai.run("language", german)) };
      },
      [GERMAN, [...new TextEncoder().encode("<!doctype html><html><body><p>Hello</p></body></html>")]] as const,
    );
    expect(seen.codes).toEqual(["deu", "html", "worker_failed", "deu", "html"]);
    expect(seen.after).toBe("deu");
    expect(seen.made).toBe(3);
  });
});

test("a call whose large input moved is not run again, and says so", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  await run(page, "language", GERMAN);
  await occupy(page);
  const seen = await page.evaluate(async (text) => {
    const large = window.outcome(window.ai.run("file-type", new Uint8Array(2 * 1024 * 1024)));
    await window.ai.run("language", text, { signal: AbortSignal.timeout(100) }).catch(() => {});
    return large;
  }, TEXT);
  expect(seen.error).toMatchObject({
    code: "worker_failed",
    message: expect.stringContaining("the next call starts a fresh worker"),
  });
  expect((await run(page, "language", GERMAN)).answer?.output.label).toBe("deu");
});
