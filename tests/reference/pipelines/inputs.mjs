// What the pipelines are tried on. Texts are the repository's own; pictures and sounds are what folders.py fetched.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(fileURLToPath(import.meta.url), "../../../..");

const rows = (path) =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line));

/** Sentences of models/recipe/behaviour: everyday ones in many languages, opinions, and mails. */
export function behaviour(task, most = Infinity) {
  const all = rows(join(root, `models/recipe/behaviour/${task}.jsonl`)).map(({ input }) => input);
  return all.filter((text) => typeof text === "string" && text.trim() !== "").slice(0, most);
}

/** Texts that ask a model for what they should not, and others (the package bastioncorpus). */
export function injections(folder) {
  const file = join(folder, "injections.jsonl");
  return existsSync(file) ? rows(file).map(({ text }) => text) : [];
}

/** Files of a folder of inputs, as paths below it. */
export function files(folder, kind) {
  const under = join(folder, kind);
  const all = existsSync(under) ? readdirSync(under, { recursive: true }) : [];
  return all.filter((name) => /\.(png|jpe?g|wav)$/.test(name)).sort();
}

const PEOPLE = [
  ["Anna", "Kowalska", "anna.kowalska@example.com", "+48 22 555 01 23"],
  ["José", "Núñez", "jose@example.org", "(212) 555-0187"],
  ["Zoë", "O'Brien", "zoe.obrien@mail.example.net", "+44 20 7946 0958"],
  // The marks are letters of their own here: e and the acute accent.
  ["Rene\u0301", "Lefe\u0300vre", "rene+news@example.fr", "01 99 00 12 34"],
  ["Ngọc", "Trần", "tran.ngoc@example.vn", "+84 24 5550 123"],
  ["Mary-Jane", "van der Berg", "mj_vdberg@example.co.uk", "0131 496 0123"],
];
const PLACES = ["12 Baker Street, London", "742 Evergreen Terrace, Springfield", "5 rue de l'Église, Lyon"];
// Letters of several code units, of several code points, from right to left, and such as normalisation takes apart.
const BETWEEN = ["", "😀 ", "👩‍👩‍👧 ", "שלום ", "مرحبا ", "ﬁne ", "北京 ", "e\u0301te\u0301 "];
const TEMPLATES = [
  ([first, last, mail]) => `My name is ${first} ${last} and my email is ${mail}.`,
  ([first, last, , phone], between) => `${between}Please call ${first} ${last} at ${phone}, thanks ${between}`,
  ([first, , mail, phone], between) => `Hi, ${first} here${between ? `, ${between}` : ""}: ${phone} or ${mail}`,
  ([first, last], between, place) => `${between}Ship it to ${first} ${last}, ${place}.`,
  ([first, last, mail], between) => `Account 000123456789, routing number 021000021, ${between}owner ${last} ${first} <${mail}>`,
  ([, last], between) => `Dear ${between}Mr ${last}, your passport X1234567 is ready, see https://example.com/p?id=7`,
];

/** Sentences about people who do not exist. */
export function personal(most = 120) {
  const all = [];
  for (const [at, between] of BETWEEN.entries())
    for (const [row, template] of TEMPLATES.entries())
      for (const [column, person] of PEOPLE.entries())
        if ((at + row + column) % 2 === 0) all.push(template(person, between, PLACES[(row + column) % PLACES.length]));
  // What has no word in it, and what is only partly of letters.
  all.unshift("nobody is named here", "😀😀", "JOHN SMITH\tjohn@example.com\n+1 202 555 0143");
  // Some templates have no place for what is between.
  return [...new Set(all)].slice(0, most);
}

// The reactions of rxnmapper's README and of its tests.
const REACTIONS = [
  "CC(C)S.CN(C)C=O.Fc1cccnc1F.O=C([O-])[O-].[K+].[K+]>>CC(C)Sc1ncccc1F",
  "C1COCCO1.CC(C)(C)OC(=O)CONC(=O)NCc1cccc2ccccc12.Cl>>O=C(O)CONC(=O)NCc1cccc2ccccc12",
  "CC[O-]~[Na+].BrCC>>CCOCC",
  "NCC[O-]~[Na+].BrCC>>NCCOCC",
];
const TOKEN = /\[[^\]]+\]|Br?|Cl?|>>?|%[0-9]{2}|./gu;

/** Reactions with one token masked. */
export function masked(most = 120) {
  const all = [];
  for (const reaction of REACTIONS)
    for (const { 0: token, index } of reaction.matchAll(TOKEN))
      all.push(`${reaction.slice(0, index)}[MASK]${reaction.slice(index + token.length)}`);
  return all.slice(0, most);
}

/** The samples of a sound that folders.py wrote: 16 bits, one channel. */
export function samples(path) {
  const bytes = readFileSync(path);
  const all = new Int16Array(bytes.buffer.slice(bytes.byteOffset + 44, bytes.byteOffset + bytes.length));
  return Float32Array.from(all, (sample) => sample / 32768);
}
