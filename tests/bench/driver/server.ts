// A static server on loopback: brotli made once at the highest quality, and every byte of a body is counted.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { out, packed, ort, root, site, transformersOrt } from "./paths.js";

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

const FOLDERS: Record<string, string> = {
  site,
  files: join(out, "files"),
  models: join(root, "models"),
  smallfirst: join(packed, "dist"),
  kernels: join(out, "kernels"),
  ort: join(ort, "dist"),
  "transformers-ort": join(transformersOrt, "dist"),
};

/**
 * The main thread is watched from before the page's script: by the browser's reports of long tasks, and by a timer whose
 * ticks come late when something else runs, because the browser does not report all (none of transformers.js's loading).
 */
const page = (script: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${script}</title>
<link rel="icon" href="data:,">
<script>
stalls = [];
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) stalls.push({ start: startTime, ms: duration });
}).observe({ type: "longtask", buffered: true });
let ticked = performance.now();
setInterval(() => {
  const now = performance.now();
  if (now - ticked > 20) stalls.push({ start: ticked, ms: now - ticked - 5 });
  ticked = now;
}, 5);
</script>
<script type="module" src="/site/${script}.js"></script>
`;

export interface Sent {
  path: string;
  bytes: number;
  /** When it was asked for, in milliseconds since 1970. */
  at: number;
}

export class Site {
  /** What was sent, since someone emptied this. */
  sent: Sent[] = [];
  /** Whether bodies are compressed: in the cold runs they are. Delegated it would take minutes and tell nothing. */
  compress = false;
  private readonly bodies = new Map<string, Buffer>();

  private constructor(
    readonly address: string,
    private readonly server: Server,
  ) {}

  static async start(): Promise<Site> {
    const server = createServer((request, response) => {
      const at = Date.now();
      const { pathname } = new URL(request.url ?? "/", "http://localhost");
      const brotli = /\bbr\b/.test(String(request.headers["accept-encoding"]));
      const found = self.find(decodeURIComponent(pathname), brotli);
      if (!found) {
        response.writeHead(404).end();
        return;
      }
      self.sent.push({ path: pathname, bytes: found.body.length, at });
      const headers: Record<string, string | number> = { "content-type": found.type, "content-length": found.body.length };
      if (found.brotli) headers["content-encoding"] = "br";
      // As a site serves what has its version in its address; every cold run has an empty cache anyway.
      headers["cache-control"] = "max-age=3600";
      response.writeHead(200, headers).end(found.body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const self: Site = new Site(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server);
    return self;
  }

  /** The bytes of bodies asked for until then. */
  bytes(until: number): number {
    return this.sent.filter((sent) => sent.at <= until).reduce((sum, sent) => sum + sent.bytes, 0);
  }

  private find(path: string, brotli: boolean): { body: Buffer; type: string; brotli: boolean } | undefined {
    const [, folder = "", ...rest] = path.split("/");
    if (folder === "page") return this.body(Buffer.from(page(rest.join("/"))), `${path}.html`, false);
    // The package's workers look for their modules in this folder beside them.
    let file = join(FOLDERS[folder] ?? "/nowhere", normalize(`/${rest.join("/")}`));
    if (folder === "site" && rest[0] === "wasm") file = join(packed, "dist", ...rest);
    if (!existsSync(file) || !statSync(file).isFile()) return undefined;
    return this.body(undefined, file, brotli && this.compress);
  }

  private body(given: Buffer | undefined, file: string, brotli: boolean): { body: Buffer; type: string; brotli: boolean } {
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    const name = `${brotli ? "br" : "raw"} ${file}`;
    let body = this.bodies.get(name);
    if (!body) {
      const raw = given ?? readFileSync(file);
      body = brotli ? compressed(raw, file) : raw;
      // The largest are read again each time rather than kept.
      if (body.length < 40e6) this.bodies.set(name, body);
    }
    return { body, type, brotli };
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** At quality 11, kept under the hash of what was compressed. */
function compressed(raw: Buffer, file: string): Buffer {
  const folder = join(out, "brotli");
  const kept = join(folder, createHash("sha256").update(raw).digest("hex"));
  if (existsSync(kept)) return readFileSync(kept);
  if (raw.length > 5e6) console.error(`compressing ${file} once …`);
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: raw.length,
  };
  const body = brotliCompressSync(raw, { params });
  mkdirSync(folder, { recursive: true });
  writeFileSync(kept, body);
  return body;
}
