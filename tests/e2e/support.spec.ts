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

test("without AbortSignal.any a remote cannot be asked, and everything local goes on", async ({ page, harness }) => {
  await lacking(page, harness, "delete AbortSignal.any;");
  const seen = await page.evaluate(
    async ([happy, unsure]) => {
      const remote = { provider: "openai", baseUrl: "/llm/v1", model: "smollm2-135m" };
      const both = await window.create({ remote });
      const local = await window.create({ remote, mode: "only-local" });
      return {
        sure: await window.outcome(both.run("sentiment", happy)),
        unsure: await window.outcome(both.run("sentiment", unsure)),
        kept: await window.outcome(local.run("sentiment", unsure)),
      };
    },
    [HAPPY, UNSURE] as const,
  );
  expect(seen.sure.answer).toMatchObject({ ranOn: "local", reason: "confident", output: { label: "positive" } });
  expect(seen.unsure.error?.code).toBe("worker_failed");
  expect(seen.kept.answer).toMatchObject({ ranOn: "local", reason: "low_confidence", degraded: true });
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
