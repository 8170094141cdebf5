// What fooled the models, kept in this browser.

import { byId, element } from "./dom";

/** A find. */
interface Find {
  task: string;
  input: string;
  said: string;
}

const KEY = "smallfirst-demo-fooled";
const MOST = 50;

function read(): Find[] {
  try {
    const all: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    if (!Array.isArray(all)) return [];
    return all.filter(
      (find): find is Find =>
        typeof find === "object" &&
        find !== null &&
        ["task", "input", "said"].every((k) => typeof find[k] === "string"),
    );
  } catch {
    // Storage may be turned off, or hold something else.
    return [];
  }
}

function write(all: Find[]): boolean {
  try {
    localStorage.setItem(KEY, JSON.stringify(all.slice(0, MOST)));
    return true;
  } catch {
    return false;
  }
}

/** Keeps one, and says whether that was possible. */
export function keep(find: Find): boolean {
  const kept = write([find, ...read()]);
  showFinds();
  return kept;
}

export function showFinds(): void {
  const all = read();
  byId("forget").hidden = all.length === 0;
  const items = all.map(({ task, input, said }) => {
    const item = element("li");
    item.append(element("q", input), ` ${task}: “${said}”`);
    return item;
  });
  byId("finds").replaceChildren(...(items.length === 0 ? [element("li", "Nothing yet.")] : items));
}

byId("forget").addEventListener("click", () => {
  write([]);
  showFinds();
});
