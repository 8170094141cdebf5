// Warm latency: every contender first has to agree with the reference, then they take turns.

import type { Case, Cases, Model } from "../shared/cases.js";
import { type Contender, contenders, type Natives } from "./contenders.js";
import type { Options } from "./options.js";
import { reason, type Results, rounded } from "./results.js";
import type { Site } from "./server.js";

/** How often something is run in one of its turns. */
interface Plan {
  samples: number;
  inner: number;
}

export async function warm(site: Site, cases: Cases, natives: Natives, options: Options, results: Results): Promise<void> {
  for (const model of cases.models) {
    const wanted = cases.cases.filter((of) => of.model === model.id && options.wants(`${of.id} ${model.title} warm`));
    if (wanted.some((of) => of.timed)) await measure(site, model, wanted, natives, options, results);
  }
}

async function measure(site: Site, model: Model, cases: Case[], natives: Natives, options: Options, results: Results): Promise<void> {
  console.error(`${model.title}: ${cases.length} cases`);
  const ready: { contender: Contender; agreed: Set<string> }[] = [];
  try {
    for (const contender of contenders(site, model, natives)) {
      const agreed = await start(contender, model, cases, results);
      if (agreed.size > 0) ready.push({ contender, agreed });
      else await contender.stop();
    }
    for (const of of cases.filter((of) => of.timed)) {
      const able = ready.filter(({ agreed }) => agreed.has(of.id)).map(({ contender }) => contender);
      await turns(of, able, options, results);
    }
  } finally {
    for (const { contender } of ready) await contender.stop();
  }
}

/** Loads the model and compares all outputs. Gives the cases that may be timed. */
async function start(contender: Contender, model: Model, cases: Case[], results: Results): Promise<Set<string>> {
  const agreed = new Set<string>();
  const { id } = contender;
  const failed = (of: string, thrown: unknown): void => {
    const error = reason(thrown);
    console.error(`  ${id} is not timed on ${of}: ${error}`);
    results.checks.push({ case: of, contender: id, ok: false, error });
  };
  try {
    await contender.load(model);
  } catch (thrown) {
    failed(model.id, thrown);
    return agreed;
  }
  for (const of of cases) {
    try {
      const agreement = await contender.check(of);
      if (agreement) results.checks.push({ case: of.id, contender: id, ...agreement });
      if (agreement?.ok === false) {
        const { cosine, largest } = agreement;
        console.error(`  ${id} disagrees on ${of.id} and is not timed: cosine ${cosine.toFixed(5)}, largest difference ${largest.toExponential(1)}`);
        continue;
      }
      agreed.add(of.id);
      const bytes = await contender.memory();
      if (bytes !== undefined) results.memory.push({ case: of.id, contender: id, bytes });
    } catch (thrown) {
      failed(of.id, thrown);
    }
  }
  return agreed;
}

/** Runs one case in rounds, each time in another order. Who fails is left out from then on. */
async function turns(of: Case, able: Contender[], options: Options, results: Results): Promise<void> {
  const plans = new Map<Contender, Plan>();
  const taken = new Map<Contender, number[]>();
  const attempt = async (contender: Contender, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (thrown) {
      plans.delete(contender);
      taken.delete(contender);
      results.missing.push(`${of.id}, ${contender.id}: ${reason(thrown)}`);
      console.error(`  ${contender.id} failed on ${of.id}: ${reason(thrown)}`);
    }
  };
  for (const contender of able)
    await attempt(contender, async () => {
      plans.set(contender, await plan(contender, of, options));
      taken.set(contender, []);
    });
  for (let round = 0; round < options.rounds; round++)
    for (const contender of options.shuffled([...plans.keys()]))
      await attempt(contender, async () => {
        const { samples, inner } = plans.get(contender)!;
        taken.get(contender)!.push(...(await contender.run(of, samples, inner)));
      });
  for (const [contender, ms] of taken) results.warm.push({ case: of.id, contender: contender.id, ms: rounded(ms) });
  const text = [...taken].map(([{ id }, ms]) => `${id} ${median(ms).toPrecision(3)}`).join("; ");
  console.error(`  ${of.id}: ${text} ms`);
}

/** The first runs warm up, and tell how many fit into a turn. */
async function plan(contender: Contender, of: Case, { turnMs }: Options): Promise<Plan> {
  const first = await contender.run(of, 1, 1);
  const estimate = Math.min(...first, ...(first[0]! < 500 ? await contender.run(of, 3, 1) : []));
  // The page's clock ticks every 0.1 ms.
  const inner = Math.max(1, Math.min(2000, Math.ceil(5 / Math.max(estimate, 0.001))));
  return { inner, samples: Math.max(1, Math.min(30, Math.floor(turnMs / (estimate * inner)))) };
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
