// A panel for developers, in any page: what an instance answers and why, what leaves the device, what fails. No input and no output
// is shown, unless it is asked for.

import type { SmallFirst } from "./api.js";
import { checkNames, invalid, namesOf } from "./check.js";
import { type Entry, ofAnswer, ofDrift, ofFailure, ofRequest } from "./devtools-entries.js";
import { panel } from "./devtools-panel.js";

/** How the panel is mounted. */
export interface DevtoolsOptions {
  /** What it is put into. Default: a corner of the window. */
  target?: Element | undefined;
  /** Whether it is open at first. Default: false. */
  open?: boolean | undefined;
  /** Whether outputs, and the bodies of requests, are shown and copied, too. Default: false. */
  content?: boolean | undefined;
  /** How many rows of each kind are kept, from 1 to 1,000. Default: 100. */
  limit?: number | undefined;
}

const OPTIONS = namesOf<DevtoolsOptions>()(["target", "open", "content", "limit"]);

/** Shows what an instance does from now on, and what it has sent before. Gives a function that takes the panel away. */
export function mountDevtools(
  ai: Pick<SmallFirst, "on" | "usage" | "egress" | "tasks">,
  options: DevtoolsOptions = {},
): () => void {
  checkNames("mountDevtools", options, OPTIONS);
  const { target, open = false, content = false, limit = 100 } = options;
  const check = (holds: boolean, rule: string): void => {
    if (!holds) throw invalid(`mountDevtools: ${rule}`);
  };
  check(typeof ai?.on === "function", "the instance must be one of createSmallFirst");
  check(typeof open === "boolean" && typeof content === "boolean", "open and content must be true or false");
  check(Number.isInteger(limit) && limit > 0 && limit <= 1000, "limit must be an integer from 1 to 1000");
  // An element of another window, a pop-up for example, is none of this window's `Element`.
  check(target === undefined || target?.nodeType === 1, "target must be an element");
  check(typeof document !== "undefined", "it must be called in a page");
  const { entries, sums, changed, remove } = panel(ai, { target, open });
  const add = (entry: Entry): void => {
    entries.add(entry);
    // By kind, so that no batch of answers takes the place of the one failure before it.
    const [oldest, ...others] = [...entries].filter(({ kind }) => kind === entry.kind);
    if (others.length >= limit) entries.delete(oldest!);
    changed();
  };
  const stops = [
    ai.on("answer", (event) => {
      if (event.answer.ranOn !== "remote") sums.here++;
      add(ofAnswer(event, content));
    }),
    ai.on("failure", (event) => {
      sums.failed++;
      add(ofFailure(event, content));
    }),
    ai.on("drift", (drift) => {
      sums.alarm = drift.task;
      add(ofDrift(drift));
    }),
    ai.on("egress", (sent) => {
      sums.requests++;
      sums.bytes += sent.bytes;
      add(ofRequest(sent, content));
    }),
  ];
  // What it tells was written down before now, so nothing is counted twice.
  ai.egress().then(
    ({ requests, bytes, sent }) => {
      if (stops.length === 0) return;
      sums.requests += requests;
      sums.bytes += bytes;
      // They are older than what came in the meantime.
      const later = [...entries];
      entries.clear();
      for (const entry of [...sent.map((one) => ofRequest(one, content)), ...later]) add(entry);
    },
    // An instance that was disposed of; the panel says so where it shows what was spent.
    () => {},
  );
  return () => {
    for (const stop of stops.splice(0)) stop();
    remove();
  };
}
