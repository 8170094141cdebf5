// The demo's section on remotes that fail: what it shows of each failure is what the package did.

import { expect, test } from "./fixtures.js";
import { loaded, looked } from "./looks.js";

/** How often the remote is asked, and what is said of each time. */
const FAULTS: [name: string, times: number, why: RegExp][] = [
  ["unreachable", 3, /^The connection fails\.$/],
  ["slow", 3, /^No answer came within 1\.5 s\.$/],
  ["busy", 3, /too many requests\. It asks to be left alone for a second\.$/],
  // Asking the same once more would not help.
  ["nonsense", 1, /^What it sent is no answer\.$/],
  ["broken", 3, /^The connection fails\.$/],
];

test("the page plays each failure, and shows what the package does on a line of time", async ({
  page,
  site,
  expected,
}) => {
  // What the browser itself says of requests that fail.
  expected.push(/Failed to load resource|net::ERR/);
  const elsewhere: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(site.address)) elsewhere.push(request.url());
  });
  await page.goto(site.address);
  await loaded(page);
  await page.locator("input[name=mode][value=only-local]").check();
  await page.locator("#input").fill("Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig.");
  const line = page.locator("#timeline li");
  for (const [name, times, why] of FAULTS) {
    await page.getByTestId(`fault-${name}`).click();
    await expect(page.getByTestId("fault-said")).toContainText("this device answered by itself", { timeout: 30_000 });
    await expect(page.getByTestId("fault-said")).toContainText(times === 1 ? "asked once" : `asked ${times} times`);
    const steps = await line.evaluateAll((all) =>
      all.map((item) => [item.dataset["state"], item.lastElementChild!.textContent!]),
    );
    expect(steps.map(([state]) => state)).toEqual([
      ...Array.from({ length: 2 * times - 1 }, (_, at) => (at % 2 === 0 ? "failed" : "waits")),
      "done",
    ]);
    for (const [state, words] of steps) if (state === "failed") expect(words).toMatch(why);
    expect(steps.at(-1)![1]).toMatch(/^German, \d+\.\d % sure\.$/);
    if (name === "busy") await looked(page, "failing", "#faults");
  }
  expect(elsewhere).toEqual([]);
  // What it played is not what the visitor's own remote was asked.
  await expect(page.getByTestId("tally-bytes")).toHaveText("0 bytes");
});

test("without a service worker, it says why it plays nothing", async ({ page, site }) => {
  await page.addInitScript(() => {
    Object.defineProperty(navigator, "serviceWorker", { value: undefined });
  });
  await page.goto(site.address);
  await expect(page.locator("#run")).toBeEnabled({ timeout: 30_000 });
  await page.getByTestId("fault-slow").click();
  await expect(page.getByTestId("fault-said")).toContainText("Load the page again");
  await expect(page.locator("#timeline li")).toHaveCount(0);
});
