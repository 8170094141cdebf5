// A table that scrolls by itself where it is wider than the page.

import { element } from "./dom";

/** Its caption, the heads of its columns, and its rows; the first cell of a row may be its head. */
export function tableOf(
  caption: string,
  columns: string[],
  rows: { cells: string[]; chosen?: boolean }[],
  rowHeads = false,
): HTMLElement {
  const table = element("table");
  const head = element("tr");
  for (const words of columns) {
    const cell = element("th", words);
    cell.scope = "col";
    head.append(cell);
  }
  const body = rows.map(({ cells, chosen = false }) => {
    const row = element("tr");
    row.classList.toggle("chosen", chosen);
    cells.forEach((words, at) => {
      const cell = element(rowHeads && at === 0 ? "th" : "td", words);
      if (rowHeads && at === 0) cell.setAttribute("scope", "row");
      row.append(cell);
    });
    return row;
  });
  table.append(element("caption", caption), head, ...body);
  const box = element("div");
  box.className = "wide";
  // Whoever has only a keyboard scrolls it, too.
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", caption);
  box.append(table);
  return box;
}
