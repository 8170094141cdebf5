// The allowed risk as a slider: every sample of the task is routed anew at each step, on this device.

import type { Answer, BatchItem, SmallFirst, TaskInfo } from "smallfirst";
import { showCurve } from "./curve";
import { byId, element, percent, shown } from "./dom";
import { bytesOf } from "./everyday";
import { examplesOf } from "./examples";
import { labelOf, reasonText } from "./words";

const slider = byId<HTMLInputElement>("risk");

/** How many samples are routed, and how much of a text is shown. */
const SAMPLES = 16;
const SHOWN = 42;

interface Sample {
  name: string;
  input: string | Blob;
}

let ai: SmallFirst | undefined;
let task: TaskInfo | undefined;
let samples: Sample[] = [];
let evaluation: unknown;
/** The steps of the slider; `null` is what the model's authors say, where nothing is certified. */
let steps: (number | null)[] = [];
/** The latest routing counts. */
let round = 0;
/** What came of the samples at a step: they are asked once at each. */
let routes = new Map<string, BatchItem[]>();

/** The risk of a call: nothing where it is the task's own. */
export function chosenRisk(): { risk?: number } {
  const step = steps[Number(slider.value)] ?? null;
  return step === null || step === task?.risk ? {} : { risk: step };
}

/** Shows the slider for a task. Samples and curve come with {@link showSamples}. */
export function showRisks(made: SmallFirst, of: TaskInfo): void {
  [ai, task, samples, evaluation] = [made, of, [], undefined];
  routes = new Map();
  steps = of.risk === null ? [null, ...of.risks.map(({ risk }) => risk)] : of.risks.map(({ risk }) => risk);
  byId("decide").hidden = of.kind !== "classify" || of.risks.length === 0;
  slider.max = String(Math.max(0, steps.length - 1));
  slider.value = String(Math.max(0, steps.indexOf(of.risk)));
  byId("routed").replaceChildren();
  shown("routed-text").textContent = "";
  show();
}

/** Fetches the task's curve and samples, once nothing else waits for the network, and routes them. */
export async function showSamples(): Promise<void> {
  const [made, of] = [ai, task];
  if (!made || !of || byId("decide").hidden || samples.length > 0) return;
  const { default: all } = await import("virtual:everyday");
  const card = of.card === null ? undefined : await made.card(of.id).catch(() => undefined);
  if (of !== task) return;
  const own = examplesOf(of).map(({ name, input }) => ({
    name,
    input: of.input === "bytes" ? new Blob([input]) : input,
  }));
  const other = all[of.id] ?? [];
  const every = Math.max(1, Math.floor(other.length / Math.max(1, SAMPLES - own.length)));
  const spread = other
    .filter((_, place) => place % every === 0)
    .slice(0, SAMPLES - own.length)
    .map(({ name, text, base64 }) => ({ name, input: text ?? new Blob([bytesOf(base64 ?? "")]) }));
  [samples, evaluation] = [[...own, ...spread], card?.evaluation];
  show();
  await route();
}

function show(): void {
  const step = steps[Number(slider.value)] ?? null;
  const info = task?.risks.find(({ risk }) => risk === step);
  const name = step === null ? "as the model’s authors say" : `at most ${percent(step)}`;
  const what =
    info &&
    (info.certified
      ? `; ${percent(info.coverage)} were answered here in its tests`
      : "; nothing is promised, so all goes to the remote");
  slider.setAttribute("aria-valuetext", name + (what ?? ""));
  shown("risk-text").textContent = name + (what ?? "");
  showCurve(evaluation, step);
}

async function route(): Promise<void> {
  const [made, of] = [ai, task];
  if (!made || !of || samples.length === 0) return;
  const own = ++round;
  const inputs = samples.map(({ input }) => input);
  const [kept, at] = [routes, slider.value];
  // The page's own samples are nobody's questions: no monitor counts them, and no request was saved.
  const options = { dryRun: true, ...chosenRisk() };
  const items = kept.get(at) ?? (await made.runBatch(of.id, inputs, options));
  kept.set(at, items);
  if (own !== round || of !== task) return;
  let stay = 0;
  const drawn = items.map((item, place) => {
    const { name = "", input = "" } = samples[place] ?? {};
    const stays = item.ok && !item.answer.degraded;
    if (stays) stay += 1;
    const box = element("li");
    box.dataset["stays"] = String(stays);
    const [line = ""] = typeof input === "string" ? input.split("\n") : [name];
    const short = line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
    const result = item.ok ? judged(of, item.answer) : "cannot be judged here";
    box.append(
      element("strong", stays ? "Stays here" : "Would be asked"),
      element("span", short),
      element("small", result),
    );
    return box;
  });
  byId("routed").replaceChildren(...drawn);
  shown("routed-text").textContent = `${stay} of ${items.length} samples stay on this device.`;
}

/** What the small model says, or why it is no matter. */
function judged(of: TaskInfo, { output, confidence, reason }: Answer): string {
  if (reason !== "confident" && reason !== "low_confidence") return reasonText(reason);
  return `${labelOf(of, output.label)}, ${percent(confidence ?? 0)} sure`;
}

slider.addEventListener("input", () => {
  show();
  // An instance that is made anew meanwhile routes by itself.
  route().catch(() => {});
});
