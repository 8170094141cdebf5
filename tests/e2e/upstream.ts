// An API on loopback that remembers what it was asked and answers as it is told, and servers to put in front of it.

import { type IncomingMessage, type RequestListener, type Server, type ServerResponse, createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type NodeProxyOptions, createJsonServer, createNodeProxy } from "../../pkg/dist/proxy/node.js";

/** A server of this process. */
export interface Listening {
  address: string;
  port: number;
  server: Server;
  stop(): Promise<void>;
}

export async function listen(server: Server | RequestListener): Promise<Listening> {
  const listening = typeof server === "function" ? createServer(server) : server;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const { port } = listening.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    listening.closeAllConnections();
    await new Promise((resolve) => listening.close(resolve));
  };
  return { address: `http://127.0.0.1:${port}`, port, server: listening, stop };
}

/** One request, as the API saw it. */
export interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  body: string;
}

export type Answer = (response: ServerResponse, seen: Seen) => void;

const COMPLETION: Answer = (response) =>
  response.writeHead(200, { "content-type": "application/json" }).end('{"choices":[{"message":{"content":"yes"}}]}');

/** An API. What it answers can be changed while it runs. */
export class Upstream {
  readonly seen: Seen[] = [];
  answer: Answer = COMPLETION;
  /** How many replies were closed, by whichever side. */
  closed = 0;

  private constructor(private readonly listening: Listening) {}

  static async start(): Promise<Upstream> {
    const upstream: Upstream = new Upstream(
      await listen(async (request, response) => {
        request.on("error", () => {});
        response.once("close", () => upstream.closed++);
        const parts: Buffer[] = [];
        for await (const part of request) parts.push(part as Buffer);
        const seen = {
          method: request.method!,
          url: request.url!,
          headers: request.headers,
          body: Buffer.concat(parts).toString(),
        };
        upstream.seen.push(seen);
        upstream.answer(response, seen);
      }),
    );
    return upstream;
  }

  get address(): string {
    return this.listening.address;
  }

  stop(): Promise<void> {
    return this.listening.stop();
  }
}

/** An answer that passes on to a real LLM. */
export function through(llm: string): Answer {
  return async (response, { method, url, body }) => {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    try {
      const answer = await fetch(new URL(url, llm), {
        method,
        body: method === "GET" ? null : body,
        headers: { "content-type": "application/json" },
        signal: gone.signal,
      });
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
      const reader = answer.body!.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        response.write(value);
      }
      response.end();
    } catch {
      response.destroy();
    }
  };
}

/** The proxy on `node:http`, in front of the API. */
export function proxyTo(upstream: Upstream | string, options: Partial<NodeProxyOptions> = {}): Promise<Listening> {
  const address = typeof upstream === "string" ? upstream : upstream.address;
  return listen(createJsonServer(createNodeProxy({ upstream: address, models: ["small"], ...options })));
}

/** POSTs as a page of the proxy's own origin does. */
export function post(
  address: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(address + path, {
    method: "POST",
    headers: { origin: address, "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** Sends bytes on a connection of their own, and gives what comes back until it closes or nothing more comes. */
export function raw(port: number, bytes: string | Buffer, ms = 10_000): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    const end = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(ms, end);
    socket.on("data", (part) => (text += part.toString("latin1")));
    socket.on("error", end);
    socket.on("close", end);
    socket.write(bytes);
  });
}
