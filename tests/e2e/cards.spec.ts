// What makes the demo believable: its model cards as pictures, and the log of what the network saw.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, root, test } from "./fixtures.js";
import { loaded, looked } from "./looks.js";

interface Share {
  value: number;
}

test("a task's card is drawn, the weakest groups first, as its evaluation has them", async ({ page, site }) => {
  await page.goto(site.address);
  await loaded(page);
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  for (const task of ["language", "sentiment"]) {
    const file = join(root, "models", task, "evaluation.json");
    const { accuracy, slices, reliability } = JSON.parse(readFileSync(file, "utf8")) as {
      accuracy: Share;
      slices: { slice: string; accuracy: Share & { n: number } }[];
      reliability: unknown[];
    };
    await page.getByTestId(`task-${task}`).check();
    await page.getByText("Model card", { exact: true }).click();
    const quality = page.locator("#quality");
    await expect(quality.locator(".shares").first()).toContainText(percent(accuracy.value));
    const groups = quality.locator(".shares").nth(1).locator("li");
    const sorted = slices.filter(({ accuracy: { n } }) => n > 0).map(({ accuracy: { value } }) => value);
    sorted.sort((a, b) => a - b);
    const shown = (count: number) => sorted.slice(0, count).map((value) => new RegExp(percent(value)));
    await expect(groups).toHaveText(shown(8));
    await expect(quality.locator(".reliability circle")).toHaveCount(reliability.length);
    if (task === "sentiment") await looked(page, "card", "#result");
    await quality.getByRole("button", { name: `Show all ${sorted.length}` }).click();
    await expect(groups).toHaveText(shown(sorted.length));
  }
  // A group is named by its label's title, not by a code.
  await page.getByTestId("task-language").check();
  await page.getByText("Model card", { exact: true }).click();
  await expect(page.locator("#quality li").nth(1)).not.toHaveText(/^[a-z]{3}\//);
});

test("on this device only, the network sees files of this site and nothing else", async ({ page, site, faults }) => {
  await page.goto(site.address);
  await loaded(page);
  // Once more, so that the service worker sees all of it.
  await page.reload();
  await loaded(page);
  const heard: string[] = [];
  page.context().on("request", (request) => heard.push(`${request.method()} ${request.url()}`));
  await page.locator("input[name=mode][value=only-local]").check();
  await page.getByText("Everything that the network saw").click();
  const said = page.getByTestId("network-said");
  await expect(said).toHaveText(/^\d+ files of this site fetched\. Nothing was sent\.$/);
  await page.locator("#input").fill("Missä on lähin rautatieasema ja milloin juna lähtee?");
  await page.locator("#run").click();
  await expect(page.getByTestId("label")).toHaveText("Finnish");
  await expect(said).toHaveText(/Nothing was sent\.$/);
  // The browser's own log has nothing that the page's has not.
  expect(heard.filter((one) => !one.startsWith(`GET ${site.address}`))).toEqual([]);

  // What does leave is there, with where it goes.
  await page.locator("#base-url").fill(`${faults.address}/echo`);
  await page.locator("#model").fill("some-model");
  await page.locator("#apply").click();
  await expect(page.locator("#fallback-status")).toContainText("some-model");
  await page.locator("input[name=mode][value=prefer-local]").check();
  await page.getByTestId("task-own-labels").check();
  await page.locator("#labels").fill("negative, positive");
  await page.locator("#run").click();
  await expect(page.getByTestId("ran-on")).toHaveText("Remote: some-model");
  await expect(said).toHaveText(/ 1 request sent something\.$/);
  await expect(page.locator("#requests tr.chosen").first()).toContainText(`POST${faults.address.slice(7)}/echo`);
  await looked(page, "network", "#fallback");
});
