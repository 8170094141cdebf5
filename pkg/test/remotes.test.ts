import assert from "node:assert/strict";
import { test } from "node:test";
import type { BeforeRemote, RemoteFunction, RemoteOptions } from "../src/api.js";
import { absolute } from "../src/options.js";
import { Remotes } from "../src/remotes.js";
import type { ConsentRequest } from "../src/types.js";
import { stub } from "./fakes.js";

const PROXY: RemoteOptions = { provider: "openai", baseUrl: "https://site.example/llm/v1", model: "m" };

test("the engine gets of a remote what is its own, and neither functions nor keys", () => {
  const remote: RemoteOptions = {
    ...PROXY,
    headers: () => ({}),
    apiKey: "k",
    dangerouslyAllowBrowser: true,
    timeoutMs: 5,
    maxTokens: undefined,
  };
  const { endpoints } = new Remotes(remote, undefined).engine(absolute);
  assert.deepEqual(endpoints, [{ ...PROXY, timeoutMs: 5 }]);
});

test("with a key of one's own, a provider's address is known, and a given one goes before it", () => {
  const own = { apiKey: "k", dangerouslyAllowBrowser: true, model: "m" };
  const addresses: [RemoteOptions["provider"], string][] = [
    ["openai", "https://api.openai.com/v1"],
    ["openai-responses", "https://api.openai.com/v1"],
    ["openai-decisions", "https://api.openai.com/v1"],
    ["anthropic", "https://api.anthropic.com/v1"],
    ["gemini", "https://generativelanguage.googleapis.com/v1beta"],
    ["ollama", "http://localhost:11434/"],
  ];
  for (const [provider, baseUrl] of addresses) {
    const [endpoint] = new Remotes({ provider, ...own }, undefined).engine(absolute).endpoints!;
    assert.deepEqual(endpoint, { provider, model: "m", baseUrl });
  }
  const [endpoint] = new Remotes({ ...PROXY, ...own }, undefined).engine(absolute).endpoints!;
  assert.equal(endpoint!.baseUrl, PROXY.baseUrl);
});

test("a function of the page and the browser's own model have no address", () => {
  const remotes: RemoteOptions[] = [
    { provider: "custom", run: async () => "spam", model: "mine" },
    { provider: "prompt-api", languages: ["de"], baseUrl: "https://nowhere.example" },
  ];
  assert.deepEqual(new Remotes(remotes, undefined).engine(absolute).endpoints, [
    { provider: "custom", model: "mine" },
    { provider: "prompt-api" },
  ]);
});

test("the engine is told what may leave, and of the page's function only that there is one", () => {
  const privacy = (given: object): unknown => new Remotes(undefined, given).engine(absolute).privacy;
  assert.deepEqual(privacy({}), {});
  assert.deepEqual(privacy({ redact: true }), { redact: {} });
  assert.deepEqual(privacy({ redact: false }), {});
  const all = { egress: "ask", tasks: { spam: "never" }, ownTasks: ["own"], redact: { kinds: ["email"] } };
  assert.deepEqual(privacy({ ...all, beforeRemote: () => true }), { ...all, beforeRemote: true });
});

test("the worker is told which functions of the page there are", () => {
  const there = (remote?: RemoteOptions | RemoteOptions[], privacy?: object): boolean[] => {
    const { haveHeaders, havePage, haveConsent } = new Remotes(remote, privacy);
    return [haveHeaders, havePage, haveConsent];
  };
  assert.deepEqual(there(), [false, false, false]);
  assert.deepEqual(there(PROXY), [false, false, false]);
  assert.deepEqual(there([PROXY, { ...PROXY, headers: () => ({}) }]), [true, false, false]);
  assert.deepEqual(there({ ...PROXY, apiKey: "k", dangerouslyAllowBrowser: true }), [true, false, false]);
  assert.deepEqual(there({ provider: "custom", run: async () => "" }), [false, true, false]);
  assert.deepEqual(there({ provider: "prompt-api" }), [false, true, false]);
  assert.deepEqual(there(undefined, { beforeRemote: () => true }), [false, false, true]);
});

test("each provider has its key where it looks for it, and the page's headers go over it", async () => {
  const key = { apiKey: "k", dangerouslyAllowBrowser: true } as const;
  const headers = (remote: Partial<RemoteOptions>): Promise<object> =>
    new Remotes({ ...PROXY, ...remote }, undefined).headers(0);
  assert.deepEqual(await headers({}), {});
  assert.deepEqual(await headers(key), { authorization: "Bearer k" });
  assert.deepEqual(await headers({ ...key, provider: "gemini" }), { "x-goog-api-key": "k" });
  assert.deepEqual(await headers({ ...key, provider: "anthropic" }), {
    authorization: "Bearer k",
    "anthropic-dangerous-direct-browser-access": "true",
  });
  const more = async (): Promise<Record<string, string>> => ({ authorization: "Bearer short-lived", "x-user": "1" });
  assert.deepEqual(await headers({ ...key, headers: more }), { authorization: "Bearer short-lived", "x-user": "1" });
  assert.deepEqual(await new Remotes(PROXY, undefined).headers(5), {});
});

test("headers are strings, also in the browser's own kind of list", async () => {
  const headers = (given: unknown): Promise<object> =>
    new Remotes({ ...PROXY, headers: () => given as Record<string, string> }, undefined).headers(0);
  assert.deepEqual(await headers(new Headers({ "X-User": "1" })), { "x-user": "1" });
  assert.deepEqual(await headers(undefined), {});
  await assert.rejects(headers({ "x-user": 1 }), new TypeError("headers() must give an object of strings"));
});

test("what the page says to a departure is a clear word", async () => {
  const said = async (beforeRemote: (() => unknown) | undefined, ask: boolean): Promise<unknown> => {
    const remotes = new Remotes(undefined, { beforeRemote: beforeRemote as () => BeforeRemote });
    return remotes.consent({ ask } as ConsentRequest);
  };
  // What it says, and whether it may leave where nobody need be asked, and where somebody must.
  const cases: [unknown, boolean, boolean][] = [
    [true, true, true],
    [false, false, false],
    [undefined, true, false],
    [null, true, false],
    ["yes", true, false],
    [{}, true, false],
    [{ allow: true }, true, true],
    [{ allow: false }, false, false],
  ];
  for (const [word, free, asked] of cases) {
    assert.deepEqual(await said(() => word, false), { allow: free }, JSON.stringify(word));
    assert.deepEqual(await said(async () => word, true), { allow: asked }, JSON.stringify(word));
  }
  assert.deepEqual(await said(undefined, false), { allow: true });
  assert.deepEqual(await said(undefined, true), { allow: false });
  assert.deepEqual(await said(() => ({ text: "changed", why: "it was long", system: undefined }), false), {
    allow: true,
    text: "changed",
    why: "it was long",
  });
  await assert.rejects(
    said(() => ({ allowed: true }), false),
    {
      code: "invalid_option",
      message: 'privacy.beforeRemote: there is no option "allowed"; the options are allow, text, messages, system, why',
    },
  );
});

const REQUEST = {
  input: "Buy now",
  messages: [{ role: "user", content: "Buy now" }],
  system: "Be brief.",
  schema: null,
};

/** The lines that a function of the page gives. */
async function lines(remote: RemoteOptions, request: object = REQUEST, endpoint = 0): Promise<unknown[]> {
  const said: unknown[] = [];
  const call = { endpoint, body: JSON.stringify(request) };
  for await (const line of new Remotes(remote, undefined).page(call, new AbortController().signal)) {
    said.push(JSON.parse(line));
  }
  return said;
}

test("a function of the page answers with a text, a reply, or pieces", async () => {
  const custom = (run: RemoteFunction): Promise<unknown[]> => lines({ provider: "custom", run });
  assert.deepEqual(await custom(async () => "spam"), [{ reply: { text: "spam" } }]);
  assert.deepEqual(await custom(async () => ({ label: "spam", confidence: 0.5 })), [
    { reply: { label: "spam", confidence: 0.5 } },
  ]);
  async function* pieces(): AsyncGenerator<string> {
    yield "sp";
    yield "am";
  }
  const whole = [{ delta: "sp" }, { delta: "am" }, { reply: {} }];
  assert.deepEqual(await custom(() => pieces()), whole);
  assert.deepEqual(await custom(async () => pieces()), whole);
});

test("a function of the page gets the question and the signal", async () => {
  const asked: object[] = [];
  await lines({ provider: "custom", run: async (request) => (asked.push(request), "") });
  const { signal, ...question } = asked[0] as { signal: AbortSignal };
  assert.deepEqual(question, REQUEST);
  assert.ok(signal instanceof AbortSignal);
});

test("an endpoint that does not exist is no function of the page", async () => {
  await assert.rejects(lines({ provider: "custom", run: async () => "" }, REQUEST, 3), {
    message: "there is no such endpoint",
  });
});

/** The browser's own model, and what it was asked. */
function model(more: object = {}, availability = "available") {
  const seen = { options: [] as object[], prompts: [] as unknown[][], destroyed: 0 };
  const session = {
    prompt: async (...asked: unknown[]) => (seen.prompts.push(asked), "spam"),
    promptStreaming: (...asked: unknown[]) => {
      seen.prompts.push(asked);
      return new ReadableStream<string>({
        start(controller) {
          for (const piece of ["sp", "am"]) controller.enqueue(piece);
          controller.close();
        },
      });
    },
    destroy: () => seen.destroyed++,
    ...more,
  };
  const LanguageModel = {
    availability: async (options: object) => (seen.options.push(options), availability),
    create: async (options: object) => (seen.options.push(options), session),
  };
  return { LanguageModel, seen };
}

test("the browser's own model is asked in its languages, with what was said before, and is let go", async (t) => {
  const { LanguageModel, seen } = model();
  stub(t, "LanguageModel", LanguageModel);
  const before = [
    { role: "user", content: "Hello" },
    { role: "assistant", content: "Yes?" },
  ];
  const schema = { type: "object" };
  const request = { ...REQUEST, messages: [...before, { role: "user", content: "Is it spam?" }], schema };
  assert.deepEqual(await lines({ provider: "prompt-api", languages: ["de"] }, request), [{ reply: { text: "spam" } }]);
  const wanted = {
    expectedInputs: [{ type: "text", languages: ["de"] }],
    expectedOutputs: [{ type: "text", languages: ["de"] }],
  };
  assert.deepEqual(seen.options[0], wanted);
  const { signal, ...made } = seen.options[1] as { signal: AbortSignal };
  assert.deepEqual(made, { ...wanted, initialPrompts: [{ role: "system", content: "Be brief." }, ...before] });
  assert.deepEqual(seen.prompts, [["Is it spam?", { signal, responseConstraint: schema }]]);
  assert.equal(seen.destroyed, 1);
});

test("the browser's own model writes piece by piece, and is let go after the last one", async (t) => {
  const { LanguageModel, seen } = model();
  stub(t, "LanguageModel", LanguageModel);
  const said = await lines({ provider: "prompt-api" }, { ...REQUEST, stream: true });
  assert.deepEqual(said, [{ delta: "sp" }, { delta: "am" }, { reply: {} }]);
  assert.deepEqual((seen.options[0] as { expectedInputs: object[] }).expectedInputs, [
    { type: "text", languages: ["en"] },
  ]);
  assert.equal(seen.destroyed, 1);
});

test("the browser's own model is never downloaded for a call, and not asked for too much", async (t) => {
  const asking = (): Promise<unknown[]> => lines({ provider: "prompt-api" });
  stub(t, "LanguageModel", undefined);
  await assert.rejects(asking(), { message: "this browser has no language model of its own" });
  for (const state of ["unavailable", "downloadable", "downloading"]) {
    stub(t, "LanguageModel", model({}, state).LanguageModel);
    await assert.rejects(asking(), { message: `the browser's language model is ${state}` });
  }
  const full = model({ measureContextUsage: async () => 6, contextUsage: 5, contextWindow: 10 });
  stub(t, "LanguageModel", full.LanguageModel);
  await assert.rejects(asking(), { message: "the text is over the context of the browser's language model" });
  assert.deepEqual([full.seen.prompts, full.seen.destroyed], [[], 1]);
  stub(
    t,
    "LanguageModel",
    model({ measureContextUsage: async () => 5, contextUsage: 5, contextWindow: 10 }).LanguageModel,
  );
  assert.deepEqual(await asking(), [{ reply: { text: "spam" } }]);
});
