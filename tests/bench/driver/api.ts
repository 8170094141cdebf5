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
