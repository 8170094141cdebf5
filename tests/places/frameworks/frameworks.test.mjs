// Next, SvelteKit, Nuxt and Astro: what the documentation's page of each says, built for production and served as the framework does it, and
// served for development.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { launch, visit } from "../pages.mjs";
import { app, bin, build, freePort, serving } from "./tools.mjs";

const GERMAN = "Entschuldigen Sie bitte, können Sie mir sagen, wo der Bahnhof ist?";

/** Asks the page for a language, as a visitor does. `ready` is what it shows before. */
async function answers(t, address, ready) {
  const { page, complaints } = await visit(await launch(t), address);
  const shows = (text) =>
    page.waitForFunction((text) => document.querySelector("output")?.textContent === text, text, { timeout: 60_000 });
  const ask = async () => {
    await shows(ready);
    await page.waitForLoadState("networkidle");
    await page.fill("textarea", GERMAN);
    await page.click("button");
    await shows("deu");
  };
  // A server for development may load the page again once it has seen what is in it.
  const again = page.waitForEvent("load", { timeout: 60_000 }).then(ask);
  again.catch(() => {});
  await ask()
    .catch(() => again)
    .catch(async (error) => assert.fail(`${error}: ${await page.textContent("output")}: ${complaints.join("\n")}`));
  assert.deepEqual(
    complaints.filter((text) => !/favicon|Failed to load resource.*404/.test(text)),
    [],
  );
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
    await answers(t, address, "idle");
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

test("SvelteKit", async (t) => {
  const at = await app(t, "sveltekit", "sveltekit", KIT);
  const vite = bin("vite", "bin/vite.js");
  await build(at, vite, "build");
  const port = await freePort();
  await answers(
    t,
    await serving(at, port, {}, vite, "preview", "--port", String(port), "--host", "127.0.0.1"),
    "ready",
  );
});

test("Nuxt", async (t) => {
  const at = await app(t, "nuxt", "nuxt", NUXT);
  await build(at, bin("nuxt", "bin/nuxt.mjs"), "build");
  const port = await freePort();
  const env = { PORT: String(port), HOST: "127.0.0.1" };
  await answers(t, await serving(at, port, env, join(at, ".output/server/index.mjs")), "ready");
});

test("Astro", async (t) => {
  const at = await app(t, "astro", "astro", ASTRO);
  const astro = bin("astro", "bin/astro.mjs");
  await build(at, astro, "build");
  const port = await freePort();
  await answers(
    t,
    await serving(at, port, {}, astro, "preview", "--port", String(port), "--host", "127.0.0.1"),
    "ready",
  );
});

for (const [name, page, starter, file, ...command] of [
  ["SvelteKit", "sveltekit", KIT, bin("vite", "bin/vite.js"), "dev"],
  ["Nuxt", "nuxt", NUXT, bin("nuxt", "bin/nuxt.mjs"), "dev", "--no-fork"],
  ["Astro", "astro", ASTRO, bin("astro", "bin/astro.mjs"), "dev"],
]) {
  test(`${name}, for development`, async (t) => {
    const at = await app(t, `${page}-dev`, page, starter);
    const port = await freePort();
    const listen = ["--port", String(port), "--host", "127.0.0.1"];
    await answers(t, await serving(at, port, {}, file, ...command, ...listen), "ready");
  });
}
