// The model card as pictures: how often the task's models are right, for whom less often, and whether they are as sure as they should be.

import type { Card, TaskInfo } from "smallfirst";
import { drawn, element, percent } from "./dom";
import { isRecord, isShare } from "./evaluation";
import { labelOf, named } from "./words";

/** A share of rows with its interval, which tells how far it can be trusted. */
interface Measured {
  name: string;
  value: number;
  low: number;
  high: number;
  n: number;
}

/** How many groups are shown before the visitor asks for all. */
const SHOWN = 8;
/** Less often right than this is drawn as a warning. */
const WEAK = 0.8;

function measured(name: string, share: unknown): Measured[] {
  if (!isRecord(share)) return [];
  const { value, low, high, n } = share;
  return isShare(value) && isShare(low) && isShare(high) && typeof n === "number" && n > 0
    ? [{ name, value, low, high, n }]
    : [];
}

const listOf = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value : []).filter(isRecord);

/** A group of rows as words: `deu/words` is "German, words". */
function groupName(task: TaskInfo, slice: string): string {
  const [first = "", ...rest] = slice.split("/");
  const known = task.labels.some(({ id }) => id === first);
  const head = known ? labelOf(task, first) : /^[a-z\d-]+$/.test(first) ? named(first) : first;
  const name = [head, ...rest].join(", ");
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** A share on a line from 0 to 100 %, with its interval. */
function line({ value, low, high }: Measured): SVGElement {
  const box = drawn("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
  box.append(
    drawn("rect", { class: "track", y: 3, width: 100, height: 2 }),
    drawn("rect", { class: "interval", x: 100 * low, y: 2, width: Math.max(0.5, 100 * (high - low)), height: 4 }),
    drawn("rect", { class: "point", x: Math.min(99, Math.max(0, 100 * value - 0.5)), y: 0, width: 1, height: 8 }),
  );
  return box;
}

function rows(all: Measured[]): HTMLUListElement {
  const list = element("ul");
  list.className = "shares";
  list.append(
    ...all.map((one) => {
      const item = element("li");
      item.dataset["weak"] = String(one.value < WEAK);
      item.append(
        element("span", one.name),
        element("span", percent(one.value)),
        line(one),
        element("small", `${percent(one.low)} to ${percent(one.high)}, ${one.n.toLocaleString("en")} cases`),
      );
      return item;
    }),
  );
  return list;
}

/** Groups, the weakest first; the others once somebody wants them. */
function weakestFirst(all: Measured[]): HTMLElement[] {
  const sorted = all.toSorted((a, b) => a.value - b.value);
  const first = rows(sorted.slice(0, SHOWN));
  if (sorted.length <= SHOWN) return [first];
  const button = element("button", `Show all ${sorted.length}`);
  button.type = "button";
  const box = element("p");
  box.className = "buttons";
  box.append(button);
  button.addEventListener("click", () => {
    const whole = rows(sorted);
    first.replaceWith(whole);
    box.remove();
    whole.tabIndex = -1;
    whole.focus();
  });
  return [first, box];
}

const SIZE = 180;
const EDGE = 34;

/** How often it was right, by how sure it was. On the dashed line it is as sure as it should be. */
function reliability(points: { confidence: number; accuracy: number; n: number }[]): SVGElement {
  const at = (share: number): number => EDGE + share * (SIZE - EDGE - 6);
  const up = (share: number): number => SIZE - at(share);
  const words = points.map(
    ({ confidence, accuracy, n }) => `${percent(confidence)} sure: ${percent(accuracy)} right of ${n}`,
  );
  const box = drawn("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, class: "reliability", role: "img" });
  box.setAttribute("aria-label", `How often it was right, by how sure it was. ${words.join("; ")}.`);
  const most = Math.max(...points.map(({ n }) => n));
  box.append(
    drawn("path", { class: "axis", d: `M${at(0)} ${up(1)}V${up(0)}H${at(1)}` }),
    drawn("line", { class: "ideal", x1: at(0), y1: up(0), x2: at(1), y2: up(1) }),
    ...points.map(({ confidence, accuracy, n }) =>
      drawn("circle", { cx: at(confidence), cy: up(accuracy), r: 2.5 + 4 * Math.sqrt(n / most) }),
    ),
    drawn("text", { x: at(0.5), y: SIZE - 4, class: "middle" }, "how sure it was"),
    drawn("text", { x: at(0), y: up(0) + 14, class: "middle" }, "0"),
    drawn("text", { x: at(1), y: up(0) + 14, class: "end" }, "100 %"),
    drawn("text", { x: 12, y: up(0.5), class: "middle", transform: `rotate(-90 12 ${up(0.5)})` }, "right"),
  );
  return box;
}

/** Draws what a card's evaluation has; nothing where it has none. */
export function showQuality({ evaluation }: Card, task: TaskInfo, box: HTMLElement): void {
  box.replaceChildren();
  if (!isRecord(evaluation)) return;
  const [accuracy] = measured("All test rows", evaluation["accuracy"]);
  if (!accuracy) return;
  box.append(element("h4", "How often it is right, sure or not"), rows([accuracy]));
  const slices = listOf(evaluation["slices"]).flatMap(({ slice, accuracy: share }) =>
    typeof slice === "string" ? measured(groupName(task, slice), share) : [],
  );
  if (slices.length > 0)
    box.append(
      element("h4", "For whom it is right less often"),
      element(
        "p",
        "Groups of the test rows, the weakest first. The bar is where the true share lies, in 95 of 100 cases.",
      ),
      ...weakestFirst(slices),
    );
  const cases = listOf(evaluation["behaviour"]).flatMap(({ capability, passed }) =>
    typeof capability === "string" ? measured(groupName(task, capability), passed) : [],
  );
  if (cases.length > 0)
    box.append(
      element("h4", "What it can and what it cannot"),
      element("p", "Small cases whose answer is known."),
      ...weakestFirst(cases),
    );
  const points = listOf(evaluation["reliability"]).flatMap(({ confidence, accuracy: share, n }) =>
    isShare(confidence) && isShare(share) && typeof n === "number" && n > 0 ? [{ confidence, accuracy: share, n }] : [],
  );
  if (points.length > 0)
    box.append(
      element("h4", "Whether it is as sure as it should be"),
      element("p", "A point on the dashed line is right as often as it says. Larger points are more rows."),
      reliability(points),
    );
}
