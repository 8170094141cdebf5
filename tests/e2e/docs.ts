// The code blocks of the documentation: where they are, what they say, and what of it can be checked.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { root } from "./servers.js";

/** A block of code in a page. */
export interface Block {
  /** The page, relative to the repository. */
  file: string;
  /** The line of its first line of code, counted from 1. */
  line: number;
  /** What stands behind the fence; empty where nothing does, and `indented` where there is none. */
  language: string;
  code: string;
  /** The headings it stands under, the innermost last. */
  headings: string[];
}

/** Folders without pages of ours. What is in `public` is served, and may be a copy of the bundle. */
const FOREIGN = new Set(["behaviour", "node_modules", "target", "dist", ".git", "artifacts", "run", "public"]);

/** Every page of the repository, relative to it. */
export function pages(folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return FOREIGN.has(entry.name) || entry.name.startsWith("target-") ? [] : pages(path);
      return entry.name.endsWith(".md") ? [relative(root, path)] : [];
    })
    .sort();
}

/** The blocks of a page: those between fences, and those that are indented by four. */
export function blocks(file: string): Block[] {
  const lines = readFileSync(join(root, file), "utf8").split("\n");
  const found: Block[] = [];
  const headings: string[] = [];
  const add = (at: number, language: string, code: string[]): void => {
    found.push({
      file,
      line: at + 1,
      language,
      code: `${code.join("\n")}\n`,
      headings: headings.filter((heading) => heading),
    });
  };
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const heading = /^(#+) (.*)/.exec(line);
    const fence = /^\s*(```+|~~~+)\s*(\S*)/.exec(line);
    if (heading) headings.splice(heading[1]!.length - 1, headings.length, heading[2]!);
    if (fence) {
      const from = at + 1;
      do at++;
      while (at < lines.length && !lines[at]!.trim().startsWith(fence[1]!));
      if (at === lines.length) throw new Error(`${file}:${from}: the block has no end`);
      add(from, fence[2]!, lines.slice(from, at));
    } else if (/^ {4}|^\t/.test(line) && !(lines[at - 1] ?? "").trim() && !inList(lines, at)) {
      const from = at;
      while (at + 1 < lines.length && /^ {4}|^\t|^\s*$/.test(lines[at + 1]!)) at++;
      while (!lines[at]!.trim()) at--;
      add(
        from,
        "indented",
        lines.slice(from, at + 1).map((code) => code.replace(/^ {4}|^\t/, "")),
      );
    }
  }
  return found;
}

/** Whether what is indented there goes on with an item of a list. */
function inList(lines: string[], at: number): boolean {
  for (let before = at - 1; before >= 0; before--) {
    const line = lines[before]!;
    if (/^\s*([-*+]|\d+[.)]) /.test(line)) return true;
    if (/^\S/.test(line)) return false;
  }
  return false;
}

/** How a block is spoken of. */
export function place({ file, line }: Block): string {
  return `${file}:${line}`;
}

/** What runs the pages of places. */
const PLACES_TEST = "tests/places/docs.test.mjs";

/** The pages that other tests run, by the test. */
const PLACES: Record<string, string[]> = {
  "tests/places/bundlers.test.mjs": [
    "plain",
    "vite",
    "webpack",
    "rspack",
    "esbuild",
    "rollup",
    "parcel",
    "inline",
    "service-worker",
    "offline",
  ],
  "tests/places/apps.test.mjs": ["vue", "svelte"],
  "tests/places/electron.test.mjs": ["electron"],
  "tests/places/extension.test.mjs": ["extension"],
  "tests/places/vitest.test.mjs": ["testing"],
  "tests/places/workerd.test.mjs": ["workers"],
  "tests/places/frameworks/frameworks.test.mjs": ["next", "sveltekit", "nuxt", "astro"],
  "tests/places/frameworks/langchain.test.mjs": ["langchain"],
  "tests/places/frameworks/jest.test.mjs": [],
};

/** The examples that are apps of a framework. */
const APPS = /^examples\/(vue|svelte)\//;

/** The test in tests/places/ that runs a page, or a part of one. */
function placeOf({ file, headings }: Block): string {
  if (APPS.test(file)) return "tests/places/apps.test.mjs";
  if (headings.includes("jest")) return "tests/places/frameworks/jest.test.mjs";
  const page = /([\w-]+)\.md$/.exec(file)?.[1] ?? "";
  return Object.entries(PLACES).find(([, pages]) => pages.includes(page))?.[0] ?? PLACES_TEST;
}

/** What runs or checks blocks, and which ones. A block that none of these claims, or two, fails a test. */
export const RUNNERS: Record<string, (block: Block) => boolean> = {
  // Runs the commands of the guide on real mail.
  "tests/guide.rs": ({ file, language }) => file === "docs/guide.md" && language === "sh",
  // Runs the example in Rust.
  "tests/examples.rs": ({ file, language }) => file === "examples/rust/README.md" && ["sh", "text"].includes(language),
  // Runs the other examples as their pages say.
  "tests/e2e/examples.spec.ts": ({ file, language }) =>
    /^examples\/(?!rust\/)/.test(file) && language === "sh" && !APPS.test(file),
  // Runs each proxy with its framework.
  "tests/e2e/proxy/frameworks.spec.ts": (block) => isAboutProxies(block),
  // Runs what the page of folders says.
  "tests/e2e/folder.spec.ts": (block) => isFolderScript(block),
  // Opens a folder of this configuration.
  "tests/e2e/sight.spec.ts": (block) => isFolderConfig(block),
  // Runs what the pages of sounds and of tables say.
  "tests/e2e/sound.spec.ts": (block) => isNumbersScript(block),
  // Runs what the page of search by meaning says.
  "tests/e2e/search.spec.ts": (block) => isSearchScript(block),
  "tests/e2e/training.spec.ts": (block) => isTrainingScript(block),
  // Runs what the page of the panel for developers says.
  "tests/e2e/devtools.spec.ts": (block) => isDevtoolsScript(block),
  // Runs what the page of bare models says.
  "tests/e2e/model.spec.ts": (block) => isModelScript(block),
  // Run what the pages of places say.
  ...Object.fromEntries(
    [PLACES_TEST, ...Object.keys(PLACES)].map((test) => [
      test,
      (block: Block) => isOfPlaces(block) && placeOf(block) === test,
    ]),
  ),
  // Runs examples in a browser.
  "tests/e2e/docs-page.spec.ts": (block) => isScript(block) || isPolicy(block),
  // Runs commands, or has their programs read them, and holds what is no program against the source.
  "tests/e2e/docs.spec.ts": (block) =>
    isDiagram(block) ||
    (isShell(block) &&
      block.file !== "docs/guide.md" &&
      !isAboutProxies(block) &&
      !isOfPlaces(block) &&
      !block.file.startsWith("examples/")) ||
    isType(block),
};

function isAboutProxies({ file, headings }: Block): boolean {
  return file === "docs/fallback.md" && (headings[1] ?? "").startsWith("1. ");
}

/** A part of a page's script, or of its bundler's configuration. */
export function isScript(block: Block): boolean {
  return (
    ["js", "ts"].includes(block.language) &&
    !isType(block) &&
    !isAboutProxies(block) &&
    !isModelScript(block) &&
    !isNumbersScript(block) &&
    !isSearchScript(block) &&
    !isTrainingScript(block) &&
    !isFolderScript(block) &&
    !isDevtoolsScript(block) &&
    !isOfPlaces(block)
  );
}

/** A part of a page's script that shows the panel for developers. */
export function isDevtoolsScript({ file }: Block): boolean {
  return file === "docs/places/devtools.md";
}

/** About places besides a page: how models and the engine get there, and what runs there. */
function isOfPlaces(block: Block): boolean {
  const { file } = block;
  const about = ["docs/places.md", "docs/offline.md", "pkg/models/README.md"].includes(file);
  return (about || file.startsWith("docs/places/") || APPS.test(file)) && !isDevtoolsScript(block);
}

/** A part of a page's script that has a model without a bundle. */
export function isModelScript({ file, language }: Block): boolean {
  return file === "docs/model.md" && language === "ts";
}

/** A part of a page's script that has a sound, or a row of a table. */
export function isNumbersScript({ file, language }: Block): boolean {
  return ["docs/sound.md", "docs/tables.md"].includes(file) && language === "ts";
}

/** A part of a page's script that has an index of texts. */
export function isSearchScript({ file, language }: Block): boolean {
  return file === "docs/search.md" && language === "ts";
}

/** A part of a page's script that trains a task. */
export function isTrainingScript({ file, language }: Block): boolean {
  return file === "docs/training.md" && language === "ts";
}

/** A part of a page's script that has a folder without a manifest. */
export function isFolderScript({ file, language }: Block): boolean {
  return file === "docs/pipeline.md" && language === "ts";
}

/** The configuration of a folder without a manifest. */
export function isFolderConfig({ file, language }: Block): boolean {
  return file === "docs/pipeline.md" && language === "json";
}

/** The configuration of a bundler: a module whose default is an object. Delegated there is none. */
export function isConfig(block: Block): boolean {
  return isScript(block) && block.file === "pkg/README.md" && block.code.startsWith("export default {");
}

/** The text of a type: an object's, with types for values. */
export function isType({ language, code }: Block): boolean {
  return language === "ts" && /^\{\n {2}\w+: \w+;/.test(code);
}

/** A header of a site's answers. Delegated there is none. */
export function isPolicy({ file, language, code }: Block): boolean {
  return file === "pkg/README.md" && language === "http" && /^Content-Security-Policy: .*\n$/.test(code);
}

/** A picture made of characters. */
export function isDiagram({ file, language }: Block): boolean {
  return file === "ARCHITECTURE.md" && language === "indented";
}

export function isShell({ language, file }: Block): boolean {
  return language === "sh" || (language === "indented" && file !== "ARCHITECTURE.md");
}

/** A command as it is typed, and what the page says of it in the columns behind. */
export interface Command {
  words: string[];
  about: string;
}

/**
 * The commands of a block. Where one stands behind a `$`, all else is what they print. Two blanks end a command; what is
 * behind them, and lines that begin with a blank, tell of it. A backslash goes on in the next line.
 */
export function commands({ code }: Block): Command[] {
  const lines = code
    .replaceAll(/ *\\\n\s*/g, " ")
    .trimEnd()
    .split("\n");
  const session = lines.some((line) => line.startsWith("$ "));
  const found: Command[] = [];
  for (const line of lines) {
    if (session && !line.startsWith("$ ")) continue;
    const [, typed = "", about = ""] = /^(?:\$ )?(.*?)(?: {2,}(.*))?$/.exec(line)!;
    if (typed) found.push({ words: words(typed), about });
    else found.at(-1)!.about += ` ${about || line.trim()}`;
  }
  return found;
}

/** The words of a command, where double quotes hold words together. */
export function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!);
}

/** What scripts name without saying what it is, as the pages say it in words. */
export const STAND_INS: Record<string, { type: string; value: string }> = {
  shortLivedToken: {
    type: "() => Promise<string>",
    value: `async () => (window.tokens = (window.tokens ?? 0) + 1, "token")`,
  },
  remote: {
    type: `import("smallfirst").RemoteOptions`,
    value: `({ provider: "openai", baseUrl: "/llm/v1", model: "small" })`,
  },
  labels: { type: "string[]", value: `["ham", "spam"]` },
  instruction: { type: "string", value: `"Is this mail spam?"` },
  report: { type: `(drift: import("smallfirst").Drift) => void`, value: "(drift) => void (window.drift = drift)" },
  box: { type: "HTMLElement", value: `document.body.appendChild(document.createElement("pre"))` },
  text: {
    type: "string",
    value: `"The town library opened a new reading room on Monday. It has sixty seats. It is open until ten in the evening. Readers find the newspapers of twelve countries there, and a shelf of books that nobody has borrowed for a hundred years."`,
  },
};

/** What earlier blocks of a page name. */
export const NAMED: Record<string, string> = {
  ai: `import("smallfirst").SmallFirst`,
  a: `import("smallfirst").Answer`,
};

/**
 * A part of a script as a whole. Options alone are given to `createSmallFirst`, and an ellipsis among them is the bundle and the
 * remote.
 */
export function whole({ code }: Block): string {
  const bundle = `  bundle: "/models/",\n`;
  const options = /^\w+: [{[]/.test(code)
    ? `const ai = await createSmallFirst({\n${bundle}${code}});\n`
    : code.replace("  …,\n", `${bundle}  remote,\n`);
  return options.includes(`from "smallfirst"`) ? options : `import { createSmallFirst } from "smallfirst";\n${options}`;
}

/**
 * What is otherwise on this machine: the model, which is so small that it is kept from rambling, and so slow where much else
 * runs that it is given time. The bundle and the proxy are where the examples have them.
 */
export function here(code: string, model: string): string {
  return code.replaceAll(
    /\bmodel: "(?:your-model|some-model|small)"/g,
    `model: ${JSON.stringify(model)}, temperature: 0, maxTokens: 32, timeoutMs: 90_000, firstByteMs: 90_000, connectMs: 90_000`,
  );
}

/** What a comment says that a value is. */
export type Claim = { text: string } | { json: unknown } | { items: string[] };

/** Reads a comment: a text, in which `…` stands for anything, a number or the like, or a list of objects by their keys. */
export function claimOf(comment: string): Claim | undefined {
  const text = /^"([^"]*)"/.exec(comment)?.[1];
  if (text !== undefined) return { text };
  const items = /^\[\{ ([\w, ]+) \}\]/.exec(comment)?.[1];
  if (items !== undefined) return { items: items.split(", ") };
  const json = /^(true|false|null|-?\d+(\.\d+)?)\b/.exec(comment)?.[0];
  return json === undefined ? undefined : { json: JSON.parse(json) as unknown };
}

/** What of a claim does not hold; undefined where all does. */
export function broken(claim: Claim, value: unknown): string | undefined {
  const wrong = (said: string): string => `the page says ${said}, it is ${JSON.stringify(value)}`;
  if ("text" in claim) {
    const parts = claim.text.split("…").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return typeof value === "string" && new RegExp(`^${parts.join("[^]+")}$`).test(value)
      ? undefined
      : wrong(JSON.stringify(claim.text));
  }
  if ("json" in claim) return value === claim.json ? undefined : wrong(String(claim.json));
  const keys = [...claim.items].sort().join();
  const alike =
    Array.isArray(value) && value.length > 0 && value.every((item: object) => Object.keys(item).sort().join() === keys);
  return alike ? undefined : wrong(`a list of {${keys}}`);
}

type TypeScript = typeof import("../../pkg/node_modules/typescript/lib/typescript.js");

/** The compiler that the package is built with. */
export const ts = createRequire(join(root, "pkg/package.json"))("typescript") as TypeScript;

/**
 * A block as a module for a page: each `expression; // value` is handed to `window.claim`, and what the block names is there
 * for those after it.
 */
export function moduleOf(block: Block, model: string): { code: string; claims: number } {
  return pageModule(block, here(whole(block), model));
}

/** The same of a block that says all, or of what was made of one. */
export function pageModule(block: Block, source = block.code): { code: string; claims: number } {
  const parsed = ts.createSourceFile("block.ts", source, ts.ScriptTarget.ES2022, true);
  let code = "";
  let done = 0;
  let claims = 0;
  const names: string[] = [];
  const bound = (name: import("../../pkg/node_modules/typescript/lib/typescript.js").BindingName): void => {
    if (ts.isIdentifier(name)) names.push(name.text);
    else for (const element of name.elements) if (ts.isBindingElement(element)) bound(element.name);
  };
  for (const statement of parsed.statements) {
    if (ts.isVariableStatement(statement)) for (const { name } of statement.declarationList.declarations) bound(name);
    if (!ts.isExpressionStatement(statement)) continue;
    const expression = statement.expression.getText();
    const comment = ts.getTrailingCommentRanges(source, statement.end)?.[0];
    const claim = comment && claimOf(source.slice(comment.pos + 2, comment.end).trim());
    // An expression that does nothing is there to be told of.
    if (!claim && ts.isPropertyAccessExpression(statement.expression))
      throw new Error(`${place(block)}: nothing is said of ${expression}`);
    if (!claim) continue;
    claims++;
    code += `${source.slice(done, statement.getStart())}window.claim(${JSON.stringify([`${place(block)} ${expression}`, claim])}, ${expression});`;
    done = statement.end;
  }
  code += `${source.slice(done)}\nObject.assign(globalThis, { ${names.join(", ")} });\n`;
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  return { code: ts.transpileModule(code, { compilerOptions: options }).outputText, claims };
}
