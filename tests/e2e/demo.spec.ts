import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expect, root, test } from "./fixtures.js";

const screenshot = (page: Page, name: string): Promise<Buffer> =>
  page.screenshot({ path: join(root, `target/screenshots/${name}.png`), fullPage: true });

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
  await expect(reason(page)).toHaveAttribute("data-code", "confident");
  await expect(page.getByTestId("facts")).toContainText("0 bytes");
  await expect(page.locator("#flow li")).toHaveText([
    /You gave 55/,
    /99\.9 % sure, had to be 64\.5 %/,
    /Nothing was sent/,
  ]);
  await expect(page.getByTestId("guaranteed")).toHaveText("Promised: at most 5.0 % wrong");
  await screenshot(page, "local");

  // At a smaller risk the certificate is another one.
  await page.locator("#risk").fill("0");
  await page.locator("#run").click();
  await expect(page.getByTestId("guaranteed")).toHaveText("Promised: at most 1.0 % wrong");
  await page.locator("#risk").fill("2");
  await page.getByText("Model card").click();
  await expect(page.getByTestId("card")).toContainText("model-index");
  await screenshot(page, "card");

  await page.getByTestId("task-sentiment").check();
  await page.getByRole("button", { name: "Mixed (hard)" }).click();
  // By its profile the small LLM is no likelier right than the local model.
  await expect(reason(page)).toHaveAttribute("data-code", "remote_unlikely_to_help", { timeout: 30_000 });
  await expect(page.getByTestId("ran-on")).toHaveText("On this device");
  await expect(page.getByTestId("explanation")).toContainText("the remote is right about");
  await expect(page.getByTestId("confidence-text")).toContainText("needs");
  await expect(page.getByTestId("degraded")).toBeVisible();
  await screenshot(page, "kept");

  // At a risk that nothing certifies, no local answer is trusted.
  await page.locator("#risk").fill("0");
  await page.locator("#run").click();
  await expect(page.getByTestId("explanation")).toContainText("no threshold is certified", { timeout: 30_000 });
  await expect(page.getByTestId("guaranteed")).toBeHidden();

  // What the local model was not made for goes to the LLM, whatever its profile says.
  await page.getByTestId("task-spam").check();
  await page.getByRole("button", { name: "Another language (hard)" }).click();
  await expect(reason(page)).toHaveAttribute("data-code", "unsupported_language", { timeout: 90_000 });
  await expect(page.getByTestId("ran-on")).toHaveText("Remote: smollm2-135m");
  await screenshot(page, "remote");

  await page.getByTestId("task-file-type").check();
  await page.locator("#file").setInputFiles(join(root, "src/engine.rs"));
  await expect(page.getByTestId("label")).toHaveText(/^Rust/);
  await screenshot(page, "file");
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
  await expect(page.getByTestId("label")).toHaveText(/Word/);
  await screenshot(page, "everyday");

  await page.getByTestId("task-summarise").check();
  await expect(more).toBeHidden();
});

test("texts are written here or by the LLM, and the page shows what left", async ({ page, site }) => {
  await open(page, site.address);
  await page.getByTestId("task-summarise").check();
  await page.getByRole("button", { name: "News" }).click();
  await expect(reason(page)).toHaveAttribute("data-code", "extracted", { timeout: 30_000 });
  await expect(page.getByTestId("text")).toContainText(/^[A-Z].+\. .+\. .+\.$/);
  await expect(page.getByTestId("ran-on")).toHaveText("On this device");
  await page.getByText("What left this device").click();
  await expect(page.locator("#sent")).toHaveText("Nothing.");
  await screenshot(page, "summary");

  await page.getByTestId("task-rewrite").check();
  await page.getByRole("button", { name: "Note" }).click();
  await expect(reason(page)).toHaveAttribute("data-code", "remote_only", { timeout: 90_000 });
  await expect(page.locator("#sent")).toContainText("replaced before: 1 phone");
  await expect(page.locator("#sent pre")).toContainText("[PHONE_1]");
  await expect(page.locator("#sent pre")).not.toContainText("901820");
  await expect(page.getByRole("row", { name: /^Today/ })).toHaveText(/^Today[1-9]/);
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
  await expect(page.locator("#error")).toHaveAttribute("data-code", "egress_denied");
});

test("the mode is the visitor's, and a turned-off fallback leaves a degraded answer", async ({ page, site }) => {
  await open(page, site.address);
  await page.getByTestId("task-sentiment").check();
  await page.locator("#input").fill("I guess the flight was okay but the seat was small");
  await page.locator("input[name=mode][value=only-local]").check();
  await page.locator("#run").click();
  await expect(page.getByTestId("degraded")).toBeVisible();
  await expect(reason(page)).toHaveAttribute("data-code", "low_confidence");
  await screenshot(page, "degraded");

  await page.locator("#off").click();
  await expect(page.locator("#fallback-status")).toContainText("Off");
  await page.locator("input[name=mode][value=only-remote]").check();
  await page.locator("#run").click();
  await expect(page.locator("#error")).toHaveAttribute("data-code", "remote_not_configured");
  await screenshot(page, "error");

  await page.locator("#input").fill("");
  await page.locator("#run").click();
  await expect(page.locator("#error")).toHaveAttribute("data-code", "empty_input");
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
  await expect(page.getByRole("link", { name: "Skip to the playground" })).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(page.getByTestId("task-language")).toBeFocused();
  const input = page.locator("#input");
  for (let presses = 0; presses < 10 && !(await input.evaluate((e) => e === document.activeElement)); presses++) {
    await page.keyboard.press("Tab");
  }
  await expect(input).toBeFocused();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("Missä on lähin rautatieasema ja milloin juna lähtee?");
  await page.keyboard.press("Control+Enter");
  await expect(page.getByTestId("label")).toHaveText("Finnish");
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
