// Trusted Types: a page may want to know who made the address of a script (`require-trusted-types-for 'script'`).

import { describe } from "./errors.js";

/** What the page's `trustedTypes` has of it; the DOM library does not know it. */
interface Policy {
  createScriptURL(address: string): unknown;
}
interface Factory {
  createPolicy(name: string, rules: { createScriptURL: (address: string) => string }): Policy;
}

/** The name that a page's `trusted-types` has to list. */
const NAME = "smallfirst";

/** Made when the first worker is, and once: a page may allow no second one of the same name. */
let policy: Policy | undefined;

/**
 * Calls `make`, whose `new Worker(address)` gets a trusted address, where there are such. Bundlers know a worker by the words
 * `new Worker(new URL(…))` with the global `Worker` in them. So it is the global that takes the address, while `make` runs and
 * nothing else can.
 */
export function trusting(make: () => Worker): Worker {
  const { trustedTypes } = globalThis as { trustedTypes?: Factory };
  if (!trustedTypes) return make();
  let rules: Policy;
  try {
    rules = policy ??= trustedTypes.createPolicy(NAME, { createScriptURL: (address) => address });
  } catch {
    return untrusted(make);
  }
  const real = globalThis.Worker;
  const trusted = function (address: string | URL, options?: WorkerOptions): Worker {
    return new real(rules.createScriptURL(String(address)) as string, options);
  };
  try {
    globalThis.Worker = trusted as unknown as typeof Worker;
    return make();
  } finally {
    globalThis.Worker = real;
  }
}

/** Calls `make` where the page does not allow the policy: it may not ask for one either. */
function untrusted(make: () => Worker): Worker {
  try {
    return make();
  } catch (thrown) {
    const why = `${describe(thrown)} The page's Content-Security-Policy has to allow it: trusted-types ${NAME}`;
    throw new Error(why, { cause: thrown });
  }
}
