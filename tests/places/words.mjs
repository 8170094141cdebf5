// The blocks of the documentation's pages, as a reader takes them: commands are run, and files are written under the name in their first line.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root, run } from "./project.mjs";

/** The blocks of a page, by the heading that they stand under and their language. */
export function blocks(file) {
  const found = [];
  let heading = "";
  const text = readFileSync(join(root, file), "utf8");
  for (const [, title, language, code] of text.matchAll(/^#+ (.*)$|^```(\w+)\n([^]*?)^```$/gm)) {
    if (title) heading = title;
    else found.push({ heading, language, code, done: false });
  }
  return found;
}

/** The name of the file that a block is. */
function nameOf(code) {
  return /^(?:---\n)?(?:\/\/|<!--|#) ([\w./[\]+@-]+\.\w+)(?: -->)?$/m.exec(code.split("\n", 2).join("\n"))?.[1];
}

/** Does in a project what a page says, and gives the names of its files. `npm install` was done: the packages are there. */
export async function follow(page, folder) {
  const files = [];
  for (const { language, code } of blocks(page)) {
    if (language === "sh") {
      for (const line of code.trim().split("\n")) {
        if (line.startsWith("npm install ")) continue;
        const [npx, smallfirst, ...args] = line.split(" ");
        assert.deepEqual([npx, smallfirst], ["npx", "smallfirst"], line);
        await run(folder, process.execPath, join(folder, "node_modules/smallfirst/dist/cli/main.js"), ...args);
      }
      continue;
    }
    const name = nameOf(code);
    if (!name) continue;
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), code);
    files.push(name);
  }
  return files;
}
