// The languages that lande names, for peers.py.
//
//   node lande.mjs NODE_MODULES < texts.json > answers.json

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const modules = resolve(process.argv[2]);
const load = async (file) => (await import(pathToFileURL(join(modules, file)).href)).default;

const lande = await load("lande/standalone/t50.js");
const labels = await load("lande/standalone/t50-langs.js");
const texts = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify({ labels, answers: texts.map((text) => lande(text)[0]?.[0] ?? "") }));
