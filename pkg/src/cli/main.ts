#!/usr/bin/env node
// What the package does for a project at its command line: `npx smallfirst …`.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { addEngine } from "./engine.js";
import { KINDS, type Kind, kindOf, modelsFolder, start } from "./init.js";
import { type Added, addModels, installedModels } from "./models.js";

const HELP = `Usage: smallfirst COMMAND [options]

  add-models [FOLDER]   copies models into a folder that your site serves, and writes their manifest
                        FOLDER is public/models where none is named
  add-engine [FOLDER]   copies the workers and the WebAssembly, for bundlers that do not find them by themselves
                        FOLDER is public/smallfirst where none is named
  init                  does this where the app's bundler wants it, and writes the file that an app starts from

  --tasks LIST          only these tasks, such as language,spam, and what they need; default: all
  --from FOLDER         a bundle of your own; default: the installed package smallfirst-models
  --for KIND            init: ${KINDS.join(", ")}; default: what package.json names

Models are trained, calibrated and packed by the command line of the Rust crate, which is also called smallfirst.
`;

/** A mistake of the caller. */
class Usage extends Error {}

function run(args: string[]): void {
  const { values, positionals } = parseArgs({
    args,
    strict: true,
    allowPositionals: true,
    options: {
      tasks: { type: "string" },
      from: { type: "string" },
      for: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  const [command, ...rest] = positionals;
  if (values.help || command === undefined) return console.log(HELP);
  const tasks = values.tasks
    ?.split(",")
    .map((task) => task.trim())
    .filter((task) => task !== "");
  if (tasks?.length === 0) throw new Usage("--tasks names no task");
  const from = (): string => values.from ?? installedModels(process.cwd(), version());
  switch (command) {
    case "add-models": {
      if (values.for !== undefined) throw new Usage("--for is for init");
      const [folder = "public/models", ...more] = rest;
      if (more.length > 0) throw new Usage(`add-models takes one folder, and got ${rest.join(" ")}`);
      const added = addModels(from(), folder, tasks);
      report(added, folder);
      console.log(`\n  import { createSmallFirst } from "smallfirst";\n`);
      console.log(`  const ai = await createSmallFirst({ bundle: ${JSON.stringify(address(folder))} });`);
      console.log(`  const answer = await ai.run(${JSON.stringify(tasks?.[0] ?? added.tasks[0])}, input);`);
      return;
    }
    case "add-engine": {
      const [folder = "public/smallfirst", ...more] = rest;
      if (more.length > 0 || tasks || values.from !== undefined || values.for !== undefined)
        throw new Usage("add-engine takes one folder, and no options");
      const files = addEngine(fileURLToPath(new URL("..", import.meta.url)), folder);
      console.log(`copied ${files.length} files to ${folder}\n`);
      console.log("  const ai = await createSmallFirst({");
      console.log(`    bundle: "/models/",`);
      console.log(`    worker: (engine) => new Worker(`);
      const place = address(folder);
      console.log(`      engine === "onnx" ? "${place}worker-onnx.js" : "${place}worker.js", { type: "module" }),`);
      console.log("  });");
      return;
    }
    case "init": {
      if (rest.length > 0) throw new Usage(`init takes no ${rest.join(" ")}; it works in the folder that you are in`);
      const kind = KINDS.find((one) => one === values.for) ?? (values.for === undefined ? kindOf(".") : undefined);
      if (kind === undefined) throw new Usage(`--for is ${values.for}; it must be one of ${KINDS.join(", ")}`);
      return init(kind, addModels(from(), modelsFolder(kind), tasks), tasks?.[0]);
    }
    default:
      throw new Usage(`there is no command ${command}`);
  }
}

function init(kind: Kind, added: Added, task: string | undefined): void {
  console.log(`set up for ${kind}`);
  report(added, modelsFolder(kind));
  const { file, written, byHand } = start(".", kind, task ?? added.tasks[0]);
  console.log(written ? `wrote ${file}\n` : `${file} is there already, and was left as it is\n`);
  console.log(byHand.join("\n"));
}

function report({ tasks, files, bytes, removed }: Added, folder: string): void {
  console.log(`copied ${files} files, ${(bytes / 1e6).toFixed(1)} MB, to ${folder}: ${tasks.join(", ")}`);
  if (removed.length > 0) console.log(`removed what no task needs any more: ${removed.join(", ")}`);
}

/** The address of a folder: bundlers serve what is in these as it is. */
function address(folder: string): string {
  const [, served] = /(?:^|\/)(?:public|static)\/(.+?)\/*$/.exec(folder.replaceAll("\\", "/")) ?? [];
  return served === undefined ? `/${folder.replace(/^[./\\]+|\/+$/g, "")}/` : `/${served}/`;
}

/** This package's version. */
function version(): string {
  const path = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

try {
  run(process.argv.slice(2));
} catch (error) {
  const wrong = error instanceof Usage || (error instanceof TypeError && "code" in error);
  console.error(`smallfirst: ${error instanceof Error ? error.message : String(error)}${wrong ? "; see --help" : ""}`);
  process.exitCode = wrong ? 2 : 1;
}
