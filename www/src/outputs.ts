// What comes out, by the kind of the task. All that a model gives is set as text.

import type {
  BoundingBox,
  Entity,
  KindOutput,
  LabelScore,
  LabelsOutput,
  MaskOutput,
  ObjectsOutput,
  OcrOutput,
  Output,
  QuestionOutput,
  RegressionOutput,
  SearchHit,
  TaskInfo,
  TokensOutput,
  VectorOutput,
  VoiceOutput,
} from "smallfirst";
import { drawn, element, percent } from "./dom";
import type { Given } from "./inputs";
import { labelOf, named, plural } from "./words";

/** The headline of an answer, and what is drawn below. */
export interface Shown {
  headline: string;
  parts: Node[];
}

const MOST = 5;

/** Shows an output. */
export function shownOf(task: TaskInfo, output: KindOutput, given: Given): Shown {
  switch (task.kind) {
    case "classify":
    case "zero-shot-classification": {
      const { label, title, scores } = output as Output;
      return { headline: title ?? labelOf(task, label), parts: bars(task, scores) };
    }
    case "multi-label": {
      const { labels, scores } = output as LabelsOutput;
      const names = labels.map(({ label }) => labelOf(task, label));
      return { headline: names.join(", ") || "None of its labels", parts: bars(task, scores) };
    }
    case "token-classification":
      return spans((output as TokensOutput).entities, given.short);
    case "question-answering": {
      const { answer, start, end } = output as QuestionOutput;
      const context = (given.input as { context: string }).context;
      return { headline: answer || "It found no answer", parts: [marked(context, [{ start, end, title: "answer" }])] };
    }
    case "fill-mask": {
      const { masks } = output as MaskOutput;
      const best = masks.map(([first]) => first?.text ?? "").join(", ");
      const list = element("ul");
      list.append(
        ...(masks[0] ?? [])
          .slice(0, MOST)
          .map(({ sequence, score }) => element("li", `${sequence} (${percent(score)})`)),
      );
      return { headline: best || "Nothing fits", parts: [list] };
    }
    case "object-detection": {
      const { objects, width, height } = output as ObjectsOutput;
      const boxes = objects.map(({ label, score, box }) => ({
        title: score === null ? labelOf(task, label) : `${labelOf(task, label)} ${percent(score)}`,
        box,
      }));
      return {
        headline: objects.length === 0 ? "Nothing found" : plural(objects.length, "object"),
        parts: over(given, boxes, width, height),
      };
    }
    case "ocr": {
      const { text, lines, width, height } = output as OcrOutput;
      const read = element("p", text);
      read.className = "text";
      const boxes = lines.map(({ text: title, box }) => ({ title, box }));
      return {
        headline: lines.length === 0 ? "No text found" : plural(lines.length, "line"),
        parts: [read, ...over(given, boxes, width, height)],
      };
    }
    case "voice-activity-detection": {
      const { segments } = output as VoiceOutput;
      return {
        headline:
          segments.length === 0 ? "Nobody speaks" : plural(segments.length, "stretch of speech", "stretches of speech"),
        parts: wave(given, segments),
      };
    }
    case "feature-extraction": {
      if (given.hits) return nearest(given.hits);
      const { data, dims } = output as VectorOutput;
      return { headline: `A vector of ${dims.at(-1) ?? data.length} numbers`, parts: [vector(data)] };
    }
    case "regression": {
      const { value } = output as RegressionOutput;
      return { headline: value.toPrecision(4), parts: [] };
    }
    default:
      return { headline: task.title, parts: [] };
  }
}

function bars(task: TaskInfo, scores: LabelScore[]): Node[] {
  if (scores.length === 0) return [];
  const list = element("ul");
  list.id = "scores";
  list.setAttribute("aria-label", "The likeliest labels");
  list.append(
    ...scores.slice(0, MOST).map(({ label, score }) => {
      const item = element("li");
      const meter = element("meter");
      meter.value = score;
      meter.setAttribute("aria-label", labelOf(task, label));
      item.append(element("span", labelOf(task, label)), meter, element("span", percent(score)));
      return item;
    }),
  );
  return [list];
}

/** A text with parts of it marked. Parts that overlap an earlier one are left out. */
function marked(text: string, parts: { start: number; end: number; title: string }[]): HTMLElement {
  const box = element("p");
  box.className = "text spans";
  let at = 0;
  for (const { start, end, title } of parts) {
    if (start < at || end <= start) continue;
    const mark = element("mark", text.slice(start, end));
    mark.append(element("small", title));
    box.append(text.slice(at, start), mark);
    at = end;
  }
  box.append(text.slice(at));
  return box;
}

function spans(entities: Entity[], text: string): Shown {
  const parts = joined(entities, text);
  let hidden = "";
  let at = 0;
  for (const { start, end, title } of parts) {
    hidden += `${text.slice(at, start)}[${title}]`;
    at = end;
  }
  const redacted = element("p", hidden + text.slice(at));
  redacted.className = "text";
  redacted.dataset["testid"] = "redacted";
  return {
    headline: parts.length === 0 ? "Nothing found" : `${plural(parts.length, "part")} found`,
    parts: [marked(text, parts), element("h3", "With these taken out"), redacted],
  };
}

/** Tokens of one label beside each other, or with only a space between, are one part. */
function joined(entities: Entity[], text: string): { start: number; end: number; title: string }[] {
  const all: { start: number; end: number; title: string }[] = [];
  for (const { label, start, end } of entities) {
    const last = all.at(-1);
    if (last && start < last.end) continue;
    const title = named(label);
    const begins = label.startsWith("B-") && last?.end !== start;
    if (last && last.title === title && !begins && text.slice(last.end, start).trim() === "") last.end = end;
    else all.push({ start, end, title });
  }
  return all;
}

/** The picture that is shown; its address is given back when the next one comes. */
let address: string | undefined;

/** Boxes over the picture that they are of, and their names as a list. */
function over({ picture }: Given, boxes: { title: string; box: BoundingBox }[], width: number, height: number): Node[] {
  if (address) URL.revokeObjectURL(address);
  if (!picture) return [];
  address = URL.createObjectURL(picture);
  const frame = element("div");
  frame.className = "picture";
  const image = element("img");
  image.src = address;
  image.alt = "What you gave";
  image.width = width;
  image.height = height;
  const drawing = drawn("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  for (const { box } of boxes) {
    const [w, h] = [box.xmax - box.xmin, box.ymax - box.ymin];
    drawing.append(drawn("rect", { x: box.xmin, y: box.ymin, width: Math.max(w, 0), height: Math.max(h, 0) }));
  }
  frame.append(image, drawing);
  const list = element("ul");
  list.className = "found";
  list.append(...boxes.map(({ title }) => element("li", title)));
  return [frame, list];
}

const [WAVE_WIDTH, WAVE_HEIGHT] = [300, 60];

/** A sound's loudness over time, with the stretches in which somebody speaks. */
function wave({ sound }: Given, segments: { start: number; end: number }[]): Node[] {
  const samples = sound?.channels[0];
  if (!sound || !samples || samples.length === 0) return [];
  const seconds = samples.length / sound.rate;
  const drawing = drawn("svg", {
    viewBox: `0 0 ${WAVE_WIDTH} ${WAVE_HEIGHT}`,
    class: "wave",
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  for (const { start, end } of segments) {
    const [x, width] = [start, end - start].map((at) => (at / seconds) * WAVE_WIDTH);
    drawing.append(drawn("rect", { x: x ?? 0, y: 0, width: width ?? 0, height: WAVE_HEIGHT }));
  }
  const path = Array.from({ length: WAVE_WIDTH }, (_, x) => {
    const from = Math.floor((x / WAVE_WIDTH) * samples.length);
    const to = Math.max(from + 1, Math.floor(((x + 1) / WAVE_WIDTH) * samples.length));
    let loudest = 0;
    for (let i = from; i < to; i++) loudest = Math.max(loudest, Math.abs(samples[i] ?? 0));
    const half = Math.max(0.5, (loudest * WAVE_HEIGHT) / 2);
    return `M${x} ${WAVE_HEIGHT / 2 - half}V${WAVE_HEIGHT / 2 + half}`;
  });
  drawing.append(drawn("path", { d: path.join("") }));
  const list = element("ul");
  list.className = "found";
  list.append(...segments.map(({ start, end }) => element("li", `${start.toFixed(2)} s to ${end.toFixed(2)} s`)));
  return [drawing, list];
}

/** The texts that are nearest in meaning, with the cosines of their vectors. */
function nearest(hits: SearchHit[]): Shown {
  const list = element("ol");
  list.className = "found";
  list.append(...hits.map(({ text, score }) => element("li", `${text} (${score.toFixed(2)})`)));
  return { headline: hits[0]?.text ?? "There are no texts", parts: [element("p", "The nearest in meaning:"), list] };
}

/** The numbers of a vector as stripes. */
function vector(data: ArrayLike<number>): Node {
  const count = Math.min(data.length, 384);
  const numbers = Array.from({ length: count }, (_, i) => data[i] ?? 0);
  const most = Math.max(...numbers.map(Math.abs), 1e-9);
  const drawing = drawn("svg", {
    viewBox: `0 -1 ${count} 2`,
    class: "wave",
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  drawing.append(drawn("path", { d: numbers.map((n, x) => `M${x + 0.5} 0V${(-n / most).toFixed(3)}`).join("") }));
  return drawing;
}
