import type { Input, KindOutput, Mode, SmallFirst, TaskInfo } from "smallfirst";
import { showCode } from "./code";
import { chosenRisk, showRisks, showSamples } from "./decide";
import { byId, bytes, element, shown } from "./dom";
import { bytesOf, offer } from "./everyday";
import { examplesOf } from "./examples";
import { Fallback } from "./fallback";
import { begin as beginFaults, type Question } from "./faults";
import { keep, showFinds } from "./fooled";
import { found, type Given, given, listen, searches, showPanel, take, takeExample } from "./inputs";
import { showAnswer, showNone, showPiece, showSavedHere, showText } from "./result";
import { fail, failNot, keepPage, Session } from "./session";
import { showLedger, showSaved, showUsage } from "./tally";
import { begin as beginNetwork } from "./network";
import { errorText, plural, titleOf } from "./words";

const run = byId<HTMLButtonElement>("run");
const text = byId<HTMLTextAreaElement>("input");
const second = byId<HTMLTextAreaElement>("second");
const labels = byId<HTMLInputElement>("labels");
const card = byId<HTMLDetailsElement>("card");

/** A task of any bundle: the package asks a remote for labels that no model was trained on. */
const OWN_LABELS: TaskInfo = {
  id: "own-labels",
  title: "Labels of your own",
  kind: "classify",
  input: "text",
  instruction: "Choose the label that fits the text best.",
  labels: [],
  variables: [],
  extracts: false,
  limits: { minBytes: 1, maxBytes: 100_000, maxTokens: null, languages: null },
  tiers: [],
  card: null,
  risk: null,
  risks: [],
  againstRemote: null,
};

/** How long the typing pauses before it is answered, and how long an answer may take to be given while somebody types. */
const PAUSE_MS = 150;
const LIVE_MS = 400;

let task: TaskInfo | undefined;
/** Whether the visitor wrote the text: an example does not take its place then. */
let own = false;
/** How long the model took last, which tells whether it can follow the typing. */
let took = 0;
let latest: { task: TaskInfo; given: Given; said: string } | undefined;

const fallback: Fallback = new Fallback(() => session.start());
const session: Session = new Session(fallback, ready, () => {
  showMore();
});

async function ready(made: SmallFirst): Promise<void> {
  const first = task === undefined;
  showTasks();
  run.disabled = false;
  if (!task) return;
  showRisks(made, task);
  // The page shows its point before anything is typed; nothing leaves for it.
  if (first && local(task)) await ask(true);
}

function showTasks(): void {
  // What this device can answer comes first, and of that what is known best.
  const rank = (of: TaskInfo): number => (of.id === "language" ? 0 : of.tiers.length > 0 ? 1 : 2);
  const all = [...session.tasks.toSorted((a, b) => rank(a) - rank(b)), OWN_LABELS];
  const chosen = all.find(({ id }) => id === task?.id) ?? all[0];
  byId("tasks").replaceChildren(
    ...all.map((t) => {
      const label = element("label");
      const radio = element("input");
      radio.type = "radio";
      radio.name = "task";
      radio.value = t.id;
      radio.dataset["testid"] = `task-${t.id}`;
      radio.checked = t.id === chosen?.id;
      radio.addEventListener("change", () => {
        choose(t);
        current?.abort();
        byId("wrong").hidden = true;
        failNot();
        if (local(t)) void ask(true);
        else showNone("Your turn", "Give it something and ask, or pick an example.");
      });
      label.append(radio, element("span", titleOf(t)));
      return label;
    }),
  );
  if (chosen) choose(chosen);
}

/** Whether this device can answer it by itself, and there is something to answer. */
const local = (of: TaskInfo): boolean => (of.tiers.length > 0 || of.extracts) && (own || examplesOf(of).length > 0);

function about(of: TaskInfo): string {
  const size = bytes(of.tiers.reduce((sum, tier) => sum + tier.bytes, 0));
  if (of === OWN_LABELS) return "No model here knows your labels, so the remote model is asked.";
  if (of.kind === "generate")
    return of.extracts ? "Written here of your own sentences, or by the remote." : "Written by the remote.";
  const many = of.labels.length > 1 ? `It knows ${plural(of.labels.length, "label")}. ` : "";
  return `${many}Its models take ${size}.`;
}

function choose(chosen: TaskInfo): void {
  const same = chosen.id === task?.id;
  task = chosen;
  card.open = false;
  byId("quality").replaceChildren();
  byId("card").hidden = chosen.card === null;
  byId("about").textContent = about(chosen);
  byId("labels-input").hidden = chosen !== OWN_LABELS;
  byId("everyday").hidden = true;
  byId("variables").replaceChildren(
    ...chosen.variables.map((name) => {
      const label = element("label", name.charAt(0).toUpperCase() + name.slice(1));
      const field = element("input");
      field.name = name;
      field.type = "text";
      field.dataset["testid"] = `variable-${name}`;
      label.append(field);
      return label;
    }),
  );
  showPanel(chosen);
  const examples = examplesOf(chosen);
  byId("examples").replaceChildren(
    ...examples.map((example) => {
      const button = element("button", example.name);
      button.type = "button";
      button.addEventListener("click", () => {
        own = false;
        takeExample(example, chosen);
        void ask(false);
      });
      return button;
    }),
  );
  const [example] = examples;
  if (!same && example && !own) takeExample(example, chosen);
  if (session.ai) showRisks(session.ai, chosen);
  code();
  showMore();
}

/** Offers what else there is to try, and shows the curve, once nothing else waits for the network. */
function showMore(): void {
  if (!session.prepared || !task) return;
  // The page goes without these where they cannot be had.
  offer(task.id, task.input, ({ name, text: input, base64 }) => {
    if (input !== undefined) text.value = input;
    if (base64 !== undefined) take(new Blob([bytesOf(base64)]), name);
    own = false;
    void ask(false);
  }).catch(() => {});
  showSamples().catch(() => {});
}

const mode = (): Mode => document.querySelector<HTMLInputElement>("input[name=mode]:checked")?.value as Mode;

const ownLabels = (): string[] =>
  labels.value
    .split(",")
    .map((label) => label.trim())
    .filter((label) => label !== "");

function variables(): Record<string, string> {
  const fields = byId("variables").querySelectorAll("input");
  return Object.fromEntries([...fields].map((field) => [field.name, field.value]));
}

function code(): void {
  if (!task) return;
  showCode({
    task,
    text: text.value,
    second: second.value,
    mode: mode(),
    variables: variables(),
    ...chosenRisk(),
    ...(task === OWN_LABELS ? { labels: ownLabels() } : {}),
    ...(fallback.used ? { remote: fallback.used } : {}),
  });
}

/** The last question counts: an answer that comes late is not shown over a newer one. */
let current: AbortController | undefined;

/** Asks. What is asked while the visitor types stays on this device, whatever may leave otherwise. */
async function ask(live: boolean): Promise<void> {
  const [ai, asked] = [session.ai, task];
  if (!ai || !asked) return;
  current?.abort();
  const controller = new AbortController();
  current = controller;
  const { signal } = controller;
  failNot();
  code();
  byId("result").setAttribute("aria-busy", "true");
  const before = await saved(ai);
  try {
    const what = await given(asked, signal);
    if (searches(asked)) what.hits = await found(ai, asked, what.short, signal);
    const options = { mode: live ? ("only-local" as const) : mode(), ...chosenRisk(), signal };
    let said: string;
    if (asked.kind === "generate") said = await write(ai, asked, what, options.mode, signal);
    else {
      const labelled = asked === OWN_LABELS ? { labels: ownLabels(), instruction: asked.instruction } : {};
      const answer = await ai.run(asked.id, what.input as Input, { ...options, ...labelled });
      signal.throwIfAborted();
      took = answer.timing.totalMs - answer.timing.loadMs;
      said = showAnswer(
        { ...answer, output: answer.output as KindOutput },
        asked,
        what,
        live && fallback.used !== undefined,
      );
    }
    latest = { task: asked, given: what, said: shown("label").textContent ?? "" };
    byId("wrong").hidden = false;
    // Who listens hears what was asked for, and not every letter.
    if (!live) byId("said").textContent = said;
  } catch (thrown) {
    if (signal.aborted) return;
    byId("wrong").hidden = true;
    showNone("No answer", errorText(thrown).words);
    fail(thrown);
  } finally {
    if (controller === current) {
      byId("result").removeAttribute("aria-busy");
      tell(ai, before).catch(() => {});
    }
  }
}

const saved = async (ai: SmallFirst): Promise<number> => {
  const report = await ai.usage().catch(() => undefined);
  return report ? report.saved.inputTokens + report.saved.outputTokens : 0;
};

async function tell(ai: SmallFirst, before: number): Promise<void> {
  const report = await ai.usage();
  showUsage(report, byId("usage"));
  showSaved(report);
  showSavedHere(report.saved.inputTokens + report.saved.outputTokens - before);
  await showLedger(ai, byId("ledger"));
}

/** Shows a text as it is written. */
async function write(ai: SmallFirst, asked: TaskInfo, what: Given, of: Mode, signal: AbortSignal): Promise<string> {
  const stream = ai.generate(asked.id, what.input as string, { mode: of, variables: variables(), signal });
  let first = true;
  for await (const piece of stream) {
    signal.throwIfAborted();
    showPiece(piece, first);
    first = false;
  }
  return showText(await stream.answer, asked, what);
}

let pause: ReturnType<typeof setTimeout> | undefined;

listen({
  ready: () => void ask(false),
  live: () => {
    own = true;
    clearTimeout(pause);
    pause = setTimeout(() => {
      code();
      if (task && task.tiers.length > 0 && took < LIVE_MS && text.value !== "") void ask(true);
    }, PAUSE_MS);
  },
  instance: () => session.ai,
  fail,
});

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(pause);
  void ask(false);
});
byId("ask").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  clearTimeout(pause);
  void ask(false);
});
byId("ask").addEventListener("change", code);
byId("risk").addEventListener("change", code);
byId("wrong").addEventListener("click", () => {
  if (!latest) return;
  const kept = keep({ task: titleOf(latest.task), input: latest.given.short, said: latest.said });
  byId("said").textContent = kept ? "Kept in your list." : "This browser keeps nothing.";
  byId("wrong").hidden = true;
});

/** The card in pictures, and as text: what a bundle holds is never markup here. */
card.addEventListener("toggle", () => {
  const asked = task;
  if (!card.open || !session.ai || !asked) return;
  Promise.all([session.ai.card(asked.id), import("./quality")]).then(([found, { showQuality }]) => {
    if (asked !== task) return;
    shown("card").textContent = found.markdown;
    showQuality(found, asked, byId("quality"));
  }, fail);
});

const showNetwork = (): void => {
  byId("offline").hidden = navigator.onLine;
};
addEventListener("online", showNetwork);
addEventListener("offline", showNetwork);
showNetwork();
showFinds();

// What few visitors open is fetched when they do.
const begun = (): void => {
  import("./training").then(({ begin }) => begin(), fail);
};
byId("train-open").addEventListener("toggle", begun, { once: true });

/** What a remote that fails is asked: what the playground has, where it is a text with a label, or else what the page opens with. */
function question(): Question | undefined {
  const fits = task !== undefined && task.kind === "classify" && task.input === "text" && task.tiers.length > 0;
  const asked = fits ? task : session.tasks.find(({ id }) => id === "language");
  const [example] = asked ? examplesOf(asked) : [];
  const words = fits && text.value.trim() !== "" ? text.value : example?.input;
  return asked && words !== undefined ? { task: asked, text: words } : undefined;
}
beginFaults(question, fail);
beginNetwork();

await fallback.prefill();
await session.start();
// What it keeps for later would share the line with what the first answer needs.
if (import.meta.env.PROD) await keepPage();
