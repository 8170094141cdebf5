import type { Answer, Attempt } from "smallfirst";
import { byId, bytes, element, percent } from "./dom";

/** Shows the way that a question took, as a row of steps: what was asked, who was sure enough, and what left. */
export function showPicture(answer: Pick<Answer, "attempts" | "sent" | "ranOn" | "timing">, size: number): void {
  const local = answer.attempts.filter(({ on }) => on !== "remote");
  const remote = answer.attempts.filter(({ on }) => on === "remote");
  const left = answer.sent.reduce((sum, sent) => sum + sent.bytes, 0);
  const steps = [
    step("Your input", bytes(size), "neutral"),
    ...local.map((attempt) =>
      step("Model on this device", said(attempt), attempt.outcome === "answered" ? "good" : "unsure"),
    ),
    remote.length === 0
      ? step("Remote", "not asked", "quiet")
      : step("Remote", answer.ranOn === "remote" ? "answered" : "gave no answer", "away"),
    step("Left this device", left === 0 ? "nothing" : bytes(left), left === 0 ? "good" : "away"),
    step("Time", `${answer.timing.totalMs.toFixed(answer.timing.totalMs < 10 ? 1 : 0)} ms`, "neutral"),
  ];
  byId("picture").replaceChildren(...steps);
}

function said({ confidence, threshold, outcome }: Attempt): string {
  if (outcome === "failed") return "could not answer";
  if (confidence === null) return outcome === "answered" ? "answered" : "did not answer";
  const sure = `${percent(confidence)} sure`;
  return threshold === null ? sure : `${sure}, ${percent(threshold)} needed`;
}

function step(name: string, what: string, kind: "neutral" | "good" | "unsure" | "away" | "quiet"): HTMLElement {
  const item = element("li");
  item.className = kind;
  item.append(element("span", name), element("strong", what));
  return item;
}
