// Measures everything and writes target/bench/results.json. Started by `cargo xtask bench`.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cases } from "../shared/cases.js";
import { api, batches } from "./api.js";
import { chromiumVersion, machine } from "./machine.js";
import { cold } from "./cold.js";
import { parse } from "./options.js";
import { here, ort, out, pkg, transformersOrt, version } from "./paths.js";
import { peak } from "./peak.js";
import type { Results } from "./results.js";
import { Site } from "./server.js";
import { bundle, pack } from "./site.js";
import { soak } from "./soak.js";
import { warm } from "./warm.js";

const options = parse();
const cases = JSON.parse(readFileSync(options.models, "utf8")) as Cases;
const { rounds, coldRuns, turnMs, quick, only } = options;
const results: Results = {
  date: new Date().toISOString().slice(0, 10),
  machine: machine(),
  options: { rounds, coldRuns, turnMs, quick, only },
  versions: {
    smallfirst: version(pkg),
    "onnxruntime-web": version(ort),
    "transformers.js": version(join(here, "node_modules/@huggingface/transformers")),
    "onnxruntime-web of transformers.js": version(transformersOrt),
  },
  models: cases.models,
  cases: cases.cases.map(({ id, model, title, timed, flops }) => ({ id, model, title, timed, flops })),
  missing: [],
  checks: [],
  cold: [],
  warm: [],
  memory: [],
  api: [],
  batches: [],
  peak: [],
  kernels: [],
  soak: [],
};

pack();
await bundle();
results.versions["Chromium"] = await chromiumVersion();
const site = await Site.start();
let complete = false;
try {
  await peak(site, options.kernels, options.smallfirst, options, results);
  await cold(site, cases, options, results);
  await api(site, options, results);
  await batches(site, options, results);
  await warm(site, cases, { python: options.python, smallfirst: options.smallfirst }, options, results);
  if (options.soak) await soak(site, cases, options, results);
  complete = true;
} finally {
  await site.stop();
  // What was measured before a failure is worth keeping, but not for quoting.
  results.options["complete"] = complete;
  writeFileSync(join(out, "results.json"), `${JSON.stringify(results)}\n`);
}
