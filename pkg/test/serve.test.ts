import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { SmallFirstError } from "../src/errors.js";
import type { Delegated, FromWorker, Modules, Monitors, Request, ToWorker } from "../src/protocol.js";
import { hasRelaxedSimd } from "../src/support.js";
import type { Runtime, RuntimeHooks } from "../src/wasm/prepared.js";
import { VERSION } from "../src/version.js";
import { answer, isSettled, never, settle, stub, until } from "./fakes.js";

let copies = 0;

/** The module anew: it is one worker. */
async function fresh(): Promise<typeof import("../src/serve.js")> {
  return (await import(`../src/serve.js?copy=${++copies}`)) as typeof import("../src/serve.js");
}

type Start = Extract<Request, { type: "start" }>;

const START: Start = {
  type: "start",
  version: VERSION,
  options: { bundle: "https://site.example/models/manifest.json" },
  storage: { name: "smallfirst", files: true },
  wasm: undefined,
  preload: [],
  hooks: { headers: false, consent: false, page: false, progress: false, drift: false },
  archive: undefined,
  legacy: undefined,
};

/** A worker whose engine the test plays. */
async function worker(t: TestContext, engine: Partial<Runtime> = {}, init: () => Promise<unknown> = async () => {}) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const said: FromWorker[] = [];
  const listeners = new Map<string, (event: object) => void>();
  stub(t, "postMessage", (message: FromWorker) => said.push(structuredClone(message)));
  stub(t, "addEventListener", (type: string, listener: (event: object) => void) => listeners.set(type, listener));
  stub(t, "fetch", async () => new Response("the manifest"));
  const modules: unknown[] = [];
  const created: { options: object; hooks: RuntimeHooks }[] = [];
  const played = {
    changes: () => [],
    unwritten: () => false,
    manifestSha256: () => "m1",
    ...engine,
  } as unknown as Runtime;
  const { serve } = await fresh();
  serve("prepared", {
    init: (given) => {
      modules.push(given?.module_or_path);
      return init();
    },
    Runtime: {
      create: async (options: object, hooks: RuntimeHooks) => {
        created.push({ options, hooks });
        return played;
      },
    } as unknown as typeof Runtime,
    baseline: new URL("https://site.example/prepared.wasm"),
    relaxed: new URL("https://site.example/prepared-relaxed.wasm"),
  });
  const tell = (message: ToWorker): void => listeners.get("message")!({ data: structuredClone(message) });
  let ids = 0;
  /** Begins a request; gives its id. */
  const begin = (request: Request): number => {
    tell({ type: "request", id: ++ids, request });
    return ids;
  };
  /** What a request ends with. */
  const end = async (id: number): Promise<unknown> => {
    const isEnd = (message: FromWorker): boolean =>
      (message.type === "done" || message.type === "failed") && message.id === id;
    await until(() => said.some(isEnd));
    const message = said.find(isEnd)!;
    return message.type === "done" ? message.value : { failed: (message as { error: object }).error };
  };
  const ask = (request: Request): Promise<unknown> => end(begin(request));
  const of = <T extends FromWorker["type"]>(type: T): Extract<FromWorker, { type: T }>[] =>
    said.filter((message): message is Extract<FromWorker, { type: T }> => message.type === type);
  const fail = (reason: unknown): void => listeners.get("unhandledrejection")!({ reason });
  return { said, of, tell, begin, end, ask, fail, modules, created };
}

function failure(code: string, message: string): object {
  return { failed: { code, message, attempts: [] } };
}

/** A trap, as WebAssembly throws it. */
function trap(): Error {
  return new WebAssembly.RuntimeError("unreachable");
}

const RUN = { type: "run", task: "spam", input: "Buy now", options: { topK: 1 } } as const;

/** An input that is a text. */
function text(input: unknown): string {
  assert.equal(typeof input, "string");
  return input as string;
}

test("a worker answers once it was started, and not before", async (t) => {
  const asked: unknown[][] = [];
  const { ask, created } = await worker(t, {
    run: async (...given) => {
      asked.push(given.slice(0, 3));
      return answer("spam");
    },
  });
  assert.deepEqual(await ask(RUN), failure("internal", "the worker was not started"));
  assert.equal(await ask(START), undefined);
  assert.deepEqual(created[0]!.options, START.options);
  assert.deepEqual(await ask(RUN), answer("spam"));
  assert.deepEqual(asked, [["spam", "Buy now", { topK: 1 }]]);
});

test("a worker of another version than the page's does not start", async (t) => {
  const { ask, created } = await worker(t);
  const { failed } = (await ask({ ...START, version: "9.9.9" })) as { failed: { code: string; message: string } };
  assert.equal(failed.code, "worker_failed");
  assert.match(failed.message, /smallfirst 9\.9\.9, and its worker of /);
  assert.deepEqual(created, []);
});

test("the engine gets the functions that the page has, and the caches where files are kept", async (t) => {
  const { ask, created } = await worker(t);
  await ask(START);
  assert.deepEqual(Object.keys(created[0]!.hooks).sort(), ["drift", "fetch", "files", "sent", "update"]);
  const hooks = { headers: true, consent: true, page: true, progress: true, drift: true };
  await ask({ ...START, storage: { name: "smallfirst", files: false }, hooks });
  assert.deepEqual(Object.keys(created[1]!.hooks).sort(), [
    "consent",
    "drift",
    "fetch",
    "headers",
    "page",
    "progress",
    "sent",
    "update",
  ]);
});

test("the engine gets the manifest that was requested before it was there", async (t) => {
  const { ask, created } = await worker(t);
  await ask(START);
  const response = await created[0]!.hooks.fetch!(START.options.bundle);
  assert.equal(await response!.text(), "the manifest");
});

test("the module is the one that suits the browser, wherever they are", async (t) => {
  const relaxed = await hasRelaxedSimd();
  const { ask, modules } = await worker(t);
  const given: Modules[] = [
    "https://cdn.example/wasm/",
    "https://cdn.example/own.wasm",
    { baseline: "https://cdn.example/b.wasm", relaxed: "https://cdn.example/r.wasm" },
  ];
  for (const wasm of [undefined, ...given]) await ask({ ...START, wasm });
  assert.deepEqual(modules.map(String), [
    relaxed ? "https://site.example/prepared-relaxed.wasm" : "https://site.example/prepared.wasm",
    relaxed ? "https://cdn.example/wasm/prepared-relaxed.wasm" : "https://cdn.example/wasm/prepared.wasm",
    "https://cdn.example/own.wasm",
    relaxed ? "https://cdn.example/r.wasm" : "https://cdn.example/b.wasm",
  ]);
});

test("a module that cannot be loaded is told as such", async (t) => {
  const { ask } = await worker(t, {}, () => Promise.reject(new TypeError("Failed to fetch")));
  const why = "the WebAssembly module could not be loaded: Failed to fetch";
  assert.deepEqual(await ask(START), failure("worker_failed", why));
});

test("monitors of the worker before go on, unless they are of another bundle", async (t) => {
  const resumed: Monitors[][] = [];
  const { ask } = await worker(t, { resume: (monitors) => void resumed.push(monitors) });
  await ask({ ...START, legacy: { manifest: "m2", monitors: [{ task: "spam" }] } });
  assert.deepEqual(resumed, []);
  await ask({ ...START, legacy: { manifest: "m1", monitors: [{ task: "spam" }] } });
  assert.deepEqual(resumed, [[{ task: "spam" }]]);
});

test("models that are fetched ahead are loaded without anybody waiting, and what fails there is no failure", async (t) => {
  const prepared: unknown[] = [];
  let fail = (_error: Error): void => {};
  const { ask, said } = await worker(t, {
    knows: () => true,
    preload: (tasks) => {
      prepared.push(tasks);
      return new Promise((_, reject) => (fail = reject));
    },
  });
  assert.equal(await ask({ ...START, preload: ["spam"] }), undefined);
  assert.deepEqual(prepared, [["spam"]]);
  fail(new Error("the server is gone"));
  await settle();
  assert.deepEqual(
    said.map(({ type }) => type),
    ["done"],
  );
});

test("a trap while models are loaded ahead ends the worker", async (t) => {
  const { ask, of } = await worker(t, { knows: () => true, preload: () => Promise.reject(trap()) });
  await ask({ ...START, preload: ["spam"] });
  await settle();
  assert.deepEqual(of("dead"), [{ type: "dead", message: "the engine stopped: unreachable" }]);
});

test("a task to fetch ahead that the bundle does not have is refused, with those that it has", async (t) => {
  const tasks = [{ id: "spam" }, { id: "mood" }] as ReturnType<Runtime["tasks"]>;
  const { ask } = await worker(t, { knows: (task) => task === "spam", tasks: () => tasks });
  const why = 'preload: the bundle has no task "spma"; its tasks are spam, mood';
  assert.deepEqual(await ask({ ...START, preload: ["spam", "spma"] }), failure("unknown_task", why));
});

const BATCH = { type: "runBatch", task: "spam", options: {} } as const;

test("a batch has an item an input, in their order, and a bad one loses nothing", async (t) => {
  const { ask } = await worker(t, {
    tasks: () => [],
    run: async (_task, input) => {
      if (input === "bad") throw new SmallFirstError("input_too_long", "it is too long");
      return answer(input instanceof Uint8Array ? [...input].join() : text(input));
    },
  });
  await ask(START);
  const none = { code: "input_kind", message: "it is no input", attempts: [] } as const;
  const inputs = ["a", "bad", { error: { ...none, attempts: [] } }, new Uint8Array([1, 2]), new Blob(["c"])];
  assert.deepEqual(await ask({ ...BATCH, inputs }), [
    { ok: true, answer: answer("a") },
    { ok: false, error: { code: "input_too_long", message: "it is too long", attempts: [] } },
    { ok: false, error: none },
    { ok: true, answer: answer("1,2") },
    { ok: true, answer: answer("99") },
  ]);
});

test("what another worker answered is taken over, up to the first that is not", async (t) => {
  const adopted: unknown[][] = [];
  const { ask } = await worker(t, {
    run: async (_task, input) => answer(text(input)),
    adopt: async (...given) => (adopted.push(given.slice(0, 3)) < 3 ? { audit: null } : null),
  });
  await ask(START);
  const { reason, guaranteed, risk, attempts } = answer("x");
  const theirs = { reason, guaranteed, risk, attempts };
  const elsewhere = (bytes: number): Delegated => ({ answer: theirs, bytes });
  const inputs = [elsewhere(1), "a", elsewhere(2), elsewhere(3), "b"];
  const added = { audit: null };
  assert.deepEqual(await ask({ ...BATCH, inputs }), [added, { ok: true, answer: answer("a") }, added]);
  assert.deepEqual(adopted, [
    ["spam", theirs, 1],
    ["spam", theirs, 2],
    ["spam", theirs, 3],
  ]);
});

test("an abort is heard between two inputs of a batch, and ends it there", async (t) => {
  const run: string[] = [];
  const { begin, end, ask, tell, of } = await worker(t, {
    run: async (_task, input, _options, signal) => {
      run.push(`${text(input)} ${signal.aborted}`);
      if (input === "b") tell({ type: "abort", id: 2 });
      return answer(text(input));
    },
  });
  await ask(START);
  const items = (await end(begin({ ...BATCH, inputs: ["a", "b", "c"] }))) as unknown[];
  assert.deepEqual([run, items.length], [["a false", "b false"], 2]);
  assert.deepEqual(of("heard"), [{ type: "heard", id: 2 }]);
  // Also where the call is over.
  tell({ type: "abort", id: 2 });
  assert.equal(of("heard").length, 2);
});

for (const [what, thrown] of [
  ["a trap", trap()],
  ["an end of the stack", new RangeError("Maximum call stack size exceeded")],
] as const) {
  test(`${what} is the end of the worker, and no answer of its call`, async (t) => {
    const { ask, begin, of } = await worker(t, { run: () => Promise.reject(thrown) });
    await ask(START);
    const dead = { type: "dead", message: `the engine stopped: ${thrown.message}` };
    begin(RUN);
    await until(() => of("dead").length === 1);
    begin({ ...BATCH, inputs: ["a", "b"] });
    await until(() => of("dead").length === 2);
    await settle();
    assert.deepEqual([of("dead"), of("failed")], [[dead, dead], []]);
  });
}

test("a trap that nobody waits for is the end of the worker, any other failure is not", async (t) => {
  const { fail, of } = await worker(t);
  fail(new Error("something else"));
  assert.deepEqual(of("dead"), []);
  fail(trap());
  assert.equal(of("dead").length, 1);
});

test("a text is given piece by piece, each when the reader wants it", async (t) => {
  const given: string[] = [];
  const { ask, begin, end, tell, of } = await worker(t, {
    generate: async (_task, _input, _options, _signal, deliver) => {
      for (const piece of ["Hel", "lo"]) {
        await deliver(piece);
        given.push(piece);
      }
      return { ...answer("x"), output: { text: "Hello", truncated: false } };
    },
  });
  await ask(START);
  const id = begin({ type: "generate", task: "summary", input: "x", options: {} });
  await settle();
  assert.deepEqual([of("delta"), given], [[{ type: "delta", id, text: "Hel" }], []]);
  tell({ type: "pull", id });
  await settle();
  assert.deepEqual([of("delta").map(({ text }) => text), given], [["Hel", "lo"], ["Hel"]]);
  tell({ type: "pull", id });
  assert.equal(((await end(id)) as { output: { text: string } }).output.text, "Hello");
});

test("monitors that changed are handed over before the answer that changed them", async (t) => {
  let changed: Monitors[] = [];
  const { ask, said } = await worker(t, {
    run: async () => {
      changed = [{ task: "spam" }];
      return answer("spam");
    },
    changes: () => changed.splice(0),
  });
  await ask(START);
  await ask(RUN);
  assert.deepEqual(
    said.slice(1).map(({ type }) => type),
    ["monitors", "done"],
  );
  assert.deepEqual(said[1], { type: "monitors", legacy: { manifest: "m1", monitors: [{ task: "spam" }] } });
});

test("a drift is told after the monitors that saw it, where the page wants to hear of it", async (t) => {
  const { ask, said, created } = await worker(t, { changes: () => [{ task: "spam" }] });
  const event = { task: "spam", watched: "inputs" } as Parameters<NonNullable<RuntimeHooks["drift"]>>[0];
  await ask({ ...START, hooks: { ...START.hooks, drift: true } });
  said.length = 0;
  created[0]!.hooks.drift!(event);
  assert.deepEqual(
    said.map(({ type }) => type),
    ["monitors", "drift"],
  );
  await ask(START);
  said.length = 0;
  created[1]!.hooks.drift!(event);
  assert.deepEqual(
    said.map(({ type }) => type),
    ["monitors"],
  );
});

test("what monitors saw is written once an answer is given, and then once a second at most", async (t) => {
  let seen = 0;
  let kept = 0;
  const { ask, said } = await worker(t, {
    run: async () => {
      seen++;
      return answer("spam");
    },
    unwritten: () => seen > 0,
    keep: async () => {
      // Whoever waits for the answer has it by now.
      assert.equal(said.at(-1)?.type, "done");
      seen = 0;
      kept++;
    },
  });
  await ask(START);
  assert.equal(kept, 0);
  for (let i = 0; i < 5; i++) await ask(RUN);
  await settle();
  assert.deepEqual([kept, seen], [1, 4]);
  t.mock.timers.tick(999);
  await settle();
  assert.equal(kept, 1);
  t.mock.timers.tick(1);
  await settle();
  assert.deepEqual([kept, seen], [2, 0]);
  // Nothing is written where nothing was seen, and after a calm at once.
  t.mock.timers.tick(60_000);
  await settle();
  assert.equal(kept, 2);
  await ask(RUN);
  assert.equal(kept, 3);
});

test("a storage that hangs delays no answer", async (t) => {
  let asked = 0;
  const { ask } = await worker(t, {
    run: async () => answer("spam"),
    unwritten: () => true,
    keep: () => {
      asked++;
      return never();
    },
  });
  await ask(START);
  for (let i = 0; i < 3; i++) assert.deepEqual(await ask(RUN), answer("spam"));
  assert.equal(asked, 1);
});

test("the page is told before something is written, so that the next worker does not write it again", async (t) => {
  const { ask, said, created } = await worker(t, { changes: () => [{ task: "spam" }] });
  await ask(START);
  said.length = 0;
  const written = created[0]!.hooks.update!("monitors/a/spam", () => undefined).catch(() => {});
  assert.deepEqual(
    said.map(({ type }) => type),
    ["monitors"],
  );
  await written;
});

test("an engine that stops while it writes is told of", async (t) => {
  const { ask, of } = await worker(t, {
    run: async () => answer("spam"),
    unwritten: () => true,
    keep: () => Promise.reject(trap()),
  });
  await ask(START);
  await ask(RUN);
  await settle();
  assert.equal(of("dead").length, 1);
});

test("what only the page has is asked of it, and each answer finds its question", async (t) => {
  const { ask, tell, of, created } = await worker(t);
  await ask({ ...START, hooks: { ...START.hooks, headers: true } });
  const { hooks } = created[0]!;
  const headers = [hooks.headers!(0), hooks.headers!(1)];
  const [first, second] = of("ask");
  assert.deepEqual(
    [first!.question, second!.question],
    [
      { what: "headers", endpoint: 0 },
      { what: "headers", endpoint: 1 },
    ],
  );
  tell({ type: "reply", ask: second!.ask, reply: { error: "nobody is signed in" } });
  await assert.rejects(headers[1]!, { message: "nobody is signed in" });
  assert.equal(await isSettled(headers[0]!), false);
  tell({ type: "reply", ask: first!.ask, reply: { value: { authorization: "Bearer t" } } });
  assert.deepEqual(await headers[0], { authorization: "Bearer t" });
  const written = hooks.sent!([]);
  assert.deepEqual(of("ask")[2]!.question, { what: "sent", requests: [] });
  assert.equal(await isSettled(written), false);
  tell({ type: "reply", ask: of("ask")[2]!.ask, reply: { value: undefined } });
  await written;
});

test("what a function of the page says is a body of lines, which ends, fails, or is no longer wanted", async (t) => {
  const { ask, tell, of, created } = await worker(t);
  await ask({ ...START, hooks: { ...START.hooks, page: true } });
  const call = (signal = new AbortController().signal) => {
    const body = created[0]!.hooks.page!(2, '{"input":"x"}', signal) as ReadableStream<Uint8Array<ArrayBuffer>>;
    return { text: new Response(body).text(), ask: of("page").at(-1)!.ask };
  };
  const good = call();
  assert.deepEqual(of("page")[0]!.call, { endpoint: 2, body: '{"input":"x"}' });
  tell({ type: "pageLine", ask: good.ask, line: '{"delta":"ä"}' });
  tell({ type: "pageLine", ask: good.ask, line: '{"reply":{}}' });
  tell({ type: "pageEnd", ask: good.ask });
  assert.equal(await good.text, '{"delta":"ä"}\n{"reply":{}}\n');
  // An abort after the end stops nothing.
  const late = new AbortController();
  const over = call(late.signal);
  tell({ type: "pageEnd", ask: over.ask });
  late.abort();
  assert.deepEqual([await over.text, of("pageStop")], ["", []]);
  const bad = call();
  tell({ type: "pageError", ask: bad.ask, error: "it has no model" });
  await assert.rejects(bad.text, { message: "it has no model" });
  const controller = new AbortController();
  const stopped = call(controller.signal);
  stopped.text.catch(() => {});
  controller.abort();
  assert.deepEqual(of("pageStop"), [{ type: "pageStop", ask: stopped.ask }]);
  // What still comes has nobody to go to.
  tell({ type: "pageLine", ask: stopped.ask, line: "late" });
  tell({ type: "pageEnd", ask: stopped.ask });
});

test("before a batch is shared, its models are loaded", async (t) => {
  const done: string[] = [];
  const { ask } = await worker(t, {
    preload: async (tasks) => void done.push(`prepared ${tasks?.join()}`),
    guaranteeEnded: async (task) => done.push(`ended ${task}`) > 0,
  });
  await ask(START);
  assert.deepEqual(await ask({ type: "share", task: "spam" }), { manifest: "m1", alarmed: true });
  assert.deepEqual(done, ["prepared spam", "ended spam"]);
});

test("a worker that is not busy says that it is there, and holds the lock that it is told of", async (t) => {
  const held: string[] = [];
  stub(t, "navigator", {
    locks: {
      request: async (name: string, hold: () => Promise<void>) => {
        held.push(name);
        await hold();
      },
    },
  });
  const { tell, begin, of } = await worker(t, { run: never });
  tell({ type: "ping" });
  assert.deepEqual(of("pong"), [{ type: "pong" }]);
  tell({ type: "life", lock: "mine" });
  assert.deepEqual(held, []);
  begin(RUN);
  await until(() => of("held").length === 1);
  assert.deepEqual(held, ["mine"]);
});

test("every other call reaches the engine as it is", async (t) => {
  const seen: unknown[][] = [];
  const note =
    (name: string) =>
    (...given: unknown[]): unknown => {
      seen.push([name, ...given.filter((one) => !(one instanceof AbortSignal))]);
      return `of ${name}`;
    };
  const names = [
    "usage",
    "clearAnswerCache",
    "learned",
    "examples",
    "forgetExamples",
    "tasks",
    "card",
    "drift",
    "reportOutcome",
  ];
  const engine = Object.fromEntries(names.map((name) => [name, note(name)]));
  const { ask } = await worker(t, { ...engine, preload: note("preload") as Runtime["preload"] });
  await ask(START);
  const requests: Request[] = [
    { type: "usage" },
    { type: "clearAnswerCache" },
    { type: "learned" },
    { type: "examples", task: undefined },
    { type: "forgetExamples", task: "spam" },
    { type: "tasks" },
    { type: "card", task: "spam" },
    { type: "drift", task: "spam" },
    { type: "reportOutcome", task: "spam", audit: 7, correct: false, label: "ham", local: "spam" },
    { type: "preload", tasks: ["spam"] },
    { type: "preload", tasks: ["spam"], firstTier: true },
  ];
  for (const request of requests) assert.equal(await ask(request), `of ${request.type}`);
  assert.deepEqual(seen, [
    ["usage"],
    ["clearAnswerCache"],
    ["learned"],
    ["examples", undefined],
    ["forgetExamples", "spam"],
    ["tasks"],
    ["card", "spam"],
    ["drift", "spam"],
    ["reportOutcome", "spam", 7, false, "ham", "spam"],
    ["preload", ["spam"], false],
    ["preload", ["spam"], true],
  ]);
});
