// A proxy between pages and an LLM's API, for Node 20 and newer, in one file without dependencies. It holds the key, and
// lets through only what a page of yours may ask: known paths, known models, known origins, bounded bodies, and not too
// many requests from one address. Streams pass through as they come.
//
//   LLM_API_KEY=… node proxy.mjs --upstream https://api.example/v1 --models small,large --origins https://app.example
//
// or, inside a server of your own:
//
//   import { createProxy } from "smallfirst/proxy";
//   const proxy = createProxy({ upstream: "https://api.example/v1", key: process.env.LLM_API_KEY, models: ["small"] });
//   createServer((request, response) => proxy(request, response)).listen(8787);
//
// It does not know your users: put it behind your own sign-in, or give `authorize`.

import { createServer } from "node:http";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

/** The calls that are let through, and where each names its model. */
const CALLS = [
  { method: "POST", path: /^\/chat\/completions$/, model: "body" },
  { method: "POST", path: /^\/responses$/, model: "body" },
  { method: "POST", path: /^\/decisions$/, model: "body" },
  { method: "POST", path: /^\/messages$/, model: "body" },
  { method: "POST", path: /^\/api\/chat$/, model: "body" },
  { method: "POST", path: /^\/models\/([^/:]+):(?:generateContent|streamGenerateContent)$/, model: "path" },
  { method: "GET", path: /^\/models$/, model: "none" },
];

/** What of a request goes on: no cookies, and no authorization but the proxy's own. */
const FORWARDED = ["accept", "anthropic-version", "idempotency-key"];

/** What of a response comes back. */
const RETURNED = ["content-type", "retry-after", "retry-after-ms", "x-should-retry", "request-id"];

/**
 * Makes a request handler `(request, response) => Promise<void>`.
 *
 * @param {object} options
 * @param {string} options.upstream The API's address, up to and without the paths above.
 * @param {string} [options.key] The API's key.
 * @param {"bearer" | "x-api-key" | "x-goog-api-key"} [options.keyHeader] How it is sent. Default: `bearer`.
 * @param {string[]} options.models The models that may be asked.
 * @param {string[]} [options.origins] Other origins whose pages may ask; those of the proxy's own host always may.
 * @param {string} [options.prefix] What comes before the paths here, for example `/llm/v1`.
 * @param {number} [options.maxBytes] The most bytes of a request's body. Default: 256 KiB.
 * @param {number} [options.maxReplyBytes] The most bytes of a reply. Default: 16 MiB.
 * @param {number} [options.maxTokens] The most tokens that a request may ask for. Default: 4096.
 * @param {number} [options.perMinute] How many requests an address may send in a minute. Default: 60.
 * @param {number} [options.timeoutMs] How long a reply may take. Default: 120000.
 * @param {boolean} [options.trustForwarded] Whether `X-Forwarded-For` names the address: only behind a proxy that sets it.
 * @param {(request: import("node:http").IncomingMessage) => boolean | Promise<boolean>} [options.authorize] Whether the
 * caller may ask at all, for example by its session cookie.
 */
export function createProxy(options) {
  const {
    upstream,
    key,
    keyHeader = "bearer",
    models,
    origins = [],
    prefix = "",
    maxBytes = 256 * 1024,
    maxReplyBytes = 16 * 1024 * 1024,
    maxTokens = 4096,
    perMinute = 60,
    timeoutMs = 120_000,
    trustForwarded = false,
    authorize = () => true,
  } = options;
  if (!/^https?:\/\//.test(upstream ?? "")) throw new TypeError("upstream must be an http or https address");
  if (!Array.isArray(models) || models.length === 0) throw new TypeError("models must name what may be asked");
  const base = upstream.replace(/\/$/, "");
  const buckets = new Map();

  /** Milliseconds until the address may ask again; 0 when it may now. A token bucket that fills within a minute. */
  function wait(address) {
    const now = Date.now();
    // Addresses that have not asked for a minute have a full bucket, so nothing is lost with them.
    if (buckets.size > 10_000) for (const [a, b] of buckets) if (now - b.at > 60_000) buckets.delete(a);
    const bucket = buckets.get(address) ?? { tokens: perMinute, at: now };
    const tokens = Math.min(perMinute, bucket.tokens + ((now - bucket.at) / 60_000) * perMinute);
    const enough = tokens >= 1;
    buckets.set(address, { tokens: enough ? tokens - 1 : tokens, at: now });
    return enough ? 0 : Math.ceil(((1 - tokens) / perMinute) * 60_000);
  }

  return async function proxy(request, response) {
    const refuse = (status, message, type = "invalid_request_error") => {
      if (response.headersSent || response.destroyed) return;
      response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
      response.end(JSON.stringify({ error: { message, type, param: null, code: null } }));
    };
    const { origin, host } = request.headers;
    const own = origin !== undefined && sameHost(origin, host);
    if (origin !== undefined && !own && !origins.includes(origin)) return refuse(403, "this origin may not ask here");
    if (origin !== undefined) {
      response.setHeader("access-control-allow-origin", origin);
      response.setHeader("vary", "origin");
      response.setHeader("access-control-expose-headers", RETURNED.join(", "));
    }
    if (request.method === "OPTIONS") {
      response.setHeader("access-control-allow-methods", "GET, POST");
      response.setHeader("access-control-allow-headers", `authorization, content-type, ${FORWARDED.join(", ")}`);
      response.setHeader("access-control-max-age", "600");
      return void response.writeHead(204).end();
    }
    // Browsers say where a POST comes from; what does not is no page.
    if (request.method === "POST" && origin === undefined) return refuse(403, "a POST needs an Origin");
    const { pathname, search } = new URL(request.url ?? "/", "http://localhost");
    const path = pathname.startsWith(prefix) ? pathname.slice(prefix.length) : undefined;
    const call = CALLS.find((c) => c.method === request.method && path !== undefined && c.path.test(path));
    if (!call) return refuse(404, "this proxy does not forward that", "not_found_error");
    const forwarded = trustForwarded ? String(request.headers["x-forwarded-for"] ?? "").split(",")[0].trim() : "";
    const ms = wait(forwarded || request.socket.remoteAddress || "");
    if (ms > 0) {
      response.setHeader("retry-after", String(Math.ceil(ms / 1000)));
      response.setHeader("retry-after-ms", String(ms));
      return refuse(429, "too many requests from this address", "rate_limit_error");
    }
    if (!(await authorize(request))) return refuse(401, "you are not signed in", "authentication_error");

    let body;
    if (call.method === "POST") {
      body = await read(request, maxBytes);
      if (body === undefined) return refuse(413, `the body has more than ${maxBytes} bytes`);
      let asked;
      try {
        asked = JSON.parse(body.toString("utf8"));
      } catch {
        return refuse(400, "the body is not JSON");
      }
      const model = call.model === "path" ? decodeURIComponent(call.path.exec(path)[1]) : asked?.model;
      if (!models.includes(model)) return refuse(403, `the model may not be asked here; ask one of: ${models.join(", ")}`);
      if (tokens(asked) > maxTokens) return refuse(400, `more than ${maxTokens} tokens may not be asked for here`);
    }

    const headers = {};
    for (const name of FORWARDED) if (request.headers[name] !== undefined) headers[name] = String(request.headers[name]);
    if (body) headers["content-type"] = "application/json";
    if (key && keyHeader === "bearer") headers.authorization = `Bearer ${key}`;
    else if (key) headers[keyHeader] = key;
    // Whoever goes away does not want the rest, and nobody is to pay for it.
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(timeoutMs)]);
    let answer;
    try {
      answer = await fetch(base + path + search, { method: call.method, headers, body, signal, redirect: "error" });
    } catch {
      if (gone.signal.aborted) return;
      return signal.aborted ? refuse(504, "the API did not answer in time", "timeout_error") : refuse(502, "the API cannot be reached", "api_error");
    }
    for (const name of RETURNED) {
      const value = answer.headers.get(name);
      if (value !== null) response.setHeader(name, value);
    }
    response.setHeader("cache-control", "no-store");
    response.writeHead(answer.status);
    if (!answer.body) return void response.end();
    try {
      await pipeline(Readable.fromWeb(answer.body), bounded(maxReplyBytes), response);
    } catch {
      response.destroy();
    }
  };
}

function sameHost(origin, host) {
  try {
    return new URL(origin).host === host;
  } catch {
    return false;
  }
}

/** How many tokens a request asks for, wherever its format says so. */
function tokens(asked) {
  const places = [
    asked?.max_tokens,
    asked?.max_completion_tokens,
    asked?.max_output_tokens,
    asked?.generationConfig?.maxOutputTokens,
    asked?.options?.num_predict,
  ];
  return Math.max(0, ...places.filter((n) => typeof n === "number"));
}

/** The request's body, or nothing when it is too large. */
async function read(request, most) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > most) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Lets so many bytes through, and no more. */
function bounded(most) {
  let size = 0;
  return new Transform({
    transform(part, _, next) {
      size += part.length;
      next(size > most ? new Error("the reply is too long") : null, part);
    },
  });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      upstream: { type: "string" },
      models: { type: "string", default: "" },
      origins: { type: "string", default: "" },
      prefix: { type: "string", default: "" },
      "key-header": { type: "string", default: "bearer" },
      "per-minute": { type: "string", default: "60" },
      port: { type: "string", default: "8787" },
      host: { type: "string", default: "127.0.0.1" },
    },
  });
  const list = (text) => text.split(",").filter((part) => part !== "");
  const proxy = createProxy({
    upstream: values.upstream,
    key: process.env.LLM_API_KEY,
    keyHeader: values["key-header"],
    models: list(values.models),
    origins: list(values.origins),
    prefix: values.prefix,
    perMinute: Number(values["per-minute"]),
  });
  const server = createServer((request, response) => {
    proxy(request, response).catch(() => response.destroy());
  });
  server.listen(Number(values.port), values.host, () => {
    console.log(`listening on http://${values.host}:${server.address().port}${values.prefix}`);
  });
}
