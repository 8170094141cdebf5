// LangChain as it is published: what its page says, and what its chat model asks in other ways.

import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";
import { upstream } from "../fixtures/upstream.mjs";
import { project, run, withVectors } from "../project.mjs";
import { app } from "./tools.mjs";

const SPAM = "You have won a free prize! Click here now to claim your cash, this offer expires today.";
/** The task was trained on English. */
const UNSURE = "Guten Tag, können wir uns morgen um zehn Uhr im Büro treffen? Ich bringe die Unterlagen mit.";

test("what the page says", async (t) => {
  const at = await app(t, "langchain", "langchain", {});
  // Its first program answers without its LLM.
  process.env.LLM_KEY = "k";
  process.env.LLM_URL = "http://127.0.0.1:9/v1";
  t.after(() => ["LLM_KEY", "LLM_URL"].forEach((name) => delete process.env[name]));
  assert.equal(await run(at, process.execPath, "spam.js"), "{ label: 'spam' }\n");
  cpSync(withVectors(t, join(at, "node_modules/smallfirst-models/")), join(at, "models"), { recursive: true });
  assert.equal(await run(at, process.execPath, "search.js"), "The invoice has to be paid by Friday. 3\n");
  assert.equal(await run(at, process.execPath, "chain.js"), "{ label: 'deu', guaranteed: true }\n");
});

test("structured output of a chat model is answered here where that is guaranteed, whatever it says beside", async (t) => {
  const folder = project(t);
  const { createSmallFirst } = await import(
    pathToFileURL(join(folder, "node_modules/smallfirst/dist/node/index.js")).href
  );
  const ai = await createSmallFirst({ bundle: join(folder, "node_modules/smallfirst-models/") });
  t.after(() => ai.dispose());
  const { seen, address } = await upstream(t);
  const schema = z.object({ label: z.enum(["spam", "ham"]).describe("what the mail is") });
  const model = (more) => {
    const configuration = { baseURL: address, fetch: ai.asFetch() };
    return new ChatOpenAI({ model: "m", apiKey: "k", maxRetries: 0, configuration, ...more });
  };
  const kind = (more, config) => model(more).withStructuredOutput(schema, { name: "spam", ...config });
  const settings = [
    {},
    { temperature: 0, topP: 1, maxTokens: 20, n: 1, user: "u", streamUsage: false },
    { promptCacheKey: "mails", promptCacheRetention: "24h", service_tier: "auto", verbosity: "low" },
    { model: "gpt-5", reasoning: { effort: "low" }, supportsStrictToolCalling: true },
  ];
  for (const more of settings)
    assert.deepEqual(await kind(more, { method: "jsonSchema" }).invoke(SPAM), { label: "spam" }, JSON.stringify(more));
  const { raw, parsed } = await kind({}, { includeRaw: true, strict: true }).invoke(SPAM);
  assert.deepEqual(parsed, { label: "spam" });
  assert.equal(raw.response_metadata.model_name, "smallfirst/spam");
  assert.equal(raw.response_metadata.usage.total_tokens, 0);
  // In a chain, in a batch, and piece by piece.
  const prompt = ChatPromptTemplate.fromMessages([
    ["system", "Is this mail spam?"],
    ["user", "{mail}"],
  ]);
  const chain = prompt.pipe(kind({}, { method: "jsonSchema" }));
  const inputs = [{ mail: SPAM }, { mail: `${SPAM} Hurry!` }];
  assert.deepEqual(await chain.batch(inputs), [{ label: "spam" }, { label: "spam" }]);
  let last;
  for await (const piece of await chain.stream(inputs[0])) last = piece;
  assert.deepEqual(last, { label: "spam" });
  assert.deepEqual(seen, []);
  // What nothing certifies, and what wants something else of the LLM, is asked of it.
  assert.deepEqual(await chain.invoke({ mail: UNSURE }), { label: "ham" });
  await model({}).invoke(SPAM);
  await model({})
    .bindTools([{ type: "function", function: { name: "f", parameters: {} } }])
    .invoke(SPAM);
  assert.equal(seen.length, 3);
  assert.deepEqual(
    seen[0].body.messages.map(({ content }) => content),
    ["Is this mail spam?", UNSURE],
  );
});
