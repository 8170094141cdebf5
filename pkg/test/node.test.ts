import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { InThreadWorker } from "../src/in-thread-worker.js";
import { AROUND, NODE } from "../src/node/place.js";
import type { FromWorker, Request } from "../src/protocol.js";
import type { Build, Surroundings } from "../src/serve.js";
import type { Runtime } from "../src/wasm/prepared.js";
import { VERSION } from "../src/version.js";
import { answer, refused, settle, until } from "./fakes.js";

const START: Request = {
  type: "start",
  version: VERSION,
  options: { bundle: "file:///models/manifest.json" },
  storage: { name: "smallfirst", files: true },
  wasm: undefined,
  preload: [],
  hooks: { headers: false, consent: false, page: false, progress: false, drift: false },
  archive: undefined,
  legacy: undefined,
};

const RUN = { type: "run", task: "spam", input: "Buy now", options: {} } as const;

/** An engine that the test plays, as it is loaded. */
function build(engine: Partial<Runtime>): Build {
  const played = {
    changes: () => [],
    unwritten: () => false,
    manifestSha256: () => "m1",
    tasks: () => [],
    free: () => {},
    ...engine,
  };
  return {
    name: "prepared",
    init: async () => undefined,
    Runtime: { create: async () => played } as unknown as typeof Runtime,
    baseline: new URL("file:///prepared.wasm"),
    relaxed: new URL("file:///prepared-relaxed.wasm"),
  };
}

const NOTHING: Omit<Surroundings, "post"> = {
  strings: () => ({ update: async () => {} }),
  files: () => undefined,
  resource: async () => new Response("the manifest"),
  module: async () => new Uint8Array(),
};

/** A worker in this thread, and what it says. */
function worker(made: Promise<Build>) {
  const said: FromWorker[] = [];
  const failures: string[] = [];
  let dead = 0;
  const one = new InThreadWorker(made, NOTHING, () => dead++);
  one.addEventListener("message", ({ data }) => void said.push(data));
  one.addEventListener("error", ({ message }) => void failures.push(message));
  const ask = async (id: number, request: Request): Promise<FromWorker> => {
    one.postMessage({ type: "request", id, request });
    const isIt = (message: FromWorker): boolean => "id" in message && message.id === id;
    await until(() => said.some(isIt));
    return said.find(isIt)!;
  };
  return { one, said, failures, ask, deaths: () => dead };
}

test("an engine in this thread answers as a worker does, in order, also what was said before it was loaded", async () => {
  let loaded: (made: Build) => void = () => {};
  const { ask } = worker(new Promise<Build>((resolve) => (loaded = resolve)));
  const start = ask(1, START);
  const run = ask(2, RUN);
  loaded(build({ run: async () => answer("spam") }));
  assert.deepEqual(await start, { type: "done", id: 1, value: undefined });
  // What came right behind the start found no engine yet; a connection waits for the start.
  assert.equal((await run).type, "failed");
  assert.deepEqual(await ask(3, RUN), { type: "done", id: 3, value: answer("spam") });
});

test("what cannot be sent is refused, and what is sent is a copy", async () => {
  const given: unknown[] = [];
  const { one, ask } = worker(Promise.resolve(build({ run: async (_, input) => (given.push(input), answer("x")) })));
  await ask(1, START);
  const bad = { ...RUN, options: { topK: () => 1 } } as unknown as Request;
  assert.throws(() => one.postMessage({ type: "request", id: 2, request: bad }), { name: "DataCloneError" });
  const bytes = new Uint8Array([1, 2]);
  const asked = ask(3, { ...RUN, input: bytes });
  bytes[0] = 9;
  await asked;
  assert.deepEqual(given, [new Uint8Array([1, 2])]);
});

test("an engine that cannot be loaded is told, and one that stops is counted", async () => {
  const missing = worker(Promise.reject(new Error("no such file")));
  await until(() => missing.failures.length === 1);
  assert.deepEqual(missing.failures, ["the engine could not be loaded: no such file"]);
  const trap = new WebAssembly.RuntimeError("unreachable");
  const stopped = worker(Promise.resolve(build({ run: () => Promise.reject(trap) })));
  await stopped.ask(1, START);
  stopped.one.postMessage({ type: "request", id: 2, request: RUN });
  await until(() => stopped.said.some(({ type }) => type === "dead"));
  assert.equal(stopped.deaths(), 1);
});

test("an engine that is ended gives its memory back, once its calls have ended, and says nothing more", async () => {
  let freed = 0;
  let end: () => void = () => {};
  let aborted: AbortSignal | undefined;
  const run: Runtime["run"] = (_, __, ___, signal) => {
    aborted = signal;
    return new Promise((resolve) => (end = () => resolve(answer("late"))));
  };
  const { one, said, ask } = worker(Promise.resolve(build({ run, free: () => void freed++ })));
  await ask(1, START);
  one.postMessage({ type: "request", id: 2, request: RUN });
  await until(() => aborted !== undefined);
  one.terminate();
  await settle();
  assert.deepEqual([freed, aborted?.aborted], [0, true]);
  end();
  await until(() => freed === 1);
  assert.ok(!said.some((message) => "id" in message && message.id === 2));
});

test("addresses are relative to the folder that the process was started in, and a remote's is whole", () => {
  assert.equal(NODE.absolute("bundle", "models/").href, pathToFileURL(join(process.cwd(), "models/")).href);
  assert.equal(NODE.absolute("bundle", "/srv/models/").href, "file:///srv/models/");
  assert.equal(NODE.absolute("bundle", "https://site.example/m/").href, "https://site.example/m/");
  assert.match(NODE.absolute("bundle", "C:\\models\\").href, /^file:/);
  const { code, message } = refused(() => NODE.absolute("remote.baseUrl", "/llm/v1"));
  assert.equal(code, "invalid_option");
  assert.match(message, /name the server/);
});

test("files are given as a server would give them, and others are left to fetch", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "smallfirst-node-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const text = "x".repeat(3_000_000);
  writeFileSync(join(folder, "a b.bin"), text);
  const at = (name: string): string => pathToFileURL(join(folder, name)).href;
  const found = await AROUND.resource!(`${at("a b.bin")}?version=2`);
  assert.equal(found!.status, 200);
  assert.equal(found!.headers.get("content-length"), "3000000");
  assert.equal(await found!.text(), text);
  const part = (await AROUND.resource!(at("a b.bin")))!.body!.getReader();
  assert.ok((await part.read()).value!.length <= 1024 * 1024);
  await part.cancel();
  for (const name of ["missing", "a b.bin/inside", ""]) assert.equal((await AROUND.resource!(at(name)))!.status, 404);
  assert.equal(AROUND.resource!("https://site.example/models/manifest.json"), undefined);
});

test("strings are shared by all who keep them under a name, and by nobody else", async () => {
  const [one, other] = [AROUND.strings("node-test"), AROUND.strings("node-test")];
  await one.update("k", (before) => `${before} and more`);
  let seen: string | undefined;
  await other.update("k", (before) => {
    seen = before;
    return undefined;
  });
  assert.equal(seen, "undefined and more");
  await one.update("k", (before) => {
    seen = before;
    return "kept";
  });
  assert.equal(seen, undefined);
  await AROUND.strings("node-test-2").update("k", (before) => {
    seen = before;
    return before;
  });
  assert.equal(seen, undefined);
});
