// The examples with Vue and Svelte, as their pages and those of docs/places/ say, on Vite's server for development, and built and opened
// under a strict Content-Security-Policy with Trusted Types.

import assert from "node:assert/strict";
import { appendFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { build, createServer } from "vite";
import { record, version } from "./matrix.mjs";
import { launch, POLICY, serve, TRUSTED, visit } from "./pages.mjs";
import { here, project, root, run } from "./project.mjs";
import { blocks, follow } from "./words.mjs";

const FRENCH = "Pardon, pourriez-vous me dire où se trouve la gare, s'il vous plaît ?";
const SPAM =
  "You have won a free prize! Click here now to claim your cash, this offer expires today. Reply with your bank details.";

/** What they are built with, their policy of Trusted Types, what checks their types, and what an app does not do by itself: its end. */
const APPS = {
  Vue: {
    name: "vue",
    linked: ["vue", "@vitejs/plugin-vue"],
    trusted: "vue",
    check: ["vue-tsc/bin/vue-tsc.js", "--project", "tsconfig.json"],
    end: "Object.assign(window, { end: () => app.unmount() });",
  },
  Svelte: {
    name: "svelte",
    linked: ["svelte", "@sveltejs/vite-plugin-svelte"],
    trusted: "svelte-trusted-html",
    check: ["svelte-check/bin/svelte-check", "--tsconfig", "./tsconfig.json", "--fail-on-warnings"],
    end: `import { unmount } from "svelte"; Object.assign(window, { end: () => unmount(app) });`,
  },
};

/** An example in a project, with the composable of its page in docs/places/ and the models that its README copies. */
async function app(t, { name, linked }) {
  const folder = project(t, ["vite", ...linked]);
  const example = join(root, "examples", name);
  for (const file of ["index.html", "vite.config.ts", "tsconfig.json", "src"])
    cpSync(join(example, file), join(folder, file), { recursive: true });
  const { dependencies, devDependencies, scripts } = JSON.parse(readFileSync(join(example, "package.json"), "utf8"));
  const ours = JSON.parse(readFileSync(join(here, "package.json"), "utf8")).devDependencies;
  for (const dependency of [...linked, "vite"])
    assert.equal({ ...dependencies, ...devDependencies }[dependency], ours[dependency], `${name}: ${dependency}`);

  // Otherwise npm would link the package, and Vite's server for development serves nothing that lies outside of the app.
  assert.equal(readFileSync(join(example, ".npmrc"), "utf8"), "install-links=true\n");

  const { files } = await follow(`docs/places/${name}.md`, folder);
  assert.equal(files.length, 1);
  for (const file of files)
    assert.equal(readFileSync(join(folder, file), "utf8"), readFileSync(join(example, file), "utf8"), file);

  const [start, deploy] = blocks(`examples/${name}/README.md`).map(({ code }) => code.trim().split("\n"));
  assert.deepEqual([start[0], start[2], ...deploy], ["npm install", "npm start", "npm run build", "npm run preview"]);
  assert.deepEqual(scripts, { start: "vite", build: "vite build", preview: "vite preview" });
  const args = start[1].replace("npx smallfirst ", "").replace("../../models", join(root, "models")).split(" ");
  await run(folder, process.execPath, "node_modules/smallfirst/dist/cli/main.js", ...args);
  return folder;
}

/** Waits until the page shows what fits. */
async function shows(page, pattern, complaints) {
  const fits = ([source]) => new RegExp(source, "s").test(document.querySelector("output")?.innerText ?? "");
  await page.waitForFunction(fits, [pattern.source], { timeout: 60_000 }).catch(async () => {
    assert.fail(`${pattern}: ${await page.textContent("body")}: ${complaints.join("\n")}`);
  });
}

const SAID = (answer) =>
  new RegExp(
    `^Answer\\n+${answer}\\n+Where\\n+On this device\\n+How sure\\n+[\\d.]+ %, guaranteed\\n+Why\\n+The local model is .* sure`,
  );

/** A picture of the page, where somebody wants to look at it. */
async function picture(page, name) {
  const folder = process.env.SMALLFIRST_PICTURES;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.png`), await page.screenshot());
}

for (const [name, about] of Object.entries(APPS)) {
  test(`${name}: the example answers while somebody types, under a strict policy, and takes its engine along`, async (t) => {
    const folder = await app(t, about);
    const [checker, ...flags] = about.check;
    await run(folder, process.execPath, join(here, "node_modules", checker), ...flags);
    appendFileSync(join(folder, "src/main.ts"), about.end);
    await build({ root: folder, logLevel: "error" });
    const { address } = await serve(t, join(folder, "dist"), {
      policy: `${POLICY}${TRUSTED} ${about.trusted}`,
      under: "/",
    });
    const browser = await launch(t);
    const before = performance.now();
    const { page, complaints, downloaded } = await visit(browser, address);
    await shows(page, SAID("German"), complaints);
    const ms = performance.now() - before;
    const installed = version(join(here, "node_modules", about.name));
    record(t, `${name}, by Vite`, { version: installed, ms, bytes: await downloaded() });
    await picture(page, `${about.name}-language`);

    // Only the last of several calls is shown, at once or later.
    const seen = await page.evaluateHandle(() => {
      const all = [];
      const look = () => all.push(document.querySelector("output").innerText);
      new MutationObserver(look).observe(document.querySelector("output"), {
        subtree: true,
        childList: true,
        characterData: true,
      });
      return all;
    });
    await page.evaluate(
      (texts) => {
        const box = document.querySelector("textarea");
        for (const text of texts) {
          box.value = text;
          box.dispatchEvent(new InputEvent("input", { bubbles: true }));
        }
      },
      ["Dit is een zin in het Nederlands, en die is lang genoeg.", "Questa è una frase in italiano.", FRENCH],
    );
    await shows(page, SAID("French"), complaints);
    assert.doesNotMatch((await seen.jsonValue()).join("\n"), /Dutch|Italian/);

    await page.getByLabel("Is it spam?").check();
    await page.fill("textarea", SPAM);
    await shows(page, SAID("Spam"), complaints);
    await picture(page, `${about.name}-spam`);
    await page.fill("textarea", " ");
    await shows(page, /^Type a text\.$/, complaints);

    assert.equal(page.workers().length, 1);
    const ended = page.workers()[0].waitForEvent("close");
    await page.evaluate(() => window.end());
    await ended;
    assert.equal(await page.textContent("#app"), "");
    assert.deepEqual(complaints, []);
  });

  test(`${name}: the example tells what failed, and goes on once it is there, on the server for development`, async (t) => {
    const folder = await app(t, about);
    const server = await createServer({ root: folder, logLevel: "error", server: { port: 0, host: "127.0.0.1" } });
    await server.listen();
    t.after(() => server.close());
    const { port } = server.httpServer.address();
    const page = await (await launch(t)).newPage();
    const complaints = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.route("**/models/manifest.json", (route) => route.fulfill({ status: 404 }));
    await page.goto(`http://127.0.0.1:${port}/`);
    await shows(page, /^not_a_bundle: there is no manifest at /, complaints);
    await picture(page, `${about.name}-failed`);
    await page.unroute("**/models/manifest.json");
    await page.fill("textarea", FRENCH);
    await shows(page, SAID("French"), complaints);
    assert.deepEqual(
      complaints.filter((text) => !/Failed to load resource.*404/.test(text)),
      [],
    );
    await page.close();
  });
}
