import { expect, test } from "./fixtures.js";
import { open, ready, refused, run } from "./harness.js";

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

test("an option of the wrong kind is told by its name, and what it must be", async ({ page, harness }) => {
  await ready(page, harness.address);
  const remote = { provider: "openai", baseUrl: "/llm/v1", model: "m" };
  const told: [object, string][] = [
    [{ risk: "0.05" }, `risk must be a number above 0 and below 1, for example 0.05, not the string "0.05"`],
    [
      { mode: "maybe" },
      `mode must be "only-local", "prefer-local", "prefer-remote" or "only-remote", not the string "maybe"`,
    ],
    [{ remote: { ...remote, temperature: Number.NaN } }, "remote.temperature must be a number, not NaN"],
    [{ policy: { maxRetries: Infinity } }, "policy.maxRetries must be a number, not inf"],
    [
      { policy: { maxRetries: "2" } },
      `policy.maxRetries must be a whole number from 0 to 4294967295, not the string "2"`,
    ],
    [{ budget: { requests: 5 } }, `budget: there is no option "requests"; the options are requestsPerMinute,`],
    [{ learn: { risk: "x" } }, `learn.risk must be a number above 0 and below 1, for example 0.05, not the string "x"`],
    [{ remote: { ...remote, temperature: "hot" } }, `remote.temperature must be a number, not the string "hot"`],
    [
      { remote: [remote, { ...remote, temperature: "hot" }] },
      `remote[1].temperature must be a number, not the string "hot"`,
    ],
  ];
  for (const [options, words] of told) {
    const error = await refused(page, options);
    expect(error, JSON.stringify(options)).toMatchObject({
      code: "invalid_option",
      message: expect.stringContaining(words),
    });
  }
  for (const [options, words] of [
    [{ risk: "0.05" }, `risk must be a number above 0 and below 1, for example 0.05, not the string "0.05"`],
    [{ topK: 1.5 }, "topK must be a whole number from 0 to 4294967295, not 1.5"],
    [{ labels: "spam" }, `labels must be a list, not the string "spam"`],
  ] as const) {
    const { error } = await run(page, "language", "text", options);
    expect(error, JSON.stringify(options)).toMatchObject({
      code: "invalid_option",
      message: expect.stringContaining(words),
    });
  }
});

test("what is no address is refused, and not looked for under its name", async ({ page, harness }) => {
  await open(page, harness.address);
  const remote = { provider: "openai", baseUrl: 5, model: "m" };
  for (const [options, words] of [
    [{ bundle: null }, "bundle must be an address, a string or a URL, not null"],
    [{ bundle: 5 }, "bundle must be an address, a string or a URL, not of type number"],
    [{ remote }, "remote.baseUrl must be an address, a string or a URL, not of type number"],
    [{ wasm: true }, "wasm must be an address, a string or a URL, not of type boolean"],
    [{ wasm: null }, "wasm must be an address, a string or a URL, not null"],
  ] as const) {
    expect(await refused(page, options), JSON.stringify(options)).toMatchObject({
      code: "invalid_option",
      message: words,
    });
  }
  // A URL of another frame is one; what is not there at all does not come through the protocol of the tests.
  const [missing, foreign] = await page.evaluate(async () => {
    const missing = await window.create({ bundle: undefined }).catch((thrown: unknown) => window.failure(thrown));
    const frame = document.body.appendChild(document.createElement("iframe"));
    const { URL: Foreign } = frame.contentWindow as unknown as typeof globalThis;
    const made = await window.create({ bundle: new Foreign("/models/", location.href) });
    return [missing, (await made.tasks()).length] as const;
  });
  expect(missing).toMatchObject({
    code: "invalid_option",
    message: "bundle must be an address, a string or a URL, not undefined",
  });
  expect(foreign).toBeGreaterThan(3);
});
