// Train your own: labelled examples become a task on this device, to be tried at once and taken away as a file.

import { createSmallFirst, type Example, type SmallFirst, type Trained, type TrainedCertificate } from "smallfirst";
import { byId, bytes, element, percent, shown } from "./dom";
import { BEGINNING, examplesIn, nameOf } from "./rows";
import { tableOf } from "./table";
import { errorText, plural } from "./words";

const rows = byId<HTMLTextAreaElement>("rows");
const file = byId<HTMLInputElement>("rows-file");
const name = byId<HTMLInputElement>("task-name");
const button = byId<HTMLButtonElement>("learn");
const tried = byId<HTMLInputElement>("try");

/** The larger engine trains; it is fetched when somebody wants it to. */
let teacher: Promise<SmallFirst> | undefined;
let pupil: SmallFirst | undefined;
let address = "";
/** A training that is under way. */
let current: AbortController | undefined;

const teaching = (): Promise<SmallFirst> => {
  teacher ??= createSmallFirst({ bundle: "./models/", engine: "onnx", mode: "only-local" });
  teacher.catch(() => (teacher = undefined));
  return teacher;
};

/** How many lines there are, as somebody writes. */
function count(): void {
  const { examples, odd } = examplesIn(rows.value);
  const labels = new Set(examples.map(({ label }) => label)).size;
  const bare =
    odd === 0 ? "" : ` ${plural(odd, "line")} without a label before a colon ${odd === 1 ? "is" : "are"} left out.`;
  byId("rows-count").textContent = `${plural(examples.length, "example")} of ${plural(labels, "label")}.${bare}`;
}

async function learn(): Promise<void> {
  current?.abort();
  const controller = new AbortController();
  current = controller;
  const { signal } = controller;
  const [table] = file.files ?? [];
  const task = nameOf(name.value);
  byId("learn-error").hidden = true;
  byId("learnt").hidden = true;
  byId("train").setAttribute("aria-busy", "true");
  say(teacher ? "Training…" : "Fetching the engine that trains…");
  try {
    const ai = await teaching();
    signal.throwIfAborted();
    say("Training…");
    const given: Iterable<Example> | Blob = table ?? examplesIn(rows.value).examples;
    // The encoder is fetched once; what is shown is what training takes.
    await ai.preload(["spam"], { signal });
    const from = performance.now();
    const trained = await ai.train(task, given, { signal });
    const took = performance.now() - from;
    const opened = await createSmallFirst({ bundle: trained.bundle, mode: "only-local" });
    if (signal.aborted) return opened.dispose();
    pupil?.dispose();
    pupil = opened;
    show(trained, took);
    await answer();
  } catch (thrown) {
    if (signal.aborted) return;
    const { words, code } = errorText(thrown);
    const box = byId("learn-error");
    box.textContent = words.replace(/^train: /, "");
    box.dataset["code"] = code;
    box.hidden = false;
    say("Nothing was trained.");
  } finally {
    if (current === controller) byId("train").removeAttribute("aria-busy");
  }
}

const say = (words: string): void => {
  byId("learn-status").textContent = words;
};

function show(trained: Trained, took: number): void {
  const { accuracy, task, bundle } = trained;
  const how = accuracy.leaveOneOut
    ? "each judged by a model that had seen all others"
    : `each judged by a model that was trained without its fifth`;
  shown("learnt-accuracy").textContent =
    `${percent(accuracy.right / accuracy.of)}: ${accuracy.right} of ${accuracy.of} examples right, ${how}. ` +
    `Always saying the commonest label would be right for ${percent(accuracy.commonest / accuracy.of)}.`;
  say(
    `Trained on ${plural(trained.trainedOn, "example")} in ${took.toFixed(0)} ms, on this device. 0 bytes were sent.`,
  );
  shown("learnt-promise").textContent = promise(trained);
  byId("certificates").replaceChildren(
    tableOf(
      "What can be promised",
      ["Mistakes allowed", "Promised", "Rows it takes"],
      trained.certificates.map((one) => ({ cells: certificate(one, trained.certifiedOn) })),
      true,
    ),
  );
  const told = [
    ...trained.leftOut.first.map((words) => `Left out: ${words}`),
    ...trained.contradictions.first.map((words) => `Contradiction: ${words}`),
    ...(trained.copies > 0 ? [`${plural(trained.copies, "example")} nearly repeat others.`] : []),
  ];
  byId("learnt-told").replaceChildren(...told.map((words) => element("li", words)));
  URL.revokeObjectURL(address);
  address = URL.createObjectURL(bundle);
  const link = byId<HTMLAnchorElement>("take");
  link.href = address;
  link.download = `${task}.zip`;
  link.textContent = `Download ${task}.zip (${bytes(bundle.size)})`;
  shown("learnt-code").textContent = linesOf(task, trained.labels[0]?.id ?? "", tried.value);
  byId("learnt").hidden = false;
}

/** What is promised of the task, or why nothing is. */
function promise({ risk, certifiedOn, certificates }: Trained): string {
  if (risk !== null)
    return `Promised: at most ${percent(risk)} of the answers that it is sure enough of are wrong. ${plural(certifiedOn, "example")} that it never learnt from say so, with 95 % confidence.`;
  const next = certificates.filter(({ rowsNeeded }) => rowsNeeded !== null).at(-1);
  if (certificates.some(({ threshold }) => threshold !== null))
    return "Nothing is promised unless a call asks for a looser limit: see the table.";
  const more = next
    ? ` About ${next.rowsNeeded} examples like these would be enough for the loosest one.`
    : " Even the surest answers are wrong too often: other labels or clearer examples help more than more of them.";
  return certifiedOn === 0
    ? `Nothing is promised yet: too few examples to keep some aside for a fair test.${more}`
    : `Nothing is promised yet: ${certifiedOn} examples that it never learnt from do not prove enough.${more}`;
}

function certificate({ risk, threshold, answered, wrong, rowsNeeded }: TrainedCertificate, of: number): string[] {
  const allowed = percent(risk);
  if (threshold !== null)
    return [
      allowed,
      `yes: ${wrong} of ${answered} answers wrong, ${of} asked; sure by ${percent(threshold)}`,
      "enough",
    ];
  return [allowed, "not yet", rowsNeeded === null ? "more rows alone do not help" : `about ${rowsNeeded}`];
}

/** The lines that use it. A test runs them as they stand. */
function linesOf(task: string, label: string, text: string): string {
  return [
    'import { createSmallFirst } from "smallfirst";',
    "",
    `// Beside your page: ${task}.zip, the file you downloaded.`,
    `const file = await fetch("./${task}.zip");`,
    "const ai = await createSmallFirst({ bundle: await file.blob() });",
    `const answer = await ai.run(${JSON.stringify(task)}, ${JSON.stringify(text)});`,
    `console.log(answer.output.label, answer.confidence, answer.guaranteed); // ${JSON.stringify(label)} or another label`,
  ].join("\n");
}

let asked = 0;

/** Asks the trained task what the visitor writes. */
async function answer(): Promise<void> {
  const [ai, own] = [pupil, ++asked];
  const [task] = (await ai?.tasks()) ?? [];
  if (!ai || !task || tried.value.trim() === "") return;
  const { output, confidence, guaranteed } = await ai.run(task.id, tried.value);
  if (own !== asked) return;
  const sure = `${percent(confidence ?? 0)} sure`;
  shown("learnt-answer").textContent = `${output.label}, ${sure}${guaranteed ? ", promised" : ""}`;
  shown("learnt-code").textContent = linesOf(task.id, task.labels[0]?.id ?? "", tried.value);
}

/** Makes the section work; called once, when it is opened. */
export function begin(): void {
  rows.value ||= BEGINNING;
  count();
  rows.addEventListener("input", count);
  byId("train-form").addEventListener("submit", (event) => {
    event.preventDefault();
    void learn();
  });
  file.addEventListener("change", () => {
    const [table] = file.files ?? [];
    byId("rows-clear").hidden = !table;
    byId("rows-input").hidden = table !== undefined;
    if (table) byId("rows-count").textContent = `${table.name}, ${bytes(table.size)}: its columns “text” and “label”.`;
    else count();
  });
  byId("rows-clear").addEventListener("click", () => {
    file.value = "";
    file.dispatchEvent(new Event("change"));
  });
  tried.addEventListener("input", () => void answer().catch(() => {}));
  byId("learnt-copy").addEventListener("click", () => {
    navigator.clipboard.writeText(shown("learnt-code").textContent ?? "").then(
      () => say("Copied."),
      () => say("The browser did not allow it; select the lines instead."),
    );
  });
  button.disabled = false;
}
