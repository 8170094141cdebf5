// What is kept where nothing outlives the process.

import type { Surroundings } from "./serve.js";

/** What is kept, by the names that it is kept under: all instances of a name share it, as all tabs of a site do. */
const kept = new Map<string, Map<string, string>>();

/** The last change of each string that is under way, for which the next one waits. */
const turns = new Map<string, Promise<void>>();

/** Changes a string in one piece: nobody else changes it before `make`, which may ask a thread, has come to its end. */
export async function change(
  name: string,
  key: string,
  make: (before: string | undefined) => string | undefined | Promise<string | undefined>,
): Promise<void> {
  const table = kept.get(name) ?? new Map<string, string>();
  kept.set(name, table);
  const turn = JSON.stringify([name, key]);
  const own = (turns.get(turn) ?? Promise.resolve()).then(async () => {
    const after = await make(table.get(key));
    if (after === undefined) table.delete(key);
    else table.set(key, after);
  });
  // Whoever fails keeps nobody waiting.
  const over = own.then(
    () => {},
    () => {},
  );
  turns.set(turn, over);
  void over.then(() => {
    if (turns.get(turn) === over) turns.delete(turn);
  });
  return own;
}

/** Strings that are kept under a name, as long as the process goes on. */
export function strings(name: string): ReturnType<Surroundings["strings"]> {
  return { update: (key, make) => change(name, key, make) };
}
