import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Connection } from "../src/connection.js";
import { SmallFirstError } from "../src/errors.js";
import { WorkerPool } from "../src/worker-pool.js";
import type { Delegated, Request, Sharing, WireInput, WireItem } from "../src/protocol.js";
import type { Adoption, RuntimeOptions, RuntimeRunOptions } from "../src/wire.js";
import type { Answer } from "../src/types.js";
import { VERSION } from "../src/version.js";
import { type FakeWorker, answer, never, settle, setup, until, workers } from "./fakes.js";

type Told = WireInput | Delegated;

/** How the workers of a test behave. The first one is number 0. */
interface Behaviour {
  options?: Partial<RuntimeOptions>;
  /** How many helpers there are. */
  count?: number;
  /** What the first worker says before a batch is shared. */
  sharing?: () => Sharing;
  /** What a worker says of an input. */
  answers?: (input: WireInput, worker: number) => Answer;
  /** Comes before whatever a worker does. */
  before?: (request: Request, worker: number, made: FakeWorker[]) => unknown;
  /** Whether the first worker takes an answer over. */
  adopts?: (told: Delegated) => boolean;
}

function isElsewhere(input: Told): input is Delegated {
  return typeof input === "object" && "answer" in input;
}

/** A first worker and its helpers, which do as src/serve.ts does. */
function team(t: TestContext, behaviour: Behaviour = {}) {
  const { options, count = 3, sharing = () => ({ manifest: "m1", alarmed: false }), adopts = () => true } = behaviour;
  const { answers = (input, worker) => answer(`${input as string} of ${worker}`), before = () => {} } = behaviour;
  const { made, spawn } = workers(async (request, one) => {
    const worker = made.indexOf(one);
    await before(request, worker, made);
    if (request.type === "share") return sharing();
    if (request.type !== "runBatch") return undefined;
    const items: (WireItem | Adoption)[] = [];
    for (const input of request.inputs) {
      if (!isElsewhere(input)) items.push({ ok: true, answer: answers(input, worker) });
      else if (adopts(input)) items.push({ audit: { id: 7, chance: 0.4, local: null } });
      else break;
    }
    return items;
  });
  const given = setup(spawn, options);
  const first = new Connection(given);
  const helpers = new WorkerPool(first, given, count);
  t.after(() => {
    first.close();
    helpers.close();
  });
  const share = (
    inputs: WireInput[],
    how: RuntimeRunOptions = {},
    signal?: AbortSignal,
  ): Promise<WireItem[] | undefined> => helpers.share({ type: "runBatch", task: "spam", inputs, options: how }, signal);
  return { made, share, helpers, first };
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

/** The labels of items. */
function labels(items: WireItem[] | undefined): string[] {
  return (items ?? assert.fail("it was not shared")).map((item) =>
    item.ok ? item.answer.output.label : item.error.code,
  );
}

/** The number of the worker in a label. */
function by(label: string): string {
  return label.split(" ")[2]!;
}

/** The parts that a worker was given, each by its inputs. */
function parts(worker: FakeWorker | undefined): Told[][] {
  return worker?.requests("runBatch").map(({ inputs }) => inputs) ?? [];
}

/** What the first worker was told of others' answers. */
function elsewhere(made: FakeWorker[]): Delegated[] {
  return parts(made[0]).flat().filter(isElsewhere);
}

/** Has the first worker wait with inputs of its own until so many helpers have a part. */
function patient(helpers: number): NonNullable<Behaviour["before"]> {
  return async (request, worker, made) => {
    if (worker !== 0 || request.type !== "runBatch" || request.inputs.some(isElsewhere)) return;
    await until(() => made.slice(1).filter((helper) => parts(helper).length > 0).length >= helpers);
  };
}

const REMOTE: Partial<RuntimeOptions> = { remote: { endpoints: [{ provider: "openai" }] } };

test("every worker has a part of a batch, and its items come in the order of its inputs", async (t) => {
  const { made, share } = team(t, { before: patient(3) });
  const items = labels(await share(numbers(100)));
  assert.deepEqual(
    items.map((label) => label.split(" ")[0]),
    numbers(100),
  );
  assert.deepEqual([...new Set(items.map(by))].sort(), ["0", "1", "2", "3"]);
  assert.equal(made.length, 4);
  // The first one was told of all that others answered.
  assert.equal(elsewhere(made).length, items.filter((label) => by(label) !== "0").length);
});

test("what the first worker draws of others' answers to be audited is in their items", async (t) => {
  const { share } = team(t, { before: patient(3) });
  const items = (await share(numbers(100)))!;
  for (const item of items) {
    assert.ok(item.ok);
    const own = by(item.answer.output.label) === "0";
    assert.deepEqual(item.answer.audit, own ? null : { id: 7, chance: 0.4, local: null });
  }
});

test("each input is run once", async (t) => {
  const { made, share } = team(t, { before: patient(2) });
  await share(numbers(200));
  const run = made.flatMap((worker) => parts(worker).flat()).filter((input) => typeof input === "string");
  assert.deepEqual(
    run.map(Number).sort((a, b) => a - b),
    numbers(200).map(Number),
  );
});

test("many inputs are dealt at first, and single ones in the end", async (t) => {
  const { made, share } = team(t, { before: patient(3) });
  await share(numbers(1000));
  const dealt = made
    .flatMap(parts)
    .filter((part) => typeof part[0] === "string")
    .map((part) => ({ at: Number(part[0]), size: part.length }))
    .sort((a, b) => a.at - b.at);
  const sizes = dealt.map(({ size }) => size);
  assert.deepEqual([sizes[0], sizes.at(-1)], [32, 1]);
  assert.ok(
    sizes.every((size, i) => i === 0 || size <= sizes[i - 1]!),
    sizes.join(),
  );
});

test("there are no more helpers at work than inputs that the first worker can give away", async (t) => {
  const { made, share } = team(t, { before: patient(1) });
  await share(numbers(2));
  assert.deepEqual(
    made.map((worker) => parts(worker).length > 0),
    [true, true],
  );
});

test("helpers know the bundle by its hash, and neither remotes nor examples nor functions of the page", async (t) => {
  const { made, share } = team(t, {
    before: patient(3),
    options: { ...REMOTE, learn: {}, risk: 0.1, mode: "prefer-local" },
  });
  await share(numbers(10));
  const bundle = "https://site.example/models/manifest.json";
  for (const helper of made.slice(1)) {
    assert.deepEqual(helper.requests("start"), [
      {
        type: "start",
        version: VERSION,
        options: { bundle, risk: 0.1, mode: "prefer-local", manifestSha256: "m1" },
        storage: { name: "smallfirst", files: true },
        wasm: undefined,
        preload: [],
        hooks: { headers: false, consent: false, page: false, progress: false, drift: false },
        archive: undefined,
        legacy: undefined,
      },
    ]);
    assert.deepEqual(helper.requests("preload"), [{ type: "preload", tasks: ["spam"], firstTier: true }]);
  }
});

test("helpers have the engine that the first worker turned out to need", async (t) => {
  const patience = patient(1);
  const { made, share } = team(t, {
    count: 1,
    before: (request, worker, made) => {
      const onnx = made[worker]!.engine === "onnx";
      if (request.type === "start" && !onnx) throw new SmallFirstError("needs_onnx", "it has ONNX files");
      // The worker for prepared models is number 0, and the one that follows it the first.
      return patience(request, worker - 1, made.slice(1));
    },
  });
  await share(numbers(10));
  assert.deepEqual(
    made.map(({ engine }) => engine),
    ["prepared", "onnx", "onnx"],
  );
});

for (const [what, { options = {}, how, asked }] of Object.entries<{
  options?: Partial<RuntimeOptions>;
  how: RuntimeRunOptions;
  asked: RuntimeRunOptions;
}>({
  "as they were asked for, where nobody else could answer": {
    how: { topK: 2 },
    asked: { topK: 2, mode: "prefer-local" },
  },
  "as they were asked for, where nobody else may": {
    options: REMOTE,
    how: { mode: "only-local", risk: 0.2 },
    asked: { mode: "only-local", risk: 0.2 },
  },
  "on this device only, where a remote may be asked": {
    options: REMOTE,
    how: { mode: "prefer-local" },
    asked: { mode: "only-local" },
  },
  "on this device only, where an example may answer": {
    options: { learn: {} },
    how: {},
    asked: { mode: "only-local" },
  },
  "by the instance's mode": { options: { mode: "only-local" }, how: {}, asked: { mode: "only-local" } },
})) {
  test(`helpers answer ${what}`, async (t) => {
    const { made, share } = team(t, { options, count: 1, before: patient(1) });
    await share(numbers(10), how);
    assert.deepEqual(made[1]!.requests("runBatch")[0]!.options, { ...asked, alarmed: false });
    assert.deepEqual(made[0]!.requests("runBatch")[0]!.options, how);
  });
}

test("helpers are told of an alarm that the first worker's monitors raised", async (t) => {
  const { made, share } = team(t, { count: 1, before: patient(1), sharing: () => ({ manifest: "m1", alarmed: true }) });
  await share(numbers(10));
  assert.equal(made[1]!.requests("runBatch")[0]!.options.alarmed, true);
});

test("what helpers are not sure of is run by the first worker, where it may know more", async (t) => {
  const { made, share } = team(t, {
    options: REMOTE,
    count: 1,
    before: patient(1),
    answers: (input, worker) => {
      const sure = Number(input) % 2 === 0;
      return answer(`${input as string} of ${worker}`, sure ? {} : { reason: "low_confidence", guaranteed: false });
    },
  });
  const items = labels(await share(numbers(40)));
  assert.deepEqual(
    items.map((label) => label.split(" ")[0]),
    numbers(40),
  );
  for (const [i, label] of items.entries()) if (i % 2 === 1) assert.equal(by(label), "0", label);
  assert.ok(items.some((label) => by(label) === "1"));
  assert.ok(elsewhere(made).length > 0);
});

test("where nobody knows more, unsure answers of helpers count", async (t) => {
  const { share } = team(t, {
    count: 1,
    before: patient(1),
    answers: (input, worker) => answer(`${input as string} of ${worker}`, { reason: "low_confidence" }),
  });
  const items = labels(await share(numbers(40)));
  assert.ok(items.some((label) => by(label) === "1"));
});

test("an input that helpers fail at is run by the first worker, too, and has its error", async (t) => {
  const { made, spawn } = workers(async (request, worker) => {
    if (request.type === "share") return { manifest: "m1", alarmed: false };
    await patient(1)(request, made.indexOf(worker), made);
    if (request.type !== "runBatch") return undefined;
    const error = { code: "input_too_long", message: `worker ${made.indexOf(worker)}`, attempts: [] };
    return request.inputs.map(() => ({ ok: false, error }));
  });
  const given = setup(spawn);
  const first = new Connection(given);
  const helpers = new WorkerPool(first, given, 1);
  t.after(() => {
    first.close();
    helpers.close();
  });
  const items = await helpers.share({ type: "runBatch", task: "spam", inputs: numbers(10), options: {} }, undefined);
  const messages = items?.map((item) => (item.ok ? "" : item.error.message));
  assert.deepEqual(
    messages,
    numbers(10).map(() => "worker 0"),
  );
  assert.ok(parts(made[1]).length > 0);
});

/** What the first worker is told of a helper's answer. */
async function toldOf(
  t: TestContext,
  given: Answer,
  options: Partial<RuntimeOptions> = {},
  input: WireInput = "x",
): Promise<Delegated> {
  const { made, share } = team(t, { options, count: 1, before: patient(1), answers: () => given });
  await share([input, input]);
  return elsewhere(made)[0]!;
}

test("the first worker is told all that its monitors go by", async (t) => {
  const { attempts } = answer("x");
  const later = { ...attempts[0]!, confidence: 0.99 };
  const cases: Partial<Answer>[] = [
    {},
    { attempts: [...attempts, later] },
    { attempts: [{ ...attempts[0]!, confidence: null }, later] },
    { attempts: [] },
    { reason: "unsupported_language", guaranteed: false },
  ];
  for (const more of cases) {
    const { reason, guaranteed, risk, attempts } = answer("x", more);
    const told = { answer: { reason, guaranteed, risk, attempts }, bytes: 0 };
    assert.deepEqual(await toldOf(t, answer("x", more)), told);
  }
});

test("the first worker is told whether an answer is guaranteed", async (t) => {
  assert.equal((await toldOf(t, answer("x", { guaranteed: false }))).answer.guaranteed, false);
});

test("the first worker is told an input's length, where it counts what a remote would have cost", async (t) => {
  const cases: [WireInput, number][] = [
    ["four", 4],
    ["ä€", 5],
    ["\ud800", 3],
    [new Uint8Array(7), 7],
    [new Blob(["12345"]), 5],
    [{ error: { code: "input_kind", message: "it is none", attempts: [] } }, 0],
  ];
  for (const [input, bytes] of cases) {
    assert.equal((await toldOf(t, answer("x"), REMOTE, input)).bytes, bytes);
    assert.equal((await toldOf(t, answer("x"), {}, input)).bytes, 0);
  }
});

test("a helper that dies costs nothing but time, and is replaced for the next batch", async (t) => {
  let dies = true;
  const patience = patient(2);
  const { made, share } = team(t, {
    count: 2,
    before: (request, worker, made) => {
      if (worker === 1 && dies && request.type === "runBatch") {
        dies = false;
        made[1]!.crash("out of memory");
        return never();
      }
      return patience(request, worker, made);
    },
  });
  const items = labels(await share(numbers(60)));
  assert.deepEqual(
    items.map((label) => label.split(" ")[0]),
    numbers(60),
  );
  const [lost] = parts(made[1]);
  assert.ok(lost!.every((input) => by(items[Number(input)]!) === "0"));
  assert.deepEqual([made.length, made[1]!.ended], [3, true]);
  const again = labels(await share(numbers(60)));
  assert.deepEqual(
    again.map((label) => label.split(" ")[0]),
    numbers(60),
  );
  assert.equal(made.length, 4);
  assert.equal(made[3]!.requests("start").length, 1);
});

test("where helpers cannot start, the first worker does all", async (t) => {
  const { made, share } = team(t, {
    before: (request, worker) => {
      if (worker > 0 && request.type === "start") throw new SmallFirstError("hash_mismatch", "there is another bundle");
    },
  });
  const items = labels(await share(numbers(20)));
  assert.deepEqual(
    items,
    numbers(20).map((input) => `${input} of 0`),
  );
  await settle();
  assert.deepEqual(
    made.slice(1).map(({ ended }) => ended),
    [true, true, true],
  );
});

test("a helper that never starts holds nothing up", async (t) => {
  const { share } = team(t, { before: (_, worker) => (worker > 0 ? never() : undefined) });
  assert.deepEqual(
    labels(await share(numbers(20))),
    numbers(20).map((input) => `${input} of 0`),
  );
});

test("from an alarm on, the first worker sees for itself", async (t) => {
  let adopted = 0;
  const { made, share } = team(t, { count: 1, before: patient(1), adopts: () => ++adopted <= 3 });
  const items = labels(await share(numbers(400)));
  assert.deepEqual(
    items.map((label) => label.split(" ")[0]),
    numbers(400),
  );
  assert.equal(items.filter((label) => by(label) === "1").length, 3);
  // Nothing is dealt any more: what the helper had done by then is all that it did.
  await settle();
  assert.ok(parts(made[1]).flat().length < 200, String(parts(made[1]).flat().length));
});

test("bytes are copied to helpers, so that the first worker still has them", async (t) => {
  const patience = patient(1);
  const { made, share } = team(t, {
    count: 1,
    answers: (input) => answer(String((input as Uint8Array).length)),
    before: (request, worker, made) => {
      if (worker !== 1 || request.type !== "runBatch") return patience(request, worker, made);
      made[1]!.crash("out of memory");
      return never();
    },
  });
  const inputs = Array.from({ length: 12 }, (_, i) => new Uint8Array(i + 1));
  const items = labels(await share(inputs));
  assert.deepEqual(
    items,
    inputs.map((_, i) => String(i + 1)),
  );
  assert.ok(parts(made[1]).length > 0);
});

test("large inputs that the first worker runs move to it, and those of a helper stay until it is done", async (t) => {
  const { share } = team(t, {
    count: 1,
    before: patient(1),
    answers: (input, worker) => answer(`${(input as Uint8Array).length} of ${worker}`),
  });
  const inputs = Array.from({ length: 2 }, () => new Uint8Array(2 * 1024 * 1024));
  const items = labels(await share(inputs));
  const left = new Map(inputs.map((input, i) => [by(items[i]!), input.length]));
  assert.deepEqual([left.get("0"), left.get("1")], [0, 2 * 1024 * 1024]);
});

test("the first worker has one thing to do at a time, so that remotes are asked one question at a time", async (t) => {
  let now = 0;
  let most = 0;
  const { share } = team(t, {
    before: async (request, worker) => {
      if (worker !== 0 || request.type !== "runBatch") return;
      most = Math.max(most, ++now);
      for (let i = 0; i < 5; i++) await turn();
      now--;
    },
  });
  await share(numbers(100));
  assert.equal(most, 1);
});

test("an abort ends a shared batch at once, and every worker is told", async (t) => {
  const { made, share } = team(t, { before: ({ type }) => (type === "runBatch" ? never() : undefined) });
  const controller = new AbortController();
  const batch = share(numbers(100), {}, controller.signal);
  await until(() => made.length === 4 && made.every((worker) => parts(worker).length === 1));
  controller.abort(new Error("the user left"));
  await assert.rejects(batch, { message: "the user left" });
  await settle();
  for (const worker of made) assert.equal(worker.told.filter(({ type }) => type === "abort").length, 1);
  assert.deepEqual(
    made.map(({ ended }) => ended),
    [false, false, false, false],
  );
});

test("a batch that is aborted before it is shared asks nobody", async (t) => {
  const { made, share } = team(t);
  const controller = new AbortController();
  controller.abort();
  // The caller's own rejection is the facade's.
  assert.equal(await share(numbers(10), {}, controller.signal), undefined);
  assert.equal(made.length, 0);
});

test("when the first worker is closed, the batch is rejected and helpers do no more of it", async (t) => {
  const { made, share, first, helpers } = team(t, {
    before: ({ type }) => (type === "runBatch" ? never() : undefined),
  });
  const batch = share(numbers(100));
  await until(() => made.length === 4 && made.every((worker) => parts(worker).length === 1));
  first.close();
  helpers.close();
  await assert.rejects(batch, { code: "disposed" });
  await settle();
  assert.deepEqual(
    made.map(({ ended }) => ended),
    [true, true, true, true],
  );
});

test("the same helpers serve the next batch, until there is another bundle", async (t) => {
  let manifest = "m1";
  const { made, share } = team(t, { count: 1, before: patient(1), sharing: () => ({ manifest, alarmed: false }) });
  await share(numbers(10));
  await share(numbers(10));
  assert.equal(made.length, 2);
  manifest = "m2";
  await share(numbers(10));
  assert.deepEqual(
    made.map(({ ended }) => ended),
    [false, true, false],
  );
  assert.equal(made[2]!.requests("start")[0]!.options.manifestSha256, "m2");
});

for (const [what, { behaviour = {}, inputs = numbers(10), how = {} }] of Object.entries<{
  behaviour?: Behaviour;
  inputs?: string[];
  how?: RuntimeRunOptions;
}>({
  "there are no helpers": { behaviour: { count: 0 } },
  "it has one input": { inputs: ["0"] },
  "the remote is asked first": { how: { mode: "prefer-remote" } },
  "only the remote is asked": { behaviour: { options: { mode: "only-remote" } } },
})) {
  test(`a batch is the first worker's alone where ${what}`, async (t) => {
    const { made, share } = team(t, behaviour);
    assert.equal(await share(inputs, how), undefined);
    assert.equal(made.length, 0);
  });
}

test("a batch is the first worker's alone where its models cannot be loaded", async (t) => {
  const { made, share } = team(t, {
    sharing: () => {
      throw new SmallFirstError("unknown_task", "there is no such task");
    },
  });
  assert.equal(await share(numbers(10)), undefined);
  assert.equal(made.length, 1);
});
