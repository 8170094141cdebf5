// `smallfirst add-engine`: the workers and the WebAssembly as files of a site, for bundlers that do not find them by themselves.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";

/** What a page starts. */
const WORKERS = ["worker.js", "worker-onnx.js"];
/** What of others' work is in it. */
const NOTICES = ["THIRD-PARTY.txt"];

/** Copies what the workers in `from` (the package's `dist`) are made of to `to`, and gives the files. */
export function addEngine(from: string, to: string): string[] {
  const found = new Map<string, Uint8Array>();
  const left = [...WORKERS, ...NOTICES];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (found.has(file)) continue;
    const path = join(from, file);
    if (!existsSync(path)) throw new Error(`${path} is missing: install the package anew`);
    const content = readFileSync(path);
    found.set(file, content);
    if (!file.endsWith(".js")) continue;
    const folder = posix.dirname(file);
    for (const [, imported, asset] of content
      .toString()
      .matchAll(
        /^(?:import|export)\b[^"';]*["'](\.[^"']+)["']|new URL\(["'](\.[^"']+\.wasm)["'], import\.meta\.url\)/gm,
      ))
      left.push(posix.join(folder, imported ?? asset!));
  }
  for (const [file, content] of found) {
    const target = join(to, file);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
  }
  return [...found.keys()].sort();
}
