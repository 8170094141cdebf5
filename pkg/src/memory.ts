// What is kept where nothing outlives the process.

import type { Surroundings } from "./serve.js";

/** What is kept, by the names that it is kept under: all instances of a name share it, as all tabs of a site do. */
const kept = new Map<string, Map<string, string>>();

/** Strings that are kept under a name, as long as the process goes on. */
export function strings(name: string): ReturnType<Surroundings["strings"]> {
  const table = kept.get(name) ?? new Map<string, string>();
  kept.set(name, table);
  return {
    update: async (key, change) => {
      const after = change(table.get(key));
      if (after === undefined) table.delete(key);
      else table.set(key, after);
    },
  };
}
