// Apps that ask an LLM: with OpenAI's client and with Vercel's AI SDK, as they are published.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  Output,
  cosineSimilarity,
  embed,
  embedMany,
  experimental_decide as decide,
  generateText,
  jsonSchema,
  streamText,
  wrapLanguageModel,
} from "ai";
import { MockLanguageModelV4 } from "ai/test";
import OpenAI from "openai";
import { upstream } from "./fixtures/upstream.mjs";
import { project, withVectors } from "./project.mjs";

const SPAM = "You have won a free prize! Click here now to claim your cash, this offer expires today.";
/** The task was trained on English. */
const UNSURE = "Guten Tag, können wir uns morgen um zehn Uhr im Büro treffen? Ich bringe die Unterlagen mit.";

const folders = [];
/** One project for all tests of this file. */
const folder = project({ after: (clean) => folders.push(clean) });
test.after(() => folders.forEach((clean) => clean()));
const of = (file) => import(pathToFileURL(join(folder, "node_modules/smallfirst/dist", file)).href);
const { createSmallFirst } = await of("node/index.js");
const { certifiedMiddleware, decisionModel, embeddingModel } = await of("ai-sdk.js");
const { embeddings: embeddingsOf } = await of("langchain.js");

async function instance(t) {
  const ai = await createSmallFirst({ bundle: join(folder, "node_modules/smallfirst-models/") });
  t.after(() => ai.dispose());
  return ai;
}

/** A request, as an app makes it that sorts mails with an LLM. */
function question(text, more = {}) {
  const schema = {
    type: "object",
    properties: { label: { type: "string", enum: ["spam", "ham"] } },
    required: ["label"],
    additionalProperties: false,
  };
  return {
    model: "m",
    messages: [
      { role: "system", content: "Is this mail spam?" },
      { role: "user", content: text },
    ],
    response_format: { type: "json_schema", json_schema: { name: "spam", strict: true, schema } },
    ...more,
  };
}

test("OpenAI's client: one line more, and what is certified is answered here", async (t) => {
  const ai = await instance(t);
  const { seen, address } = await upstream(t);
  const client = new OpenAI({ apiKey: "k", baseURL: address, fetch: ai.asFetch(), maxRetries: 0 });
  const local = await client.chat.completions.create(question(SPAM));
  assert.deepEqual(JSON.parse(local.choices[0].message.content), { label: "spam" });
  assert.equal(local.model, "smallfirst/spam");
  assert.equal(local.usage.total_tokens, 0);
  assert.equal(local.choices[0].finish_reason, "stop");
  assert.deepEqual(seen, []);
  // The same, piece by piece.
  let text = "";
  const stream = await client.chat.completions.create(
    question(SPAM, { stream: true, stream_options: { include_usage: true } }),
  );
  let last;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    last = chunk;
  }
  assert.equal(text, `{"label":"spam"}`);
  assert.equal(last.usage.total_tokens, 0);
  const parsed = await client.chat.completions.parse(question(SPAM));
  assert.equal(parsed.choices[0].message.parsed.label, "spam");
  assert.deepEqual(seen, []);
  // What nothing certifies is asked of the LLM, as it was written.
  const remote = await client.chat.completions.create(question(UNSURE));
  assert.equal(remote.model, "m");
  assert.deepEqual(seen, [{ path: "/v1/chat/completions", body: question(UNSURE) }]);
});

test("what a client writes down of defaults, and of caches, keeps no question from being answered here", async (t) => {
  const ai = await instance(t);
  const { seen, address } = await upstream(t);
  const client = new OpenAI({ apiKey: "k", baseURL: address, fetch: ai.asFetch(), maxRetries: 0 });
  const nothing = { n: 1, logprobs: false, tools: [], parallel_tool_calls: false, logit_bias: {}, stop: null };
  const cache = { prompt_cache_key: "mails", prompt_cache_retention: "24h", prompt_cache_options: { ttl: "1h" } };
  const answer = await client.chat.completions.create(question(SPAM, { ...nothing, ...cache }));
  assert.equal(answer.model, "smallfirst/spam");
  assert.deepEqual(seen, []);
});

test("whatever is another question than the task's is passed on, word for word", async (t) => {
  const ai = await instance(t);
  const { seen, address } = await upstream(t);
  const client = new OpenAI({ apiKey: "k", baseURL: address, fetch: ai.asFetch(), maxRetries: 0 });
  const format = (json_schema) => ({ response_format: { type: "json_schema", json_schema } });
  const schema = question(SPAM).response_format.json_schema.schema;
  const labels = (...all) => ({ ...schema, properties: { label: { type: "string", enum: all } } });
  const said = question(SPAM).messages;
  const requests = [
    question(SPAM, format({ name: "mood", schema })),
    question(SPAM, format({ name: "spam", schema: labels("spam", "ham", "unsure") })),
    question(SPAM, format({ name: "spam", schema: labels("spam") })),
    question(
      SPAM,
      format({ name: "spam", schema: { ...schema, properties: { ...schema.properties, why: { type: "string" } } } }),
    ),
    question(SPAM, { response_format: { type: "json_object" } }),
    question(SPAM, { n: 2 }),
    question(SPAM, { logprobs: true }),
    question(SPAM, { stop: ["ham"] }),
    question(SPAM, { logit_bias: { 1: 5 } }),
    question(SPAM, { tools: [{ type: "function", function: { name: "f", parameters: {} } }] }),
    question(SPAM, {
      messages: [...said, { role: "assistant", content: "ham" }, { role: "user", content: "Really?" }],
    }),
    question([
      { type: "text", text: SPAM },
      { type: "image_url", image_url: { url: "data:image/png;base64," } },
    ]),
  ];
  for (const request of requests) await client.chat.completions.create(request);
  assert.deepEqual(
    seen.map(({ body }) => body),
    requests,
  );
  // The name of the app's own schema.
  const named = new OpenAI({ apiKey: "k", baseURL: address, fetch: ai.asFetch({ tasks: { mail_kind: "spam" } }) });
  const answer = await named.chat.completions.create(question(SPAM, format({ name: "mail_kind", schema })));
  assert.equal(answer.model, "smallfirst/spam");
  // Sure enough for one app is not for another.
  const strict = new OpenAI({ apiKey: "k", baseURL: address, fetch: ai.asFetch({ risk: 0.001 }) });
  assert.equal((await strict.chat.completions.create(question(SPAM))).model, "m");
  assert.throws(() => ai.asFetch({ task: "spam" }), { code: "invalid_option" });
});

test("a disposed instance costs an app nothing but the saving, and an abort is an abort", async (t) => {
  const ai = await instance(t);
  const { seen, address } = await upstream(t);
  const client = new OpenAI({ apiKey: "k", baseURL: address, fetch: ai.asFetch(), maxRetries: 0 });
  const controller = new AbortController();
  const aborted = client.chat.completions.create(question(SPAM), { signal: controller.signal });
  controller.abort();
  await assert.rejects(aborted, { name: "Error", message: /aborted/ });
  assert.deepEqual(seen, []);
  ai.dispose();
  assert.equal((await client.chat.completions.create(question(SPAM))).model, "m");
  assert.equal(seen.length, 1);
});

/** A model of the AI SDK that says "ham" to all. */
function model() {
  const usage = { inputTokens: { total: 9 }, outputTokens: { total: 3 } };
  const finishReason = { unified: "stop", raw: "stop" };
  const text = `{"result":"ham"}`;
  return new MockLanguageModelV4({
    doGenerate: async () => ({ content: [{ type: "text", text }], finishReason, usage, warnings: [] }),
    doStream: async () => ({
      stream: new ReadableStream({
        start(controller) {
          for (const part of [
            { type: "stream-start", warnings: [] },
            { type: "text-start", id: "0" },
            { type: "text-delta", id: "0", delta: text },
            { type: "text-end", id: "0" },
            { type: "finish", finishReason, usage },
          ])
            controller.enqueue(part);
          controller.close();
        },
      }),
    }),
  });
}

test("the AI SDK's language models: an object of a task's choice is answered here where that is guaranteed", async (t) => {
  const ai = await instance(t);
  const llm = model();
  const wrapped = wrapLanguageModel({ model: llm, middleware: certifiedMiddleware(ai) });
  const output = Output.choice({ name: "spam", options: ["spam", "ham"] });
  const ask = (prompt) => generateText({ model: wrapped, instructions: "Is this mail spam?", prompt, output });
  const local = await ask(SPAM);
  assert.equal(local.output, "spam");
  assert.equal(local.response.modelId, "smallfirst/spam");
  assert.equal(local.usage.totalTokens, 0);
  assert.equal(local.providerMetadata.smallfirst.guaranteed, true);
  assert.equal(llm.doGenerateCalls.length, 0);
  const streamed = streamText({ model: wrapped, prompt: SPAM, output });
  assert.equal(await streamed.output, "spam");
  assert.equal(llm.doStreamCalls.length, 0);
  const remote = await ask(UNSURE);
  assert.equal(remote.output, "ham");
  assert.equal(llm.doGenerateCalls.length, 1);
  // Another choice, and a plain text.
  await generateText({
    model: wrapped,
    prompt: SPAM,
    output: Output.choice({ name: "spam", options: ["spam", "ham", "both"] }),
  });
  await generateText({ model: wrapped, prompt: SPAM });
  const schema = jsonSchema({
    type: "object",
    properties: { kind: { type: "string", enum: ["spam", "ham"] } },
    required: ["kind"],
  });
  const object = await generateText({ model: wrapped, prompt: SPAM, output: Output.object({ name: "spam", schema }) });
  assert.deepEqual(object.output, { kind: "spam" });
  assert.equal(llm.doGenerateCalls.length, 3);
});

test("the AI SDK's decisions: a choice of a task's labels, with calibrated probabilities, and why", async (t) => {
  const ai = await instance(t);
  const questions = {
    spam: { type: "choice", instructions: "Is this mail spam?", criteria: { spam: "Advertising", ham: null } },
  };
  const decision = await decide({ model: decisionModel(ai), state: [{ type: "text", text: SPAM }], questions });
  const { choice, probabilities } = decision.answers.spam;
  assert.equal(choice, "spam");
  assert.ok(probabilities.spam > 0.9 && Math.abs(probabilities.spam + probabilities.ham - 1) < 1e-6);
  const about = decision.providerMetadata.smallfirst.spam;
  assert.deepEqual([about.ranOn, about.reason, about.guaranteed], ["local", "confident", true]);
  // Without a remote and without a task, it says that it does not answer.
  const unknown = { mood: { type: "choice", criteria: { good: null, bad: null } } };
  const refused = await decide({
    model: decisionModel(ai),
    state: [{ type: "text", text: SPAM }],
    questions: unknown,
  }).catch((error) => error);
  assert.match(`${refused.name ?? JSON.stringify(refused.answers)}`, /efus/);
});

test("the AI SDK and LangChain get vectors of texts, made here", async (t) => {
  const bundle = withVectors(t, join(folder, "node_modules/smallfirst-models/"));
  const ai = await createSmallFirst({ bundle });
  t.after(() => ai.dispose());
  const model = embeddingModel(ai, { task: "meaning" });
  const values = ["The invoice has to be paid by Friday.", "Our cat had four kittens."];
  const { embeddings } = await embedMany({ model, values });
  const { embedding, warnings } = await embed({ model, value: "money that I owe" });
  assert.deepEqual(warnings, []);
  assert.equal(embedding.length, 192);
  assert.ok(Math.abs(cosineSimilarity(embedding, embedding) - 1) < 1e-6);
  const [bill, cat] = embeddings.map((other) => cosineSimilarity(embedding, other));
  assert.ok(bill > cat + 0.1, `${bill} ${cat}`);
  // LangChain gets the same ones (frameworks/langchain.test.mjs has LangChain itself).
  const same = embeddingsOf(ai, { task: "meaning" });
  assert.deepEqual(await same.embedDocuments(values), embeddings);
  assert.deepEqual(await same.embedQuery("money that I owe"), embedding);
  await assert.rejects(embeddingsOf(ai, { task: "spam" }).embedQuery("x"), { code: "invalid_option" });
  for (const wrong of [undefined, {}, { task: "meaning", model: "m" }])
    assert.throws(() => embeddingsOf(ai, wrong), { code: "invalid_option" });
  assert.equal((await ai.egress()).requests, 0);
  // What makes no vector says so; and an abort ends it.
  await assert.rejects(embed({ model: embeddingModel(ai, { task: "spam" }), value: "x", maxRetries: 0 }));
  const abortSignal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(embed({ model, value: "x", abortSignal, maxRetries: 0 }), /enough/);
});
