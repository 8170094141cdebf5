// The page, and the package's proxy to an LLM. The key stays here.

import { createNodeProxy } from "smallfirst/proxy/node";
import { serveFile, start } from "../serve.mjs";

const proxy = createNodeProxy({
  upstream: process.env.LLM_URL ?? "https://api.openai.com/v1",
  key: process.env.LLM_API_KEY,
  models: ["your-model"], // no other can be asked
  prefix: "/llm/v1",
  perMinute: 20, // from one address
  maxTokens: 256,
  // hosts: ["app.example"], the names under which it is reached once it is deployed
  // authorize: ({ headers }) => isSignedIn(headers), or whoever opens the page may ask
});

start((request, response) => proxy(request, response, () => void serveFile(request, response)));
