// Training in a page: docs/training.md is run, the demo's workbench is walked, and the file that it gives runs with the lines that it shows.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { type Claim, blocks, broken, isTrainingScript, pageModule, place } from "./docs.js";
import { expect, test } from "./fixtures.js";
import { loaded, looked } from "./looks.js";
import { type Local, root } from "./servers.js";
import type * as Package from "../../pkg/dist/index.js";

declare global {
  interface Window {
    smallfirst: typeof Package;
    claim: (claim: [string, Claim], value: unknown) => void;
    claimed: [[string, Claim], unknown][];
  }
}

async function opened(page: Page, harness: Local): Promise<void> {
  const imports = { smallfirst: "/pkg/index.js" };
  harness.texts.set(
    "/docs/training.html",
    `<!doctype html><meta charset=utf-8><title>training</title><link rel=icon href=data:,><script type=importmap>${JSON.stringify({ imports })}</script>`,
  );
  await page.goto(`${harness.address}/docs/training.html`);
  await page.evaluate(async () => {
    const name = "smallfirst";
    window.smallfirst = (await import(name)) as typeof Package;
    window.claimed = [];
    window.claim = (claim, value) => window.claimed.push([claim, JSON.parse(JSON.stringify(value ?? null))]);
  });
}

/** Inputs of the behavioural tests: mails, and opinions. */
function labelled(): { text: string; label: string }[] {
  return Object.entries({ mail: "spam", opinion: "sentiment" }).flatMap(([label, file]) => {
    const lines = readFileSync(join(root, `models/recipe/behaviour/${file}.jsonl`), "utf8")
      .trim()
      .split("\n");
    const all = lines.map((line) => (JSON.parse(line) as { input?: string }).input ?? "");
    return all.filter((text) => text.trim() !== "").map((text) => ({ text, label }));
  });
}

test("docs/training.md says what is, and what cannot be learnt from is refused by its code", async ({
  page,
  harness,
}) => {
  await opened(page, harness);
  const all = blocks("docs/training.md").filter(isTrainingScript);
  expect(all.length).toBe(1);
  for (const block of all) {
    const { code, claims } = pageModule(block);
    const path = `/docs/training-${block.line}.js`;
    harness.texts.set(path, code);
    await page.evaluate((path) => import(path).then(() => {}), path);
    const claimed = await page.evaluate(() => window.claimed);
    expect(claimed, `${place(block)}: every claim is met`).toHaveLength(claims);
    for (const [[where, claim], value] of claimed) expect(broken(claim, value), where).toBeUndefined();
  }
  const codes = await page.evaluate(async () => {
    const { createSmallFirst } = window.smallfirst;
    const ai = await createSmallFirst({ bundle: "/models/", engine: "onnx", mode: "only-local" });
    const small = await createSmallFirst({ bundle: "/models/", mode: "only-local" });
    const row = { text: "a text", label: "one" };
    const rows = [row, { text: "another text of it", label: "one" }, { text: "a third one", label: "two" }];
    const big = new File([new Uint8Array(65 * 1024 * 1024)], "big.csv");
    const latin = new File([new Uint8Array([0x74, 0xe9])], "latin.csv");
    const stopped = new AbortController();
    stopped.abort(new Error("stopped"));
    const tries: (() => Promise<unknown>)[] = [
      () => ai.train("mood", []),
      () => ai.train("mood", [row, row]),
      () => ai.train("mood", rows),
      () =>
        ai.train(
          "mood",
          Array.from({ length: 100_001 }, () => row),
        ),
      () => ai.train("mood", big),
      () => ai.train("mood", latin),
      () => ai.train("a/b", rows),
      () => ai.train("mood", "no list" as never),
      () => ai.train("mood", [{ text: 1 }] as never),
      () => ai.train("mood", rows, { ridge: 1 } as never),
      () => ai.train("mood", rows, { risks: [2] }),
      () => small.train("mood", rows),
      () => createSmallFirst({ bundle: new Blob(["no zip"]) }),
      () => ai.train("mood", rows, { signal: stopped.signal }),
    ];
    const found: string[] = [];
    for (const one of tries)
      found.push(
        await one().then(
          () => "went well",
          (thrown: { code?: string; message: string }) => thrown.code ?? thrown.message,
        ),
      );
    return found;
  });
  expect(codes).toEqual([
    ...Array.from({ length: 6 }, () => "invalid_data"),
    ...Array.from({ length: 5 }, () => "invalid_option"),
    "needs_onnx",
    "not_a_bundle",
    "stopped",
  ]);
});

test("what is certified in a page was not trained on, and the file opens again and in the other engine", async ({
  page,
  harness,
}) => {
  await opened(page, harness);
  const given = labelled();
  const found = await page.evaluate(async (rows) => {
    const { createSmallFirst } = window.smallfirst;
    const ai = await createSmallFirst({ bundle: "/models/", engine: "onnx", mode: "only-local" });
    await ai.preload(["spam"]);
    const from = performance.now();
    const { bundle, ...report } = await ai.train("kind", rows);
    const took = performance.now() - from;
    const answers = [];
    for (const engine of ["prepared", "onnx"] as const) {
      const own = await createSmallFirst({ bundle, engine, mode: "only-local" });
      answers.push(await own.run("kind", rows[0]!.text));
      own.dispose();
    }
    return { report, took, answers, size: bundle.size };
  }, given);
  const { report } = found;
  expect(report.trainedOn + report.certifiedOn).toBe(report.rows);
  expect(report.certifiedOn).toBeGreaterThan(0.3 * report.rows);
  const loosest = report.certificates.at(-1)!;
  expect(loosest.threshold).not.toBeNull();
  expect(loosest.bound!).toBeLessThanOrEqual(0.2);
  for (const answer of found.answers) {
    expect(answer.output.label).toBe(given[0]!.label);
    expect(answer.calibrated).toBe(true);
  }
  expect(found.answers[0]!.confidence).toBeCloseTo(found.answers[1]!.confidence!, 4);
  console.log(`${report.rows} rows: read and trained in ${found.took.toFixed(0)} ms; a bundle of ${found.size} bytes`);
});

test("a visitor trains, tries, and takes away a task whose lines run", async ({ page, site, harness }) => {
  const sent: string[] = [];
  await page.goto(site.address);
  await loaded(page);
  await page.locator("input[name=mode][value=only-local]").check();
  await page.getByText("Open the workbench").click();
  await expect(page.locator("#rows-count")).toHaveText("24 examples of 3 labels.");
  page.on("request", (request) => {
    if (request.method() !== "GET") sent.push(request.url());
  });
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await expect(page.locator("#learn-status")).toContainText("on this device. 0 bytes were sent.", { timeout: 60_000 });
  await expect(page.getByTestId("learnt-accuracy")).toContainText(/\d+ of 24 examples right, each judged by a model/);
  await expect(page.getByTestId("learnt-promise")).toContainText("Nothing is promised yet");
  await page.getByLabel("A text that it has not seen").fill("You took the money twice");
  await expect(page.getByTestId("learnt-answer")).toContainText("payment");
  console.log(`the demo: ${await page.locator("#learn-status").textContent()}`);
  await looked(page, "train", "#train");
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#take").click()]);
  expect(download.suggestedFilename()).toBe("tickets.zip");
  const file = readFileSync(await download.path());
  const code = (await page.getByTestId("learnt-code").textContent())!;
  expect(code.split("\n").length).toBeLessThanOrEqual(10);

  // What cannot be learnt from is said where it was tried, and the next table is taken.
  await page.locator("#rows").fill("praise: one\npraise: two");
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await expect(page.locator("#learn-error")).toContainText("at least two labels");
  const csv = labelled()
    .filter((_, at) => at % 5 === 0)
    .map(({ text, label }) => `"${text.replaceAll('"', '""')}",${label === "mail" ? "mail" : "other"}`);
  const table = ["text,label", ...csv, '"  ",other'].join("\n");
  const input = page.locator("#rows-file");
  await input.setInputFiles({ name: "kinds.csv", mimeType: "text/csv", buffer: Buffer.from(table) });
  await expect(page.locator("#rows-count")).toContainText("kinds.csv");
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await expect(page.getByTestId("learnt-promise")).toContainText(/Promised: at most|unless a call asks for a looser/, {
    timeout: 30_000,
  });
  await expect(page.locator("#learnt-told")).toContainText("blank");
  await input.setInputFiles({ name: "odd.csv", mimeType: "text/csv", buffer: Buffer.from("a,b\n1,2\n") });
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await expect(page.locator("#learn-error")).toHaveAttribute("data-code", "invalid_data");
  await page.getByRole("button", { name: "Back to the lines" }).click();
  await expect(page.locator("#rows")).toBeVisible();
  expect(sent).toEqual([]);

  // The very lines, with the very file.
  await page.goto(harness.address);
  await page.context().route("**/tickets.zip", (route) => route.fulfill({ body: file }));
  await page.evaluate(() => {
    const map = Object.assign(document.createElement("script"), { type: "importmap" });
    map.textContent = JSON.stringify({ imports: { smallfirst: "/pkg/index.js" } });
    document.head.append(map);
  });
  const told = page.waitForEvent("console", (message) => message.type() === "log");
  await page.addScriptTag({ type: "module", content: code });
  expect((await told).text()).toMatch(/^payment 0\.\d+ false$/);
});
