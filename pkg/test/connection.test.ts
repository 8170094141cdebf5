import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { RemoteOptions } from "../src/api.js";
import { Connection, type Setup } from "../src/connection.js";
import { SmallFirstError } from "../src/errors.js";
import type { Request, ToWorker } from "../src/protocol.js";
import { Remotes } from "../src/remotes.js";
import type { Drift, ConsentRequest, Progress, Sent } from "../src/types.js";
import { type FakeWorker, isSettled, never, setup, settle, until, workers } from "./fakes.js";

type Answer = (request: Request, worker: FakeWorker, id: number) => unknown;

/** A connection to workers that start, and answer as the test says. */
function connected(t: TestContext, answer: Answer, more: Partial<Setup> = {}) {
  const { made, spawn } = workers((request, worker, id) =>
    request.type === "start" ? undefined : answer(request, worker, id),
  );
  const connection = new Connection({ ...setup(spawn), ...more });
  t.after(() => connection.close());
  const card = (task: string, signal?: AbortSignal): Promise<unknown> =>
    connection.call({ type: "card", task }, [], signal);
  return { connection, made, card };
}

/** The tasks of the cards that a worker was asked for. */
function cards(worker: FakeWorker | undefined): string[] {
  return worker?.requests("card").map(({ task }) => task) ?? [];
}

/** The messages of a kind that a worker was told. */
function told<T extends ToWorker["type"]>(worker: FakeWorker, type: T): Extract<ToWorker, { type: T }>[] {
  return worker.told.filter((message): message is Extract<ToWorker, { type: T }> => message.type === type);
}

function failed(message: string): { code: string; message: string } {
  return { code: "worker_failed", message };
}

const FRESH = " (the next call starts a fresh worker)";

test("one worker is started, and its answers find their calls in whatever order they come", async (t) => {
  const ends = new Map<string, () => void>();
  const { connection, made, card } = connected(t, (request) => {
    const { task } = request as Extract<Request, { type: "card" }>;
    return new Promise((resolve) => ends.set(task, () => resolve(`of ${task}`)));
  });
  await connection.ready(undefined);
  const calls = [card("a"), card("b")];
  await until(() => ends.size === 2);
  ends.get("b")!();
  assert.equal(await calls[1], "of b");
  assert.equal(await isSettled(calls[0]!), false);
  ends.get("a")!();
  assert.equal(await calls[0], "of a");
  assert.equal(made.length, 1);
  assert.deepEqual([made[0]!.engine, made[0]!.requests("start").length], ["prepared", 1]);
});

test("what a call fails with has its code and its attempts", async (t) => {
  const { card } = connected(t, () => {
    throw new SmallFirstError("unknown_task", "there is no such task");
  });
  await assert.rejects(card("a"), new SmallFirstError("unknown_task", "there is no such task"));
});

test("a failed start is told to all who wait for it, and not remembered", async (t) => {
  let starts = 0;
  const { made, spawn } = workers(() => {
    if (++starts === 1) throw new SmallFirstError("bundle_unreachable", "no answer");
    return "done";
  });
  const connection = new Connection(setup(spawn));
  t.after(() => connection.close());
  const waiting = [connection.ready(undefined), connection.call({ type: "tasks" }, [], undefined)];
  for (const one of waiting) await assert.rejects(one, new SmallFirstError("bundle_unreachable", "no answer"));
  assert.equal(made[0]!.ended, true);
  assert.equal(await connection.call({ type: "tasks" }, [], undefined), "done");
  assert.equal(made.length, 2);
});

test("a bundle that needs the larger engine gets it, and so does every later worker", async (t) => {
  const { made, spawn } = workers((request, { engine }) => {
    if (request.type === "start" && engine === "prepared") throw new SmallFirstError("needs_onnx", "it has ONNX files");
    return engine;
  });
  const connection = new Connection(setup(spawn));
  t.after(() => connection.close());
  assert.equal(await connection.call({ type: "tasks" }, [], undefined), "onnx");
  assert.deepEqual(
    [connection.engine, made.map(({ engine, ended }) => [engine, ended])],
    [
      "onnx",
      [
        ["prepared", true],
        ["onnx", false],
      ],
    ],
  );
  made[1]!.crash("it broke");
  assert.equal(await connection.call({ type: "tasks" }, [], undefined), "onnx");
  assert.deepEqual(
    made.map(({ engine }) => engine),
    ["prepared", "onnx", "onnx"],
  );
});

test("an engine that was named stays", async (t) => {
  const { made, spawn } = workers(() => {
    throw new SmallFirstError("needs_onnx", "it has ONNX files");
  });
  const connection = new Connection({ ...setup(spawn), engine: "prepared" });
  t.after(() => connection.close());
  await assert.rejects(connection.ready(undefined), new SmallFirstError("needs_onnx", "it has ONNX files"));
  assert.deepEqual([connection.engine, made.length], ["prepared", 1]);
});

test("a worker that cannot be made is told, with the way on where there is an instance", async (t) => {
  let broken = true;
  const { made, spawn } = workers(() => "done");
  const connection = new Connection(
    setup((engine) => {
      if (broken) throw new Error("the script may not run");
      return spawn(engine);
    }),
  );
  t.after(() => connection.close());
  const why = "the worker could not be made: the script may not run";
  await assert.rejects(connection.ready(undefined), failed(why));
  broken = false;
  await connection.ready(undefined);
  broken = true;
  made[0]!.crash("it broke");
  await assert.rejects(connection.call({ type: "tasks" }, [], undefined), failed(`${why}${FRESH}`));
  broken = false;
  assert.equal(await connection.call({ type: "tasks" }, [], undefined), "done");
});

test("outside a browser there are no workers, and it says so", async (t) => {
  const connection = new Connection({ ...setup(() => assert.fail()), spawn: undefined });
  t.after(() => connection.close());
  const why =
    'the worker could not be made: there are no workers here: a service worker imports smallfirst/in-thread, and tests outside of a browser take the condition "node"';
  await assert.rejects(connection.ready(undefined), failed(why));
});

test("a script that does not load is told from one that throws", async (t) => {
  const words: [string, string][] = [
    ["", "the worker's script could not be loaded: check where it is, and the page's Content-Security-Policy"],
    ["x is not defined", "x is not defined"],
  ];
  for (const [message, why] of words) {
    const { made, spawn } = workers(never);
    const connection = new Connection(setup(spawn));
    t.after(() => connection.close());
    const starting = connection.ready(undefined);
    made[0]!.crash(message);
    await assert.rejects(starting, failed(why));
  }
});

test("calls that lost their worker run again one at a time, and the one to blame loses only itself", async (t) => {
  const { connection, made, card } = connected(t, (request, worker) => {
    // The second worker dies of the first call again; the third answers.
    return made.indexOf(worker) < 2 ? never() : `of ${(request as { task: string }).task}`;
  });
  await connection.ready(undefined);
  const calls = ["a", "b", "c"].map((task) => card(task));
  await until(() => cards(made[0]).length === 3);
  made[0]!.crash("out of memory");
  await until(() => cards(made[1]).length === 1);
  assert.deepEqual([cards(made[1]), made[0]!.ended], [["a"], true]);
  made[1]!.crash("out of memory");
  await assert.rejects(calls[0]!, failed(`out of memory${FRESH}`));
  assert.deepEqual(await Promise.all(calls.slice(1)), ["of b", "of c"]);
  assert.deepEqual([cards(made[2]), made.length], [["b", "c"], 3]);
});

test("a trap that the worker tells of ends it, too", async (t) => {
  const { connection, made, card } = connected(t, never);
  await connection.ready(undefined);
  const calls = [card("a")];
  for (const worker of [0, 1]) {
    await until(() => cards(made[worker]).length === 1);
    made[worker]!.say({ type: "dead", message: "the engine stopped: unreachable" });
  }
  await assert.rejects(calls[0]!, failed(`the engine stopped: unreachable${FRESH}`));
  assert.deepEqual(
    made.map(({ ended }) => ended),
    [true, true],
  );
});

test("a call that asked the page for something is not run again, since it may have been sent", async (t) => {
  const { connection, made, card } = connected(t, never);
  await connection.ready(undefined);
  const call = card("a");
  await until(() => cards(made[0]).length === 1);
  made[0]!.say({ type: "ask", ask: 1, question: { what: "headers", endpoint: 0 } });
  made[0]!.crash("it broke");
  await assert.rejects(call, failed(`it broke${FRESH}`));
  assert.equal(made.length, 1);
});

test("a call that gave text away is not run again", async (t) => {
  const { connection, made } = connected(t, (_, worker, id) => {
    worker.say({ type: "delta", id, text: "Hel" });
    return never();
  });
  await connection.ready(undefined);
  const given: string[] = [];
  const request = { type: "generate", task: "a", input: "x", options: {} } as const;
  const call = connection.call(request, [], undefined, (text) => given.push(text));
  await until(() => given.length === 1);
  made[0]!.crash("it broke");
  await assert.rejects(call, failed(`it broke${FRESH}`));
  assert.deepEqual(given, ["Hel"]);
});

test("a worker is told when the reader of a text wants more", async (t) => {
  const { connection, made } = connected(t, (_, worker, id) => {
    worker.say({ type: "delta", id, text: "Hel" });
    return never();
  });
  const more: (() => void)[] = [];
  const request = { type: "generate", task: "a", input: "x", options: {} } as const;
  const call = connection.call(request, [], undefined, (_, next) => more.push(next));
  call.catch(() => {});
  await until(() => more.length === 1);
  assert.deepEqual(told(made[0]!, "pull"), []);
  more[0]!();
  assert.equal(told(made[0]!, "pull").length, 1);
});

test("inputs up to a mebibyte are copied and may run again, larger ones move and may not", async (t) => {
  const { connection, made } = connected(t, never);
  await connection.ready(undefined);
  const run = (bytes: Uint8Array<ArrayBuffer>): Promise<unknown> =>
    connection.call({ type: "run", task: "a", input: bytes, options: {} }, [bytes.buffer], undefined);
  const small = new Uint8Array(1024 * 1024).fill(7);
  const large = new Uint8Array(1024 * 1024 + 1);
  const calls = [run(small), run(large)];
  calls[0]!.catch(() => {});
  await until(() => made[0]!.requests("run").length === 2);
  assert.deepEqual([small.length, large.length], [1024 * 1024, 0]);
  made[0]!.crash("it broke");
  await assert.rejects(calls[1]!, failed(`it broke${FRESH}`));
  await until(() => made[1]?.requests("run").length === 1);
  assert.deepEqual(made[1]!.requests("run")[0]!.input, small);
});

test("where nothing is to be repeated, lost calls are rejected", async (t) => {
  const { connection, made, card } = connected(t, never, { repeats: false });
  await connection.ready(undefined);
  const call = card("a");
  await until(() => cards(made[0]).length === 1);
  made[0]!.crash("it broke");
  await assert.rejects(call, failed(`it broke${FRESH}`));
  assert.equal(made.length, 1);
});

test("what cannot be sent to the worker is refused, and the instance goes on", async (t) => {
  const { connection, card } = connected(t, () => "done");
  const options = { instruction: (() => {}) as unknown as string };
  const refused = connection.call({ type: "run", task: "a", input: "x", options }, [], undefined);
  await assert.rejects(refused, { code: "invalid_option", message: /^the call cannot be sent to the worker: / });
  assert.equal(await card("a"), "done");
});

test("an abort rejects at once with its reason, and the worker is told", async (t) => {
  const { made, card } = connected(t, never);
  const controller = new AbortController();
  const call = card("a", controller.signal);
  await until(() => cards(made[0]).length === 1);
  controller.abort(new Error("the user left"));
  await assert.rejects(call, { message: "the user left" });
  assert.equal(told(made[0]!, "abort").length, 1);
  // It was aborted before, so nobody is asked.
  await assert.rejects(card("b", controller.signal), { message: "the user left" });
  assert.deepEqual(cards(made[0]), ["a"]);
});

test("a call that is aborted before its worker has started is never sent", async (t) => {
  let start = (_: unknown): void => {};
  const { made, spawn } = workers((request) =>
    request.type === "start" ? new Promise((resolve) => (start = resolve)) : "done",
  );
  const connection = new Connection(setup(spawn));
  t.after(() => connection.close());
  const controller = new AbortController();
  const call = connection.call({ type: "card", task: "a" }, [], controller.signal);
  await settle();
  controller.abort();
  await assert.rejects(call, { name: "AbortError" });
  start(undefined);
  assert.equal(await connection.call({ type: "card", task: "b" }, [], undefined), "done");
  assert.deepEqual([cards(made[0]), told(made[0]!, "abort")], [["b"], []]);
});

test("a worker that does not hear of an abort for five seconds is ended, and the other calls run again", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { connection, made, card } = connected(t, (request, worker) =>
    made.indexOf(worker) === 0 ? never() : `of ${(request as { task: string }).task}`,
  );
  await connection.ready(undefined);
  const controller = new AbortController();
  const aborted = card("a", controller.signal);
  const other = card("b");
  await until(() => cards(made[0]).length === 2);
  made[0]!.hears = false;
  controller.abort();
  await assert.rejects(aborted, { name: "AbortError" });
  t.mock.timers.tick(4999);
  await settle();
  assert.equal(made[0]!.ended, false);
  t.mock.timers.tick(1);
  assert.equal(made[0]!.ended, true);
  assert.equal(await other, "of b");
});

test("each abort has its own five seconds, and a worker that hears goes on", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { connection, made, card } = connected(t, never);
  await connection.ready(undefined);
  made[0]!.hears = false;
  for (const task of ["a", "b", "c"]) {
    const controller = new AbortController();
    const call = card(task, controller.signal);
    await settle();
    controller.abort();
    await assert.rejects(call, { name: "AbortError" });
    t.mock.timers.tick(4000);
    // It was busy for so long.
    const [abort] = told(made[0]!, "abort").slice(-1);
    made[0]!.say({ type: "heard", id: abort!.id });
    await settle();
  }
  t.mock.timers.tick(60_000);
  assert.deepEqual([made.length, made[0]!.ended], [1, false]);
});

test("the five seconds of an abort begin when the one before it was heard", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { connection, made, card } = connected(t, never);
  await connection.ready(undefined);
  made[0]!.hears = false;
  for (const task of ["a", "b"]) {
    const controller = new AbortController();
    const call = card(task, controller.signal);
    await settle();
    controller.abort();
    await assert.rejects(call, { name: "AbortError" });
  }
  t.mock.timers.tick(4000);
  made[0]!.say({ type: "heard", id: told(made[0]!, "abort")[0]!.id });
  t.mock.timers.tick(5000);
  assert.equal(made[0]!.ended, false);
  t.mock.timers.tick(1000);
  assert.equal(made[0]!.ended, true);
});

test("closing rejects what waits, ends the worker, and refuses what comes later", async (t) => {
  const { connection, made, card } = connected(t, never);
  await connection.ready(undefined);
  const call = card("a");
  await until(() => cards(made[0]).length === 1);
  connection.close();
  const disposed = { code: "disposed", message: "this instance was disposed of" };
  await assert.rejects(call, disposed);
  await assert.rejects(card("b"), disposed);
  await assert.rejects(connection.ready(undefined), disposed);
  assert.throws(() => connection.assertOpen(), disposed);
  assert.deepEqual([made.length, made[0]!.ended], [1, true]);
});

test("closing while the worker starts rejects those who wait for it", async (t) => {
  const { spawn } = workers(never);
  const connection = new Connection(setup(spawn));
  t.after(() => connection.close());
  const starting = connection.ready(undefined);
  connection.close();
  await assert.rejects(starting, { code: "disposed" });
});

test("what a worker still says after it was given up is not heard", async (t) => {
  const progress: string[] = [];
  const onProgress = ({ status }: Progress): unknown => progress.push(status);
  const { connection, made } = connected(t, () => "done", { onProgress });
  await connection.ready(undefined);
  const event: Progress = { file: "a.sfm", status: "download", loaded: 0, total: 1 } as Progress;
  made[0]!.say({ type: "progress", event });
  made[0]!.crash("it broke");
  made[0]!.say({ type: "progress", event });
  made[0]!.crash("it broke again");
  assert.deepEqual(progress, ["download"]);
});

test("monitors of a bundle are handed to the next worker, each as it was last", async (t) => {
  const { connection, made } = connected(t, () => "done");
  const tasks = (): Promise<unknown> => connection.call({ type: "tasks" }, [], undefined);
  const monitor = (task: string, seen: number): { task: string } => Object.assign({ task }, { seen });
  await tasks();
  assert.equal(made[0]!.requests("start")[0]!.legacy, undefined);
  made[0]!.say({ type: "monitors", legacy: { manifest: "m1", monitors: [monitor("a", 1), monitor("b", 1)] } });
  made[0]!.say({ type: "monitors", legacy: { manifest: "m1", monitors: [monitor("a", 2)] } });
  made[0]!.crash("it broke");
  await tasks();
  const inherited = { manifest: "m1", monitors: [monitor("a", 2), monitor("b", 1)] };
  assert.deepEqual(made[1]!.requests("start")[0]!.legacy, inherited);
  // Those of another bundle watch another promise.
  made[1]!.say({ type: "monitors", legacy: { manifest: "m2", monitors: [monitor("c", 1)] } });
  made[1]!.crash("it broke");
  await tasks();
  assert.deepEqual(made[2]!.requests("start")[0]!.legacy, { manifest: "m2", monitors: [monitor("c", 1)] });
});

test("the worker's questions are answered by the page, and what it throws is told in words", async (t) => {
  const remote: RemoteOptions = {
    provider: "openai",
    baseUrl: "https://llm.example",
    headers: () => ({ authorization: "Bearer t" }),
  };
  const beforeRemote = (): never => {
    throw new Error("the dialog is closed");
  };
  const { connection, made } = connected(t, never, { remotes: new Remotes(remote, { beforeRemote }) });
  await connection.ready(undefined);
  made[0]!.say({ type: "ask", ask: 1, question: { what: "headers", endpoint: 0 } });
  made[0]!.say({ type: "ask", ask: 2, question: { what: "consent", outgoing: {} as ConsentRequest } });
  await until(() => told(made[0]!, "reply").length === 2);
  assert.deepEqual(
    told(made[0]!, "reply").sort((a, b) => a.ask - b.ask),
    [
      { type: "reply", ask: 1, reply: { value: { authorization: "Bearer t" } } },
      { type: "reply", ask: 2, reply: { error: "the dialog is closed" } },
    ],
  );
});

test("what is about to leave is written down before the worker may go on", async (t) => {
  const { made, spawn } = workers(() => "done");
  const given = setup(spawn);
  const connection = new Connection(given);
  t.after(() => connection.close());
  await connection.ready(undefined);
  const sent = { at: 1, task: "a", endpoint: "e", model: "m", bytes: 3, body: "abc", redactions: {} } satisfies Sent;
  made[0]!.say({ type: "ask", ask: 7, question: { what: "sent", requests: [sent, sent] } });
  await until(() => told(made[0]!, "reply").length === 1);
  assert.deepEqual(told(made[0]!, "reply"), [{ type: "reply", ask: 7, reply: { value: undefined } }]);
  assert.deepEqual(given.ledger.report(), { requests: 2, bytes: 6, sent: [sent, sent] });
});

test("a function of the page is called for the worker, line by line, until the worker wants no more", async (t) => {
  const signals: AbortSignal[] = [];
  const remote: RemoteOptions = {
    provider: "custom",
    run: async ({ input, signal }) => {
      signals.push(signal);
      if (input === "fail") throw new Error("it has no model");
      if (input === "wait") return never();
      return { label: input };
    },
  };
  const { connection, made } = connected(t, never, { remotes: new Remotes(remote, undefined) });
  await connection.ready(undefined);
  const page = (ask: number, input: string): void => {
    made[0]!.say({ type: "page", ask, call: { endpoint: 0, body: JSON.stringify({ input }) } });
  };
  page(1, "spam");
  await until(() => told(made[0]!, "pageEnd").length === 1);
  assert.deepEqual(told(made[0]!, "pageLine"), [{ type: "pageLine", ask: 1, line: '{"reply":{"label":"spam"}}' }]);
  page(2, "fail");
  await until(() => told(made[0]!, "pageError").length === 1);
  assert.deepEqual(told(made[0]!, "pageError"), [{ type: "pageError", ask: 2, error: "it has no model" }]);
  page(3, "wait");
  await until(() => signals.length === 3);
  assert.equal(signals[2]!.aborted, false);
  made[0]!.say({ type: "pageStop", ask: 3 });
  assert.equal(signals[2]!.aborted, true);
  page(4, "wait");
  await until(() => signals.length === 4);
  made[0]!.crash("it broke");
  assert.equal(signals[3]!.aborted, true);
});

test("drift is told to the page", async (t) => {
  const drifts: Drift[] = [];
  const onDrift = (drift: Drift): unknown => drifts.push(drift);
  const { connection, made } = connected(t, never, { onDrift });
  await connection.ready(undefined);
  const event = { task: "spam", watched: "inputs" } as Drift;
  made[0]!.say({ type: "drift", event });
  assert.deepEqual(drifts, [event]);
});

test("a worker that is gone without a word is noticed by those who wait", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { connection, made, card } = connected(t, never, { repeats: false });
  await connection.ready(undefined);
  const why = `the worker is gone, perhaps for lack of memory${FRESH}`;
  const lost = assert.rejects(card("a"), failed(why));
  await until(() => cards(made[0]).length === 1);
  made[0]!.say({ type: "held" });
  made[0]!.hears = false;
  for (let look = 0; look < 6; look++) {
    t.mock.timers.tick(1000);
    await settle();
  }
  await lost;
});
