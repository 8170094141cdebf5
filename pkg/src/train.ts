// Training of a task of the caller's own, on the vectors of one of the bundle's encoders.

import { checkNames, invalid, namesOf, picked } from "./check.js";
import type { Connection } from "./connection.js";
import { SmallFirstError } from "./errors.js";
import type { TrainingOptions, TrainingReport } from "./types.js";
import { zipped } from "./zip.js";

/** A labelled text. */
export interface Example {
  text: string;
  /** The right label. */
  label: string;
}

/** How a task is trained. Unknown keys are refused with the code `invalid_option`. */
export type TrainOptions = {
  [K in keyof TrainingOptions]: TrainingOptions[K] | undefined;
} & {
  /** Aborts the call: it rejects at once with the signal's reason. */
  signal?: AbortSignal | undefined;
};

/** A trained task: what was found, and a bundle of it. */
export interface Trained extends TrainingReport {
  /** A zip that `createSmallFirst({ bundle })` opens as it is. Unzipped, it is a folder to be served. */
  bundle: Blob;
}

const OPTIONS = [
  "encoder",
  "title",
  "instruction",
  "risks",
  "balanced",
  "license",
  "textColumn",
  "labelColumn",
] as const satisfies (keyof TrainingOptions)[];
const ALL = namesOf<TrainOptions>()([...OPTIONS, "signal"]);

/** The most bytes of a table, and the most rows; the engine says what there is too much of. */
const MOST_BYTES = 64 * 1024 * 1024;
const MOST_ROWS = 100_000;

export async function train(
  connection: Connection,
  task: string,
  examples: Iterable<Example> | Blob,
  options: TrainOptions,
): Promise<Trained> {
  checkNames("train", options, ALL);
  const { signal } = options;
  signal?.throwIfAborted();
  const given = JSON.stringify(isFile(examples) ? await table(examples) : { rows: rows(examples) });
  const request = {
    type: "train",
    task,
    examples: given,
    options: picked(options, OPTIONS) as Partial<TrainingOptions>,
  } as const;
  const made = (await connection.call(request, [], signal)) as {
    report: TrainingReport;
    files: Record<string, Uint8Array<ArrayBuffer>>;
  };
  return { ...made.report, bundle: zipped(made.files) };
}

/** Whether something is a file. Not `instanceof`, which says no to one of another frame. */
export function isFile(given: unknown): given is Blob {
  return /^\[object (Blob|File)\]$/.test(Object.prototype.toString.call(given));
}

async function table(file: Blob): Promise<{ name: string; text: string }> {
  const { name = "rows.csv" } = file as Partial<File>;
  if (file.size > MOST_BYTES)
    throw new SmallFirstError("invalid_data", `train: ${name} has ${file.size} bytes, and the most is ${MOST_BYTES}`);
  try {
    return { name, text: new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()) };
  } catch {
    throw new SmallFirstError("invalid_data", `train: ${name} cannot be read, or is not in UTF-8; save it so`);
  }
}

/** Half a surrogate pair is no text: the sign for what cannot be read takes its place. */
const whole = (text: string): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text));

function rows(examples: Iterable<Example>): Example[] {
  if (typeof examples !== "object" || examples === null || !(Symbol.iterator in examples))
    throw invalid("train takes a list of { text, label }, or a file");
  const all: Example[] = [];
  for (const example of examples) {
    const { text, label } = (example ?? {}) as Partial<Example>;
    if (typeof text !== "string" || typeof label !== "string")
      throw invalid(`train: row ${all.length + 1} must be { text, label }, which are strings`);
    all.push({ text: whole(text), label: whole(label) });
    if (all.length > MOST_ROWS) break;
  }
  return all;
}
