/** The element with this id; the page has it, or the page is broken. */
export function byId<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

/** The element with this test id, which also names what it shows. */
export function shown<T extends Element>(name: string): T {
  const found = document.querySelector<T>(`[data-testid="${name}"]`);
  if (!found) throw new Error(`the page has no ${name}`);
  return found;
}

/** An element with text in it. Always as text: what models give is never markup. */
export function element<K extends keyof HTMLElementTagNameMap>(tag: K, text = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

/** A part of a drawing. Its text is set as text, too. */
export function drawn<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number>,
  text = "",
): SVGElementTagNameMap[K] {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.textContent = text;
  return made;
}

export const bytes = (n: number): string =>
  n < 1000 ? `${n} B` : n < 1e6 ? `${(n / 1e3).toFixed(0)} kB` : `${(n / 1e6).toFixed(1)} MB`;

export const percent = (p: number): string => `${(p * 100).toFixed(1)} %`;
