import { defineConfig } from "@playwright/test";

const executablePath = process.env["CHROME"];
if (!executablePath) throw new Error("CHROME is not set: run `cargo xtask test --only e2e`");

export default defineConfig({
  testDir: ".",
  outputDir: "../../target/e2e",
  // Two would halve the time, but for the tests that ask the LLM: they wait for each other then, past their deadlines.
  workers: 1,
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
