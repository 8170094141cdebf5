// The second tier of `sentiment` in the browser: it is fetched when the first is not sure enough, and only then.

import { expect, test } from "./fixtures.js";
import { ready } from "./harness.js";

const SURE = "I love this, what a wonderful day! Thank you so much";
const UNSURE = [
  "not bad at all, I would fly with them again",
  "two hours on hold and then the line went dead",
  "my bag arrived before I did",
  "the crew was fine, the food was not",
];

test("what the static tier is not sure of goes to the second, which is fetched for it", async ({ page, harness }) => {
  const fetched: string[] = [];
  page.on("request", (request) => fetched.push(new URL(request.url()).pathname));
  const ofSecondTier = () => fetched.filter((path) => path.includes("minilm"));
  await ready(page, harness.address, { mode: "only-local", risk: 0.1, cache: "none" });
  const run = (text: string) =>
    page.evaluate(async (text) => {
      const answer = await window.ai.run("sentiment", text);
      const tiers = answer.attempts.filter((attempt) => attempt.on === "local").map((attempt) => attempt.tier);
      return { tier: answer.tier, tiers, label: answer.output.label, outcomes: answer.attempts.map((a) => a.outcome) };
    }, text);

  expect(await run(SURE)).toEqual({
    tier: "sentiment",
    tiers: ["sentiment"],
    label: "positive",
    outcomes: ["answered"],
  });
  expect(ofSecondTier()).toEqual([]);
  const answers = [];
  for (const text of UNSURE) answers.push(await run(text));
  expect(answers.some(({ tiers }) => tiers.includes("sentiment-minilm"))).toBe(true);
  expect(ofSecondTier().length).toBeGreaterThan(0);
});
