// What runs in the harness page. Each function is sent to the page as text, so it stands alone.

import type { Page } from "@playwright/test";
import type * as Package from "../../pkg/dist/index.js";

export type { Answer, SmallFirst, SmallFirstError, TextAnswer } from "../../pkg/dist/index.js";
type Options = Package.Options;

/** What became of a call in the page. */
export interface Outcome {
  answer?: Package.Answer;
  error?: { name: string; code: string; message: string; attempts: Package.Attempt[] };
}

declare global {
  interface Window {
    ai: Package.SmallFirst;
    events: Package.Progress[];
    create: (options: object) => Promise<Package.SmallFirst>;
    outcome: (promise: Promise<Package.Answer>) => Promise<Outcome>;
    failure: (thrown: unknown) => NonNullable<Outcome["error"]>;
  }
}

/** Opens the harness and gives the page its helpers. */
export async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await page.evaluate(async () => {
    const path = "/pkg/index.js";
    const { createSmallFirst } = (await import(path)) as typeof Package;
    window.events = [];
    window.create = (options) =>
      createSmallFirst({ bundle: "/models/", onProgress: (event) => window.events.push(event), ...options });
    window.failure = (thrown) => {
      const { name, code, message, attempts } = thrown as NonNullable<Outcome["error"]>;
      return { name, code, message, attempts };
    };
    window.outcome = (promise) =>
      promise.then(
        (answer) => ({ answer }),
        (thrown: unknown) => ({ error: window.failure(thrown) }),
      );
  });
}

/** Opens the harness with an instance made of `options`. */
export async function ready(page: Page, address: string, options: Partial<Options> = {}): Promise<void> {
  await open(page, address);
  await page.evaluate(async (options) => {
    window.ai = await window.create(options);
  }, options);
}

/** Runs one call in the page. */
export function run(page: Page, task: string, input: string | number[], options: object = {}): Promise<Outcome> {
  return page.evaluate(
    ([task, input, options]) => {
      const given = typeof input === "string" ? input : new Uint8Array(input);
      return window.outcome(window.ai.run(task, given, options));
    },
    [task, input, options] as const,
  );
}

/** Fails to make an instance, and says how. */
export function refused(page: Page, options: object): Promise<Outcome["error"]> {
  return page.evaluate(
    (options) =>
      window.create(options).then(
        () => undefined,
        (thrown: unknown) => window.failure(thrown),
      ),
    options,
  );
}
