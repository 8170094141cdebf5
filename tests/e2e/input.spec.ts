import { expect, test } from "./fixtures.js";
import { ready, refused, run } from "./harness.js";

test("bad inputs have codes, and the instance stays usable", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const cases: [string, string | number[], object, string][] = [
    ["language", "", {}, "empty_input"],
    ["language", "?!", {}, "input_too_short"],
    ["language", "12345 67890 12345", {}, "input_too_short"],
    ["spam", "word ".repeat(2_000_000), {}, "input_too_long"],
    ["language", "half a pair: \ud83d and more text", {}, "invalid_text"],
    ["file-type", [1, 2, 3], {}, "input_too_short"],
    ["file-type", Array.from({ length: 100 }, () => 32), {}, "input_too_short"],
    ["file-type", [], {}, "empty_input"],
    ["file-type", "text", {}, "input_kind"],
    ["language", [1, 2, 3, 4, 5, 6, 7, 8], {}, "input_kind"],
    ["nope", "text", {}, "unknown_task"],
    ["language", "text", { topk: 3 }, "invalid_option"],
    ["language", "text", { mode: "sometimes" }, "invalid_option"],
  ];
  for (const [task, input, options, code] of cases) {
    const { error } = await run(page, task, input, options);
    expect(error, `${task} ${code}`).toMatchObject({ name: "SmallFirstError", code });
    expect(error!.message.length).toBeGreaterThan(10);
  }
  const { answer } = await run(page, "language", "Wo ist denn hier der Bahnhof, bitte?");
  expect(answer?.output.label).toBe("deu");
});

test("bad options are refused before anything is fetched", async ({ page, harness }) => {
  await ready(page, harness.address);
  const remote = { provider: "openai", baseUrl: "/llm/v1", model: "m" };
  for (const options of [
    { mood: "good" },
    { mode: "maybe" },
    { remote: { ...remote, apiKey: "sk-secret" } },
    { remote: { ...remote, provider: "nobody" } },
    { remote: { ...remote, model: "" } },
    { remote: { ...remote, timeoutMs: 0 } },
    { maxBundleBytes: 0 },
  ]) {
    expect(await refused(page, options), JSON.stringify(options)).toMatchObject({ code: "invalid_option" });
  }
  expect((await refused(page, { remote: { ...remote, apiKey: "sk-secret" } }))!.message).toContain("headers");
});
