// The counters at the top: what stayed here, what did not, and what it came to.

import type { SmallFirst, UsageReport } from "smallfirst";
import { bytes, element, shown } from "./dom";
import { tableOf } from "./table";
import { plural } from "./words";

let [here, elsewhere, sent] = [0, 0, 0];
/** What earlier visits saved is not of this page. */
let before: number | undefined;

/** Counts what this instance answers and sends. Batches are the page's own questions, and not counted. */
export function count(ai: SmallFirst): void {
  ai.on("answer", ({ call, answer }) => {
    if (call === "runBatch") return;
    if (answer.ranOn === "remote") elsewhere += 1;
    else here += 1;
    show();
  });
  ai.on("egress", ({ bytes: size }) => {
    sent += size;
    show();
  });
}

function show(): void {
  shown("tally-here").textContent = String(here);
  shown("tally-remote").textContent = String(elsewhere);
  shown("tally-bytes").textContent = sent === 0 ? "0 bytes" : bytes(sent);
}

const tokens = ({ saved }: UsageReport): number => saved.inputTokens + saved.outputTokens;

/** Begins to count what is saved, with what was saved before this page was opened. */
export function begin(report: UsageReport): void {
  before ??= tokens(report);
}

/** Shows what was saved since. */
export function showSaved(report: UsageReport): void {
  const saved = tokens(report) - (before ?? 0);
  shown("tally-saved").textContent = saved > 0 ? `about ${saved}` : "none yet";
}

/** The table of what was spent, in all tabs of this site, and what was not. */
export function showUsage({ today, total, saved }: UsageReport, box: HTMLElement): void {
  const row = (name: string, { requests, inputTokens, outputTokens, costUsd }: UsageReport["today"]) => {
    const cost = costUsd > 0 ? `$ ${costUsd.toFixed(4)}` : "–";
    return { cells: [name, ...[requests, inputTokens, outputTokens].map((n) => n.toLocaleString("en")), cost] };
  };
  const rows = [row("Today", today), row("Since your first visit", total), row("Saved by this device", saved)];
  box.replaceChildren(
    tableOf("Spent and saved", ["Time", "Requests", "Tokens sent", "Tokens received", "Cost"], rows, true),
  );
}

/** The table of all that left, the newest first. */
export async function showLedger(ai: SmallFirst, box: HTMLElement): Promise<void> {
  const { sent: all, requests, bytes: size } = await ai.egress();
  if (requests === 0) {
    box.replaceChildren(element("p", "Nothing so far."));
    return;
  }
  const rows = all
    .toReversed()
    .slice(0, 20)
    .map((one) => {
      const taken = Object.entries(one.redactions).map(([kind, n]) => `${n} ${kind}`);
      return {
        cells: [new Date(one.at).toLocaleTimeString(), one.endpoint, bytes(one.bytes), taken.join(", ") || "–"],
      };
    });
  const caption = `${plural(requests, "request")}, ${bytes(size)}`;
  box.replaceChildren(tableOf(caption, ["When", "Where to", "Size", "Taken out before"], rows));
}
