import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { test as base, expect } from "@playwright/test";
import {
  type Child,
  type FaultProxy,
  type Local,
  root,
  startFaultProxy,
  startFaults,
  startHarness,
  startLlm,
  startSite,
} from "./servers.js";

export { expect, root };

export interface PerWorker {
  /** Whether there is an LLM: only in the project of the tests that ask it. */
  withLlm: boolean;
  llm: { address: string };
  site: Child;
  harness: Local;
  faults: Local;
  spoiled: FaultProxy;
}

interface Aside {
  aside: void;
}

interface PerTest {
  /** Console errors and page errors that a test expects; all others fail it. */
  expected: RegExp[];
}

export const test = base.extend<PerTest & { watched: void }, PerWorker & Aside>({
  withLlm: [false, { scope: "worker", option: true }],
  // The LLM writes within a deadline. What runs beside it has none, and gives way: so do the browsers and servers
  // that this process starts.
  aside: [
    async ({ withLlm }, use) => {
      if (!withLlm) setPriority(10);
      await use();
    },
    { scope: "worker", auto: true },
  ],
  llm: [
    async ({ withLlm }, use) => {
      // Nobody listens there.
      if (!withLlm) return use({ address: "http://127.0.0.1:9/v1" });
      const llm = await startLlm();
      await use(llm);
      await llm.stop();
    },
    { scope: "worker", timeout: 120_000 },
  ],
  site: [
    async ({ llm }, use) => {
      const site = await startSite(llm.address);
      await use(site);
      await site.stop();
    },
    { scope: "worker" },
  ],
  harness: [
    async ({ llm }, use) => {
      const harness = await startHarness(packed(), llm.address);
      await use(harness);
      await harness.stop();
    },
    { scope: "worker" },
  ],
  faults: [
    async ({}, use) => {
      const faults = await startFaults();
      await use(faults);
      await faults.stop();
    },
    { scope: "worker" },
  ],
  spoiled: [
    async ({ llm }, use) => {
      const spoiled = await startFaultProxy(llm.address);
      await use(spoiled);
      await spoiled.stop();
    },
    { scope: "worker" },
  ],
  expected: [[], { option: true }],
  watched: [
    async ({ page, expected }, use) => {
      const errors: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error") errors.push(message.text());
      });
      page.on("pageerror", (error) => errors.push(String(error)));
      await use();
      expect(errors.filter((error) => !expected.some((e) => e.test(error)))).toEqual([]);
    },
    { auto: true },
  ],
});

/** The package as npm would publish it, unpacked: what is tested is what is shipped. */
export function packed(): string {
  const folder = mkdtempSync(join(tmpdir(), "smallfirst-packed-"));
  const name = execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], {
    cwd: join(root, "pkg"),
    encoding: "utf8",
  }).trim();
  mkdirSync(join(folder, "unpacked"));
  execFileSync("tar", ["-xzf", join(folder, name), "-C", join(folder, "unpacked")]);
  return join(folder, "unpacked/package/dist");
}
