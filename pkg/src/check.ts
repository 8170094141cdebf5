// Checks of what a caller gives.

import { SmallFirstError } from "./errors.js";

/** The fields of `T` that `N` does not name. */
type Missing<T, N extends readonly unknown[]> = Exclude<keyof T, N[number]>;

/** The names of all fields of `T`, in this order. With one that is missing, or that is none, it does not compile. */
export function namesOf<T>() {
  return <const N extends readonly (keyof T)[]>(
    names: N,
    ..._: [Missing<T, N>] extends [never] ? [] : [missing: Missing<T, N>]
  ): N => names;
}

/** Refuses all names but those that are known: a typing mistake must not be silently without effect. */
export function checkNames(what: string, options: unknown, known: readonly PropertyKey[]): void {
  if (typeof options !== "object" || options === null) throw invalid(`${what}: the options must be an object`);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw invalid(`${what}: there is no option "${name}"; the options are ${known.join(", ")}`);
    }
  }
}

/** What the caller gave of these: for the engine, only an absent name means the default. */
export function picked<T, const N extends PropertyKey>(options: T, names: readonly N[]): Pick<T, keyof T & N> {
  const given = Object.entries(options as object).filter(([name, value]) => {
    return value !== undefined && (names as readonly PropertyKey[]).includes(name);
  });
  return Object.fromEntries(given) as Pick<T, keyof T & N>;
}

export function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== "function") throw invalid(`${name} must be a function`);
}

export function invalid(message: string): SmallFirstError {
  return new SmallFirstError("invalid_option", message);
}
