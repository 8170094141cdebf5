// The panel for developers, on real answers, requests, failures and alarms, under the strict policy.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Locator, Page } from "@playwright/test";
import { blocks, isDevtoolsScript } from "./docs.js";
import { expect, test } from "./fixtures.js";
import { violations } from "./looks.js";
import { ready, run } from "./harness.js";
import { type Local, root } from "./servers.js";
import type * as Devtools from "../../pkg/dist/devtools.js";

declare global {
  interface Window {
    mount: (options?: object, ai?: unknown) => Promise<() => void>;
    unmount: () => void;
    /** How many listeners of panels there are. */
    listening: number;
  }
}

const GERMAN = "Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig.";
const UNSURE = "I guess the flight was okay, write me at ann@mail.example or +49 30 901820";
const FLIGHT = { redact: { patterns: { FLIGHT: "flight" } } };
const SECRETS = ["Bahnhof", "flight was", "901820", "deu", "positive", "messages"];

test.afterEach(({ harness }) => {
  harness.headers = {};
});

/** The policy of a page that allows nothing that it need not. */
function strict(harness: Local, faults: Local): void {
  const sources = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; img-src data:";
  const trusted = "require-trusted-types-for 'script'; trusted-types smallfirst";
  const policy = `${sources}; connect-src 'self' ${faults.address}; ${trusted}`;
  harness.headers = { "content-security-policy": policy };
}

/** Gives the page what mounts panels, and counts their listeners. */
async function helped(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const path = "/pkg/devtools.js";
    const { mountDevtools } = (await import(path)) as typeof Devtools;
    window.listening = 0;
    const counted = ["on", "usage", "egress", "tasks"].map((name) => {
      const call = (...given: unknown[]): unknown => {
        const gave = (window.ai[name as "usage"] as (...given: unknown[]) => unknown)(...given);
        if (name !== "on") return gave;
        window.listening++;
        return () => (window.listening--, (gave as () => void)());
      };
      return [name, call] as const;
    });
    window.mount = async (options, ai = Object.fromEntries(counted)) => mountDevtools(ai as typeof window.ai, options);
  });
}

async function mount(page: Page, options: object = {}): Promise<void> {
  await page.evaluate(async (options) => {
    window.unmount = await window.mount(options);
  }, options);
}

/** In every width and colour scheme nothing is cut off, and nobody is kept from reading it; a picture of each is kept. */
async function looked(page: Page, name: string): Promise<void> {
  mkdirSync(join(root, "target/screenshots"), { recursive: true });
  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [360, 1280]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 740 });
      const where = `${name}-${width}-${colorScheme}`;
      await page.screenshot({ path: join(root, `target/screenshots/devtools-${where}.png`) });
      const { wide, ...found } = await page.evaluate(() => {
        const all = [...document.querySelectorAll("smallfirst-devtools")].flatMap((host) => [
          ...host.shadowRoot!.querySelectorAll("*"),
        ]);
        const wide = all.filter(
          (e) => e.getBoundingClientRect().right > innerWidth || e.scrollWidth > e.clientWidth + 1,
        );
        const moving = all.filter(
          (e) => e.getAnimations().length > 0 || getComputedStyle(e).transitionDuration !== "0s",
        );
        const canvas = getComputedStyle(all[0]!).backgroundColor;
        return {
          wide: wide.filter((e) => getComputedStyle(e).display !== "inline").map((e) => e.outerHTML.slice(0, 200)),
          moving: moving.length,
          dark: canvas !== "rgb(255, 255, 255)",
        };
      });
      expect([where, wide]).toEqual([where, []]);
      expect([where, found]).toEqual([where, { moving: 0, dark: colorScheme === "dark" }]);
      // The rest of the page is the harness.
      expect([where, await violations(page, "smallfirst-devtools")]).toEqual([where, []]);
    }
  }
}

/** The share of the window that a panel covers. */
async function covered(panel: Locator, page: Page): Promise<number> {
  const [box, window] = [(await panel.boundingBox())!, page.viewportSize()!];
  return (box.width * box.height) / (window.width * window.height);
}

test("it shows what is answered and why, what leaves, fails and drifts, and none of the content", async ({
  page,
  harness,
  faults,
  context,
}) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  strict(harness, faults);
  const remote = { provider: "openai", baseUrl: `${faults.address}/echo`, model: "some-model" } as const;
  await ready(page, harness.address, { remote, privacy: FLIGHT });
  await helped(page);
  // What left before it is mounted is listed, too.
  await run(page, "sentiment", UNSURE, { mode: "only-remote" });
  await mount(page);
  const panel = page.getByRole("region", { name: "smallfirst" });
  const toggle = panel.getByRole("button").first();
  await expect(toggle).toHaveText(/^smallfirst 0 answered here · 1 sent, 0\.\d kB$/);
  expect(await panel.getByRole("table").count()).toBe(0);

  await run(page, "language", GERMAN);
  await run(page, "sentiment", `${UNSURE}.`);
  await run(page, "mood", GERMAN);
  await page.evaluate(async (german) => {
    await window.ai.runBatch(
      "language",
      Array.from({ length: 400 }, () => german),
      { mode: "only-local" },
    );
  }, GERMAN);
  await expect(toggle).toHaveText(/^smallfirst 401 answered here · 2 sent, 1\.\d kB · 1 failed · alarm: language$/);
  await looked(page, "closed");
  await page.setViewportSize({ width: 360, height: 740 });
  expect(await covered(panel, page)).toBeLessThan(0.1);

  // By keyboard alone.
  await page.keyboard.press("Tab");
  await expect(toggle).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(toggle).toHaveAttribute("aria-expanded", "true");
  expect(await covered(panel, page)).toBeLessThan(0.5);
  await expect(
    panel.getByText(/^Spent: 2 requests, \d+ tokens, 0 USD · saved: \d+ requests, \d+ tokens, 0 USD$/),
  ).toBeVisible();
  // Many answers take no other row's place.
  await expect(panel.locator("tbody")).toHaveCount(104);
  const rows = panel.locator(".log > tbody:visible");
  const show = (kind: string): Promise<string[]> => panel.getByLabel("Show").selectOption(kind);
  await show("alarm");
  await expect(rows).toHaveText([/^language\d\d:\d\d:\d\dalarmInputs differ from the calibration data\.$/]);
  await show("failure");
  await expect(rows).toHaveText([/^mood\d\d:\d\d:\d\dfailedunknown_task: /]);
  await show("request");
  const left = new RegExp(`^sentiment\\d\\d:\\d\\d:\\d\\dsent0\\.\\d kB left for ${faults.address}/echo\\.$`);
  await expect(rows).toHaveText([left, left]);
  await rows.first().getByRole("button").press("Enter");
  await expect(rows.first().getByRole("row")).toContainText([
    /model\s*some-model/,
    /redactions\s*email 1, flight 1, phone 1/,
  ]);
  await looked(page, "requests");
  await show("answer");
  await expect(rows).toHaveCount(100);
  await expect(rows.first()).toHaveText(
    /^language\d\d:\d\d:\d\dhereThe local model is 9\d.* sure, which meets its threshold/,
  );
  await show("all");
  await looked(page, "open");
  // All that is known of an answer, while there are new ones.
  await run(page, "sentiment", `${UNSURE}!`);
  const escalated = rows.first();
  await expect(escalated).toHaveText(/^sentiment.*remote/);
  await escalated.getByRole("button").press("Enter");
  await expect(escalated.getByRole("row")).toContainText([
    /remote/,
    /Tried/,
    /local: .*0\.\d+ \/ 0\.\d+escalated, [\d.]+ ms$/,
    /remote: some-model.*answered/,
  ]);
  await run(page, "language", GERMAN);
  await expect(rows.first()).toHaveText(/^language/);
  await expect(rows.nth(1)).toHaveText(/^sentiment.*Tried/);
  await expect(rows.nth(1).getByRole("button").first()).toBeFocused();
  await rows.nth(1).scrollIntoViewIfNeeded();
  await looked(page, "answer");

  // What is copied is what is shown, and neither has content.
  await panel.getByRole("button", { name: "Copy as JSON" }).click();
  await expect(panel.getByRole("status")).toHaveText("Copied.");
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const list = JSON.parse(copied) as { kind: string; facts: Record<string, unknown> }[];
  expect(list).toHaveLength(105);
  expect(list[0]).toMatchObject({ kind: "request", task: "sentiment", facts: { model: "some-model" } });
  for (const secret of SECRETS) {
    expect(copied).not.toContain(secret);
    expect(await panel.textContent()).not.toContain(secret);
  }
  await panel.getByRole("button", { name: "Clear" }).click();
  await expect(toggle).toHaveText(/^smallfirst 402 answered here · 3 sent, 2\.\d kB$/);
  await expect(panel.getByText("Nothing yet. Tasks: ")).toContainText("language");
  await looked(page, "empty");
  await page.keyboard.press("Escape");
  await expect(toggle).toBeFocused();
  await expect(toggle).toHaveAttribute("aria-expanded", "false");
  // It takes everything with it.
  expect(await page.evaluate(() => window.listening)).toBe(4);
  await page.evaluate(() => (window.unmount(), window.unmount()));
  expect(await page.evaluate(() => window.listening)).toBe(0);
  await expect(page.locator("smallfirst-devtools")).toHaveCount(0);
  expect((await run(page, "language", GERMAN)).answer).toMatchObject({ ranOn: "local" });
});

test("outputs and bodies are shown where that is asked for, and what remotes failed at", async ({
  page,
  harness,
  faults,
  expected,
}) => {
  expected.push(/status of 401/);
  strict(harness, faults);
  const [good, bad] = ["echo", "401"].map((fault) => {
    return { provider: "openai", baseUrl: `${faults.address}/${fault}`, model: fault } as const;
  });
  await ready(page, harness.address, { remote: [bad!, good!], mode: "only-remote", privacy: FLIGHT });
  await helped(page);
  await page.evaluate(() => document.body.append(document.createElement("aside")));
  await page.evaluate(async () => {
    const target = document.querySelector("aside")!;
    window.unmount = await window.mount({ target, content: true, open: true, limit: 2 });
  });
  const panel = page.locator("aside").getByRole("region", { name: "smallfirst" });
  const rows = panel.locator(".log > tbody:visible");
  await run(page, "sentiment", UNSURE);
  await expect(rows).toHaveText([/remote/, /echo\.$/, /401\.$/]);
  for (const row of await rows.all()) await row.getByRole("button").click();
  await expect(rows.nth(0)).toContainText(', remote_status: the remote answered with HTTP status 401: "no key"');
  await expect(rows.nth(0).locator("pre")).toContainText('"label": "positive"');
  for (const request of [rows.nth(1), rows.nth(2)]) {
    await expect(request.locator("pre")).toContainText("I guess the [FLIGHT_1] was okay");
    await expect(request).not.toContainText("901820");
  }
  await looked(page, "content");
  // Without, a remote's own words are content, too.
  const unmount = await page.evaluateHandle(() => window.mount({ open: true }));
  const discreet = page.getByRole("region", { name: "smallfirst 2" });
  await run(page, "sentiment", `${UNSURE}?`);
  const top = discreet.locator(".log > tbody").first();
  await expect(top).toContainText("remote");
  await top.getByRole("button").click();
  await expect(discreet).toContainText('remote_status: the remote answered with HTTP status 401: "…"; check');
  await expect(discreet).not.toContainText("no key");
  await unmount.evaluate((unmount) => unmount());
  // Two rows of each kind.
  await run(page, "sentiment", `${UNSURE}.`);
  await expect(rows).toHaveText([/remote/, /sent/, /sent/, /remote/]);
  await page.evaluate(() => window.unmount());
  expect(await page.locator("aside").innerHTML()).toBe("");
});

test("several panels, other windows, instances that end and wrong options do no harm", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  await helped(page);
  await page.evaluate(() => Object.assign(document.body, { innerHTML: "<iframe title=other></iframe>" }));
  const unmounts = await page.evaluateHandle(async () => {
    const target = document.querySelector("iframe")!.contentDocument!.body;
    return [await window.mount({ open: true }), await window.mount({ open: true }), await window.mount({ target })];
  });
  const docked = page.getByRole("region");
  const other = page.frameLocator("iframe").getByRole("region", { name: "smallfirst 3" });
  await expect(docked).toHaveCount(2);
  await run(page, "language", GERMAN);
  for (const one of [docked.first(), docked.last(), other])
    await expect(one.getByRole("button").first()).toHaveText("smallfirst 1 answered here · 0 sent, 0.0 kB");
  // A word that is longer than its column.
  await run(page, "spam", GERMAN, { mode: "prefer-local" });
  await expect(docked.first().locator(".log > tbody")).toHaveCount(2);
  await docked.first().locator(".log > tbody").first().getByRole("button").click();
  await expect(docked.first()).toContainText("remote_not_configured");
  await looked(page, "several");
  const [first, second] = [await docked.first().boundingBox(), await docked.last().boundingBox()];
  expect(first!.y).toBeGreaterThanOrEqual(0);
  expect(first!.y + first!.height).toBeLessThanOrEqual(second!.y);
  // What is between them and beside them is the page's.
  expect(await page.evaluate(() => document.elementFromPoint(innerWidth - 12, innerHeight - 4)?.localName)).not.toBe(
    "smallfirst-devtools",
  );
  // A page that has a colour scheme of its own.
  await page.emulateMedia({ colorScheme: "light" });
  await page.addStyleTag({ content: "smallfirst-devtools { color-scheme: dark } div, section { display: none }" });
  await expect(docked.first()).not.toHaveCSS("background-color", "rgb(255, 255, 255)");
  await unmounts.evaluate(([first]) => first!());
  await expect(docked).toHaveCount(1);
  await page.evaluate(() => window.ai.dispose());
  expect((await run(page, "language", GERMAN)).error).toMatchObject({ code: "disposed" });
  await docked.first().getByRole("button").first().click();
  await docked.first().getByRole("button").first().click();
  await expect(docked.first()).toContainText("this instance was disposed of");
  await page.evaluate(async () => void (await window.mount({ open: true })));
  await expect(docked.last()).toContainText(/this instance was disposed of.*Nothing yet\.$/);
  await unmounts.evaluate((all) => all.forEach((unmount) => unmount()));

  const codes = await page.evaluate(async () => {
    const wrong = [{ limits: 1 }, { limit: 0 }, { limit: 1.5 }, { limit: 1001 }, { limit: "9" }, { open: 1 }];
    const more = [{ content: "no" }, { target: "aside" }, { target: null }, { target: document }];
    const tries = [...wrong, ...more].map((options) => window.mount(options));
    return Promise.all(
      [...tries, window.mount({}, {})].map((made) => made.catch(({ code, message }) => `${code} ${message}`)),
    );
  });
  for (const message of codes) expect(message).toMatch(/^invalid_option mountDevtools: .*(must be|there is no option)/);
});

test("the page's blocks show it where the address asks for it", async ({ page, harness }) => {
  const [first, second, ...more] = blocks("docs/places/devtools.md").filter(isDevtoolsScript);
  expect(more).toEqual([]);
  const imports = { smallfirst: "/pkg/index.js", "smallfirst/devtools": "/pkg/devtools.js" };
  harness.texts.set(
    "/docs/devtools.html",
    `<!doctype html><meta charset=utf-8><title>devtools</title><link rel=icon href=data:,><aside></aside><script type=importmap>${JSON.stringify({ imports })}</script>`,
  );
  // What the first block names is there for the second, which names what the page imports.
  harness.texts.set("/docs/devtools-1.js", `${first!.code}export { ai };`);
  harness.texts.set(
    "/docs/devtools-2.js",
    `import { ai } from "./devtools-1.js"; import { mountDevtools } from "smallfirst/devtools";
    ${second!.code.replace("unmount();", "window.unmount = unmount;")}`,
  );
  for (const [search, panels] of [
    ["", 1],
    ["?devtools", 2],
  ] as const) {
    await page.goto(`${harness.address}/docs/devtools.html${search}`);
    await page.evaluate((path) => import(path).then(() => {}), "/docs/devtools-2.js");
    await expect(page.getByRole("region")).toHaveCount(panels);
    await expect(page.locator("aside").getByRole("region")).toHaveCount(1);
    await page.evaluate(() => window.unmount());
    await expect(page.getByRole("region")).toHaveCount(panels - 1);
  }
});
