// What transformers.js gives on the folders that folders.py composed:
//
//   node expected.mjs FOLDERS OUT.json [--inputs DIR] [--only PART] [--fixture FIXTURE.json]
//
// Nothing is fetched. --fixture writes a few cases of the folders that are made of the repository's own files alone.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { RawImage, env, pipeline } from "@huggingface/transformers";
import { root, samples } from "./inputs.mjs";
import { RUNS, key, path, six } from "./runs.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { inputs: { type: "string" }, only: { type: "string", default: "" }, fixture: { type: "string" } },
});
const [folders, out] = positionals.map((given) => resolve(given));
const inputs = resolve(values.inputs ?? `${folders}-inputs`);
env.localModelPath = `${folders}/`;
env.allowLocalModels = true;
env.allowRemoteModels = false;
env.useFSCache = false;

const { folders: listed } = JSON.parse(readFileSync(join(root, "tests/reference/folders.json"), "utf8"));
const FIXTURE_CASES = 12;
const FIXTURE_NUMBERS = 32;

/** An input as the pipeline takes it, and what is known of it. */
async function given(name, task, input) {
  if (task.startsWith("audio")) return { read: samples(path(inputs, task, input)) };
  if (!task.startsWith("image") && task !== "object-detection") return { read: input };
  const square = await squared(name, task, input);
  const read = await RawImage.read(path(inputs, task, square));
  return { read, input: square, size: [read.width, read.height] };
}

/** A picture as a square that the folder's processor does not resize: no two programs resize alike. */
async function squared(name, task, input) {
  const said = JSON.parse(readFileSync(join(folders, name, "preprocessor_config.json"), "utf8"));
  const edge = said.size.shortest_edge ?? said.size.height;
  const square = join("squares", String(edge), `${input.replaceAll("/", "__")}.png`);
  const to = join(inputs, square);
  if (!existsSync(to)) {
    mkdirSync(dirname(to), { recursive: true });
    const picture = await RawImage.read(path(inputs, task, input));
    await (await picture.rgb().resize(edge, edge)).save(to);
  }
  return square;
}

/** An output without what JSON cannot hold. */
function plain(output) {
  if (output?.dims) return { type: output.type, dims: output.dims, data: Array.from(output.data, (n) => six(Number(n))) };
  const text = JSON.stringify(output, (_, value) => (typeof value === "number" ? six(value) : value));
  return JSON.parse(text);
}

const found = {};
for (const { name, task, dtype } of listed) {
  if (!name.includes(values.only) || !RUNS[name]) continue;
  const start = performance.now();
  const session_options = { intraOpNumThreads: 1, interOpNumThreads: 1 };
  const run = await pipeline(task, name, { dtype, session_options });
  for (const [variant, options, all] of RUNS[name](inputs)) {
    const cases = [];
    for (const input of all) {
      const { read, ...more } = await given(name, task, input);
      cases.push({ input, ...more, output: plain(await run(read, options)) });
    }
    found[key(task, name, variant)] = { folder: name, task, dtype, options, cases };
    console.log(`${key(task, name, variant)}: ${cases.length} cases, ${Math.round(performance.now() - start)} ms`);
  }
  await run.dispose();
}
writeFileSync(out, `${JSON.stringify(found)}\n`);

if (values.fixture) {
  const own = new Set(listed.filter((entry) => !entry.package).map(({ name }) => name));
  const small = {};
  for (const [name, run] of Object.entries(found).filter(([, run]) => own.has(run.folder))) {
    // From all over the list, so that several languages and kinds are among them.
    const step = Math.max(1, Math.floor(run.cases.length / FIXTURE_CASES));
    const cases = run.cases.filter((_, at) => at % step === 0).slice(0, FIXTURE_CASES);
    small[name] = { ...run, cases: cases.map(({ output, ...rest }) => ({ ...rest, output: shortened(output) })) };
  }
  writeFileSync(resolve(values.fixture), `${JSON.stringify(small, undefined, 1)}\n`);
}

/** Of a vector the first numbers, and its length. */
function shortened(output) {
  if (!output.dims) return output;
  const norm = six(Math.hypot(...output.data));
  return { type: output.type, dims: output.dims, data: output.data.slice(0, FIXTURE_NUMBERS), norm };
}
