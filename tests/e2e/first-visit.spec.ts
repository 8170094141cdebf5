// How long a visitor waits at the demo's door: a fresh profile, 10 Mbit/s, files compressed as hosts do it. The figures are printed; nothing
// is asserted of them, for the machine that runs the tests has other work.

import { readdirSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { extname, join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { expect, test } from "./fixtures.js";
import { Local, root, TYPES } from "./servers.js";

const BYTES_PER_MS = 10e6 / 8 / 1000;
const LATENCY_MS = 20;
const PART = 16 * 1024;

/** One line for all answers, as a visitor has it: parts of several files take turns. */
class Line {
  #free = 0;
  bytes = 0;

  async send(response: ServerResponse, body: Buffer): Promise<void> {
    await wait(LATENCY_MS);
    for (let at = 0; at < body.length; at += PART) {
      const part = body.subarray(at, at + PART);
      const now = performance.now();
      this.#free = Math.max(this.#free, now) + part.length / BYTES_PER_MS;
      await wait(this.#free - now);
      this.bytes += part.length;
      response.write(part);
    }
    response.end();
  }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A file as hosts send it: text, scripts and WebAssembly with brotli, models as they are. */
function file(path: string): { body: Buffer; headers: Record<string, string> } | undefined {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch {
    return undefined;
  }
  const type = TYPES[extname(path)];
  if (!type) return { body: content, headers: { "content-type": "application/octet-stream" } };
  // The best would take half a minute.
  const body = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
  return { body, headers: { "content-type": type, "content-encoding": "br" } };
}

/** Notes when the largest thing was painted, and when the page had answered. */
function watch(): void {
  const seen = { painted: 0, answered: 0 };
  Object.assign(window, { seen });
  new PerformanceObserver((list) => {
    for (const { startTime } of list.getEntries()) seen.painted = startTime;
  }).observe({ type: "largest-contentful-paint", buffered: true });
  const look = (): void => {
    const label = document.querySelector('[data-testid="label"]')?.textContent ?? "…";
    if (label === "…") requestAnimationFrame(look);
    else seen.answered = performance.now();
  };
  requestAnimationFrame(look);
}

test("a first visit at 10 Mbit/s: what is painted when, and when the first answer is there", async ({ page }) => {
  const line = new Line();
  // Compressed before anybody waits for it. What is not made for every visit takes long, and is sent as it is.
  const dist = join(root, "www/dist");
  const ready = new Map(
    readdirSync(dist, { recursive: true, encoding: "utf8" })
      .filter((path) => !/onnx/.test(path))
      .map((path) => [path, file(join(dist, path))]),
  );
  const site = await Local.start((_request, response, path) => {
    if (path === "/demo.json")
      return void response.setHeader("content-type", "application/json").end('{"remote":null}');
    const found = ready.get(path === "/" ? "index.html" : path.slice(1));
    if (!found) return void response.writeHead(404).end();
    for (const [name, value] of Object.entries(found.headers)) response.setHeader(name, value);
    void line.send(response, found.body);
  });
  try {
    await page.addInitScript(watch);
    await page.goto(`${site.address}/`);
    await expect(page.getByTestId("label")).toHaveText("German", { timeout: 60_000 });
    const first = line.bytes;
    const { painted, answered } = await page.evaluate(
      () => (window as unknown as { seen: { painted: number; answered: number } }).seen,
    );
    expect(painted).toBeGreaterThan(0);
    expect(answered).toBeGreaterThan(0);
    console.log(
      `first visit at 10 Mbit/s: largest contentful paint after ${(painted / 1000).toFixed(2)} s, first answer after ${(answered / 1000).toFixed(2)} s and ${(first / 1e6).toFixed(2)} MB`,
    );
  } finally {
    await site.stop();
  }
});
