import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import type { GenerateOptions, Options, RunOptions } from "../src/api.js";
import {
  absolute,
  checkOptions,
  checkSignalOnly,
  engineOptions,
  engineRunOptions,
  engineTextOptions,
  modules,
  preloaded,
  storage,
  which,
  workers,
} from "../src/options.js";
import { Remotes } from "../src/remotes.js";
import { refused, stub } from "./fakes.js";

/** What `createSmallFirst` makes of its options, in its order. */
function made(given: unknown) {
  const options = given as Options;
  checkOptions(options);
  const remotes = new Remotes(options.remote, options.privacy);
  return {
    engine: engineOptions(options, remotes),
    modules: modules(options),
    preload: preloaded(options.preload),
    workers: workers(options.workers),
    which: which(options.engine),
    storage: storage(options),
  };
}

const BUNDLE = "https://site.example/models/";
const REMOTE = { provider: "openai", baseUrl: "https://llm.example/v1", model: "m" };

const KEYS =
  "bundle, mode, risk, excessRisk, worth, auditShare, onDrift, remote, learn, manifestSha256, maxBundleBytes, folder, policy, budget, privacy, answerCache, cache, " +
  "storage, onProgress, signal, worker, wasm, engine, preload, workers";
const REMOTE_KEYS =
  "provider, baseUrl, model, connectMs, firstByteMs, timeoutMs, maxInputBytes, accepts, maxTokens, maxTokensField, " +
  "temperature, structured, apiVersion, extraBody, idempotencyHeader, price, profile, headers, apiKey, " +
  "dangerouslyAllowBrowser, run, languages";
const ONE_ENGINE =
  "wasm names the modules of one engine: say which by `engine`, or give the folder (ending in a slash) that has those of both";
const A_NAME = 'storage must be a name of 1 to 64 characters out of a to z, 0 to 9 and "-", not';
const A_DRIFT = 'onDrift must be "report", "stop", a function, or { action, notify }, not';
const MANY = 'workers must be a whole number from 1 to 16, or "auto", not';

const WRONG: Record<string, [options: unknown, message: string]> = {
  "no options": [undefined, "createSmallFirst: the options must be an object"],
  "options that are null": [null, "createSmallFirst: the options must be an object"],
  "options that are a string": [BUNDLE, "createSmallFirst: the options must be an object"],
  "an unknown option": [
    { bundle: BUNDLE, mood: "good" },
    `createSmallFirst: there is no option "mood"; the options are ${KEYS}`,
  ],
  "an option that every object has": [
    { bundle: BUNDLE, constructor: 1 },
    `createSmallFirst: there is no option "constructor"; the options are ${KEYS}`,
  ],
  "a signal that is none": [
    { bundle: BUNDLE, signal: { aborted: false } },
    "createSmallFirst: signal must be an AbortSignal",
  ],
  "no bundle": [{}, "bundle must be an address, a string or a URL, not undefined"],
  "a bundle that is null": [{ bundle: null }, "bundle must be an address, a string or a URL, not null"],
  "a bundle that is a number": [{ bundle: 5 }, "bundle must be an address, a string or a URL, not of type number"],
  "a bundle that is no address": [{ bundle: "https://" }, "bundle is not an address: https://"],
  "a relative bundle outside a page": [{ bundle: "/models/" }, "bundle is not an address: /models/"],
  "onProgress that is no function": [{ bundle: BUNDLE, onProgress: true }, "onProgress must be a function"],
  "onDrift that says something else": [{ bundle: BUNDLE, onDrift: "log" }, `${A_DRIFT} log`],
  "onDrift that is null": [{ bundle: BUNDLE, onDrift: null }, `${A_DRIFT} null`],
  "onDrift with another action": [{ bundle: BUNDLE, onDrift: { action: "end" } }, `${A_DRIFT} end`],
  "onDrift with nobody to notify": [{ bundle: BUNDLE, onDrift: { notify: "me" } }, "onDrift.notify must be a function"],
  "onDrift with another option": [
    { bundle: BUNDLE, onDrift: { call: "me" } },
    'onDrift: there is no option "call"; the options are action, notify',
  ],
  "a worker that is no function": [{ bundle: BUNDLE, worker: {} }, "worker must be a function"],
  "a storage with capitals": [{ bundle: BUNDLE, storage: "MyApp" }, `${A_NAME} MyApp`],
  "a storage without a name": [{ bundle: BUNDLE, storage: "" }, `${A_NAME} `],
  "a storage with too long a name": [{ bundle: BUNDLE, storage: "a".repeat(65) }, `${A_NAME} ${"a".repeat(65)}`],
  "a storage that is a number": [{ bundle: BUNDLE, storage: 5 }, `${A_NAME} 5`],
  "a storage that is null": [{ bundle: BUNDLE, storage: null }, `${A_NAME} null`],
  "an unknown cache": [{ bundle: BUNDLE, cache: "session" }, 'cache must be "persistent" or "none", not session'],
  "an unknown engine": [{ bundle: BUNDLE, engine: "fast" }, 'engine must be "auto", "prepared" or "onnx", not fast'],
  "wasm that is true": [
    { bundle: BUNDLE, wasm: true },
    "wasm must be an address, a string or a URL, not of type boolean",
  ],
  "wasm that is null": [{ bundle: BUNDLE, wasm: null }, "wasm must be an address, a string or a URL, not null"],
  "one module for both engines": [{ bundle: BUNDLE, wasm: "https://site.example/prepared.wasm" }, ONE_ENGINE],
  "two modules for both engines": [
    { bundle: BUNDLE, wasm: { baseline: "https://site.example/a.wasm", relaxed: "https://site.example/b.wasm" } },
    ONE_ENGINE,
  ],
  "half of two modules": [
    { bundle: BUNDLE, engine: "onnx", wasm: { baseline: "https://site.example/a.wasm" } },
    "wasm.relaxed must be an address, a string or a URL, not undefined",
  ],
  "a preload that is no list": [{ bundle: BUNDLE, preload: "spam" }, "preload must be a list of task names"],
  "a preload of numbers": [{ bundle: BUNDLE, preload: ["spam", 1] }, "preload must be a list of task names"],
  "no workers": [{ bundle: BUNDLE, workers: 0 }, `${MANY} 0`],
  "too many workers": [{ bundle: BUNDLE, workers: 17 }, `${MANY} 17`],
  "half a worker": [{ bundle: BUNDLE, workers: 1.5 }, `${MANY} 1.5`],
  "workers in words": [{ bundle: BUNDLE, workers: "2" }, `${MANY} 2`],
  "a remote that is a string": [{ bundle: BUNDLE, remote: "x" }, "remote must be an object, or a list of objects"],
  "a remote that is null": [{ bundle: BUNDLE, remote: null }, "remote must be an object, or a list of objects"],
  "remotes of which one is none": [
    { bundle: BUNDLE, remote: [REMOTE, undefined] },
    "remote must be an object, or a list of objects",
  ],
  "an unknown option of a remote": [
    { bundle: BUNDLE, remote: { ...REMOTE, modell: "m" } },
    `remote: there is no option "modell"; the options are ${REMOTE_KEYS}`,
  ],
  "a key without a clear word": [
    { bundle: BUNDLE, remote: { ...REMOTE, apiKey: "k" } },
    "remote.apiKey would be readable by every visitor. Keep the key in a proxy of your own, name the proxy as " +
      "remote.baseUrl, and give it a short-lived token with remote.headers(). Where the visitor brings their own key, " +
      "say so with remote.dangerouslyAllowBrowser: true",
  ],
  "headers that are no function": [
    { bundle: BUNDLE, remote: { ...REMOTE, headers: {} } },
    "remote.headers must be a function",
  ],
  "a remote's run that is no function": [
    { bundle: BUNDLE, remote: { provider: "custom", run: "ask" } },
    "remote.run must be a function",
  ],
  "a custom remote without run": [
    { bundle: BUNDLE, remote: { provider: "custom" } },
    "remote.run is missing: the provider custom calls it",
  ],
  "run for another provider": [
    { bundle: BUNDLE, remote: { ...REMOTE, run: () => "" } },
    'remote.run is for the provider "custom" only',
  ],
  "a remote without an address": [
    { bundle: BUNDLE, remote: { provider: "openai", model: "m" } },
    "remote.baseUrl is missing: the address of your proxy, or of the server itself",
  ],
  "a remote's address that is a number": [
    { bundle: BUNDLE, remote: { ...REMOTE, baseUrl: 5 } },
    "remote.baseUrl must be an address, a string or a URL, not of type number",
  ],
  "privacy that is a string": [{ bundle: BUNDLE, privacy: "never" }, "privacy: the options must be an object"],
  "an unknown option of privacy": [
    { bundle: BUNDLE, privacy: { redaction: true } },
    'privacy: there is no option "redaction"; the options are egress, tasks, ownTasks, redact, beforeRemote',
  ],
  "beforeRemote that is no function": [
    { bundle: BUNDLE, privacy: { beforeRemote: true } },
    "privacy.beforeRemote must be a function",
  ],
};

for (const [what, [options, message]] of Object.entries(WRONG)) {
  test(`createSmallFirst refuses ${what}`, () => {
    assert.deepEqual(
      refused(() => made(options)),
      { code: "invalid_option", message },
    );
  });
}

const RUN_KEYS =
  "mode, risk, excessRisk, topK, labels, instruction, dryRun, candidateLabels, hypothesisTemplate, multiLabel, aggregation, threshold, negThreshold, minSpeechDurationMs, minSilenceDurationMs, speechPadMs, maxSpeechDurationS, " +
  "pooling, pool, normalize, precision, maxAnswerTokens, signal";
const TEXT_KEYS = "mode, instruction, variables, history, signal";

const WRONG_CALLS: Record<string, [call: () => unknown, message: string]> = {
  "run refuses options that are null": [
    () => engineRunOptions("run", null as unknown as RunOptions),
    "run: the options must be an object",
  ],
  "run refuses an unknown option": [
    () => engineRunOptions("run", { topk: 3 } as RunOptions),
    `run: there is no option "topk"; the options are ${RUN_KEYS}`,
  ],
  "runBatch says that it is runBatch": [
    () => engineRunOptions("runBatch", { topk: 3 } as RunOptions),
    `runBatch: there is no option "topk"; the options are ${RUN_KEYS}`,
  ],
  "run refuses a signal that is none": [
    () => engineRunOptions("run", { signal: null } as unknown as RunOptions),
    "run: signal must be an AbortSignal",
  ],
  "generate refuses a number for its options": [
    () => engineTextOptions(5 as unknown as GenerateOptions),
    "generate: the options must be an object",
  ],
  "generate refuses what only run has": [
    () => engineTextOptions({ risk: 0.1 } as GenerateOptions),
    `generate: there is no option "risk"; the options are ${TEXT_KEYS}`,
  ],
  "generate refuses a signal that is none": [
    () => engineTextOptions({ signal: "stop" } as unknown as GenerateOptions),
    "generate: signal must be an AbortSignal",
  ],
  "preload refuses all but a signal": [
    () => checkSignalOnly("preload", { mode: "only-local" } as object),
    'preload: there is no option "mode"; the options are signal',
  ],
  "preload refuses a signal that is none": [
    () => checkSignalOnly("preload", { signal: {} } as unknown as { signal: AbortSignal }),
    "preload: signal must be an AbortSignal",
  ],
};

for (const [what, [call, message]] of Object.entries(WRONG_CALLS)) {
  test(what, () => assert.deepEqual(refused(call), { code: "invalid_option", message }));
}

test("the engine is told only what was given", () => {
  assert.deepEqual(made({ bundle: BUNDLE }), {
    engine: { bundle: `${BUNDLE}manifest.json`, remote: { endpoints: [], privacy: {} } },
    modules: undefined,
    preload: [],
    workers: 1,
    which: undefined,
    storage: { name: "smallfirst", files: true },
  });
  const undefinedOnes = {
    mode: undefined,
    risk: undefined,
    policy: undefined,
    learn: undefined,
    maxBundleBytes: undefined,
  };
  assert.deepEqual(made({ bundle: BUNDLE, ...undefinedOnes }).engine, made({ bundle: BUNDLE }).engine);
});

test("the engine is told all that is its own, and nothing of the page's", () => {
  const options = {
    bundle: BUNDLE,
    mode: "only-remote",
    risk: 0.1,
    remote: REMOTE,
    policy: { maxRetries: 1 },
    budget: { requestsPerDay: 5 },
    privacy: { egress: "ask" },
    answerCache: { entries: 0 },
    learn: { risk: 0.1 },
    manifestSha256: "ab",
    maxBundleBytes: 5,
    onProgress: () => {},
    onDrift: () => {},
    worker: () => ({}),
    signal: new AbortController().signal,
    cache: "none",
    storage: "my-app",
    preload: ["spam"],
    workers: 16,
    engine: "onnx",
  };
  const { engine, ...rest } = made(options);
  assert.deepEqual(engine, {
    bundle: `${BUNDLE}manifest.json`,
    mode: "only-remote",
    risk: 0.1,
    remote: {
      endpoints: [REMOTE],
      privacy: { egress: "ask" },
      policy: { maxRetries: 1 },
      budget: { requestsPerDay: 5 },
      answerCache: { entries: 0 },
    },
    learn: { risk: 0.1 },
    manifestSha256: "ab",
    maxBundleBytes: 5,
  });
  assert.deepEqual(rest, {
    modules: undefined,
    preload: ["spam"],
    workers: 16,
    which: "onnx",
    storage: { name: "my-app", files: false },
  });
});

test("learning is switched on by true, with its defaults, and off by false", () => {
  assert.deepEqual(made({ bundle: BUNDLE, learn: true }).engine.learn, {});
  assert.equal("learn" in made({ bundle: BUNDLE, learn: false }).engine, false);
});

test("a bundle is its manifest, or the folder that has it, and keeps its query", () => {
  const cases: [string | URL, string][] = [
    ["https://a.example/m", "https://a.example/m/manifest.json"],
    ["https://a.example/m/", "https://a.example/m/manifest.json"],
    ["https://a.example", "https://a.example/manifest.json"],
    ["https://a.example/m/other.json", "https://a.example/m/other.json"],
    ["https://a.example/m/?v=2", "https://a.example/m/manifest.json?v=2"],
    [new URL("https://a.example/m/"), "https://a.example/m/manifest.json"],
  ];
  for (const [bundle, manifest] of cases) assert.equal(made({ bundle }).engine.bundle, manifest);
});

test("addresses are relative to the page, in a worker to its script", (t) => {
  stub(t, "location", { href: "https://site.example/workers/own.js" });
  assert.equal(absolute("bundle", "../models/").href, "https://site.example/models/");
  stub(t, "document", { baseURI: "https://base.example/app/page.html" });
  assert.equal(absolute("bundle", "models/").href, "https://base.example/app/models/");
  assert.equal(absolute("bundle", "https://other.example/").href, "https://other.example/");
});

test("a URL or a signal of another frame is one", () => {
  const url = Object.assign(Object.create({ toString: () => BUNDLE }) as URL, { [Symbol.toStringTag]: "URL" });
  assert.equal(made({ bundle: url }).engine.bundle, `${BUNDLE}manifest.json`);
  const signal = runInNewContext("({ [Symbol.toStringTag]: 'AbortSignal' })") as AbortSignal;
  assert.deepEqual(engineRunOptions("run", { signal }), {});
});

test("modules are a folder, or those of the engine that is named", () => {
  const at = (name: string): string => `https://site.example/wasm/${name}`;
  const wasm = (more: object): unknown => made({ bundle: BUNDLE, ...more }).modules;
  assert.equal(wasm({ wasm: at("") }), at(""));
  assert.equal(wasm({ wasm: new URL(at("")) }), at(""));
  assert.equal(wasm({ wasm: at("x.wasm"), engine: "prepared" }), at("x.wasm"));
  assert.deepEqual(wasm({ wasm: { baseline: at("a.wasm"), relaxed: new URL(at("b.wasm")) }, engine: "onnx" }), {
    baseline: at("a.wasm"),
    relaxed: at("b.wasm"),
  });
});

test("an engine is chosen by its name, and auto leaves it to the bundle", () => {
  assert.deepEqual((["auto", "prepared", "onnx", undefined] as const).map(which), [
    undefined,
    "prepared",
    "onnx",
    undefined,
  ]);
});

test("the names of tasks to fetch ahead are copied", () => {
  const tasks = ["spam"];
  const copy = preloaded(tasks);
  tasks.push("other");
  assert.deepEqual(copy, ["spam"]);
});

test("as many workers as there are processors are four at most, and one where nobody says", (t) => {
  const counts = [1, 2, 4, 64, 0, undefined].map((hardwareConcurrency) => {
    stub(t, "navigator", { hardwareConcurrency });
    return workers("auto");
  });
  assert.deepEqual(counts, [1, 2, 4, 4, 1, 1]);
  stub(t, "navigator", undefined);
  assert.equal(workers("auto"), 1);
  assert.deepEqual([workers(1), workers(16)], [1, 16]);
});

test("a call's options reach the engine without the signal, and without what is undefined", () => {
  const { signal } = new AbortController();
  assert.deepEqual(engineRunOptions("run", {}), {});
  assert.deepEqual(
    engineRunOptions("run", { mode: "only-local", risk: 0.1, topK: 2, labels: ["a"], instruction: "Which?", signal }),
    { mode: "only-local", risk: 0.1, topK: 2, labels: ["a"], instruction: "Which?" },
  );
  assert.deepEqual(engineRunOptions("run", { mode: undefined, topK: 0, signal: undefined }), { topK: 0 });
  assert.deepEqual(
    engineTextOptions({ mode: "only-remote", variables: {}, history: [], instruction: undefined, signal }),
    {
      mode: "only-remote",
      variables: {},
      history: [],
    },
  );
  checkSignalOnly("preload", { signal });
  checkSignalOnly("preload", {});
});
