import { parseArgs } from "node:util";

export interface Options {
  rounds: number;
  coldRuns: number;
  /** How long one contender's turn on one case lasts, at least one run. */
  turnMs: number;
  soak: boolean;
  quick: boolean;
  only: string[];
  wants(name: string): boolean;
  /** Another order each time it is asked, the same from run to run. */
  shuffled<T>(list: T[]): T[];
}

export function parse(): Options & { python: string; smallfirst: string; kernels: string | undefined; models: string } {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "5" },
      "cold-runs": { type: "string", default: "9" },
      "turn-ms": { type: "string", default: "1000" },
      soak: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      python: { type: "string" },
      smallfirst: { type: "string" },
      kernels: { type: "string" },
      models: { type: "string" },
    },
  });
  if (!values.python || !values.models || !values.smallfirst) throw new Error("this is started by `cargo xtask bench`");
  const only = values.only;
  let state = 1;
  // A linear congruential generator is enough to deal turns.
  const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  return {
    rounds: Number(values.rounds),
    coldRuns: Number(values["cold-runs"]),
    turnMs: Number(values["turn-ms"]),
    soak: values.soak,
    quick: values.quick,
    only,
    python: values.python,
    smallfirst: values.smallfirst,
    kernels: values.kernels,
    models: values.models,
    wants: (name) => only.length === 0 || only.some((part) => name.toLowerCase().includes(part.toLowerCase())),
    shuffled: (list) => list.map((value) => ({ value, place: random() })).sort((a, b) => a.place - b.place).map(({ value }) => value),
  };
}
