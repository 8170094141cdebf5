// The demo's server: the static site, and a proxy to an LLM. The proxy is what a page should talk
// to: it holds the key (LLM_API_KEY), allows two calls only, and bounds what is sent.
//
//   node server.mjs --root dist [--port 8080] [--llm http://127.0.0.1:8000/v1 --llm-model NAME] [--watch-stdin]

import { createServer } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import sirv from "sirv";

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

const MAX_BODY_BYTES = 1 << 20;
const ALLOWED = new Set(["POST /llm/v1/chat/completions", "GET /llm/v1/models"]);

const files = sirv(options.root, { dev: true, etag: true });
const offer = options.llm ? { baseUrl: "./llm/v1", model: options["llm-model"] } : null;

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  if (pathname === "/demo.json") {
    json(response, 200, { remote: offer });
  } else if (pathname.startsWith("/llm/")) {
    proxy(request, response, pathname).catch(() => response.destroy());
  } else {
    files(request, response, () => json(response, 404, { error: { message: "not found" } }));
  }
});

function json(response, status, body) {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-cache" });
  response.end(JSON.stringify(body));
}

async function proxy(request, response, pathname) {
  const refuse = (status, message) => json(response, status, { error: { message } });
  if (!options.llm) return refuse(503, "no LLM is configured");
  if (!ALLOWED.has(`${request.method} ${pathname}`)) return refuse(404, "this proxy does not forward that");
  const body = await read(request);
  if (body === undefined) return refuse(413, `more than ${MAX_BODY_BYTES} bytes`);

  // Only what is needed goes on: no cookies, and no authorization but the proxy's own.
  const headers = { "content-type": "application/json" };
  if (process.env.LLM_API_KEY) headers.authorization = `Bearer ${process.env.LLM_API_KEY}`;
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  let answer;
  try {
    answer = await fetch(options.llm.replace(/\/$/, "") + pathname.slice("/llm/v1".length), {
      method: request.method,
      headers,
      body: request.method === "POST" ? body : undefined,
      signal: gone.signal,
    });
  } catch {
    if (!gone.signal.aborted) refuse(502, "the LLM cannot be reached");
    return;
  }
  response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "application/json" });
  if (answer.body) await pipeline(Readable.fromWeb(answer.body), response);
  else response.end();
}

/** The request's body, or nothing when it is too large. */
async function read(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MAX_BODY_BYTES) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
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
