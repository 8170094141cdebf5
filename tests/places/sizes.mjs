// Prints what each entry point of the package adds to an app: bytes minified, and with brotli. WebAssembly is not in it (`cargo xtask sizes`).

import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { build } from "esbuild";
import { root } from "./project.mjs";

const ENTRIES = [
  "index",
  "worker",
  "worker-onnx",
  "in-thread",
  "inline",
  "model",
  "pipeline",
  "sound",
  "react",
  "ai-sdk",
  "langchain",
  "trace",
  "devtools",
  "workerd/index",
];

console.log("| entry point | minified | brotli | loaded later, minified |\n| --- | --- | --- | --- |");
for (const entry of ENTRIES) {
  const { outputFiles } = await build({
    entryPoints: [join(root, `pkg/dist/${entry}.js`)],
    bundle: true,
    minify: true,
    splitting: true,
    format: "esm",
    outdir: "out",
    write: false,
    external: ["react", "smallfirst", "*.wasm"],
    logLevel: "error",
  });
  const [first, ...later] = outputFiles.map(({ contents }) => contents);
  const rest = later.reduce((sum, { length }) => sum + length, 0);
  console.log(`| ${entry} | ${first.length} | ${brotliCompressSync(first).length} | ${rest} |`);
}
