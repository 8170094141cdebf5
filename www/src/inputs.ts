// What a task reads, as the visitor gives it: one panel for each kind of input that the package has.

import type { Input, SearchHit, SmallFirst, TaskInfo } from "smallfirst";
import { readSound, type Sound } from "smallfirst/sound";
import { byId, bytes, element } from "./dom";
import type { Example } from "./examples";
import { plural } from "./words";

const text = byId<HTMLTextAreaElement>("input");
const second = byId<HTMLTextAreaElement>("second");
const file = byId<HTMLInputElement>("file");
const camera = byId<HTMLButtonElement>("camera");
const video = byId<HTMLVideoElement>("video");
const record = byId<HTMLButtonElement>("record");

const RECORDED_MS = 4000;

/** What is given to a task, and what the page shows of it. */
export interface Given {
  input: Input;
  /** What was given, in a few words. */
  about: string;
  /** The text itself, or the file's name. */
  short: string;
  /** A picture's own file, to draw over it. */
  picture?: Blob;
  /** A sound's samples, to draw them. */
  sound?: Sound;
  /** The texts that are nearest to it. */
  hits?: SearchHit[];
}

/** Whether a task makes vectors of texts: its playground searches by meaning. */
export const searches = ({ kind, input }: TaskInfo): boolean => kind === "feature-extraction" && input === "text";

/** The task whose panel is shown, and the file that was chosen for it. */
let shownFor: TaskInfo | undefined;
let chosen: { blob: Blob; name: string } | undefined;

const FILES: Partial<Record<TaskInfo["input"], { label: string; accept: string; hint: string }>> = {
  bytes: {
    label: "Any file",
    accept: "",
    hint: "Choose a file, or drop one here. A remote may see its first 512 bytes, but nothing while personal data is taken out of what is sent: that cannot be done with a file.",
  },
  image: {
    label: "An image",
    accept: "image/*",
    hint: "Choose an image, drop or paste one here, or use the camera. It stays on this device.",
  },
  sound: {
    label: "A sound",
    accept: "audio/*",
    hint: "Choose a sound file, drop one here, or record one. It stays on this device.",
  },
};

/** Shows the panel for what a task reads. */
export function showPanel(task: TaskInfo): void {
  if (shownFor?.input !== task.input) chosen = undefined;
  shownFor = task;
  stopCamera();
  const files = FILES[task.input];
  byId("file-input").hidden = !files;
  byId("text-input").hidden = files !== undefined;
  byId("second-input").hidden = task.input !== "pair" && !searches(task);
  byId("input-name").textContent = searches(task) ? "Your texts, one on each line" : "Your text";
  byId("second-name").textContent = secondName(task);
  record.hidden = task.input !== "sound" || !navigator.mediaDevices;
  byId("listen").hidden = task.kind !== "voice-activity-detection" || !navigator.mediaDevices;
  stopListening();
  camera.hidden = task.input !== "image" || !navigator.mediaDevices;
  if (!files) return;
  byId("file-label").textContent = files.label;
  file.accept = files.accept;
  byId("file-name").textContent = chosen ? `${chosen.name}, ${bytes(chosen.blob.size)}` : files.hint;
}

function secondName(task: TaskInfo): string {
  if (searches(task)) return "What you look for";
  return task.kind === "question-answering" ? "Your question" : "Second text";
}

/** Takes a file, as if the visitor had chosen it. */
export function take(blob: Blob, name: string): void {
  chosen = { blob, name };
  byId("file-name").textContent = `${name}, ${bytes(blob.size)}`;
}

/** Fills in an example. */
export function takeExample({ name, input, second: other }: Example, task: TaskInfo): void {
  if (FILES[task.input]) take(new Blob([input]), `Example: ${name}`);
  else text.value = input;
  if (other !== undefined) second.value = other;
}

/** What the visitor has given. A file that was not chosen yet is an empty one, which the package refuses in its own words. */
export async function given(task: TaskInfo, signal: AbortSignal): Promise<Given> {
  const typed = text.value;
  const about = `You gave ${plural(typed.length, "character")}.`;
  switch (task.input) {
    case "text":
      if (searches(task)) return { input: second.value, about: lookedThrough(), short: second.value };
      return { input: typed, about, short: typed };
    case "pair":
      return task.kind === "question-answering"
        ? { input: { question: second.value, context: typed }, about, short: second.value }
        : { input: { text: typed, textPair: second.value }, about, short: typed };
    case "table":
      return {
        input: { row: JSON.parse(typed) as Record<string, string> },
        about: "You gave a row of a table.",
        short: typed,
      };
    default: {
      const { blob, name } = chosen ?? { blob: new Blob([]), name: "nothing" };
      const base = { about: `You gave ${name}, ${bytes(blob.size)}.`, short: name };
      if (task.input === "image") return { ...base, input: blob, picture: blob };
      if (task.input === "sound") {
        const sound = await readSound(blob, { signal });
        return { ...base, input: sound, sound };
      }
      return { ...base, input: blob };
    }
  }
}

const lines = (): string[] => [
  ...new Set(
    text.value
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== ""),
  ),
];

const lookedThrough = (): string => `You gave ${plural(lines().length, "text")} and what you look for.`;

/** The texts that are in the index. */
let indexed: string | undefined;

/** Finds the lines of the text that are nearest in meaning. They are kept in this browser only. */
export async function found(ai: SmallFirst, task: TaskInfo, query: string, signal: AbortSignal): Promise<SearchHit[]> {
  const index = ai.index("demo", { task: task.id });
  const all = lines();
  const key = JSON.stringify([task.id, all]);
  if (key !== indexed) {
    indexed = undefined;
    await index.clear();
    await index.put(
      all.map((line, at) => ({ id: String(at), text: line })),
      { signal },
    );
    indexed = key;
  }
  return index.search(query, { limit: 5, signal });
}

/** Records a sound by the microphone. */
async function recorded(): Promise<Blob> {
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  try {
    const recorder = new MediaRecorder(microphone);
    const pieces: Blob[] = [];
    recorder.addEventListener("dataavailable", ({ data }) => pieces.push(data));
    const over = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
    recorder.start();
    setTimeout(() => recorder.stop(), RECORDED_MS);
    await over;
    return new Blob(pieces, { type: recorder.mimeType });
  } finally {
    for (const track of microphone.getTracks()) track.stop();
  }
}

/** What ends the listening; undefined while nobody listens. */
let listening: AbortController | undefined;

function stopListening(): void {
  listening?.abort();
  listening = undefined;
  byId("listen").setAttribute("aria-pressed", "false");
  byId("listen").textContent = "Listen live";
  byId("live").toggleAttribute("hidden", true);
}

async function startListening(ai: SmallFirst | undefined): Promise<void> {
  if (!ai || !shownFor) return;
  listening = new AbortController();
  byId("listen").setAttribute("aria-pressed", "true");
  byId("listen").textContent = "Stop listening";
  const { listenLive } = await import("./live");
  await listenLive(ai, shownFor, listening.signal);
}

function stopCamera(): void {
  const stream = video.srcObject as MediaStream | null;
  for (const track of stream?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  video.hidden = true;
  camera.textContent = "Use the camera";
}

/** Starts the camera, or takes the picture that it shows. */
async function useCamera(ready: () => void): Promise<void> {
  if (!video.srcObject) {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.hidden = false;
    camera.textContent = "Take the picture";
    await video.play();
    return;
  }
  const canvas = element("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  stopCamera();
  if (!blob) return;
  take(blob, "A picture of the camera");
  ready();
}

/**
 * Listens to all ways to give something. `ready` is called when a file is there, `live` while a text is typed; `instance` is what a
 * microphone is heard by.
 */
export function listen({
  ready,
  live,
  instance,
  fail,
}: {
  ready: () => void;
  live: () => void;
  instance: () => SmallFirst | undefined;
  fail: (thrown: unknown) => void;
}): void {
  text.addEventListener("input", live);
  second.addEventListener("input", live);
  const took = (blob: File | undefined): void => {
    if (!blob) return;
    take(blob, blob.name);
    ready();
  };
  file.addEventListener("change", () => took(file.files?.[0]));
  camera.addEventListener("click", () => {
    useCamera(ready).catch((thrown: unknown) => {
      stopCamera();
      fail(thrown);
    });
  });
  record.addEventListener("click", () => {
    record.disabled = true;
    recorded()
      .then((sound) => {
        take(sound, "A recording");
        ready();
      }, fail)
      .finally(() => {
        record.disabled = false;
      });
  });
  byId("listen").addEventListener("click", () => {
    if (listening) return stopListening();
    startListening(instance()).catch((thrown: unknown) => {
      stopListening();
      byId("live-said").textContent = "";
      fail(thrown);
    });
  });
  document.addEventListener("paste", (event) => {
    const pasted = event.clipboardData?.files[0];
    if (pasted && shownFor && FILES[shownFor.input]) {
      event.preventDefault();
      took(pasted);
    }
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
      if (type === "drop") took(event.dataTransfer?.files[0]);
    });
  }
}
