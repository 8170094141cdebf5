// The demo's server: the static site, and the package's own proxy to an LLM, which holds the key (LLM_API_KEY).
//
//   node server.mjs --root dist [--port 8080] [--llm http://127.0.0.1:8000/v1 --llm-model NAME] [--watch-stdin]

import { createServer } from "node:http";
import { parseArgs } from "node:util";
import sirv from "sirv";
import { createProxy } from "smallfirst/proxy";

const { values: options } = parseArgs({
  options: {
    port: { type: "string", default: "8080" },
    root: { type: "string", default: "dist" },
    llm: { type: "string" },
    "llm-model": { type: "string", default: "default" },
    // Ends with the process that started this one.
    "watch-stdin": { type: "boolean", default: false },
  },
});

const proxy = options.llm
  ? createProxy({
      upstream: options.llm,
      key: process.env.LLM_API_KEY,
      models: [options["llm-model"]],
      prefix: "/llm/v1",
    })
  : undefined;
const files = sirv(options.root, { dev: true, etag: true });
const offer = options.llm ? { baseUrl: "./llm/v1", model: options["llm-model"] } : null;

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  if (pathname === "/demo.json") {
    json(response, 200, { remote: offer });
  } else if (pathname.startsWith("/llm/")) {
    if (proxy) proxy(request, response).catch(() => response.destroy());
    else json(response, 503, { error: { message: "no LLM is configured" } });
  } else {
    files(request, response, () => json(response, 404, { error: { message: "not found" } }));
  }
});

function json(response, status, body) {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-cache" });
  response.end(JSON.stringify(body));
}

server.once("error", (error) => {
  console.error(`the server cannot listen on port ${options.port}: ${error.message}; try --port`);
  process.exit(1);
});
server.listen(Number(options.port), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/`);
});

const stop = () => process.exit(0);
process.once("SIGTERM", stop);
if (options["watch-stdin"]) process.stdin.on("end", stop).resume();
