// What the command line gives on the same folders:
//
//   node native.mjs SMALLFIRST FOLDERS EXPECTED.json BUNDLES OUT.json [--only PART] [--inputs DIR]
//
// Each folder is imported into a bundle of its own. A folder that is refused has no cases, and `refused` says why. The command line
// takes few options of a kind, so of several variants the one is run that a folder's task has by itself.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./inputs.mjs";
import { path } from "./runs.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string", default: "" }, inputs: { type: "string" } },
});
const [program, folders, from, bundles, out] = positionals.map((given) => resolve(given));
const expected = JSON.parse(readFileSync(from, "utf8"));
const { folders: listed } = JSON.parse(readFileSync(join(root, "tests/reference/folders.json"), "utf8"));
const BY_ITSELF = ["all", "simple", "mean", "five", "ten", "found", "pooled"];
const inputs = resolve(values.inputs ?? `${folders}-inputs`);
/** Tasks whose inputs are files. */
const OF_FILES = ["image-classification", "image-feature-extraction", "object-detection", "audio-classification"];

/**
 * Several labels hold by themselves, and transformers.js shares one among all labels of a sound, whatever `problem_type` says: the same
 * logits, by another function.
 */
function softmax(scores) {
  const odds = scores.map(({ score }) => score / (1 - score));
  const sum = odds.reduce((a, b) => a + b, 0);
  return scores.map(({ label }, at) => ({ label, score: odds[at] / sum }));
}

/** The command line's answer as the pipeline gives it. */
const CONVERTED = {
  "text-classification": ({ scores }) => scores,
  "token-classification": ({ entities }) =>
    entities
      .filter(({ label }) => label !== "O")
      .map(({ label, score, word, start, end }) => ({ entity_group: label, score, word, start, end })),
  "fill-mask": ({ masks: [first] }) =>
    first.map(({ score, token, text, sequence }) => ({ score, token, token_str: text, sequence })),
  "feature-extraction": ({ data, dims, precision }) => ({ type: precision, dims, data }),
  "image-feature-extraction": ({ data, dims, precision }) => ({ type: precision, dims, data }),
  "image-classification": ({ scores }) => scores,
  "object-detection": ({ objects }) => objects,
  "audio-classification": ({ labels, scores }, top) => (labels ? softmax(scores) : scores).slice(0, top),
};

const call = (...given) =>
  execFileSync(program, given, { encoding: "utf8", maxBuffer: 1 << 30, stdio: ["ignore", "pipe", "pipe"] });

/** The last line of what a program said when it failed. */
const reason = (error) => String(error.stderr || error.message).trim().split("\n").at(-1);

/** The folder's bundle: imported anew where the program or the folder is newer. */
function bundle({ name, task, dtype, licence, made }) {
  const folder = join(bundles, name);
  const manifest = join(folder, "manifest.json");
  const [weights] = Object.keys(made);
  const newest = Math.max(...[program, join(folders, name, weights)].map((path) => statSync(path).mtimeMs));
  if (existsSync(manifest) && statSync(manifest).mtimeMs > newest) return folder;
  rmSync(folder, { recursive: true, force: true });
  const license = licence.split(" ")[0];
  call("import", join(folders, name), "--out", folder, "--license", license, "--task", task, "--dtype", dtype);
  return folder;
}

const results = {};
mkdirSync(bundles, { recursive: true });
for (const [key, { folder, task, dtype, options, cases }] of Object.entries(expected)) {
  const variant = key.split("/").at(-1);
  if (!CONVERTED[task] || !BY_ITSELF.includes(variant) || !folder.includes(values.only)) continue;
  const run = { folder, task, dtype, options, cases: [] };
  results[key] = run;
  try {
    const rows = join(bundles, `${folder}.jsonl`);
    const given = (input) => (OF_FILES.includes(task) ? path(inputs, task, input) : input);
    writeFileSync(rows, cases.map(({ input }) => `${JSON.stringify({ input: given(input) })}\n`).join(""));
    const at = bundle(listed.find(({ name }) => name === folder));
    const several = ["text-classification", "audio-classification"].includes(task) ? ["--all-scores"] : [];
    if (options.threshold !== undefined) several.push("--threshold", String(options.threshold));
    if (options.pool) several.push("--pool");
    const lines = call("run", at, "--task", task, "--data", rows, ...several).trim().split("\n");
    run.cases = lines.map((line, at) => {
      const { output, code, message } = JSON.parse(line);
      const { input } = cases[at];
      return output ? { input, output: CONVERTED[task](output, options.top_k) } : { input, error: `${code}: ${message}` };
    });
    console.log(`${key}: ${run.cases.length} cases`);
  } catch (error) {
    run.refused = reason(error);
    console.log(`${key}: ${run.refused}`);
  }
}
writeFileSync(out, `${JSON.stringify(results)}\n`);
