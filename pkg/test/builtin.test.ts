import assert from "node:assert/strict";
import { test } from "node:test";

import type { RemoteRequest } from "../src/api.js";
import { askBuiltin } from "../src/builtin.js";

interface Part {
  type: string;
  value: string | Blob;
}

interface Told {
  role: string;
  content: string | Part[];
}

/** A language model that notes what it is asked. */
function model(asked: { created?: object; said?: string | Told[] }): object {
  const session = {
    prompt: async (said: string | Told[]) => ((asked.said = said), "{}"),
    destroy: () => {},
  };
  return {
    availability: async () => "available",
    create: async (options: object) => ((asked.created = options), session),
  };
}

async function ask(more: Partial<RemoteRequest>): Promise<{ created?: object; said?: string | Told[] }> {
  const asked: { created?: object; said?: string | Told[] } = {};
  const there = globalThis as { LanguageModel?: object };
  there.LanguageModel = model(asked);
  const request = {
    messages: [{ role: "user", content: "The image is attached." }],
    system: "The rules.",
    attachment: null,
    stream: false,
    ...more,
  };
  try {
    await askBuiltin(request as RemoteRequest, undefined);
  } finally {
    delete there.LanguageModel;
  }
  return asked;
}

test("words are asked as words", async () => {
  const { said, created } = await ask({});
  assert.equal(said, "The image is attached.");
  const { expectedInputs } = created as { expectedInputs: object[] };
  assert.deepEqual(expectedInputs, [{ type: "text", languages: ["en"] }]);
});

test("a file goes with the first message, as the browser's model takes it", async () => {
  const image = { type: "image/jpeg", data: "AQID" };
  const { said, created } = await ask({ attachment: image });
  const [message] = said as Told[];
  const [text, file] = (message?.content ?? []) as Part[];
  assert.deepEqual(text, { type: "text", value: "The image is attached." });
  assert.equal(file?.type, "image");
  const blob = file?.value as Blob;
  assert.equal(blob.type, "image/jpeg");
  assert.deepEqual([...new Uint8Array(await blob.arrayBuffer())], [1, 2, 3]);
  const { expectedInputs } = created as { expectedInputs: object[] };
  assert.deepEqual(expectedInputs[1], { type: "image" });

  const sound = { type: "audio/wav", data: "AQID" };
  const messages = ["a", "b", "c"].map((content) => ({ role: "user" as const, content }));
  const again = await ask({ attachment: sound, messages });
  // Asked once more, it is still with the first one.
  assert.equal(again.said, "c");
  const { initialPrompts } = again.created as { initialPrompts: Told[] };
  assert.equal((initialPrompts[1]?.content as Part[] | undefined)?.[1]?.type, "audio");
  assert.equal(initialPrompts[2]?.content, "b");
});
