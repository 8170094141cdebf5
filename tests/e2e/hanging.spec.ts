// What never answers: storage, servers, workers that are gone. Each is waited for a while, and no call waits for ever.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures.js";
import { open, ready, run } from "./harness.js";

const GERMAN = "Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig.";
const TEXT = "I guess the flight was okay but the seat was small";

test.use({ expected: [/Failed to load resource/, /ERR_/] });

/** Gives the page `createWith`: an instance whose worker first runs `script`. */
async function patched(page: Page, address: string): Promise<void> {
  await open(page, address);
  await page.evaluate(() => {
    window.createWith = (script, options) => {
      const worker = JSON.stringify(new URL("/pkg/worker.js", location.href).href);
      // What comes before the package listens is kept for it.
      const source = `
        const early = [];
        const keep = (event) => early.push(event);
        addEventListener("message", keep);
        ${script}
        await import(${worker});
        removeEventListener("message", keep);
        for (const { data, ports } of early) dispatchEvent(new MessageEvent("message", { data, ports: [...ports] }));`;
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      return window.create({ worker: () => new Worker(url, { type: "module" }), ...options });
    };
  });
}

declare global {
  interface Window {
    pings: number;
    createWith: (script: string, options: object) => ReturnType<Window["create"]>;
  }
}

const HANGS = {
  "caches.open": `caches.open = () => new Promise(() => {});`,
  "cache.match": `Cache.prototype.match = () => new Promise(() => {});`,
  "cache.put": `Cache.prototype.put = () => new Promise(() => {});`,
  "indexedDB.open": `IDBFactory.prototype.open = () => ({});`,
  "a transaction": `IDBObjectStore.prototype.get = () => ({});`,
};

for (const [what, script] of Object.entries(HANGS)) {
  test(`${what} may never answer`, async ({ page, harness, faults }) => {
    await patched(page, harness.address);
    const remote = { provider: "openai", baseUrl: `${faults.address}/echo`, model: "m" };
    const seen = await page.evaluate(
      async ([script, remote, german, text]) => {
        const ai = await window.createWith(script, {
          remote,
          budget: { requestsPerDay: 2 },
          policy: { deadlineMs: 6000 },
        });
        const local = await window.outcome(ai.run("language", german));
        const codes = [];
        for (const input of ["a", "b", "c"]) {
          const { answer, error } = await window.outcome(ai.run("sentiment", text + input, { mode: "only-remote" }));
          codes.push(answer ? answer.ranOn : error!.code);
        }
        return { local: local.answer?.ranOn, codes };
      },
      [script, remote, GERMAN, TEXT] as const,
    );
    // The budget counts all the same.
    expect(seen).toEqual({ local: "local", codes: ["remote", "remote", "over_budget"] });
  });
}

test("a storage that hangs is waited for once", async ({ page, harness }) => {
  await patched(page, harness.address);
  const asked = () => page.workers()[0]!.evaluate(() => (globalThis as unknown as { asked: number }).asked);
  await page.evaluate(
    async ([german]) => {
      const script = `
        globalThis.asked = 0;
        Cache.prototype.match = () => { globalThis.asked++; return new Promise(() => {}); };`;
      window.ai = await window.createWith(script, { mode: "only-local" });
      await window.ai.run("language", german);
    },
    [GERMAN] as const,
  );
  // The files of a task are looked for at the same time, so this is one wait.
  const first = await asked();
  expect(first).toBeGreaterThan(0);
  await page.evaluate(async () => {
    await window.ai.run("sentiment", "What a lovely day this was, thank you all so much!");
    await window.ai.run("spam", "Subject: lunch\n\nShall we meet at noon?");
  });
  expect(await asked()).toBe(first);
});

test("a database that the browser closes is opened anew", async ({ page, harness, faults }) => {
  await patched(page, harness.address);
  const remote = { provider: "openai", baseUrl: `${faults.address}/echo`, model: "m" };
  const script = `
    const open = IDBFactory.prototype.open;
    globalThis.opened = [];
    IDBFactory.prototype.open = function (...all) {
      const request = open.apply(this, all);
      request.addEventListener("success", () => globalThis.opened.push(request.result));
      return request;
    };`;
  await page.evaluate(
    async ([script, remote]) => {
      window.ai = await window.createWith(script, { remote, mode: "only-remote", budget: { requestsPerDay: 3 } });
      await window.ai.run("sentiment", "one");
    },
    [script, remote] as const,
  );
  const worker = page.workers()[0]!;
  for (const told of [true, false]) {
    await worker.evaluate((told) => {
      const database = (globalThis as unknown as { opened: IDBDatabase[] }).opened.at(-1)!;
      database.close();
      // What the browser closes by itself it tells; or has not told yet.
      if (told) database.dispatchEvent(new Event("close"));
    }, told);
    expect((await run(page, "sentiment", `closed ${told}`)).answer).toMatchObject({ ranOn: "remote" });
  }
  expect(await worker.evaluate(() => (globalThis as unknown as { opened: unknown[] }).opened.length)).toBe(3);
  // Another tab counts in the same book.
  await ready(page, harness.address, {
    remote: { ...remote, provider: "openai" },
    mode: "only-remote",
    budget: { requestsPerDay: 3 },
  });
  expect((await run(page, "sentiment", "four")).error).toMatchObject({ code: "over_budget" });
});

test.describe("servers", () => {
  let server: Server;
  let address: string;
  /** Which requests are never answered. */
  let silent: (path: string) => "never" | "half" | undefined;

  test.beforeEach(async ({ harness }) => {
    silent = () => undefined;
    server = createServer((request, response) => {
      const how = silent(request.url ?? "");
      if (how === "never") return;
      void fetch(new URL(request.url ?? "", harness.address)).then(async (answer) => {
        const body = Buffer.from(await answer.arrayBuffer());
        const type = answer.headers.get("content-type") ?? "application/octet-stream";
        response.writeHead(answer.status, { "content-type": type, "access-control-allow-origin": "*" });
        if (how === "half") response.write(body.subarray(0, body.length / 2));
        else response.end(body);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  test.afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  test("a bundle server that accepts and never answers is given up", async ({ page, harness }) => {
    await open(page, harness.address);
    const made = (path: string, preload: string[]) =>
      page.evaluate(
        ([bundle, preload]) =>
          window
            .create({ bundle, preload: [...preload] })
            .then((ai) =>
              window.outcome(ai.run("language", "Wo ist denn hier der Bahnhof, bitte?", { mode: "only-local" })),
            )
            .catch((thrown: unknown) => ({ error: window.failure(thrown) })),
        [address + path, preload] as const,
      );
    // All at once: each takes as long as a server is waited for.
    const cases = ["never", "half"].flatMap((how) =>
      ["manifest.json", "language/"].flatMap((file) => [0, 1].map((preload) => ({ how, file, preload }))),
    );
    silent = (path) => {
      const one = cases.find((_, at) => path.endsWith(`?case${at}`));
      return one && path.includes(one.file) ? (one.how as "never" | "half") : undefined;
    };
    await Promise.all(
      cases.map(async ({ how, file, preload }, at) => {
        const { error } = await made(`/models/?case${at}`, preload === 1 ? ["language"] : []);
        expect(error, `${how} ${file} ${preload}`).toMatchObject({ code: "bundle_unreachable" });
        expect(error!.message, `${how} ${file} ${preload}`).toMatch(/no answer within \d+ s/);
      }),
    );
  });

  test("where there is a copy of the bundle, its server is not waited for so long", async ({ page, harness }) => {
    await open(page, harness.address);
    const answer = (): Promise<string | undefined> =>
      page.evaluate(
        async ([bundle, german]) => {
          const ai = await window.create({ bundle, mode: "only-local" });
          const { answer } = await window.outcome(ai.run("language", german));
          await ai.preload(["language"]);
          ai.dispose();
          return answer?.output.label;
        },
        [`${address}/models/`, GERMAN] as const,
      );
    expect(await answer()).toBe("deu");
    // The manifest is stored after what a first answer needs.
    await page.waitForTimeout(3000);
    silent = () => "never";
    expect(await answer()).toBe("deu");
  });

  test("files beside a manifest with a query have the query, too", async ({ page, harness }) => {
    await open(page, harness.address);
    const seen: string[] = [];
    silent = (path) => {
      seen.push(path);
      return path.includes("sig=ab/cd") || !path.startsWith("/models/") ? undefined : "never";
    };
    for (const preload of [[], ["language"]]) {
      const label = await page.evaluate(
        async ([bundle, german, preload]) => {
          const ai = await window.create({ bundle, mode: "only-local", cache: "none", preload: [...preload] });
          return (await ai.run("language", german)).output.label;
        },
        [`${address}/models/manifest.json?sig=ab/cd&x=1`, GERMAN, preload] as const,
      );
      expect(label).toBe("deu");
    }
    expect(seen.length).toBeGreaterThan(4);
    expect(seen.filter((path) => !path.endsWith("?sig=ab/cd&x=1"))).toEqual([]);
  });
});

test.describe("workers that are gone", () => {
  /** Ends the page's first worker so that nobody is told. (Where its heap is full, Chromium ends the page with it.) */
  const end = (page: Page): Promise<void> =>
    page.workers()[0]!.evaluate(() => {
      setTimeout(() => close());
    });

  test("one that ended is noticed, and the next call is answered", async ({ page, harness, faults }) => {
    faults.requests = [];
    const remote = { provider: "openai", baseUrl: `${faults.address}/hang`, model: "m" } as const;
    await ready(page, harness.address, { remote, policy: { deadlineMs: 60_000 } });
    expect((await run(page, "language", GERMAN)).answer).toMatchObject({ ranOn: "local" });
    const sent = run(page, "sentiment", TEXT, { mode: "only-remote" });
    await expect.poll(() => faults.requests.filter((r) => r.startsWith("POST /hang"))).toHaveLength(1);
    await page.evaluate(() => {
      const post: (message: object, transfer: Transferable[]) => void = Worker.prototype.postMessage;
      window.pings = 0;
      Worker.prototype.postMessage = function (this: Worker, message: { type: string }, ...rest: [Transferable[]]) {
        if (message.type === "ping") window.pings++;
        post.call(this, message, ...rest);
      } as typeof Worker.prototype.postMessage;
    });
    await end(page);
    // It may have been paid, so it is not sent again.
    expect((await sent).error).toMatchObject({ code: "worker_failed" });
    // One that has no lock is asked sixty times.
    expect(await page.evaluate(() => window.pings)).toBeLessThan(10);
    expect((await run(page, "language", GERMAN)).answer).toMatchObject({ ranOn: "local" });
  });

  test("a call that may run again does, on another worker", async ({ page, harness }) => {
    await ready(page, harness.address, { mode: "only-local" });
    expect((await run(page, "language", GERMAN)).answer).toMatchObject({ ranOn: "local" });
    await end(page);
    expect((await run(page, "language", GERMAN)).answer).toMatchObject({ ranOn: "local" });
  });

  test("one that is only busy is left alone", async ({ page, harness }) => {
    await ready(page, harness.address, { mode: "only-local" });
    expect((await run(page, "language", GERMAN)).answer).toMatchObject({ ranOn: "local" });
    const [worker] = page.workers();
    // As a large model would.
    await worker!.evaluate(() => {
      const now = performance.now.bind(performance);
      let end: number | undefined;
      performance.now = () => {
        end ??= now() + 12_000;
        while (now() < end);
        return now();
      };
    });
    const begun = Date.now();
    expect((await run(page, "language", GERMAN)).answer).toMatchObject({ ranOn: "local" });
    expect(Date.now() - begun).toBeGreaterThan(11_000);
    expect(page.workers()).toEqual([worker]);
  });

  test("a browser without locks is asked", async ({ page, harness, faults }) => {
    await page.addInitScript(() => {
      Object.defineProperty(Navigator.prototype, "locks", { value: undefined });
      // A minute takes seconds here.
      const set = window.setInterval;
      window.setInterval = ((work: () => void, ms: number) => set(work, ms === 1000 ? 100 : ms)) as typeof set;
    });
    faults.requests = [];
    const remote = { provider: "openai", baseUrl: `${faults.address}/hang`, model: "m" } as const;
    await ready(page, harness.address, { remote, policy: { deadlineMs: 60_000 } });
    const sent = run(page, "sentiment", TEXT, { mode: "only-remote" });
    await expect.poll(() => faults.requests.filter((r) => r.startsWith("POST /hang"))).toHaveLength(1);
    // It answers as long as it is there.
    await page.waitForTimeout(8000);
    expect(faults.requests.filter((r) => r.startsWith("POST /hang"))).toHaveLength(1);
    await end(page);
    expect((await sent).error).toMatchObject({ code: "worker_failed", message: expect.stringContaining("is gone") });
    expect((await run(page, "language", GERMAN)).answer).toMatchObject({ ranOn: "local" });
  });
});
