// `fetch` for an app's OpenAI client: what a task of the bundle answers with a guarantee is answered here, and all else is passed on.

import type { SmallFirst } from "./api.js";
import { Certified, type CertifiedOptions, choiceOf, type Question } from "./certified.js";
import { checkFunction, checkNames, namesOf } from "./check.js";
import type { Answer } from "./types.js";

/** How `asFetch` works. */
export interface AsFetchOptions extends CertifiedOptions {
  /** What all else is passed on to. Default: the global `fetch`. */
  fetch?: typeof fetch;
}

const OPTIONS = namesOf<AsFetchOptions>()(["tasks", "risk", "fetch"]);

/** A longer body is passed on unread: no text that a task reads comes in one. */
const MOST_CHARACTERS = 1024 * 1024;

/** The part of a chat completion's request that is read. */
interface ChatRequest {
  messages?: unknown;
  response_format?: unknown;
  stream?: unknown;
  stream_options?: { include_usage?: unknown } | null;
  [more: string]: unknown;
}

/**
 * What a request may say beside the question. With anything else it wants something of the LLM, a tool's call or probabilities for
 * example, and is passed on.
 */
const HARMLESS = new Set(
  (
    "model messages response_format stream stream_options temperature top_p max_tokens max_completion_tokens seed user " +
    "frequency_penalty presence_penalty reasoning_effort verbosity service_tier prompt_cache_key prompt_cache_retention " +
    "prompt_cache_options safety_identifier"
  ).split(" "),
);

/** Whether a field asks for nothing: clients write defaults down, no tools for example, or one answer. */
function isNothing(name: string, value: unknown): boolean {
  if (typeof value === "object") return Object.keys(value ?? {}).length === 0;
  return value === undefined || value === false || (name === "n" && value === 1);
}

export function asFetch(ai: Pick<SmallFirst, "run" | "tasks">, options: AsFetchOptions = {}): typeof fetch {
  checkNames("asFetch", options, OPTIONS);
  checkFunction("asFetch: fetch", options.fetch);
  const certified = new Certified(ai, options);
  return async (input, init) => {
    const pass = (): Promise<Response> => (options.fetch ?? fetch)(input, init);
    const request = read(input, init);
    const asked = request && questionOf(request);
    if (!asked) return pass();
    const answer = await certified.answer(asked, init?.signal ?? undefined);
    return answer ? completion(request, asked.property, answer) : pass();
  };
}

/** The request, if it is one for a chat completion. */
function read(input: RequestInfo | URL, init: RequestInit | undefined): ChatRequest | undefined {
  // Clients give an address and a body that is a string. A `Request` would have to be read, and could not be passed on as it is.
  if (typeof input !== "string" && !(input instanceof URL)) return undefined;
  const body = init?.body;
  if (init?.method?.toUpperCase() !== "POST" || typeof body !== "string" || body.length > MOST_CHARACTERS)
    return undefined;
  const [path = ""] = String(input).split(/[?#]/, 1);
  if (!path.endsWith("/chat/completions")) return undefined;
  try {
    const request = JSON.parse(body) as ChatRequest | null;
    return typeof request === "object" && request !== null ? request : undefined;
  } catch {
    return undefined;
  }
}

/** The question of a request, and the property that its answer goes into. */
function questionOf(request: ChatRequest): (Question & { property: string }) | undefined {
  if (Object.entries(request).some(([name, value]) => !HARMLESS.has(name) && !isNothing(name, value))) return undefined;
  const format = request.response_format as {
    type?: unknown;
    json_schema?: { name?: unknown; schema?: unknown };
  } | null;
  const { name, schema } = (format?.type === "json_schema" && format.json_schema) || {};
  const choice = choiceOf(schema);
  const text = onlyText(request.messages);
  return typeof name === "string" && choice && text !== undefined ? { name, ...choice, text } : undefined;
}

/** The text of the only thing that the user says. A conversation is more than its last message. */
function onlyText(messages: unknown): string | undefined {
  if (!Array.isArray(messages)) return undefined;
  const said = (messages as { role?: unknown; content?: unknown }[]).filter(
    (message) => message?.role !== "system" && message?.role !== "developer",
  );
  const [only, ...more] = said;
  if (only?.role !== "user" || more.length > 0) return undefined;
  const { content } = only;
  if (typeof content === "string") return content;
  const [part, ...parts] = Array.isArray(content) ? (content as { type?: unknown; text?: unknown }[]) : [];
  return part?.type === "text" && typeof part.text === "string" && parts.length === 0 ? part.text : undefined;
}

/** The answer as the API gives it. Nothing was asked of it, so nothing was spent. */
function completion(request: ChatRequest, property: string, { output, tier }: Answer): Response {
  const content = JSON.stringify({ [property]: output.label });
  const usage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
  const about = {
    id: `chatcmpl-smallfirst-${Date.now().toString(36)}${Math.random().toString(36).slice(2, 10)}`,
    created: Math.floor(Date.now() / 1000),
    model: `smallfirst/${tier}`,
  };
  // So that an app can tell, and a test.
  const headers = { "x-smallfirst": "local" };
  if (request.stream !== true) {
    const message = { role: "assistant", content, refusal: null };
    const choices = [{ index: 0, message, logprobs: null, finish_reason: "stop" }];
    const whole = JSON.stringify({ ...about, object: "chat.completion", choices, usage });
    return new Response(whole, { headers: { ...headers, "content-type": "application/json" } });
  }
  const chunk = (delta: object, finish_reason: string | null): object => {
    return { ...about, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] };
  };
  const events = [chunk({ role: "assistant", content }, null), chunk({}, "stop")];
  if (request.stream_options?.include_usage === true)
    events.push({ ...about, object: "chat.completion.chunk", choices: [], usage });
  const body = [...events.map((event) => JSON.stringify(event)), "[DONE]"].map((data) => `data: ${data}\n\n`).join("");
  return new Response(body, { headers: { ...headers, "content-type": "text/event-stream" } });
}
