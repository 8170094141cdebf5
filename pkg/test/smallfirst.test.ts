import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Options, SmallFirst } from "../src/api.js";
import { SmallFirstError } from "../src/errors.js";
import type { Request } from "../src/protocol.js";
import { createSmallFirst } from "../src/smallfirst.js";
import type { Answer, Drift } from "../src/types.js";
import { VERSION } from "../src/version.js";
import { type FakeWorker, answer, never, settle, stub, until, workers } from "./fakes.js";

const BUNDLE = "https://site.example/models/";

/** An instance whose workers answer as the test says. */
async function instance(
  t: TestContext,
  answers: (request: Request, worker: FakeWorker, id: number) => unknown = () => undefined,
  more: Partial<Options> = {},
): Promise<{ ai: SmallFirst; made: FakeWorker[] }> {
  const { made, spawn } = workers((request, worker, id) =>
    request.type === "start" ? undefined : answers(request, worker, id),
  );
  const ai = await createSmallFirst({ bundle: BUNDLE, worker: spawn, ...more });
  t.after(() => ai.dispose());
  return { ai, made };
}

test("an instance is there once its worker has started, with what it was told", async (t) => {
  const { made } = await instance(t, undefined, {
    preload: ["spam"],
    storage: "my-app",
    cache: "none",
    wasm: `${BUNDLE}wasm/`,
    onDrift: () => {},
  });
  assert.deepEqual(made[0]!.requests("start"), [
    {
      type: "start",
      version: VERSION,
      options: { bundle: `${BUNDLE}manifest.json`, remote: { endpoints: [], privacy: {} } },
      storage: { name: "my-app", files: false },
      wasm: `${BUNDLE}wasm/`,
      preload: ["spam"],
      hooks: { headers: false, consent: false, page: false, progress: false, drift: true },
      archive: undefined,
      legacy: undefined,
    },
  ]);
});

test("where the start fails, the creation rejects and leaves no worker", async () => {
  const { made, spawn } = workers(() => {
    throw new SmallFirstError("not_a_bundle", "it is no bundle");
  });
  await assert.rejects(
    createSmallFirst({ bundle: BUNDLE, worker: spawn }),
    new SmallFirstError("not_a_bundle", "it is no bundle"),
  );
  assert.deepEqual(
    made.map(({ ended }) => ended),
    [true],
  );
});

test("where the browser has no WebAssembly, nothing is started and it says so", async (t) => {
  const { made, spawn } = workers(never);
  stub(t, "WebAssembly", undefined);
  await assert.rejects(createSmallFirst({ bundle: BUNDLE, worker: spawn }), {
    code: "no_wasm_simd",
    message: /^this browser runs no WebAssembly: /,
  });
  stub(t, "WebAssembly", { validate: () => false });
  await assert.rejects(createSmallFirst({ bundle: BUNDLE, worker: spawn }), {
    code: "no_wasm_simd",
    message: /^this browser's WebAssembly has no SIMD, which the models need: /,
  });
  assert.equal(made.length, 0);
});

test("a creation that is aborted rejects with the signal's reason, and leaves no worker", async () => {
  const { made, spawn } = workers(never);
  const controller = new AbortController();
  const creating = createSmallFirst({ bundle: BUNDLE, worker: spawn, signal: controller.signal });
  await until(() => made.length === 1);
  controller.abort(new Error("the user left"));
  await assert.rejects(creating, { message: "the user left" });
  assert.equal(made[0]!.ended, true);
  await assert.rejects(createSmallFirst({ bundle: BUNDLE, worker: spawn, signal: controller.signal }), {
    message: "the user left",
  });
  assert.equal(made.length, 1);
});

test("a call reaches the worker as it was made, and its answer comes back", async (t) => {
  const { ai, made } = await instance(t, () => answer("spam"));
  assert.deepEqual(await ai.run("spam", "Buy now", { topK: 1, signal: new AbortController().signal }), answer("spam"));
  await ai.run("file-type", new Uint8Array([1, 2]).buffer);
  assert.deepEqual(made[0]!.requests("run"), [
    { type: "run", task: "spam", input: "Buy now", options: { topK: 1 } },
    { type: "run", task: "file-type", input: new Uint8Array([1, 2]), options: {} },
  ]);
});

test("what is wrong with a call is refused before anything is sent", async (t) => {
  const { ai, made } = await instance(t);
  const wrong: [Promise<unknown>, string, string][] = [
    [ai.run(5 as unknown as string, "x"), "invalid_option", "the task must be a string"],
    [
      ai.run("spam", 5 as unknown as string),
      "input_kind",
      "the input must be a string, a Uint8Array, an ArrayBuffer, a Blob, an image, { text, textPair }, { question, context }, a sound ({ samples, sampleRate }) or { row }",
    ],
    [ai.runBatch("spam", "abc"), "input_kind", "runBatch takes a list of inputs; run takes one"],
    [ai.runBatch("spam", 5 as unknown as string[]), "input_kind", "runBatch takes a list of inputs; run takes one"],
    [
      ai.generate("summary", "x", 5 as unknown as object).answer,
      "invalid_option",
      "generate: the options must be an object",
    ],
    [ai.card(5 as unknown as string), "invalid_option", "the task must be a string"],
    [ai.exportExamples(5 as unknown as string), "invalid_option", "the task must be a string"],
    [
      ai.reportOutcome(answer("x"), 1 as unknown as boolean),
      "invalid_option",
      "reportOutcome takes an answer, and whether it is correct or the label that is",
    ],
    [
      ai.reportOutcome(null as unknown as Answer, true),
      "invalid_option",
      "reportOutcome takes an answer, and whether it is correct or the label that is",
    ],
  ];
  for (const [call, code, message] of wrong) await assert.rejects(call, { name: "SmallFirstError", code, message });
  const aborted = AbortSignal.abort(new Error("the user left"));
  await assert.rejects(ai.run("spam", "x", { signal: aborted }), { message: "the user left" });
  await assert.rejects(ai.generate("spam", "x", { signal: aborted }).answer, { message: "the user left" });
  assert.equal(made[0]!.told.filter(({ type }) => type === "request").length, 1);
});

test("a batch takes any list, and gives an item an input with errors that are errors", async (t) => {
  const error = { code: "empty_input", message: "it is empty", attempts: [] };
  const { ai, made } = await instance(t, (request) => {
    return request.type === "runBatch"
      ? [
          { ok: true, answer: answer("a") },
          { ok: false, error },
        ]
      : undefined;
  });
  const items = await ai.runBatch("spam", new Set(["a", ""]));
  assert.deepEqual(items[0], { ok: true, answer: answer("a") });
  const { ok, error: given } = items[1] as { ok: false; error: unknown };
  assert.equal(ok, false);
  assert.ok(given instanceof SmallFirstError);
  assert.deepEqual([given.code, given.message], ["empty_input", "it is empty"]);
  await ai.runBatch("spam", [5 as unknown as string]);
  const none =
    "the input must be a string, a Uint8Array, an ArrayBuffer, a Blob, an image, { text, textPair }, { question, context }, a sound ({ samples, sampleRate }) or { row }";
  assert.deepEqual(
    made[0]!.requests("runBatch").map(({ inputs }) => inputs),
    [["a", ""], [{ error: { code: "input_kind", message: none, attempts: [] } }]],
  );
});

test("a text comes in pieces, and whoever stops reading aborts its call", async (t) => {
  const { ai, made } = await instance(t, (request, worker, id) => {
    if (request.type !== "generate") return undefined;
    worker.say({ type: "delta", id, text: "Hel" });
    if (request.input === "long") return never();
    worker.say({ type: "delta", id, text: "lo" });
    return { ...answer("x"), output: { text: "Hello", truncated: false } };
  });
  const stream = ai.generate("summary", "short", { variables: { question: "Who?" } });
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  assert.deepEqual([pieces, (await stream.answer).output.text], [["Hel", "lo"], "Hello"]);
  for await (const piece of ai.generate("summary", "long")) {
    assert.equal(piece, "Hel");
    break;
  }
  await settle();
  assert.equal(made[0]!.told.filter(({ type }) => type === "abort").length, 1);
  assert.deepEqual(made[0]!.requests("generate")[0]!.options, { variables: { question: "Who?" } });
});

test("an outcome is reported of an answer that was drawn, and of any other it is said that it does not count", async (t) => {
  const { ai, made } = await instance(t, ({ type }) => type === "reportOutcome");
  assert.equal(await ai.reportOutcome(answer("x"), true), false);
  const { audit: _audit, ...old } = answer("x");
  assert.equal(await ai.reportOutcome(old as Answer, true), false);
  assert.equal(made[0]!.requests("reportOutcome").length, 0);
  const local = answer("x", { audit: { id: 7, chance: 0.4, local: null } });
  assert.equal(await ai.reportOutcome(local, false), true);
  const remote = answer("x", { audit: { id: 8, chance: 0.1, local: "ham" } });
  for (const right of ["ham", remote.output.label, true]) assert.equal(await ai.reportOutcome(remote, right), true);
  const request = { type: "reportOutcome", task: "spam", audit: 8, label: undefined, local: "ham" };
  assert.deepEqual(made[0]!.requests("reportOutcome"), [
    { ...request, audit: 7, correct: false, local: undefined },
    { ...request, correct: false, label: "ham" },
    { ...request, correct: true, label: remote.output.label },
    { ...request, correct: true },
  ]);
});

test("a drift may be reported, stop the guarantee, or both", async (t) => {
  let notified = 0;
  const notify = (): void => void notified++;
  for (const [onDrift, action, told] of [
    [undefined, undefined, false],
    ["report", "report", false],
    ["stop", "stop", false],
    [notify, undefined, true],
    [{ action: "stop", notify }, "stop", true],
    [{ notify }, undefined, true],
    [{}, undefined, false],
  ] as const) {
    notified = 0;
    const { ai, made } = await instance(t, undefined, { onDrift });
    let heard = 0;
    ai.on("drift", () => heard++);
    made[0]!.say({ type: "drift", event: { task: "spam" } as Drift });
    const { options } = made[0]!.requests("start")[0]!;
    assert.deepEqual([options.onDrift, notified, heard], [action, told ? 1 : 0, 1]);
  }
});

test("what an instance is asked about itself is asked of its worker, and what left it knows itself", async (t) => {
  const { ai, made } = await instance(t, ({ type }) => `of ${type}`);
  const given: unknown[] = [
    await ai.usage(),
    await ai.learned(),
    await ai.exportExamples("spam"),
    await ai.tasks(),
    await ai.card("spam"),
    await ai.drift("spam"),
  ];
  assert.deepEqual(given, ["of usage", "of learned", "of examples", "of tasks", "of card", "of drift"]);
  await ai.clearAnswerCache();
  await ai.forgetExamples();
  await ai.preload(["spam"]);
  assert.deepEqual(made[0]!.requests("clearAnswerCache"), [{ type: "clearAnswerCache" }]);
  assert.deepEqual(made[0]!.requests("forgetExamples"), [{ type: "forgetExamples", task: undefined }]);
  assert.deepEqual(made[0]!.requests("preload"), [{ type: "preload", tasks: ["spam"] }]);
  assert.deepEqual(await ai.egress(), { requests: 0, bytes: 0, sent: [] });
});

test("an instance that was disposed of has no workers and answers nothing, however it was disposed of", async (t) => {
  const ways: ((ai: SmallFirst) => unknown)[] = [
    (ai) => ai.dispose(),
    (ai) => (ai as unknown as Record<symbol, () => void>)[Symbol.dispose]?.(),
    (ai) => (ai as unknown as Record<symbol, () => Promise<void>>)[Symbol.asyncDispose]?.(),
  ];
  for (const way of ways.slice(0, Symbol.asyncDispose === undefined ? 1 : 3)) {
    const { ai, made } = await instance(t);
    await way(ai);
    assert.equal(made[0]!.ended, true);
    for (const call of [ai.run("spam", "x"), ai.runBatch("spam", []), ai.egress(), ai.generate("s", "x").answer]) {
      await assert.rejects(call, { code: "disposed" });
    }
  }
});

test("with more workers, a batch is shared", async (t) => {
  const { ai, made } = await instance(
    t,
    async (request, worker) => {
      if (request.type === "share") return { manifest: "m1", alarmed: false };
      if (request.type !== "runBatch") return undefined;
      // The first one waits until the other has a part.
      if (worker === made[0]) await until(() => (made[1]?.requests("runBatch") ?? []).length > 0);
      return request.inputs.map((input) => {
        return typeof input === "string" ? { ok: true, answer: answer(input) } : { audit: null };
      });
    },
    { workers: 2 },
  );
  const items = await ai.runBatch("spam", ["a", "b", "c", "d"]);
  assert.deepEqual(
    items.map((item) => item.ok && item.answer.output.label),
    ["a", "b", "c", "d"],
  );
  assert.equal(made.length, 2);
});
