import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expect, root, test } from "./fixtures.js";
import { wav } from "./sounds.js";

const screenshot = (page: Page, name: string): Promise<Buffer> =>
  page.screenshot({ path: join(root, `target/screenshots/${name}.png`), fullPage: true, animations: "disabled" });

const reason = (page: Page) => page.getByTestId("reason");

async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await expect(page.locator("#run")).toBeEnabled({ timeout: 30_000 });
}

test("a visitor sees local answers, one that the LLM would hardly better, and one that goes to it", async ({
  page,
  site,
}) => {
  await open(page, site.address);
  await expect(page.locator("#fallback-status")).toContainText("smollm2-135m");

  await page.getByRole("button", { name: "German" }).click();
  await expect(page.getByTestId("label")).toHaveText("German", { timeout: 30_000 });
  await expect(page.getByTestId("ran-on")).toHaveText("On this device");
  await expect(reason(page)).toHaveAttribute("data-reason", "confident");
  await expect(page.getByTestId("timing")).toContainText("ms");
  await expect(page.getByTestId("guaranteed")).toHaveText("Guaranteed at 5.0 %");
  await screenshot(page, "local");

  // At a smaller risk the certificate is another one.
  await page.locator("#risk").selectOption("0.01");
  await page.locator("#run").click();
  await expect(page.getByTestId("guaranteed")).toHaveText("Guaranteed at 1.0 %");
  await page.locator("#risk").selectOption("");
  await page.getByText("Model card").click();
  await expect(page.getByTestId("card")).toContainText("model-index");
  await screenshot(page, "card");

  await page.getByTestId("task-sentiment").check();
  await page.getByRole("button", { name: "Mixed (hard)" }).click();
  // By its profile the small LLM is no likelier right than the local model.
  await expect(reason(page)).toHaveAttribute("data-reason", "remote_unlikely_to_help", { timeout: 30_000 });
  await expect(page.getByTestId("ran-on")).toHaveText("On this device");
  await expect(page.getByTestId("explanation")).toContainText("the remote is right about");
  await expect(page.getByTestId("confidence-text")).toContainText("needs");
  await expect(page.getByTestId("degraded")).toBeVisible();
  await screenshot(page, "kept");

  // At a risk that nothing certifies, no local answer is trusted.
  await page.locator("#risk").selectOption("0.01");
  await page.locator("#run").click();
  await expect(page.getByTestId("explanation")).toContainText("no threshold is certified", { timeout: 30_000 });
  await expect(page.getByTestId("guaranteed")).toBeHidden();
  await page.locator("#risk").selectOption("");

  // What the local model was not made for goes to the LLM, whatever its profile says.
  await page.getByTestId("task-spam").check();
  await page.getByRole("button", { name: "Another language (hard)" }).click();
  await expect(reason(page)).toHaveAttribute("data-reason", "unsupported_language", { timeout: 90_000 });
  await expect(page.getByTestId("ran-on")).toHaveText("Remote: smollm2-135m");
  await screenshot(page, "remote");

  await page.getByTestId("task-file-type").check();
  await page.locator("#file").setInputFiles(join(root, "src/engine.rs"));
  await page.locator("#run").click();
  await expect(page.getByTestId("label-id")).toHaveText("rust");
  await screenshot(page, "file");
});

test("the page opens with an answer, shows the way it took and counts; and answers while one types", async ({
  page,
  site,
}) => {
  await open(page, site.address);
  await expect(page.getByTestId("label")).toHaveText("German", { timeout: 30_000 });
  const steps = page.locator("#picture li");
  await expect(steps).toHaveCount(5);
  await expect(steps.nth(1)).toContainText(/Model on this device\d+\.\d % sure, \d+\.\d % needed/);
  await expect(steps.nth(2)).toContainText("not asked");
  await expect(steps.nth(3)).toContainText("nothing");
  await expect(page.locator("#tally")).toHaveText(
    "1 answer so far: 1 on this device, 0 by a remote. 0 bytes have left.",
  );
  await expect(reason(page)).toHaveText("Sure enough to answer here");
  await screenshot(page, "opened");

  await page.locator("#input").focus();
  await page.keyboard.type("Où se trouve la gare la plus proche ? Merci beaucoup.");
  await expect(page.getByTestId("label")).toHaveText("French");
  await expect(page.locator("#live")).toBeVisible();
  // The remote's answer to a question that only it may answer is counted as one.
  await page.getByTestId("task-rewrite").check();
  await page.getByRole("button", { name: "Note" }).click();
  await expect(reason(page)).toHaveAttribute("data-reason", "remote_only", { timeout: 90_000 });
  await expect(page.locator("#tally")).toContainText(/ 1 by a remote\. [\d,]{3,} bytes have left\./);
  await expect(steps.last()).toContainText("ms");
});

test.describe("a bundle with other kinds of task", () => {
  // Where models are no longer needed, the browser says what it did not fetch.
  test.use({ expected: [/Failed to load resource/] });

  test("has a playground for each", async ({ page, site }) => {
    // The larger bundle where it was made; everywhere, search by meaning and a small model that finds loud sounds to be speech.
    const larger = join(root, "target/more-bundle");
    const folder = mkdtempSync(join(tmpdir(), "smallfirst-kinds-"));
    const run = (...args: string[]): void => {
      execFileSync(process.env["SMALLFIRST_BIN"]!, args);
    };
    const whole = existsSync(join(larger, "manifest.json"));
    if (whole) run("merge", larger, "--out", join(folder, "bundle"));
    else {
      const model = join(folder, "voice");
      mkdirSync(join(model, "onnx"), { recursive: true });
      writeFileSync(join(model, "config.json"), JSON.stringify({ model_type: "silero_vad" }));
      copyFileSync(join(root, "tests/fixtures/models/loudness.onnx"), join(model, "onnx/model.onnx"));
      const kind = ["--task", "voice-activity-detection", "--name", "voice", "--license", "MIT"];
      run("merge", join(root, "models"), "--out", join(folder, "bundle"));
      run("import", model, "--out", join(folder, "bundle"), ...kind);
      run("add-vectors", join(folder, "bundle"), "--task", "vectors", "--encoder", "static-text");
    }
    await page.route("**/models/**", (route) => {
      const path = new URL(route.request().url()).pathname.split("/models/")[1] ?? "";
      const file = join(folder, "bundle", path);
      return existsSync(file) ? route.fulfill({ body: readFileSync(file) }) : route.fulfill({ status: 404 });
    });
    await open(page, site.address);
    await page.locator("input[name=mode][value=only-local]").check();

    await page.getByTestId("task-vectors").check();
    await page.getByRole("button", { name: "Notes" }).click();
    await expect(page.getByTestId("label")).toHaveText("The invoice has to be paid by Friday.", { timeout: 30_000 });
    await expect(page.locator("#shown li")).toHaveCount(5);
    await page.getByTestId("query").fill("pets");
    await page.locator("#run").click();
    await expect(page.getByTestId("label")).toHaveText("Our cat had four kittens.");
    await screenshot(page, "search");

    await page.getByTestId("task-voice").check();
    const rate = 16_000;
    const samples = Int16Array.from({ length: 3 * rate }, (_, at) =>
      at > rate && at < 2 * rate ? 26_000 * Math.sin(at / 5) : 0,
    );
    await page.locator("#file").setInputFiles({ name: "tone.wav", mimeType: "audio/wav", buffer: wav(samples, rate) });
    await page.locator("#run").click();
    await expect(page.locator("#shown .timeline")).toBeVisible({ timeout: 30_000 });
    if (!whole) await expect(page.locator("#shown li")).toHaveText(/^\d\.\d s to \d\.\d s, .* sure$/);
    await screenshot(page, "voice");
    await page.locator("#file").setInputFiles({ name: "no.wav", mimeType: "audio/wav", buffer: Buffer.from("no") });
    await page.locator("#run").click();
    await expect(page.locator("#error")).toBeVisible();

    if (!whole) return;
    await page.getByTestId("task-personal-data").check();
    await page.getByRole("button", { name: "A complaint" }).click();
    await expect(page.locator("#shown mark").first()).toContainText("Clara", { timeout: 60_000 });
    await expect(page.locator("#shown .text").last()).toContainText("[given name]");
    await expect(page.locator("#shown .text").last()).not.toContainText("Clara");
    await screenshot(page, "personal-data");
    await page.getByTestId("task-ocr").check();
    await page.getByRole("button", { name: "A receipt" }).click();
    await expect(page.locator("#shown .text")).toContainText("Total due", { timeout: 60_000 });
    await expect(page.locator("#shown figure rect")).toHaveCount(3);
    await screenshot(page, "ocr");
    await page.getByTestId("task-injection").check();
    await page.getByRole("button", { name: "An attack" }).click();
    await expect(page.getByTestId("label")).toHaveText("injection", { timeout: 60_000 });
    await screenshot(page, "injection");
  });
});

test("a visitor tries what people bring every day", async ({ page, site }) => {
  await open(page, site.address);
  await page.locator("input[name=mode][value=only-local]").check();
  const more = page.getByRole("combobox", { name: "More examples" });
  const counts = { language: 100, sentiment: 40, spam: 30, "file-type": 30 };
  for (const [task, least] of Object.entries(counts)) {
    await page.getByTestId(`task-${task}`).check();
    await expect(more).toBeVisible({ timeout: 60_000 });
    // The first option only says what the list is.
    await expect.poll(() => more.locator("option").count()).toBeGreaterThan(least);
  }
  await more.selectOption({ label: "letter.docx" });
  await expect(page.getByTestId("label-id")).toHaveText("docx");
  await screenshot(page, "everyday");

  await page.getByTestId("task-summarise").check();
  await expect(more).toBeHidden();
});

test("texts are written here or by the LLM, and the page shows what left", async ({ page, site }) => {
  await open(page, site.address);
  await page.getByTestId("task-summarise").check();
  await page.getByRole("button", { name: "News" }).click();
  await expect(reason(page)).toHaveAttribute("data-reason", "extracted", { timeout: 30_000 });
  await expect(page.getByTestId("text")).toContainText(/^[A-Z].+\. .+\. .+\.$/);
  await expect(page.getByTestId("ran-on")).toHaveText("On this device");
  await page.getByText("What left this device").click();
  await expect(page.locator("#sent")).toHaveText("Nothing.");
  await screenshot(page, "summary");

  await page.getByTestId("task-rewrite").check();
  await page.getByRole("button", { name: "Note" }).click();
  await expect(reason(page)).toHaveAttribute("data-reason", "remote_only", { timeout: 90_000 });
  await expect(page.locator("#sent")).toContainText("replaced before: 1 phone");
  await expect(page.locator("#sent pre")).toContainText("[PHONE_1]");
  await expect(page.locator("#sent pre")).not.toContainText("901820");
  await expect(page.locator("#usage")).toContainText("Today: ");
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  await screenshot(page, "written");

  await page.getByTestId("task-answer").check();
  await expect(page.getByTestId("variable-question")).toBeVisible();
  await page.getByTestId("variable-question").fill("How many seats does it have?");
  await page.getByRole("button", { name: "Library" }).click();
  await expect(page.getByTestId("label")).toHaveText("Question about a text", { timeout: 90_000 });
  await expect(page.locator("#sent pre")).toContainText("How many seats does it have?");
  await page.locator("input[name=mode][value=only-local]").check();
  await page.locator("#run").click();
  await expect(page.locator("#error")).toContainText("egress_denied");
});

test("the mode is the visitor's, and a turned-off fallback leaves a degraded answer", async ({ page, site }) => {
  await open(page, site.address);
  await page.getByTestId("task-sentiment").check();
  await page.locator("#input").fill("I guess the flight was okay but the seat was small");
  await page.locator("input[name=mode][value=only-local]").check();
  await page.locator("#run").click();
  await expect(page.getByTestId("degraded")).toBeVisible();
  await expect(reason(page)).toHaveAttribute("data-reason", "low_confidence");
  await screenshot(page, "degraded");

  await page.locator("#off").click();
  await expect(page.locator("#fallback-status")).toContainText("Off");
  await page.locator("input[name=mode][value=only-remote]").check();
  await page.locator("#run").click();
  await expect(page.locator("#error")).toContainText("remote_not_configured");
  await screenshot(page, "error");

  await page.locator("#input").fill("");
  await page.locator("#run").click();
  await expect(page.locator("#error")).toContainText("empty_input");
});

test("the fallback form tests and changes the endpoint", async ({ page, site }) => {
  await open(page, site.address);
  await page.locator("#test").click();
  await expect(page.locator("#fallback-status")).toContainText("It answers");
  await page.locator("#model").fill("");
  await page.locator("#apply").click();
  await expect(page.locator("#fallback-status")).toContainText("Give an address and a model");
});

test("everything can be done with the keyboard", async ({ page, site }) => {
  await open(page, site.address);
  await page.keyboard.press("Tab");
  await expect(page.getByTestId("task-language")).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(page.locator("#input")).toBeFocused();
  await page.keyboard.type("Missä on lähin rautatieasema ja milloin juna lähtee?");
  await page.keyboard.press("Control+Enter");
  await expect(page.getByTestId("ran-on")).toHaveText("On this device");
  const names = await page
    .locator("input, textarea, button")
    .evaluateAll((all) =>
      all.filter((e) => (e as HTMLInputElement).labels?.length === 0 && !e.textContent?.trim()).map((e) => e.outerHTML),
    );
  expect(names).toEqual([]);
});

test.describe("after the first visit", () => {
  // The browser itself reports each request that fails without a network.
  test.use({ expected: [/ERR_INTERNET_DISCONNECTED/] });

  test("the page opens and every task answers without a network", async ({ page, context, site }) => {
    await open(page, site.address);
    await expect(page.locator("#status")).toHaveAttribute("data-state", "offline-ready", { timeout: 60_000 });
    await context.setOffline(true);
    await page.reload();
    await expect(page.locator("#status")).toHaveAttribute("data-state", "offline-ready", { timeout: 30_000 });
    await expect(page.locator("#offline")).toBeVisible();
    for (const [task, example, label] of [
      ["language", "Turkish", "Turkish"],
      ["sentiment", "Happy", "Positive"],
      ["spam", "Offer", "Spam"],
      ["file-type", "HTML", "HTML document"],
    ] as const) {
      await page.getByTestId(`task-${task}`).check();
      await page.getByRole("button", { name: example, exact: true }).click();
      await expect(page.getByTestId("label")).toHaveText(label);
      await expect(page.getByTestId("ran-on")).toHaveText("On this device");
    }
    await screenshot(page, "offline");
  });
});

for (const [name, options] of [
  ["phone", { viewport: { width: 360, height: 740 } }],
  ["dark", { colorScheme: "dark" }],
] as const) {
  test.describe(name, () => {
    test.use(options);

    test("looks right", async ({ page, site }) => {
      await open(page, site.address);
      await page.getByRole("button", { name: "Portuguese" }).click();
      await expect(page.getByTestId("label")).toHaveText("Portuguese");
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(overflow).toBeLessThanOrEqual(0);
      await screenshot(page, name);
    });
  });
}
