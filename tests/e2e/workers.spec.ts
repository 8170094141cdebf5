// Batches that several workers share: what one worker says alone is what they say together.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expect, root, test } from "./fixtures.js";
import { open, refused } from "./harness.js";
import type { Local } from "./servers.js";

const GERMAN = "Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig.";

/** What a page knows of a worker that it made. */
interface Made {
  /** How many batches, or parts of them, it was given. */
  batches: number;
  /** Whether it fails in the middle of the next one. */
  crash: boolean;
}

/** An input: a text, or the address of a file. */
type Given = string | { url: string };

declare global {
  interface Window {
    made: Made[];
    /** How many workers there should be. */
    wanted: number;
    inputs: (string | Uint8Array | Blob)[];
    drifts: { task: string; watched: string }[];
    /** What the remote was asked, and the most questions it had at a time. */
    asked: string[];
    most: number;
  }
}

/** Real inputs of a task, and some that are none. */
function real(task: "sentiment" | "file-type", count: number, harness: Local): Given[] {
  const file = task === "sentiment" ? "sentiment.test" : "filetype.sample";
  const lines = readFileSync(join(process.env["SMALLFIRST_DATA"]!, `${file}.jsonl`), "utf8")
    .trim()
    .split("\n");
  const step = Math.floor(lines.length / count);
  const inputs = Array.from({ length: count }, (_, i): Given => {
    // All over the file, whose rows lie together by their kinds: in that order they are a drift.
    const { input, path } = JSON.parse(lines[((i * 67) % count) * step]!) as { input?: string; path?: string };
    return input ?? { url: `/files/${harness.files.push(path!) - 1}` };
  });
  ["", "\ud800", "Das ist ein deutscher Satz, den hier niemand versteht."].forEach((bad, i) =>
    inputs.splice(7 + 20 * i, 0, bad),
  );
  return inputs;
}

/** Opens the harness with inputs and an instance that has so many workers, all of them counted; and a remote, where asked for. */
async function start(page: Page, address: string, workers: number, inputs: Given[] = [], asks = false): Promise<void> {
  await open(page, address);
  await page.evaluate(
    async ([workers, inputs, asks]) => {
      Object.assign(window, { made: [], wanted: workers, drifts: [], inputs: [], asked: [], most: 0 });
      for (const [i, input] of inputs.entries()) {
        const given = typeof input === "string" ? input : await (await fetch(input.url)).blob();
        window.inputs.push(
          typeof given === "string" || i % 2 === 0 ? given : new Uint8Array(await given.arrayBuffer()),
        );
      }
      const worker = (): Worker => {
        const worker = new Worker("/pkg/worker.js", { type: "module" });
        const made: Made = { batches: 0, crash: false };
        window.made.push(made);
        const post = worker.postMessage.bind(worker);
        worker.postMessage = (message: { request?: { type: string } }, transfer?: Transferable[] | object) => {
          post(message, { transfer: Array.isArray(transfer) ? transfer : [] });
          if (message.request?.type !== "runBatch") return;
          made.batches++;
          // Its script cannot read this.
          if (made.crash) post(null);
        };
        return worker;
      };
      const onDrift = (drift: { task: string; watched: string }): unknown => window.drifts.push(drift);
      let now = 0;
      const run = async ({ input }: { input: string }): Promise<object> => {
        window.asked.push(input);
        window.most = Math.max(window.most, ++now);
        await new Promise((resolve) => setTimeout(resolve, 1));
        now--;
        return { label: "positive" };
      };
      const remote = { provider: "custom", run, price: { inputPerMillion: 1, outputPerMillion: 2 } };
      const more = asks ? { remote, risk: 0.2, answerCache: { entries: 0 } } : { mode: "only-local" };
      // Instances of other workers' counts have monitors of their own.
      const storage = `workers-${workers}`;
      window.ai = await window.create({
        workers,
        worker,
        storage,
        onDrift: { action: "stop", notify: onDrift },
        ...more,
      });
    },
    [workers, inputs, asks] as const,
  );
}

interface Batch {
  items: { ranOn?: string; code?: string; guaranteed?: boolean; guarantee?: object | null; explanation?: string }[];
  rounds: number;
  /** Whether no alarm was raised. */
  calm: boolean;
}

/** Holds two batches of the same inputs against each other. A monitor that raised an alarm in one, for it draws lots, may not in the other. */
function expectSame(shared: Batch, alone: Batch): void {
  const promised = shared.calm && alone.calm;
  const items = ({ items }: Batch): object[] =>
    promised
      ? items
      : items.map(({ guaranteed: _guaranteed, guarantee: _guarantee, explanation: _explanation, ...item }) => item);
  expect(items(shared)).toEqual(items(alone));
}

/** Runs the batch of the page's inputs again until all workers had a part of one; gives that one's items, and how many there were. */
function batch(page: Page, task: string, options: object = {}): Promise<Batch> {
  return page.evaluate(
    async ([task, options]) => {
      const begun = performance.now();
      for (let rounds = 1; performance.now() - begun < 60_000; rounds++) {
        for (const made of window.made) made.batches = 0;
        const items = await window.ai.runBatch(task, window.inputs, options);
        if (window.made.filter((made) => made.batches > 0).length < window.wanted) continue;
        const plain = items.map((item) => {
          if (!item.ok) return { code: item.error.code, message: item.error.message };
          const { timing: _timing, audit: _audit, attempts, sent, ...answer } = item.answer;
          return { ...answer, sent: sent.length, attempts: attempts.map(({ ms: _ms, ...attempt }) => attempt) };
        });
        return { items: plain, rounds, calm: window.drifts.length === 0 };
      }
      throw new Error("not every worker had a part");
    },
    [task, options] as const,
  );
}

/** Lets all workers start and load a task's models, by inputs that nothing counts. */
async function warm(page: Page, task: string): Promise<void> {
  const inputs = await page.evaluateHandle(() => {
    const { inputs } = window;
    window.inputs = Array.from({ length: 64 }, () => "");
    return inputs;
  });
  await batch(page, task);
  await page.evaluate((inputs) => {
    window.inputs = inputs;
  }, inputs);
}

for (const task of ["sentiment", "file-type"] as const) {
  test(`${task}: two and three workers say what one says, in its order`, async ({ page, harness }) => {
    const inputs = real(task, 150, harness);
    await start(page, harness.address, 1, inputs);
    const alone = await batch(page, task, { topK: 3 });
    expect(alone.rounds).toBe(1);
    expect(alone.items).toHaveLength(153);
    const codes = alone.items.map((item) => item.code).filter((code) => code !== undefined);
    expect(codes).toContain(task === "sentiment" ? "invalid_text" : "input_kind");
    for (const workers of [2, 3]) {
      await start(page, harness.address, workers, inputs);
      // The same inputs again and again would raise an alarm.
      await warm(page, task);
      const shared = await batch(page, task, { topK: 3 });
      expect(shared.rounds).toBe(1);
      expect(page.workers()).toHaveLength(workers);
      expectSame(shared, alone);
    }
  });
}

test("helpers start when a batch needs them, and not before", async ({ page, harness }) => {
  await start(page, harness.address, 3);
  await page.evaluate(
    async ([german]) => {
      await window.ai.run("language", german);
      await window.ai.runBatch("language", [german]);
      await window.ai.runBatch("language", [german, german], { mode: "only-remote" });
      await window.ai.runBatch("nope", [german, german]);
    },
    [GERMAN] as const,
  );
  expect(page.workers()).toHaveLength(1);
  await warm(page, "language");
  expect(page.workers()).toHaveLength(3);
  expect(await page.evaluate(() => window.made.length)).toBe(3);
});

test("monitors count each input once", async ({ page, harness }) => {
  const inputs = real("sentiment", 150, harness);
  const observed = (): Promise<number[]> =>
    page.evaluate(async () => (await window.ai.drift("sentiment")).map((drift) => drift.observed));
  await start(page, harness.address, 1, inputs);
  await batch(page, "sentiment");
  const [alone] = await observed();
  expect(alone).toBeGreaterThan(100);
  await start(page, harness.address, 2, inputs);
  await warm(page, "sentiment");
  expect(await observed()).toEqual([]);
  const { rounds } = await batch(page, "sentiment");
  expect(await observed()).toEqual([rounds * alone!]);
});

test("an answer is drawn to be audited whichever worker gave it, and counts once", async ({ page, harness }) => {
  await start(page, harness.address, 2);
  await warm(page, "language");
  const seen = await page.evaluate(
    async ([german]) => {
      window.ai = await window.create({ workers: 2, storage: "audited", auditShare: 1, mode: "only-local" });
      // Until its second worker has the models, the first one does all.
      const many = Array.from({ length: 60 }, () => german);
      await window.ai.runBatch("language", many);
      const items = await window.ai.runBatch("language", many);
      const answers = items.flatMap((item) => (item.ok ? [item.answer] : []));
      const counted: boolean[] = [];
      for (const answer of answers) counted.push(await window.ai.reportOutcome(answer, true));
      const again = await window.ai.reportOutcome(answers[0]!, false);
      const drift = (await window.ai.drift("language")).find(({ watched }) => watched === "errors");
      const ids = new Set(answers.map(({ audit }) => audit?.id));
      return { chances: answers.map(({ audit }) => audit?.chance), ids: ids.size, counted, again, drift };
    },
    [GERMAN] as const,
  );
  expect(seen.chances).toEqual(Array.from({ length: 60 }, () => 1));
  expect(seen.ids).toBe(60);
  expect(seen.counted).toEqual(Array.from({ length: 60 }, () => true));
  expect(seen.again).toBe(false);
  expect(seen.drift).toMatchObject({ observed: 60, alarmed: false, risk: 0.05 });
});

test("an alarm is told once, and no worker's answer is guaranteed after it", async ({ page, harness }) => {
  await start(page, harness.address, 2);
  await warm(page, "language");
  const seen = await page.evaluate(
    async ([german]) => {
      const many = Array.from({ length: 400 }, () => german);
      const guaranteed = async (): Promise<number> => {
        const items = await window.ai.runBatch("language", many);
        return items.filter((item) => item.ok && item.answer.guaranteed).length;
      };
      const helper = window.made[1]!;
      helper.batches = 0;
      const first = await guaranteed();
      const parts = helper.batches;
      const second = await guaranteed();
      return {
        first,
        second,
        parts,
        later: helper.batches - parts,
        drifts: window.drifts,
        status: await window.ai.drift("language"),
      };
    },
    [GERMAN] as const,
  );
  expect(seen.parts).toBeGreaterThan(0);
  expect(seen.first).toBeGreaterThan(0);
  expect(seen.first).toBeLessThan(400);
  expect(seen.drifts.map(({ task, watched }) => [task, watched])).toEqual([["language", "inputs"]]);
  expect(seen.status[0]).toMatchObject({ alarmed: true, observed: 800 });
  // Helpers are told, and go on.
  expect(seen.second).toBe(0);
  expect(seen.later).toBeGreaterThan(0);
});

test("what no worker is sure of is asked of the remote, once and one at a time", async ({ page, harness }) => {
  const inputs = real("sentiment", 100, harness);
  const told = async (workers: number) => {
    await start(page, harness.address, workers, inputs, true);
    await warm(page, "sentiment");
    const now = () =>
      page.evaluate(async () => {
        const { requests, inputTokens, costUsd } = (await window.ai.usage()).saved;
        return { requests, inputTokens, costUsd, asked: [...window.asked].sort(), most: window.most };
      });
    const before = await now();
    const { items, rounds, calm } = await batch(page, "sentiment");
    const after = await now();
    const each = (key: "requests" | "inputTokens" | "costUsd"): number => (after[key] - before[key]) / rounds;
    expect(before.asked).toEqual([]);
    return {
      items,
      rounds,
      calm,
      ...after,
      requests: each("requests"),
      inputTokens: each("inputTokens"),
      costUsd: each("costUsd"),
    };
  };
  const alone = await told(1);
  const remotely = alone.items.filter((item) => item.ranOn === "remote").length;
  expect(remotely).toBeGreaterThan(10);
  expect(alone.items.length - remotely).toBeGreaterThan(10);
  expect(alone.asked).toHaveLength(remotely);
  const shared = await told(2);
  expectSame(shared, alone);
  expect(shared.asked).toEqual(alone.asked.flatMap((input) => Array.from({ length: shared.rounds }, () => input)));
  expect(shared).toMatchObject({ most: 1, requests: alone.requests, inputTokens: alone.inputTokens });
  expect(shared.costUsd).toBeCloseTo(alone.costUsd, 9);
});

test.describe("a helper that dies", () => {
  test.use({ expected: [/Cannot read properties of null/] });

  test("in the middle of a batch loses nothing, and is replaced", async ({ page, harness }) => {
    const inputs = real("file-type", 150, harness);
    await start(page, harness.address, 1, inputs);
    const alone = await batch(page, "file-type");
    await start(page, harness.address, 2, inputs);
    await warm(page, "file-type");
    await page.evaluate(() => {
      window.made[1]!.crash = true;
    });
    const crashed = await batch(page, "file-type");
    expectSame(crashed, alone);
    await expect.poll(() => page.workers().length).toBe(1);
    expectSame(await batch(page, "file-type"), alone);
    expect(page.workers()).toHaveLength(2);
    expect(await page.evaluate(() => window.made.length)).toBe(3);
  });
});

test("where helpers cannot start, the first worker does all", async ({ page, harness }) => {
  await open(page, harness.address);
  const labels = (): Promise<string[]> =>
    page.evaluate(
      async ([german]) => {
        const items = await window.ai.runBatch(
          "language",
          Array.from({ length: 10 }, () => german),
        );
        return items.map((item) => (item.ok ? item.answer.output.label : item.error.code));
      },
      [GERMAN] as const,
    );
  const all = Array.from({ length: 10 }, () => "deu");
  await page.evaluate(async () => {
    window.ai = await window.create({ mode: "only-local", workers: 2 });
  });
  // By then the server has another bundle: answers of two are not mixed.
  const manifest = readFileSync(join(root, "models/manifest.json"), "utf8");
  await page.route("**/models/manifest.json", (route) =>
    route.fulfill({ body: `${manifest}\n`, contentType: "application/json" }),
  );
  const asked = page.waitForRequest("**/models/manifest.json");
  expect(await labels()).toEqual(all);
  await asked;
  await expect.poll(() => page.workers().length).toBe(1);
  await page.unroute("**/models/manifest.json");

  await page.evaluate(async () => {
    window.ai.dispose();
    window.made = [];
    const worker = (): Worker => {
      window.made.push({ batches: 0, crash: false });
      if (window.made.length > 1) throw new Error("no more of them");
      return new Worker("/pkg/worker.js", { type: "module" });
    };
    window.ai = await window.create({ mode: "only-local", workers: 3, worker });
  });
  expect(await labels()).toEqual(all);
  expect(await page.evaluate(() => window.made.length)).toBe(3);
});

test("an abort ends a shared batch at once, and the workers go on", async ({ page, harness }) => {
  await start(page, harness.address, 2);
  await warm(page, "language");
  const seen = await page.evaluate(
    async ([german]) => {
      const name = (thrown: unknown): string => (thrown as Error).name;
      const many = Array.from({ length: 20_000 }, () => german);
      const already = await window.ai.runBatch("language", many, { signal: AbortSignal.abort() }).catch(name);
      const controller = new AbortController();
      const batch = window.ai.runBatch("language", many, { signal: controller.signal }).catch(name);
      setTimeout(() => controller.abort(), 50);
      const during = await batch;
      const started = performance.now();
      const items = await window.ai.runBatch("language", many.slice(0, 10));
      const ms = performance.now() - started;
      return {
        already,
        during,
        ms,
        labels: items.map((item) => (item.ok ? item.answer.output.label : item.error.code)),
      };
    },
    [GERMAN] as const,
  );
  expect(seen).toMatchObject({
    already: "AbortError",
    during: "AbortError",
    labels: Array.from({ length: 10 }, () => "deu"),
  });
  // What was aborted is not run to its end.
  expect(seen.ms).toBeLessThan(1000);
  expect(page.workers()).toHaveLength(2);
});

test("dispose ends all workers, and the batch they are at", async ({ page, harness }) => {
  await start(page, harness.address, 3);
  await warm(page, "language");
  expect(page.workers()).toHaveLength(3);
  const codes = await page.evaluate(
    async ([german]) => {
      const code = (thrown: unknown): string => (thrown as { code: string }).code;
      const running = window.ai
        .runBatch(
          "language",
          Array.from({ length: 20_000 }, () => german),
        )
        .catch(code);
      await new Promise((resolve) => setTimeout(resolve, 50));
      window.ai.dispose();
      return [await running, await window.ai.runBatch("language", [german, german]).catch(code)];
    },
    [GERMAN] as const,
  );
  expect(codes).toEqual(["disposed", "disposed"]);
  await expect.poll(() => page.workers().length).toBe(0);
});

test("how many workers there are is checked", async ({ page, harness }) => {
  await open(page, harness.address);
  for (const workers of [0, -1, 1.5, 17, Number.NaN, "2", "many", null, true]) {
    expect(await refused(page, { workers }), String(workers)).toMatchObject({ code: "invalid_option" });
  }
  for (const workers of [1, 16, "auto"]) expect(await refused(page, { workers }), String(workers)).toBeUndefined();
});
