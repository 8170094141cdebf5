// What was measured on.

import { cpus, release, totalmem, type } from "node:os";
import { Browser } from "./browser.js";
import type { Results } from "./results.js";

export function machine(): Results["machine"] {
  const all = cpus();
  return { cpu: all[0]?.model.trim() ?? "unknown", cores: all.length, memory: totalmem(), system: `${type()} ${release()}` };
}

export async function chromiumVersion(): Promise<string> {
  const browser = await Browser.start();
  try {
    const session = await browser.context.newCDPSession(browser.page);
    const { product } = await session.send("Browser.getVersion");
    return product.replace(/^.*\//, "");
  } finally {
    await browser.stop();
  }
}
