// The documentation, but for the examples that a page runs (docs-page.spec.ts), the guide's commands (tests/guide.rs), the
// proxies (proxy/frameworks.spec.ts) and the pages of examples/ (examples.spec.ts, tests/examples.rs): every block has somebody
// who runs it; commands are run or read; types, tables and names are held against the source.
//
// A command that would build the whole project again or take many minutes (`cargo xtask …`), and one that needs what such a
// command makes, is not run: its program reads it, with `--help` behind it, and refuses flags, values and subcommands that
// it does not have.

import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "@playwright/test";
import {
  type Block,
  type Command,
  NAMED,
  RUNNERS,
  STAND_INS,
  blocks,
  commands,
  isConfig,
  isDiagram,
  isScript,
  isShell,
  isType,
  pages,
  place,
  ts,
  whole,
  words,
} from "./docs.js";
import { root } from "./servers.js";

const SMALLFIRST = process.env["SMALLFIRST_BIN"] ?? join(root, "target/debug/smallfirst");
/** The same build has both. */
const XTASK = join(dirname(SMALLFIRST), "xtask");

const ALL = pages().flatMap(blocks);
const read = (file: string): string => readFileSync(join(root, file), "utf8");

let scratch = "";
test.beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "smallfirst-docs-"));
  // Where the data is that some commands name, and the bundle.
  mkdirSync(join(scratch, "target"));
  mkdirSync(join(scratch, "docs"));
  symlinkSync(process.env["SMALLFIRST_DATA"]!, join(scratch, "target/data"));
  cpSync(join(root, "models"), join(scratch, "models"), { recursive: true });
});
test.afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test("every block of every page is run or checked by exactly one", () => {
  expect(ALL.length).toBeGreaterThan(40);
  for (const block of ALL) {
    const claimed = Object.keys(RUNNERS).filter((runner) => RUNNERS[runner]!(block));
    expect(claimed, `${place(block)} (${block.language || "no language"}): ${block.code.slice(0, 80)}`).toHaveLength(1);
  }
  for (const runner of Object.keys(RUNNERS)) {
    expect(existsSync(join(root, runner)), runner).toBe(true);
    expect(ALL.filter(RUNNERS[runner]!), `${runner} runs nothing`).not.toEqual([]);
  }
});

/** Runs a program to its end, and gives what it printed. */
function run(program: string, args: string[], cwd = scratch): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: "utf8" });
  expect(status, `${program} ${args.join(" ")}: ${error ?? ""}${stderr}${stdout}`).toBe(0);
  return stdout + stderr;
}

/** How `cargo run` is told to run the command line. */
const CARGO_RUN = "cargo run --release --bin smallfirst --".split(" ");

/** The program of a command, and its words; undefined where it is none of ours. */
function ours(words: string[]): { program: string; args: string[] } | undefined {
  if (words[0] === "smallfirst") return { program: SMALLFIRST, args: words.slice(1) };
  if (words[0] === "cargo" && words[1] === "xtask") return { program: XTASK, args: words.slice(2) };
  if (CARGO_RUN.every((word, at) => words[at] === word)) {
    expect(read("Cargo.toml")).toContain('[[bin]]\nname = "smallfirst"\n');
    return { program: SMALLFIRST, args: words.slice(CARGO_RUN.length) };
  }
  return undefined;
}

/** Has a program read a command without running it, and gives its help. */
function parsed(program: string, args: string[]): string {
  return run(program, [...args.filter((word) => word !== "--help"), "--help"]);
}

/** Checks one command of a block. */
function check(block: Block, { words, about }: Command): void {
  const known = ours(words);
  if (known && block.file === "docs/learning.md") {
    const printed = run(known.program, known.args);
    expect(printed).toMatch(/\n +all +0\.0 % /);
    expect(readFileSync(join(scratch, "docs/learning.svg"), "utf8")).toContain("<svg");
  } else if (known) {
    const help = parsed(known.program, known.args);
    for (const [flag] of about.matchAll(/--[\w-]+/g))
      expect(help, `${place(block)} ${words.join(" ")}`).toContain(flag);
  } else if (words.join(" ") === "npm install smallfirst") {
    installed();
  } else if (words[0]!.startsWith("SMALLFIRST_FUZZ=")) {
    // The program that `cargo xtask fuzz` builds, which needs a compiler for C++.
    expect(read("tests/fuzz/fuzz.rs")).toContain('std::env::var("SMALLFIRST_FUZZ")');
    const target = words[0]!.split("=")[1]!;
    const targets = readdirSync(join(root, "tests/fuzz/targets")).map((file) => read(`tests/fuzz/targets/${file}`));
    expect(targets.join("")).toContain(`name: "${target}"`);
    expect(words[1]).toMatch(/^tests\/fuzz\/target\/[\w-]+\/release\/fuzz$/);
    expect(words[2]).toBe(`tests/fuzz/artifacts/${target}/crash-…`);
  } else if (words.join(" ").startsWith("python3 -m venv ") || words[0]!.startsWith("venv/bin/")) {
    // Packages of other programs, which wrote files that the tests read: named with their versions, by a script that is here.
    if (words[0] === "venv/bin/pip")
      for (const named of words.slice(2)) expect(named, place(block)).toMatch(/^[\w-]+==[\d.]+$/);
    if (words[0] === "venv/bin/python")
      expect(existsSync(join(root, words[1]!)), `${place(block)}: ${words[1]}`).toBe(true);
  } else {
    throw new Error(`${place(block)}: nobody knows how to run ${words.join(" ")}`);
  }
}

/** The folder of an app that has installed the package, as npm would have published it. */
function installed(): string {
  const app = join(scratch, "app");
  if (existsSync(app)) return app;
  mkdirSync(app);
  const name = run("npm", ["pack", "--silent", "--pack-destination", scratch], join(root, "pkg")).trim();
  writeFileSync(join(app, "package.json"), '{ "private": true, "type": "module" }\n');
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", join(scratch, name)], app);
  const { version } = JSON.parse(read("pkg/package.json")) as { version: string };
  expect(JSON.parse(readFileSync(join(app, "node_modules/smallfirst/package.json"), "utf8"))).toMatchObject({
    name: "smallfirst",
    version,
  });
  return app;
}

test("every command of a block is one", () => {
  test.setTimeout(300_000);
  let count = 0;
  for (const block of ALL.filter((block) => isShell(block) && RUNNERS["tests/e2e/docs.spec.ts"]!(block))) {
    const found = commands(block);
    expect(found, place(block)).not.toEqual([]);
    for (const command of found) check(block, command);
    count += found.length;
  }
  expect(count).toBeGreaterThan(15);
});

test("every command in a sentence is one", () => {
  let count = 0;
  for (const file of pages()) {
    for (const [, span = ""] of read(file)
      .replaceAll(/^```[^]*?^```/gm, "")
      .matchAll(/`(?:[A-Z_]+=\S+ )?((?:cargo (?:xtask|run|test)|npx|smallfirst) [^`]+)`/g)) {
      count++;
      const typed = words(span);
      const where = `${file}: ${span}`;
      const known = ours(typed);
      const [command = ""] = known?.args ?? [];
      // Behind `--` are another program's.
      const own = known?.args.join(" ").split(" -- ")[0]!.split(" ") ?? [];
      const flags = own.filter((word) => word.startsWith("--") && word !== "--").map((word) => word.split("=")[0]!);
      if (known) {
        // `a | b | c` names several.
        const several = typed.includes("|") ? known.args.filter((word) => word !== "|") : [command];
        for (const one of several) {
          const help = parsed(known.program, one === "--help" ? [] : [one]);
          for (const flag of flags) expect(help, where).toContain(flag);
        }
      } else if (typed[0] === "npx") {
        const help = run("npx", ["--no-install", typed[1]!, "--help"], installed());
        expect(help, where).toContain(typed[1] === "smallfirst" ? typed[2]! : "--upstream");
      } else {
        const [kind, name = ""] = typed.slice(2);
        const test = [`tests/${name}.rs`, `tests/${name}/main.rs`];
        if (kind === "--test")
          expect(
            test.filter((file) => existsSync(join(root, file))),
            where,
          ).toHaveLength(1);
        else if (kind === "--example") expect(read("Cargo.toml"), where).toContain(`[[example]]\nname = "${name}"\n`);
        else if (kind === "--lib") expect(existsSync(join(root, `src/${name.split("::")[0]}.rs`)), where).toBe(true);
        else expect(kind, where).toBeUndefined();
      }
    }
  }
  expect(count).toBeGreaterThan(30);
});

test("every file that a diagram names is there", () => {
  const diagrams = ALL.filter(isDiagram);
  const named = diagrams.flatMap((block) => [...block.code.matchAll(/\bsrc\/[\w/]+(\.rs)?/g)].map(([path]) => path));
  expect(named.length).toBeGreaterThan(6);
  for (const path of named) expect(existsSync(join(root, path)), path).toBe(true);
  const { stdout } = spawnSync(SMALLFIRST, ["--help"], { encoding: "utf8" });
  for (const [, list = ""] of diagrams.flatMap((block) => [...block.code.matchAll(/\(smallfirst ([\w, ]+);/g)])) {
    for (const command of list.split(", ")) expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
  }
});

test("scripts and types are what the package declares, strictly", () => {
  const app = installed();
  const folder = join(app, "types");
  mkdirSync(folder);
  const names = [...Object.entries(STAND_INS).map(([name, { type }]) => [name, type]), ...Object.entries(NAMED)];
  writeFileSync(join(folder, "names.d.ts"), names.map(([name, type]) => `declare const ${name}: ${type};\n`).join(""));
  const files = new Map<string, Block>();
  for (const [at, block] of ALL.filter((block) => (isScript(block) && !isConfig(block)) || isType(block)).entries()) {
    const name = `block${at}.${block.language === "js" ? "mjs" : "mts"}`;
    files.set(name, block);
    // A type is the answer's: each can stand for the other.
    const type = `import type { Answer, Attempt, Learned, Reason, Sent } from "smallfirst";\ntype Said = ${block.code.trim()};\nexport const one = (said: Said): Answer => said;\nexport const other = (answer: Answer): Said => answer;\n`;
    writeFileSync(join(folder, name), isType(block) ? type : `${whole(block)}export {};\n`);
  }
  expect([...files.values()].filter(isType)).toHaveLength(1);
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    module: "nodenext",
    target: "es2022",
    lib: ["es2023", "dom", "dom.iterable"],
    types: [],
    noEmit: true,
    allowJs: true,
    checkJs: true,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*"] }));
  const { status, stdout } = spawnSync(join(root, "pkg/node_modules/.bin/tsc"), ["-p", folder], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(
    status,
    stdout.replaceAll(/^block\d+\.m[jt]s/gm, (name) => `${place(files.get(name)!)} +`),
  ).toBe(0);
});

test("every link to a file leads to one, and every file that a sentence names is there", () => {
  let links = 0;
  let names = 0;
  for (const file of pages()) {
    const text = read(file).replaceAll(/^```[^]*?^```/gm, "");
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?:|mailto:|#)/.test(target)) continue;
      links++;
      expect(existsSync(join(root, dirname(file), target.split("#")[0]!)), `${file}: ${target}`).toBe(true);
    }
    // What is built is not there before; a `*` stands for several.
    for (const [, path = ""] of text.matchAll(
      /`((?:src|pkg|tests|xtask|docs|models|www|examples|\.ci)\/[\w./*-]*)`/g,
    )) {
      if (/^(pkg|www)\/dist\b/.test(path)) continue;
      names++;
      expect(existsSync(join(root, path.replace(/\*.*$/, ""))), `${file}: ${path}`).toBe(true);
    }
  }
  expect(links).toBeGreaterThan(40);
  expect(names).toBeGreaterThan(100);
});

/** The members of a type of the package: an object's keys, or the texts of a union. */
function members(file: string, name: string): string[] {
  const path = join(root, "pkg/dist", file);
  const program = ts.createProgram([path], {
    strict: true,
    target: ts.ScriptTarget.ES2022,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    module: ts.ModuleKind.ESNext,
    types: [],
  });
  const checker = program.getTypeChecker();
  const exported = checker
    .getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(path)!)!)
    .find((symbol) => symbol.name === name)!;
  const declared = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
  const type = checker.getDeclaredTypeOfSymbol(declared);
  if (type.isUnion()) return type.types.map((one) => (one as { value?: unknown }).value as string).sort();
  return type
    .getProperties()
    .map((property) => property.name)
    .filter((key) => !key.startsWith("__@"))
    .sort();
}

/** The rows of a table, by the first cell of its head. */
function table(file: string, head: RegExp): string[][] {
  const lines = read(file).split("\n");
  const at = lines.findIndex((line) => line.startsWith("| ") && head.test(line));
  expect(at, `${file} has a table of ${head}`).toBeGreaterThan(0);
  const rows = lines.slice(at + 2);
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith("|")),
    )
    .map((row) =>
      row
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** The names that are code in a cell: what is called, without what it is called with. */
const coded = (cell: string): string[] =>
  [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, code]) => /^[a-z][\w.-]*/i.exec(code!)?.[0] ?? []);

test("tables list what there is, and all of it", () => {
  const first = (file: string, head: RegExp): string[] =>
    table(file, head)
      .flatMap(([cell]) => coded(cell!))
      .sort();
  // Labelled data is read by the command line alone.
  expect(first("pkg/README.md", /^\| Code/)).toEqual(
    members("index.d.ts", "ErrorCode").filter((code) => code !== "invalid_data"),
  );
  expect(first("pkg/README.md", /^\| reason/)).toEqual(members("index.d.ts", "Reason"));
  const options = members("index.d.ts", "Options");
  expect(first("pkg/README.md", /^\| Option/)).toEqual(options);
  const providers = members("index.d.ts", "ProviderKind");
  expect(first("docs/fallback.md", /^\| provider/)).toEqual(providers);
  const remote = table("pkg/README.md", /^\| Option/).find(([name]) => name === "`remote`")!;
  expect(coded(remote[2]!.split("Providers:")[1]!).sort()).toEqual(providers);

  // The API: what an instance has, and the options of its calls.
  const instance = members("index.d.ts", "SmallFirst");
  const calls = first("pkg/README.md", /^\| Call/).map((call) => call.replace(/^ai\./, ""));
  expect(calls.sort()).toEqual([...instance, "createSmallFirst"].sort());
  // What the form for wrong answers asks for.
  const form = read(".github/ISSUE_TEMPLATE/wrong-answer.yml");
  const wanted = coded(/It has (.*?)\. `sent` holds/.exec(form)![1]!);
  expect(wanted.length).toBeGreaterThan(5);
  for (const name of wanted) expect(members("index.d.ts", "Answer")).toContain(name);
  expect(
    coded(/^Options of `run` and `runBatch`: ([^]*?)\. An unknown/m.exec(read("pkg/README.md"))![1]!).sort(),
  ).toEqual(members("index.d.ts", "RunOptions"));
  expect(coded(/^Options of `generate`: ([^]*?)\. An unknown/m.exec(read("pkg/README.md"))![1]!).sort()).toEqual(
    members("index.d.ts", "GenerateOptions"),
  );

  // What the proxy checks; the others are in the examples above the table.
  const proxy = members("proxy/core.d.ts", "ProxyOptions");
  const checked = first("docs/fallback.md", /^\| option/);
  expect(checked.filter((option) => !proxy.includes(option))).toEqual([]);
  const shown = blocks("docs/fallback.md")
    .map(({ code }) => code)
    .join("");
  expect(proxy.filter((option) => !checked.includes(option) && !new RegExp(`\\b${option}: `).test(shown))).toEqual([]);

  // The page shows an answer whole.
  const shape = blocks("pkg/README.md").find(({ code }) => code.startsWith("{\n  task: string;"))!;
  const named = [...shape.code.matchAll(/^ {2}(\w+): /gm)].map(([, name = ""]) => name);
  expect(named.sort()).toEqual(members("index.d.ts", "Answer"));
});

/**
 * The features of WebAssembly that a module says it was compiled for: its section `target_features`. Read by hand, because Node may
 * lack some of them.
 */
function wasmFeatures(file: string): string[] {
  const bytes = readFileSync(join(root, "pkg/dist/wasm", file));
  let at = 8;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  const text = (): string => {
    const length = number();
    return bytes.toString("utf8", at, (at += length));
  };
  while (at < bytes.length) {
    const custom = bytes[at++] === 0;
    const length = number();
    const end = at + length;
    if (custom && text() === "target_features")
      return Array.from({ length: number() }, () => (expect(bytes[at++]).toBe("+".charCodeAt(0)), text()));
    at = end;
  }
  throw new Error(`${file} does not say its features`);
}

test("the page on support names the versions that are set, and the features that the modules have", () => {
  const rows = new Map(table("docs/support.md", /^\| what/).map(([what, oldest]) => [what!, oldest!]));
  const row = (what: string): string => [...rows].find(([name]) => name.startsWith(what))?.[1] ?? "";
  const node = read(".nvmrc").trim();
  expect(row("Node")).toBe(node);
  expect(JSON.parse(read("pkg/package.json"))).toMatchObject({ engines: { node: `>=${node}` } });
  expect(read("xtask/src/tools.rs")).toContain(`install Node.js ${node} or newer`);
  expect(read(".github/workflows/ci.yml")).toMatch(/node-version-file: \.nvmrc\n[^]*run: \.ci\/run\n/);
  expect(read("Cargo.toml")).toContain(`rust-version = "${row("Rust")}"\n`);
  const [python = ""] = row("Python").split(";");
  expect(read("xtask/src/tools.rs")).toContain(`install Python ${python} or newer`);
  const versions = (file: string, names: string[]): string => {
    const { devDependencies } = JSON.parse(read(file)) as { devDependencies: Record<string, string> };
    return names.map((name) => devDependencies[name]).join(", ");
  };
  expect(row("Bun, Deno, workerd")).toBe(versions("tests/e2e/proxy/package.json", ["bun", "deno", "workerd"]));
  expect(row("Next, Express, Hono")).toBe(versions("tests/e2e/proxy/package.json", ["next", "express", "hono"]));
  expect(row("Vite")).toBe(versions("www/package.json", ["vite"]));
  const [bundlers, frameworks, llms, runners] = row("webpack").split("; ");
  const places = "tests/places/package.json";
  expect(bundlers).toBe(versions(places, ["webpack", "esbuild", "rollup", "parcel", "@rspack/core"]));
  expect(frameworks).toBe(versions(places, ["react", "vue", "svelte"]));
  expect(llms?.replace(" and ", ", ")).toBe(versions(places, ["ai", "openai"]));
  expect(runners).toBe(versions(places, ["vitest"]));

  // The oldest browser has every feature.
  const features = table("docs/support.md", /^\| feature \| for \| Chrome/);
  const newest = (column: number, of: string[][]): number => Math.max(...of.map((cells) => Number(cells[column])));
  for (const [what, column] of [
    ["Chrome", 2],
    ["Firefox", 3],
    ["Safari", 4],
  ] as const) {
    expect(row(what)).toBe(String(newest(column, features)));
  }

  const oldest = ["Chrome", "Firefox", "Safari"].map((what) => `${what} ${row(what)}`).join(", ");
  for (const file of ["pkg/src/support.ts", "pkg/README.md"])
    expect(read(file), `${file}: ${oldest}`).toContain(`(${oldest}`);

  const wasm = (cells: string[][]): string[] =>
    cells.filter(([name]) => name!.startsWith("WebAssembly: ")).flatMap(([name]) => coded(name!));
  const needed = wasm(features).sort();
  const used = wasm(table("docs/support.md", /^\| feature \| for \| without/));
  expect(used).toEqual(["relaxed-simd"]);
  for (const file of readdirSync(join(root, "pkg/dist/wasm")).filter((file) => file.endsWith(".wasm"))) {
    expect(wasmFeatures(file).sort(), file).toEqual(file.includes("relaxed") ? [...needed, ...used].sort() : needed);
  }
});

test("the walk through the code names what is there", () => {
  const text = read("ARCHITECTURE.md");
  const walk = text.slice(text.indexOf("## One text input"), text.indexOf("## One inference"));
  let pairs = 0;
  for (const [, file = "", names = ""] of walk.matchAll(/`((?:src|pkg)\/[\w/.-]+)` (`\w+`(?:, `\w+`)*)/g))
    for (const [, name = ""] of names.matchAll(/`(\w+)`/g)) {
      pairs++;
      const declared = new RegExp(`\\b(fn|struct|function|async) ${name}\\b|^ +${name}\\(`, "m");
      expect(declared.test(read(file)), `${file}: ${name}`).toBe(true);
    }
  expect(pairs).toBeGreaterThan(25);
});
