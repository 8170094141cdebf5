// The package's proxy, asked directly: what it lets through and what it sends for it, who may ask and how often, and what
// of the answers comes back.

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { type ProxyOptions, createProxy } from "../../pkg/dist/proxy/core.js";
import { Buckets, askedFrom, neighbourhood } from "../../pkg/dist/proxy/limits.js";
import { createNodeProxy } from "../../pkg/dist/proxy/node.js";
import { Veil, scrubbed } from "../../pkg/dist/proxy/replies.js";
import { expect, root, test } from "./fixtures.js";
import { type Listening, Upstream, post, proxyTo, raw } from "./upstream.js";

let api: Upstream;
const running: Listening[] = [];

test.beforeEach(async () => {
  api = await Upstream.start();
});

test.afterEach(async () => {
  await api.stop();
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

async function proxy(options: Partial<ProxyOptions> = {}, upstream: Upstream | string = api): Promise<Listening> {
  const server = await proxyTo(upstream, { perMinute: 10_000, ...options });
  running.push(server);
  return server;
}

interface ErrorReply {
  error: { message: string; type: string; param: string | null; code: string | null };
}

const chat = { model: "small", messages: [{ role: "user", content: "hi" }] };
const CHAT = "/chat/completions";
const GEMINI = "/models/small:generateContent";

test("what is sent upstream is what was checked, put together anew, with the limit set", async () => {
  const { address } = await proxy({ maxTokens: 500 });
  const text = (content: string): object => ({ role: "user", content });
  const schema = { type: "object", properties: { label: { enum: ["a"] } }, additionalProperties: false };
  const cases: [string, unknown, unknown][] = [
    [CHAT, chat, { ...chat, max_completion_tokens: 500 }],
    [CHAT, { ...chat, max_tokens: 9, n: 1, stop: null }, { ...chat, max_tokens: 9, n: 1 }],
    [
      CHAT,
      '{"model":"large","model":"small","messages":[],"max_tokens":99999,"max_tokens":3}',
      { model: "small", messages: [], max_tokens: 3 },
    ],
    [
      CHAT,
      {
        ...chat,
        stream: true,
        stream_options: { include_usage: true },
        temperature: 0,
        response_format: { type: "json_schema", json_schema: { name: "c", strict: true, schema } },
      },
      {
        ...chat,
        stream: true,
        stream_options: { include_usage: true },
        temperature: 0,
        response_format: { type: "json_schema", json_schema: { name: "c", strict: true, schema } },
        max_completion_tokens: 500,
      },
    ],
    [
      "/responses",
      {
        model: "small",
        instructions: "i",
        input: [
          text("a"),
          {
            type: "message",
            role: "assistant",
            id: "msg_1",
            status: "completed",
            content: [{ type: "output_text", text: "b", annotations: [] }],
          },
        ],
      },
      {
        model: "small",
        instructions: "i",
        input: [
          text("a"),
          {
            type: "message",
            role: "assistant",
            id: "msg_1",
            status: "completed",
            content: [{ type: "output_text", text: "b", annotations: [] }],
          },
        ],
        max_output_tokens: 500,
        store: false,
      },
    ],
    [
      "/decisions",
      {
        model: "small",
        input: "x",
        questions: [{ type: "choice", name: "c", instructions: "i", choices: [{ value: "a", description: "A" }] }],
      },
      {
        model: "small",
        input: "x",
        questions: [{ type: "choice", name: "c", instructions: "i", choices: [{ value: "a", description: "A" }] }],
      },
    ],
    [
      "/messages",
      {
        model: "small",
        system: "s",
        messages: [text("a")],
        tools: [{ name: "c", description: "d", input_schema: schema }],
        tool_choice: { type: "tool", name: "c" },
      },
      {
        model: "small",
        system: "s",
        messages: [text("a")],
        tools: [{ name: "c", description: "d", input_schema: schema }],
        tool_choice: { type: "tool", name: "c" },
        max_tokens: 500,
      },
    ],
    [
      "/api/chat",
      { model: "small", messages: [text("a")], stream: false, format: schema },
      { model: "small", messages: [text("a")], stream: false, format: schema, options: { num_predict: 500 } },
    ],
    [
      GEMINI,
      {
        system_instruction: { parts: [{ text: "s" }] },
        contents: [{ role: "user", parts: [{ text: "a" }] }],
        generation_config: { max_output_tokens: 7, response_json_schema: schema },
      },
      {
        systemInstruction: { parts: [{ text: "s" }] },
        contents: [{ role: "user", parts: [{ text: "a" }] }],
        generationConfig: { maxOutputTokens: 7, responseJsonSchema: schema },
      },
    ],
    [GEMINI, { contents: [] }, { contents: [], generationConfig: { maxOutputTokens: 500 } }],
  ];
  for (const [path, body, sent] of cases) {
    const answer = await post(address, path, body);
    expect([path, answer.status, answer.ok || (await answer.text())]).toEqual([path, 200, true]);
    expect(JSON.parse(api.seen.at(-1)!.body)).toEqual(sent);
  }
  expect(api.seen).toHaveLength(cases.length);
});

test("what it does not know is refused by name, and nothing goes upstream", async () => {
  const { address } = await proxy();
  const content = (part: object): object => ({ ...chat, messages: [{ role: "user", content: [part] }] });
  const config = (fields: object): object => ({ contents: [], generationConfig: fields });
  const cases: [string, unknown, number, string][] = [
    [CHAT, { ...chat, Model: "large" }, 400, "Model"],
    [CHAT, { ...chat, models: ["large"] }, 400, "models"],
    [CHAT, '{"model":"small","messages":[],"__proto__":{"model":"large"}}', 400, "__proto__"],
    [CHAT, { ...chat, model: "large" }, 403, "model"],
    [CHAT, { ...chat, model: ["small"] }, 400, "model"],
    [CHAT, '{"model":"small","model":"large"}', 403, "model"],
    [CHAT, { ...chat, n: 100 }, 400, "n"],
    [CHAT, { ...chat, n: "1" }, 400, "n"],
    [CHAT, { ...chat, best_of: 9 }, 400, "best_of"],
    [CHAT, { ...chat, store: true }, 400, "store"],
    [CHAT, { ...chat, web_search_options: {} }, 400, "web_search_options"],
    [CHAT, content({ type: "image_url", image_url: { url: "http://127.0.0.1/x" } }), 400, "messages[0].content[0]"],
    [CHAT, content({ type: "file", file: { file_id: "file-1" } }), 400, "messages[0].content[0]"],
    [
      CHAT,
      content({ type: "text", text: "a", image_url: "http://127.0.0.1" }),
      400,
      "messages[0].content[0].image_url",
    ],
    [CHAT, { ...chat, tools: [{ type: "custom", custom: { name: "x" } }] }, 400, "tools[0]"],
    [
      "/responses",
      { model: "small", input: "a", tools: [{ type: "mcp", server_url: "http://127.0.0.1", server_label: "x" }] },
      400,
      "tools[0]",
    ],
    [
      "/responses",
      { model: "small", input: "a", tools: [{ type: "function", name: "f", server_url: "http://127.0.0.1" }] },
      400,
      "tools[0].server_url",
    ],
    [
      "/responses",
      { model: "small", input: "a", tools: [{ type: "file_search", vector_store_ids: ["vs_1"] }] },
      400,
      "tools[0]",
    ],
    ["/responses", { model: "small", input: "a", previous_response_id: "resp_1" }, 400, "previous_response_id"],
    ["/responses", { model: "small", input: "a", conversation: "conv_1" }, 400, "conversation"],
    ["/responses", { model: "small", input: "a", store: true }, 400, "store"],
    ["/responses", { model: "small", input: [{ type: "item_reference", id: "msg_1" }] }, 400, "input[0]"],
    [
      "/responses",
      { model: "small", input: [{ role: "user", content: [{ type: "input_image", image_url: "http://127.0.0.1" }] }] },
      400,
      "input[0].content[0]",
    ],
    [
      "/messages",
      { model: "small", messages: [], mcp_servers: [{ type: "url", url: "http://127.0.0.1" }] },
      400,
      "mcp_servers",
    ],
    [
      "/messages",
      {
        model: "small",
        messages: [{ role: "user", content: [{ type: "image", source: { type: "url", url: "http://127.0.0.1" } }] }],
      },
      400,
      "messages[0].content[0]",
    ],
    [
      "/messages",
      { model: "small", messages: [], tools: [{ type: "web_search_20260101", name: "web_search" }] },
      400,
      "tools[0]",
    ],
    [
      "/api/chat",
      { model: "small", messages: [{ role: "user", content: "a", images: ["x"] }] },
      400,
      "messages[0].images",
    ],
    [
      GEMINI,
      { contents: [{ parts: [{ fileData: { fileUri: "http://127.0.0.1" } }] }] },
      400,
      "contents[0].parts[0].fileData",
    ],
    [
      GEMINI,
      { contents: [{ parts: [{ file_data: { file_uri: "http://127.0.0.1" } }] }] },
      400,
      "contents[0].parts[0].fileData",
    ],
    [GEMINI, { contents: [], tools: [{ googleSearch: {} }] }, 400, "tools[0].googleSearch"],
    [GEMINI, { contents: [], cachedContent: "cachedContents/1" }, 400, "cachedContent"],
    [GEMINI, { contents: [], model: "large" }, 400, "model"],
    [GEMINI, config({ candidateCount: 8 }), 400, "generationConfig.candidateCount"],
    [GEMINI, { contents: [], generation_config: { candidate_count: 8 } }, 400, "generationConfig.candidateCount"],
    [
      GEMINI,
      { contents: [], generation_config: { max_output_tokens: 900_000 } },
      400,
      "generationConfig.maxOutputTokens",
    ],
    [GEMINI, { contents: [], generation_config: {}, generationConfig: {} }, 400, "generationConfig"],
    ["/models/large:generateContent", { contents: [] }, 403, "model"],
    ["/models/small%2F..%2Flarge:generateContent", { contents: [] }, 403, "model"],
    ["/models/%E0%A4%A:generateContent", {}, 400, "model"],
  ];
  // Every spelling of the limit, and every way to say too much with it.
  const spellings: [string, (value: unknown) => object, string][] = [
    [CHAT, (value) => ({ ...chat, max_tokens: value }), "max_tokens"],
    [CHAT, (value) => ({ ...chat, max_completion_tokens: value }), "max_completion_tokens"],
    ["/responses", (value) => ({ model: "small", input: "a", max_output_tokens: value }), "max_output_tokens"],
    ["/messages", (value) => ({ model: "small", messages: [], max_tokens: value }), "max_tokens"],
    [
      "/api/chat",
      (value) => ({ model: "small", messages: [], options: { num_predict: value } }),
      "options.num_predict",
    ],
    [GEMINI, (value) => config({ maxOutputTokens: value }), "generationConfig.maxOutputTokens"],
    [
      GEMINI,
      (value) => ({ contents: [], generation_config: { max_output_tokens: value } }),
      "generationConfig.maxOutputTokens",
    ],
  ];
  for (const [path, body, param] of spellings) {
    for (const value of [4097, "9", 1.5, -1, -2, 0, 1e300, [1], true, {}]) cases.push([path, body(value), 400, param]);
  }
  cases.push([CHAT, { ...chat, max_tokens: 1, max_completion_tokens: 1 }, 400, "max_tokens"]);
  for (const [path, body, status, param] of cases) {
    const answer = await post(address, path, body);
    const { error } = (await answer.json()) as ErrorReply;
    expect([path, body, answer.status, error.param]).toEqual([path, body, status, param]);
    expect(error.message).not.toBe("");
    expect([error.type, answer.headers.get("x-content-type-options")]).toEqual([expect.any(String), "nosniff"]);
  }
  const told = (await (await post(address, CHAT, { ...chat, user: "u" })).json()) as ErrorReply;
  expect(told.error).toEqual({
    message:
      'user is not among the fields that may be sent through this proxy; leave it out, or let whoever runs the proxy add "user" to its option `fields`',
    type: "invalid_request_error",
    param: "user",
    code: "field_not_allowed",
  });
  expect(api.seen).toEqual([]);
});

test("bodies that are no JSON object of a bearable size are refused", async () => {
  const { address } = await proxy({ maxBytes: 10_000 });
  const deep = `{"model":"small","messages":[],"response_format":${"[".repeat(3000)}${"]".repeat(3000)}}`;
  const cases: [string | Uint8Array<ArrayBuffer>, number, string][] = [
    ["", 400, "invalid_json"],
    ["{broken", 400, "invalid_json"],
    ["[]", 400, "invalid_json"],
    ["null", 400, "invalid_json"],
    ['"small"', 400, "invalid_json"],
    [new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400, "invalid_encoding"],
    [deep, 400, "too_deep"],
    [JSON.stringify({ ...chat, messages: [{ role: "user", content: "x".repeat(20_000) }] }), 413, "too_large"],
    ['{"model":"small","messages":[],"temperature":1e999}', 400, "invalid_value"],
  ];
  for (const [body, status, code] of cases) {
    const answer = await fetch(address + CHAT, { method: "POST", headers: { origin: address }, body });
    expect([String(body).slice(0, 40), answer.status, ((await answer.json()) as ErrorReply).error.code]).toEqual([
      String(body).slice(0, 40),
      status,
      code,
    ]);
  }
  // Brackets in strings are no depth.
  const brackets = { ...chat, messages: [{ role: "user", content: '[[["\\'.repeat(500) }] };
  expect((await post(address, CHAT, brackets)).status).toBe(200);
  expect(JSON.parse(api.seen[0]!.body).messages).toEqual(brackets.messages);
  const zipped = await post(address, CHAT, chat, { "content-encoding": "gzip" });
  expect(zipped.status).toBe(415);
  expect(api.seen).toHaveLength(1);
});

test("an option widens it, and only by what it names", async () => {
  const { address } = await proxy({
    fields: {
      "/chat/completions": ["user", "messages.content"],
      "/models/{model}:generateContent": ["generation_config.thinking_config"],
    },
    maxChoices: 3,
    calls: ["/chat/completions", "/models/{model}:generateContent"],
    tokensField: "max_tokens",
  });
  const image = [{ type: "image_url", image_url: { url: "https://img.example/a.png" } }];
  const body = { model: "small", user: "u", n: 3, messages: [{ role: "user", content: image }] };
  expect((await post(address, CHAT, body)).status).toBe(200);
  expect(JSON.parse(api.seen[0]!.body)).toEqual({ ...body, max_tokens: 4096 });
  expect(
    (await post(address, GEMINI, { contents: [], generationConfig: { thinkingConfig: { thinkingBudget: 0 } } })).status,
  ).toBe(200);
  expect((await post(address, CHAT, { ...chat, metadata: {} })).status).toBe(400);
  expect((await post(address, CHAT, { ...chat, n: 4 })).status).toBe(400);
  expect((await post(address, "/responses", { model: "small", input: "a" })).status).toBe(404);
});

test("options are checked at the start", () => {
  const good = { upstream: "https://api.example/v1", models: ["small"] };
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ upstream: undefined }, /upstream/],
    [{ upstream: "ftp://x" }, /upstream/],
    [{ upstream: "api.example/v1" }, /upstream/],
    [{ upstream: "https://user:secret@api.example" }, /^(?!.*secret).*upstream.*credentials.*key/],
    [{ upstream: "https://api.example/v1?key=1" }, /upstream/],
    [{ upstream: "https://api.example/v1#a" }, /upstream/],
    [{ models: [] }, /models/],
    [{ models: "small" }, /models/],
    [{ models: [""] }, /models/],
    [{ key: "" }, /key/],
    [{ key: "sk-1\r\nx: y" }, /^(?!.*sk-1).*key/],
    [{ keyHeader: "cookie" }, /keyHeader.*bearer/],
    [{ trustForwarded: true }, /no option "trustForwarded".*trustedHops/],
    [{ trustedHops: true }, /trustedHops/],
    [{ trustedHops: -1 }, /trustedHops/],
    [{ perMinute: NaN }, /perMinute is "NaN".*whole number/],
    [{ perMinute: Infinity }, /perMinute/],
    [{ perMinute: "60" }, /perMinute/],
    [{ perMinute: 0 }, /perMinute/],
    [{ perMinute: 1.5 }, /perMinute/],
    [{ maxTokens: null }, /maxTokens/],
    [{ timeoutMs: 2 ** 31 }, /timeoutMs/],
    [{ origins: ["https://app.example/"] }, /origins.*"https:\/\/app\.example"/],
    [{ origins: ["*"] }, /origins/],
    [{ origins: ["app.example"] }, /origins/],
    [{ origins: ["https://APP.example"] }, /origins/],
    [{ origins: ["null"] }, /origins/],
    [{ hosts: ["https://app.example"] }, /hosts/],
    [{ hosts: ["app.example/x"] }, /hosts/],
    [{ hosts: ["*.example"] }, /hosts/],
    [{ scheme: "wss" }, /scheme/],
    [{ prefix: "llm" }, /prefix/],
    [{ calls: ["/embeddings"] }, /calls/],
    [{ fields: ["user"] }, /fields/],
    [{ fields: { "/chat": ["user"] } }, /fields.*"\/chat"/],
    [{ fields: { "/chat/completions": "user" } }, /fields/],
    [{ fields: { "/chat/completions": ["max_tokens"] } }, /max_tokens has a limit/],
    [{ fields: { "/api/chat": ["options"] } }, /options\.num_predict has a limit/],
    [{ fields: { "/models/{model}:generateContent": ["generation_config"] } }, /has a limit/],
    [{ authorize: true }, /authorize/],
  ];
  for (const [change, message] of wrong) {
    const make = (): unknown => createProxy({ ...good, ...change });
    expect(make, JSON.stringify(change)).toThrow(TypeError);
    expect(make, JSON.stringify(change)).toThrow(message);
  }
  expect(() => createProxy(undefined as never)).toThrow("upstream");
  createProxy({
    ...good,
    origins: ["https://app.example:8443", "capacitor://localhost"],
    hosts: ["app.example", "[2001:db8::1]:80"],
    prefix: "/llm/v1/",
  });
});

test("the command line is as strict", () => {
  const run = (...args: string[]): { status: number | null; said: string } => {
    const { status, stderr, stdout } = spawnSync("node", ["pkg/dist/proxy/cli.js", ...args], {
      cwd: root,
      encoding: "utf8",
      timeout: 20_000,
    });
    return { status, said: stderr + stdout };
  };
  const good = ["--upstream", "http://127.0.0.1:1", "--models", "small"];
  const wrong: [string[], RegExp][] = [
    [[], /--upstream is missing/],
    [["--upstream", "http://127.0.0.1:1"], /--models is missing/],
    [[...good, "--per-minute", "60/min"], /--per-minute is "60\/min"/],
    [[...good, "--per-minute", "0"], /perMinute/],
    [[...good, "--per-hour", "1"], /--per-hour/],
    [[...good, "extra"], /extra/],
    [[...good, "--port", "70000"], /--port/],
    [[...good, "--field", "user"], /--field/],
    [[...good, "--origins", "app.example"], /origins/],
  ];
  for (const [args, said] of wrong) {
    const ended = run(...args);
    expect([args, ended.status]).toEqual([args, 2]);
    expect(ended.said).toMatch(said);
  }
  expect(run("--help")).toMatchObject({ status: 0, said: expect.stringContaining("--trusted-hops") });
});

test("it is reached by names it knows, and asked by pages that may", async () => {
  const { address, port } = await proxy({
    hosts: ["app.example"],
    origins: ["https://page.example"],
    key: "sk-12345678",
  });
  const body = JSON.stringify(chat);
  const ask = async (headers: string, method = "POST", path = CHAT): Promise<string> => {
    const text = method === "POST" ? body : "";
    const answer = await raw(
      port,
      `${method} ${path} HTTP/1.1\r\n${headers}\r\ncontent-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`,
    );
    return answer.slice(9, 12);
  };
  const cases: [string, string][] = [
    [`Host: 127.0.0.1:${port}\r\nOrigin: ${address}`, "200"],
    [`Host: localhost:${port}\r\nOrigin: http://localhost:${port}`, "200"],
    [`Host: [::1]:${port}\r\nOrigin: http://[::1]:${port}`, "200"],
    ["Host: app.example\r\nOrigin: http://app.example", "200"],
    ["Host: APP.example:80\r\nOrigin: http://app.example", "200"],
    ["Host: app.example\r\nOrigin: https://page.example\r\nSec-Fetch-Site: cross-site", "200"],
    // The scheme is a part of the origin.
    ["Host: app.example\r\nOrigin: https://app.example", "403"],
    // A name that is made to resolve to this address.
    [`Host: evil.example:${port}\r\nOrigin: http://evil.example:${port}`, "421"],
    [`Host: evil.example\r\nOrigin: https://page.example`, "421"],
    ["Host: app.example.evil.example\r\nOrigin: http://app.example", "421"],
    ["Host: app.example:8080\r\nOrigin: http://app.example:8080", "421"],
    [`Host: localhost:${port}\r\nOrigin: ${address}`, "403"],
    [`Host: 127.0.0.1:${port}\r\nOrigin: http://127.0.0.1:1`, "403"],
    [`Host: 127.0.0.1:${port}\r\nOrigin: null`, "403"],
    [`Host: 127.0.0.1:${port}\r\nOrigin: https://page.example.evil.example`, "403"],
    [`Host: 127.0.0.1:${port}`, "403"],
    ["Host: app.example@evil.example\r\nOrigin: http://app.example", "400"],
    ["Host: \r\nOrigin: http://app.example", "400"],
    ["Origin: http://app.example", "400"],
    ["Host: app.example\r\nHost: evil.example\r\nOrigin: http://app.example", "400"],
  ];
  for (const [headers, status] of cases) expect([headers, await ask(headers)]).toEqual([headers, status]);
  // In the absolute form, that host is the one that counts.
  expect(
    await ask(`Host: 127.0.0.1:${port}\r\nOrigin: http://evil.example`, "POST", `http://evil.example${CHAT}`),
  ).toBe("421");
  expect(await ask(`Host: evil.example\r\nOrigin: http://app.example`, "POST", `http://app.example${CHAT}`)).toBe(
    "200",
  );

  const behind = await proxy({ hosts: ["app.example"], scheme: "https" });
  const tls = (origin: string): Promise<string> =>
    raw(
      behind.port,
      `POST ${CHAT} HTTP/1.1\r\nhost: app.example\r\norigin: ${origin}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    );
  expect((await tls("https://app.example")).slice(9, 12)).toBe("200");
  expect((await tls("http://app.example")).slice(9, 12)).toBe("403");
});

test("CORS is for pages that may ask, and says so on errors, too", async () => {
  const { address } = await proxy({ origins: ["https://page.example"], perMinute: 2 });
  const cors = (answer: Response): (string | null)[] =>
    ["access-control-allow-origin", "vary"].map((name) => answer.headers.get(name));
  const origin = "https://page.example";
  const preflight = await fetch(address + CHAT, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type, x-stainless-os, x-evil",
    },
  });
  expect([preflight.status, ...cors(preflight)]).toEqual([204, origin, "origin, access-control-request-headers"]);
  expect(preflight.headers.get("access-control-allow-headers")).toMatch(/content-type.*x-stainless-os$/);
  const good = await post(address, CHAT, chat, { origin });
  expect([good.status, ...cors(good)]).toEqual([200, origin, "origin"]);
  expect(good.headers.get("access-control-expose-headers")).toContain("retry-after");
  const refused = await post(address, CHAT, { ...chat, model: "large" }, { origin });
  expect([refused.status, ...cors(refused)]).toEqual([403, origin, "origin"]);
  const limited = await post(address, CHAT, chat, { origin });
  expect([limited.status, ...cors(limited)]).toEqual([429, origin, "origin"]);
  const missing = await post(address, "/nowhere", chat, { origin });
  expect([missing.status, ...cors(missing)]).toEqual([404, origin, "origin"]);
  for (const method of ["POST", "OPTIONS", "GET"]) {
    const foreign = await fetch(address + CHAT, { method, headers: { origin: "https://evil.example" } });
    expect([method, foreign.status, ...cors(foreign)]).toEqual([method, 403, null, "origin"]);
  }
});

test("paths, methods and queries are those it knows", async () => {
  const { address } = await proxy({ prefix: "/llm", key: "sk-12345678", keyHeader: "x-goog-api-key" });
  const cases: [string, string, number][] = [
    ["POST", "/llm/embeddings", 404],
    ["POST", "/llm/../admin", 404],
    ["POST", "/v1/chat/completions", 404],
    ["POST", "/llmx/chat/completions", 404],
    ["POST", "/llm//chat/completions", 404],
    ["POST", "/llm/chat/completions/", 404],
    ["POST", "/llm/chat/completions/files", 404],
    ["POST", "/llm", 404],
    ["POST", "/llm/models/small:countTokens", 404],
    ["GET", "/llm/chat/completions", 405],
    ["POST", "/llm/models", 405],
    ["PUT", "/llm/chat/completions", 405],
    ["DELETE", "/llm/models", 405],
    ["POST", "/llm/chat/completions?key=1", 400],
    ["POST", "/llm/models/small:generateContent?alt=sse", 400],
    ["POST", "/llm/models/small:streamGenerateContent?alt=sse&key=1", 400],
    ["POST", "/llm/models/small:streamGenerateContent?alt=sse", 200],
    ["POST", "/llm/models/small:streamGenerateContent", 200],
  ];
  for (const [method, path, status] of cases) {
    const body = method === "GET" ? null : path.includes("Content") ? '{"contents":[]}' : JSON.stringify(chat);
    const answer = await fetch(address + path, { method, headers: { origin: address }, body });
    expect([method, path, answer.status]).toEqual([method, path, status]);
  }
  expect(api.seen.map(({ url, headers }) => [url, headers["x-goog-api-key"]])).toEqual([
    ["/models/small:streamGenerateContent?alt=sse", "sk-12345678"],
    ["/models/small:streamGenerateContent", "sk-12345678"],
  ]);
});

test("nothing of the visitor's goes upstream but what is needed there", async () => {
  const { address } = await proxy({ key: "sk-12345678" });
  const headers = {
    cookie: "session=1",
    authorization: "Bearer visitor",
    "x-api-key": "v",
    referer: "https://x",
    "idempotency-key": "k",
    "anthropic-version": "2023-06-01",
  };
  await post(address, CHAT, chat, headers);
  const seen = api.seen[0]!.headers;
  expect(seen).toMatchObject({
    authorization: "Bearer sk-12345678",
    "idempotency-key": "k",
    "anthropic-version": "2023-06-01",
    "content-type": "application/json",
  });
  for (const name of ["cookie", "x-api-key", "referer", "origin", "x-forwarded-for"])
    expect([name, seen[name]]).toEqual([name, undefined]);
});

test("each address may ask so often, counted from the trusted hops", async () => {
  const { address } = await proxy({ trustedHops: 1, perMinute: 2 });
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++)
    statuses.push((await post(address, CHAT, chat, { "x-forwarded-for": `6.6.6.${i}, 9.9.9.9` })).status);
  expect(statuses).toEqual([200, 200, 429, 429]);
  const over = await post(address, CHAT, chat, { "x-forwarded-for": "9.9.9.9" });
  expect(Number(over.headers.get("retry-after-ms"))).toBeGreaterThan(1000);
  // Others are not touched by it, and neither are addresses of another /64.
  const six = async (last: string): Promise<number> =>
    (await post(address, CHAT, chat, { "x-forwarded-for": last })).status;
  expect([
    await six("2001:db8::1"),
    await six("2001:db8::ffff:2"),
    await six("2001:db8:0:0:9::3"),
    await six("2001:db8:0:1::1"),
  ]).toEqual([200, 200, 429, 200]);
  expect([await six("::ffff:9.9.9.9"), await six("9.9.9.9:4711"), await six("[::ffff:0909:0909]:1")]).toEqual([
    429, 429, 429,
  ]);

  const direct = await proxy({ perMinute: 2 });
  const spoofed: number[] = [];
  for (let i = 0; i < 3; i++)
    spoofed.push((await post(direct.address, CHAT, chat, { "x-forwarded-for": `6.6.6.${i}` })).status);
  expect(spoofed).toEqual([200, 200, 429]);

  const all = await proxy({ trustedHops: 1, totalPerMinute: 2 });
  const together: number[] = [];
  for (let i = 0; i < 3; i++)
    together.push((await post(all.address, CHAT, chat, { "x-forwarded-for": `6.6.6.${i}` })).status);
  expect(together).toEqual([200, 200, 429]);
});

test("requests of other sites are refused before they count, and GETs do not spend what may be POSTed", async () => {
  const { address } = await proxy({ perMinute: 1, key: "sk-12345678" });
  const get = async (headers: Record<string, string>): Promise<number> =>
    (await fetch(`${address}/models`, { headers })).status;
  for (const site of ["cross-site", "same-site", "same-site"]) expect(await get({ "sec-fetch-site": site })).toBe(403);
  for (let i = 0; i < 3; i++) expect(await get({ origin: "https://evil.example" })).toBe(403);
  for (let i = 0; i < 3; i++)
    expect((await post(address, CHAT, chat, { origin: "https://evil.example" })).status).toBe(403);
  expect(api.seen).toEqual([]);
  expect([await get({ "sec-fetch-site": "same-origin" }), await get({})]).toEqual([200, 429]);
  expect((await post(address, CHAT, chat)).status).toBe(200);
});

test("addresses are told apart by household, and their table is bounded", () => {
  const cases: [string, string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["192.0.2.1:80", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:0201", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:0db8:0001:0002::", "2001:db8:1:2::/64"],
    ["[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["1.2.3.999", "1.2.3.999"],
    ["1::2::3", "1::2::3"],
    ["unknown", "unknown"],
  ];
  for (const [address, house] of cases) expect([address, neighbourhood(address)]).toEqual([address, house]);
  expect(neighbourhood("x".repeat(10_000))).toHaveLength(64);
  expect([
    askedFrom("a, b, c", 1, "d"),
    askedFrom("a, b, c", 3, "d"),
    askedFrom("a, b, c", 4, "d"),
    askedFrom("a,", 1, "d"),
    askedFrom(null, 1, "d"),
    askedFrom("a", 0, "d"),
  ]).toEqual(["c", "a", "d", "d", "d", "d"]);

  let now = 0;
  const buckets = new Buckets(60, 100, () => now);
  for (let i = 0; i < 60; i++) expect(buckets.take("a")).toBe(0);
  expect(buckets.take("a")).toBe(1000);
  // The one that was used last is the last to be forgotten.
  for (let i = 0; i < 99; i++) buckets.take(`b${i}`);
  expect([buckets.size, buckets.take("a")]).toEqual([100, 1000]);
  for (let i = 0; i < 100_000; i++) buckets.take(`c${i}`);
  expect(buckets.size).toBe(100);
  now = 1000;
  // A clock that is set back gives nobody less, nor more.
  expect([buckets.take("a"), (now = 0), buckets.take("a")]).toEqual([0, 0, 0]);
});

test("of the API's errors comes back what helps, and nothing that names the owner", async () => {
  const key = "sk-proj-AbCdEfGhIjKlMnOp";
  const { address } = await proxy({ key });
  const secret =
    "Incorrect API key provided: sk-proj-****MnOp. See https://platform.example/account in organization org-AbC123xyz";
  const json =
    (status: number, error: unknown, headers = {}) =>
    async (): Promise<[Response, ErrorReply]> => {
      api.answer = (response) =>
        response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(error));
      const answer = await post(address, CHAT, chat);
      return [answer, (await answer.json()) as ErrorReply];
    };
  for (const status of [401, 403]) {
    const [answer, { error }] = await json(status, {
      error: { message: secret, type: "invalid_request_error", code: "invalid_api_key" },
    })();
    expect([answer.status, error.code]).toEqual([status, "upstream_refused"]);
    expect(error.message).toContain("access");
    expect(JSON.stringify(error)).not.toMatch(/sk-|MnOp|org-|platform/);
  }
  const [limited, { error: limit }] = await json(
    429,
    {
      error: {
        message: `Rate limit for gpt in organization org-AbC123xyz`,
        type: "tokens",
        code: "insufficient_quota",
      },
    },
    { "retry-after": "7", "x-should-retry": "false" },
  )();
  expect([
    limited.status,
    limited.headers.get("retry-after"),
    limited.headers.get("x-should-retry"),
    limit.code,
    limit.type,
  ]).toEqual([429, "7", "false", "insufficient_quota", "tokens"]);
  expect(limit.message).not.toContain("org-");
  const [google] = await json(429, [
    {
      error: { code: 429, status: "RESOURCE_EXHAUSTED", message: "projects/123456", details: [{ retryDelay: "46s" }] },
    },
  ])();
  expect([google.status, google.headers.get("retry-after-ms")]).toEqual([429, "46000"]);
  const [broken, { error: own }] = await json(500, { error: { message: secret } })();
  expect([broken.status, own.type, own.message.includes("org-")]).toEqual([500, "api_error", false]);
  const [bad, { error: why }] = await json(400, {
    error: {
      message: `Unsupported value for temperature by ${key.slice(3, 15)} of org-AbC123xyz (me@corp.example), see https://x.example/y`,
      param: "temperature",
      code: "unsupported_value",
    },
  })();
  expect([bad.status, why.param, why.code]).toEqual([400, "temperature", "unsupported_value"]);
  expect(why.message).toBe(
    "the API refused the request with status 400: Unsupported value for temperature by [removed] of [removed] ([removed]), see [removed]",
  );

  const odd: [number, Record<string, string>, string, number, string][] = [
    [200, { "content-type": "text/html" }, "<script>alert(1)</script>", 502, "upstream_not_json"],
    [200, {}, "{}", 502, "upstream_not_json"],
    [401, { "content-type": "text/html" }, secret, 401, "upstream_refused"],
    [302, { location: "http://127.0.0.1/admin" }, "", 502, "upstream_redirect"],
    [307, { location: "/elsewhere" }, "", 502, "upstream_redirect"],
    [503, { "content-type": "text/html" }, "<h1>busy</h1>", 503, ""],
  ];
  for (const [status, headers, body, expected, code] of odd) {
    api.answer = (response) => response.writeHead(status, { "set-cookie": "a=b", server: "x", ...headers }).end(body);
    const answer = await post(address, CHAT, chat);
    const { error } = (await answer.json()) as ErrorReply;
    expect([status, answer.status, error.code ?? ""]).toEqual([status, expected, code]);
    expect(
      ["content-type", "x-content-type-options", "cache-control", "set-cookie", "server"].map((name) =>
        answer.headers.get(name),
      ),
    ).toEqual(["application/json", "nosniff", "no-store, no-transform", null, null]);
  }
});

test("no reply carries the key, however it is cut", async () => {
  const key = "sk-secret-1234567890";
  const { address } = await proxy({ key });
  api.answer = async (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const unit of `data: {"error":"${key} sk-sk-secret-${key}"}\n\ndata: sk-se`) {
      response.write(unit);
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  };
  const hidden = "*".repeat(key.length);
  expect(await (await post(address, CHAT, chat)).text()).toBe(
    `data: {"error":"${hidden} sk-sk-secret-${hidden}"}\n\ndata: sk-se`,
  );
  // Whatever is not the key passes at once.
  const veil = new Veil("abcab");
  const through = (piece: string): string => new TextDecoder().decode(veil.next(new TextEncoder().encode(piece)));
  expect([through("xyz"), through("ab"), through("x"), through("abca"), through("bcab"), through("ab")]).toEqual([
    "xyz",
    "",
    "abx",
    "",
    "*****c",
    "ab",
  ]);
  expect(new TextDecoder().decode(veil.rest())).toBe("ab");
  expect(scrubbed("x".repeat(5000), key).length).toBeLessThan(600);
});

test("the list of models is of those that may be asked", async () => {
  const { address } = await proxy({ models: ["small", "large"] });
  api.answer = (response) =>
    response.writeHead(200, { "content-type": "application/json" }).end('{"data":[{"id":"ft:gpt:corp::secret"}]}');
  const answer = (await (await fetch(`${address}/models`)).json()) as { data: { id: string }[] };
  expect(answer.data.map(({ id }) => id)).toEqual(["small", "large"]);
  expect(api.seen.map(({ url }) => url)).toEqual(["/models"]);
});

test("replies are bounded, in bytes and in time", async () => {
  const { address } = await proxy({ maxReplyBytes: 100_000, timeoutMs: 700 });
  const stream = { ...chat, stream: true };
  api.answer = (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const more = (): void => void (response.writable && response.write(`data: ${"x".repeat(10_000)}\n\n`, more));
    more();
  };
  const endless = await post(address, CHAT, stream);
  await expect(endless.text()).rejects.toThrow();
  api.answer = (response) => response.writeHead(200, { "content-type": "text/event-stream" }).write("data: x\n\n");
  const slow = await post(address, CHAT, stream);
  await expect(slow.text()).rejects.toThrow();
  api.answer = () => {};
  const silent = await post(address, CHAT, stream);
  expect([silent.status, ((await silent.json()) as ErrorReply).error.code]).toEqual([504, "upstream_timeout"]);
  await expect.poll(() => api.closed).toBe(3);
  // Nobody reads what is sent.
  const { port, server } = running[0]!;
  const deaf = connect(port, "127.0.0.1").pause();
  api.answer = (response) =>
    void response.writeHead(200, { "content-type": "text/event-stream" }).write("x".repeat(90_000));
  const body = JSON.stringify(stream);
  for (let i = 0; i < 100; i++)
    deaf.write(
      `POST ${CHAT} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\norigin: ${address}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  deaf.on("error", () => {});
  await expect
    .poll(() => new Promise((resolve) => server.getConnections((_, open) => resolve(open))), { timeout: 20_000 })
    .toBe(0);
  deaf.destroy();
  const nowhere = await proxy({}, "http://127.0.0.1:1");
  expect((await post(nowhere.address, CHAT, chat)).status).toBe(502);
});

test("whoever goes away ends the request upstream, before its headers and in its stream", async () => {
  const { address } = await proxy();
  const streaming = new AbortController();
  api.answer = (response) => response.writeHead(200, { "content-type": "text/event-stream" }).write("data: x\n\n");
  const answer = await fetch(address + CHAT, {
    method: "POST",
    headers: { origin: address },
    body: JSON.stringify(chat),
    signal: streaming.signal,
  });
  // The first piece is here although the reply is not over.
  const piece = await answer.body!.getReader().read();
  expect(new TextDecoder().decode(piece.value)).toBe("data: x\n\n");
  streaming.abort();
  await expect.poll(() => api.closed).toBe(1);

  api.answer = () => {};
  const waiting = new AbortController();
  const asked = fetch(address + CHAT, {
    method: "POST",
    headers: { origin: address },
    body: JSON.stringify(chat),
    signal: waiting.signal,
  });
  await expect.poll(() => api.seen.length).toBe(2);
  waiting.abort();
  await expect(asked).rejects.toThrow();
  await expect.poll(() => api.closed).toBe(2);
});

test("it asks who is there", async () => {
  const { address } = await proxy({
    authorize: ({ headers, context }) => headers.get("x-user") === "ann" && (context as { url: string }).url === CHAT,
  });
  expect((await post(address, CHAT, chat)).status).toBe(401);
  expect((await post(address, CHAT, chat, { "x-user": "ann" })).status).toBe(200);
  const errors: unknown[] = [];
  const { error } = console;
  console.error = (...said: unknown[]) => errors.push(said);
  try {
    const broken = await proxy({
      authorize: () => {
        throw new Error("no database");
      },
    });
    const answer = await post(broken.address, CHAT, chat);
    expect([answer.status, await answer.text()]).toEqual([500, expect.not.stringContaining("database")]);
  } finally {
    console.error = error;
  }
  expect(errors).toHaveLength(1);
  expect(api.seen).toHaveLength(1);
});

test("it speaks HTTP/2, and keeps connections that are whole", async () => {
  const handle = createNodeProxy({ upstream: api.address, models: ["small"] });
  const server = createHttp2Server((request, response) => void handle(request as never, response as never));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const session = connectHttp2(address);
  try {
    const ask = async (headers: Record<string, string>): Promise<[unknown, string]> => {
      const stream = session.request({ ":method": "POST", ":path": CHAT, origin: address, ...headers });
      stream.end(JSON.stringify(chat));
      const [head] = (await once(stream, "response")) as [Record<string, unknown>];
      let text = "";
      for await (const part of stream) text += String(part);
      return [head[":status"], text];
    };
    expect(await ask({})).toEqual([200, expect.stringContaining("choices")]);
    expect(await ask({ origin: "https://evil.example" })).toEqual([403, expect.stringContaining("unknown_origin")]);
    expect(await ask({ ":authority": "evil.example", origin: "http://evil.example" })).toEqual([
      421,
      expect.stringContaining("unknown_host"),
    ]);
  } finally {
    session.close();
    server.close();
  }
  const { address: own } = await proxy();
  const kept = async (answer: Promise<Response>): Promise<string | null> => {
    const { headers, body } = await answer;
    await body?.cancel();
    return headers.get("connection");
  };
  expect([
    await kept(fetch(`${own}/models`)),
    await kept(post(own, CHAT, chat)),
    await kept(post(own, CHAT, { ...chat, n: 9 })),
  ]).toEqual(["keep-alive", "keep-alive", "keep-alive"]);
});

test("the core needs nothing but a Request", async () => {
  const ask = createProxy({
    upstream: api.address,
    models: ["small"],
    prefix: "/llm",
    hosts: ["app.example"],
    perMinute: 2,
  });
  const request = (): Request =>
    new Request("https://app.example/llm/chat/completions", {
      method: "POST",
      headers: { origin: "https://app.example" },
      body: JSON.stringify(chat),
    });
  expect([(await ask(request())).status, (await ask(request())).status]).toEqual([200, 200]);
  // Without an address, all callers share what one may ask.
  expect((await ask(request())).status).toBe(429);
  expect((await ask(request(), { address: "192.0.2.1" })).status).toBe(200);
  expect(
    (
      await ask(
        new Request("https://evil.example/llm/chat/completions", {
          method: "POST",
          headers: { origin: "https://evil.example" },
          body: "{}",
        }),
      )
    ).status,
  ).toBe(421);
});
