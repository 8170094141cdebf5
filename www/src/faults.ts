// What the package does when a remote fails, on a line of time: a remote that the service worker plays is asked first.

import { type Answer, type Attempt, createSmallFirst, type TaskInfo } from "smallfirst";
import { byId, drawn, element, percent, shown } from "./dom";
import { time } from "./flow";
import { labelOf } from "./words";

/** How long it is waited for a remote here; a page of one's own would wait longer. */
const WAIT_MS = 1500;

/** The ways to fail, and how they are named. */
const FAULTS = {
  unreachable: "Cannot be reached",
  slow: "Never answers",
  busy: "Too many requests",
  nonsense: "Sends a login page",
  broken: "Breaks off",
};
type Fault = keyof typeof FAULTS;

/** What is asked: a task of one text, and a text for it. */
export interface Question {
  task: TaskInfo;
  text: string;
}

/** A stretch of the line, in milliseconds from the question. */
interface Stretch {
  from: number;
  to: number;
  state: "failed" | "waits" | "done";
  name: string;
  words: string;
}

const WHY: Record<string, string> = {
  remote_unreachable: "The connection fails.",
  remote_timeout: `No answer came within ${time(WAIT_MS)}.`,
  remote_bad_response: "What it sent is no answer.",
  offline: "This device has no network.",
};

const refused = ({ code, message }: Attempt): boolean => code === "remote_status" && message?.includes("429") === true;

function why(attempt: Attempt): string {
  if (refused(attempt)) return "It refuses: too many requests. It asks to be left alone for a second.";
  return WHY[attempt.code ?? ""] ?? "It does not answer.";
}

/** What happened, in order: every request began when it was about to leave. */
function stretches(answer: Answer, task: TaskInfo, sentAt: number[], end: number): Stretch[] {
  const remotes = answer.attempts.filter(({ on }) => on === "remote");
  const found: Stretch[] = [];
  let now = 0;
  remotes.forEach((attempt, at) => {
    const from = sentAt[at] ?? now;
    const before = remotes[at - 1];
    if (before)
      found.push({
        from: now,
        to: from,
        state: "waits",
        name: "Wait",
        words: refused(before)
          ? "As long as the server asks, and a little more."
          : "Longer each time, so that a weak server is not overrun.",
      });
    const to = Math.min(from + attempt.ms, end);
    found.push({ from, to, state: "failed", name: `Request ${at + 1}`, words: why(attempt) });
    now = to;
  });
  const sure = answer.confidence === null ? "" : `, ${percent(answer.confidence)} sure`;
  const label = labelOf(task, answer.output.label);
  found.push({ from: now, to: end, state: "done", name: "This device answers", words: `${label}${sure}.` });
  return found;
}

function draw(all: Stretch[], end: number): void {
  byId("timeline").replaceChildren(
    ...all.map(({ from, to, state, name, words }) => {
      const item = element("li");
      item.dataset["state"] = state;
      const bar = drawn("svg", { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" });
      const width = Math.max(0.7, (100 * (to - from)) / end);
      const x = Math.min((100 * from) / end, 100 - width);
      bar.append(
        drawn("rect", { class: "track", width: 100, height: 4 }),
        drawn("rect", { class: "part", x, width, height: 4 }),
      );
      item.append(element("strong", name), element("span", `${time(to - from)}, from ${time(from)} on`), bar);
      item.append(element("span", words));
      return item;
    }),
  );
}

let current: AbortController | undefined;

async function play(fault: Fault, { task, text }: Question): Promise<void> {
  current?.abort();
  const { signal } = (current = new AbortController());
  const said = shown("fault-said");
  byId("timeline").replaceChildren();
  if (!navigator.serviceWorker?.controller) {
    said.textContent =
      "This browser did not start the page's service worker yet, which plays the remote. Load the page again.";
    return;
  }
  said.textContent = "Asking…";
  const ai = await createSmallFirst({
    bundle: "./models/",
    mode: "prefer-remote",
    // Its failures are not those of the visitor's own remote.
    storage: "demo-faults",
    remote: {
      provider: "openai",
      baseUrl: `./faults/${fault}/v1`,
      model: "a remote that fails",
      connectMs: WAIT_MS,
      firstByteMs: WAIT_MS,
      timeoutMs: WAIT_MS,
    },
    policy: { maxRetries: 2 },
    signal,
  });
  try {
    // Loading is no part of the story.
    await ai.preload([task.id], { signal });
    const begin = performance.now();
    const sentAt: number[] = [];
    ai.on("egress", () => sentAt.push(performance.now() - begin));
    const answer = await ai.run(task.id, text, { signal });
    const end = performance.now() - begin;
    draw(stretches(answer, task, sentAt, end), end);
    said.textContent = `${FAULTS[fault]}: the remote was asked ${sentAt.length === 1 ? "once" : `${sentAt.length} times`}, and after ${time(end)} this device answered by itself.`;
  } finally {
    ai.dispose();
  }
}

/** Shows the buttons. `question` says what there is to ask at the time. */
export function begin(question: () => Question | undefined, fail: (thrown: unknown) => void): void {
  byId("fault-kinds").replaceChildren(
    ...(Object.entries(FAULTS) as [Fault, string][]).map(([fault, name]) => {
      const button = element("button", name);
      button.type = "button";
      button.dataset["testid"] = `fault-${fault}`;
      button.addEventListener("click", () => {
        const asked = question();
        if (!asked) return;
        play(fault, asked).catch((thrown: unknown) => {
          if ((thrown as Error).name !== "AbortError") fail(thrown);
        });
      });
      return button;
    }),
  );
}
