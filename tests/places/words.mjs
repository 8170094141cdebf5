// The blocks of the documentation's pages, as a reader takes them: commands are run, and files are written under the name in their first line.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { here, root, run } from "./project.mjs";

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

/** The programs that pages run beside `npx smallfirst`: those of this folder, and those of the tests of the proxy. */
function program(folder, [name, ...args]) {
  if (name === "node") return [process.execPath, ...args];
  if (name === "cp") return ["cp", ...args];
  if (name === "bun" || name === "deno") return [join(here, "../e2e/proxy/node_modules/.bin", name), ...args];
  assert.equal(name, "npx", `a page runs ${name}`);
  const [tool, ...more] = args;
  return tool === "smallfirst"
    ? [process.execPath, join(folder, "node_modules/smallfirst/dist/cli/main.js"), ...more]
    : [join(here, "node_modules/.bin", tool), ...more];
}

/**
 * Does in a project what a page says, and gives the names of its files and what its commands print. `npm install` was done: the packages
 * are there.
 */
export async function follow(page, folder) {
  const files = [];
  let printed = "";
  for (const { language, code } of blocks(page)) {
    if (language === "sh") {
      for (const line of code.trim().split("\n")) {
        if (/^(npm|bun) install /.test(line)) continue;
        printed += await run(folder, ...program(folder, line.split(" ")));
      }
      continue;
    }
    const name = nameOf(code);
    if (!name) continue;
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), code);
    files.push(name);
  }
  return { files, printed };
}
