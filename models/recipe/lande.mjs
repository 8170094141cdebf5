// Dumps what the ONNX conversion needs from the lande package, using lande's own decoder.
//
//   node lande.mjs NODE_MODULES < texts.json > dump.json
//
// stdin: a JSON array of texts. stdout: {labels, ngrams, layers, probabilities}; `probabilities` holds, per text, what
// lande itself answers in the order of `labels`: the reference the converted model is checked against.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const modules = resolve(process.argv[2]);
const load = async (file) => (await import(pathToFileURL(join(modules, file)).href)).default;

const lande = await load("lande/standalone/t50.js");
const labels = await load("lande/standalone/t50-langs.js");
const ngrams = await load("lande/standalone/t50-ngrams.js");
const options = await load("lande/standalone/t50-options.js");
const { NeuralNetwork } = await import(pathToFileURL(join(modules, "toygrad/dist/index.js")).href);

const layers = new NeuralNetwork(options).layers
  .filter((layer) => layer.filters)
  .map((layer) => ({
    weights: layer.filters.map((filter) => Array.from(filter.w)),
    biases: Array.from(layer.biases.w),
  }));
const texts = JSON.parse(readFileSync(0, "utf8"));
const probabilities = texts.map((text) => {
  const found = Object.fromEntries(lande(text));
  return labels.map((label) => found[label]);
});
process.stdout.write(JSON.stringify({ labels, ngrams, layers, probabilities }));
