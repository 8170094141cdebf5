// The pages, bundled as a site would be: one script a page, one a worker.

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { here, out, packed, pkg, site } from "./paths.js";

/** Packs smallfirst as npm would publish it: what is measured is what is shipped. */
export function pack(): void {
  const folder = join(out, "packed");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const arguments_ = ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder];
  const name = execFileSync("npm", arguments_, { cwd: pkg, encoding: "utf8" }).trim();
  execFileSync("tar", ["-xzf", join(folder, name), "-C", folder]);
}

export async function bundle(): Promise<void> {
  rmSync(site, { recursive: true, force: true });
  const options = {
    bundle: true,
    minify: true,
    format: "esm" as const,
    target: "es2022",
    platform: "browser" as const,
    logLevel: "error" as const,
    absWorkingDir: here,
    alias: { smallfirst: join(packed, "dist/index.js") },
  };
  const pages = ["warm", "peak", "api", "cold-smallfirst", "cold-smallfirst-model", "cold-onnxruntime", "cold-transformers"];
  const workers = ["smallfirst", "onnxruntime", "transformers", "cold-model"];
  await build({
    ...options,
    outdir: site,
    entryPoints: [
      ...pages.map((name) => ({ in: `pages/${name}.ts`, out: name })),
      ...workers.map((name) => ({ in: `workers/${name}.ts`, out: `worker-${name}` })),
      // The package's own workers, where its page's script looks for them.
      ...["worker", "worker-onnx"].map((name) => ({ in: join(packed, `dist/${name}.js`), out: name })),
    ],
  });
}
