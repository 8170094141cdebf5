// Browsers that lack something, as far as Chromium can be made to: what docs/support.md says of them.

import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures.js";
import { open } from "./harness.js";
import type { Local } from "./servers.js";

const HAPPY = "I love this, what a wonderful day! Thank you so much";
const UNSURE = "The phone is what it is, I guess.";

/** Opens the harness; workers of the package lose what `script` takes away, before anything else runs in them. */
async function lacking(page: Page, harness: Local, script: string): Promise<void> {
  harness.texts.set("/lacking/first.js", script);
  harness.texts.set("/lacking/worker.js", `import "/lacking/first.js";\nimport "/pkg/worker.js";\n`);
  await open(page, harness.address);
  await page.evaluate(() => {
    const create = window.create;
    window.create = (options) =>
      create({ worker: () => new Worker("/lacking/worker.js", { type: "module" }), ...options });
  });
}

test("without module workers there is no instance", async ({ page, harness }) => {
  await open(page, harness.address);
  const error = await page.evaluate(() =>
    // Older browsers take a module for a classic script.
    window.create({ worker: () => new Worker("/pkg/worker.js") }).then(
      () => undefined,
      (thrown: unknown) => window.failure(thrown),
    ),
  );
  expect(error).toMatchObject({ code: "worker_failed" });
});

test("without AbortSignal.any remotes are asked, and a call that is aborted ends their request", async ({
  page,
  harness,
  llm,
}) => {
  await lacking(page, harness, "delete AbortSignal.any;");
  const seen = await page.evaluate(
    async ([happy, unsure, baseUrl]) => {
      const remote = { provider: "openai", baseUrl, model: "smollm2-135m", timeoutMs: 90_000 } as const;
      const both = await window.create({ remote });
      const sure = await window.outcome(both.run("sentiment", happy));
      const answered = await window.outcome(both.run("sentiment", unsure));
      // On the page, too.
      delete (AbortSignal as { any?: unknown }).any;
      const stop = new AbortController();
      const pieces: string[] = [];
      const stream = both.generate("rewrite", happy, { signal: stop.signal });
      const failed = await (async () => {
        for await (const piece of stream) {
          pieces.push(piece);
          stop.abort(new Error("enough"));
        }
      })().catch((thrown: unknown) => (thrown as Error).message);
      const after = await window.outcome(both.run("sentiment", happy));
      return { sure, answered, pieces: pieces.length, failed, after };
    },
    [HAPPY, UNSURE, llm.address] as const,
  );
  expect(seen.sure.answer).toMatchObject({ ranOn: "local", reason: "confident", output: { label: "positive" } });
  expect(seen.answered.answer).toMatchObject({ ranOn: "remote", reason: "low_confidence" });
  expect(seen.pieces).toBeGreaterThan(0);
  expect(seen.failed).toBe("enough");
  expect(seen.after.answer).toMatchObject({ ranOn: "local", reason: "confident" });
});

test("what is used where it is there may be missing", async ({ page, harness }) => {
  const gone = `
    Object.defineProperty(globalThis, "caches", { value: undefined });
    Object.defineProperty(globalThis, "indexedDB", { value: undefined });
    Object.defineProperty(Crypto.prototype, "subtle", { value: undefined });
    Object.defineProperty(WorkerNavigator.prototype, "locks", { value: undefined });
  `;
  await page.addInitScript(() => Object.defineProperty(Navigator.prototype, "locks", { value: undefined }));
  await lacking(page, harness, gone);
  harness.requests = [];
  const answer = await page.evaluate(async (happy) => {
    const ai = await window.create({ preload: ["sentiment"], storage: "lacking" });
    return ai.run("sentiment", happy);
  }, HAPPY);
  expect(answer).toMatchObject({ ranOn: "local", reason: "confident", output: { label: "positive" } });
  expect(harness.requests.filter((request) => request.endsWith("/models/sentiment/head.sfm"))).toHaveLength(1);
});
