// The picture of what happened: a diagram that is a list, so that whoever does not see it hears the same.

import type { Answer, Attempt, TextAnswer } from "smallfirst";
import { byId, bytes, element, percent } from "./dom";
import { doubtsText } from "./words";

type State = "done" | "unsure" | "idle" | "failed";

function step(state: State, name: string, words: string): HTMLLIElement {
  const item = element("li");
  item.dataset["state"] = state;
  item.append(element("strong", name), element("span", words));
  return item;
}

export const time = (ms: number): string =>
  ms < 1 ? "under 1 ms" : ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;

function local(attempt: Attempt, place: number, of: number): HTMLLIElement {
  const name = of > 1 ? `Small model ${place + 1} of ${of}` : "Small model, here";
  if (attempt.outcome === "failed" || attempt.outcome === "skipped")
    return step("failed", name, attempt.message ?? "It could not answer.");
  const { confidence, threshold } = attempt;
  const sure = confidence === null ? "" : `${percent(confidence)} sure`;
  const needed = threshold === null ? "" : `, had to be ${percent(threshold)}`;
  const doubts = attempt.doubts.length === 0 ? "" : ` (${doubtsText(attempt.doubts)})`;
  const enough = confidence === null || threshold === null || confidence >= threshold;
  return step(
    enough && attempt.outcome === "answered" ? "done" : "unsure",
    name,
    `${sure}${needed}${doubts}` || "It answered.",
  );
}

function remote(attempt: Attempt, sent: number): HTMLLIElement {
  const name = `Remote: ${attempt.tier || "large model"}`;
  const words =
    attempt.outcome === "answered"
      ? `It answered in ${time(attempt.ms)}; ${bytes(sent)} were sent.`
      : attempt.outcome === "cancelled"
        ? "Not needed any more."
        : `It did not answer; ${bytes(sent)} were sent.`;
  return step(attempt.outcome === "answered" ? "done" : "failed", name, words);
}

/** Draws the way of a request. `given` says what was asked. */
export function showFlow(answer: Answer<unknown> | TextAnswer, given: string): void {
  const locals = answer.attempts.filter(({ on }) => on !== "remote");
  const remotes = answer.attempts.filter(({ on }) => on === "remote");
  const sent = answer.sent.reduce((sum, one) => sum + one.bytes, 0);
  const steps = [step("done", "You", given)];
  if (locals.length === 0)
    steps.push(
      answer.ranOn === "remote"
        ? step("idle", "Small model, here", "It was not asked.")
        : step("done", "This device", "It answered."),
    );
  steps.push(...locals.map((attempt, place) => local(attempt, place, locals.length)));
  if (remotes.length === 0)
    steps.push(
      answer.cached
        ? step("done", "Remote model", "Its answer was kept from before; nothing was sent.")
        : step(
            "idle",
            "Remote model",
            sent === 0 ? "It was not asked. Nothing was sent." : `${bytes(sent)} were sent.`,
          ),
    );
  steps.push(...remotes.map((attempt) => remote(attempt, sent)));
  byId("flow").replaceChildren(...steps);
}
