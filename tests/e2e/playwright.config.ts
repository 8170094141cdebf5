import { defineConfig } from "@playwright/test";
import type { PerWorker } from "./fixtures.js";

const executablePath = process.env["CHROME"];
if (!executablePath) throw new Error("CHROME is not set: run `cargo xtask test --only e2e`");

/** What mostly waits for times to pass, and so takes little from the others. */
const WAITS = /hanging\.spec\.ts$/;

/** What asks the LLM, which is slow: two such tests at once would wait for each other, past their deadlines. */
const ASKS_LLM = /(demo|docs-page|examples|remote|site|support|text|frameworks)\.spec\.ts$/;

export default defineConfig<object, Pick<PerWorker, "withLlm">>({
  testDir: ".",
  outputDir: "../../target/e2e",
  workers: 4,
  projects: [
    { name: "LLM", testMatch: ASKS_LLM, workers: 1, use: { withLlm: true } },
    { name: "waiting", testMatch: WAITS, workers: 1 },
    // Browsers wait for much; two keep both processors busy once the LLM has nothing to do.
    { name: "device", testIgnore: [ASKS_LLM, WAITS], workers: 2 },
  ],
  timeout: 120_000,
  reporter: "list",
  use: {
    browserName: "chromium",
    launchOptions: {
      executablePath,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
