// Long runs: memory must not grow with inferences, nor with models that are loaded and closed.

import type { Cases } from "../shared/cases.js";
import { Browser } from "./browser.js";
import { InBrowser } from "./contenders.js";
import type { Options } from "./options.js";
import { modules } from "./paths.js";
import { reason, type Results } from "./results.js";
import type { Site } from "./server.js";

const RUNS = 10_000;
const LOADS = 100;

export async function soak(site: Site, cases: Cases, options: Options, results: Results): Promise<void> {
  const of = cases.cases.find(({ id }) => id === "minilm-int8-1x8");
  const model = cases.models.find(({ id }) => id === of?.model);
  if (!of || !model) throw new Error("cases.json has no minilm-int8-1x8: delete target/bench/cases.json and run again");
  const { id, module } = modules(model.prepared !== undefined)[0]!;
  for (const contender of [
    new InBrowser(id, site, "smallfirst", { smallfirst: module }),
    new InBrowser("onnxruntime-web", site, "onnxruntime"),
  ]) {
    if (!options.wants(`soak ${contender.id}`)) continue;
    try {
      await contender.load(model);
      await contender.run(of, 1, 10);
      let before = await contender.memory();
      await contender.run(of, RUNS / 100, 100);
      let after = await contender.memory();
      results.soak.push({ what: `${RUNS.toLocaleString("en")} inferences of ${of.id}`, contender: contender.id, before, after });
      await contender.ask({ do: "reload", case: of, model, times: 5 });
      before = await contender.memory();
      await contender.ask({ do: "reload", case: of, model, times: LOADS });
      after = await contender.memory();
      results.soak.push({ what: `${LOADS} times ${of.model} loaded, run and closed`, contender: contender.id, before, after });
    } catch (thrown) {
      results.missing.push(`soak, ${contender.id}: ${reason(thrown)}`);
    } finally {
      await contender.stop();
    }
  }
  if (options.wants("soak smallfirst")) await instances(site, results);
}

/** Instances of the public API, each with its worker: what is left in the page's process. */
async function instances(site: Site, results: Results): Promise<void> {
  const browser = await Browser.start();
  try {
    await browser.page.goto(`${site.address}/page/api`);
    const times = async (count: number): Promise<void> => {
      for (let time = 0; time < count; time++)
        await browser.page.evaluate(async () => {
          await window.api.create();
          await window.api.run("sentiment", 1, 1);
          await window.api.dispose();
        });
    };
    await times(10);
    const before = await browser.resident();
    await times(LOADS);
    const after = await browser.resident();
    const what = `${LOADS} times createSmallFirst, run and dispose: the page's process`;
    if (before !== undefined && after !== undefined) results.soak.push({ what, contender: "smallfirst", before, after });
    else results.missing.push("soak: this system does not tell how large the page's process is");
  } catch (thrown) {
    results.missing.push(`soak, instances of smallfirst: ${reason(thrown)}`);
  } finally {
    await browser.stop();
  }
}
