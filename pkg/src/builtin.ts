// The browser's own language model (the Prompt API), where it has one. It lives on the page: workers do not see it.

import type { RemoteReply, RemoteRequest } from "./api.js";
import type { Attachment, Message } from "./types.js";

/** The part of the Prompt API that is used. Shapes: npm @types/dom-chromium-ai 0.0.17. */
interface LanguageModel {
  availability(options: object): Promise<"unavailable" | "downloadable" | "downloading" | "available">;
  create(options: object): Promise<Session>;
}

/** What is said: a text, or a message of parts. */
type Said = string | { role: string; content: string | { type: string; value: string | Blob }[] }[];

interface Session {
  prompt(input: Said, options: object): Promise<string>;
  promptStreaming(input: Said, options: object): ReadableStream<string> & AsyncIterable<string>;
  measureContextUsage?(input: Said, options?: object): Promise<number>;
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
  const { attachment } = request;
  const wanted = {
    expectedInputs: [{ type: "text", languages: said }, ...(attachment ? [{ type: medium(attachment) }] : [])],
    expectedOutputs: [{ type: "text", languages: said }],
  };
  const availability = await model.availability(wanted);
  if (availability !== "available") throw new Error(`the browser's language model is ${availability}`);
  const messages = request.messages.map((message, at) =>
    at === 0 && attachment ? withFile(message, attachment) : message,
  );
  const earlier = messages.slice(0, -1);
  const latest = messages.at(-1);
  const last = latest === undefined ? request.input : typeof latest.content === "string" ? latest.content : [latest];
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

/** What the Prompt API calls a file of that type. */
function medium({ type }: Attachment): string {
  return type.startsWith("image/") ? "image" : "audio";
}

function withFile({ role, content }: Message, file: Attachment): Exclude<Said, string>[number] {
  const bytes = Uint8Array.from(atob(file.data), (letter) => letter.charCodeAt(0));
  const value = new Blob([bytes], { type: file.type });
  return {
    role,
    content: [
      { type: "text", value: content },
      { type: medium(file), value },
    ],
  };
}

async function* pieces(session: Session, input: Said, options: object): AsyncGenerator<string> {
  try {
    const reader = session.promptStreaming(input, options).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    session.destroy();
  }
}
