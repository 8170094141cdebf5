// Starting the frameworks' servers, with the package installed beside them as npm would install it.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../servers.js";

/** The folder of the frameworks. */
export const folder = join(root, "tests/e2e/proxy");

let installed = false;

/** Puts the package, packed as for npm, among the frameworks. */
export function install(): void {
  if (installed) return;
  const packed = mkdtempSync(join(tmpdir(), "smallfirst-proxy-"));
  const name = execFileSync("npm", ["pack", "--silent", "--pack-destination", packed], {
    cwd: join(root, "pkg"),
    encoding: "utf8",
  }).trim();
  const target = join(folder, "node_modules/smallfirst");
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  execFileSync("tar", ["-xzf", join(packed, name), "-C", target, "--strip-components", "1"]);
  rmSync(packed, { recursive: true });
  installed = true;
}

/** A port that nothing listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** A server that is running as a process of its own. */
export class App {
  /** What it said on standard error. */
  log = "";
  /** How it ended, where it did. */
  ended: string | undefined;

  private constructor(
    private readonly child: ChildProcess,
    public port: number,
  ) {
    child.once("exit", (code, signal) => (this.ended = `it ended with ${code ?? signal}`));
    child.stderr?.on("data", (part: Buffer) => (this.log = (this.log + part.toString()).slice(-20_000)));
  }

  get address(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts a command and waits until it listens: on the port it prints, or on the one it was told. */
  static async start(
    command: string,
    args: readonly string[],
    more: { cwd?: string; env?: Record<string, string>; port?: number; ms?: number } = {},
  ): Promise<App> {
    const child = spawn(command, args, {
      cwd: more.cwd ?? folder,
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...more.env },
      // With a group of its own, so that what it starts ends with it.
      detached: true,
    });
    const app = new App(child, more.port ?? 0);
    child.once("error", (error) => (app.ended ??= String(error)));
    let said = "";
    child.stdout.on("data", (part: Buffer) => (said = (said + part.toString()).slice(-20_000)));
    const until = Date.now() + (more.ms ?? 60_000);
    while (Date.now() < until) {
      if (app.ended !== undefined) throw new Error(`${command} ${args.join(" ")}: ${app.ended}\n${said}${app.log}`);
      const printed = /listening on http:\/\/[^\s:]+:(\d+)/.exec(said)?.[1];
      if (more.port === undefined && printed !== undefined) app.port = Number(printed);
      if (app.port !== 0 && (await answers(app.address))) return app;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await app.stop();
    throw new Error(`${command} ${args.join(" ")} does not listen\n${said}${app.log}`);
  }

  async stop(): Promise<void> {
    if (this.ended !== undefined) return;
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
    // The group is this process's own: it was made when it was started.
    process.kill(-this.child.pid!, "SIGKILL");
    await gone;
  }
}

/** Whether something speaks HTTP there. */
async function answers(address: string): Promise<boolean> {
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(5000) });
    await answer.body?.cancel();
    return true;
  } catch {
    return false;
  }
}
