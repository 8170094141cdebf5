import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

/** The engine for ONNX models, which the demo's bundle has none of. */
const ONNX = /onnx/;

/**
 * Emits `sw.js`: the service worker with the list of this build's files in it, so that the page
 * opens without a network from its first visit on.
 */
function serviceWorker(): Plugin {
  return {
    name: "smallfirst-service-worker",
    apply: "build",
    generateBundle(_, bundle) {
      const hash = createHash("sha256");
      const files = ["./", ...readdirSync("public"), ...Object.keys(bundle)].filter(
        (f) => !f.endsWith(".map") && !ONNX.test(f),
      );
      for (const file of Object.values(bundle)) hash.update(file.type === "chunk" ? file.code : file.source);
      for (const file of readdirSync("public")) hash.update(readFileSync(`public/${file}`));
      const source = readFileSync("src/sw.js", "utf8")
        .replace("__VERSION__", hash.digest("hex").slice(0, 16))
        .replace('["__FILES__"]', JSON.stringify([...new Set(files)].sort()));
      this.emitFile({ type: "asset", fileName: "sw.js", source });
    },
  };
}

/**
 * The engine for ONNX models takes most of the time of a build. Where it was not built, the site goes without: its worker
 * says so, should it ever be asked for.
 */
function preparedOnly(): Plugin {
  const without = "\0smallfirst-without-onnx";
  return {
    name: "smallfirst-prepared-only",
    enforce: "pre",
    resolveId: (source) => (source.endsWith("/wasm/onnx.js") ? without : undefined),
    load: (id) =>
      id === without
        ? 'export default () => { throw new Error("this site was built without the engine for ONNX: cargo xtask build"); };\nexport class Runtime {}'
        : undefined,
  };
}

const plugins = process.env.SMALLFIRST_ENGINES === "prepared" ? [preparedOnly()] : [];

export default defineConfig({
  base: "./",
  build: { target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  worker: { format: "es", plugins: () => plugins },
  // In dev, pre-bundling would move the package's scripts away from their worker and wasm.
  optimizeDeps: { exclude: ["smallfirst"] },
  plugins: [...plugins, serviceWorker()],
});
