import { createSmallFirst, type Drift, type Mode, type Progress, type SmallFirst, type TaskInfo } from "smallfirst";
import { showAnswer, showPiece, showText } from "./answer";
import { showCurve } from "./curve";
import { byId, bytes, element, percent, shown } from "./dom";
import { bytesOf, offer } from "./everyday";
import { EXAMPLES } from "./examples";
import { Fallback } from "./fallback";

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
/** What a bytes task reads: a chosen file, or an example's bytes. */
let file: Blob | undefined;

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
    tasks = await made.tasks();
    showTasks();
    run.disabled = false;
    say("ready", "Ready. Loading the other models for offline use…");
    prepare(made);
  } catch (thrown) {
    say("failed", "Not ready.");
    fail(thrown);
  }
}

function prepare(made: SmallFirst): void {
  made
    .preload()
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
      const what =
        t.kind === "classify"
          ? `${t.labels.length} labels, ${bytes(size)}`
          : t.extracts
            ? "text, here or by the remote"
            : "text, by the remote";
      label.append(radio, ` ${t.title}`, element("small", what));
      return label;
    }),
  );
  const first = tasks.find((t) => t.id === chosen) ?? tasks[0];
  if (first) choose(first);
}

function choose(chosen: TaskInfo): void {
  task = chosen;
  card.open = false;
  showRisks(chosen);
  showMeasured();
  byId("risk-setting").hidden = chosen.kind !== "classify";
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
  byId("text-input").hidden = chosen.input !== "text";
  byId("file-input").hidden = chosen.input !== "bytes";
  byId("examples").replaceChildren(
    ...(EXAMPLES[chosen.id] ?? []).map(({ name, input }) => {
      const button = element("button", name);
      button.type = "button";
      button.addEventListener("click", () => {
        if (chosen.input === "text") text.value = input;
        else take(new Blob([input]), `Example: ${name}`);
        void ask();
      });
      return button;
    }),
  );
  showEveryday();
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
  const own = element(
    "option",
    of.risk === null ? "as the model's authors say" : `the task's own (${percent(of.risk)})`,
  );
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

async function ask(): Promise<void> {
  if (!ai || !task) return;
  const asked = task;
  current?.abort();
  const controller = new AbortController();
  current = controller;
  error.hidden = true;
  byId("result").setAttribute("aria-busy", "true");
  const made = ai;
  try {
    const mode = document.querySelector<HTMLInputElement>("input[name=mode]:checked")?.value as Mode;
    const chosenRisk = risk.value === "" ? {} : { risk: Number(risk.value) };
    if (asked.kind === "generate") {
      await write(made, asked, mode, controller.signal);
      return;
    }
    const input = asked.input === "text" ? text.value : (file ?? new Uint8Array());
    const answer = await ai.run(asked.id, input, { mode, ...chosenRisk, signal: controller.signal });
    showAnswer(answer, asked);
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
  showText(await stream.answer, asked);
}

function fail(thrown: unknown): void {
  const { message, code } = thrown as { message?: string; code?: string };
  error.textContent = code === undefined ? String(message ?? thrown) : `${message} (${code})`;
  error.hidden = false;
}

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
