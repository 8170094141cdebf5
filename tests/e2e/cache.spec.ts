import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures.js";
import { open, ready, run } from "./harness.js";

const GERMAN = "Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig.";

/** Waits until what was fetched is stored: answers do not. */
function stored(page: Page): Promise<void> {
  return page.evaluate(() => window.ai.preload(["language"]));
}

/** The statuses told of one file, without the repeated "progress". */
function statuses(page: Page, file: string): Promise<string[]> {
  return page.evaluate(
    (file) => [
      ...new Set(window.events.filter((e) => e.file === file).map((e) => `${e.status}${e.cached ? " cached" : ""}`)),
    ],
    file,
  );
}

test("files are fetched when first needed, once, and kept", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const fetched = (): string[] => harness.requests.filter((r) => r.includes("/models/") && !r.includes("manifest"));
  harness.requests = [];
  await run(page, "language", GERMAN);
  await run(page, "language", GERMAN);
  expect(fetched().sort()).toEqual(["GET /models/language/head.sfm", "GET /models/language/ngrams.sfng"]);
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
      const cache = await caches.open(`smallfirst ${location.origin}/models/manifest.json`);
      const key = (await cache.keys()).find((k) => k.url.includes("language/head.sfm"))!;
      const bytes = new Uint8Array(await (await cache.match(key))!.arrayBuffer());
      const damaged = {
        corrupt: bytes.map((b, i) => (i === 5000 ? b ^ 1 : b)),
        truncated: bytes.slice(0, 999),
        longer: new Uint8Array([...bytes, 0]),
      };
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

/** The addresses of the copies of a bundle, without the page's own origin. */
function copies(page: Page, bundle: string): Promise<string[]> {
  return page.evaluate(async (bundle) => {
    const cache = await caches.open(`smallfirst ${location.origin}${bundle}`);
    return (await cache.keys()).map((key) => key.url.replace(location.origin, "")).sort();
  }, bundle);
}

/** Puts a copy that no manifest names into a bundle's cache, opens the bundle, and waits until the copy is gone. */
async function sweep(page: Page, bundle: string, manifest = `${bundle}manifest.json`): Promise<void> {
  await page.evaluate(
    async ([bundle, manifest]) => {
      const cache = await caches.open(`smallfirst ${location.origin}${manifest}`);
      await cache.put("/models/language/head.sfm?sha256=old", new Response("old"));
      window.ai = await window.create({ bundle });
    },
    [bundle, manifest] as const,
  );
  await expect.poll(() => copies(page, manifest)).not.toContain("/models/language/head.sfm?sha256=old");
  await page.evaluate(() => window.ai.dispose());
}

test("copies of files the bundle no longer has are removed, and nobody else's", async ({ page, harness }) => {
  await open(page, harness.address);
  await page.evaluate(async () => {
    const others = await caches.open("smallfirst-v1");
    await others.put("/models/language/head.sfm?sha256=old", new Response("old"));
  });
  await sweep(page, "/models/");
  expect(await page.evaluate(async () => (await (await caches.open("smallfirst-v1")).keys()).length)).toBe(1);
});

test.describe("bundles one within another", () => {
  test.use({ expected: [/Failed to load resource/] });

  test("sweep their own files and leave the others' offline copies", async ({ page, context, harness }) => {
    await open(page, harness.address);
    const bundles = ["/nest/v2/", "/nest-old/", "/nest/"];
    await page.evaluate(async (bundles) => {
      for (const bundle of bundles) {
        const ai = await window.create({ bundle });
        await ai.preload(["language"]);
        ai.dispose();
      }
    }, bundles);
    for (const bundle of bundles) await sweep(page, bundle);
    await context.route("**/nest**", (route) => route.abort("internetdisconnected"));
    const labels = await page.evaluate(
      async ([bundles, german]) => {
        const labels: string[] = [];
        for (const bundle of bundles)
          labels.push((await (await window.create({ bundle })).run("language", german)).output.label);
        return labels;
      },
      [bundles, GERMAN] as const,
    );
    expect(labels).toEqual(["deu", "deu", "deu"]);
  });

  test("a query chooses a manifest, and those of a folder share its files", async ({ page, context, harness }) => {
    await open(page, harness.address);
    const visit = async (query: string): Promise<void> => {
      await page.evaluate(async (bundle) => {
        const ai = await window.create({ bundle });
        await ai.preload(["language"]);
        ai.dispose();
      }, `/nest/manifest.json?${query}`);
    };
    // A slash in a query is none of the folder.
    await visit("tenant=a/b");
    harness.requests = [];
    for (const n of [1, 2, 3, 4, 5]) await visit(`version=${n}`);
    expect(harness.requests.filter((r) => !r.includes("manifest") && r.includes("/nest"))).toEqual([]);
    await sweep(page, "/nest/manifest.json?version=5", "/nest/manifest.json");
    const kept = await copies(page, "/nest/manifest.json");
    expect(kept.filter((url) => url.includes("?manifest="))).toHaveLength(4);
    expect(kept.filter((url) => url.includes("?sha256="))).toHaveLength(2);
    await context.route("**/nest**", (route) => route.abort("internetdisconnected"));
    const outcomes = await page.evaluate(async () => {
      const codes: string[] = [];
      for (const query of ["version=5", "version=3", "tenant=a/b"]) {
        const made = window.create({ bundle: `/nest/manifest.json?${query}` });
        codes.push(
          await made.then(
            () => "made",
            (thrown: unknown) => window.failure(thrown).code,
          ),
        );
      }
      return codes;
    });
    // Of many, the latest are kept.
    expect(outcomes).toEqual(["made", "made", "bundle_unreachable"]);
  });
});

test.describe("without a network", () => {
  test.use({ expected: [/Failed to load resource/] });

  test("what was prepared still answers, also from a fresh instance", async ({ page, context, harness }) => {
    await ready(page, harness.address);
    await page.evaluate(() => window.ai.preload());
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
