// Parts of the proxy that need no server. tests/e2e/proxy.spec.ts asks all of it over the network.

import assert from "node:assert/strict";
import { test } from "node:test";
import { callOf } from "../src/proxy/calls.js";
import {
  type Bounds,
  type Shape,
  Place,
  byField,
  camel,
  json,
  list,
  oneOf,
  parse,
  record,
  text,
} from "../src/proxy/fields.js";
import { normalHost } from "../src/proxy/hosts.js";
import { readAll } from "../src/proxy/limits.js";
import { Refusal, quoted } from "../src/proxy/refusal.js";
import { mediaType, returned, scrubbed, stream } from "../src/proxy/replies.js";
import { never, settle } from "./fakes.js";

const BOUNDS: Bounds = {
  widened: new Set(["user", "m.extra"]),
  maxTokens: 10,
  maxChoices: 1,
  tokensField: "max_tokens",
};

/** What a shape makes of a value. */
function shaped(shape: Shape, value: unknown): unknown {
  return shape(value, Place.root(BOUNDS));
}

function refusal(work: () => unknown): Pick<Refusal, "status" | "code" | "message" | "param"> {
  try {
    work();
  } catch (thrown) {
    assert.ok(thrown instanceof Refusal, String(thrown));
    const { status, code, message, param } = thrown;
    return { status, code, message, param };
  }
  return assert.fail("nothing was refused");
}

test("a body nests as deep as it may, and brackets in strings do not count", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  assert.ok(Array.isArray(parse(nested(64))));
  assert.equal(refusal(() => parse(nested(65))).code, "too_deep");
  // Deep enough to end a parser that recurses.
  assert.equal(refusal(() => parse("[".repeat(1_000_000))).code, "too_deep");
  const words = '{"a":"[[[\\"{{{"}';
  assert.deepEqual(
    parse(`[${Array.from({ length: 40 }, () => words).join()}]`),
    Array.from({ length: 40 }, () => ({ a: '[[["{{{' })),
  );
  assert.deepEqual(parse('["\\\\",[]]'), ["\\", []]);
});

test("a body that is no JSON says so, and an empty one says more", () => {
  assert.equal(refusal(() => parse("{")).message, "the body is not JSON");
  assert.equal(refusal(() => parse(" \n")).message, "the body is empty; send the request as JSON");
});

test("an object is built anew from the fields that are known, and null is as good as nothing", () => {
  const shape = record({ a: text, b: list(text), m: record({ c: text }) });
  assert.deepEqual(
    { ...(shaped(shape, { a: "x", b: null, m: { c: "y", extra: [1] }, user: { id: 1 } }) as object) },
    {
      a: "x",
      m: Object.assign(Object.create(null), { c: "y", extra: [1] }),
      user: { id: 1 },
    },
  );
});

test("what is not known is refused by its place and by the name that would let it through", () => {
  const shape = record({ m: list(record({ c: text })) });
  assert.deepEqual(
    refusal(() => shaped(shape, { m: [{ c: "" }, { d: 1 }] })),
    {
      status: 400,
      code: "field_not_allowed",
      message:
        "m[1].d is not among the fields that may be sent through this proxy; leave it out, or let whoever runs the proxy " +
        'add "m.d" to its option `fields`',
      param: "m[1].d",
    },
  );
  assert.equal(refusal(() => shaped(shape, JSON.parse('{"__proto__":{}}'))).param, "__proto__");
  assert.deepEqual(
    refusal(() => shaped(shape, "text")),
    { status: 400, code: "invalid_value", message: "the body must be an object", param: null },
  );
  assert.equal(refusal(() => shaped(shape, { m: [{ c: 1 }] })).message, "m[0].c must be a string");
  assert.equal(refusal(() => shaped(shape, { ["x".repeat(500)]: 1 })).param?.length, 121);
});

test("a field in two spellings is one field, and given twice it is refused", () => {
  const shape = record({ maxTokens: text }, camel);
  assert.deepEqual({ ...(shaped(shape, { max_tokens: "1" }) as object) }, { maxTokens: "1" });
  assert.equal(
    refusal(() => shaped(shape, { max_tokens: "1", maxTokens: "2" })).message,
    "maxTokens is given twice, in two spellings",
  );
});

test("a field says which of several shapes it is, and the first where it says nothing", () => {
  const shape = byField("type", { text: record({ type: text, text }), file: record({ type: text }) });
  assert.deepEqual({ ...(shaped(shape, { text: "x" }) as object) }, { text: "x" });
  assert.deepEqual({ ...(shaped(shape, { type: "file" }) as object) }, { type: "file" });
  assert.match(
    refusal(() => shaped(shape, { type: "image" })).message,
    /^the body has the type "image"; through this proxy it may be "text", "file"; /,
  );
  assert.equal(refusal(() => shaped(shape, { type: "constructor" })).code, "field_not_allowed");
});

test("one of some values is one of those", () => {
  assert.equal(shaped(oneOf("auto", false), false), false);
  assert.match(
    refusal(() => shaped(oneOf("auto", false), true)).message,
    /^the body is true; through this proxy it may be "auto", false;/,
  );
});

test("numbers that JSON cannot hold are refused wherever they stand", () => {
  assert.equal(
    refusal(() => shaped(json, { a: [1, { b: Infinity }] })).message,
    "a[1].b must be a number that JSON can hold",
  );
});

test("calls are known by their paths, and a model's name is a part of one", () => {
  assert.deepEqual(callOf("/chat/completions"), { name: "/chat/completions", method: "POST" });
  assert.deepEqual(callOf("/models"), { name: "/models", method: "GET" });
  assert.deepEqual(callOf("/models/a%2Fb:streamGenerateContent"), {
    name: "/models/{model}:generateContent",
    method: "POST",
    model: "a%2Fb",
    action: "streamGenerateContent",
  });
  for (const path of [
    "",
    "/",
    "/chat",
    "/models/{model}:generateContent/",
    "/models/a/b:generateContent",
    "/models/a:countTokens",
  ]) {
    assert.equal(callOf(path), undefined, path);
  }
  assert.equal(callOf("/models/{model}:generateContent")?.model, "{model}");
});

test("hosts are compared in one spelling, and what is none is none", () => {
  const cases: [string, string, string | undefined][] = [
    ["App.Example", "https", "app.example"],
    ["app.example:443", "https", "app.example"],
    ["app.example:443", "http", "app.example:443"],
    ["[::1]:80", "http", "[::1]"],
    ["127.0.0.1:8787", "http", "127.0.0.1:8787"],
    ["app.example:99999", "http", undefined],
    ["app.example/path", "http", undefined],
    ["user@app.example", "http", undefined],
    ["app.example:", "http", undefined],
    ["", "http", undefined],
    ["[::zz]", "http", undefined],
  ];
  for (const [host, scheme, normal] of cases) assert.equal(normalHost(host, scheme), normal, host);
});

/** A body in these pieces, and then what the test says. */
function body(pieces: string[], then: (controller: ReadableStreamDefaultController<Uint8Array>) => unknown) {
  const seen = { cancelled: 0 };
  let at = 0;
  const readable = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = pieces[at++];
        if (piece === undefined) return then(controller) as Promise<void>;
        controller.enqueue(new TextEncoder().encode(piece));
        return undefined;
      },
      cancel() {
        seen.cancelled++;
      },
    },
    { highWaterMark: 0 },
  );
  return { readable, seen };
}

const close = (controller: ReadableStreamDefaultController<Uint8Array>): void => controller.close();

test("a body is read to its end, within its bounds in bytes and time", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const read = (readable: ReadableStream<Uint8Array> | null, most: number) => readAll(readable, most, 1000);
  assert.deepEqual(await read(body(["abc", "", "de"], close).readable, 5), new TextEncoder().encode("abcde"));
  assert.deepEqual(await read(null, 5), new Uint8Array());
  const large = body(["abc", "def", "ghi"], close);
  assert.equal(await read(large.readable, 5), "large");
  assert.equal(large.seen.cancelled, 1);
  const broken = body(["abc"], (controller) => controller.error(new Error("it broke off")));
  assert.equal(await read(broken.readable, 5), "broken");
  const slow = body(["abc"], never);
  const reading = read(slow.readable, 5);
  await settle();
  t.mock.timers.tick(1000);
  assert.equal(await reading, "late");
  assert.equal(slow.seen.cancelled, 1);
});

async function readText(readable: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(readable as ReadableStream<Uint8Array<ArrayBuffer>>).text();
}

test("a reply passes as it comes, and its end is told once, however it ends", async () => {
  let ends = 0;
  const end = (): unknown => ends++;
  const good = body(["abc", "def"], close);
  assert.equal(await readText(stream(good.readable, 6, undefined, end)), "abcdef");
  assert.equal(ends, 1);
  const large = body(["abc", "def", "g"], close);
  await assert.rejects(readText(stream(large.readable, 6, undefined, end)), {
    message: "the reply has more than 6 bytes",
  });
  assert.deepEqual([ends, large.seen.cancelled], [2, 1]);
  const broken = body(["abc"], (controller) => controller.error(new Error("it broke off")));
  await assert.rejects(readText(stream(broken.readable, 6, undefined, end)), { message: "it broke off" });
  assert.equal(ends, 3);
  const left = body(["abc", "def"], close);
  const reader = stream(left.readable, 6, undefined, end).getReader();
  await reader.read();
  await reader.cancel();
  assert.deepEqual([ends, left.seen.cancelled], [4, 1]);
});

test("a key in a reply is veiled, also where pieces cut it, and what only begins like it passes", async () => {
  const veiled = (pieces: string[]): Promise<string> =>
    readText(stream(body(pieces, close).readable, 1000, "sk-secret", () => {}));
  assert.equal(await veiled(["a sk-se", "cret b"]), "a ********* b");
  assert.equal(await veiled(["sk-sk-secret sk-sec"]), "sk-********* sk-sec");
});

test("of an answer's headers those go back that help, where they look as they should", () => {
  const headers = { "retry-after": "5", "x-request-id": "a".repeat(129), "set-cookie": "a=b", "request-id": "r1" };
  assert.deepEqual(returned(new Response("", { headers })), { "retry-after": "5", "request-id": "r1" });
});

test("a reply is JSON, or a stream of it", () => {
  const of = (type: string): string | undefined => mediaType(new Response(null, { headers: { "content-type": type } }));
  assert.equal(of("Application/JSON; charset=utf-8"), "application/json");
  assert.equal(of("text/event-stream"), "text/event-stream");
  assert.equal(of("application/x-ndjson"), "application/x-ndjson");
  assert.equal(of("text/html"), undefined);
  assert.equal(mediaType(new Response(null)), undefined);
});

test("a message names neither the key nor its owner", () => {
  const key = "abcdefghijkl";
  const cases: [string, string][] = [
    ["the key abcdefghijkl is wrong", "the key [removed] is wrong"],
    ["the key abcdef…ghijkl is wrong", "the key [removed]…[removed] is wrong"],
    ["the key abcde is wrong", "the key abcde is wrong"],
    ["see https://api.example/keys for more", "see [removed] for more"],
    ["sk-proj-12345 is revoked", "[removed] is revoked"],
    ["in organization org-AbC123", "in organization [removed]"],
    ["ask admin@corp.example", "ask [removed]"],
    ["two\nlines\u0000here", "two lines here"],
    ["max_tokens is too large", "max_tokens is too large"],
  ];
  for (const [message, left] of cases) assert.equal(scrubbed(message, key), left);
  assert.equal(scrubbed("x".repeat(501), undefined), `${"x".repeat(500)}…`);
});

test("a refusal is a reply in the shape of OpenAI's API, whose type goes with its status", async () => {
  const types: [number, string][] = [
    [400, "invalid_request_error"],
    [401, "authentication_error"],
    [403, "permission_error"],
    [404, "not_found_error"],
    [408, "timeout_error"],
    [421, "permission_error"],
    [429, "rate_limit_error"],
    [500, "api_error"],
    [504, "timeout_error"],
  ];
  for (const [status, type] of types) assert.equal(new Refusal(status, "c", "m").type, type);
  const response = new Refusal(429, "rate_limited", "wait", { param: "p", headers: { "retry-after": "1" } }).response({
    vary: "origin",
  });
  assert.equal(response.status, 429);
  assert.deepEqual(await response.json(), {
    error: { message: "wait", type: "rate_limit_error", param: "p", code: "rate_limited" },
  });
  assert.deepEqual(Object.fromEntries(response.headers), {
    "cache-control": "no-store, no-transform",
    "content-type": "application/json",
    "retry-after": "1",
    vary: "origin",
    "x-content-type-options": "nosniff",
  });
});

test("a stranger's text is short and in quotes", () => {
  assert.equal(quoted('a "b"'), '"a \\"b\\""');
  assert.equal(quoted("x".repeat(100)), `"${"x".repeat(79)}…`);
  assert.equal(quoted("abc", 3), '"ab…');
  assert.equal(quoted(undefined), "undefined");
});
