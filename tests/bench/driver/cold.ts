// Cold runs: an empty profile, one navigation, the time to the first answer and the bytes it took.

import type { Cases } from "../shared/cases.js";
import type { Cold as Report } from "../pages/cold.js";
import { Browser } from "./browser.js";
import type { Options } from "./options.js";
import { modules } from "./paths.js";
import { type Cold, reason, type Results, rounded } from "./results.js";
import type { Site } from "./server.js";

interface Entry {
  row: string;
  contender: string;
  address: string;
}

function entries(cases: Cases): Entry[] {
  const list: Entry[] = [];
  for (const row of ["language", "file-type", "sentiment"]) {
    list.push({ row, contender: "smallfirst", address: `cold-smallfirst?what=${row}` });
    list.push({ row, contender: "onnxruntime-web", address: `cold-onnxruntime?what=${row}` });
  }
  const row = "MiniLM int8";
  const prepared = cases.models.find(({ id }) => id === "minilm-int8")?.prepared;
  if (prepared) {
    const query = new URLSearchParams({ ...modules(true)[0]!.module, file: prepared });
    list.push({ row, contender: "smallfirst", address: `cold-smallfirst-model?${query}` });
  }
  list.push({ row, contender: "onnxruntime-web", address: "cold-onnxruntime?what=minilm" });
  list.push({ row, contender: "transformers.js", address: "cold-transformers" });
  return list;
}

export async function cold(site: Site, cases: Cases, options: Options, results: Results): Promise<void> {
  const list = entries(cases).filter(({ row, contender }) => options.wants(`cold ${row} ${contender}`));
  const taken = new Map<Entry, Cold>();
  site.compress = true;
  // The first visit makes the server compress, and the system read, what is served; it does not count.
  for (let run = -1; run < options.coldRuns; run++) {
    for (const entry of options.shuffled(list)) {
      if (run >= 0 && !taken.has(entry)) continue;
      try {
        // Browsers sometimes do not start on a busy machine: that tells nothing about the page.
        const { report, files } = await visit(site, entry.address).catch(() => visit(site, entry.address));
        if (run < 0) {
          const { row, contender } = entry;
          taken.set(entry, { row, contender, ms: [], bytes: 0, files: [], longest: [], answer: report.answer });
          console.error(`  cold ${row}: ${contender}: ${report.answer}`);
          continue;
        }
        const kept = taken.get(entry)!;
        kept.ms.push(report.ms);
        kept.longest.push(report.longest);
        kept.bytes = files.reduce((sum, file) => sum + file.bytes, 0);
        kept.files = files;
      } catch (thrown) {
        const error = reason(thrown);
        results.missing.push(`cold ${entry.row}, ${entry.contender}: ${error}`);
        console.error(`  cold ${entry.row}: ${entry.contender} failed: ${error}`);
        if (run < 0) continue;
        taken.delete(entry);
      }
    }
  }
  site.compress = false;
  for (const kept of list.flatMap((entry) => taken.get(entry) ?? [])) {
    for (const key of ["ms", "longest"] as const) kept[key] = rounded(kept[key]);
    results.cold.push(kept);
  }
}

async function visit(site: Site, address: string): Promise<{ report: Report; files: Cold["files"] }> {
  const browser = await Browser.start();
  try {
    site.sent = [];
    await browser.page.goto(`${site.address}/page/${address}`);
    const report = await browser.page.evaluate(async () => {
      for (let wait = 0; wait < 1000 && !window.cold; wait++) await new Promise((resolve) => setTimeout(resolve, 10));
      return window.cold;
    });
    if (!report) throw new Error(browser.complaints.join("; ") || "the page's script did not run");
    const files = site.sent.filter(({ at }) => at <= report.at).map(({ path, bytes }) => ({ path, bytes }));
    return { report, files };
  } finally {
    await browser.stop();
  }
}
