// Calls of the public API on a loaded page: what a visitor waits for, worker and all.

import { Browser } from "./browser.js";
import type { Options } from "./options.js";
import { reason, type Results, rounded } from "./results.js";
import type { Site } from "./server.js";

const TASKS = ["language", "file-type", "spam", "sentiment"];

export async function api(site: Site, options: Options, results: Results): Promise<void> {
  const tasks = TASKS.filter((task) => options.wants(`api ${task}`));
  if (tasks.length === 0) return;
  const browser = await Browser.start();
  try {
    await browser.page.goto(`${site.address}/page/api`);
    await browser.page.evaluate(() => window.api.create());
    const run = (task: string, samples: number) => browser.page.evaluate(([task, samples]) => window.api.run(task, samples, 5), [task, samples] as const);
    const taken = tasks.map((task) => ({ task, ms: [] as number[], longest: 0 }));
    for (const task of tasks) await run(task, 2);
    for (let round = 0; round < options.rounds; round++) {
      for (const entry of options.shuffled(taken)) {
        const { ms, longest } = await run(entry.task, Math.max(2, Math.min(20, Math.floor(options.turnMs / 50))));
        entry.ms.push(...ms);
        entry.longest = Math.max(entry.longest, longest);
      }
    }
    for (const { task, ms, longest } of taken) results.api.push({ task, ms: rounded(ms), longest });
  } catch (thrown) {
    results.missing.push(`calls of the public API: ${reason(thrown)}; ${browser.complaints.join("; ")}`);
  } finally {
    await browser.stop();
  }
}

/** How many inputs a batch has, and how many workers share it. */
const INPUTS = 64;
const WORKERS = [1, 2];

/** Batches that several workers share, beside the same in one worker. */
export async function batches(site: Site, options: Options, results: Results): Promise<void> {
  const tasks = ["file-type", "sentiment"].filter((task) => options.wants(`batch workers ${task}`));
  if (tasks.length === 0) return;
  const browser = await Browser.start();
  try {
    await browser.page.goto(`${site.address}/page/api`);
    const run = (task: string, workers: number, samples: number) =>
      browser.page.evaluate(([task, workers, inputs, samples]) => window.api.batches(task, workers, inputs, samples), [task, workers, INPUTS, samples] as const);
    const taken = tasks.flatMap((task) => WORKERS.map((workers) => ({ task, workers, samples: 1, ms: [] as number[] })));
    for (const entry of taken) {
      // WorkerPool start, and load their models, while the first worker does all.
      const until = Date.now() + 3000;
      let last = 0;
      do last = Math.min(...(await run(entry.task, entry.workers, 2)));
      while (entry.workers > 1 && Date.now() < until);
      entry.samples = Math.max(2, Math.min(30, Math.floor(options.turnMs / last)));
    }
    for (let round = 0; round < options.rounds; round++)
      for (const entry of options.shuffled(taken)) entry.ms.push(...(await run(entry.task, entry.workers, entry.samples)));
    const started = browser.page.workers().length;
    const wanted = WORKERS.reduce((sum, workers) => sum + workers);
    if (started !== wanted) throw new Error(`there are ${started} workers, not ${wanted}`);
    for (const { task, workers, ms } of taken) results.batches.push({ task, workers, inputs: INPUTS, ms: rounded(ms) });
  } catch (thrown) {
    results.missing.push(`batches in several workers: ${reason(thrown)}; ${browser.complaints.join("; ")}`);
  } finally {
    await browser.stop();
  }
}
