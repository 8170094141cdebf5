// The optional second tier in the browser. It is fetched and trained by `cargo xtask cascade`, which takes a
// quarter of an hour; without it there is nothing to test.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, root, test } from "./fixtures.js";
import { ready } from "./harness.js";

const bundle = join(root, "target/cascade");

test("what the static tier is not sure of goes to MiniLM, and only then to the remote", async ({ page, harness }) => {
  test.skip(!existsSync(join(bundle, "manifest.json")), "run `cargo xtask cascade` first");
  test.setTimeout(120_000);
  await page.route("**/models/**", (route) => {
    const path = new URL(route.request().url()).pathname.replace("/models/", "");
    return route.fulfill({ path: join(bundle, path) });
  });
  await ready(page, harness.address, { mode: "only-local", risk: 0.2, cache: "none" });
  const tweets = [
    "I love this, what a wonderful day! Thank you so much",
    "@airline could you tell me when the next flight leaves?",
    "not bad at all, I would fly with them again",
    "two hours on hold and then the line went dead",
    "my bag arrived before I did",
    "the crew was fine, the food was not",
  ];
  const answers = await page.evaluate(async (tweets) => {
    const items = await window.ai.runBatch("sentiment", tweets);
    return items.map((item) =>
      item.ok ? { tier: item.answer.tier, tried: item.answer.attempts.map((a) => a.tier) } : item.error.code,
    );
  }, tweets);
  console.log(JSON.stringify(answers));
  expect(answers[0]).toEqual({ tier: "sentiment", tried: ["sentiment"] });
  expect(answers.some((a) => typeof a === "object" && a.tried.includes("sentiment-minilm"))).toBe(true);
});
