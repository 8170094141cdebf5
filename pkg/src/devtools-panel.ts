// The elements of the panel. All texts are set as text, and the style is a sheet of its own, so a strict policy allows both.

import type { SmallFirst } from "./api.js";
import { type Entry, type Fact, size } from "./devtools-entries.js";
import { STYLE } from "./devtools-style.js";

/** What the panel shows, and how it is told that this changed. */
export interface Panel {
  /** What is listed, the oldest first. */
  entries: Set<Entry>;
  /** What is counted, also of what is not listed any more. */
  sums: { here: number; requests: number; bytes: number; failed: number; alarm: string };
  /** Shows what changed, once a frame however much it was. */
  changed: () => void;
  remove: () => void;
}

/** How many panels there were: each is a landmark, which needs a name of its own. */
let panels = 0;

const KINDS = ["all", "answer", "request", "failure", "alarm"];

const EXPANDED = "aria-expanded";

type Cell = [content: Node | string, style?: string];

export function panel(
  ai: Pick<SmallFirst, "usage" | "tasks">,
  { target, open }: { target: Element | undefined; open: boolean },
): Panel {
  const page = target?.ownerDocument ?? document;
  const view = page.defaultView as Window & typeof globalThis;
  const entries: Panel["entries"] = new Set();
  const sums: Panel["sums"] = { here: 0, requests: 0, bytes: 0, failed: 0, alarm: "" };
  const rows = new Map<Entry, HTMLElement>();
  let frame = 0;
  let asking = false;

  const make = <K extends keyof HTMLElementTagNameMap>(
    tag: K,
    attributes: Record<string, string> = {},
    ...content: (Node | string)[]
  ): HTMLElementTagNameMap[K] => {
    const made = page.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value) made.setAttribute(name, value);
    made.append(...content);
    return made;
  };
  const button = (name: string, press: () => void): HTMLButtonElement => {
    const made = make("button", { type: "button" }, name);
    made.addEventListener("click", press);
    return made;
  };
  const cells = (tag: "td" | "th", all: Cell[]): HTMLElement =>
    make("tr", {}, ...all.map(([content, style = ""]) => make(tag, { class: style }, content)));
  const headed = (head: string[], ...all: HTMLElement[]): HTMLElement =>
    make(
      "table",
      {},
      make(
        "thead",
        {},
        cells(
          "th",
          head.map((name) => [name]),
        ),
      ),
      make("tbody", {}, ...all),
    );

  const show = (): void => {
    const { here, requests, bytes, failed, alarm } = sums;
    toggle.replaceChildren(
      make("b", {}, "smallfirst"),
      ` ${here} answered here · ${requests} sent, ${size(bytes)}`,
      make("i", {}, `${failed ? ` · ${failed} failed` : ""}${alarm && ` · alarm: ${alarm}`}`),
    );
    section.className = body.hidden ? "" : "open";
    toggle.setAttribute(EXPANDED, String(!body.hidden));
    if (body.hidden) return;
    for (const [entry, row] of rows) {
      if (entries.has(entry)) continue;
      row.remove();
      rows.delete(entry);
    }
    none.hidden = false;
    let below: Element | null = null;
    for (const entry of entries) {
      const row = rows.get(entry) ?? rowOf(entry);
      rows.set(entry, row);
      // What stands where it belongs is left there: a row that is moved loses the focus.
      if (!row.parentNode || row.nextSibling !== below) table.insertBefore(row, below);
      below = row;
      row.hidden = filter.value !== "all" && filter.value !== entry.kind;
      if (!row.hidden) none.hidden = true;
    }
    table.hidden = !none.hidden;
    if (!asking) void askUsage();
  };

  /** One question at a time. */
  const askUsage = async (): Promise<void> => {
    asking = true;
    try {
      const { total, saved } = await ai.usage();
      usage.textContent = Object.entries({ Spent: total, saved })
        .map(([name, { requests, inputTokens, outputTokens, costUsd }]) => {
          return `${name}: ${requests} requests, ${inputTokens + outputTokens} tokens, ${written(costUsd)} USD`;
        })
        .join(" · ");
    } catch (error) {
      usage.textContent = (error as Error).message;
    }
    asking = false;
  };

  const rowOf = (entry: Entry): HTMLElement => {
    const { at, task, where, words, ms } = entry;
    let more: HTMLElement | undefined;
    const expand = button(task, () => {
      more?.remove();
      more = more ? undefined : row.appendChild(moreOf(entry));
      expand.setAttribute(EXPANDED, String(!!more));
      row.className = more ? "all" : "";
    });
    expand.setAttribute(EXPANDED, "false");
    const row = make(
      "tbody",
      {},
      cells("td", [
        [expand],
        [new Date(at).toTimeString().slice(0, 8), "wide"],
        [where, where.split(", ").pop()!],
        [make("div", {}, words)],
        [ms?.toFixed(1) ?? "", "n wide"],
      ]),
    );
    return row;
  };

  /** All that is known of an entry. */
  const moreOf = ({ at, attempts, facts, content }: Entry): HTMLElement => {
    const cell = make("td", { colspan: "5" });
    const tried = attempts.map(({ on, tier, endpoint, outcome, confidence, threshold, ms, code, message }) =>
      cells("td", [
        [`${on}: ${tier}${endpoint ? ` at ${endpoint}` : ""}`],
        [`${written(confidence)} / ${written(threshold)}`],
        [`${outcome}, ${ms.toFixed(1)} ms${code ? `, ${code}: ${message}` : ""}`],
      ]),
    );
    if (tried.length > 0) cell.append(headed(["Tried", "Confidence / threshold", "Outcome"], ...tried));
    const known = Object.entries({ at: new Date(at).toISOString(), ...facts });
    cell.append(headed(["Fact", "Value"], ...known.map(([name, value]) => cells("td", [[name], [written(value)]]))));
    if (content) cell.append(make("pre", {}, content));
    return make("tr", {}, cell);
  };

  const unfold = (unfolded: boolean): void => {
    body.hidden = !unfolded;
    show();
  };
  const copy = async (): Promise<void> => {
    // A page that is not secure has no clipboard, and a frame may not be allowed to write to it.
    try {
      await view.navigator.clipboard.writeText(JSON.stringify([...entries], null, 2));
      said.textContent = "Copied.";
    } catch (error) {
      said.textContent = `Not copied: ${(error as Error).message}`;
    }
  };
  const clear = (): void => {
    entries.clear();
    sums.failed = 0;
    sums.alarm = said.textContent = "";
    show();
  };

  const toggle = button("", () => unfold(body.hidden));
  const options = KINDS.map((kind) => new view.Option(kind));
  const filter = make("select", { "aria-label": "Show" }, ...options);
  filter.addEventListener("change", show);
  const said = make("span", { role: "status" });
  const usage = make("p");
  const none = make("p", {}, "Nothing yet.");
  const heads = cells("th", [["Task"], ["Time", "wide"], ["Where"], ["Why"], ["ms", "n wide"]]);
  const table = make("table", { class: "log" }, make("thead", {}, heads));
  const bar = make(
    "header",
    {},
    filter,
    button("Copy as JSON", () => void copy()),
    button("Clear", clear),
    said,
  );
  const body = make("div", {}, bar, usage, table, none);
  const name = panels++ ? `smallfirst ${panels}` : "smallfirst";
  const section = make("section", { "aria-label": name, lang: "en" }, toggle, body);
  section.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || body.hidden) return;
    event.stopPropagation();
    unfold(false);
    toggle.focus();
  });

  // Panels in the corner of a window share one host, where they stand above each other.
  let host = target ? null : page.querySelector("smallfirst-devtools[docked]");
  if (!host) {
    // No rule of a page is about an element of this name, unless it was written for it.
    host = page.createElement("smallfirst-devtools");
    host.toggleAttribute("docked", !target);
    // A document takes the sheets of its own window alone.
    const sheet = new view.CSSStyleSheet();
    sheet.replaceSync(STYLE);
    host.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
    (target ?? page.body ?? page.documentElement).append(host);
  }
  const root = host.shadowRoot!;
  root.append(section);
  unfold(open);
  // What can be asked, for want of answers.
  ai.tasks().then(
    (tasks) => (none.textContent += ` Tasks: ${tasks.map(({ id }) => id).join(", ")}.`),
    () => {},
  );

  return {
    entries,
    sums,
    changed: () => {
      frame ||= view.requestAnimationFrame(() => {
        frame = 0;
        show();
      });
    },
    remove: () => {
      view.cancelAnimationFrame(frame);
      section.remove();
      if (!root.firstChild) root.host.remove();
    },
  };
}

/** A fact as people read it. */
function written(value: Fact): string {
  if (typeof value === "number") return String(+value.toFixed(4));
  if (typeof value !== "object") return String(value);
  const parts = Object.entries((value ?? {}) as Record<string, Fact>).map(([name, part]) => `${name} ${written(part)}`);
  return parts.join(", ") || "–";
}
