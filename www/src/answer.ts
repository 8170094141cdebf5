import type { Answer, TaskInfo, TextAnswer } from "smallfirst";
import { byId, element, percent, shown } from "./dom";
import { REASONS } from "./words";

/** Shows the answer of a task that chooses a label. */
export function showAnswer(answer: Answer, task: TaskInfo): void {
  const { output } = answer;
  const title = (label: string): string => task.labels.find((l) => l.id === label)?.title ?? label;
  shown<HTMLElement>("text").hidden = true;
  byId("shown").hidden = true;
  shown("label").textContent = output.title ?? output.label;
  // A code says nothing to a visitor.
  shown("label-id").textContent = output.title === null ? "" : output.label;
  shown<HTMLElement>("label-id").hidden = true;
  const promise = shown<HTMLElement>("guaranteed");
  promise.hidden = answer.ranOn !== "local" || answer.degraded;
  promise.textContent = promised(answer);
  showConfidence(answer);
  byId("scores").replaceChildren(
    ...output.scores.map(({ label, score }) => {
      const item = element("li");
      const meter = element("meter");
      meter.value = score;
      meter.setAttribute("aria-label", title(label));
      item.append(element("span", title(label)), meter, element("span", percent(score)));
      return item;
    }),
  );
  showTrace(answer);
}

function promised({ guarantee, risk }: Answer): string {
  if (guarantee === null) return "Not guaranteed";
  if (guarantee.kind === "absolute") return `Guaranteed at ${percent(risk ?? guarantee.risk)}`;
  return `Guaranteed at ${percent(guarantee.risk)} above the remote`;
}

/** Shows a piece of a text that is being written. What a model writes is never markup here. */
export function showPiece(piece: string, first: boolean): void {
  const box = shown<HTMLElement>("text");
  box.hidden = false;
  if (first) {
    box.textContent = "";
    for (const part of ["label", "label-id", "ran-on", "reason", "explanation"]) shown(part).textContent = "";
    shown("label").textContent = "Writing…";
    shown<HTMLElement>("guaranteed").hidden = true;
    shown<HTMLElement>("degraded").hidden = true;
    byId("confidence-box").hidden = true;
    byId("shown").hidden = true;
    byId("scores").replaceChildren();
    byId("picture").replaceChildren();
  }
  box.append(piece);
  byId("result").hidden = false;
}

/** Shows a text that is complete. */
export function showText(answer: TextAnswer, task: TaskInfo): void {
  byId("shown").hidden = true;
  shown("label").textContent = task.title;
  shown<HTMLElement>("label-id").hidden = false;
  shown("label-id").textContent = answer.output.truncated ? "cut off at the token limit" : "";
  shown("text").textContent = answer.output.text;
  showTrace(answer);
}

const PLACES = { local: "On this device", builtin: "On this device, by the browser", remote: "Remote" };

/** Shows where an answer was computed, why there, how long it took, and what left the device. */
export function showTrace(answer: Answer | TextAnswer): void {
  shown("ran-on").textContent = answer.ranOn === "remote" ? `Remote: ${answer.tier}` : PLACES[answer.ranOn];
  shown("reason").textContent = REASONS[answer.reason];
  shown<HTMLElement>("reason").dataset["reason"] = answer.reason;
  shown<HTMLElement>("degraded").hidden = !answer.degraded;
  shown("explanation").textContent = answer.cached
    ? `${answer.explanation} It is kept from an earlier call.`
    : answer.explanation;

  const { totalMs, loadMs, inferMs, remoteMs } = answer.timing;
  const times: [string, number][] = [
    ["Total", totalMs],
    ["Loading", loadMs],
    ["Model", inferMs],
    ["Remote", remoteMs],
  ];
  const tokens = answer.usage ? [pair("Tokens", `${answer.usage.inputTokens} + ${answer.usage.outputTokens}`)] : [];
  shown("timing").replaceChildren(
    ...times.map(([name, ms]) => pair(name, `${ms.toFixed(ms < 10 ? 1 : 0)} ms`)),
    ...tokens,
  );

  byId("attempts").replaceChildren(
    ...answer.attempts.map((a) => {
      const where = a.on === "remote" ? (a.endpoint ?? "remote") : "this device";
      const sure = a.confidence === null ? "" : `, ${percent(a.confidence)} sure`;
      const problem = a.message === null ? "" : `: ${a.message} (${a.code})`;
      return element("li", `${a.tier || "remote"} on ${where}: ${a.outcome}${sure}${problem}`);
    }),
  );
  byId("sent").replaceChildren(
    ...(answer.sent.length === 0 ? [element("p", "Nothing.")] : []),
    ...answer.sent.flatMap((sent) => {
      const replaced = Object.entries(sent.redactions).map(([kind, n]) => `${n} ${kind}`);
      const redacted = replaced.length === 0 ? "" : `; replaced before: ${replaced.join(", ")}`;
      return [element("p", `${sent.bytes} bytes to ${sent.endpoint}${redacted}`), element("pre", sent.body)];
    }),
  );
  byId("result").hidden = false;
}

function pair(name: string, value: string): HTMLElement {
  const box = element("div");
  box.append(element("dt", name), element("dd", value));
  return box;
}

/** The local confidence against its threshold: of the answer, or of the attempt before the remote. */
function showConfidence(answer: Answer): void {
  const local = answer.attempts.findLast((a) => a.on === "local" && a.confidence !== null);
  const box = byId("confidence-box");
  box.hidden = !local;
  if (!local || local.confidence === null) return;
  const { confidence, threshold } = local;
  const needed = threshold === null ? "no threshold is certified" : `needs ${percent(threshold)}`;
  const text = `${percent(confidence)} (${needed})`;
  shown("confidence-text").textContent = text;
  const drawing = shown<SVGElement>("confidence");
  drawing.setAttribute("aria-label", text);
  drawing.querySelector(".value")?.setAttribute("width", String(confidence * 100));
  const mark = drawing.querySelector(".mark");
  mark?.setAttribute("x", String(Math.min((threshold ?? 0) * 100, 99.4)));
  mark?.setAttribute("visibility", threshold === null ? "hidden" : "visible");
}
