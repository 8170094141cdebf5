// Next, SvelteKit, Nuxt and Astro: what the documentation's page of each says, built for production and served as the framework does it, and
// served for development.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { record } from "../matrix.mjs";
import { launch, visit } from "../pages.mjs";
import { freePort } from "../project.mjs";
import { app, bin, build, serving, version } from "./tools.mjs";

const GERMAN = "Entschuldigen Sie bitte, können Sie mir sagen, wo der Bahnhof ist?";

/** Asks the page for a language, as a visitor does. `ready` is what it shows before. Gives what the first visit took. */
async function answers(t, address, ready) {
  const { page, complaints, downloaded } = await visit(await launch(t), address);
  const shows = (text) =>
    page.waitForFunction((text) => document.querySelector("output")?.textContent === text, text, { timeout: 60_000 });
  const ask = async () => {
    await shows(ready);
    // Until the page could be used; how long the test then waits for quiet is its own affair.
    const loaded = await page.evaluate(() => performance.now());
    await page.waitForLoadState("networkidle");
    await page.fill("textarea", GERMAN);
    const clicked = performance.now();
    await page.click("button");
    await shows("deu");
    return loaded + performance.now() - clicked;
  };
  // A server for development may load the page again once it has seen what is in it.
  const again = page.waitForEvent("load", { timeout: 60_000 }).then(ask);
  again.catch(() => {});
  const ms = await ask()
    .catch(() => again)
    .catch(async (error) => assert.fail(`${error}: ${await page.textContent("output")}: ${complaints.join("\n")}`));
  assert.deepEqual(
    complaints.filter((text) => !/favicon|Failed to load resource.*404/.test(text)),
    [],
  );
  return { ms, bytes: await downloaded() };
}

const NEXT = {
  "app/layout.jsx": `export default function Layout({ children }) {
  return <html lang="en"><body>{children}</body></html>;
}`,
};

for (const [bundler, ...flags] of [["Turbopack"], ["webpack", "--webpack"]]) {
  test(`Next with ${bundler}`, async (t) => {
    const at = await app(t, `next-${bundler}`, "next", NEXT);
    const next = bin("next", "dist/bin/next");
    await build(at, next, "build", ...flags);
    const port = await freePort();
    const listen = ["--port", String(port), "--hostname", "127.0.0.1"];
    const address = await serving(at, port, {}, next, "start", ...listen);
    record(t, `Next, by ${bundler}`, { version: version("next"), ...(await answers(t, address, "idle")) });
    assert.deepEqual(await (await fetch(`${address}api/language?text=${encodeURIComponent(GERMAN)}`)).json(), {
      label: "deu",
      guaranteed: true,
    });
  });

  test(`Next with ${bundler}, for development`, async (t) => {
    const at = await app(t, `next-dev-${bundler}`, "next", NEXT);
    const port = await freePort();
    const listen = ["--port", String(port), "--hostname", "127.0.0.1"];
    await answers(t, await serving(at, port, {}, bin("next", "dist/bin/next"), "dev", ...flags, ...listen), "idle");
  });
}

const KIT = {
  "vite.config.js": `import adapter from "@sveltejs/adapter-static";
import { sveltekit } from "@sveltejs/kit/vite";
export default { plugins: [sveltekit({ adapter: adapter({ fallback: "index.html" }) })] };`,
  "src/app.html": `<!doctype html><html><head>%sveltekit.head%</head><body><div>%sveltekit.body%</div></body></html>`,
};
const NUXT = { "nuxt.config.js": `export default { compatibilityDate: "2026-01-01", telemetry: false };` };
const ASTRO = {};

const vite = bin("vite", "bin/vite.js");
const nuxt = bin("nuxt", "bin/nuxt.mjs");
const astro = bin("astro", "bin/astro.mjs");

for (const [name, page, starter, command, known, serves] of [
  ["SvelteKit", "sveltekit", KIT, vite, "@sveltejs/kit", ["preview"]],
  ["Nuxt", "nuxt", NUXT, nuxt, "nuxt", undefined],
  ["Astro", "astro", ASTRO, astro, "astro", ["preview"]],
]) {
  test(name, async (t) => {
    const at = await app(t, page, page, starter);
    await build(at, command, "build");
    const port = await freePort();
    const env = { PORT: String(port), HOST: "127.0.0.1" };
    const listen = ["--port", String(port), "--host", "127.0.0.1"];
    const server = serves ? [command, ...serves, ...listen] : [join(at, ".output/server/index.mjs")];
    const took = await answers(t, await serving(at, port, env, ...server), "ready");
    record(t, name, { version: version(known), ...took });
  });
}

for (const [name, page, starter, file, ...command] of [
  ["SvelteKit", "sveltekit", KIT, vite, "dev"],
  ["Nuxt", "nuxt", NUXT, nuxt, "dev", "--no-fork"],
  ["Astro", "astro", ASTRO, astro, "dev"],
]) {
  test(`${name}, for development`, async (t) => {
    const at = await app(t, `${page}-dev`, page, starter);
    const port = await freePort();
    const listen = ["--port", String(port), "--host", "127.0.0.1"];
    await answers(t, await serving(at, port, {}, file, ...command, ...listen), "ready");
  });
}
