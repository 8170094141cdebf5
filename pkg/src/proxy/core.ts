// A proxy between pages and an LLM's API: `Request` in, `Response` out, as Next's route handlers, Cloudflare Workers, Deno,
// Bun and Hono have them. It holds the key, and sends what it has checked and put together anew. It needs nothing but the
// web's own interfaces; for `node:http`, Express and the like there is `smallfirst/proxy/node`.

import { type Call, FORMATS, callOf } from "./calls.js";
import { Place, isObject, parse } from "./fields.js";
import { askingOrigin, ownOrigin, preflight } from "./hosts.js";
import { Buckets, askedFrom, neighbourhood, readAll } from "./limits.js";
import { type ProxyOptions, type Settings, check } from "./options.js";
import { Refusal, quoted } from "./refusal.js";
import { RETURNED, drop, failure, mediaType, stream, success } from "./replies.js";

export type { CallName } from "./calls.js";
export type { TokensField } from "./fields.js";
export type { Caller, ProxyOptions } from "./options.js";
export type { ErrorBody } from "./refusal.js";

/** What is known of a request besides itself. */
export interface CallInfo<Context = unknown> {
  /** The address of the other end of the connection. Without it, all callers share what one may ask. */
  address?: string | null | undefined;
  /** Where the framework has mounted the proxy: what comes before the paths, unless the option `prefix` says it. */
  mount?: string | undefined;
  /** Passed on to `authorize`. */
  context?: Context | undefined;
}

/** Answers a request. Never rejects. */
export type Proxy<Context = unknown> = (request: Request, info?: CallInfo<Context>) => Promise<Response>;

/** Headers of a request that go on, where they look as they should. */
const FORWARDED: Readonly<Record<string, RegExp>> = {
  "anthropic-version": /^[0-9-]{1,32}$/,
  "idempotency-key": /^[\x21-\x7e]{1,255}$/,
};

/**
 * Makes a proxy. Throws a `TypeError` when an option is not what it must be.
 *
 * It does not know your users: put it behind your own sign-in, or give `authorize`.
 */
export function createProxy<Context = unknown>(options: ProxyOptions<Context>): Proxy<Context> {
  const checked = check(options);
  const now = (): number => Date.now();
  const buckets = {
    POST: new Buckets(checked.perMinute, checked.maxAddresses, now),
    // Whoever can make a visitor's browser GET something does not spend what the visitor may POST.
    GET: new Buckets(checked.perMinute, checked.maxAddresses, now),
    all: checked.totalPerMinute === undefined ? undefined : new Buckets(checked.totalPerMinute, 2, now),
  };

  return async (request, info = {}) => {
    const headers: Record<string, string> = { vary: "origin" };
    try {
      const origin = askingOrigin(request, ownOrigin(request, checked), checked);
      if (origin !== undefined) {
        headers["access-control-allow-origin"] = origin;
        headers["access-control-expose-headers"] = RETURNED.join(", ");
      }
      if (request.method === "OPTIONS") {
        if (origin !== undefined) Object.assign(headers, preflight(request));
        return new Response(null, { status: 204, headers });
      }
      const call = allowedCall(request, info.mount, checked);
      if (call.method === "POST" && origin === undefined) {
        const why = "a POST needs the header Origin, as browsers send it; programs set it to this proxy's own";
        throw new Refusal(403, "missing_origin", why, { param: "origin" });
      }
      const address = askedFrom(request.headers.get("x-forwarded-for"), checked.trustedHops, info.address ?? undefined);
      const who = address === undefined ? "unknown" : neighbourhood(address);
      limit(buckets[call.method].take(who), "too many requests from this address");
      if (buckets.all) limit(buckets.all.take(call.method), "too many requests from all together");
      const { method, url } = request;
      const allowed = checked.authorize({ method, url, headers: request.headers, address, context: info.context });
      if ((await allowed) !== true)
        throw new Refusal(401, "not_signed_in", "you are not signed in here, or may not ask");
      const body = call.method === "POST" ? await checkedBody(request, call, checked) : undefined;
      const reply = await forward(request, call, body, checked);
      for (const [name, value] of Object.entries(headers)) reply.headers.set(name, value);
      return reply;
    } catch (error) {
      if (error instanceof Refusal) return error.response(headers);
      console.error("smallfirst/proxy:", error);
      return new Refusal(500, "internal", "the proxy failed; whoever runs it finds more in its log").response(headers);
    }
  };
}

function limit(wait: number, what: string): void {
  if (wait === 0) return;
  throw new Refusal(429, "rate_limited", `${what}; try again in ${Math.ceil(wait / 1000)} s`, {
    headers: { "retry-after": String(Math.ceil(wait / 1000)), "retry-after-ms": String(wait) },
  });
}

/** The call that a request makes, where it may be made. */
function allowedCall(request: Request, mount: string | undefined, { prefix, calls }: Settings): Call {
  const { pathname, search } = new URL(request.url);
  const before = prefix ?? mount ?? "";
  const path = pathname.startsWith(`${before}/`) ? pathname.slice(before.length) : "";
  const call = callOf(path);
  if (call === undefined || !calls.has(call.name)) {
    const known = [...calls].map((name) => before + name).join(", ");
    throw new Refusal(404, "unknown_path", `this proxy does not forward ${quoted(pathname)}; it forwards ${known}`);
  }
  if (request.method !== call.method) {
    const headers = { allow: `${call.method}, OPTIONS` };
    throw new Refusal(405, "method_not_allowed", `${call.name} is asked with ${call.method}`, { headers });
  }
  if (search !== "" && search !== "?" && !(search === "?alt=sse" && call.action === "streamGenerateContent")) {
    throw new Refusal(
      400,
      "unknown_query",
      "the address may have no query here; only ?alt=sse of streamGenerateContent passes",
    );
  }
  return call;
}

/** The body that is sent: checked, and put together anew. */
async function checkedBody(request: Request, call: Call, checked: Settings): Promise<string> {
  const { maxBytes, maxTokens, maxChoices, tokensField, models } = checked;
  const tooLarge = (): Refusal =>
    new Refusal(413, "too_large", `the body has more than ${maxBytes} bytes, the most that may be sent here`);
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") {
    throw new Refusal(415, "encoded_body", "send the body without Content-Encoding", { param: "content-encoding" });
  }
  if (Number(request.headers.get("content-length")) > maxBytes) throw tooLarge();
  const bytes = await readAll(request.body, maxBytes, checked.bodyTimeoutMs);
  if (bytes === "large") throw tooLarge();
  if (bytes === "late") throw new Refusal(408, "slow_body", `the body took longer than ${checked.bodyTimeoutMs} ms`);
  if (bytes === "broken")
    throw new Refusal(400, "broken_body", "the body broke off, or was read before it came to the proxy");
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Refusal(400, "invalid_encoding", "the body is not UTF-8");
  }
  const { shape, complete } = FORMATS[call.name as keyof typeof FORMATS];
  const asked = parse(text);
  if (!isObject(asked)) throw new Refusal(400, "invalid_json", "the body must be a JSON object");
  const model = call.model === undefined ? asked["model"] : modelOf(call.model);
  if (typeof model !== "string" || !models.has(model)) {
    throw new Refusal(
      typeof model === "string" ? 403 : 400,
      "model_not_allowed",
      `the model ${quoted(model ?? null)} may not be asked here; ask one of: ${[...models].join(", ")}`,
      { param: "model" },
    );
  }
  const place = Place.root({
    widened: checked.widened.get(call.name) ?? new Set(),
    maxTokens,
    maxChoices,
    tokensField,
  });
  const body = shape(asked, place) as Record<string, unknown>;
  complete(body, place);
  return JSON.stringify(body);
}

/** A model's name in a path. */
function modelOf(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Refusal(400, "invalid_path", "the model's name in the path is not percent-encoded UTF-8", {
      param: "model",
    });
  }
}

/** Asks the API, and gives what of its answer goes back. */
async function forward(request: Request, call: Call, body: string | undefined, checked: Settings): Promise<Response> {
  // Whoever goes away does not want the rest, and nobody is to pay for it.
  const ending = new AbortController();
  const gone = (): void => ending.abort();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    ending.abort();
  }, checked.timeoutMs);
  const end = (): void => {
    clearTimeout(timer);
    request.signal.removeEventListener("abort", gone);
    ending.abort();
  };
  request.signal.addEventListener("abort", gone);
  if (request.signal.aborted) ending.abort();
  let going = false;
  try {
    const answer = await ask(request, call, body, checked, ending.signal);
    if (!answer.ok) throw await failure(answer, checked.key, checked.bodyTimeoutMs);
    const type = mediaType(answer);
    if (type === undefined || answer.body === null) {
      drop(answer);
      throw new Refusal(
        502,
        "upstream_not_json",
        "the API answered with neither JSON nor an event stream; whoever runs this proxy checks its option `upstream`",
      );
    }
    if (call.name === "/models") {
      drop(answer);
      return success(answer, "application/json", JSON.stringify(modelList(checked.models)));
    }
    const key = checked.key !== undefined && checked.key.length >= 8 ? checked.key : undefined;
    going = true;
    return success(answer, type, stream(answer.body, checked.maxReplyBytes, key, end));
  } catch (error) {
    if (error instanceof Refusal) throw error;
    if (late) throw new Refusal(504, "upstream_timeout", `the API did not answer within ${checked.timeoutMs} ms`);
    throw new Refusal(502, "upstream_unreachable", "the API cannot be reached");
  } finally {
    if (!going) end();
  }
}

function ask(
  request: Request,
  call: Call,
  body: string | undefined,
  checked: Settings,
  signal: AbortSignal,
): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json, text/event-stream" };
  for (const [name, form] of Object.entries(FORWARDED)) {
    const value = request.headers.get(name);
    if (value !== null && form.test(value)) headers[name] = value;
  }
  if (body !== undefined) headers["content-type"] = "application/json";
  if (checked.key !== undefined && checked.keyHeader === "bearer") headers["authorization"] = `Bearer ${checked.key}`;
  else if (checked.key !== undefined) headers[checked.keyHeader] = checked.key;
  let path: string = call.name;
  if (call.model !== undefined) {
    // `allowedCall` has looked at the query.
    const query = request.url.endsWith("?alt=sse") ? "?alt=sse" : "";
    path = `/models/${encodeURIComponent(modelOf(call.model))}:${call.action}${query}`;
  }
  // By hand, since not all runtimes know the mode that fails at one.
  return fetch(checked.upstream + path, {
    method: call.method,
    headers,
    body: body ?? null,
    signal,
    redirect: "manual",
  });
}

/** The list of models, as OpenAI's API gives it: those that may be asked, and not all that the key knows. */
function modelList(models: ReadonlySet<string>): object {
  const data = [...models].map((id) => ({ id, object: "model", created: 0, owned_by: "smallfirst-proxy" }));
  return { object: "list", data };
}
