// Inputs of everyday, which the behavioural tests hold the models to. They come late, as a chunk of their own.

import { byId, element } from "./dom";

/** An input, as vite.config.ts takes it out of models/recipe/behaviour. */
export interface Everyday {
  /** What kind of input it is. */
  group: string;
  /** What it is called in the list. */
  name: string;
  /** A text, or the bytes of a file in base64. */
  text?: string;
  base64?: string;
}

/** Fills the list with the inputs for a task, or for what it reads, if there are any; `pick` is called with the one that is chosen. */
export async function offer(task: string, reads: string, pick: (chosen: Everyday) => void): Promise<void> {
  const { default: all } = await import("virtual:everyday");
  const inputs = all[task] ?? all[`input:${reads}`] ?? [];
  const list = byId<HTMLSelectElement>("everyday");
  list.hidden = inputs.length === 0;
  const groups = new Map<string, HTMLOptGroupElement>();
  const first = element("option", "More examples…");
  first.value = "";
  list.replaceChildren(first);
  inputs.forEach(({ group, name }, place) => {
    const option = element("option", name);
    option.value = String(place);
    let of = groups.get(group);
    if (!of) {
      of = element("optgroup");
      of.label = group;
      groups.set(group, of);
      list.append(of);
    }
    of.append(option);
  });
  list.onchange = () => {
    const chosen = list.value === "" ? undefined : inputs[Number(list.value)];
    if (chosen) pick(chosen);
  };
}

/** A file's bytes. */
export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0));
}
