// What of the API's answers goes back: JSON and streams of it, without the key, within bounds; and of errors only what
// helps whoever sent the request.

import { isObject } from "./fields.js";
import { readAll } from "./limits.js";
import { ALWAYS, Refusal } from "./refusal.js";

/** Headers of an answer that go back: when to ask again, and under which name the API knows the request. */
export const RETURNED = ["retry-after", "retry-after-ms", "x-should-retry", "request-id", "x-request-id"];

/** The media types of replies. */
const TYPES = ["application/json", "text/event-stream", "application/x-ndjson"];

/** The most bytes that are read of an error. */
const MAX_ERROR_BYTES = 64 * 1024;

/** The most characters that are passed on of one. */
const MAX_MESSAGE = 500;

/** The statuses of which the message is passed on: it says what is wrong with the request. */
const EXPLAINED = [400, 404, 405, 409, 413, 415, 422];

/** The headers of an answer that go back. */
export function returned(answer: Response): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of RETURNED) {
    const value = answer.headers.get(name);
    if (value !== null && /^[\x20-\x7e]{1,128}$/.test(value)) headers[name] = value;
  }
  return headers;
}

/** The media type of an answer, where it is one that goes back. */
export function mediaType(answer: Response): string | undefined {
  const said = (answer.headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
  return TYPES.find((type) => type === said);
}

/** Ends an answer that nobody reads. */
export function drop(answer: Response): void {
  answer.body?.cancel().catch(() => {});
}

/** What an answer that is no success becomes. */
export async function failure(answer: Response, key: string | undefined, ms: number): Promise<Refusal> {
  const { status } = answer;
  const headers = returned(answer);
  if (status < 400) {
    drop(answer);
    const why = "the API answered with a redirect; whoever runs this proxy checks its option `upstream`";
    return new Refusal(502, "upstream_redirect", why);
  }
  const said = mediaType(answer) === "application/json" ? await errorOf(answer, ms) : (drop(answer), {});
  const more = { headers: said.retryAfterMs ? { "retry-after-ms": said.retryAfterMs, ...headers } : headers };
  if (status === 401 || status === 403) {
    const why = "the API refused this proxy's own access; whoever runs it checks its key and what the key may do";
    return new Refusal(status, "upstream_refused", why, more);
  }
  const known = { ...more, ...(said.type === undefined ? {} : { type: said.type }) };
  const code = said.code ?? null;
  if (status === 429)
    return new Refusal(429, code, "the API's own rate limit or quota is reached; try again later", known);
  if (status >= 500) {
    const why = `the API has a problem of its own (status ${status}); try again later`;
    return new Refusal(Math.min(status, 599), code, why, known);
  }
  const message = EXPLAINED.includes(status) && said.message !== undefined ? `: ${scrubbed(said.message, key)}` : "";
  const why = `the API refused the request with status ${status}${message}`;
  return new Refusal(status, code, why, { ...known, param: said.param ?? null });
}

interface SaidError {
  message?: string;
  type?: string;
  code?: string;
  param?: string;
  retryAfterMs?: string;
}

/** What an error's body says, in the shapes of OpenAI, Anthropic, Google and Ollama. */
async function errorOf(answer: Response, ms: number): Promise<SaidError> {
  const bytes = await readAll(answer.body, MAX_ERROR_BYTES, ms);
  if (typeof bytes === "string") return {};
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
  // Google's lists.
  if (Array.isArray(body)) body = body[0];
  const error = isObject(body) ? (body["error"] ?? body) : {};
  if (typeof error === "string") return { message: error };
  if (!isObject(error)) return {};
  const word = (value: unknown): string | undefined =>
    typeof value === "string" && /^[A-Za-z][A-Za-z0-9_.[\]-]{0,79}$/.test(value) ? value : undefined;
  const said: SaidError = {};
  if (typeof error["message"] === "string") said.message = error["message"];
  const type = word(error["type"]);
  const code = word(error["code"]) ?? word(error["status"]);
  const param = word(error["param"]);
  if (type !== undefined) said.type = type;
  if (code !== undefined) said.code = code;
  if (param !== undefined) said.param = param;
  for (const detail of Array.isArray(error["details"]) ? error["details"] : []) {
    const delay = isObject(detail) ? /^(\d{1,6}(?:\.\d{1,9})?)s$/.exec(String(detail["retryDelay"]))?.[1] : undefined;
    if (delay !== undefined) said.retryAfterMs = String(Math.ceil(Number(delay) * 1000));
  }
  return said;
}

/** How many characters of the key in a row are taken for a part of it. */
const PART_OF_KEY = 6;

/** A message without what names the owner of the key: parts of the key, accounts, and addresses. */
export function scrubbed(message: string, key: string | undefined): string {
  let text = message.slice(0, 4 * MAX_MESSAGE);
  if (key !== undefined) {
    const most = Math.min(key.length, PART_OF_KEY);
    const parts = new Set<string>();
    for (let at = 0; at + most <= key.length; at++) parts.add(key.slice(at, at + most));
    const hidden = new Uint8Array(text.length);
    for (let at = 0; at + most <= text.length; at++) {
      if (parts.has(text.slice(at, at + most))) hidden.fill(1, at, at + most);
    }
    text = [...hidden].map((one, at) => (one === 0 ? text[at] : hidden[at - 1] === 1 ? "" : REMOVED)).join("");
  }
  text = text
    .replace(/\b[a-z][a-z0-9+.-]{1,20}:\/\/\S+/gi, REMOVED)
    .replace(/\b(?:sk|pk|rk|key|gsk|xai)[-_][\w*.-]{4,}/gi, REMOVED)
    .replace(/\bAIza[\w*-]{4,}/g, REMOVED)
    .replace(/\b(?:org|proj|user|acct|account|organization|project|workspace)s?[-_/][A-Za-z0-9][\w-]{3,}/gi, REMOVED)
    .replace(/[\w.+-]{1,64}@[\w.-]{1,255}/g, REMOVED)
    // oxlint-disable-next-line no-control-regex -- these are what is taken out
    .replace(/[\u0000-\u001f\u007f]+/g, " ");
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
}

const REMOVED = "[removed]";

/**
 * Replaces a key in a stream of bytes by as many asterisks. A piece's end waits for the next piece only while it may be
 * the beginning of the key.
 */
export class Veil {
  readonly #key: Uint8Array;
  #held: Uint8Array = new Uint8Array();

  constructor(key: string) {
    this.#key = new TextEncoder().encode(key);
  }

  /** The next piece, as far as it may go on. */
  next(piece: Uint8Array): Uint8Array {
    const key = this.#key;
    const all = new Uint8Array(this.#held.length + piece.length);
    all.set(this.#held);
    all.set(piece, this.#held.length);
    let at = 0;
    for (;;) {
      at = all.indexOf(key[0]!, at);
      if (at === -1) break;
      const same = this.#matches(all, at);
      if (same === key.length) {
        all.fill(0x2a, at, at + same);
        at += same;
      } else if (at + same === all.length) {
        this.#held = all.slice(at);
        return all.subarray(0, at);
      } else at++;
    }
    this.#held = new Uint8Array();
    return all;
  }

  /** What was held back at the end. */
  rest(): Uint8Array {
    return this.#held;
  }

  #matches(all: Uint8Array, at: number): number {
    const most = Math.min(this.#key.length, all.length - at);
    let same = 0;
    while (same < most && all[at + same] === this.#key[same]) same++;
    return same;
  }
}

/** A reply that goes back as it comes, up to so many bytes. `end` is called once, however it ends. */
export function stream(
  body: ReadableStream<Uint8Array>,
  most: number,
  key: string | undefined,
  end: () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const veil = key === undefined ? undefined : new Veil(key);
  let size = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          for (;;) {
            const { done, value } = await reader.read();
            if (done) {
              const rest = veil?.rest();
              if (rest !== undefined && rest.length > 0) controller.enqueue(rest);
              end();
              controller.close();
              return;
            }
            size += value.byteLength;
            if (size > most) throw new Error(`the reply has more than ${most} bytes`);
            const piece = veil ? veil.next(value) : value;
            if (piece.byteLength > 0) {
              controller.enqueue(piece);
              return;
            }
          }
        } catch (error) {
          end();
          reader.cancel(error).catch(() => {});
          controller.error(error);
        }
      },
      async cancel(reason) {
        end();
        await reader.cancel(reason).catch(() => {});
      },
    },
    { highWaterMark: 0 },
  );
}

/** The reply to a request that was a success. */
export function success(answer: Response, type: string, body: ReadableStream<Uint8Array> | string): Response {
  const streamed = type !== "application/json";
  return new Response(body, {
    status: 200,
    headers: {
      "content-type": type,
      ...ALWAYS,
      // nginx holds streams back unless it is told not to.
      ...(streamed ? { "x-accel-buffering": "no" } : {}),
      ...returned(answer),
    },
  });
}
