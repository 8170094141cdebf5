// The servers the tests talk to. All are real: the demo's own server with a real LLM behind it, and
// small HTTP servers on loopback that misbehave on purpose.

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, extname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The repository. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** A child process that prints `listening on <address>` and ends when its standard input closes. */
export class Child {
  private constructor(
    readonly address: string,
    private readonly child: ChildProcess,
  ) {}

  static start(program: string, args: string[]): Promise<Child> {
    const child = spawn(program, args, { cwd: root, stdio: ["pipe", "pipe", "inherit"] });
    return new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        const address = /^listening on (\S+)/.exec(line)?.[1];
        if (address) resolve(new Child(address, child));
      });
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`${program} ended with ${code} before it was ready`)));
    });
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.child.once("exit", () => resolve());
      this.child.stdin?.end();
      this.child.kill();
    });
  }
}

/** The real LLM server. */
export function startLlm(): Promise<Child> {
  const python = process.env["SMALLFIRST_LLM_PYTHON"];
  if (!python) throw new Error("SMALLFIRST_LLM_PYTHON is not set: run `cargo xtask test --only e2e`");
  return Child.start(python, ["tests/llm/server.py", "--port", "0"]);
}

/** The demo's server, with the LLM behind its proxy. */
export function startSite(llm: string): Promise<Child> {
  const args = ["www/server.mjs", "--port", "0", "--root", "www/dist", "--watch-stdin"];
  return Child.start("node", [...args, "--llm", llm, "--llm-model", "smollm2-135m"]);
}

/** A server of this process. */
export class Local {
  requests: string[] = [];
  /** What the files under /held/ wait for. */
  gate: Promise<void> = Promise.resolve();
  /** Files served as /files/<their place in this list>. */
  readonly files: string[] = [];
  /** Texts served under their paths. */
  readonly texts = new Map<string, string>();
  /** Folders, by the path that they are served under. */
  readonly folders = new Map<string, string>();
  /** Headers of every response. */
  headers: Record<string, string> = {};

  private constructor(
    readonly address: string,
    private readonly server: Server,
  ) {}

  static async start(
    handle: (request: IncomingMessage, response: ServerResponse, path: string, local: Local) => void,
  ): Promise<Local> {
    const server = createServer((request, response) => {
      const path = new URL(request.url ?? "/", "http://localhost").pathname;
      local.requests.push(`${request.method} ${path}`);
      response.setHeader("access-control-allow-origin", "*");
      response.setHeader("access-control-allow-headers", "*, authorization");
      for (const [name, value] of Object.entries(local.headers)) response.setHeader(name, value);
      if (request.method === "OPTIONS") response.writeHead(204).end();
      else handle(request, response, path, local);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const local: Local = new Local(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server);
    return local;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

export const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};

export function sendFile(response: ServerResponse, path: string): void {
  try {
    const bytes = readFileSync(path);
    response.setHeader("content-type", TYPES[extname(path)] ?? "application/octet-stream");
    response.end(bytes);
  } catch {
    response.writeHead(404).end("not found");
  }
}

const HARNESS = "<!doctype html><meta charset=utf-8><title>harness</title><link rel=icon href=data:,>";

/**
 * A blank page, the package as it is packed for npm at /pkg/ (and at /held/, once the gate opens), the default bundle at /models/
 * and at /nest/, /nest/v2/ and /nest-old/, broken bundles at /broken/<how>/, the package's proxy to the real LLM at /llm/v1/, and
 * a test's own texts and folders.
 */
export async function startHarness(pkg: string, llm: string): Promise<Local> {
  const { createNodeProxy } = (await import(
    join(pkg, "proxy/node.js")
  )) as typeof import("../../pkg/dist/proxy/node.js");
  const proxy = createNodeProxy({ upstream: llm, models: ["smollm2-135m"], prefix: "/llm/v1", perMinute: 1000 });
  return Local.start((request, response, path, local) => {
    const folder = [...local.folders].find(([under]) => path.startsWith(under));
    const text = local.texts.get(path);
    if (path.startsWith("/llm/")) void proxy(request, response);
    else if (text !== undefined) response.setHeader("content-type", TYPES[extname(path)]!).end(text);
    else if (folder) sendFile(response, join(folder[1], path.slice(folder[0].length)));
    else if (path === "/") response.setHeader("content-type", "text/html").end(HARNESS);
    else if (path.startsWith("/pkg/")) sendFile(response, join(pkg, path.slice(5)));
    else if (path.startsWith("/held/")) void local.gate.then(() => sendFile(response, join(pkg, path.slice(6))));
    else if (path.startsWith("/models/")) sendFile(response, join(root, path));
    else if (path.startsWith("/nest"))
      sendFile(response, join(root, "models", path.replace(/^\/nest(-old)?\/(v2\/)?/, "")));
    else if (path === "/onnx/manifest.json") response.setHeader("content-type", "application/json").end(onnxManifest());
    else if (path.startsWith("/onnx/"))
      sendFile(response, join(root, "models", path.endsWith(".onnx") ? path : path.replace("/onnx/", "")));
    else if (path.startsWith("/files/")) sendFile(response, local.files[Number(path.slice(7))] ?? "");
    else if (path.startsWith("/broken/")) breakage(response, path);
    else response.writeHead(404).end("not found");
  });
}

/** The default bundle before it was prepared. */
function onnxManifest(): string {
  const manifest = readFileSync(join(root, "models/manifest.json"), "utf8");
  const parsed = JSON.parse(manifest);
  for (const [path, entry] of Object.entries<{ bytes: number; sha256: string; preparedFrom?: string }>(parsed.files)) {
    if (!entry.preparedFrom) continue;
    const onnx = path.replace(/\.sfm$/, ".onnx");
    delete parsed.files[path];
    entry.bytes = statSync(join(root, "models/onnx", onnx)).size;
    entry.sha256 = entry.preparedFrom;
    delete entry.preparedFrom;
    parsed.files[onnx] = entry;
  }
  return JSON.stringify(parsed).replaceAll(/"file":"([^"]+)\.sfm"/g, '"file":"$1.onnx"');
}

/** Serves /broken/<how>/<file>: the default bundle with one thing wrong. */
function breakage(response: ServerResponse, path: string): void {
  const [, , how = "", ...rest] = path.split("/");
  const file = rest.join("/");
  const read = (name: string): Buffer => readFileSync(join(root, "models", name));
  const head = "language/head.sfm";
  const changed: Record<string, () => Buffer> = {
    truncated: () => read(head).subarray(0, read(head).length / 2),
    // Weights of the last layer become NaNs; the file stays a well-formed model.
    nan: () => {
      const bytes = Buffer.from(read(head));
      bytes.fill(0xff, bytes.length - 20_000, bytes.length - 16_000);
      return bytes;
    },
    html: () => Buffer.from("<!doctype html><title>Sign in</title>"),
  };
  if (how in changed && file === head) {
    response.end(changed[how]!());
    return;
  }
  if (file === "manifest.json") {
    const manifest = JSON.parse(read(file).toString());
    const entry = manifest.files[head];
    switch (how) {
      case "not-json":
        response.end("<!doctype html><title>404</title>");
        return;
      case "no-manifest":
        response.writeHead(404).end("not found");
        return;
      case "server-error":
        response.writeHead(503).end("busy");
        return;
      case "version":
        manifest.version = 2;
        break;
      case "invalid":
        manifest.heads.language.temperature = 0;
        break;
      case "missing-file":
        manifest.files["language/gone.sfm"] = entry;
        manifest.heads.language.file = "language/gone.sfm";
        break;
      case "wrong-hash":
        entry.sha256 = "0".repeat(64);
        break;
      case "wrong-size":
        entry.bytes -= 1;
        break;
      default:
        // The manifest is made to agree with the changed file, so that the model itself is met.
        if (how in changed) {
          const bytes = changed[how]!();
          entry.bytes = bytes.length;
          entry.sha256 = createHash("sha256").update(bytes).digest("hex");
        }
    }
    response.setHeader("content-type", "application/json").end(JSON.stringify(manifest));
    return;
  }
  sendFile(response, join(root, "models", file));
}

/**
 * Stands between pages and the real LLM, and spoils what passes as the first part of the path says. Everything else of
 * the path goes on to `upstream`.
 */
export async function startFaultProxy(upstream: string): Promise<FaultProxy> {
  const seen = new Map<string, number>();
  const state = { upstream: new URL(upstream).origin, open: 0 };
  const local = await Local.start((request, response, path) => {
    const [, fault = "", ...rest] = path.split("/");
    const count = (seen.get(path) ?? 0) + 1;
    seen.set(path, count);
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on(
      "end",
      () =>
        void pass(fault, count, `/${rest.join("/")}`, Buffer.concat(parts), response).catch(() => response.destroy()),
    );
  });

  async function pass(
    fault: string,
    count: number,
    path: string,
    body: Buffer,
    response: ServerResponse,
  ): Promise<void> {
    response.setHeader("access-control-expose-headers", "retry-after, retry-after-ms");
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    if (fault === "busy-once" && count === 1) {
      response.writeHead(429, { "retry-after-ms": "300" }).end(JSON.stringify({ error: { message: "slow down" } }));
      return;
    }
    if (fault === "html-once" && count === 1) {
      response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad gateway</h1>");
      return;
    }
    if (fault === "latency") await wait(400);
    const answer = await fetch(state.upstream + path, {
      method: "POST",
      body: new Uint8Array(body),
      headers: { "content-type": "application/json", "anthropic-version": "2023-06-01" },
      signal: gone.signal,
    });
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
    state.open += 1;
    response.once("close", () => (state.open -= 1));
    let given = 0;
    for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>) {
      switch (fault) {
        // One byte at a time: characters, frames and JSON are cut everywhere.
        case "bytes":
          for (const byte of part) {
            response.write(Buffer.of(byte));
            await new Promise((done) => setImmediate(done));
          }
          break;
        case "reset-mid-stream":
          given += part.length;
          if (given > 900) {
            response.write(part.subarray(0, part.length / 2));
            await wait(50);
            response.destroy();
            return;
          }
          response.write(part);
          break;
        // It begins and then goes on so slowly that nobody waits.
        case "slow-loris":
          response.write(part.subarray(0, 10));
          await wait(60_000);
          return;
        default:
          response.write(part);
      }
    }
    response.end();
  }
  return Object.assign(local, { state });
}

export type FaultProxy = Local & { state: { open: number } };

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A remote that misbehaves as the first part of the path says. */
export function startFaults(): Promise<Local> {
  const completion = (message: object, finish_reason = "stop"): string =>
    JSON.stringify({ object: "chat.completion", choices: [{ index: 0, message, finish_reason }] });
  const replies: Record<string, (response: ServerResponse) => void> = {
    html: (r) => r.setHeader("content-type", "text/html").end("<!doctype html><h1>Welcome</h1>"),
    "500": (r) => r.writeHead(500).end("<h1>oops</h1>"),
    "401": (r) => r.writeHead(401).end(JSON.stringify({ error: { message: "no key", type: "auth" } })),
    "429": (r) => r.writeHead(429).end(JSON.stringify({ error: { message: "slow down" } })),
    // Never answers.
    hang: () => {},
    reset: (r) => r.destroy(),
    empty: (r) => r.end(),
    truncated: (r) => r.end(completion({ content: '{"label":"spa' }).slice(0, 60)),
    "wrong-label": (r) => r.end(completion({ content: '{"label":"eggs"}' })),
    prose: (r) => r.end(completion({ content: "It is positive, I think." })),
    length: (r) => r.end(completion({ content: '{"lab' }, "length")),
    refusal: (r) => r.end(completion({ content: null, refusal: "I cannot help with that." })),
    huge: (r) => r.end(`{"a":"${"x".repeat(11_000_000)}"}`),
    redirect: (r) => r.writeHead(307, { location: "/echo/chat/completions" }).end(),
    echo: (r) => r.end(completion({ content: '{"label":"positive"}' })),
  };
  return Local.start((request, response, path) => {
    request.resume();
    const reply = replies[path.split("/")[1] ?? ""];
    if (reply) reply(response);
    else response.writeHead(404).end();
  });
}
