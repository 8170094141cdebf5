// Holds results against what transformers.js gave:
//
//   node compare.mjs EXPECTED.json RESULTS.json [--json]
//
// Both are { "task/folder/variant": { folder, task, dtype, options, cases: [{ input, output }] } }. Runs and cases that the results
// lack are left out; a case with an `error` has failed. Ends with 1 where something differs by more than it may.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./inputs.mjs";

// Labels may change their places where their scores are nearer than this, or than the folder's tolerance.
const TIE = 1e-3;
const SHOWN = 3;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: "boolean" } } });
const [expected, results] = positionals.map((path) => JSON.parse(readFileSync(path, "utf8")));
const { folders } = JSON.parse(readFileSync(join(root, "tests/reference/folders.json"), "utf8"));
const tolerances = new Map(folders.map(({ name, tolerance }) => [name, tolerance.score]));

/** Letters as an uncased tokenizer has them, without what tells where words begin. */
const folded = (text) => text.normalize("NFD").replaceAll(/\p{Mn}|\s|##/gu, "").toLowerCase();

/** Scores by a label, in both. */
function scores(wanted, found, name, tie) {
  const same = { label: true, score: 0 };
  // Several texts of one pipeline, or one label of each, come in a list of lists.
  const [one, two] = [wanted, found].map((list) => list.flat());
  if (one.length !== two.length) return { label: false, score: 0, why: `${two.length} of ${one.length} labels` };
  const by = new Map(two.map((each) => [String(each[name]), each.score]));
  for (const [at, each] of one.entries()) {
    const given = by.get(String(each[name]));
    const tied = Math.abs(two[at].score - each.score) <= tie;
    if (given === undefined ? !tied : String(two[at][name]) !== String(each[name]) && !tied)
      return { label: false, score: 0, why: `${each[name]} ${each.score} is ${two[at][name]} ${two[at].score}` };
    same.score = Math.max(same.score, Math.abs((given ?? two[at].score) - each.score));
  }
  return same;
}

/** Entities one after another: label, letters, and where these are in the text. */
function entities(wanted, found, text) {
  const label = (each) => each.entity ?? each.entity_group;
  const shown = (list) => list.map((each) => `${label(each)} "${each.word}"`).join(", ");
  const equal =
    wanted.length === found.length &&
    wanted.every((each, at) => label(each) === label(found[at]) && folded(each.word) === folded(found[at].word));
  if (!equal) return { label: false, score: 0, why: `wanted ${shown(wanted)}, found ${shown(found)}` };
  // transformers.js tells no places. Those that are given have to hold the letters.
  const bad = found.find(({ start, end, word }) => folded(text.slice(start, end)) !== folded(word));
  const score = Math.max(0, ...wanted.map((each, at) => Math.abs(each.score - found[at].score)));
  return { label: true, score, span: bad === undefined, why: bad && `"${text.slice(bad.start, bad.end)}" is no "${bad.word}"` };
}

/** Boxes, the likeliest first. */
function boxes(wanted, found, tie) {
  if (wanted.length !== found.length) return { label: false, score: 0, why: `${found.length} of ${wanted.length} boxes` };
  // One after another: several have the same label. Boxes change their places where their scores are near.
  const off = (a, b) => Math.abs(a.score - b.score);
  const odd = wanted.findIndex((each, at) => each.label !== found[at].label && off(each, found[at]) > tie);
  if (odd >= 0) return { label: false, score: 0, why: `${wanted[odd].label} is ${found[odd].label}` };
  const score = Math.max(0, ...wanted.map((each, at) => off(each, found[at])));
  const sides = ["xmin", "ymin", "xmax", "ymax"];
  const near = (a, b) => a.label === b.label && sides.every((side) => Math.abs(a.box[side] - b.box[side]) <= 2);
  const lost = wanted.findIndex((each) => !found.some((other) => near(each, other) && off(each, other) <= tie));
  return { label: true, score, span: lost < 0, why: lost < 0 ? undefined : `box ${lost} is elsewhere` };
}

/** Numbers. Bits differ in whole. */
function numbers(wanted, found) {
  if (String(wanted.dims) !== String(found.dims)) return { label: false, score: 0, why: `lengths ${found.dims}` };
  // A fixture keeps the first of them.
  const pairs = wanted.data.map((number, at) => [number, found.data[at]]);
  if (wanted.type !== "float32") {
    const differing = pairs.map(([a, b]) => [...((a ^ b) & 255).toString(2)].filter((bit) => bit === "1").length);
    const bits = differing.reduce((sum, count) => sum + count, 0);
    return { label: wanted.type === found.type, score: 0, bits, of: 8 * pairs.length };
  }
  if (wanted.norm !== undefined) pairs.push([wanted.norm, Math.hypot(...found.data)]);
  const scale = Math.max(1, ...pairs.map(([number]) => Math.abs(number)));
  return { label: true, score: Math.max(...pairs.map(([a, b]) => Math.abs(a - b))) / scale };
}

function one(task, wanted, found, input, tie) {
  if (wanted?.dims) return numbers(wanted, found);
  if (task === "token-classification") return entities(wanted, found, input);
  if (task === "object-detection") return boxes(wanted, found, tie);
  return scores(wanted, found, task === "fill-mask" ? "token_str" : "label", tie);
}

const table = [];
let wrong = false;
for (const [name, run] of Object.entries(expected)) {
  const given = results[name];
  if (!given) continue;
  const by = new Map(given.cases.map((each) => [JSON.stringify(each.input), each]));
  const tolerance = tolerances.get(run.folder) ?? TIE;
  const row = { name, folder: run.folder, task: run.task, cases: 0, labels: 0, spans: 0, score: 0, bits: 0, of: 0, tolerance, misses: [] };
  for (const { input, output } of run.cases) {
    const found = by.get(JSON.stringify(input));
    if (!found) continue;
    row.cases += 1;
    const { label, score, span = true, bits = 0, of = 0, why } = found.error
      ? { label: false, score: 0, why: found.error }
      : one(run.task, output, found.output, input, Math.max(TIE, tolerance));
    row.labels += label;
    row.spans += label && span;
    row.score = Math.max(row.score, score);
    row.bits += bits;
    row.of += of;
    if (!label || !span || score > tolerance) row.misses.push({ input, why: why ?? `the score is off by ${score}` });
  }
  // A bit is the sign of a number, and one near 0 may have either: few may.
  row.right = row.cases > 0 && row.misses.length === 0 && row.bits <= row.of / 100;
  wrong ||= !row.right;
  table.push(row);
}

if (values.json) {
  console.log(JSON.stringify(table));
} else {
  console.log("| run | cases | labels equal | spans equal | largest difference | may be | |\n| --- | --- | --- | --- | --- | --- | --- |");
  for (const row of table) {
    const bits = row.of ? `, ${row.bits} of ${row.of} bits` : "";
    const end = row.right ? "right" : "DIFFERS";
    console.log(`| ${row.name} | ${row.cases} | ${row.labels} | ${row.spans} | ${row.score.toExponential(1)}${bits} | ${row.tolerance} | ${end} |`);
  }
  for (const row of table)
    for (const { input, why } of row.misses.slice(0, SHOWN)) console.log(`${row.name}: ${JSON.stringify(input)}: ${why}`);
}
if (table.length === 0) throw new Error("the results have none of the runs that are expected");
process.exitCode = wrong ? 1 : 0;
