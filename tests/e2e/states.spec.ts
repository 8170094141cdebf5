// What visitors meet with who have less than others: an old browser, no room, no microphone, too large a file. Each has words of its own, and
// the page goes on.

import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expect, root, test } from "./fixtures.js";
import { looked } from "./looks.js";

const status = (page: Page) => page.locator("#status");

async function loaded(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await expect(status(page)).toHaveAttribute("data-state", /^(offline-ready|online-only)$/, { timeout: 60_000 });
}

test("a browser without SIMD is told what to do", async ({ page, site }) => {
  await page.addInitScript(() => {
    WebAssembly.validate = () => false;
  });
  await page.goto(site.address);
  await expect(status(page)).toHaveAttribute("data-state", "failed", { timeout: 30_000 });
  await expect(page.locator("#error")).toHaveAttribute("data-code", "no_wasm_simd");
  await expect(page.locator("#error")).toContainText("This browser is too old for the models. Chrome 100");
  await expect(page.getByTestId("label")).toHaveText("No answer");
  await looked(page, "state-old-browser");
});

test("where the browser has no room, the page answers and does not promise to work offline", async ({
  page,
  site,
  expected,
}) => {
  expected.push(/quota|Quota/);
  const session = await page.context().newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(site.address).origin, quotaSize: 100_000 });
  await loaded(page, site.address);
  await expect(status(page)).toHaveText("Ready. This browser has no room to keep the page, so it needs a network.");
  await expect(page.getByTestId("label")).toHaveText("German");
  await page.locator("#input").fill("Missä on lähin rautatieasema ja milloin juna lähtee?");
  await expect(page.getByTestId("label")).toHaveText("Finnish");
  await looked(page, "state-no-room");
});

test("a file of 300 MB is answered or refused, and the next one is taken", async ({ page, site }) => {
  const folder = mkdtempSync(join(tmpdir(), "smallfirst-large-"));
  const path = join(folder, "large.tar");
  const file = openSync(path, "w");
  writeSync(file, "PK\u0003\u0004");
  ftruncateSync(file, 300 * 1024 * 1024);
  closeSync(file);
  try {
    await loaded(page, site.address);
    await page.locator("input[name=mode][value=only-local]").check();
    await page.getByTestId("task-file-type").check();
    await page.locator("#file").setInputFiles(path);
    await expect(page.locator("#result")).not.toHaveAttribute("aria-busy", /.*/, { timeout: 60_000 });
    await expect(page.getByTestId("label")).not.toHaveText("…");
    await looked(page, "state-large-file");
    await page.locator("#file").setInputFiles(join(root, "src/engine.rs"));
    await expect(page.getByTestId("label")).toHaveText(/^Rust/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("files are dropped and pasted, too", async ({ page, site }) => {
  await loaded(page, site.address);
  await page.locator("input[name=mode][value=only-local]").check();
  await page.getByTestId("task-file-type").check();
  const given = (text: string, name: string) =>
    page.evaluateHandle(
      ([content, called]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([content!], called!));
        return transfer;
      },
      [text, name],
    );
  const python =
    "import os\n\n\ndef main():\n    for name in os.listdir('.'):\n        print(name)\n\n\nif __name__ == '__main__':\n    main()\n";
  await page.dispatchEvent("#file-input", "drop", { dataTransfer: await given(python, "list.py") });
  await expect(page.getByTestId("label")).toHaveText(/^Python/);
  await expect(page.locator("#file-name")).toContainText("list.py");
  const html =
    "<!doctype html>\n<html lang=en>\n<head><title>A page</title></head>\n<body><p>Hello, world.</p></body>\n</html>\n";
  const clipboard = await given(html, "page");
  await clipboard.evaluate((clipboardData) => {
    document.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  });
  await expect(page.getByTestId("label")).toHaveText(/^HTML/);
});
