// Where things are. The driver runs in the repository's root.

import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const root = resolve(".");
export const out = join(root, "target/bench");
export const here = join(root, "tests/bench");
export const site = join(out, "site");
/** The folder of smallfirst's package. */
export const pkg = resolve(process.env["SMALLFIRST_PKG"] ?? "pkg");
/** smallfirst as npm would publish it. */
export const packed = join(out, "packed/package");
export const ort = join(here, "node_modules/onnxruntime-web");

const nested = join(here, "node_modules/@huggingface/transformers/node_modules/onnxruntime-web");
/** The onnxruntime-web that transformers.js brings. */
export const transformersOrt = existsSync(nested) ? nested : ort;

export function version(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string }).version;
}

/** The variants of smallfirst's bindings, the one that browsers like this one get first. */
export function variants(): { id: string; address: string }[] {
  const found = ["relaxed", "baseline"].filter((name) => existsSync(join(packed, "dist/wasm", name, "smallfirst.js")));
  if (found.length === 0) return [{ id: "smallfirst", address: "/smallfirst/wasm/smallfirst.js" }];
  return found.map((name, place) => ({
    id: place === 0 ? "smallfirst" : `smallfirst (${name})`,
    address: `/smallfirst/wasm/${name}/smallfirst.js`,
  }));
}
