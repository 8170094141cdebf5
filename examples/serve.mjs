// Files for the examples, as any static host serves them: the page out of public/, the package out of node_modules, and the
// repository's bundle. PORT says where; 8080 otherwise.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { pathToFileURL } from "node:url";

/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */

const here = pathToFileURL(`${process.cwd()}/`);
/** What may be asked for, and where it is. @type {[string, URL][]} */
const FOLDERS = [
  ["/models/", new URL("../models/", import.meta.url)],
  ["/node_modules/smallfirst/", new URL("node_modules/smallfirst/", here)],
  ["/", new URL("public/", here)],
];

/** @type {Record<string, string>} */
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** Answers a request for a file. @param {Request} request @param {Response} response */
export async function serveFile(request, response) {
  try {
    // A parsed path has no ".." in it, and a file's address takes no encoded slash.
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const path = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    const [prefix, folder] = /** @type {[string, URL]} */ (FOLDERS.find(([prefix]) => path.startsWith(prefix)));
    const bytes = await readFile(new URL(`./${path.slice(prefix.length)}`, folder));
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream" }).end(bytes);
  } catch {
    response.writeHead(404).end("not found");
  }
}

/** Listens, on this machine only. @param {(request: Request, response: Response) => Promise<unknown>} handle */
export function start(handle) {
  const server = createServer((request, response) => {
    handle(request, response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
    const address = server.address();
    if (typeof address === "object") console.log(`listening on http://127.0.0.1:${address?.port}/`);
  });
}
