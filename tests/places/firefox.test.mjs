// The package's main path and the demo page's in Firefox, which is driven by WebDriver BiDi. Debian's extended support release is what the
// tests have.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import puppeteer from "puppeteer-core";
import { upstream } from "./fixtures/upstream.mjs";
import { POLICY, serve, TRUSTED } from "./pages.mjs";
import { agreement, compare, FEWER, natively, sample, TASKS } from "./parity.mjs";
import { project, root, withVectors } from "./project.mjs";

const FIREFOX = process.env.FIREFOX;
const skip = FIREFOX ? false : "there is no Firefox: set FIREFOX, or run cargo xtask test as root on Debian";
if (skip) console.error(`firefox.test.mjs: SKIPPED, NOTHING WAS TESTED IN FIREFOX: ${skip}`);

const GERMAN = "Entschuldigen Sie bitte, können Sie mir sagen, wo der Bahnhof ist?";

let browser;
before(async () => {
  if (skip) return;
  browser = await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX, headless: true });
  console.log(`Firefox: ${await browser.version()}`);
});
after(() => browser?.close());

/** A page at an address, and what it complains about. */
async function visit(t, address) {
  const page = await browser.newPage();
  t.after(() => page.close());
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(address);
  return { page, complaints };
}

/** A page without a bundler, and its site: the package and the models as files. */
async function plain(t, policy) {
  const folder = project(t);
  const out = join(folder, "out");
  mkdirSync(out);
  renameSync(join(folder, "node_modules/smallfirst/dist"), join(out, "smallfirst"));
  renameSync(join(folder, "node_modules/smallfirst-models"), join(out, "models"));
  writeFileSync(
    join(out, "main.js"),
    `import { createSmallFirst } from "./smallfirst/index.js";
     window.progress = [];
     const options = { bundle: "models/", onProgress: (event) => window.progress.push(event) };
     window.create = async (more) => (window.ai = await createSmallFirst({ ...options, ...more }));
     window.code = (promise) => promise.then(() => "none", ({ code, name }) => (typeof code === "string" ? code : name));
     document.title = "ready";`,
  );
  writeFileSync(
    join(out, "index.html"),
    `<!doctype html><meta charset="utf-8"><title>waits</title><link rel="icon" href="data:,"><script type="module" src="main.js"></script>`,
  );
  const site = await serve(t, out, { policy });
  const { page, complaints } = await visit(t, site.address);
  await page.waitForFunction(() => document.title === "ready");
  return { folder, out, site, page, complaints };
}

test(
  "Firefox: under a strict policy, answers as the command line gives them, with both engines",
  { skip },
  async (t) => {
    const { folder, out, page, complaints } = await plain(t, POLICY + TRUSTED);
    for (const [task, file] of TASKS) {
      const rows = sample(file, FEWER);
      const native = await natively(folder, task, rows);
      // The page fetches them, and what it says is one string: the driver takes long for much else.
      mkdirSync(join(out, task));
      const inputs = rows.map(({ input, path }, at) => {
        if (path) copyFileSync(path, join(out, task, String(at)));
        return input ?? null;
      });
      writeFileSync(join(out, `${task}/inputs.json`), JSON.stringify(inputs));
      for (const engine of task === "spam" ? ["prepared", "onnx"] : ["prepared"]) {
        const ours = await page.evaluate(
          async (engine, task) => {
            const ai = await window.create({ engine, mode: "only-local" });
            const inputs = await (await fetch(`${task}/inputs.json`)).json();
            const given = inputs.map(async (input, at) => input ?? (await fetch(`${task}/${at}`)).arrayBuffer());
            const items = await ai.runBatch(task, await Promise.all(given), { topK: 1000 });
            ai.dispose();
            return JSON.stringify(items.map((item) => (item.ok ? item.answer : { code: item.error.code })));
          },
          engine,
          task,
        );
        t.diagnostic(agreement(`${task}, ${engine}`, rows, compare(task, JSON.parse(ours), native, rows)));
      }
    }
    // The panel for developers, on a narrow screen: a row that is opened is as wide as the others.
    await page.setViewport({ width: 360, height: 700 });
    const shown = await page.evaluate(async (text) => {
      const { mountDevtools } = await import("./smallfirst/devtools.js");
      const unmount = mountDevtools(await window.create({}), { open: true });
      await window.ai.run("spam", text);
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      for (let frames = 0; frames < 2; frames++) await frame();
      const panel = document.querySelector("smallfirst-devtools").shadowRoot;
      panel.querySelector("tbody button").click();
      const { scrollWidth, clientWidth } = panel.querySelector("section > div");
      const [summary, tried] = [panel.querySelector("button"), panel.querySelector("tbody tbody")];
      const found = [summary.textContent, /remote_not_configured/.test(tried.textContent), scrollWidth - clientWidth];
      unmount();
      return [...found, document.querySelector("smallfirst-devtools")];
    }, GERMAN);
    assert.deepEqual(shown, ["smallfirst 1 answered here · 0 sent, 0.0 kB", true, 0, null]);
    assert.deepEqual(complaints, []);
  },
);

test("Firefox: files are kept for the next visit, and calls end when they are aborted", { skip }, async (t) => {
  const { site, page, complaints } = await plain(t);
  const first = await page.evaluate(async (text) => {
    const ai = await window.create({ mode: "only-local" });
    const { output, guaranteed } = await ai.run("language", text);
    return [output.label, guaranteed, window.progress.some(({ cached }) => cached)];
  }, GERMAN);
  assert.deepEqual(first, ["deu", true, false]);
  assert.ok(site.bytes > 500_000);
  await page.reload();
  await page.waitForFunction(() => document.title === "ready");
  const second = await page.evaluate(async (text) => {
    const ai = await window.create({ mode: "only-local", workers: 2 });
    const texts = Array.from({ length: 300 }, () => text.repeat(20));
    const aborted = await window.code(ai.runBatch("language", texts, { signal: AbortSignal.timeout(30) }));
    const { output } = await ai.run("language", text);
    const files = window.progress.filter(({ file }) => file?.startsWith("language/"));
    const empty = await window.code(ai.run("language", ""));
    ai.dispose();
    return [
      output.label,
      files.length > 0 && files.every(({ cached }) => cached),
      aborted,
      empty,
      await window.code(ai.run("language", text)),
    ];
  }, GERMAN);
  assert.deepEqual(second, ["deu", true, "TimeoutError", "empty_input", "disposed"]);
  assert.deepEqual(complaints, []);
});

test(
  "Firefox: a remote is asked, its answer, the budget and an index are kept for the next visit",
  { skip },
  async (t) => {
    const { address, seen } = await upstream(t);
    const { out, page, complaints } = await plain(t);
    const vectors = withVectors(t, join(out, "models/"));
    renameSync(join(out, "models"), join(out, "before"));
    renameSync(vectors, join(out, "models"));
    const ask = (address) =>
      page.evaluate(async (baseUrl) => {
        const remote = { provider: "openai", baseUrl, model: "m" };
        const more = { remote, budget: { requestsPerDay: 1 }, answerCache: { persist: true } };
        const ai = await window.create(more);
        const events = [];
        for (const name of ["escalation", "egress"]) ai.on(name, () => events.push(name));
        const { output, ranOn, cached } = await ai.run("spam", "Is this a mail?", { mode: "only-remote" });
        const over = await window.code(ai.run("spam", "Is this another mail?", { mode: "only-remote" }));
        const index = ai.index("notes", { task: "meaning" });
        const before = await index.count();
        if (before === 0) {
          const notes = [
            "The train to Vienna leaves at nine.",
            "Our cat had four kittens.",
            "The invoice has to be paid.",
          ];
          await index.put(notes.map((text, at) => ({ id: String(at), text })));
        }
        const [found] = await index.search("railway station", { limit: 1 });
        const used = await ai.usage();
        ai.dispose();
        return { label: output.label, ranOn, cached, over, before, found: found.id, events, used: typeof used };
      }, address);
    const first = await ask(address);
    const same = { label: "ham", ranOn: "remote", over: "over_budget", found: "0", used: "object" };
    assert.deepEqual(first, { ...same, cached: false, before: 0, events: ["egress", "escalation"] });
    assert.equal(seen.length, 1);
    await page.reload();
    await page.waitForFunction(() => document.title === "ready");
    assert.deepEqual(await ask(address), { ...same, cached: true, before: 3, events: ["escalation"] });
    assert.equal(seen.length, 1);
    assert.deepEqual(complaints, []);
  },
);

test("Firefox: the demo page answers, and reads a file", { skip }, async (t) => {
  const args = ["www/server.mjs", "--port", "0", "--root", "www/dist", "--watch-stdin"];
  const server = spawn(process.execPath, args, { cwd: root, stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => server.kill());
  let address;
  for await (const line of createInterface({ input: server.stdout })) {
    address = /^listening on (\S+)/.exec(line)?.[1];
    if (address) break;
  }
  const { page, complaints } = await visit(t, address);
  await page.waitForSelector("#run:not([disabled])");
  const shows = (id, text) =>
    page.waitForFunction(
      (id, text) => document.querySelector(`[data-testid=${id}]`)?.textContent.startsWith(text),
      { timeout: 60_000 },
      id,
      text,
    );
  await page.locator("::-p-text(German)").click();
  await shows("label", "German");
  await shows("ran-on", "On this device");
  await shows("guaranteed", "Promised: at most 5.0 % wrong");
  await page.locator("[data-testid=task-sentiment]").click();
  await page.locator("::-p-text(Mixed (hard))").click();
  await page.waitForSelector("[data-testid=reason]:not([data-code=confident])");
  await page.locator("[data-testid=task-file-type]").click();
  const input = await page.waitForSelector("#file");
  await input.uploadFile(join(root, "src/engine.rs"));
  await shows("label", "Rust");
  assert.deepEqual(complaints, []);
});
