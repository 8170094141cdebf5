// The demo's server: the static site, and the package's own proxy to an LLM, which holds the key (LLM_API_KEY).
//
//   node server.mjs --root dist [--port 8080] [--llm http://127.0.0.1:8000/v1 --llm-model NAME --per-minute 60] [--watch-stdin]

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import send from "send";
import { createJsonServer, createNodeProxy } from "smallfirst/proxy/node";

const { values: options } = parseArgs({
  options: {
    port: { type: "string", default: "8080" },
    root: { type: "string", default: "dist" },
    llm: { type: "string" },
    "llm-model": { type: "string", default: "default" },
    // How many requests may come from one address.
    "per-minute": { type: "string", default: "60" },
    // Ends with the process that started this one.
    "watch-stdin": { type: "boolean", default: false },
  },
});

const proxy = options.llm
  ? createNodeProxy({
      upstream: options.llm,
      key: process.env.LLM_API_KEY || undefined,
      models: [options["llm-model"]],
      prefix: "/llm/v1",
      perMinute: Number(options["per-minute"]),
    })
  : undefined;
const offer = options.llm ? { baseUrl: "./llm/v1", model: options["llm-model"] } : null;
const policy = contentPolicy();

/** The page's own policy, and what only a header can say. Workers have no page: theirs is the header alone. */
function contentPolicy() {
  const page = readFileSync(join(options.root, "index.html"), "utf8");
  const own = /http-equiv="Content-Security-Policy"\s+content="([^"]+)"/.exec(page)?.[1];
  if (!own) throw new Error(`${options.root}/index.html has no Content-Security-Policy; build the site first`);
  return `${own}; frame-ancestors 'none'`;
}

const server = createJsonServer((request, response) => {
  response.setHeader("x-content-type-options", "nosniff");
  const path = pathOf(request.url);
  if (path === undefined) {
    error(response, 400, "the address of the request is no path");
  } else if (path.startsWith("/llm/")) {
    if (proxy) return proxy(request, response);
    error(response, 503, "no LLM is configured; start the server with --llm");
  } else if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    error(response, 405, "files are asked for with GET");
  } else if (path === "/demo.json") {
    json(response, 200, { remote: offer });
  } else {
    response.setHeader("content-security-policy", policy);
    send(request, path, { root: options.root, cacheControl: false })
      .on("headers", (response) => response.setHeader("cache-control", "no-cache"))
      .on("directory", () => error(response, 404, "there is no such file"))
      .on("error", ({ status }) =>
        error(response, status ?? 500, status === 404 ? "there is no such file" : `the file cannot be had (${status})`),
      )
      .pipe(response);
  }
});

/** The path of a request, or nothing where it has none: `//`, an address of another server, `*`. */
function pathOf(target = "/") {
  const path = target.replace(/^https?:\/\/[^/?#]+(?=\/)/i, "").split(/[?#]/)[0];
  if (!path.startsWith("/") || path.startsWith("//")) return undefined;
  try {
    decodeURIComponent(path);
  } catch {
    return undefined;
  }
  return path;
}

function error(response, status, message) {
  json(response, status, {
    error: { message, type: status < 500 ? "invalid_request_error" : "api_error", param: null, code: null },
  });
}

function json(response, status, body) {
  if (response.headersSent) {
    response.destroy();
    return;
  }
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
