// What a task reads, and how a visitor gives it.

import type { TaskInfo } from "smallfirst";
import { byId, element } from "./dom";

interface Field {
  name: string;
  accept: string;
  note: string;
}

const FIELDS: Partial<Record<TaskInfo["input"], Field>> = {
  bytes: {
    name: "File",
    accept: "",
    note: "Choose a file, or drop one here. A remote may see its first 512 bytes, but nothing while personal data is taken out of what is sent: that cannot be done with a file.",
  },
  image: {
    name: "Picture",
    accept: "image/*",
    note: "Choose a picture, drop one here, or paste it. It stays on this device.",
  },
  sound: {
    name: "Sound",
    accept: "audio/*",
    note: "Choose a sound, drop one here, or record one. It stays on this device.",
  },
};

const KINDS: Partial<Record<TaskInfo["kind"], string>> = {
  "token-classification": "marks in a text",
  "feature-extraction": "search by meaning",
  "object-detection": "things in a picture",
  ocr: "text in a picture",
  "voice-activity-detection": "parts of a sound",
  "multi-label": "labels",
};

/** What a kind of task gives, in a few words. */
export function words(task: TaskInfo): string {
  return KINDS[task.kind] ?? task.kind.replaceAll("-", " ");
}

/** Shows the fields that a task needs. */
export function showInputs(task: TaskInfo): void {
  const field = FIELDS[task.input];
  byId("text-input").hidden = task.input !== "text";
  byId("file-input").hidden = field === undefined;
  byId("live").hidden = true;
  byId("record").hidden = task.input !== "sound" || navigator.mediaDevices === undefined;
  const searches = task.kind === "feature-extraction" && task.input === "text";
  byId("input-name").textContent = searches ? "Texts, one on each line" : "Text";
  if (searches) {
    const label = element("label", "What you look for");
    const query = element("input");
    query.type = "text";
    query.dataset["testid"] = "query";
    label.append(query);
    byId("variables").replaceChildren(label);
  }
  if (!field) return;
  byId("file-kind").textContent = field.name;
  byId<HTMLInputElement>("file").accept = field.accept;
  byId<HTMLInputElement>("file").value = "";
  byId("file-name").textContent = field.note;
}

const RECORDED_MS = 4000;

/** Gives what is pasted or recorded. */
export function chosenFile(give: (given: Blob, name: string) => void, fail: (thrown: unknown) => void): void {
  document.addEventListener("paste", ({ clipboardData }) => {
    const [pasted] = clipboardData?.files ?? [];
    if (pasted && !byId("file-input").hidden) give(pasted, "Pasted");
  });
  const button = byId<HTMLButtonElement>("record");
  button.addEventListener("click", () => {
    button.disabled = true;
    record()
      .then((sound) => give(sound, "Recorded"), fail)
      .finally(() => {
        button.disabled = false;
      });
  });
}

async function record(): Promise<Blob> {
  let microphone: MediaStream;
  try {
    microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch {
    throw new Error("There is no microphone, or this page may not use it. Choose or drop a sound instead.");
  }
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

/** A picture of some lines of text. */
export function drawing(lines: string): Promise<Blob> {
  const canvas = element("canvas");
  [canvas.width, canvas.height] = [640, 240];
  const pen = canvas.getContext("2d");
  if (pen) {
    pen.fillStyle = "white";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.fillStyle = "black";
    pen.font = "36px sans-serif";
    lines.split("\n").forEach((line, at) => pen.fillText(line, 40, 70 + 60 * at));
  }
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The picture could not be drawn."))), "image/png"),
  );
}
