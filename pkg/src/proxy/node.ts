// The proxy for servers that have `node:http`'s requests and responses: `node:http` itself, Express, Next's `pages/api`.

import { type IncomingMessage, STATUS_CODES, type Server, type ServerResponse, createServer } from "node:http";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { type ProxyOptions, createProxy } from "./core.js";
import { ALWAYS, Refusal } from "./refusal.js";

export type { Caller, ErrorBody, CallName, TokensField } from "./core.js";

/** The options of `createProxy`; `authorize` finds the `IncomingMessage` in `caller.context`. */
export type NodeProxyOptions = ProxyOptions<IncomingMessage>;

/**
 * Answers a request. Never rejects, and never throws. With `next`, as Express gives it, what lies outside the option
 * `prefix` is passed on.
 */
export type NodeProxy = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => Promise<void>;

/** What Express and Next add to a request. */
interface Extended {
  /** The address before the mount was taken off. */
  originalUrl?: string;
  /** The mount. */
  baseUrl?: string;
  /** The body, where something has read and parsed it. */
  body?: unknown;
}

/** How much of a body is read on when it is no longer wanted, so that the client gets to read why. */
const DRAINED = { bytes: 1024 * 1024, ms: 2000 };

/** Makes a handler `(request, response, next?) => Promise<void>`. Throws a `TypeError` when an option is not what it must be. */
export function createNodeProxy(options: NodeProxyOptions): NodeProxy {
  const proxy = createProxy(options);
  const prefix = options.prefix?.replace(/\/$/, "");
  const patience = options.timeoutMs ?? 120_000;
  return async (incoming, outgoing, next) => {
    // A connection that breaks is an event of both; without a listener it would end the process.
    incoming.on("error", () => {});
    outgoing.on("error", () => {});
    const gone = new AbortController();
    outgoing.once("close", () => gone.abort());
    try {
      const { originalUrl, baseUrl } = incoming as Extended;
      const target = originalUrl ?? incoming.url ?? "/";
      if (next !== undefined && prefix !== undefined && !target.split("?")[0]!.startsWith(`${prefix}/`)) {
        next();
        return;
      }
      let reply: Response;
      try {
        const request = toRequest(incoming, target, gone.signal);
        const mount = baseUrl === "" ? undefined : baseUrl;
        reply = await proxy(request, { address: incoming.socket?.remoteAddress, context: incoming, mount });
      } catch (error) {
        const other = (): Refusal => new Refusal(400, "invalid_request", "the request is none that can be forwarded");
        reply = (error instanceof Refusal ? error : other()).response();
      }
      await send(reply, incoming, outgoing, patience, gone.signal);
    } catch (error) {
      console.error("smallfirst/proxy:", error);
      outgoing.destroy();
    }
  };
}

/** The web's request for one of Node's. */
function toRequest(incoming: IncomingMessage, target: string, signal: AbortSignal): Request {
  const headers = new Headers();
  for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2) {
    let name = incoming.rawHeaders[at]!.toLowerCase();
    // HTTP/2 has the host, and what else makes up the address, among the headers.
    if (name === ":authority") name = "host";
    if (name.startsWith(":")) continue;
    if (name === "host" && headers.has("host")) {
      throw new Refusal(400, "invalid_host", "the header Host is there twice", { param: "host" });
    }
    headers.append(name, incoming.rawHeaders[at + 1]!);
  }
  const scheme = (incoming.socket as Partial<TLSSocket> | null)?.encrypted ? "https" : "http";
  let path = target;
  if (!target.startsWith("/")) {
    // The absolute form, whose host counts instead of the header's.
    const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target);
    if (!absolute) throw new Refusal(400, "invalid_path", "the address of the request is no path");
    headers.set("host", absolute[1]!);
    path = absolute[2]!.startsWith("/") ? absolute[2]! : `/${absolute[2]!}`;
  }
  if (!headers.has("host")) throw new Refusal(400, "invalid_host", "the request has no header Host", { param: "host" });
  const method = incoming.method ?? "GET";
  // Of these, no `Request` can be made.
  if (["CONNECT", "TRACE", "TRACK"].includes(method)) {
    throw new Refusal(405, "method_not_allowed", "this is asked with POST or GET", {
      headers: { allow: "GET, POST, OPTIONS" },
    });
  }
  // The core reads the name from the header; this one only makes the address whole.
  const init: RequestInit & { duplex?: "half" } = { method, headers, signal };
  if (method !== "GET" && method !== "HEAD" && method !== "OPTIONS") {
    init.body = bodyOf(incoming);
    init.duplex = "half";
  }
  return new Request(`${scheme}://localhost${path}`, init);
}

/** The body: what a parser has made of it, or the stream itself. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> | string | Uint8Array<ArrayBuffer> {
  const unread = !incoming.readableDidRead && !incoming.readableEnded && !incoming.destroyed;
  if (unread) return toStream(incoming);
  const { body } = incoming as Extended;
  if (typeof body === "string") return body;
  if (body instanceof Uint8Array) return new Uint8Array(body);
  if (typeof body === "object" && body !== null) {
    try {
      return JSON.stringify(body);
    } catch {
      throw new Refusal(400, "too_deep", "the body is not JSON that can be sent on");
    }
  }
  const why = "the body was read before it came to the proxy, or broke off; put the proxy before what parses bodies";
  throw new Refusal(400, "broken_body", why);
}

/** A stream of a request's body. By hand: whatever happens to the connection becomes an error of the stream and no other. */
function toStream(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let over = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const finish = (act: () => void): void => {
          if (over) return;
          over = true;
          act();
        };
        const broken = (): void => finish(() => controller.error(new Error("the request broke off")));
        incoming.on("data", (piece: Buffer) => {
          if (over) return;
          controller.enqueue(new Uint8Array(piece));
          incoming.pause();
        });
        incoming.on("end", () => finish(() => controller.close()));
        incoming.on("error", broken);
        incoming.on("close", broken);
        incoming.pause();
      },
      pull() {
        incoming.resume();
      },
      cancel() {
        over = true;
      },
    },
    { highWaterMark: 0 },
  );
}

/** Sends a reply, as slowly as it is read. */
async function send(
  reply: Response,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  patience: number,
  gone: AbortSignal,
): Promise<void> {
  if (outgoing.headersSent || outgoing.destroyed) {
    await reply.body?.cancel();
    return;
  }
  // What is left of the body is not waited for longer than it takes to say so.
  if (!incoming.complete) {
    // HTTP/2 has many requests on a connection, and ends one without the others.
    if (incoming.httpVersionMajor < 2) outgoing.setHeader("connection", "close");
    drain(incoming);
  }
  outgoing.writeHead(reply.status, Object.fromEntries(reply.headers));
  if (reply.body === null) {
    outgoing.end();
    return;
  }
  outgoing.flushHeaders();
  const reader = (reply.body as ReadableStream<Uint8Array>).getReader();
  const leave = (): void => void reader.cancel().catch(() => {});
  gone.addEventListener("abort", leave);
  if (gone.aborted) leave();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (gone.aborted) return;
      if (done) break;
      // Compressing middleware keeps pieces until it is told to let go of them.
      const free = outgoing.write(value);
      (outgoing as ServerResponse & { flush?: () => void }).flush?.();
      if (!free && !(await drained(outgoing, patience))) {
        leave();
        outgoing.destroy();
        return;
      }
    }
    outgoing.end();
  } catch {
    // The client must see that it is not whole.
    outgoing.destroy();
  } finally {
    gone.removeEventListener("abort", leave);
  }
}

/** Waits until more can be written; false when nobody reads on. */
function drained(outgoing: ServerResponse, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (free: boolean) => (): void => {
      clearTimeout(timer);
      outgoing.off("drain", more);
      outgoing.off("close", closed);
      resolve(free);
    };
    const more = end(true);
    const closed = end(false);
    const timer = setTimeout(closed, ms);
    outgoing.once("drain", more);
    outgoing.once("close", closed);
  });
}

/** Reads on for a moment, so that the client reads the reply and not that the connection was cut. */
function drain(incoming: IncomingMessage): void {
  let bytes = 0;
  const cut = (): void => void incoming.destroy();
  const timer = setTimeout(cut, DRAINED.ms);
  timer.unref();
  incoming.on("data", (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > DRAINED.bytes) cut();
  });
  incoming.once("close", () => clearTimeout(timer));
  incoming.once("end", () => clearTimeout(timer));
  incoming.resume();
}

/** How long a client may take to send its headers, and the whole of a request, in milliseconds. */
const ARRIVAL = { headers: 10_000, request: 60_000 };

/**
 * A `node:http` server that answers in JSON also what Node refuses before a handler sees it: broken requests, headers
 * that are too large or too slow, CONNECT, and expectations it does not know. A handler that throws answers 500.
 */
export function createJsonServer(handler: (request: IncomingMessage, response: ServerResponse) => unknown): Server {
  const failed = (response: ServerResponse, error: unknown): void => {
    console.error("smallfirst/proxy:", error);
    if (response.headersSent) response.destroy();
    else write(response, new Refusal(500, "internal", "the server failed"));
  };
  // The last request of each connection: what is said on the connection itself must not come before its answer.
  const latest = new WeakMap<Duplex, { request: IncomingMessage; response: ServerResponse }>();
  const answering = (socket: Duplex): { request: IncomingMessage; response: ServerResponse } | undefined => {
    const exchange = latest.get(socket);
    return exchange?.response.closed ? undefined : exchange;
  };
  const server = createServer(
    // A request without Host is answered by the handler, in JSON.
    {
      requireHostHeader: false,
      headersTimeout: ARRIVAL.headers,
      requestTimeout: ARRIVAL.request,
      connectionsCheckingInterval: 2000,
    },
    (request, response) => {
      latest.set(request.socket, { request, response });
      request.on("error", () => {});
      response.on("error", () => {});
      try {
        Promise.resolve(handler(request, response)).catch((error: unknown) => failed(response, error));
      } catch (error) {
        failed(response, error);
      }
    },
  );
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (error.code === "ECONNRESET") {
      socket.destroy();
      return;
    }
    const exchange = answering(socket);
    if (exchange && (exchange.request.complete || exchange.response.headersSent)) {
      // What is broken stands behind a request that was whole, or that has been answered before its end.
      exchange.response.once("close", () => socket.destroy());
      return;
    }
    last(socket, broken(error.code));
  });
  server.on("connect", (_: IncomingMessage, socket: Duplex) => {
    const refuse = (): void => last(socket, new Refusal(405, "method_not_allowed", "this server opens no tunnels"));
    socket.on("error", () => {});
    const exchange = answering(socket);
    if (exchange) exchange.response.once("close", refuse);
    else refuse();
  });
  server.on("checkExpectation", (_: IncomingMessage, response: ServerResponse) =>
    write(response, new Refusal(417, "unknown_expectation", "the only expectation that is met is 100-continue")),
  );
  return server;
}

function write(response: ServerResponse, refusal: Refusal): void {
  response.writeHead(refusal.status, { "content-type": "application/json", ...ALWAYS });
  response.end(JSON.stringify(refusal.body()));
}

/** What is said of a request that Node does not read to its end. */
function broken(code: string | undefined): Refusal {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return new Refusal(431, "headers_too_large", "the request's headers are too large");
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new Refusal(408, "slow_request", "the request took too long to arrive");
    default:
      return new Refusal(400, "invalid_request", "this is not an HTTP request");
  }
}

/** The last words on a connection. */
function last(socket: Duplex, refusal: Refusal): void {
  socket.on("error", () => {});
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify(refusal.body());
  const head = {
    "content-type": "application/json",
    ...ALWAYS,
    "content-length": Buffer.byteLength(body),
    connection: "close",
  };
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n${lines.join("")}\r\n${body}`, () =>
    socket.destroy(),
  );
}
