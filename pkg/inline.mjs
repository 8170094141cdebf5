// Makes one file of `smallfirst/inline`, its worker and its WebAssembly, out of what the compilers left in dist/.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const dist = new URL("dist/", import.meta.url);
const file = (name) => new URL(name, dist).pathname;

/** Answers imports of what only the bundled file has. */
const inlined = (filter, contents, loader) => ({
  name: "inlined",
  setup(on) {
    on.onResolve({ filter }, ({ path }) => ({ path, namespace: "inlined" }));
    on.onLoad({ filter: /.*/, namespace: "inlined" }, () => ({ contents, loader }));
  },
});

async function bundled(entry, format, plugin) {
  const { outputFiles } = await build({
    entryPoints: [file(entry)],
    bundle: true,
    minify: true,
    format,
    target: "es2022",
    write: false,
    plugins: [plugin],
    // The glue of the WebAssembly would look beside its own file, if it were not told where to.
    define: format === "iife" ? { "import.meta.url": '"https://smallfirst.invalid/"' } : {},
    logLevel: "error",
  });
  return outputFiles[0].text;
}

const wasm = gzipSync(readFileSync(file("wasm/prepared.wasm")), { level: 9 });
const worker = await bundled("inline-worker.js", "iife", inlined(/\.wasm\.gz$/, wasm, "binary"));
const page = await bundled("inline.js", "esm", inlined(/\.js\.txt$/, worker, "text"));
writeFileSync(file("inline.js"), page);
// They were parts.
for (const part of ["inline-worker.js", "inline-worker.d.ts", "inline-worker.js.map", "inline.js.map"])
  rmSync(file(part), { force: true });
