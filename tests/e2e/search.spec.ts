// Search by meaning in a page: docs/search.md is run, and an index is what its texts are, after a reload, in another tab, with another
// model. The vectors are those of the default bundle's encoder.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { type Claim, blocks, broken, isSearchScript, pageModule, place } from "./docs.js";
import { expect, test } from "./fixtures.js";
import { type Local, root } from "./servers.js";
import type * as Package from "../../pkg/dist/index.js";

declare global {
  interface Window {
    smallfirst: typeof Package;
    claim: (claim: [string, Claim], value: unknown) => void;
    claimed: [[string, Claim], unknown][];
  }
}

/** The default bundle with a task that makes vectors; and with another one. */
const folders = new Map<string, string>();

test.beforeAll(() => {
  const base = mkdtempSync(join(tmpdir(), "smallfirst-search-"));
  for (const [name, encoder] of [
    ["models", "static-text"],
    ["other", "minilm"],
  ] as const) {
    const folder = join(base, name);
    execFileSync(process.env["SMALLFIRST_BIN"]!, ["merge", join(root, "models"), "--out", folder]);
    execFileSync(process.env["SMALLFIRST_BIN"]!, ["add-vectors", folder, "--task", "meaning", "--encoder", encoder]);
    folders.set(name, folder);
  }
});

async function opened(page: Page, harness: Local): Promise<void> {
  const imports = { smallfirst: "/pkg/index.js" };
  harness.texts.set(
    "/docs/search.html",
    `<!doctype html><meta charset=utf-8><title>search</title><link rel=icon href=data:,><script type=importmap>${JSON.stringify({ imports })}</script>`,
  );
  for (const [name, folder] of folders) {
    await page.context().route(`**/${name}/**`, (route) => {
      const path = new URL(route.request().url()).pathname.split(`/${name}/`)[1] ?? "";
      return route.fulfill({ body: readFileSync(join(folder, path)) });
    });
  }
  await page.goto(`${harness.address}/docs/search.html`);
  await page.evaluate(async () => {
    const name = "smallfirst";
    window.smallfirst = (await import(name)) as typeof Package;
    window.claimed = [];
    window.claim = (claim, value) => window.claimed.push([claim, JSON.parse(JSON.stringify(value ?? null))]);
  });
}

/** Sentences of the behavioural tests: real ones, in some languages. */
function sentences(): string[] {
  const lines = readFileSync(join(root, "models/recipe/behaviour/language.jsonl"), "utf8").trim().split("\n");
  const all = lines.map((line) => (JSON.parse(line) as { input?: string }).input ?? "");
  return [...new Set(all.filter((text) => text.length > 10))];
}

test("docs/search.md says what is", async ({ page, harness }) => {
  await opened(page, harness);
  const all = blocks("docs/search.md").filter(isSearchScript);
  expect(all.length).toBe(1);
  for (const block of all) {
    const { code, claims } = pageModule(block);
    const path = `/docs/search-${block.line}.js`;
    harness.texts.set(path, code);
    await page.evaluate((path) => import(path).then(() => {}), path);
    const claimed = await page.evaluate(() => window.claimed);
    expect(claimed, `${place(block)}: every claim is met`).toHaveLength(claims);
    for (const [[where, claim], value] of claimed) expect(broken(claim, value), where).toBeUndefined();
  }
});

test("an index is the same after a reload and in another tab, and what is changed there is seen here", async ({
  page,
  harness,
}) => {
  const texts = sentences();
  expect(texts.length).toBeGreaterThan(100);
  const rows = texts.map((text, at) => ({ id: `s${at}`, text, data: { at } }));
  await opened(page, harness);
  const first = await page.evaluate(async (rows) => {
    const ai = await window.smallfirst.createSmallFirst({ bundle: "/models/manifest.json", mode: "only-local" });
    const index = ai.index("sentences", { task: "meaning" });
    const counts = [await index.count(), await index.put(rows), await index.put([]), await index.count()];
    const found = await index.search(rows[7]!.text, { limit: 3 });
    ai.dispose();
    return { counts, found };
  }, rows);
  expect(first.counts).toEqual([0, rows.length, rows.length, rows.length]);
  expect(first.found[0]).toMatchObject({ id: "s7", text: texts[7], data: { at: 7 } });
  expect(first.found[0]!.score).toBeCloseTo(1, 5);
  expect(first.found).toHaveLength(3);

  await opened(page, harness);
  const tab = await page.context().newPage();
  await opened(tab, harness);
  const again = await page.evaluate(async (query) => {
    const ai = await window.smallfirst.createSmallFirst({ bundle: "/models/manifest.json", mode: "only-local" });
    const index = ((window as { index?: Package.SearchIndex }).index = ai.index("sentences", { task: "meaning" }));
    return index.search(query, { limit: 3 });
  }, texts[7]!);
  expect(again).toEqual(first.found);
  // Another tab takes one out and changes one.
  await tab.evaluate(async () => {
    const ai = await window.smallfirst.createSmallFirst({ bundle: "/models/manifest.json", mode: "only-local" });
    const index = ai.index("sentences", { task: "meaning" });
    await index.remove(["s7", "nobody"]);
    await index.put([{ id: "s8", text: "Penguins live at the south pole." }]);
  });
  const seen = await page.evaluate(async (query) => {
    const { index } = window as unknown as { index: Package.SearchIndex };
    return [await index.count(), await index.search(query, { limit: 1 }), await index.search("penguins")];
  }, texts[7]!);
  expect(seen[0]).toBe(rows.length - 1);
  expect((seen[1] as Package.SearchHit[])[0]!.id).not.toBe("s7");
  expect((seen[2] as Package.SearchHit[])[0]).toMatchObject({ id: "s8", data: null });
  // With another name for what is stored, nothing is shared.
  const apart = await page.evaluate(async () => {
    const options = { bundle: "/models/manifest.json", mode: "only-local", storage: "apart" } as const;
    const ai = await window.smallfirst.createSmallFirst(options);
    return ai.index("sentences", { task: "meaning" }).count();
  });
  expect(apart).toBe(0);
});

test("another model's vectors are refused until the index is cleared, and so is what no index takes", async ({
  page,
  harness,
}) => {
  await opened(page, harness);
  const codes = await page.evaluate(async () => {
    const { createSmallFirst } = window.smallfirst;
    const ai = await createSmallFirst({ bundle: "/models/manifest.json", mode: "only-local" });
    const other = await createSmallFirst({ bundle: "/other/manifest.json", mode: "only-local" });
    const [index, others] = [ai, other].map((ai) => ai.index("notes", { task: "meaning" })) as [
      Package.SearchIndex,
      Package.SearchIndex,
    ];
    const tried = async (work: () => unknown): Promise<string> => {
      try {
        await work();
        return "done";
      } catch (thrown) {
        const { code, message } = thrown as Package.SmallFirstError;
        return `${code}: ${message}`;
      }
    };
    await index.put([{ id: "1", text: "A cat sleeps." }]);
    const loop: { self?: unknown } = {};
    loop.self = loop;
    const rows = (row: unknown) => index.put([row] as Package.IndexRow[]);
    const aborted = AbortSignal.abort(new Error("enough"));
    const told = [
      await tried(() => others.search("cat")),
      await tried(() => others.put([{ id: "2", text: "A dog barks." }])),
      await tried(() => rows({ id: "2", text: "" })),
      await tried(() => rows({ id: 2, text: "x" })),
      await tried(() => rows({ id: "2", text: "x", data: loop })),
      await tried(() => rows({ id: "2", text: "x".repeat(70_000) })),
      await tried(() => index.put(7 as never)),
      await tried(() => index.search("cat", { limit: 0 })),
      await tried(() => index.search("cat", { limit: 1.5 })),
      await tried(() => index.search("cat", { most: 3 } as never)),
      await tried(() => ai.index("my notes", { task: "meaning" }).count()),
      await tried(() => ai.index("notes", { task: "spam" }).count()),
      await tried(() => ai.index("notes", {} as never)),
      await tried(() => index.search("cat", { signal: aborted })),
    ];
    const kept = await index.count();
    await others.clear();
    const after = [await index.count(), await others.put([{ id: "2", text: "A dog barks." }])];
    return { told, kept, after };
  });
  expect(codes.told.map((told) => told.split(":")[0])).toEqual([
    "invalid_option",
    "invalid_option",
    "empty_input",
    ...Array<string>(10).fill("invalid_option"),
    "undefined",
  ]);
  expect(codes.told[0]).toContain("clear()");
  expect(codes.kept).toBe(1);
  expect(codes.after).toEqual([0, 1]);
});

test("how long a search of many takes", async ({ page, harness }) => {
  const count = Number(process.env["SMALLFIRST_SEARCH"] ?? "0");
  test.skip(count === 0, "by name: SMALLFIRST_SEARCH=200000 puts so many texts first, which takes minutes");
  test.setTimeout(30 * 60_000);
  await opened(page, harness);
  const times = await page.evaluate(
    async ({ count, words }) => {
      const ai = await window.smallfirst.createSmallFirst({ bundle: "/models/manifest.json", mode: "only-local" });
      const index = ai.index("many", { task: "meaning" });
      const text = (at: number): string =>
        [at, at * 7, at * 49, at * 343].map((n) => words[n % words.length]!).join(" ");
      const rows = Array.from({ length: count }, (_, at) => ({ id: `t${at}`, text: text(at) }));
      const begun = performance.now();
      await index.put(rows);
      const put = performance.now() - begun;
      const times: number[] = [];
      for (let at = 0; at < 40; at++) {
        const from = performance.now();
        await index.search(words[at]!);
        times.push(performance.now() - from);
      }
      times.sort((a, b) => a - b);
      return { put, median: times[20]!, fastest: times[0]! };
    },
    { count, words: [...new Set(sentences().join(" ").split(/\W+/))].filter((word) => word.length > 3) },
  );
  console.log(
    `${count} texts put in ${(times.put / 1000).toFixed(1)} s; a search, query and messages included: median ${times.median.toFixed(1)} ms, fastest ${times.fastest.toFixed(1)} ms`,
  );
});
