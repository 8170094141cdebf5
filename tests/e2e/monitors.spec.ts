// Monitors and drawn answers, which go on from page to page.

import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures.js";
import { ready, run } from "./harness.js";

const GERMAN = "Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig.";

/** All strings that are stored. */
function stored(page: Page): Promise<Record<string, string>> {
  return page.evaluate(
    () =>
      new Promise<Record<string, string>>((resolve, reject) => {
        const opened = indexedDB.open("smallfirst");
        opened.onerror = () => reject(opened.error);
        opened.onsuccess = () => {
          const all: Record<string, string> = {};
          const cursor = opened.result.transaction("kept").objectStore("kept").openCursor();
          cursor.onerror = () => reject(cursor.error);
          cursor.onsuccess = () => {
            if (cursor.result) {
              all[cursor.result.key as string] = String(cursor.result.value);
              cursor.result.continue();
            } else {
              opened.result.close();
              resolve(all);
            }
          };
        };
      }),
  );
}

function observed(page: Page): Promise<number[]> {
  return page.evaluate(async () => (await window.ai.drift("language")).map((drift) => drift.observed));
}

/** What the task's monitors stored, once they have seen so many inputs. */
async function kept(page: Page, inputs: number): Promise<string> {
  let json = "";
  await expect
    .poll(async () => {
      const all = await stored(page).catch(() => ({}) as Record<string, string>);
      const key = Object.keys(all).find((key) => key.startsWith("monitors/") && key.endsWith("/language"));
      json = key === undefined ? "" : all[key]!;
      if (json === "") return 0;
      // What was damaged stands there until it is written anew.
      if (!json.endsWith("}")) return 0;
      const { numbers } = JSON.parse(json) as { numbers: { inputs: number[] } };
      // Counts come first, then how many inputs there were, the most evidence, and five numbers for each 250 inputs.
      return numbers.inputs.at(-5 * Math.ceil(inputs / 250) - 2);
    })
    .toBe(inputs);
  return json;
}

test("monitors go on from page to page, and store numbers only", async ({ page, harness }) => {
  for (let visit = 1; visit <= 3; visit++) {
    await ready(page, harness.address, { mode: "only-local" });
    for (let i = 0; i < 3; i++) await run(page, "language", GERMAN);
    expect(await observed(page)).toEqual([3 * visit]);
    const json = await kept(page, 3 * visit);
    const { of, numbers, ...more } = JSON.parse(json) as { of: string; numbers: Record<string, unknown> };
    expect(of).toMatch(/^[0-9a-f]{64}$/);
    expect(more).toEqual({});
    expect(Object.keys(numbers).sort()).toEqual(["drawn", "errors", "inputs", "remotes", "replies"]);
    for (const value of Object.values(numbers)) expect(JSON.stringify(value)).toMatch(/^[-+0-9.,e[\]]*$/);
  }
  // Another name shares none of it.
  await ready(page, harness.address, { mode: "only-local", storage: "other" });
  expect(await observed(page)).toEqual([]);
});

test("a drawn answer may be reported on the next visit, and counts once", async ({ page, harness }) => {
  const options = { mode: "only-local", auditShare: 1 } as const;
  await ready(page, harness.address, options);
  const { answer } = await run(page, "language", GERMAN);
  expect(answer).toMatchObject({ guaranteed: true, audit: { chance: 1 } });
  await kept(page, 1);
  for (const counts of [true, false]) {
    await ready(page, harness.address, options);
    const reported = await page.evaluate((answer) => window.ai.reportOutcome(answer, true), answer!);
    expect(reported).toBe(counts);
    expect(await observed(page)).toEqual([1, 1]);
  }
});

test("tabs add up, and an alarm of one is one of all", async ({ context, harness }) => {
  const tabs = await Promise.all([context.newPage(), context.newPage()]);
  await Promise.all(tabs.map((tab) => ready(tab, harness.address, { mode: "only-local", onDrift: "stop" })));
  for (const tab of tabs) await run(tab, "language", GERMAN);
  // Each of them writes what it has seen, and then takes in what the other one wrote.
  await kept(tabs[0], 2);
  await tabs[0].evaluate(async (german) => {
    await window.ai.runBatch(
      "language",
      Array.from({ length: 400 }, () => german),
    );
  }, GERMAN);
  await kept(tabs[0], 402);
  await ready(tabs[1], harness.address, { mode: "only-local", onDrift: "stop" });
  const { answer } = await run(tabs[1], "language", GERMAN);
  expect(answer).toMatchObject({ reason: "confident", guaranteed: false, audit: null });
  const [inputs] = await tabs[1].evaluate(() => window.ai.drift("language"));
  expect(inputs).toMatchObject({ watched: "inputs", alarmed: true, observed: 403 });
});

test("what was altered is not gone on from", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  await run(page, "language", GERMAN);
  await kept(page, 1);
  await page.evaluate(
    () =>
      new Promise<void>((resolve, reject) => {
        const opened = indexedDB.open("smallfirst");
        opened.onerror = () => reject(opened.error);
        opened.onsuccess = () => {
          const table = opened.result.transaction("kept", "readwrite").objectStore("kept");
          const keys = table.getAllKeys();
          keys.onsuccess = () => {
            for (const key of keys.result as string[]) if (key.startsWith("monitors/")) table.put("[1, 2", key);
            table.transaction.oncomplete = () => {
              opened.result.close();
              resolve();
            };
          };
        };
      }),
  );
  await ready(page, harness.address, { mode: "only-local" });
  expect(await observed(page)).toEqual([]);
  await run(page, "language", GERMAN);
  await kept(page, 1);
});
