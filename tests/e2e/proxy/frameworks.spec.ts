// The blocks of docs/fallback.md, each run as it stands there with its framework, in front of a real LLM: streamed in a browser
// with `ai.generate`, and in Node with the official client; and what every one of them must refuse, and end.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type OpenAI from "openai";
import { expect, test } from "../fixtures.js";
import { ready } from "../harness.js";
import { root } from "../servers.js";
import { type Answer, Upstream, post, raw, through } from "../upstream.js";
import { App, folder, freePort, install } from "./tools.js";

const MODEL = "smollm2-135m";

interface Block {
  heading: string;
  language: string;
  code: string;
}

/** The blocks of the section on the proxy. */
const blocks: Block[] = (() => {
  const page = readFileSync(join(root, "docs/fallback.md"), "utf8");
  const section = /\n## 1\. [^]*?(?=\n## 2\. )/.exec(page)![0];
  return section.split(/\n### /).flatMap((part) => {
    const heading = part.slice(0, part.indexOf("\n"));
    return [...part.matchAll(/```(\w+)\n([^]*?)```/g)].map(([, language, code]) => ({
      heading,
      language: language!,
      code: code!,
    }));
  });
})();

function block(heading: string): string {
  const found = blocks.filter((one) => one.heading.startsWith(heading));
  expect(found, heading).toHaveLength(1);
  return found[0]!.code;
}

/** What a block says of the world, put right for this machine; nothing else of it is changed. */
function here(code: string, upstream: string, port: number, page: string): string {
  const changed = code
    .replace(`"https://api.example/v1"`, JSON.stringify(`${upstream}/v1`))
    .replace(
      `models: ["small"]`,
      `models: [${JSON.stringify(MODEL)}], origins: [${JSON.stringify(page)}], perMinute: 1000`,
    )
    .replace("8787", String(port));
  expect(changed).toContain(upstream);
  expect(changed).toContain(MODEL);
  return changed;
}

/** A folder inside of the frameworks', so that what is in it finds them. */
const work = (): string => {
  mkdirSync(join(folder, "run"), { recursive: true });
  return mkdtempSync(join(folder, "run/"));
};

const bin = (name: string): string => join(folder, "node_modules/.bin", name);
const env = { LLM_API_KEY: "sk-secret" };

type Start = (upstream: string, page: string) => Promise<App>;

/** A block that a runtime runs as a file. */
function file(heading: string, name: string, command: string, args: readonly string[]): Start {
  return async (upstream, page) => {
    const port = await freePort();
    const cwd = work();
    writeFileSync(join(cwd, name), here(block(heading), upstream, port, page));
    return App.start(command, [...args, name], { cwd, env, port });
  };
}

/** TypeScript for a runtime that knows none. */
function compiled(heading: string): Start {
  return async (upstream, page) => {
    const port = await freePort();
    const cwd = work();
    writeFileSync(join(cwd, "server.ts"), here(block(heading), upstream, port, page));
    execFileSync(bin("esbuild"), ["server.ts", "--outfile=server.mjs", "--log-level=warning"], {
      cwd,
      stdio: "inherit",
    });
    return App.start("node", ["server.mjs"], { cwd, env, port });
  };
}

const command: Start = async (upstream, page) => {
  const port = await freePort();
  const line = block("A server of its own")
    .trim()
    .replace("https://api.example/v1", `${upstream}/v1`)
    .replace("--models small", `--models ${MODEL} --origins ${page} --per-minute 1000`)
    .replace("8787", String(port))
    // As npx finds it once the package is installed.
    .replace("npx smallfirst-proxy", `node ${join(folder, "node_modules/smallfirst", "dist/proxy/cli.js")}`);
  return App.start("sh", ["-c", line], { port });
};

const worker: Start = async (upstream, page) => {
  const port = await freePort();
  const cwd = work();
  writeFileSync(join(cwd, "source.ts"), here(block("Cloudflare Workers"), upstream, port, page));
  // As wrangler does it.
  execFileSync(
    bin("esbuild"),
    [
      "source.ts",
      "--bundle",
      "--format=esm",
      "--conditions=workerd,worker,browser",
      "--outfile=worker.js",
      "--log-level=warning",
    ],
    { cwd, stdio: "inherit" },
  );
  writeFileSync(
    join(cwd, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "internet", network = (allow = ["private", "public"])),
  ],
  sockets = [ (name = "http", address = "127.0.0.1:${port}", http = (), service = "main") ],
);
const main :Workerd.Worker = (
  modules = [ (name = "worker", esModule = embed "worker.js") ],
  bindings = [ (name = "LLM_API_KEY", text = "${env.LLM_API_KEY}") ],
  compatibilityDate = "2026-01-01",
);
`,
  );
  return App.start(bin("workerd"), ["serve", "config.capnp"], { cwd, port });
};

/** An app of Next with both blocks, built and started. */
const next: Start = async (upstream, page) => {
  const port = await freePort();
  const cwd = work();
  for (const [heading, path] of [
    ["Next, app router", "app/llm/v1/[...path]/route.ts"],
    ["Next, `pages/api", "pages/api/llm/[...path].ts"],
  ] as const) {
    mkdirSync(join(cwd, path, ".."), { recursive: true });
    writeFileSync(join(cwd, path), here(block(heading), upstream, port, page));
  }
  writeFileSync(join(cwd, "pages/index.tsx"), "export default function Site() {\n  return <p>the site</p>;\n}\n");
  const config = { turbopack: { root: folder }, outputFileTracingRoot: folder };
  writeFileSync(join(cwd, "next.config.mjs"), `export default ${JSON.stringify(config)};\n`);
  const quiet = { ...process.env, ...env, NEXT_TELEMETRY_DISABLED: "1", CI: "1" };
  execFileSync(bin("next"), ["build"], { cwd, env: quiet, stdio: ["ignore", "ignore", "inherit"] });
  return App.start(bin("next"), ["start", "--port", String(port), "--hostname", "127.0.0.1"], {
    cwd,
    env: { ...env, NEXT_TELEMETRY_DISABLED: "1" },
    port,
  });
};

const express: Start = (upstream, page) =>
  App.start("node", ["apps/express.mjs"], {
    env: {
      PROXY_OPTIONS: JSON.stringify({
        upstream: `${upstream}/v1`,
        models: [MODEL],
        key: env.LLM_API_KEY,
        origins: [page],
        perMinute: 1000,
      }),
    },
  });

interface Framework {
  name: string;
  start: Start;
  /** The addresses of the proxy in it. */
  mounts: readonly string[];
  /** Where something parses bodies first, and says itself that one is no JSON. */
  parses?: readonly string[];
  /** Whether it sees that a client has gone only when it writes to it. */
  seesAtWrite?: boolean;
}

const FRAMEWORKS: Framework[] = [
  { name: "the command", start: command, mounts: ["/llm/v1"] },
  { name: "node:http", start: file("node:http", "server.mjs", "node", []), mounts: ["/llm/v1"] },
  { name: "Express", start: file("Express", "server.mjs", "node", []), mounts: ["/llm/v1"] },
  {
    name: "Express, everywhere",
    start: express,
    mounts: ["/mounted", "/prefixed", "/parsed", "/parsed-prefixed", "/outer/inner"],
    parses: ["/parsed", "/parsed-prefixed", "/outer/inner"],
  },
  { name: "Hono", start: compiled("Hono"), mounts: ["/llm/v1"] },
  { name: "Cloudflare Workers", start: worker, mounts: ["/llm/v1"], seesAtWrite: true },
  {
    name: "Deno",
    start: file("Deno", "server.ts", bin("deno"), ["run", "--allow-net", "--allow-env", "--no-prompt"]),
    mounts: ["/llm/v1"],
  },
  { name: "Bun", start: file("Bun", "server.ts", bin("bun"), ["run"]), mounts: ["/llm/v1"] },
  { name: "Next", start: next, mounts: ["/llm/v1", "/api/llm"], parses: ["/api/llm"] },
];

const MESSAGES = [{ role: "user" as const, content: "Tell me a story about a library in a small town." }];

test.beforeAll(install);

test.afterAll(() => rmSync(join(folder, "run"), { recursive: true, force: true }));

for (const { name, start, mounts, parses = [], seesAtWrite = false } of FRAMEWORKS) {
  test(`${name}: a real LLM writes through it, and it refuses and ends what it must`, async ({
    page,
    harness,
    llm,
  }) => {
    test.setTimeout(600_000);
    const { default: Client } = (await import(
      pathToFileURL(createRequire(join(folder, "x.js")).resolve("openai")).href
    )) as { default: typeof OpenAI };
    const api = await Upstream.start();
    const app = await start(api.address, harness.address);
    try {
      for (const mount of mounts) {
        const baseURL = app.address + mount;
        const asked = api.seen.length;
        api.answer = through(llm.address);

        // The official client.
        const client = new Client({ apiKey: "none", baseURL, defaultHeaders: { origin: app.address }, maxRetries: 0 });
        const stream = await client.chat.completions.create({
          model: MODEL,
          messages: MESSAGES,
          stream: true,
          max_tokens: 10,
          temperature: 0,
        });
        const pieces: string[] = [];
        for await (const chunk of stream)
          if (chunk.choices[0]?.delta.content) pieces.push(chunk.choices[0].delta.content);
        expect(pieces.length, `${mount}: ${pieces.join("|")}`).toBeGreaterThan(5);
        const whole = await client.chat.completions.create({
          model: MODEL,
          messages: MESSAGES,
          max_completion_tokens: 10,
          temperature: 0,
        });
        expect(whole.choices[0]!.message.content!.trim()).toBe(pieces.join("").trim());
        expect(await client.models.list().then(({ data }) => data.map(({ id }) => id))).toEqual([MODEL]);
        const seen = api.seen[asked]!;
        expect(seen.headers.authorization).toBe(`Bearer ${env.LLM_API_KEY}`);
        expect(JSON.parse(seen.body)).toEqual({
          model: MODEL,
          messages: MESSAGES,
          stream: true,
          max_tokens: 10,
          temperature: 0,
        });

        // The package, in a page of another origin.
        const remote = {
          provider: "openai",
          baseUrl: baseURL,
          model: MODEL,
          temperature: 0,
          maxTokens: 8,
          timeoutMs: 90_000,
          firstByteMs: 90_000,
          connectMs: 90_000,
        };
        await ready(page, harness.address, { remote } as never);
        const written = await page.evaluate(async () => {
          const pieces: string[] = [];
          const stream = window.ai.generate(
            "rewrite",
            "The town library opened a new reading room on Monday. It has sixty seats.",
          );
          for await (const piece of stream) pieces.push(piece);
          const { output, ranOn } = await stream.answer;
          return { pieces, text: output.text, ranOn };
        });
        expect(written).toMatchObject({ ranOn: "remote", text: written.pieces.join("") });
        expect(written.pieces.length).toBeGreaterThan(3);

        // What it refuses, in JSON, and without asking the API.
        const before = api.seen.length;
        const good = { model: MODEL, messages: MESSAGES };
        const refusals: [unknown, Record<string, string>, number, string][] = [
          [{ ...good, user: "x" }, {}, 400, "field_not_allowed"],
          [{ ...good, model: "large" }, {}, 403, "model_not_allowed"],
          [good, { origin: "https://evil.example" }, 403, "unknown_origin"],
          ...(parses.includes(mount)
            ? []
            : [["{broken", {}, 400, "invalid_json"] as [unknown, Record<string, string>, number, string]]),
        ];
        for (const [body, headers, status, code] of refusals) {
          const answer = await post(app.address, `${mount}/chat/completions`, body, headers);
          expect([
            mount,
            answer.status,
            answer.headers.get("content-type"),
            ((await answer.json()) as { error: { code: string } }).error.code,
          ]).toEqual([mount, status, "application/json", code]);
        }
        const body = JSON.stringify(good);
        const rebound = await raw(
          app.port,
          `POST ${mount}/chat/completions HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
        );
        expect([mount, rebound.slice(9, 12)]).toEqual([mount, "421"]);
        expect(api.seen.length).toBe(before);

        // Whoever goes away ends the request upstream: in the stream, and before it.
        const endless: Answer = (response) => {
          response.writeHead(200, { "content-type": "text/event-stream" });
          const more = (): void => void response.write('data: {"choices":[]}\n\n');
          more();
          const timer = setInterval(more, 300);
          response.once("close", () => clearInterval(timer));
        };
        api.answer = endless;
        const ask = (signal: AbortSignal): Promise<Response> =>
          fetch(`${baseURL}/chat/completions`, {
            method: "POST",
            headers: { origin: app.address, "content-type": "application/json" },
            body: JSON.stringify({ ...good, stream: true }),
            signal,
          });
        const closed = api.closed;
        const streaming = new AbortController();
        const answer = await ask(streaming.signal);
        const first = await answer.body!.getReader().read();
        expect(new TextDecoder().decode(first.value)).toContain("choices");
        streaming.abort();
        await expect.poll(() => api.closed, { message: `${mount}: the stream is ended upstream` }).toBe(closed + 1);
        let begin = (): void => {};
        api.answer = (response, seen) => void (begin = () => endless(response, seen));
        const waiting = new AbortController();
        const silent = ask(waiting.signal).catch(() => {});
        await expect.poll(() => api.seen.length).toBe(before + 2);
        waiting.abort();
        await silent;
        if (seesAtWrite) begin();
        await expect.poll(() => api.closed, { message: `${mount}: the request is ended upstream` }).toBe(closed + 2);
      }
      // The framework's own pages are still there.
      expect((await fetch(app.address)).status).toBeLessThan(500);
    } finally {
      await app.stop();
      await api.stop();
    }
  });
}

test("every block of the page is run, and those of TypeScript and JavaScript are strict", () => {
  expect(blocks.map(({ heading, language }) => [heading.replace(/:? `.*/, ""), language])).toEqual([
    ["A server of its own", "sh"],
    ["node:http", "js"],
    ["Express", "js"],
    ["Next, app router", "ts"],
    ["Next,", "ts"],
    ["Hono", "ts"],
    ["Cloudflare Workers", "ts"],
    ["Deno", "ts"],
    ["Bun", "ts"],
  ]);
  const installed = join(folder, "node_modules/smallfirst");
  const bins = (JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as { bin: Record<string, string> })
    .bin;
  expect(Object.keys(bins).sort()).toEqual(["smallfirst", "smallfirst-proxy"]);
  expect(readFileSync(join(installed, bins["smallfirst-proxy"]!), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  const cwd = work();
  blocks.forEach(({ heading, language, code }, at) => {
    // Deno has types of its own, and checks by itself.
    if (language !== "sh" && heading !== "Deno") writeFileSync(join(cwd, `block${at}.mts`), code);
  });
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    module: "nodenext",
    target: "es2022",
    lib: ["es2023", "dom", "dom.iterable"],
    types: ["node", "bun"],
    noEmit: true,
    skipLibCheck: true,
  };
  writeFileSync(join(cwd, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.mts"] }));
  execFileSync(bin("tsc"), ["-p", "."], { cwd, stdio: "inherit" });
  // The package's own declarations, without what is let pass in others'.
  writeFileSync(
    join(cwd, "own.mts"),
    'export * from "smallfirst/proxy";\nexport { createNodeProxy } from "smallfirst/proxy/node";\n',
  );
  writeFileSync(
    join(cwd, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: { ...compilerOptions, skipLibCheck: false, types: ["node"], lib: ["es2023", "dom"] },
      files: ["own.mts"],
    }),
  );
  execFileSync(bin("tsc"), ["-p", "."], { cwd, stdio: "inherit" });
  writeFileSync(join(cwd, "deno.ts"), block("Deno"));
  execFileSync(bin("deno"), ["check", "--quiet", "deno.ts"], { cwd, stdio: "inherit" });
});
