// Projects as users have them: a folder of its own with both packages installed from their tarballs.

import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const runFile = promisify(execFile);

/** This folder, and the repository. */
export const here = fileURLToPath(new URL(".", import.meta.url));
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** The tarball of a package, as `cargo xtask dist` made it. */
export function tarball(name) {
  const folder = process.env.SMALLFIRST_DIST ?? join(root, "target/dist");
  const file = readdirSync(folder).find((file) => new RegExp(`^${name}-\\d.*\\.tgz$`).test(file));
  if (!file) throw new Error(`${folder} has no ${name}: run cargo xtask dist`);
  return join(folder, file);
}

/** An empty project with both packages, and those of `linked` that this folder has installed. It goes when the test ends. */
export function project(t, linked = []) {
  const folder = mkdtempSync(join(tmpdir(), "smallfirst-place-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
  // As npm does it, without asking a registry: the packages have no dependencies.
  for (const name of ["smallfirst", "smallfirst-models"]) {
    const target = join(folder, "node_modules", name);
    mkdirSync(target, { recursive: true });
    execFileSync("tar", ["-xzf", tarball(name), "-C", target, "--strip-components", "1"]);
  }
  for (const name of linked) {
    const target = join(folder, "node_modules", name);
    mkdirSync(join(target, ".."), { recursive: true });
    symlinkSync(join(here, "node_modules", name), target);
  }
  return folder;
}

/** Runs a command in a folder, and gives what it prints. A failure has what it said on standard error. */
export async function run(folder, command, ...args) {
  const { stdout } = await runFile(command, args, { cwd: folder, maxBuffer: 1 << 28 });
  return stdout;
}

/** How a command fails: its exit code and what it says. */
export async function fails(folder, command, ...args) {
  return runFile(command, args, { cwd: folder }).then(
    ({ stdout }) => {
      throw new Error(`${command} ${args.join(" ")} did not fail: ${stdout}`);
    },
    ({ code, stderr }) => ({ code, stderr }),
  );
}

/** A copy of a bundle with the task `meaning`, which makes vectors of texts. It goes when the test ends. */
export function withVectors(t, bundle) {
  const folder = mkdtempSync(join(tmpdir(), "smallfirst-vectors-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(bundle, folder, { recursive: true });
  const command = process.env.SMALLFIRST_BIN ?? join(root, "target/debug/smallfirst");
  execFileSync(command, ["add-vectors", folder, "--task", "meaning", "--encoder", "static-text"]);
  return `${folder}/`;
}

/** A port that nothing listens on. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
