// Plain words for what the package says in codes. Nothing on the face of the page is a code.

import type { Answer, Doubt, Reason, TaskInfo, TextAnswer } from "smallfirst";

const REASONS: Record<Reason, string> = {
  confident: "It stayed here: the small model was sure enough.",
  mode: "You chose who may answer, and so it was.",
  unknown_task: "No small model here knows this task.",
  input_too_short: "It is too short for the small model to judge.",
  input_too_long: "It is too long for the small model.",
  unsupported_language: "It is in a language that the small model was not made for.",
  model_unavailable: "The small model could not be loaded.",
  low_confidence: "The small model was not sure enough.",
  uncertified: "Nothing promises yet how often the small model is right here, so its answer is not trusted by itself.",
  out_of_distribution: "It is unlike anything that the small model was tested on.",
  remote_failed: "The remote model could not answer, so you see the best answer of this device.",
  extracted: "It is made of sentences of your text, chosen on this device.",
  remote_only: "Only a large model can write such a text.",
  learned: "Almost the same was answered before, and that answer was kept here.",
  remote_unlikely_to_help:
    "The small model was unsure, but the remote model is hardly more often right. So it was not asked.",
  local_only: "Only this device answers such a task. How often it is right was not measured.",
};

export const reasonText = (reason: Reason): string => REASONS[reason];

const DOUBTS: Record<Doubt, string> = {
  close_labels: "two labels are about as likely",
  short_input: "there is little to go by",
  long_input: "it is unusually long",
  confused_label: "this label is often taken for another",
};

export const doubtsText = (doubts: Doubt[]): string => doubts.map((doubt) => DOUBTS[doubt]).join("; ");

const KINDS: Record<string, string> = {
  "text-classification": "Sort texts",
  "token-classification": "Mark parts of a text",
  "image-classification": "Name an image",
  "audio-classification": "Name a sound",
  "object-detection": "Find objects",
  "voice-activity-detection": "Find speech",
  "feature-extraction": "Make vectors",
  "image-feature-extraction": "Make vectors of images",
  "question-answering": "Find an answer in a text",
  "zero-shot-classification": "Labels of your own",
  "fill-mask": "Fill gaps",
  ocr: "Read a picture",
  regression: "Estimate a number",
};

/** A task's name for people; tasks that are named after their kind get a plain one. */
export const titleOf = ({ title, id }: TaskInfo): string => KINDS[title] ?? (title === id ? named(title) : title);

const ENTITIES: Record<string, string> = { PER: "Person", ORG: "Organisation", LOC: "Place", MISC: "Other name" };

const ABBREVIATIONS = new Set(["URL", "IP", "SSN", "IBAN", "PIN", "ID", "HTML", "PDF"]);

/** A label's identifier as words: `GIVEN_NAME` is "Given name". */
export function named(id: string): string {
  const known = ENTITIES[id];
  if (known) return known;
  const bare = id
    .replace(/^[BI]-/, "")
    .replaceAll(/[_-]+/g, " ")
    .trim();
  const words = bare === bare.toUpperCase() && !ABBREVIATIONS.has(bare) ? bare.toLowerCase() : bare;
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The title of a task's label. */
export function labelOf(task: TaskInfo, id: string): string {
  return task.labels.find((label) => label.id === id)?.title ?? named(id);
}

export function placeOf({ ranOn, tier }: Answer<unknown> | TextAnswer): string {
  if (ranOn === "remote") return `Remote: ${tier}`;
  return ranOn === "builtin" ? "On this device, by the browser" : "On this device";
}

export const plural = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

const ERRORS: Record<string, string> = {
  empty_input: "There is nothing to answer yet: give it something first.",
  egress_denied: "Nothing was sent: you chose that it stays on this device, and only a remote could answer it.",
  remote_not_configured:
    "This needs a remote model, and none is set up. Choose “This device first”, or set one up below.",
  offline: "You are offline, and only a remote could answer this.",
  remote_unreachable: "The remote model cannot be reached.",
  remote_timeout: "The remote model took too long.",
  remote_bad_response: "The remote model answered with something that is no answer.",
  remote_refused: "The remote model refused to answer.",
  over_budget: "The budget for remote requests is used up.",
  no_wasm_simd: "This browser is too old for the models. Chrome 100, Firefox 114 or Safari 16.4 can run them.",
  input_kind: "This cannot be read. Try another file.",
  input_too_long: "This is too long for the small model, and no remote could answer.",
  input_too_short: "This is too short for the small model, and no remote could answer.",
};

/** What went wrong, for people; the message of the package is added where there are no words of our own. */
export function errorText(thrown: unknown): { words: string; code: string } {
  const { message, code = "" } = thrown as { message?: string; code?: string };
  const name = (thrown as Error).name;
  if (name === "NotAllowedError")
    return { words: "The browser did not allow it. You can still choose a file.", code: name };
  if (name === "NotFoundError") return { words: "No such device was found. You can still choose a file.", code: name };
  return { words: ERRORS[code] ?? String(message ?? thrown), code };
}
