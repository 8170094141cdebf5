// Whatever a client sends, breaks off or dribbles, every server of ours lives and answers in JSON. Each server is a process of
// its own: one that falls over is seen to be gone.
//
// PROXY_FUZZ_MS says for how many milliseconds in all random requests are sent (default: a minute), PROXY_FUZZ_SEED with
// which seed they begin. Ten minutes of it:
//
//   PROXY_FUZZ_MS=600000 cargo xtask test --only e2e -- proxy/breaks.spec.ts

import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { createRequire } from "node:module";
import type * as FastCheck from "fast-check";
import { expect, test } from "../fixtures.js";
import { root } from "../servers.js";
import { Upstream, raw } from "../upstream.js";
import { App, install } from "./tools.js";

const fc = createRequire(import.meta.url)("fast-check") as typeof FastCheck;

const BODY = JSON.stringify({ model: "small", messages: [{ role: "user", content: "hi" }] });

/** A server, and how it is asked. */
interface Target {
  name: string;
  /** What stands before the proxy's paths. */
  prefix: string;
  /** Whether all its answers are ours, or some are of its framework. */
  ours: boolean;
  start: (upstream: string) => Promise<App>;
}

const options = (upstream: string): string =>
  JSON.stringify({
    upstream,
    models: ["small"],
    perMinute: 1_000_000,
    bodyTimeoutMs: 1500,
    timeoutMs: 5000,
    key: "sk-12345678",
  });
const node = (env: Record<string, string>) => (upstream: string) =>
  App.start("node", ["apps/node.mjs"], { env: { PROXY_OPTIONS: options(upstream), ...env } });
// As a test, since it prints each error otherwise; and it parses addresses in a way that Node warns of.
const express = (upstream: string): Promise<App> =>
  App.start("node", ["apps/express.mjs"], {
    env: { PROXY_OPTIONS: options(upstream), NODE_ENV: "test", NODE_NO_WARNINGS: "1" },
  });
const demo = (upstream: string): Promise<App> =>
  App.start(
    "node",
    [
      "www/server.mjs",
      "--port",
      "0",
      "--root",
      "www/dist",
      "--watch-stdin",
      "--llm",
      upstream,
      "--llm-model",
      "small",
      "--per-minute",
      "1000000",
    ],
    { cwd: root },
  );

const TARGETS: Target[] = [
  { name: "the package's server", prefix: "/llm/v1", ours: true, start: node({}) },
  { name: "node:http", prefix: "/llm/v1", ours: false, start: node({ PLAIN: "1" }) },
  { name: "Express, mounted", prefix: "/mounted", ours: false, start: express },
  { name: "Express, after express.json()", prefix: "/parsed", ours: false, start: express },
  { name: "the demo's server", prefix: "/llm/v1", ours: true, start: demo },
];

let api: Upstream;
let app: App | undefined;

test.beforeAll(install);

test.beforeEach(async () => {
  api = await Upstream.start();
});

test.afterEach(async () => {
  await app?.stop();
  app = undefined;
  await api.stop();
});

/** Asks what must be answered, and fails where it is not. */
async function lives(server: App, prefix: string): Promise<void> {
  if (server.ended !== undefined) throw new Error(`the server: ${server.ended}\n${server.log}`);
  const answer = await fetch(`${server.address}${prefix}/chat/completions`, {
    method: "POST",
    headers: { origin: server.address, "content-type": "application/json" },
    body: BODY,
    signal: AbortSignal.timeout(10_000),
  });
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("choices")]);
}

/** The statuses of the replies in what came back, each of which must be whole JSON where it has a body. */
function replies(text: string, ours: boolean): number[] {
  const statuses: number[] = [];
  let rest = text;
  while (rest !== "") {
    const head = /^HTTP\/1\.1 (\d{3}) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n/.exec(rest);
    if (!head) throw new Error(`this is no HTTP reply: ${JSON.stringify(rest.slice(0, 200))}`);
    rest = rest.slice(head[0].length);
    const status = Number(head[1]);
    if (status === 100) continue;
    const headers = new Map(
      head[2]!
        .split("\r\n")
        .map((line) => [line.split(":")[0]!.toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
    );
    let body = "";
    if (headers.get("transfer-encoding") === "chunked") {
      for (;;) {
        const size = /^([0-9a-f]+)\r\n/i.exec(rest);
        if (!size) return [...statuses, status];
        const length = parseInt(size[1]!, 16);
        body += rest.slice(size[0].length, size[0].length + length);
        rest = rest.slice(size[0].length + length + 2);
        if (length === 0) break;
      }
    } else {
      const length = headers.get("content-length");
      // Without a length, as HTTP/1.0 has it, the body is all that comes.
      body = length === undefined && headers.get("connection") === "close" ? rest : rest.slice(0, Number(length ?? 0));
      rest = rest.slice(body.length);
    }
    statuses.push(status);
    if (ours && status >= 400 && body !== "") {
      expect([status, headers.get("content-type")]).toEqual([status, "application/json"]);
      expect(JSON.parse(body)).toMatchObject({ error: { message: expect.any(String) } });
    }
  }
  return statuses;
}

for (const { name, prefix, ours, start } of TARGETS) {
  test(`${name}: requests that are broken, and connections that break`, async () => {
    const server = (app = await start(api.address));
    const head = (length: number | string, more = ""): string =>
      `POST ${prefix}/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nOrigin: ${server.address}\r\nContent-Type: application/json\r\nConnection: close\r\n${more}Content-Length: ${length}\r\n\r\n`;
    const get = (target: string): string =>
      `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nConnection: close\r\n\r\n`;

    // At every byte, the connection breaks: in order, or by a reset.
    const whole = head(BODY.length) + BODY;
    for (let at = 0; at < whole.length; at += 7) {
      const socket = connect(server.port, "127.0.0.1");
      socket.on("error", () => {});
      await once(socket, "connect");
      await new Promise((resolve) => socket.write(whole.slice(0, at) || "\r", resolve));
      if (at % 2 === 0) socket.destroy();
      else socket.resetAndDestroy();
    }
    await lives(server, prefix);
    const before = api.seen.length;
    const half = connect(server.port, "127.0.0.1");
    half.on("error", () => {});
    half.write(`${head(1000)}{}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    half.resetAndDestroy();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(api.seen.length).toBe(before);
    await lives(server, prefix);

    // What never goes on is ended after a while, in words: a body by the proxy, headers by the package's server.
    const [body, headers] = await Promise.all([
      prefix === "/parsed" ? undefined : raw(server.port, `${head(1000)}{`, 20_000),
      ours ? raw(server.port, `POST ${prefix}/chat/completions HTTP/1.1\r\nHost: 127`, 20_000) : undefined,
    ]);
    for (const text of [body, headers]) if (text !== undefined) expect(replies(text, ours)).toEqual([408]);

    const cases: [string, string, number[]][] = [
      ["a second request behind the first", whole.replace("Connection: close\r\n", "") + whole, [200, 200]],
      ["continue", head(BODY.length, "Expect: 100-continue\r\n") + BODY, [200]],
      ["an expectation nobody knows", head(2, "Expect: tea\r\n") + "{}", [417]],
      ["a length that is none", head("x"), [400]],
      ["two lengths", head(2, "Content-Length: 3\r\n") + "{}", [400]],
      ["chunks and a length", head(2, "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", [400]],
      [
        "chunks that are none",
        head(2, "Transfer-Encoding: chunked\r\n").replace("Content-Length: 2\r\n", "") + "zz\r\n{}\r\n0\r\n\r\n",
        [400],
      ],
      [
        "good chunks",
        head(2, "Transfer-Encoding: chunked\r\n").replace("Content-Length: 2\r\n", "") +
          `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
        [200],
      ],
      ["huge headers", head(2, `X-Large: ${"x".repeat(40_000)}\r\n`), [431]],
      ["no HTTP", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\r\n\r\n", [400]],
      [
        "an upgrade",
        `GET ${prefix}/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n`,
        [405],
      ],
      ["a tunnel", `CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`, ours ? [405] : []],
      [
        "an escape that is none",
        head(2).replace("/chat/completions", "/models/%E0%A4%A:generateContent") + "{}",
        [400],
      ],
      ["a trace", head(2).replace("POST", "TRACE") + "{}", [405]],
      ["another method", head(2).replace("POST", "PROPFIND") + "{}", [405]],
    ];
    if (ours) {
      const kept = whole.replace("Connection: close\r\n", "");
      cases.push(["no HTTP behind a request", `${kept}\u0000\r\n\r\n`, [200]]);
      cases.push([
        "a body behind a request without one",
        `${whole
          .slice(0, whole.indexOf("\r\n\r\n"))
          .replace("1.1", "1.0")
          .replace(/Content-Length: .*/, "X: y")}\r\n\r\n[]`,
        [400],
      ]);
      cases.push([
        "a tunnel behind a request",
        `${kept}CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
        [200, 405],
      ]);
      for (const target of [
        "//",
        "//evil.example/x",
        "/%E0%A4%A",
        "/%00",
        "/..%2f..%2fetc/passwd",
        "http://evil.example//",
        "/llm/v1/%",
        "/llm/",
        "/?%",
        "/llm",
      ]) {
        cases.push([`GET ${target}`, get(target), [expect.any(Number) as never]]);
      }
      cases.push(["OPTIONS *", get("*").replace("GET", "OPTIONS"), [expect.any(Number) as never]]);
      cases.push(["no host", whole.replace(/Host: [^\r]*\r\n/, ""), [400]]);
      cases.push(["HTTP/1.0", get("/").replace("1.1", "1.0"), [expect.any(Number) as never]]);
    }
    for (const [what, bytes, statuses] of cases) {
      const text = await raw(server.port, bytes, 5000);
      const said = replies(text, ours);
      expect([what, said]).toEqual([what, statuses]);
      for (const status of said) expect([what, status, status < 500 || status === 503]).toEqual([what, status, true]);
      await lives(server, prefix);
    }
  });
}

/** How a request is written to the socket. */
interface Sending {
  bytes: Buffer;
  /** Where it is cut into pieces. */
  cuts: number[];
  end: "wait" | "close" | "destroy" | "reset";
}

/** Random requests: nearly right ones, and ones that are not even HTTP. */
function sendings(prefix: string, port: number): FastCheck.Arbitrary<Sending> {
  const token = fc.stringMatching(/^[A-Za-z-]{1,12}$/);
  const junk = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
  const method = fc.oneof(
    { weight: 6, arbitrary: fc.constant("POST") },
    fc.constantFrom("GET", "OPTIONS", "PUT", "HEAD", "DELETE", "PATCH", "TRACE", "CONNECT", "get", ""),
    token,
  );
  const segment = fc.oneof(
    fc.constantFrom(
      "chat",
      "completions",
      "models",
      "small",
      "small:generateContent",
      "small:streamGenerateContent?alt=sse",
      "responses",
      "messages",
      "..",
      ".",
      "",
      "%2e%2e",
      "%E0%A4%A",
      "%",
      "%00",
      "\\",
      "@",
      "?",
      "#",
      "*",
    ),
    fc.string({ maxLength: 12 }),
  );
  const target = fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .constantFrom(
          "/chat/completions",
          "/responses",
          "/decisions",
          "/messages",
          "/api/chat",
          "/models/small:generateContent",
          "/models/small:streamGenerateContent?alt=sse",
          "/models",
        )
        .map((path) => prefix + path),
    },
    fc.array(segment, { maxLength: 5 }).map((parts) => `${prefix}/${parts.join("/")}`),
    fc.array(segment, { maxLength: 5 }).map((parts) => `/${parts.join("/")}`),
    fc.constantFrom(
      "//",
      "*",
      "",
      "http://",
      `http://127.0.0.1:${port}${prefix}/models`,
      "http://evil.example/",
      "https://[::1/",
      "ftp://x",
      prefix,
      "/?x",
      "/%E0%A4%A",
      "/index.html",
      "/demo.json",
    ),
    junk,
  );
  const json = fc.oneof(
    { weight: 3, arbitrary: fc.constant(BODY) },
    fc.json({ maxDepth: 5 }),
    fc
      .dictionary(
        fc.constantFrom(
          "model",
          "messages",
          "Model",
          "n",
          "max_tokens",
          "stream",
          "tools",
          "contents",
          "generationConfig",
          "options",
          "input",
          "__proto__",
          "toJSON",
          "constructor",
        ),
        fc.jsonValue({ maxDepth: 3 }),
      )
      .map((fields) => JSON.stringify({ model: "small", ...fields })),
    fc.constantFrom(
      "[".repeat(50_000),
      '{"a":'.repeat(20_000),
      `"${"\\".repeat(1001)}`,
      `{"model":"small","x":"${"y".repeat(300_000)}"}`,
    ),
    junk,
  );
  const header = fc.oneof(
    fc.constantFrom(
      "Origin: null",
      "Origin: http://evil.example",
      "Host: evil.example",
      "Host: a b",
      "Host:",
      "Sec-Fetch-Site: cross-site",
      "Expect: 100-continue",
      "Expect: x",
      "Connection: keep-alive, close",
      "Upgrade: h2c",
      "Connection: Upgrade",
      "Content-Encoding: gzip",
      "Content-Type: text/plain",
      "Content-Type: application/json; charset=utf-7",
      "X-Forwarded-For: ,,, ,",
      "Cookie: \u00ff",
      "Transfer-Encoding: chunked",
      "Transfer-Encoding: gzip",
      "Content-Length: 5",
      "Content-Length: -1",
      "Content-Length: 99999999999999999999",
      "Range: bytes=-",
      'If-None-Match: "',
      "Accept-Encoding: \u0000",
      "Idempotency-Key: \u0080",
      " folded",
    ),
    fc.tuple(token, junk).map(([name, value]) => `${name}: ${value}`),
  );
  const framing = fc.constantFrom("right", "right", "right", "longer", "shorter", "chunked", "bad chunks", "none");
  const request = fc
    .record({
      method,
      target,
      json,
      headers: fc.array(header, { maxLength: 3 }),
      framing,
      known: fc.boolean(),
      version: fc.oneof(
        { weight: 9, arbitrary: fc.constant("HTTP/1.1") },
        fc.constantFrom("HTTP/1.0", "HTTP/9", "", "XYZ"),
      ),
    })
    .map(({ method, target, json, headers, framing, known, version }) => {
      const body = Buffer.from(json, "utf8");
      const lines = [`${method} ${target} ${version}`];
      if (known)
        lines.push(`Host: 127.0.0.1:${port}`, `Origin: http://127.0.0.1:${port}`, "Content-Type: application/json");
      lines.push(...headers);
      let payload: Buffer = body;
      if (framing === "chunked")
        payload = Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n0\r\n\r\n")]);
      if (framing === "bad chunks") payload = Buffer.concat([Buffer.from("5;x\r\n"), body, Buffer.from("\r\nzz\r\n")]);
      if (framing.includes("chunk")) lines.push("Transfer-Encoding: chunked");
      else if (framing !== "none")
        lines.push(
          `Content-Length: ${body.length + (framing === "longer" ? 10 : framing === "shorter" ? -Math.min(3, body.length) : 0)}`,
        );
      return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), payload]);
    });
  return fc
    .record({
      requests: fc.array(
        fc.oneof(
          { weight: 8, arbitrary: request },
          fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
        ),
        { minLength: 1, maxLength: 3 },
      ),
      cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
      until: fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true })),
      end: fc.constantFrom<Sending["end"]>("wait", "wait", "close", "destroy", "reset"),
    })
    .map(({ requests, cuts, until, end }) => {
      const all = Buffer.concat(requests);
      const bytes = all.subarray(0, Math.ceil(all.length * until));
      return { bytes, end, cuts: cuts.map((cut) => Math.floor(cut * bytes.length)).sort((a, b) => a - b) };
    });
}

/** Sends it so, and gives what comes back within a moment. */
async function sendSo(port: number, { bytes, cuts, end }: Sending): Promise<string> {
  const socket: Socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let text = "";
  let last = 0;
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => {});
  socket.on("end", () => socket.end());
  socket.on("data", (part) => {
    text += part.toString("latin1");
    last = Date.now();
  });
  await once(socket, "connect").catch(() => {});
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    socket.write(bytes.subarray(at, cut));
    at = cut;
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (end === "close") socket.end();
  else if (end === "destroy") socket.destroy();
  else if (end === "reset") socket.resetAndDestroy();
  // Until it is closed, or nothing more comes.
  const began = Date.now();
  const quiet = (async () => {
    while (!socket.destroyed && Date.now() - Math.max(last, began) < 40)
      await new Promise((resolve) => setTimeout(resolve, 5));
  })();
  await Promise.race([closed, quiet]);
  socket.destroy();
  return text;
}

const BUDGET = Number(process.env["PROXY_FUZZ_MS"] ?? 60_000);
const SEED = Number(process.env["PROXY_FUZZ_SEED"] ?? 14);

for (const { name, prefix, ours, start } of TARGETS) {
  test(`${name}: whatever is sent, and however it breaks off`, async () => {
    test.setTimeout(BUDGET + 120_000);
    const server = (app = await start(api.address));
    let sent = 0;
    // Some at once: what one does must not become another's.
    const several = fc.array(sendings(prefix, server.port), { minLength: 1, maxLength: 6 });
    const property = fc.asyncProperty(several, async (sendings) => {
      sent += sendings.length;
      await Promise.all(
        sendings.map(async (sending) => {
          const text = await sendSo(server.port, sending);
          // One that was not waited for may be cut anywhere.
          if (sending.end === "wait") replies(text, ours);
        }),
      );
      await lives(server, prefix);
    });
    await fc.assert(property, {
      seed: SEED,
      numRuns: Number.MAX_SAFE_INTEGER,
      interruptAfterTimeLimit: BUDGET / TARGETS.length,
      markInterruptAsFailure: false,
    });
    // Nothing went wrong behind what was answered.
    expect(server.log).toBe("");
    expect(sent).toBeGreaterThan(BUDGET / TARGETS.length / 1000);
    console.log(`${name}: ${sent} random requests, good ones between them; ${api.seen.length} went upstream`);
  });
}
