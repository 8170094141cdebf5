import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { SmallFirstError } from "../src/errors.js";
import { EVENTS } from "../src/events.js";
import type { SmallFirst } from "../src/api.js";
import type { Request } from "../src/protocol.js";
import { createSmallFirst } from "../src/smallfirst.js";
import { type Meter, toConsole, toOpenTelemetry, toTimeline } from "../src/trace.js";
import type { Drift, Sent } from "../src/types.js";
import { type FakeWorker, answer, refused, settle, stub, until, workers } from "./fakes.js";

const SENT: Sent = {
  at: 1,
  task: "spam",
  endpoint: "https://llm.example/v1",
  model: "m",
  bytes: 3,
  body: "abc",
  redactions: { email: 1 },
};

const REMOTE = answer("ham", {
  ranOn: "remote",
  tier: "m",
  reason: "low_confidence",
  timing: { totalMs: 40, loadMs: 0, inferMs: 1, remoteMs: 39 },
  usage: { inputTokens: 20, outputTokens: 4, costUsd: 0.001 },
  sent: [SENT],
});

/** An instance whose worker answers by the input: `remote`, a code of an error, or else locally. */
async function instance(t: TestContext): Promise<{ ai: SmallFirst; worker: FakeWorker }> {
  const one = (input: unknown) => (input === "remote" ? REMOTE : answer(String(input)));
  const { made, spawn } = workers((request: Request) => {
    if (request.type === "run") {
      if (request.input === "fails") throw new SmallFirstError("over_budget", "it is used up");
      return one(request.input);
    }
    if (request.type === "runBatch")
      return request.inputs.map((input) =>
        input === "fails"
          ? { ok: false, error: { code: "empty_input", message: "it is empty", attempts: [] } }
          : { ok: true, answer: one(input) },
      );
    return undefined;
  });
  const ai = await createSmallFirst({ bundle: "https://site.example/models/", worker: spawn });
  t.after(() => ai.dispose());
  return { ai, worker: made[0]! };
}

/** All that an instance tells, by its names. */
function listen(ai: SmallFirst): [string, unknown][] {
  const heard: [string, unknown][] = [];
  for (const type of EVENTS) ai.on(type, (event) => heard.push([type, event]));
  return heard;
}

test("every answer is told, with the call that it is of, and escalations once more", async (t) => {
  const { ai } = await instance(t);
  const heard = listen(ai);
  const local = await ai.run("spam", "ham");
  const remote = await ai.run("spam", "remote");
  await assert.rejects(ai.run("spam", "fails"));
  const error = new SmallFirstError("over_budget", "it is used up");
  assert.deepEqual(heard.splice(0), [
    ["answer", { task: "spam", call: "run", answer: local }],
    ["answer", { task: "spam", call: "run", answer: remote }],
    ["escalation", { task: "spam", call: "run", answer: remote }],
    ["failure", { task: "spam", call: "run", error }],
  ]);
  await ai.runBatch("spam", ["ham", "fails"]);
  assert.deepEqual(
    heard.map(([type, event]) => [type, (event as { call: string }).call]),
    [
      ["answer", "runBatch"],
      ["failure", "runBatch"],
    ],
  );
});

test("the panel for developers is imported anywhere, and says that it needs a page", async (t) => {
  const { ai } = await instance(t);
  const { mountDevtools } = await import("../src/devtools.js");
  assert.throws(() => mountDevtools(ai), {
    code: "invalid_option",
    message: "mountDevtools: it must be called in a page",
  });
});

test("an aborted call is no failure", async (t) => {
  const { ai } = await instance(t);
  const heard = listen(ai);
  await assert.rejects(ai.run("spam", "ham", { signal: AbortSignal.abort(new Error("enough")) }), /enough/);
  const controller = new AbortController();
  const call = ai.run("spam", "ham", { signal: controller.signal });
  controller.abort();
  await assert.rejects(call);
  await settle();
  assert.deepEqual(heard, []);
});

test("what leaves and what drifts is told as it happens, and a copy cannot change the ledger", async (t) => {
  const { ai, worker } = await instance(t);
  const heard = listen(ai);
  worker.say({ type: "ask", ask: 1, question: { what: "sent", requests: [SENT] } });
  const drift = { task: "spam", watched: "inputs" } as unknown as Drift;
  worker.say({ type: "drift", event: drift });
  await until(() => heard.length === 2);
  assert.deepEqual(heard, [
    ["egress", SENT],
    ["drift", drift],
  ]);
  (heard[0]![1] as Sent).body = "";
  assert.equal((await ai.egress()).sent[0]!.body, "abc");
});

test("a listener is told until it ends this, and one that throws affects nobody", async (t) => {
  const reported: unknown[] = [];
  stub(t, "reportError", (thrown: unknown) => reported.push(thrown));
  const { ai } = await instance(t);
  const heard: string[] = [];
  const broken = new Error("broken");
  ai.on("answer", () => {
    throw broken;
  });
  const stop = ai.on("answer", ({ answer: { tier } }) => heard.push(tier));
  assert.equal((await ai.run("spam", "ham")).output.label, "ham");
  stop();
  stop();
  await ai.run("spam", "ham");
  assert.deepEqual([heard, reported], [["tiny"], [broken, broken]]);
  const wrong = refused(() => ai.on("answers" as "answer", () => {}));
  assert.equal(wrong.code, "invalid_option");
  assert.match(wrong.message, /no event "answers"; the events are answer, escalation, failure, egress, drift/);
  assert.equal(refused(() => ai.on("answer", undefined as unknown as () => void)).code, "invalid_option");
});

test("the console gets a group an answer, and no content unless it is asked for", async (t) => {
  const { ai, worker } = await instance(t);
  const lines: string[] = [];
  const write =
    (kind: string) =>
    (...what: unknown[]): void =>
      void lines.push(`${kind} ${what.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join(" ")}`);
  const log = {
    groupCollapsed: write("("),
    groupEnd: write(")"),
    log: write("log"),
    table: write("table"),
    warn: write("warn"),
  };
  const stop = toConsole(ai, { console: log });
  await ai.run("spam", "remote");
  await assert.rejects(ai.run("spam", "fails"));
  worker.say({ type: "ask", ask: 1, question: { what: "sent", requests: [SENT] } });
  await until(() => lines.some((line) => line.includes("leave")));
  stop();
  await ai.run("spam", "ham");
  const text = lines.join("\n");
  assert.match(text, /^\( smallfirst spam: remote, low_confidence, 40\.0 ms\nlog It is sure\.\ntable .*"tier":"tiny"/);
  assert.match(text, /warn smallfirst spam: over_budget: it is used up\n\( smallfirst spam: 3 bytes leave for https/);
  assert.doesNotMatch(text, /abc|"label"|smallfirst spam: local/);
  toConsole(ai, { console: log, content: true });
  await ai.run("spam", "ham");
  assert.match(lines.join("\n"), /"label":"ham"/);
});

test("the timeline has a measure an answer, as long as it took, with why and where", async (t) => {
  const { ai } = await instance(t);
  performance.clearMeasures();
  const stop = toTimeline(ai);
  await ai.run("spam", "remote");
  stop();
  await ai.run("spam", "ham");
  const [measure, ...more] = performance.getEntriesByType("measure") as PerformanceMeasure[];
  assert.deepEqual(more, []);
  assert.equal(measure!.name, "smallfirst spam");
  assert.ok(Math.abs(measure!.duration - 40) < 1e-6);
  assert.deepEqual(measure!.detail, {
    task: "spam",
    on: "remote",
    reason: "low_confidence",
    tier: "m",
    guaranteed: true,
    degraded: false,
    cached: false,
  });
});

test("OpenTelemetry's meter counts answers, failures, requests, tokens and costs, without content", async (t) => {
  const { ai, worker } = await instance(t);
  const recorded: [string, number, object | undefined][] = [];
  const meter: Meter = {
    createCounter: (name) => ({ add: (value, attributes) => recorded.push([name, value, attributes]) }),
    createHistogram: (name) => ({ record: (value, attributes) => recorded.push([name, value, attributes]) }),
  };
  toOpenTelemetry(ai, meter);
  await ai.run("spam", "remote");
  await assert.rejects(ai.run("spam", "fails"));
  worker.say({ type: "ask", ask: 1, question: { what: "sent", requests: [SENT] } });
  await until(() => recorded.some(([name]) => name === "smallfirst.request.bytes"));
  const of = (name: string): unknown[] =>
    recorded.filter(([one]) => one === `smallfirst.${name}`).map(([, ...rest]) => rest);
  assert.deepEqual(of("tokens"), [
    [20, { task: "spam", type: "input" }],
    [4, { task: "spam", type: "output" }],
  ]);
  assert.deepEqual(of("cost"), [[0.001, { task: "spam" }]]);
  assert.deepEqual(of("duration"), [[40, { task: "spam", on: "remote" }]]);
  assert.deepEqual(of("failures"), [[1, { task: "spam", code: "over_budget" }]]);
  assert.deepEqual(of("request.bytes"), [[3, { task: "spam", model: "m" }]]);
  assert.equal(of("answers").length, 1);
  assert.doesNotMatch(JSON.stringify(recorded), /abc|ham/);
});
