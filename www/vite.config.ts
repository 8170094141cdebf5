import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { basename } from "node:path";
import { defineConfig, type Plugin } from "vite";
import type { Everyday } from "./src/everyday";

/** The behavioural tests of the models, and which of them are inputs as people bring them; all where none is named. */
const BEHAVIOUR = "../models/recipe/behaviour";
const EVERYDAY: Record<string, string[]> = {
  language: ["everyday sentences"],
  sentiment: ["product remarks"],
  spam: ["everyday mails", "everyday spam", "spam of today"],
  "file-type": [],
};
/** Files for tasks that read a picture or a sound, whichever those are. */
const FILES: Record<string, string[]> = {
  "input:image": ["photo.jpg", "screenshot.png", "sunset.gif"],
  "input:sound": ["bell.wav"],
};
const LONGEST_NAME = 60;

/** Makes `virtual:everyday`, the demo's further examples, of the behavioural tests. */
function everyday(): Plugin {
  const id = "\0smallfirst-everyday";
  const read = (task: string, groups: string[]): Everyday[] =>
    readFileSync(`${BEHAVIOUR}/${task}.jsonl`, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { capability: string; input?: string; path?: string })
      .filter(({ capability }) => groups.length === 0 || groups.includes(capability))
      .map(({ capability: group, input: text, path }) => {
        if (path === undefined) return { group, name: shortened(text ?? ""), text };
        return { group, name: basename(path), base64: readFileSync(`${BEHAVIOUR}/${path}`, "base64") };
      });
  return {
    name: "smallfirst-everyday",
    resolveId: (source) => (source === "virtual:everyday" ? id : undefined),
    load: (loaded) => {
      if (loaded !== id) return undefined;
      const all = Object.entries(EVERYDAY).map(([task, groups]) => [task, read(task, groups)]);
      const files = Object.entries(FILES).map(([input, names]) => [
        input,
        names.map((name) => ({ group: "files", name, base64: readFileSync(`${BEHAVIOUR}/files/${name}`, "base64") })),
      ]);
      return `export default ${JSON.stringify(Object.fromEntries([...all, ...files]))}`;
    },
  };
}

function shortened(text: string): string {
  const [line = ""] = text.split("\n");
  return line.length > LONGEST_NAME ? `${line.slice(0, LONGEST_NAME)}…` : line;
}

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
      const source = ["src/sw.js", "src/sw-faults.js", "src/sw-log.js"]
        .map((file) => readFileSync(file, "utf8"))
        .join("\n")
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
  plugins: [...plugins, everyday(), serviceWorker()],
});
