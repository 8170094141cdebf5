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

/** A module of smallfirst: its bindings and its code. */
export interface Module {
  bindings: string;
  wasm: string;
}

const module = (set: string, instructions: string): Module => ({
  bindings: `/smallfirst/wasm/${set}.js`,
  wasm: `/smallfirst/wasm/${set}${instructions}.wasm`,
});

/** The modules that read a model's file, as contenders; the one that this browser would get is first. */
export function modules(prepared: boolean): { id: string; module: Module }[] {
  const set = prepared ? "prepared" : "onnx";
  return [
    { id: "smallfirst", module: module(set, "-relaxed") },
    { id: "smallfirst, no relaxed SIMD", module: module(set, "") },
  ];
}
