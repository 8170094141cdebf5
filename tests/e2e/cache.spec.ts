import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures.js";
import { open, ready, run } from "./harness.js";

const GERMAN = "Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig.";

/** Waits until what was fetched is stored: answers do not. */
function stored(page: Page): Promise<void> {
  return page.evaluate(() => window.ai.prepare(["language"]));
}

/** The statuses told of one file, without the repeated "progress". */
function statuses(page: Page, file: string): Promise<string[]> {
  return page.evaluate(
    (file) => [...new Set(window.events.filter((e) => e.file === file).map((e) => `${e.status}${e.cached ? " cached" : ""}`))],
    file,
  );
}

test("files are fetched when first needed, once, and kept", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const fetched = (): string[] => harness.requests.filter((r) => r.includes("/models/") && !r.includes("manifest"));
  harness.requests = [];
  await run(page, "language", GERMAN);
  await run(page, "language", GERMAN);
  expect(fetched().sort()).toEqual(["GET /models/language/head.sfm", "GET /models/language/ngrams.json"]);
  expect(await statuses(page, "language/head.sfm")).toEqual(["download", "progress", "verified"]);
  const last = await page.evaluate(() => window.events.filter((e) => e.file === "language/head.sfm").at(-1)!);
  expect(last.loaded).toBe(last.total);

  await stored(page);
  harness.requests = [];
  await ready(page, harness.address, { mode: "only-local" });
  expect((await run(page, "language", GERMAN)).answer?.output.label).toBe("deu");
  expect(fetched()).toEqual([]);
  expect(await statuses(page, "language/head.sfm")).toEqual(["verified cached"]);
});

for (const damage of ["corrupt", "truncated", "longer"] as const) {
  test(`a ${damage} copy is noticed and fetched again`, async ({ page, harness }) => {
    await ready(page, harness.address, { mode: "only-local" });
    await run(page, "language", GERMAN);
    await stored(page);
    await page.evaluate(async (damage) => {
      const cache = await caches.open("smallfirst-v1");
      const key = (await cache.keys()).find((k) => k.url.includes("language/head.sfm"))!;
      const bytes = new Uint8Array(await (await cache.match(key))!.arrayBuffer());
      const damaged = { corrupt: bytes.map((b, i) => (i === 5000 ? b ^ 1 : b)), truncated: bytes.slice(0, 999), longer: new Uint8Array([...bytes, 0]) };
      await cache.put(key, new Response(damaged[damage]));
    }, damage);
    await ready(page, harness.address, { mode: "only-local" });
    expect((await run(page, "language", GERMAN)).answer?.output.label).toBe("deu");
    const seen = await statuses(page, "language/head.sfm");
    expect(seen[0]).toBe("refetch cached");
    expect(seen.at(-1)).toBe("verified");
    // And the mended copy is kept.
    await stored(page);
    await ready(page, harness.address, { mode: "only-local" });
    await run(page, "language", GERMAN);
    expect(await statuses(page, "language/head.sfm")).toEqual(["verified cached"]);
  });
}

test("copies of files the bundle no longer has are removed", async ({ page, harness }) => {
  await open(page, harness.address);
  await page.evaluate(async () => {
    const cache = await caches.open("smallfirst-v1");
    await cache.put("/models/language/head.sfm?sha256=old", new Response("old"));
    await cache.put("/elsewhere/head.sfm?sha256=old", new Response("other"));
    window.ai = await window.create({});
  });
  const keys = (): Promise<string[]> =>
    page.evaluate(async () => (await (await caches.open("smallfirst-v1")).keys()).map((k) => new URL(k.url).pathname).sort());
  await expect.poll(keys).toEqual(["/elsewhere/head.sfm", "/models/manifest.json"]);
});

test.describe("without a network", () => {
  test.use({ expected: [/Failed to load resource/] });

  test("what was prepared still answers, also from a fresh instance", async ({ page, context, harness }) => {
    await ready(page, harness.address);
    await page.evaluate(() => window.ai.prepare());
    // The models' server is gone; the page's own scripts are the page's concern (the demo has a
    // service worker for them).
    await context.route("**/models/**", (route) => route.abort("internetdisconnected"));
    const labels = await page.evaluate(
      async ([german]) => {
        const before = await window.ai.run("language", german);
        const fresh = await window.create({});
        const after = await fresh.run("sentiment", "I love this, what a wonderful day! Thank you so much");
        return [before.output.label, after.output.label];
      },
      [GERMAN] as const,
    );
    expect(labels).toEqual(["deu", "positive"]);
  });
});
