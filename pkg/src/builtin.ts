// The browser's own language model (the Prompt API), where it has one. It lives on the page: workers do not see it.

import type { RemoteReply, RemoteRequest } from "./api.js";

/** The part of the Prompt API that is used. Shapes: npm @types/dom-chromium-ai 0.0.17. */
interface LanguageModel {
  availability(options: object): Promise<"unavailable" | "downloadable" | "downloading" | "available">;
  create(options: object): Promise<Session>;
}

interface Session {
  prompt(input: string, options: object): Promise<string>;
  promptStreaming(input: string, options: object): ReadableStream<string> & AsyncIterable<string>;
  measureContextUsage?(input: string, options?: object): Promise<number>;
  readonly contextUsage?: number;
  readonly contextWindow?: number;
  destroy(): void;
}

/**
 * Asks it. It is never downloaded for a call: that is gigabytes, and the user's decision.
 *
 * @throws Error - when there is none, or it cannot take this.
 */
export async function askBuiltin(
  request: RemoteRequest,
  languages: string[] | undefined,
): Promise<RemoteReply | AsyncIterable<string>> {
  const model = (globalThis as { LanguageModel?: LanguageModel }).LanguageModel;
  if (!model) throw new Error("this browser has no language model of its own");
  const said = languages ?? ["en"];
  // The same for both calls: availability is about exactly these options.
  const wanted = {
    expectedInputs: [{ type: "text", languages: said }],
    expectedOutputs: [{ type: "text", languages: said }],
  };
  const availability = await model.availability(wanted);
  if (availability !== "available") throw new Error(`the browser's language model is ${availability}`);
  const earlier = request.messages.slice(0, -1);
  const last = request.messages.at(-1)?.content ?? request.input;
  const session = await model.create({
    ...wanted,
    signal: request.signal,
    initialPrompts: [{ role: "system", content: request.system }, ...earlier],
  });
  try {
    const options = {
      signal: request.signal,
      ...(request.schema ? { responseConstraint: request.schema } : {}),
    };
    const usage = await session.measureContextUsage?.(last, options);
    if (
      usage !== undefined &&
      session.contextWindow !== undefined &&
      (session.contextUsage ?? 0) + usage > session.contextWindow
    ) {
      throw new Error("the text is over the context of the browser's language model");
    }
    if (request.stream) return pieces(session, last, options);
    return { text: await session.prompt(last, options) };
  } finally {
    if (!request.stream) session.destroy();
  }
}

async function* pieces(session: Session, input: string, options: object): AsyncGenerator<string> {
  try {
    const reader = session.promptStreaming(input, options).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    session.destroy();
  }
}
