import {
  createSmallFirst,
  type Answer,
  type Drift,
  type Input,
  type Mode,
  type Progress,
  type SmallFirst,
  type TaskInfo,
} from "smallfirst";
import { showAnswer, showPiece, showText } from "./answer";
import { showCurve } from "./curve";
import { byId, bytes, element, percent, shown } from "./dom";
import { bytesOf, offer } from "./everyday";
import { type Example, EXAMPLES } from "./examples";
import { Fallback } from "./fallback";
import { chosenFile, drawing, showInputs, words } from "./inputs";
import { type Given, showHits, showKind } from "./kinds";
import { showPicture } from "./picture";
import { counted, type Tally, tallied } from "./words";

const status = byId("status");
const error = byId("error");
const run = byId<HTMLButtonElement>("run");
const text = byId<HTMLTextAreaElement>("input");
const risk = byId<HTMLSelectElement>("risk");
const card = byId<HTMLDetailsElement>("card");
const fileInput = byId<HTMLInputElement>("file");

let ai: SmallFirst | undefined;
/** Whether all models are here: what else is fetched may come now. */
let prepared = false;
let tasks: TaskInfo[] = [];
let task: TaskInfo | undefined;
/** What a task of files, pictures or sounds reads: a chosen file, a recording, or an example's bytes. */
let file: Blob | undefined;
/** What became of the questions of this visit. */
let tally: Tally = { here: 0, remote: 0, bytes: 0 };
/** Whether the page has answered something by itself, so that a visitor sees at once what it does. */
let opened = false;

const fallback = new Fallback(start);

/** Makes an instance (again), and then loads everything in the background, so that it works offline. */
async function start(): Promise<void> {
  run.disabled = true;
  ai?.dispose();
  ai = undefined;
  prepared = false;
  say("loading", "Loading…");
  try {
    const made = await createSmallFirst({ bundle: "./models/", ...fallback.options(), onProgress, onDrift });
    ai = made;
    tasks = (await made.tasks()).sort((a, b) => place(a) - place(b));
    showTasks();
    run.disabled = false;
    say("ready", "Ready. Loading the other models for offline use…");
    if (!opened && text.value === "") open();
    opened = true;
    prepare(made);
  } catch (thrown) {
    say("failed", "Not ready.");
    fail(thrown);
  }
}

/** Answers a first question, on this device only. */
function open(): void {
  const [first] = EXAMPLES[task?.id ?? ""] ?? [];
  if (task?.input !== "text" || !first) return;
  text.value = first.input;
  // Whoever comes to the field writes a question in its place.
  text.addEventListener("focus", () => text.select(), { once: true });
  void ask(true);
}

/** Models that are larger than this are fetched when somebody asks for them, and not ahead. */
const AHEAD_BYTES = 8e6;

function prepare(made: SmallFirst): void {
  const ahead = tasks.filter(({ tiers }) => (tiers[0]?.bytes ?? 0) <= AHEAD_BYTES);
  made
    .preload(ahead.map(({ id }) => id))
    .then(async () => {
      await navigator.serviceWorker?.ready;
      if (made !== ai) return;
      say("offline-ready", "Ready, also without a network.");
      prepared = true;
      showMeasured();
      showEveryday();
    })
    .catch((thrown: unknown) => {
      // A newer instance took its place; its own preparation counts.
      if (made === ai) fail(thrown);
    });
}

const DRIFTS: Record<Drift["watched"], string> = {
  inputs: "inputs differ from the calibration data",
  errors: "audited answers are wrong too often; its answers are not guaranteed any more",
  examples: "answers by example are not the remote's often enough; there are no more until examples are forgotten",
  remote: "audited answers of the remote are not right as often as its profile expects; it is not used any more",
  "remote-worth": "audited answers of the remote are not right more often than the best local ones",
};

function onDrift({ task, watched }: Drift): void {
  const what = DRIFTS[watched];
  error.textContent = `The task "${task}": ${what}.`;
  error.hidden = false;
}

const loading = new Map<string, Progress>();

function onProgress(event: Progress): void {
  loading.set(event.file, event);
  const all = [...loading.values()].filter((e) => !e.cached);
  const loaded = all.reduce((sum, e) => sum + e.loaded, 0);
  const total = all.reduce((sum, e) => sum + e.total, 0);
  const bar = byId<HTMLProgressElement>("progress");
  bar.hidden = total === 0 || loaded === total;
  bar.max = total || 1;
  bar.value = loaded;
  // A model card that is opened later is no news.
  if (!bar.hidden && status.dataset["state"] !== "offline-ready")
    status.textContent = `Loading ${event.file}: ${bytes(loaded)} of ${bytes(total)}`;
}

function say(state: string, words: string): void {
  status.dataset["state"] = state;
  status.textContent = words;
}

function showTasks(): void {
  const chosen = task?.id ?? "language";
  byId("tasks").replaceChildren(
    ...tasks.map((t) => {
      const label = element("label");
      const radio = element("input");
      radio.type = "radio";
      radio.name = "task";
      radio.value = t.id;
      radio.dataset["testid"] = `task-${t.id}`;
      radio.checked = t.id === chosen;
      radio.addEventListener("change", () => choose(t));
      const size = t.tiers.reduce((sum, tier) => sum + tier.bytes, 0);
      label.append(radio, ` ${t.title}`, element("small", about(t, size)));
      return label;
    }),
  );
  const first = tasks.find((t) => t.id === chosen) ?? tasks[0];
  if (first) choose(first);
}

/** Where a task stands: labels of texts first, what only a remote may do last. */
function place({ kind, input }: TaskInfo): number {
  if (kind === "generate") return 3;
  return kind === "classify" ? Number(input !== "text") : 2;
}

/** What a task is, in a few words. */
function about(t: TaskInfo, size: number): string {
  if (t.kind === "classify") return `${t.labels.length} labels, ${bytes(size)}`;
  if (t.kind === "generate") return t.extracts ? "text, here or by the remote" : "text, by the remote";
  return `${words(t)}, ${bytes(size)}`;
}

function choose(chosen: TaskInfo): void {
  // An answer of another task says nothing of this one.
  if (task && task.id !== chosen.id) {
    current?.abort();
    byId("result").hidden = true;
    byId("shown").replaceChildren();
  }
  task = chosen;
  file = undefined;
  card.open = false;
  showRisks(chosen);
  showMeasured();
  byId("risk-setting").hidden = chosen.risks.length === 0;
  byId("card").hidden = chosen.card === null;
  byId("variables").replaceChildren(
    ...chosen.variables.map((name) => {
      const label = element("label", name[0]?.toUpperCase() + name.slice(1));
      const field = element("input");
      field.name = name;
      field.type = "text";
      field.dataset["testid"] = `variable-${name}`;
      label.append(field);
      return label;
    }),
  );
  showInputs(chosen);
  byId("examples").replaceChildren(
    ...(EXAMPLES[chosen.id] ?? []).map((example) => {
      const button = element("button", example.name);
      button.type = "button";
      button.addEventListener("click", () => void tried(chosen, example));
      return button;
    }),
  );
  showEveryday();
}

/** Asks an example. */
async function tried(chosen: TaskInfo, { name, input, query, drawn }: Example): Promise<void> {
  if (chosen.input === "text") text.value = input;
  else take(drawn === true ? await drawing(input) : new Blob([input]), `Example: ${name}`);
  const field = byId("variables").querySelector("input");
  if (field && query !== undefined) field.value = query;
  void ask();
}

/** Offers what the behavioural tests have for the chosen task, once nothing else waits for the network. */
function showEveryday(): void {
  byId("everyday").hidden = true;
  if (!prepared || !task) return;
  offer(task.id, ({ name, text: input, base64 }) => {
    if (input !== undefined) text.value = input;
    if (base64 !== undefined) take(new Blob([bytesOf(base64)]), name);
    void ask();
    // The page goes without them where they cannot be had.
  }).catch(() => {});
}

/** The risks that calibration tried for a task, and what each would answer here. */
function showRisks(of: TaskInfo): void {
  const before = risk.value;
  const own = element("option", of.risk === null ? "nothing is promised" : `the task's own (${percent(of.risk)})`);
  own.value = "";
  const others = of.risks.map((r) => {
    const what = r.certified ? `${percent(r.coverage)} answered here in calibration` : "not certified";
    const option = element("option", `${percent(r.risk)}: ${what}`);
    option.value = String(r.risk);
    return option;
  });
  risk.replaceChildren(own, ...others);
  if (others.some((option) => option.value === before)) risk.value = before;
}

/** Shows the chosen task's risk-coverage curve, which comes with its card. */
function showMeasured(): void {
  const [made, chosen] = [ai, task];
  showCurve(undefined);
  if (!made || !prepared || !chosen || chosen.card === null) return;
  made.card(chosen.id).then(
    ({ evaluation }) => {
      if (made === ai && chosen === task) showCurve(evaluation);
    },
    // Without a network it may not be here, and nothing needs it.
    () => {},
  );
}

/** The card as text: what a bundle holds is never markup here. */
card.addEventListener("toggle", () => {
  const asked = task;
  if (!card.open || !ai || !asked) return;
  ai.card(asked.id).then(({ markdown }) => {
    if (asked === task) shown("card").textContent = markdown;
  }, fail);
});

function take(given: Blob, name: string): void {
  file = given;
  byId("file-name").textContent = `${name}, ${bytes(given.size)}`;
}

/** The last question counts: an answer that comes late is not shown over a newer one. */
let current: AbortController | undefined;

/** Asks the chosen task; while one types, only this device. */
async function ask(only = false): Promise<void> {
  clearTimeout(typing);
  if (!ai || !task) return;
  const asked = task;
  current?.abort();
  const controller = new AbortController();
  current = controller;
  error.hidden = true;
  byId("result").setAttribute("aria-busy", "true");
  const made = ai;
  try {
    const wanted = document.querySelector<HTMLInputElement>("input[name=mode]:checked")?.value as Mode;
    const mode = only ? "only-local" : wanted;
    const chosenRisk = risk.value === "" ? {} : { risk: Number(risk.value) };
    if (asked.kind === "generate") {
      await write(made, asked, mode, controller.signal);
      return;
    }
    if (asked.kind === "feature-extraction" && asked.input === "text") {
      await find(made, asked, controller.signal);
      return;
    }
    const given: Given = asked.input === "text" ? text.value : (file ?? new Blob([]));
    const input = asked.input === "sound" && given instanceof Blob ? await heard(given) : given;
    const answer = await made.run(asked.id, input, { mode, ...chosenRisk, signal: controller.signal });
    if (controller.signal.aborted) return;
    if (asked.kind === "classify") showAnswer(answer, asked);
    else showKind(answer, asked, given);
    told(answer, typeof given === "string" ? new Blob([given]).size : given.size);
  } catch (thrown) {
    if (controller.signal.aborted) return;
    byId("result").hidden = true;
    fail(thrown);
  } finally {
    if (controller === current) {
      byId("result").removeAttribute("aria-busy");
      made.usage().then(
        (report) => fallback.showUsage(report),
        () => {},
      );
    }
  }
}

/** The samples of a sound's file, by a part of the package that only this needs. */
async function heard(sound: Blob): Promise<Input> {
  const { readSound } = await import("smallfirst/sound");
  return readSound(sound);
}

/** Shows the way that a question took, and counts it. */
function told(answer: Pick<Answer, "attempts" | "sent" | "ranOn" | "timing">, size: number): void {
  showPicture(answer, size);
  tally = counted(tally, answer);
  byId("tally").textContent = tallied(tally);
  byId("tally").hidden = false;
}

/** Finds the lines of the text that are nearest in meaning to the query. */
async function find(made: SmallFirst, asked: TaskInfo, signal: AbortSignal): Promise<void> {
  const query = byId("variables").querySelector("input")?.value ?? "";
  if (query.trim() === "" || text.value.trim() === "") {
    throw new Error("Write some texts, one on each line, and what you look for.");
  }
  const lines = [...new Set(text.value.split("\n").map((line) => line.trim()))].filter((line) => line !== "");
  const from = performance.now();
  const index = made.index("demo", { task: asked.id });
  await index.clear();
  await index.put(
    lines.map((line, at) => ({ id: String(at), text: line })),
    { signal },
  );
  const hits = await index.search(query, { limit: 5, signal });
  showHits(hits, asked, performance.now() - from);
}

/** Shows a text as it is written. */
async function write(made: SmallFirst, asked: TaskInfo, mode: Mode, signal: AbortSignal): Promise<void> {
  const fields = byId("variables").querySelectorAll("input");
  const variables = Object.fromEntries([...fields].map((field) => [field.name, field.value]));
  const stream = made.generate(asked.id, text.value, { mode, variables, signal });
  let first = true;
  for await (const piece of stream) {
    if (signal.aborted) return;
    showPiece(piece, first);
    first = false;
  }
  const answer = await stream.answer;
  showText(answer, asked);
  told(answer, new Blob([text.value]).size);
}

function fail(thrown: unknown): void {
  const { message, code } = thrown as { message?: string; code?: string };
  error.textContent = code === undefined ? String(message ?? thrown) : `${message} (${code})`;
  error.hidden = false;
}

/** What waits for a pause in typing. */
let typing: ReturnType<typeof setTimeout> | undefined;
const PAUSE_MS = 300;

text.addEventListener("input", () => {
  clearTimeout(typing);
  const live = task?.input === "text" && (task.kind === "classify" || task.kind === "token-classification");
  byId("live").hidden = !live;
  if (live && text.value.trim() !== "") typing = setTimeout(() => void ask(true), PAUSE_MS);
});

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  void ask();
});
byId("ask").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    void ask();
  }
});
fileInput.addEventListener("change", () => {
  const chosen = fileInput.files?.[0];
  if (chosen) take(chosen, chosen.name);
});
chosenFile((given, name) => {
  take(given, name);
  void ask();
}, fail);
const drop = byId("file-input");
for (const [type, over] of [
  ["dragover", true],
  ["dragleave", false],
  ["drop", false],
] as const) {
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", over);
    const dropped = type === "drop" ? event.dataTransfer?.files[0] : undefined;
    if (dropped) {
      take(dropped, dropped.name);
      void ask();
    }
  });
}

const showNetwork = (): void => {
  byId("offline").hidden = navigator.onLine;
};
addEventListener("online", showNetwork);
addEventListener("offline", showNetwork);
showNetwork();

if (import.meta.env.PROD) void navigator.serviceWorker?.register("./sw.js");
await fallback.prefill();
await start();
