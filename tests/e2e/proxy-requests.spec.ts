// What the package itself asks, of every provider and in every way: the proxy knows all of it.

import { expect, test } from "./fixtures.js";
import { ready } from "./harness.js";
import { Upstream, proxyTo } from "./upstream.js";

const PROVIDERS: [string, object[]][] = [
  ["openai", [{}, { structured: "tool" }, { structured: "prompt" }, { maxTokensField: "max_tokens" }]],
  ["openai-responses", [{}, { structured: "tool" }, { structured: "prompt" }]],
  ["openai-decisions", [{}]],
  ["anthropic", [{}, { structured: "tool" }, { structured: "prompt" }, { apiVersion: "2023-06-01" }]],
  ["gemini", [{}, { structured: "tool" }, { structured: "prompt" }]],
  ["ollama", [{}, { structured: "prompt" }]],
];

test("it sends on what the package asks, of every provider and in every way", async ({ page, harness }) => {
  const api = await Upstream.start();
  const proxy = await proxyTo(api, { origins: [harness.address], perMinute: 10_000, hosts: [] });
  try {
    for (const [provider, ways] of PROVIDERS) {
      for (const way of ways) {
        const remote = {
          provider,
          baseUrl: proxy.address,
          model: "small",
          maxTokens: 20,
          ...(provider === "anthropic" && !("apiVersion" in way) ? {} : { temperature: 0.5 }),
          ...way,
        };
        await ready(page, harness.address, { remote, policy: { maxRetries: 0 } } as never);
        const before = api.seen.length;
        const said = await page.evaluate(async (writes) => {
          const labels = ["red", "green"];
          const run = await window.outcome(
            window.ai.run("colour", "The grass", { mode: "only-remote", labels, instruction: "Name the colour" }),
          );
          if (!writes) return [run];
          const history = [
            { role: "user", content: "Hello" },
            { role: "assistant", content: "Hello!" },
          ] as const;
          const stream = window.ai.generate("continue", "And then?", {
            mode: "only-remote",
            instruction: "Go on: {{input}}",
            history: [...history],
          });
          const read = async (): Promise<void> => {
            for await (const _ of stream);
          };
          return [
            run,
            await read().then(
              () => ({}),
              (thrown) => ({ error: window.failure(thrown) }),
            ),
          ];
        }, provider !== "openai-decisions");
        // What comes back is no answer of theirs; what matters is what went there.
        const refusals = JSON.stringify(said).match(/HTTP status 4\d\d[^"]*/g) ?? [];
        expect([provider, way, refusals]).toEqual([provider, way, []]);
        const bodies = api.seen.slice(before).map(({ body }) => JSON.parse(body) as object);
        expect([provider, way, bodies.length >= said.length]).toEqual([provider, way, true]);
      }
    }
  } finally {
    await proxy.stop();
    await api.stop();
  }
});
