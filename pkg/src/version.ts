// Which version of the package this is, and which others are in the page.

import { SmallFirstError } from "./errors.js";

/** As package.json says it; a test holds both against each other. */
export const VERSION = "0.1.0";

/** The versions that instances of a page were made of, by the names of their storage. All copies of the package see the same. */
const KEY = Symbol.for("smallfirst.versions");

/**
 * Refuses to share what is kept in the browser with another version of the package in the same page: neither knows what the other
 * writes.
 */
export function assertOnlyVersion(storage: string, version = VERSION): void {
  const page = globalThis as { [KEY]?: Map<string, string> };
  const versions = (page[KEY] ??= new Map());
  const other = versions.get(storage) ?? version;
  if (other !== version)
    throw new SmallFirstError(
      "invalid_option",
      `smallfirst ${other} and ${version} are both in this page, and would both keep things under the name "${storage}": ` +
        "install one version only (npm ls smallfirst), or give one of them a `storage` of its own",
    );
  versions.set(storage, version);
}

/** Refuses a worker for a page of another version. */
export function assertSameVersion(page: string | undefined, worker = VERSION): void {
  if (page === worker) return;
  throw new SmallFirstError(
    "worker_failed",
    `the page's script is of smallfirst ${page ?? "0.1.0 or older"}, and its worker of ${worker}: deploy both from the same version, ` +
      "and see that no cache keeps an old worker (`smallfirst add-engine` copies the workers anew)",
  );
}
