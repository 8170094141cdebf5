// The programs of `examples/`, each installed and started by the commands of its README, against the package as npm has it.
// The scratch folder has the repository's layout, so `file:../../pkg` and `../../models` are where the examples look for them.

import { execFileSync, spawnSync } from "node:child_process";
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
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { blocks, here } from "./docs.js";
import { expect, packed, root, test } from "./fixtures.js";
import { App, freePort } from "./proxy/tools.js";
import { Upstream, through } from "./upstream.js";

const MODEL = "smollm2-135m";
const KEY = "sk-secret";

const scratch = mkdtempSync(join(tmpdir(), "smallfirst-examples-"));
const of = (name: string): string => join(scratch, "examples", name);

test.beforeAll(() => {
  cpSync(join(packed(), ".."), join(scratch, "pkg"), { recursive: true });
  cpSync(join(root, "models"), join(scratch, "models"), { recursive: true });
  const made = /[/\\](node_modules|dist|public[/\\]models)$/;
  cpSync(join(root, "examples"), join(scratch, "examples"), { recursive: true, filter: (path) => !made.test(path) });
});
test.afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The commands of an example's page, block by block. */
function commands(name: string): string[][] {
  return blocks(`examples/${name}/README.md`)
    .filter(({ language }) => language === "sh")
    .map(({ code }) => code.trim().split("\n"));
}

/** Changes a file of an example, where the text must stand. */
function change(name: string, file: string, from: string, to: string): void {
  const path = join(of(name), file);
  const text = readFileSync(path, "utf8");
  expect(text, `${name}/${file}`).toContain(from);
  writeFileSync(path, text.replaceAll(from, to));
}

/** Runs a command to its end. npm asks no registry: the package is here, and so is what the demo has, at the version the example names. */
function run(name: string, line: string): void {
  const cwd = of(name);
  if (line !== "npm install") {
    execFileSync("sh", ["-c", line], { cwd, stdio: ["ignore", "ignore", "inherit"] });
    return;
  }
  const path = join(cwd, "package.json");
  const { devDependencies = {}, ...rest } = JSON.parse(readFileSync(path, "utf8")) as {
    devDependencies?: Record<string, string>;
  };
  writeFileSync(path, JSON.stringify(rest));
  execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund"], {
    cwd,
    stdio: ["ignore", "ignore", "inherit"],
  });
  for (const [dependency, version] of Object.entries(devDependencies)) {
    const there = join(root, "www/node_modules", dependency);
    const own = JSON.parse(readFileSync(join(there, "package.json"), "utf8")) as {
      version: string;
      bin: Record<string, string>;
    };
    expect(own.version, `${name}: ${dependency}`).toBe(version);
    symlinkSync(there, join(cwd, "node_modules", dependency));
    mkdirSync(join(cwd, "node_modules/.bin"), { recursive: true });
    for (const [bin, file] of Object.entries(own.bin))
      symlinkSync(join(there, file), join(cwd, "node_modules/.bin", bin));
  }
}

/** Runs all commands of a block, the last of which starts a server, and uses that. */
async function following(
  name: string,
  lines: string[],
  use: (app: App) => Promise<void>,
  start: (line: string) => Promise<App> = (line) => started(name, line),
): Promise<void> {
  for (const line of lines.slice(0, -1)) run(name, line);
  const app = await start(lines.at(-1)!);
  try {
    await use(app);
  } finally {
    await app.stop();
  }
}

/** Starts a server that prints where it is. */
function started(name: string, line: string): Promise<App> {
  return App.start("sh", ["-c", line], { cwd: of(name), env: { PORT: "0" } });
}

/** Types into the page's only field, presses its only button, and gives what is shown then. */
async function asked(page: Page, text: string | undefined, shown = "output"): Promise<string> {
  if (text !== undefined) await page.getByRole("textbox").fill(text);
  const before = await page.locator(shown).textContent();
  await page.getByRole("button").click();
  await expect(page.locator(shown)).not.toHaveText(before!, { timeout: 100_000 });
  return (await page.locator(shown).innerText()).trim();
}

/** What the page sends: every request but those for files of its own server, as `METHOD address`. */
function sending(page: Page, own: string): string[] {
  const sent: string[] = [];
  page.on("request", (request) => {
    const url = request.url();
    if (/^(data|blob):/.test(url)) return;
    if (request.method() !== "GET" || !url.startsWith(`${own}/`))
      sent.push(`${request.method()} ${url.replace(own, "")}`);
  });
  return sent;
}

const EXAMPLES: Record<string, () => void> = {
  "plain-esm": () =>
    test("plain-esm: a page without a bundler tells languages and sends nothing", async ({ page }) => {
      const [lines] = commands("plain-esm");
      await following("plain-esm", lines!, async ({ address }) => {
        const sent = sending(page, address);
        await page.goto(address);
        expect(await asked(page, undefined)).toMatch(
          /^German \(local, confident, guaranteed\)\nThe local model is .* sure, which meets its threshold/,
        );
        expect(await asked(page, "12345")).toMatch(/^input_too_short: /);
        expect(sent).toEqual([]);
      });
    }),

  vite: () =>
    test("vite: the app sorts mails on the dev server, and built", async ({ page }) => {
      test.setTimeout(240_000);
      const [develop, build] = commands("vite");
      const port = await freePort();
      const start = (line: string): Promise<App> =>
        App.start("sh", ["-c", `${line} -- --port ${port} --strictPort --host 127.0.0.1`], { cwd: of("vite"), port });
      const sort = async ({ address }: App): Promise<void> => {
        const sent = sending(page, address);
        await page.goto(address);
        const [spam, ham, unlike, ...more] = (await asked(page, undefined, "ol")).split("\n");
        expect(spam).toMatch(/^junk: The local model is .* sure/);
        expect(ham).toMatch(/^inbox: The local model is .* sure/);
        expect(unlike).toMatch(/^to be looked at \(out_of_distribution\): /);
        expect(more).toEqual([]);
        // An input that is none takes nothing from the others.
        const mails = await page.getByRole("textbox").inputValue();
        expect((await asked(page, `\n${mails}`, "ol")).split("\n")).toEqual([
          expect.stringMatching(/^empty_input: /),
          spam,
          ham,
          unlike,
        ]);
        expect(sent).toEqual([]);
        // The dev server's page would complain when that ends.
        await page.goto("about:blank");
      };
      await following("vite", develop!, sort, start);
      execFileSync(process.execPath, [join(root, "pkg/node_modules/typescript/bin/tsc"), "-p", of("vite")], {
        stdio: "inherit",
      });
      await following("vite", build!, sort, start);
      expect(existsSync(join(of("vite"), "dist/models/manifest.json"))).toBe(true);
    }),

  "custom-remote": () =>
    test.describe("a service that fails", () => {
      test.use({ expected: [/Failed to load resource/] });
      test("custom-remote: a service decides in its own format, sees no address, and its failure is told", async ({
        page,
      }) => {
        const [lines] = commands("custom-remote");
        await following("custom-remote", lines!, async ({ address }) => {
          const sent = sending(page, address);
          const bodies: unknown[] = [];
          page.on("request", (request) => request.url().endsWith("/triage") && bodies.push(request.postDataJSON()));
          await page.goto(address);
          // It counted three words for billing, one for everything else of three queues: 4 of 6.
          const redacted = "My last invoice was charged twice, please send the refund to [EMAIL_1].";
          expect(await asked(page, undefined)).toBe(`billing (remote, unknown_task, ${4 / 6})\nsent: ${redacted}`);
          expect(bodies).toEqual([{ text: redacted, queues: ["billing", "fault", "other"] }]);
          expect(await asked(page, "The app crashes with an error")).toMatch(/^fault \(remote, /);
          expect(sent).toEqual(["POST /triage", "POST /triage"]);
          // What is none of the labels is no answer, and what fails is tried once more.
          await page.route("**/triage", (route) => route.fulfill({ json: { queue: "sales", certainty: 1 } }));
          expect(await asked(page, "How much is it?")).toMatch(/^remote_bad_response: /);
          await page.route("**/triage", (route) => route.fulfill({ status: 503 }));
          const before = bodies.length;
          expect(await asked(page, "Where is my parcel?")).toMatch(/^remote_\w+: .*the service answers 503/);
          expect(bodies.length - before).toBe(2);
        });
      });
    }),

  "node-proxy": () =>
    test.describe("a request that is refused", () => {
      test.use({ expected: [/Failed to load resource.*403/] });
      test("node-proxy: the page asks the LLM through the proxy, and only the proxy has the key", async ({
        page,
        llm,
      }) => {
        test.setTimeout(300_000);
        const api = await Upstream.start();
        api.answer = through(llm.address);
        const main = join(of("node-proxy"), "public/main.js");
        const [lines] = commands("node-proxy");
        change("node-proxy", "server.mjs", `"your-model"`, JSON.stringify(MODEL));
        const changed = here(readFileSync(main, "utf8"), MODEL);
        expect(changed).toContain(MODEL);
        writeFileSync(main, changed);
        const start = (line: string): Promise<App> => {
          expect(line).toContain(`LLM_API_KEY=${KEY} `);
          return started("node-proxy", line.replace("https://api.example/v1", `${api.address}/v1`));
        };
        try {
          await following(
            "node-proxy",
            lines!,
            async ({ address }) => {
              const sent = sending(page, address);
              const headers: Record<string, string>[] = [];
              const replies: Promise<string>[] = [];
              page.on("request", (request) => request.url().includes("/llm/") && headers.push(request.headers()));
              page.on("response", (response) => replies.push(response.text().catch(() => "")));
              await page.goto(address);
              expect(await asked(page, undefined)).toMatch(/^positive \(local, confident\), 0 requests with 0 bytes\n/);
              expect([sent, api.seen]).toEqual([[], []]);
              expect(await asked(page, "The phone is what it is, I guess.")).toMatch(
                /^(positive|neutral|negative) \(remote, low_confidence\), 1 requests with \d+ bytes\n/,
              );
              expect(sent).toEqual(["POST /llm/v1/chat/completions"]);
              expect(api.seen.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${KEY}`]);
              expect(JSON.parse(api.seen[0]!.body)).toMatchObject({ model: MODEL });
              expect(headers.map(({ authorization }) => authorization)).toEqual([undefined]);
              const all = (await Promise.all(replies)).join("\n");
              expect(all).toContain("createSmallFirst");
              expect(all).not.toContain(KEY);
              // The proxy spends the key on the named model only.
              const status = await page.evaluate(async () => {
                const body = JSON.stringify({ model: "large", messages: [{ role: "user", content: "Hello" }] });
                return (
                  await fetch("/llm/v1/chat/completions", {
                    method: "POST",
                    headers: { "content-type": "application/json" },
                    body,
                  })
                ).status;
              });
              expect(status).toBe(403);
              expect(api.seen).toHaveLength(1);
            },
            start,
          );
        } finally {
          await api.stop();
        }
      });
    }),

  // `tests/examples.rs` runs it, and `tests/places/apps.test.mjs` the others.
  rust: () => {},
  vue: () => {},
  svelte: () => {},
};

for (const declare of Object.values(EXAMPLES)) declare();

test("every example is run, and listed in the table of examples", () => {
  const names = readdirSync(join(root, "examples"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(names.map(({ name }) => name).sort()).toEqual(Object.keys(EXAMPLES).sort());
  const page = readFileSync(join(root, "examples/README.md"), "utf8");
  const listed = [...page.matchAll(/^\| \[([\w-]+)\]\(\1\/README\.md\)/gm)].map(([, name = ""]) => name);
  expect(listed.toSorted()).toEqual(Object.keys(EXAMPLES).toSorted());
});

test("the examples in JavaScript have the package's types, strictly", () => {
  for (const name of ["plain-esm", "custom-remote", "node-proxy"]) {
    if (!existsSync(join(of(name), "node_modules"))) run(name, "npm install");
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      module: "nodenext",
      target: "es2022",
      lib: ["es2023", "dom", "dom.iterable"],
      types: ["node"],
      typeRoots: [join(root, "tests/e2e/node_modules/@types")],
      noEmit: true,
      allowJs: true,
      checkJs: true,
      skipLibCheck: true,
    };
    writeFileSync(
      join(of(name), "tsconfig.json"),
      JSON.stringify({ compilerOptions, include: ["*.mjs", "public/*.js", "../serve.mjs"] }),
    );
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(root, "pkg/node_modules/typescript/bin/tsc"), "-p", of(name)],
      { encoding: "utf8" },
    );
    expect(status, `${name}: ${stdout}`).toBe(0);
  }
});
