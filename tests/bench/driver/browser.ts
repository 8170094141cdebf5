// Chromium with an empty profile.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";

// As in tests/e2e/playwright.config.ts.
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export class Browser {
  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    private readonly profile: string,
    /** What the page and its workers complained of. */
    readonly complaints: string[],
  ) {}

  static async start(): Promise<Browser> {
    const executablePath = process.env["CHROME"];
    if (!executablePath) throw new Error("CHROME is not set: run `cargo xtask bench`");
    const profile = mkdtempSync(join(tmpdir(), "smallfirst-bench-"));
    const context = await chromium.launchPersistentContext(profile, { executablePath, args: FLAGS, headless: true });
    context.setDefaultTimeout(600_000);
    const page = context.pages()[0] ?? (await context.newPage());
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    return new Browser(context, page, profile, complaints);
  }

  /** The bytes that the page's process has in memory, without garbage; where the system tells (Linux). */
  async resident(): Promise<number | undefined> {
    const session = await this.context.newCDPSession(this.page);
    await session.send("HeapProfiler.collectGarbage");
    await session.detach();
    const renderers = processes(this.profile).filter(({ line }) => line.includes("--type=renderer"));
    if (renderers.length === 0) return undefined;
    return renderers.reduce((sum, { resident }) => sum + resident, 0);
  }

  async stop(): Promise<void> {
    await this.context.close();
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The processes that belong to a profile: the browser that names it, and all it started. */
function processes(profile: string): { line: string; resident: number }[] {
  if (!existsSync("/proc/self/stat")) return [];
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "latin1");
        const parent = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1] ?? "";
        const pages = Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]);
        return [{ pid, parent, line, resident: pages * 4096 }];
      } catch {
        return []; // It has ended.
      }
    });
  const ours = new Set(all.filter(({ line }) => line.includes(profile)).map(({ pid }) => pid));
  for (let before = -1; before !== ours.size; ) {
    before = ours.size;
    for (const { pid, parent } of all) if (ours.has(parent)) ours.add(pid);
  }
  return all.filter(({ pid }) => ours.has(pid));
}
