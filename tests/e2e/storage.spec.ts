// What is kept in the browser: by whom it is found again, and what is made of it when it was altered.

import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures.js";
import type { SmallFirst } from "./harness.js";
import { open, ready, refused, run } from "./harness.js";

const TEXT = "I guess the flight was okay but the seat was small";

const remoteOf = (address: string) => ({ provider: "openai", baseUrl: `${address}/echo`, model: "m" }) as const;

/** Changes a string that is kept, and gives what it was. */
function alter(page: Page, key: string, from: string, to: string): Promise<string> {
  return page.evaluate(
    ([key, from, to]) =>
      new Promise<string>((resolve, reject) => {
        const opened = indexedDB.open("smallfirst");
        opened.onerror = () => reject(opened.error);
        opened.onsuccess = () => {
          const table = opened.result.transaction("kept", "readwrite").objectStore("kept");
          const get = table.get(key) as IDBRequest<string>;
          get.onsuccess = () => {
            const put = table.put(from === "" ? to : get.result.replaceAll(from, to), key);
            put.onsuccess = () => {
              opened.result.close();
              resolve(get.result);
            };
          };
        };
      }),
    [key, from, to] as const,
  );
}

test("instances with different names share nothing", async ({ page, harness, faults }) => {
  faults.requests = [];
  await open(page, harness.address);
  const seen = await page.evaluate(
    async ([remote, text]) => {
      const options = { remote, budget: { requestsPerDay: 2 }, answerCache: { persist: true }, learn: true };
      const task = { labels: ["positive", "negative"], instruction: "Which mood?" };
      const make = (storage: string): Promise<SmallFirst> => window.create({ ...options, storage });
      const code = async (ai: SmallFirst, input: string): Promise<string> => {
        const { answer, error } = await window.outcome(ai.run("mood", input, task));
        return answer ? String(answer.cached) : error!.code;
      };
      const [one, two] = [await make("one"), await make("two")];
      const codes = { one: [] as string[], two: [] as string[] };
      for (const input of [text, text, "other", "third"]) codes.one.push(await code(one, input));
      for (const input of [text, text]) codes.two.push(await code(two, input));
      const again = await make("one");
      codes.one.push(await code(again, text));
      await two.clearAnswerCache();
      await two.forgetExamples();
      const third = await make("one");
      codes.one.push(await code(third, text));
      const report = async (ai: SmallFirst) => ({
        usage: (await ai.usage()).total.requests,
        rows: (await ai.exportExamples()).length,
      });
      await third.preload(["language"]);
      await two.preload(["language"]);
      return {
        codes,
        one: await report(third),
        two: await report(two),
        databases: (await indexedDB.databases()).map((database) => database.name ?? "").sort(),
        caches: (await caches.keys()).map((name) => name.replace(location.origin, "")).sort(),
      };
    },
    [remoteOf(faults.address), TEXT] as const,
  );
  expect(seen.codes).toEqual({
    one: ["false", "true", "false", "over_budget", "true", "true"],
    two: ["false", "true"],
  });
  expect(seen.one).toEqual({ usage: 2, rows: 2 });
  expect(seen.two).toEqual({ usage: 1, rows: 0 });
  expect(seen.databases).toEqual(["smallfirst-one", "smallfirst-two"]);
  expect(seen.caches).toEqual(["smallfirst-one /models/manifest.json", "smallfirst-two /models/manifest.json"]);
});

test("the name is checked, and there is a usual one", async ({ page, harness }) => {
  await open(page, harness.address);
  for (const storage of ["", "Upper", "two words", "a/b", "ä", "x".repeat(65), 7, null, {}]) {
    expect(await refused(page, { storage }), JSON.stringify(storage)).toMatchObject({ code: "invalid_option" });
  }
  expect(await refused(page, { cache: "no" })).toMatchObject({ code: "invalid_option" });
  expect(await page.evaluate(() => caches.keys())).toEqual([]);
  await page.evaluate(async (long) => {
    window.ai = await window.create({ storage: long, cache: "none" });
    await window.ai.preload(["language"]);
    await (await window.create({})).preload(["language"]);
  }, "x-9".repeat(21));
  expect(await page.evaluate(() => caches.keys())).toEqual([`smallfirst ${harness.address}/models/manifest.json`]);
});

test("a kept answer that was altered is none", async ({ page, harness, faults }) => {
  faults.requests = [];
  const posts = (): number => faults.requests.filter((r) => r.startsWith("POST")).length;
  const options = {
    remote: remoteOf(faults.address),
    mode: "only-remote",
    answerCache: { persist: true, days: 7 },
  } as const;
  const ask = async () => {
    await ready(page, harness.address, options);
    return (await run(page, "sentiment", TEXT)).answer;
  };
  await ask();
  expect(await ask()).toMatchObject({ cached: true });
  expect(posts()).toBe(1);
  const alterations: [string, string][] = [
    ['"label":"positive"', '"label":"<img src=x onerror=alert(1)>"'],
    ['"title":', '"title":"<img src=x onerror=alert(1)>","was":'],
    ['"model":"m"', '"model":"<img src=x onerror=alert(1)>"'],
    ['"scores":[', '"scores":[{"label":"positive","score":7},'],
    ['"at":', '"at":9'],
    ["[", "{"],
  ];
  for (const [at, [from, to]] of alterations.entries()) {
    expect(await alter(page, "answers", from, to)).toContain(from);
    const answer = await ask();
    expect(answer, to).toMatchObject({ cached: false, tier: "m", output: { label: "positive" } });
    expect(JSON.stringify(answer)).not.toContain("<img");
    expect(posts()).toBe(2 + at);
    expect(await ask()).toMatchObject({ cached: true });
  }
  // Too old.
  const kept = await alter(page, "answers", "x", "x");
  const { at } = (JSON.parse(kept) as { at: number }[])[0]!;
  await alter(page, "answers", String(at), String(at - 7 * 86_400_000 - 1));
  expect(await ask()).toMatchObject({ cached: false });
  expect(await refused(page, { answerCache: { days: 0 } })).toMatchObject({ code: "invalid_option" });

  // Who persists nothing forgets what others persisted.
  await ready(page, harness.address, { ...options, answerCache: { persist: false } });
  await page.evaluate(() => window.ai.clearAnswerCache());
  expect(await ask()).toMatchObject({ cached: false });
});

test("a budget whose book cannot be read is spent, for the day", async ({ page, harness, faults }) => {
  faults.requests = [];
  const options = {
    remote: remoteOf(faults.address),
    mode: "only-remote",
    budget: { requestsPerDay: 5 },
    answerCache: { entries: 0 },
  } as const;
  const ask = async () => {
    await ready(page, harness.address, options);
    return run(page, "sentiment", TEXT);
  };
  expect((await ask()).answer).toMatchObject({ ranOn: "remote" });
  await alter(page, "budget", '"requests":1', '"requests":-1');
  for (const _ of [1, 2]) {
    const { error } = await ask();
    expect(error).toMatchObject({ code: "over_budget" });
    expect(error!.message).toContain("could not be read");
  }
  expect(faults.requests.filter((r) => r.startsWith("POST"))).toHaveLength(1);
  // Where nothing is limited, nothing is refused.
  await ready(page, harness.address, { ...options, budget: {} });
  expect((await run(page, "sentiment", TEXT)).answer).toMatchObject({ ranOn: "remote" });
});

test("examples that were altered are not shown", async ({ page, harness, faults }) => {
  await ready(page, harness.address, { remote: remoteOf(faults.address), learn: true, answerCache: { entries: 0 } });
  expect((await run(page, "sentiment", TEXT)).answer).toMatchObject({ ranOn: "remote" });
  const key = await page.evaluate(async () => {
    const opened = indexedDB.open("smallfirst");
    await new Promise((resolve) => (opened.onsuccess = resolve));
    const keys = opened.result.transaction("kept").objectStore("kept").getAllKeys();
    await new Promise((resolve) => (keys.onsuccess = resolve));
    opened.result.close();
    return keys.result.map(String).find((key) => key.startsWith("learned/"))!;
  });
  expect(await alter(page, key, '"label":"positive"', '"label":"<img src=x onerror=alert(1)>"')).toContain(
    '"label":"positive"',
  );
  await ready(page, harness.address);
  expect(await page.evaluate(() => window.ai.exportExamples())).toEqual([]);
  await alter(page, key, "<img src=x onerror=alert(1)>", "positive");
  await ready(page, harness.address);
  expect(await page.evaluate(() => window.ai.exportExamples())).toMatchObject([
    { task: "sentiment", label: "positive", input: TEXT },
  ]);
  // An index that says there are more pieces than any number of reads would find.
  await alter(page, "learned", '"pieces":', '"pieces":18446744073709');
  await ready(page, harness.address);
  expect(await page.evaluate(() => window.ai.exportExamples())).toEqual([]);
});
