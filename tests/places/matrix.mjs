// Where the package runs, by the tests: a row each, with what it took. `cargo xtask places` writes them into docs/places.md.

import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { REPORTS } from "./pages.mjs";
import { root } from "./project.mjs";

/** What the tests noted. */
const FILE = join(root, "target/places/matrix.jsonl");
const PAGE = join(root, "docs/places.md");

/** Everything that is measured, in the table's order, by its page. */
const PLACES = [
  ["plain", "A page without a bundler"],
  ["vite", "Vite"],
  ["webpack", "webpack"],
  ["rspack", "Rspack"],
  ["esbuild", "esbuild"],
  ["rollup", "Rollup"],
  ["parcel", "Parcel"],
  ["inline", "One file, by esbuild"],
  ["service-worker", "A service worker, by esbuild"],
  ["extension", "A browser extension"],
  ["next", "Next, by Turbopack"],
  ["next", "Next, by webpack"],
  ["sveltekit", "SvelteKit"],
  ["nuxt", "Nuxt"],
  ["astro", "Astro"],
  ["vue", "Vue, by Vite"],
  ["svelte", "Svelte, by Vite"],
  ["node", "Node"],
  ["bun", "Bun"],
  ["deno", "Deno"],
  ["workers", "Cloudflare Workers (workerd)"],
];

/** The version of a package that is installed in a folder. */
export function version(folder) {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version;
}

/**
 * Notes a place that worked. `bytes` are what a new visitor downloads, compressed as hosts do it; undefined where models are on the disk.
 * `ms` is the time from the beginning of the visit, or of the process, to the first answer.
 */
export function record(t, place, { version: known = "", bytes, ms }) {
  if (!PLACES.some(([, name]) => name === place)) throw new Error(`matrix.mjs has no row for ${place}`);
  const kb = bytes === undefined ? "" : `, ${Math.round(bytes / 1000)} kB`;
  t.diagnostic(`${place} ${known}: ${Math.round(ms)} ms${kb}`);
  if (!REPORTS) return;
  mkdirSync(join(FILE, ".."), { recursive: true });
  appendFileSync(FILE, `${JSON.stringify({ place, version: known, bytes, ms })}\n`);
}

/** The table of what was noted. */
function table() {
  const rows = readFileSync(FILE, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const noted = new Map(rows.map((row) => [row.place, row]));
  const cells = PLACES.map(([page, place]) => {
    const { version, bytes, ms } = noted.get(place) ?? {};
    const kb = bytes === undefined ? "" : `${Math.round(bytes / 1000).toLocaleString("en")} kB`;
    return [`[${place}](places/${page}.md)`, version ?? "", kb, ms === undefined ? "" : `${(ms / 1000).toFixed(1)} s`];
  });
  const head = ["place", "version", "downloaded", "first answer after"];
  return [head, head.map(() => "---"), ...cells].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

if (import.meta.filename === process.argv[1]) {
  if (process.argv[2] === "--new") rmSync(FILE, { force: true });
  else if (existsSync(FILE)) {
    const written = readFileSync(PAGE, "utf8").replace(/^\| place [^]*?\n(?!\|)/m, `${table()}\n`);
    writeFileSync(PAGE, written);
    console.log(table());
  }
}
