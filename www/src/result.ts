// The picture of an answer: what it is, where it was given, how sure it is, and what it took.

import type { Answer, KindOutput, TaskInfo, TextAnswer } from "smallfirst";
import { byId, bytes, element, percent, shown } from "./dom";
import { showFlow, time } from "./flow";
import type { Given } from "./inputs";
import { shownOf } from "./outputs";
import { placeOf, reasonText } from "./words";

/** Shows the answer of a task that does not write text. `more` says that a remote may be asked next. */
export function showAnswer(answer: Answer<KindOutput>, task: TaskInfo, given: Given, more: boolean): string {
  const { headline, parts } = shownOf(task, answer.output, given);
  shown("label").textContent = headline;
  byId("output").replaceChildren(...parts);
  const promise = shown<HTMLElement>("guaranteed");
  promise.hidden = answer.ranOn !== "local" || answer.degraded || answer.guarantee === null;
  promise.textContent = promised(answer);
  showConfidence(answer);
  const next = more && answer.degraded ? " Press “Ask” to go on from here." : "";
  return showWay(answer, given, headline, next);
}

function promised({ guarantee, risk }: Answer<KindOutput>): string {
  if (guarantee === null) return "";
  if (guarantee.kind === "absolute") return `Promised: at most ${percent(risk ?? guarantee.risk)} wrong`;
  return `Promised: at most ${percent(guarantee.risk)} more wrong than the remote`;
}

/** Shows a piece of a text that is being written. What a model writes is never markup here. */
export function showPiece(piece: string, first: boolean): void {
  if (first) {
    for (const part of ["ran-on", "reason", "explanation"]) shown(part).textContent = "";
    shown("label").textContent = "Writing…";
    for (const part of ["guaranteed", "degraded"]) shown<HTMLElement>(part).hidden = true;
    byId("confidence-box").hidden = true;
    const text = element("p");
    text.className = "text";
    text.dataset["testid"] = "text";
    byId("output").replaceChildren(text);
  }
  shown("text").append(piece);
}

/** Shows a text that is complete. */
export function showText(answer: TextAnswer, task: TaskInfo, given: Given): string {
  shown("label").textContent = answer.output.truncated ? `${task.title}, cut off where the limit is` : task.title;
  shown("text").textContent = answer.output.text;
  return showWay(answer, given, task.title, "");
}

/** Shows that there is no answer, and why. */
export function showNone(headline: string, why: string): void {
  byId("result").dataset["state"] = "none";
  shown("label").textContent = headline;
  const reason = shown<HTMLElement>("reason");
  reason.textContent = why;
  delete reason.dataset["code"];
}

/** Shows where an answer was given, why there, how long it took, and what left. Gives it as one sentence. */
function showWay(answer: Answer<KindOutput> | TextAnswer, given: Given, headline: string, more: string): string {
  const place = shown<HTMLElement>("ran-on");
  place.textContent = placeOf(answer);
  place.dataset["on"] = answer.ranOn;
  const reason = shown<HTMLElement>("reason");
  reason.textContent = reasonText(answer.reason) + more;
  reason.dataset["code"] = answer.reason;
  const guess = shown<HTMLElement>("degraded");
  guess.hidden = !answer.degraded;
  guess.textContent =
    answer.reason === "uncertified" ? "Best guess: nothing is promised" : "Best guess: not sure enough";
  shown("explanation").textContent = answer.cached
    ? `${answer.explanation} It is kept from an earlier call.`
    : answer.explanation;
  const sent = answer.sent.reduce((sum, one) => sum + one.bytes, 0);
  shown("facts").replaceChildren(
    pair("Sent", sent === 0 ? "0 bytes" : bytes(sent)),
    pair("Time", time(answer.timing.totalMs)),
    pair(
      answer.usage ? "Remote tokens used" : "Remote tokens saved",
      answer.usage ? String(answer.usage.inputTokens + answer.usage.outputTokens) : "…",
    ),
  );
  showFlow(answer, given.about);
  showDetails(answer);
  byId("result").dataset["state"] = "answered";
  return `${headline}. ${placeOf(answer)}. ${reason.textContent} ${sent === 0 ? "Nothing was sent." : `${bytes(sent)} were sent.`}`;
}

/** What the remote would have used for the latest answer; nothing where no remote is set up. */
export function showSavedHere(tokens: number): void {
  const last = shown("facts").querySelector("div:last-child dd");
  if (last?.textContent === "…") last.textContent = tokens > 0 ? `about ${tokens}` : "–";
}

function showDetails(answer: Answer<KindOutput> | TextAnswer): void {
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
      const problem = a.message === null ? "" : `: ${a.message}`;
      return element("li", `${a.tier || "remote"} on ${where}: ${a.outcome}${sure}${problem}`);
    }),
  );
  byId("sent").replaceChildren(
    ...(answer.sent.length === 0 ? [element("p", "Nothing.")] : []),
    ...answer.sent.flatMap((sent) => {
      const replaced = Object.entries(sent.redactions).map(([kind, n]) => `${n} ${kind}`);
      const redacted = replaced.length === 0 ? "" : `; replaced before: ${replaced.join(", ")}`;
      const body = element("pre", sent.body);
      body.tabIndex = 0;
      body.setAttribute("aria-label", "What was sent");
      return [element("p", `${sent.bytes} bytes to ${sent.endpoint}${redacted}`), body];
    }),
  );
}

function pair(name: string, value: string): HTMLElement {
  const box = element("div");
  box.append(element("dt", name), element("dd", value));
  return box;
}

/** The local confidence against its threshold: of the answer, or of the attempt before the remote. */
function showConfidence(answer: Answer<KindOutput>): void {
  const local = answer.attempts.findLast((a) => a.on === "local" && a.confidence !== null);
  const box = byId("confidence-box");
  box.hidden = !local;
  if (!local || local.confidence === null) return;
  const { confidence, threshold } = local;
  const needed = threshold === null ? "no limit is promised for it" : `needs ${percent(threshold)}`;
  const text = `${percent(confidence)} (${needed})`;
  shown("confidence-text").textContent = text;
  const drawing = shown<SVGElement>("confidence");
  drawing.setAttribute("aria-label", text);
  drawing.classList.toggle("unsure", threshold !== null && confidence < threshold);
  drawing.querySelector(".value")?.setAttribute("width", String(confidence * 100));
  const mark = drawing.querySelector(".mark");
  mark?.setAttribute("x", String(Math.min((threshold ?? 0) * 100, 99.4)));
  mark?.setAttribute("visibility", threshold === null ? "hidden" : "visible");
}
