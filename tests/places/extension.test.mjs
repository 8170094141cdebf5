// A browser extension of Manifest V3, as docs/places/extension.md says: a page, an offscreen document and the service worker, in Chromium.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { record } from "./matrix.mjs";
import { here, project } from "./project.mjs";
import { blocks, follow } from "./words.mjs";

const PAGE = "docs/places/extension.md";
const GERMAN = "Entschuldigen Sie bitte, können Sie mir sagen, wo der Bahnhof ist?";
const FRENCH = "Pardon, pourriez-vous me dire où se trouve la gare, s'il vous plaît ?";
const MAIL = "You have won a free prize! Click here now to claim your cash, this offer expires today.";

/** The extension of the page, whose scripts are bundled into the folder that is loaded. */
async function extension(t) {
  const folder = project(t);
  const { files } = await follow(PAGE, folder);
  assert.deepEqual(files, ["src/popup.js", "src/background.js"]);
  const out = join(folder, "extension");
  const manifests = blocks(PAGE).filter(({ language }) => language === "json");
  assert.equal(manifests.length, 1);
  writeFileSync(join(out, "manifest.json"), manifests[0].code);
  for (const html of ["popup.html", "offscreen.html"]) cpSync(join(here, "fixtures/extension", html), join(out, html));
  cpSync(join(here, "fixtures/extension/offscreen.js"), join(folder, "src/offscreen.js"));
  const { warnings } = await build({
    absWorkingDir: folder,
    entryPoints: ["src/popup.js", "src/background.js", "src/offscreen.js"],
    bundle: true,
    format: "esm",
    target: "es2022",
    outdir: "extension",
    logLevel: "silent",
  });
  assert.deepEqual(warnings, []);
  return out;
}

/** Chromium with an extension, the extension's service worker, and what its pages complain about. */
async function loaded(t, folder) {
  const profile = mkdtempSync(join(tmpdir(), "smallfirst-profile-"));
  t.after(() => rmSync(profile, { recursive: true, force: true, maxRetries: 10 }));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROME ?? "/usr/bin/chromium",
    // The older headless mode, which this would ask for, has no extensions.
    headless: false,
    ignoreDefaultArgs: ["--disable-extensions"],
    args: [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      `--load-extension=${folder}`,
      `--disable-extensions-except=${folder}`,
    ],
  });
  t.after(() => context.close());
  const complaints = [];
  const listen = (page) => {
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
  };
  context.on("page", listen);
  context.on("weberror", (error) => complaints.push(String(error.error())));
  const background = context.serviceWorkers()[0] ?? (await context.waitForEvent("serviceworker"));
  background.on("console", (message) => complaints.push(message.text()));
  return { context, background, complaints, at: background.url().replace(/background\.js$/, "") };
}

test("an extension answers in its page, its offscreen document and its service worker", async (t) => {
  const { context, background, complaints, at } = await loaded(t, await extension(t));
  const page = await context.newPage();
  const before = performance.now();
  await page.goto(`${at}popup.html`);
  // A page fetches nothing but files of the extension.
  const elsewhere = [];
  context.on("request", (request) => request.url().startsWith(at) || elsewhere.push(request.url()));
  const send = (message) => page.evaluate((message) => chrome.runtime.sendMessage(message), message);

  // The page: its own worker is there before anybody can type.
  while (page.workers().length === 0) await page.waitForEvent("worker");
  await page.waitForFunction(async (text) => {
    const box = document.querySelector("textarea");
    box.value = text;
    box.dispatchEvent(new InputEvent("input"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    return document.querySelector("output").textContent === "German";
  }, GERMAN);
  record(t, "A browser extension", {
    version: `in Chromium ${context.browser().version()}`,
    ms: performance.now() - before,
  });

  // The service worker: several at once, and after the browser ended it.
  const texts = [GERMAN, FRENCH, GERMAN];
  const labels = async () =>
    (await Promise.all(texts.map((text) => send({ text })))).map(
      ({ label, guaranteed, error }) => error ?? [label, guaranteed],
    );
  const expected = ["deu", "fra", "deu"].map((label) => [label, true]);
  assert.deepEqual(await labels(), expected);
  assert.deepEqual(await background.evaluate(() => typeof Worker), "undefined");
  const devtools = await context.newCDPSession(page);
  await devtools.send("ServiceWorker.enable");
  const gone = new Promise((resolve) =>
    devtools.on("ServiceWorker.workerVersionUpdated", ({ versions }) => {
      if (versions.some(({ runningStatus }) => runningStatus === "stopped")) resolve();
    }),
  );
  await devtools.send("ServiceWorker.stopAllWorkers");
  await gone;
  assert.deepEqual(await labels(), expected);

  // The offscreen document.
  await page.evaluate(() =>
    chrome.offscreen.createDocument({
      url: "offscreen.html",
      reasons: ["WORKERS"],
      justification: "to answer in a worker",
    }),
  );
  assert.deepEqual(await send({ spam: MAIL }), { label: "spam", guaranteed: true, page: "/offscreen.html" });
  assert.deepEqual(elsewhere, []);
  assert.deepEqual(complaints, []);
});
