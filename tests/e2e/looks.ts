// How pages look and what whoever hears or types finds, at the widths and in the colours that visitors have.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type Page } from "@playwright/test";
import { root } from "./servers.js";

const AXE = readFileSync(join(root, "tests/e2e/node_modules/axe-core/axe.min.js"), "utf8");

/** Waits until the demo has loaded and kept all that it loads by itself. */
export async function loaded(page: Page): Promise<void> {
  await expect(page.locator("#status")).toHaveAttribute("data-state", "offline-ready", { timeout: 60_000 });
}

const WIDTHS = { phone: 360, desktop: 1280 };

/** What axe finds in a page, or in a part of it. */
export function violations(page: Page, part?: string): Promise<string[]> {
  // Through the debugger, for a page's policy runs no script of others.
  return page.evaluate<string[]>(
    `(() => { ${AXE}; return axe.run(${part === undefined ? "document" : JSON.stringify(part)}).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + " " + html))); })()`,
  );
}

/**
 * No layout of any width has a problem for whoever hears or types, and nothing is cut off; a picture of each is kept under
 * `target/screenshots/`. `part` is what of the page is looked at.
 */
export async function looked(page: Page, name: string, part?: string): Promise<void> {
  for (const scheme of ["light", "dark"] as const) {
    for (const [place, width] of Object.entries(WIDTHS)) {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: 800 });
      const path = join(root, `target/screenshots/${name}-${place}-${scheme}.png`);
      if (part === undefined) await page.screenshot({ path, fullPage: true });
      else await page.locator(part).screenshot({ path });
      const wide = await page.evaluate(() =>
        [...document.querySelectorAll("body *")]
          .filter(
            (e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".cards, .examples, .wide, .unseen"),
          )
          .map((e) => `${e.tagName} ${e.id} ${e.className}`),
      );
      expect([name, place, wide]).toEqual([name, place, []]);
      // Each width and each scheme once: what depends on both is colour, and that is the same at every width.
      if ((place === "phone") === (scheme === "light"))
        expect([name, place, scheme, await violations(page, part)]).toEqual([name, place, scheme, []]);
    }
  }
}
