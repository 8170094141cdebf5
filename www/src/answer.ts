import type { Answer, TaskInfo } from "smallfirst";
import { byId, element, percent, shown } from "./dom";

/** Shows an answer. */
export function showAnswer(answer: Answer, task: TaskInfo): void {
  const { output } = answer;
  const title = (label: string): string => task.labels.find((l) => l.id === label)?.title ?? label;
  shown("label").textContent = output.title ?? output.label;
  shown("label-id").textContent = output.title === null ? "" : output.label;
  shown("ran-on").textContent = answer.ranOn === "local" ? "On this device" : `Remote: ${answer.tier}`;
  shown("reason").textContent = answer.reason;
  const promise = shown<HTMLElement>("guaranteed");
  promise.hidden = answer.ranOn !== "local" || answer.degraded;
  promise.textContent = answer.guaranteed && answer.risk !== null ? `Guaranteed at ${percent(answer.risk)}` : "Not guaranteed";
  shown<HTMLElement>("degraded").hidden = !answer.degraded;
  shown("explanation").textContent = answer.explanation;
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

  const { totalMs, loadMs, inferMs, remoteMs } = answer.timing;
  const times: [string, number][] = [
    ["Total", totalMs],
    ["Loading", loadMs],
    ["Model", inferMs],
    ["Remote", remoteMs],
  ];
  const tokens = answer.usage ? [pair("Tokens", `${answer.usage.inputTokens} + ${answer.usage.outputTokens}`)] : [];
  shown("timing").replaceChildren(...times.map(([name, ms]) => pair(name, `${ms.toFixed(ms < 10 ? 1 : 0)} ms`)), ...tokens);

  byId("attempts").replaceChildren(
    ...answer.attempts.map((a) => {
      const where = a.on === "local" ? "this device" : "remote";
      const sure = a.confidence === null ? "" : `, ${percent(a.confidence)} sure`;
      const problem = a.message === null ? "" : `: ${a.message} (${a.code})`;
      return element("li", `${a.tier || "remote"} on ${where}: ${a.outcome}${sure}${problem}`);
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
