// The demo's server and what its page keeps to itself.

import { expect, test } from "./fixtures.js";
import { Local } from "./servers.js";
import { raw } from "./upstream.js";

test("its policy is in the page and in the header, which binds workers and frames, too", async ({ page, site }) => {
  const answer = await page.goto(site.address);
  const header = answer!.headers()["content-security-policy"]!;
  const meta = await page.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute("content");
  expect(header).toBe(`${meta}; frame-ancestors 'none'`);
  for (const rule of [
    "base-uri 'none'",
    "form-action 'none'",
    "object-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
  ])
    expect(meta).toContain(rule);
  for (const path of ["sw.js", "models/manifest.json"]) {
    expect((await fetch(site.address + path)).headers.get("content-security-policy")).toBe(header);
  }
  // Under it, the models still run.
  await expect(page.locator("#status")).toHaveAttribute("data-state", /ready/);
  await page.getByLabel("This device only").check();
  await page.locator("#input").fill("Wo ist der Bahnhof?");
  await expect(page.locator("#run")).toBeEnabled();
  await page.locator("#run").click();
  await expect(page.getByTestId("ran-on")).not.toBeEmpty();
});

test("paths that are none are refused, and it lives", async ({ site }) => {
  const port = Number(new URL(site.address).port);
  for (const target of ["//", "//evil.example/%2e%2e", "/%E0%A4%A", "*"]) {
    const answer = await raw(port, `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    expect([target, answer.slice(9, 12), /content-type: application\/json/i.test(answer)]).toEqual([
      target,
      "400",
      true,
    ]);
  }
  for (const path of ["nothing-here", "models/", "models", "..%2f..%2fpackage.json", ".git/config"]) {
    const answer = await fetch(site.address + path);
    expect([path, answer.status, answer.headers.get("content-type")]).toEqual([
      path,
      expect.any(Number),
      "application/json",
    ]);
    expect([400, 403, 404]).toContain(answer.status);
  }
  expect((await fetch(site.address, { method: "POST" })).status).toBe(405);
  expect((await fetch(`${site.address}demo.json`)).status).toBe(200);
});

test("a token goes only to the address beside which it was typed", async ({ page, site }) => {
  const seen: { path: string; token: string | undefined }[] = [];
  const other = await Local.start((request, response, path) => {
    seen.push({ path, token: request.headers.authorization });
    response.setHeader("content-type", "application/json").end('{"data":[]}');
  });
  try {
    await page.goto(site.address);
    await expect(page.locator("#fallback-status")).toContainText("smollm2-135m");
    const [address, token, status] = [
      page.locator("#base-url"),
      page.locator("#token"),
      page.locator("#fallback-status"),
    ];
    await address.fill(`${other.address}/first`);
    await token.fill("secret-1");
    await page.locator("#test").click();
    await expect(status).toContainText("It answers");
    expect(seen.at(-1)).toEqual({ path: "/first/models", token: "Bearer secret-1" });

    await address.fill(`${other.address}/second`);
    await expect(token).toHaveValue("");
    await expect(status).toContainText("The token was cleared");
    await page.screenshot({ path: test.info().outputPath("token-cleared.png"), fullPage: true });
    await page.locator("#test").click();
    await expect.poll(() => seen.at(-1)).toEqual({ path: "/second/models", token: undefined });

    // A token that is typed, and not yet used, does not go to the address that is in use.
    await address.fill(`${other.address}/first`);
    await token.fill("secret-2");
    await page.locator("#apply").click();
    await expect(status).toContainText("/first");
    await address.fill(`${other.address}/second`);
    await token.fill("secret-3");
    await page.getByLabel("Remote only").check();
    await page.locator("#input").fill("Wo ist der Bahnhof?");
    await expect(page.locator("#run")).toBeEnabled();
    await page.locator("#run").click();
    await expect.poll(() => seen.at(-1)?.path).toBe("/first/chat/completions");
    expect(seen.filter(({ token }) => token === "Bearer secret-3")).toEqual([]);
    expect(seen.at(-1)!.token).toBe("Bearer secret-2");
  } finally {
    await other.stop();
  }
});
