// The package's proxy, asked directly: what it lets through, and what not.

import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createProxy } from "../../pkg/proxy.mjs";
import { expect, test } from "./fixtures.js";

async function listen(handle: RequestListener): Promise<{ address: string; server: Server }> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

const ask = (address: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(address + path, {
    method: "POST",
    headers: { origin: address, "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

test("it lets through what a page may ask, with its own key and nothing of the visitor's", async () => {
  const seen: { url: string; headers: Record<string, unknown> }[] = [];
  const api = await listen((request, response) => {
    seen.push({ url: request.url!, headers: request.headers });
    response.setHeader("set-cookie", "a=b").setHeader("retry-after", "3").writeHead(429).end("{}");
  });
  const proxy = await listen(createProxy({ upstream: `${api.address}/v1/`, key: "sk-1", models: ["small"], prefix: "/llm", origins: ["https://app.example"] }));
  const body = { model: "small", messages: [] };
  try {
    const answer = await ask(proxy.address, "/llm/chat/completions", body, { cookie: "session=1", authorization: "Bearer visitor", "idempotency-key": "k" });
    expect(answer.status).toBe(429);
    expect(answer.headers.get("retry-after")).toBe("3");
    expect(answer.headers.get("set-cookie")).toBeNull();
    expect(answer.headers.get("access-control-expose-headers")).toContain("retry-after");
    expect(seen[0]).toMatchObject({ url: "/v1/chat/completions", headers: { authorization: "Bearer sk-1", "idempotency-key": "k" } });
    expect(seen[0]!.headers["cookie"]).toBeUndefined();

    const refusals: [string, unknown, Record<string, string>, number][] = [
      ["/llm/chat/completions", { ...body, model: "large" }, {}, 403],
      ["/llm/models/large:generateContent", {}, {}, 403],
      ["/llm/models/small%2F..%2Flarge:generateContent", {}, {}, 403],
      ["/llm/chat/completions", body, { origin: "https://evil.example" }, 403],
      ["/llm/chat/completions", body, { origin: "null" }, 403],
      ["/llm/embeddings", body, {}, 404],
      ["/llm/../admin", body, {}, 404],
      ["/v1/chat/completions", body, {}, 404],
      ["/llm/chat/completions", "{broken", {}, 400],
      ["/llm/chat/completions", { ...body, max_tokens: 1_000_000 }, {}, 400],
      ["/llm/chat/completions", { ...body, text: "x".repeat(300_000) }, {}, 413],
    ];
    for (const [path, body, headers, status] of refusals) {
      const answer = await ask(proxy.address, path, body, headers);
      expect([path, answer.status]).toEqual([path, status]);
      expect(((await answer.json()) as { error: { message: string } }).error.message).not.toBe("");
    }
    expect((await ask(proxy.address, "/llm/models/small:generateContent", {}, { origin: "https://app.example" })).status).toBe(429);
    expect(seen).toHaveLength(2);
    const preflight = await fetch(`${proxy.address}/llm/messages`, { method: "OPTIONS", headers: { origin: "https://app.example" } });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, "https://app.example"]);
    // Without an origin it is no page.
    const bare = await fetch(`${proxy.address}/llm/chat/completions`, { method: "POST", body: JSON.stringify(body) });
    expect(bare.status).toBe(403);
  } finally {
    api.server.close();
    proxy.server.close();
  }
});

test("it limits each address, asks who is there, and ends what nobody reads", async () => {
  let closed = 0;
  const api = await listen((_, response) => {
    response.once("close", () => closed++);
    response.write("data: x\n\n");
  });
  const open = { upstream: api.address, models: ["m"] };
  const limited = await listen(createProxy({ ...open, perMinute: 3, authorize: (request) => request.headers["x-user"] === "ann" }));
  try {
    const body = { model: "m" };
    const controllers = [1, 2].map(() => new AbortController());
    for (const controller of controllers) {
      const answer = await fetch(`${limited.address}/messages`, {
        method: "POST",
        headers: { origin: limited.address, "x-user": "ann" },
        body: JSON.stringify(body),
        signal: controller.signal,
      });
      // The first piece is here although the reply is not over.
      const piece = await answer.body!.getReader().read();
      expect(new TextDecoder().decode(piece.value)).toBe("data: x\n\n");
      controller.abort();
    }
    await expect.poll(() => closed).toBe(2);
    expect((await ask(limited.address, "/messages", body)).status).toBe(401);
    const over = await ask(limited.address, "/messages", body, { "x-user": "ann" });
    expect(over.status).toBe(429);
    expect(Number(over.headers.get("retry-after-ms"))).toBeGreaterThan(1000);
  } finally {
    api.server.closeAllConnections();
    api.server.close();
    limited.server.close();
  }
  const nowhere = await listen(createProxy({ upstream: "http://127.0.0.1:1", models: ["m"] }));
  expect((await ask(nowhere.address, "/messages", { model: "m" })).status).toBe(502);
  nowhere.server.close();
  expect(() => createProxy({ upstream: "ftp://x", models: ["m"] })).toThrow("upstream");
  expect(() => createProxy({ upstream: "http://x", models: [] })).toThrow("models");
});
