import { expect, test } from "./fixtures.js";
import { open, ready, refused, run } from "./harness.js";

const GERMAN = "Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig.";
const POLICY = "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; require-trusted-types-for 'script'";

test.afterEach(({ harness }) => {
  harness.headers = {};
});

test.describe("a page that wants Trusted Types", () => {
  test.use({ expected: [/Trusted|trusted/] });

  test("lets the package make its workers, by the name that it lists", async ({ page, harness }) => {
    harness.headers = { "content-security-policy": `${POLICY}; trusted-types smallfirst` };
    await ready(page, harness.address, { workers: 2 });
    expect((await run(page, "language", GERMAN)).answer).toMatchObject({ output: { label: "deu" }, ranOn: "local" });
    const state = await page.evaluate(async (text) => {
      // A second instance, and workers beside the first, are of the one policy.
      const other = await window.create({ engine: "onnx" });
      const batch = await window.ai.runBatch(
        "language",
        Array.from({ length: 8 }, () => text),
      );
      let enforced = "no";
      try {
        void new Worker("/pkg/worker.js");
      } catch {
        enforced = "yes";
      }
      return {
        other: (await other.run("language", text)).output.label,
        ok: batch.filter((item) => item.ok).length,
        enforced,
        global: Worker.toString(),
      };
    }, GERMAN);
    expect(state).toEqual({ other: "deu", ok: 8, enforced: "yes", global: "function Worker() { [native code] }" });
  });

  test("and does not list it, is told what is missing", async ({ page, harness }) => {
    harness.headers = { "content-security-policy": `${POLICY}; trusted-types other` };
    await open(page, harness.address);
    const error = await refused(page, {});
    expect(error).toMatchObject({ code: "worker_failed" });
    expect(error!.message).toMatch(/could not be made.*trusted-types smallfirst/);
    // There is no instance that could be called again.
    expect(error!.message).not.toContain("next call");
  });
});

test("a page that lists others' types and asks for none is left alone", async ({ page, harness, expected }) => {
  expected.push(/Creating a TrustedTypePolicy named 'smallfirst'/);
  harness.headers = { "content-security-policy": "trusted-types other" };
  await ready(page, harness.address);
  expect((await run(page, "language", GERMAN)).answer).toMatchObject({ ranOn: "local" });
});
