// The examples of the documentation, run in a browser against the package as npm has it, with a real LLM behind the proxy. The
// blocks of a page are run in its order and share what they name, as a reader would type them. What `docs.ts` does to a
// block is all that is changed of it: options alone are given to `createSmallFirst`, the model is the one that is here, and
// each `expression; // value` is held against its comment.

import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Page } from "@playwright/test";
import {
  type Block,
  type Claim,
  STAND_INS,
  blocks,
  broken,
  here,
  isConfig,
  isPolicy,
  isScript,
  moduleOf,
  pages,
  place,
  whole,
  words,
} from "./docs.js";
import { expect, packed, root, test } from "./fixtures.js";
import { Local, sendFile } from "./servers.js";
import type * as Package from "../../pkg/dist/index.js";

const MODEL = "smollm2-135m";

declare global {
  interface Window {
    claim: (claim: [string, Claim], value: unknown) => void;
    claimed: [[string, Claim], unknown][];
    /** How often a token was asked for. */
    tokens?: number;
    a: Package.Answer;
    answer: Package.Answer;
    box: HTMLElement;
    output: Package.TextAnswer["output"];
    ranOn: string;
  }
}

/** A page with the package under its name, and with what the blocks of `docs.ts` name. */
async function reader(page: Page, harness: Local, standIns: Partial<Record<string, string>> = {}): Promise<void> {
  const map = JSON.stringify({ imports: { smallfirst: "/pkg/index.js" } });
  harness.texts.set(
    "/docs/page.html",
    `<!doctype html><meta charset=utf-8><title>docs</title><link rel=icon href=data:,><script type=importmap>${map}</script>`,
  );
  await page.goto(`${harness.address}/docs/page.html`);
  const given = Object.entries(STAND_INS).map(
    ([name, { value }]) => `globalThis.${name} = ${standIns[name] ?? here(value, MODEL)};`,
  );
  await page.evaluate(given.join("\n"));
  await page.evaluate(() => {
    window.claimed = [];
    window.claim = (claim, value) => window.claimed.push([claim, JSON.parse(JSON.stringify(value ?? null))]);
  });
}

/** Runs a block in the page, holds what its comments claim, and asks the instance that it makes. */
async function perform(page: Page, harness: Local, block: Block): Promise<void> {
  const { code, claims } = moduleOf(block, MODEL);
  const path = `/docs/${block.file.replaceAll("/", "-")}-${block.line}.js`;
  harness.texts.set(path, code);
  const before = await page.evaluate(() => window.claimed.length);
  await test.step(place(block), () => page.evaluate((path) => import(path).then(() => {}), path));
  const claimed = (await page.evaluate(() => window.claimed)).slice(before);
  expect(claimed, `${place(block)}: every claim is met`).toHaveLength(claims);
  for (const [[where, claim], value] of claimed) expect(broken(claim, value), where).toBeUndefined();
  const made = /const (\w+) = await createSmallFirst/.exec(code)?.[1];
  if (made) await probe(page, made, /\bremote\b/.test(whole(block)), place(block));
}

/** Asks an instance: its remote, where it has one, and else the device. */
async function probe(page: Page, name: string, remote: boolean, where: string): Promise<void> {
  const outcome = await page.evaluate(
    async ([name, remote]) => {
      const made = (globalThis as unknown as Record<string, Package.SmallFirst>)[name]!;
      const asked = remote
        ? made.run("sentiment", "What a lovely day!", { mode: "only-remote" })
        : made.tasks().then((tasks) => ({ tasks: tasks.length }));
      return asked.catch((thrown: Package.SmallFirstError) => ({ code: thrown.code, message: thrown.message }));
    },
    [name, remote] as const,
  );
  // An example may end what it has begun.
  if ("code" in outcome && outcome.code === "disposed") return;
  expect(outcome, where).toMatchObject(remote ? { ranOn: "remote", degraded: false } : { tasks: expect.any(Number) });
}

/** What a page's blocks need beyond each other, and what is to be seen afterwards. Blocks are named by a part of their code. */
interface Scene {
  before?: [string, (page: Page, block: Block) => Promise<void>][];
  after?: [string, (page: Page, block: Block) => Promise<void>][];
  /** Makes what the page speaks of, and gives what stands for names. */
  prepare?: (harness: Local) => Partial<Record<string, string>>;
}

/** What the page wrote to its console. */
const said: string[] = [];

const SCENES: Record<string, Scene> = {
  "README.md": {
    after: [
      [
        "a.guaranteed; // true",
        async (page, { code }) => {
          // It holds with room to spare: its doubt is less than half of what is allowed, and half as many may be wrong.
          const text = /"language", "(.{20,}?)"/.exec(code)![1]!;
          const { confidence, threshold } = await page.evaluate(() => window.a);
          expect(1 - confidence!).toBeLessThan((1 - threshold!) / 2);
          const stricter = await page.evaluate(
            (text) => window.ai.run("language", text, { mode: "only-local", risk: 0.025 }),
            text,
          );
          expect(stricter).toMatchObject({ output: { label: "deu" }, reason: "confident", guaranteed: true });
        },
      ],
      [
        `tasks: { spam: "never" }`,
        async (page) => {
          const kept = await page.evaluate(() =>
            window.ai
              .run("spam", "Win money now!", { mode: "only-remote" })
              .catch((thrown: Package.SmallFirstError) => thrown.code),
          );
          expect(kept).toBe("egress_denied");
          expect(await page.evaluate(() => window.tokens)).toBeGreaterThan(0);
        },
      ],
    ],
  },
  "pkg/README.md": {
    after: [
      [
        "console.log(",
        async () => expect(said).toContainEqual(expect.stringMatching(/^deu local The local model is .* sure/)),
      ],
      ["shortLivedToken", async (page) => expect(await page.evaluate(() => window.tokens)).toBeGreaterThan(0)],
    ],
  },
  "docs/fallback.md": {
    after: [
      [
        `redact: { patterns`,
        async (page) => {
          const [kept, sent] = await page.evaluate(
            async () =>
              [
                await window.ai
                  .run("spam", "Win money now!", { mode: "only-remote" })
                  .catch((thrown: Package.SmallFirstError) => thrown.code),
                (
                  await window.ai.run("triage", "Customer C-123456 is angry.", {
                    labels: ["calm", "angry"],
                    instruction: "How is the customer?",
                  })
                ).sent[0]!.body,
              ] as const,
          );
          expect(kept).toBe("egress_denied");
          expect(sent).toContain("[CUSTOMER_1]");
          expect(sent).not.toContain("123456");
        },
      ],
      [
        "ai.generate(",
        async (page) => {
          const { shown, output, ranOn } = await page.evaluate(() => ({
            shown: window.box.textContent,
            output: window.output,
            ranOn: window.ranOn,
          }));
          expect(ranOn).toBe("local");
          expect(shown).toBe(output.text);
          expect(shown).toContain("library");
        },
      ],
    ],
  },
  "docs/learning.md": {
    before: [
      [
        "ai.exportExamples(",
        async (page) => {
          const call = `ai.run("is-spam", text, { labels, instruction })`;
          expect(readFileSync(join(root, "docs/learning.md"), "utf8")).toContain(`\`${call}\``);
          expect(await page.evaluate(call)).toMatchObject({ ranOn: "remote" });
        },
      ],
    ],
    after: [
      [
        "ai.forgetExamples()",
        async (page) => expect(await page.evaluate(() => window.ai.exportExamples())).toEqual([]),
      ],
    ],
  },
  "docs/guide.md": {
    prepare: guided,
    after: [
      [
        "answer.guaranteed",
        async (page) => {
          const answer = await page.evaluate(() => window.answer);
          expect(answer).toMatchObject({
            task: "mail",
            output: { label: "spam" },
            ranOn: "local",
            risk: 0.05,
            guaranteed: true,
          });
        },
      ],
    ],
  },
};

const scratch = mkdtempSync(join(tmpdir(), "smallfirst-examples-"));
test.afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Makes the bundle of the guide by its commands, and serves it where the guide's page looks for it. */
function guided(harness: Local): Partial<Record<string, string>> {
  const folder = join(scratch, "guide");
  mkdirSync(folder);
  cpSync(join(root, "models"), join(folder, "models"), { recursive: true });
  cpSync(join(process.env["SMALLFIRST_DATA"]!, "spam.jsonl"), join(folder, "mails.jsonl"));
  for (const block of blocks("docs/guide.md").filter(({ language }) => language === "sh")) {
    for (const line of block.code.trim().split("\n")) {
      execFileSync(process.env["SMALLFIRST_BIN"]!, words(line).slice(1), { cwd: folder, stdio: "ignore" });
    }
  }
  harness.folders.set("/dist/", join(folder, "dist"));
  const rows = readFileSync(join(folder, "data/mails.test.jsonl"), "utf8").trim().split("\n");
  const { input } = rows
    .map((row) => JSON.parse(row) as { input: string; label: string })
    .find(({ label }) => label === "spam")!;
  return { text: JSON.stringify(input) };
}

for (const file of pages()) {
  const scripts = blocks(file).filter((block) => isScript(block) && !isConfig(block));
  if (scripts.length === 0) continue;
  test(`${file}: its examples run, and do what their comments say`, async ({ page, harness }) => {
    test.setTimeout(400_000);
    const { before = [], after = [], prepare } = SCENES[file] ?? {};
    for (const [part] of [...before, ...after])
      expect(
        scripts.filter(({ code }) => code.includes(part)),
        part,
      ).toHaveLength(1);
    said.length = 0;
    page.on("console", (message) => said.push(message.text()));
    await reader(page, harness, prepare?.(harness));
    for (const block of scripts) {
      for (const [part, go] of before) if (block.code.includes(part)) await go(page, block);
      await perform(page, harness, block);
      for (const [part, look] of after) if (block.code.includes(part)) await look(page, block);
    }
  });
}

/** The bundler of the demo. */
const VITE = join(root, "www/node_modules/vite/bin/vite.js");

/** An app that Vite serves or builds: the package, installed; the first example of its README; and a configuration. */
function app(name: string, config: Block | undefined): string {
  const folder = join(scratch, name);
  const install = join(folder, "node_modules/smallfirst");
  mkdirSync(install, { recursive: true });
  cpSync(join(packed(), ".."), install, { recursive: true });
  const [example] = blocks("pkg/README.md").filter((block) => isScript(block) && !isConfig(block));
  writeFileSync(join(folder, "main.js"), example!.code);
  writeFileSync(
    join(folder, "index.html"),
    `<!doctype html><meta charset=utf-8><title>app</title><link rel=icon href=data:,><script type=module src=/main.js></script>`,
  );
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  if (config) writeFileSync(join(folder, "vite.config.js"), config.code);
  return folder;
}

/** Waits for what the example writes to the console, or for an error that nobody caught. */
function outcome(page: Page): Promise<string> {
  return new Promise((resolve) => {
    page.on("console", (message) => message.type() === "log" && resolve(message.text()));
    page.on("pageerror", (error) => resolve(String(error)));
  });
}

test("pkg/README.md: the example runs on Vite's dev server, with the page's configuration and without", async ({
  browser,
}) => {
  test.setTimeout(240_000);
  const configs = blocks("pkg/README.md").filter(isConfig);
  const { FORCE_COLOR: _, ...plain } = process.env;
  expect(configs).toHaveLength(1);
  for (const config of [configs[0], undefined]) {
    const folder = app(config ? "vite" : "vite-without", config);
    cpSync(join(root, "models"), join(folder, "public/models"), { recursive: true });
    const child = spawn("node", [VITE, "--port", "0", "--host", "127.0.0.1"], {
      cwd: folder,
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...plain, NO_COLOR: "1" },
    });
    try {
      const address = await new Promise<string>((resolve, reject) => {
        createInterface({ input: child.stdout }).on("line", (line) => {
          const found = /(http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1];
          if (found) resolve(found);
        });
        child.once("exit", (code) => reject(new Error(`vite ended with ${code}`)));
      });
      const page = await browser.newPage();
      const said = outcome(page);
      await page.goto(address);
      expect(await said, config?.code ?? "without").toMatch(/^deu local The local model is/);
      await page.close();
    } finally {
      child.kill();
    }
  }
});

test("pkg/README.md: the example, built, runs under each Content-Security-Policy that the page names, and under all of them", async ({
  browser,
}) => {
  test.setTimeout(240_000);
  const folder = app("built", undefined);
  execFileSync("node", [VITE, "build", "--logLevel", "warn"], { cwd: folder, stdio: "inherit" });
  const site = await Local.start((_, response, path) => {
    if (path.startsWith("/models/")) sendFile(response, join(root, path));
    else sendFile(response, join(folder, "dist", path === "/" ? "index.html" : path));
  });
  try {
    const policies = blocks("pkg/README.md")
      .filter(isPolicy)
      .map(({ code }) => code.trim().replace("Content-Security-Policy: ", ""));
    expect(policies.length).toBeGreaterThan(0);
    for (const policy of new Set([...policies, policies.join("; ")])) {
      site.headers = { "content-security-policy": policy };
      const page = await browser.newPage();
      const complaints: string[] = [];
      page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
      const said = outcome(page);
      await page.goto(site.address);
      expect(await said, policy).toMatch(/^deu local The local model is/);
      expect(complaints, policy).toEqual([]);
      await page.close();
    }
    // The last one is in force.
    site.headers = { "content-security-policy": policies.join("; ").replace(" 'wasm-unsafe-eval'", "") };
    const page = await browser.newPage();
    const said = outcome(page);
    await page.goto(site.address);
    expect(await said).toContain("WebAssembly");
    await page.close();
  } finally {
    await site.stop();
  }
});
