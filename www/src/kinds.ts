// Answers that are no label: marked text, boxes on a picture, parts of a sound, texts that were found.

import type {
  Answer,
  BoundingBox,
  LabelsOutput,
  ObjectsOutput,
  OcrOutput,
  SearchHit,
  TaskInfo,
  TokensOutput,
  VoiceOutput,
} from "smallfirst";
import { showTrace } from "./answer";
import { byId, drawn, element, percent, shown } from "./dom";

/** What was given: a text, or a file that the browser can show. */
export type Given = string | Blob;

/** The address of the picture or sound that is shown; the last one is let go. */
let address: string | undefined;

/** Shows an answer of a kind that gives something else than a label. */
export function showKind(answer: Answer<unknown>, task: TaskInfo, given: Given): void {
  shown<HTMLElement>("text").hidden = true;
  shown("label").textContent = task.title;
  shown("label-id").textContent = "";
  shown<HTMLElement>("guaranteed").hidden = true;
  byId("confidence-box").hidden = true;
  byId("scores").replaceChildren();
  const box = byId("shown");
  if (address !== undefined) URL.revokeObjectURL(address);
  address = typeof given === "string" ? undefined : URL.createObjectURL(given);
  box.replaceChildren(...parts(answer.output, typeof given === "string" ? given : ""));
  box.hidden = false;
  showTrace(answer as Answer);
}

function parts(output: unknown, text: string): (Node | string)[] {
  const of = output as Partial<TokensOutput & ObjectsOutput & OcrOutput & VoiceOutput & LabelsOutput>;
  if (of.entities) return marked(of as TokensOutput, text);
  if (of.objects)
    return boxes(
      of as ObjectsOutput,
      of.objects.map(({ label, score, box }) => ({ words: `${label}, ${percent(score)}`, box })),
    );
  if (of.lines) {
    const found = boxes(
      of as OcrOutput,
      of.lines.map(({ text, box }) => ({ words: text, box })),
    );
    return [...found, spoken(of.text === "" ? "No text was found." : (of.text ?? ""))];
  }
  if (of.segments) return segments(of as VoiceOutput);
  if (of.labels) return [listed(of.labels.map(({ label, score }) => [label, score]))];
  return [spoken(JSON.stringify(output))];
}

function spoken(words: string): HTMLElement {
  const box = element("p", words);
  box.className = "text";
  return box;
}

function listed(rows: [string, number | null][]): HTMLElement {
  const list = element("ul");
  list.append(...rows.map(([what, score]) => element("li", score === null ? what : `${what}: ${percent(score)}`)));
  return rows.length === 0 ? element("p", "None.") : list;
}

/** A label as people write it. */
const plain = (label: string): string => label.toLowerCase().replaceAll("_", " ");

/** The text with what was found marked, and the same text with a word in the place of each. */
function marked({ entities }: TokensOutput, text: string): Node[] {
  const whole = spoken("");
  const taken = spoken("");
  let done = 0;
  for (const { label, start, end } of entities) {
    if (start < done) continue;
    const between = text.slice(done, start);
    const mark = element("mark", text.slice(start, end));
    mark.append(element("small", ` ${plain(label)}`));
    whole.append(between, mark);
    taken.append(between, `[${plain(label)}]`);
    done = end;
  }
  whole.append(text.slice(done));
  taken.append(text.slice(done));
  const found = entities.length === 0 ? "Nothing was found." : `${entities.length} found.`;
  return [element("p", found), whole, element("h3", "Without them"), taken];
}

/** The picture with a frame around each thing. */
function boxes(
  { width, height }: { width: number; height: number },
  found: { words: string; box: BoundingBox }[],
): Node[] {
  const figure = element("figure");
  const picture = element("img");
  picture.src = address ?? "";
  picture.alt = "The picture that was given";
  const over = drawn("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  for (const { words, box } of found) {
    const { xmin, ymin, xmax, ymax } = box;
    const frame = drawn("rect", {
      x: xmin,
      y: ymin,
      width: Math.max(xmax - xmin, 1),
      height: Math.max(ymax - ymin, 1),
    });
    frame.append(drawn("title", {}, words));
    over.append(frame);
  }
  figure.append(picture, over);
  const list = element("ol");
  list.append(...found.map(({ words }) => element("li", words)));
  return [figure, found.length === 0 ? element("p", "Nothing was found.") : list];
}

/** A line of time with the parts in which somebody speaks. */
function segments({ segments }: VoiceOutput): Node[] {
  const end = Math.max(1, ...segments.map(({ end }) => end));
  const line = drawn("svg", {
    viewBox: "0 0 100 8",
    preserveAspectRatio: "none",
    class: "timeline",
    "aria-hidden": "true",
  });
  line.append(
    drawn("rect", { width: 100, height: 8, class: "track" }),
    ...segments.map(({ start, end: to }) =>
      drawn("rect", { x: (100 * start) / end, width: (100 * (to - start)) / end, height: 8, class: "value" }),
    ),
  );
  const player = element("audio");
  player.controls = true;
  player.src = address ?? "";
  const list = element("ul");
  list.append(
    ...segments.map(({ start, end, score }) =>
      element("li", `${start.toFixed(1)} s to ${end.toFixed(1)} s, ${percent(score)} sure`),
    ),
  );
  return [line, player, segments.length === 0 ? element("p", "Nobody speaks there.") : list];
}

/** Shows the texts that are nearest to a query. Nothing of this leaves the device. */
export function showHits(hits: SearchHit[], task: TaskInfo, ms: number): void {
  shown("label").textContent = hits[0]?.text ?? "Nothing was found";
  shown("label-id").textContent = "";
  shown("ran-on").textContent = "On this device";
  shown("reason").textContent = "Compared with every text";
  shown("explanation").textContent = `Nearest in meaning, by the vectors of the task “${task.title}”.`;
  for (const hidden of ["guaranteed", "degraded", "text"]) shown<HTMLElement>(hidden).hidden = true;
  byId("confidence-box").hidden = true;
  for (const empty of ["scores", "picture", "attempts", "sent"]) byId(empty).replaceChildren();
  shown("timing").replaceChildren(element("div", `${ms.toFixed(1)} ms, texts and query included`));
  const list = element("ol");
  list.append(...hits.map(({ text, score }) => element("li", `${text} (${score.toFixed(2)})`)));
  byId("shown").replaceChildren(list);
  byId("shown").hidden = false;
  byId("result").hidden = false;
}
