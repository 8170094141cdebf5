// Pages as visitors get them: a server of a folder, which counts what it sends, and browsers that open it.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { promisify } from "node:util";
import { brotliCompress } from "node:zlib";
import { chromium } from "playwright-core";
import { root } from "./project.mjs";

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};
export const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; img-src data:";
export const TRUSTED = "; require-trusted-types-for 'script'; trusted-types smallfirst";

/** Whether sizes and times are reported. */
export const REPORTS = process.env.SMALLFIRST_PLACES === "all";

/** What the site's host makes of a file for browsers that take it: scripts, text and WebAssembly with brotli. It takes long and is kept. */
async function packed(content) {
  const folder = join(root, "target/places/brotli");
  const file = join(folder, createHash("sha256").update(content).digest("hex"));
  if (existsSync(file)) return readFileSync(file);
  const small = await promisify(brotliCompress)(content);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, small);
  return small;
}

/**
 * A server of a folder under a path, which ends with the test. `headers` are those of every file, `policy` that of its pages. It counts
 * what it sends in `bytes`, and ends by `close`.
 */
export async function serve(t, folder, { policy, under = "/app/", headers = {} } = {}) {
  // Before anybody waits for it.
  if (REPORTS)
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
      if (entry.isFile() && TYPES[extname(entry.name)]) await packed(readFileSync(join(entry.parentPath, entry.name)));
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://a").pathname));
    const inside = path.startsWith(under) ? join(folder, path.slice(under.length)) : folder;
    const file = [inside, join(inside, "index.html"), `${inside}.html`].find(
      (file) => existsSync(file) && statSync(file).isFile(),
    );
    if (!path.startsWith(under) || !file) return response.writeHead(404, headers).end();
    const type = TYPES[extname(file)];
    const content = readFileSync(file);
    const small =
      REPORTS && type && /\bbr\b/.test(request.headers["accept-encoding"] ?? "") ? await packed(content) : undefined;
    site.bytes += (small ?? content).length;
    response.writeHead(200, {
      ...headers,
      "content-type": type ?? "application/octet-stream",
      ...(small ? { "content-encoding": "br" } : {}),
      ...(policy && type === "text/html" ? { "content-security-policy": policy } : {}),
    });
    response.end(small ?? content);
  });
  const site = { address: "", bytes: 0 };
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  site.close = () => {
    server.closeAllConnections();
    server.close();
  };
  t.after(site.close);
  site.address = `http://127.0.0.1:${server.address().port}${under}`;
  return site;
}

/** Chromium, which ends with the test. */
export async function launch(t) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROME ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
  t.after(() => browser.close());
  return browser;
}

/** Sums up what a page and its workers get of a server, compressed as hosts do it. */
function counting(page) {
  const sizes = [];
  page.context().on("response", (response) => {
    const size = async () => {
      const content = await response.body();
      return Object.values(TYPES).some((type) => response.headers()["content-type"]?.startsWith(type))
        ? (await packed(content)).length
        : content.length;
    };
    // A redirect has no body.
    sizes.push(size().catch(() => 0));
  });
  return async () => (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** A page that was never open before, at an address, what it complains about, and how much it downloaded where that is reported. */
export async function visit(browser, address) {
  const page = await (await browser.newContext()).newPage();
  const downloaded = REPORTS ? counting(page) : async () => undefined;
  const complaints = [];
  page.on("console", (message) => {
    const { url } = message.location();
    // Browsers ask for one that no page has to have.
    if (message.type() === "error" && !url.endsWith("/favicon.ico")) complaints.push(`${message.text()} ${url}`);
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(address);
  return { page, complaints, downloaded };
}
