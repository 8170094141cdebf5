import { expect, test } from "./fixtures.js";
import { open, ready, refused, run } from "./harness.js";

const UNSURE = "I guess the flight was okay, write me at ann@mail.example or +49 30 901820";

test("personal data stays here, and the answer says what left", async ({ page, harness, faults }) => {
  const bodies: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "POST") bodies.push(request.postData() ?? "");
  });
  const remote = { provider: "openai", baseUrl: `${faults.address}/echo`, model: "m" } as const;
  await ready(page, harness.address, {
    remote,
    mode: "only-remote",
    privacy: { redact: { patterns: { FLIGHT: "flight" } } },
  });
  const { answer } = await run(page, "sentiment", UNSURE);
  expect(answer!.sent).toHaveLength(1);
  expect(answer!.sent[0]!.redactions).toEqual({ email: 1, flight: 1, phone: 1 });
  expect(answer!.sent[0]!.body).toBe(bodies[0]);
  expect(bodies[0]).toContain("[FLIGHT_1]");
  for (const secret of ["ann@mail.example", "901820", "flight was"]) expect(bodies[0]).not.toContain(secret);
  const report = await page.evaluate(() => window.ai.egress());
  expect(report).toMatchObject({ requests: 1, bytes: Buffer.byteLength(bodies[0]!) });
  // A file's bytes cannot be redacted.
  const { error } = await run(page, "file-type", [37, 80, 68, 70]);
  expect(error).toMatchObject({ code: "egress_denied" });
  expect(bodies).toHaveLength(1);
});

test("the page may look, change, ask its user, and say no", async ({ page, harness, faults }) => {
  await open(page, harness.address);
  faults.requests = [];
  const seen = await page.evaluate(
    async ([unsure, baseUrl]) => {
      const remote = { provider: "openai", baseUrl, model: "m" };
      const told: object[] = [];
      const make = (privacy: object): Promise<typeof window.ai> =>
        window.create({ mode: "only-remote", remote, privacy, answerCache: { entries: 0 } });
      const changed = await make({ beforeRemote: (o: object) => (told.push(o), { text: "only this" }) });
      const { answer } = await window.outcome(changed.run("sentiment", unsure));
      const codes: (string | undefined)[] = [];
      for (const privacy of [
        { beforeRemote: () => false },
        { beforeRemote: () => Promise.reject(new Error("closed")) },
        { egress: "never" },
        { egress: "ask" },
        { egress: "ask", beforeRemote: () => undefined },
        { egress: "allow", tasks: { sentiment: "never" } },
      ]) {
        codes.push((await window.outcome((await make(privacy)).run("sentiment", unsure))).error?.code);
      }
      const agreed = await make({ egress: "ask", beforeRemote: () => true });
      return { told, body: answer!.sent[0]!.body, codes, agreed: (await agreed.run("sentiment", unsure)).ranOn };
    },
    [UNSURE, `${faults.address}/echo`] as const,
  );
  expect(seen.told).toHaveLength(1);
  expect(seen.told[0]).toMatchObject({
    task: "sentiment",
    endpoints: [`${faults.address}/echo`],
    messages: [{ role: "user", content: UNSURE }],
    text: UNSURE,
    extraBody: {},
    redactions: {},
    ask: false,
  });
  const { instruction, system, labels } = seen.told[0] as {
    instruction: string;
    system: string;
    labels: { id: string }[];
  };
  expect(system).toContain(instruction);
  expect(labels.map((label) => label.id)).toContain("neutral");
  expect(seen.body).toContain("only this");
  expect(seen.body).not.toContain("ann@");
  expect(seen.codes).toEqual(Array<string>(6).fill("egress_denied"));
  expect(seen.agreed).toBe("remote");
  expect(faults.requests.filter((r) => r.startsWith("POST"))).toHaveLength(2);
});

test("every turn of a text is shown before it leaves, and a part cannot stand for the whole", async ({
  page,
  harness,
  faults,
}) => {
  await open(page, harness.address);
  faults.requests = [];
  const seen = await page.evaluate(async (baseUrl) => {
    const remote = { provider: "openai", baseUrl, model: "m" };
    const told: { system: string; messages: object[] }[] = [];
    const write = async (say: (outgoing: { messages: { content: string }[] }) => unknown) => {
      const beforeRemote = (outgoing: never): unknown => (told.push(outgoing), say(outgoing));
      const ai = await window.create({
        remote,
        privacy: { beforeRemote },
        policy: { maxRetries: 0 },
        answerCache: { entries: 0 },
      });
      const history = [
        { role: "user" as const, content: "the first turn" },
        { role: "assistant" as const, content: "the reply" },
      ];
      const stream = ai.generate("poem", "the last turn", { instruction: "Write a poem.", history });
      const error = await stream.answer.then(() => undefined, window.failure);
      const sent = (await ai.egress()).sent.map((s) => s.body);
      return { code: error?.code, message: error?.message, sent };
    };
    const part = await write(() => ({ text: "only this" }));
    const typo = await write(() => ({ allowed: true }));
    const all = await write(({ messages }) => ({ messages: messages.map((m) => ({ ...m, content: "changed" })) }));
    return { told: told[0]!, part, typo, all };
  }, `${faults.address}/echo`);
  expect(seen.told).toMatchObject({
    system: "Write a poem.",
    messages: [
      { role: "user", content: "the first turn" },
      { role: "assistant", content: "the reply" },
      { role: "user", content: "the last turn" },
    ],
  });
  for (const refused of [seen.part, seen.typo]) expect(refused).toMatchObject({ code: "egress_denied", sent: [] });
  expect(seen.part.message).toContain("3 messages");
  expect(seen.all.sent).toHaveLength(1);
  expect(seen.all.sent[0]).not.toContain("turn");
});

test("a misspelt task in the privacy options is refused at the start", async ({ page, harness, faults }) => {
  await open(page, harness.address);
  const remote = { provider: "openai", baseUrl: `${faults.address}/echo`, model: "m" };
  const error = await refused(page, { remote, privacy: { tasks: { sentimint: "never" } } });
  expect(error).toMatchObject({ code: "invalid_option" });
  expect(error!.message).toContain("sentimint");
  expect(await refused(page, { remote, privacy: { tasks: { triage: "ask" }, ownTasks: ["triage"] } })).toBeUndefined();
});

test("a key in a page needs a clear word", async ({ page, harness, faults }) => {
  await open(page, harness.address);
  const keys: Record<string, string>[] = [];
  page.on("request", (request) => {
    if (request.url().includes("/echo/")) keys.push(request.headers());
  });
  for (const provider of ["openai", "anthropic", "gemini"]) {
    const remote = { provider, baseUrl: `${faults.address}/echo`, model: "m", apiKey: "sk-secret" };
    const error = await refused(page, { remote });
    expect(error).toMatchObject({ code: "invalid_option" });
    expect(error!.message).toContain("dangerouslyAllowBrowser");
    expect(error!.message).not.toContain("sk-secret");
    await page.evaluate(async (remote) => {
      const ai = await window.create({
        mode: "only-remote",
        policy: { maxRetries: 0 },
        remote: { ...remote, dangerouslyAllowBrowser: true },
      });
      await window.outcome(ai.run("sentiment", "so so"));
    }, remote);
  }
  const sent = keys.map((k) => k["authorization"] ?? k["x-goog-api-key"]);
  expect(sent.filter((k) => k === "Bearer sk-secret").length).toBeGreaterThanOrEqual(1);
  expect(keys.some((k) => k["anthropic-dangerous-direct-browser-access"] === "true")).toBe(true);
  expect(keys.some((k) => k["x-goog-api-key"] === "sk-secret")).toBe(true);
});

test("wrong options are refused with their names", async ({ page, harness }) => {
  await open(page, harness.address);
  const remote = { provider: "openai", baseUrl: "/llm", model: "m" };
  for (const [options, word] of [
    [{ remote: { ...remote, temprature: 1 } }, "temprature"],
    [{ remote, policy: { maxRetries: 99 } }, "maxRetries"],
    [{ remote, policy: { retries: 1 } }, "retries"],
    [{ remote, budget: { perDay: 1 } }, "perDay"],
    [{ remote, privacy: { redact: { patterns: { A: "(" } } } }, "pattern"],
    [{ remote, privacy: { tasks: { spam: "sometimes" } } }, "sometimes"],
    [{ remote: { provider: "custom" } }, "run"],
    [{ remote: { provider: "openai", model: "m" } }, "baseUrl"],
    [{ remote: { ...remote, provider: "anthropic", temperature: 0 } }, "temperature"],
    [{ remote: 7 }, "remote"],
  ] as const) {
    const error = await refused(page, options);
    expect(error?.code, word).toBe("invalid_option");
    expect(error!.message).toContain(word);
  }
});
