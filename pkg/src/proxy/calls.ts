// The calls that are let through: plain text chats as smallfirst and the official clients ask for them, in each wire
// format. No addresses, files or stored conversations, and no tools but functions of the caller's own.

import {
  type Place,
  type Shape,
  byField,
  camel,
  choices,
  flag,
  isObject,
  json,
  list,
  number,
  object,
  oneOf,
  record,
  text,
  textOr,
  tokens,
  whole,
} from "./fields.js";

/** The calls, by the names they have in the option `fields`. */
export const CALLS = [
  "/chat/completions",
  "/responses",
  "/decisions",
  "/messages",
  "/api/chat",
  "/models/{model}:generateContent",
  "/models",
] as const;

/** The name of a call: its path, with `{model}` for a model's name. */
export type CallName = (typeof CALLS)[number];

/** One wire format. */
export interface Format {
  readonly shape: Shape;
  /** Dotted names of the fields that limits are checked in: they cannot be let through as they are. */
  readonly guarded: readonly string[];
  /** How its fields are spelt. */
  readonly spelling?: (name: string) => string;
  /** Sets what is not to be left to the API's own default. */
  readonly complete: (body: Record<string, unknown>, place: Place) => void;
}

/** The object in a field, which is there afterwards. */
function within(body: Record<string, unknown>, name: string): Record<string, unknown> {
  const there = body[name];
  if (isObject(there)) return there;
  const made: Record<string, unknown> = {};
  body[name] = made;
  return made;
}

const schema = object;
const sampling = { temperature: number(0, 2), top_p: number(0, 1) };
const stops = textOr(list(text));

// OpenAI: npm openai 7.57.0, resources/chat/completions, resources/responses, resources/decisions.

const textPart = byField("type", { text: record({ type: text, text }) });
const calledFunction = record({
  type: oneOf("function"),
  id: text,
  index: whole(0, 1000),
  function: record({ name: text, arguments: text }),
});
const said = { role: text, name: text, content: textOr(list(textPart)) };
const messages = list(
  byField("role", {
    user: record(said),
    system: record(said),
    developer: record(said),
    assistant: record({ ...said, refusal: text, tool_calls: list(calledFunction) }),
    tool: record({ ...said, tool_call_id: text }),
  }),
);

const chatCompletion: Format = {
  guarded: ["model", "max_tokens", "max_completion_tokens", "n"],
  shape: record({
    model: text,
    messages,
    stream: flag,
    stream_options: record({ include_usage: flag, include_obfuscation: flag }),
    max_tokens: tokens,
    max_completion_tokens: tokens,
    n: choices,
    ...sampling,
    presence_penalty: number(-2, 2),
    frequency_penalty: number(-2, 2),
    stop: stops,
    seed: whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    logprobs: flag,
    top_logprobs: whole(0, 20),
    reasoning_effort: text,
    verbosity: text,
    store: oneOf(false),
    response_format: byField("type", {
      text: record({ type: text }),
      json_object: record({ type: text }),
      json_schema: record({ type: text, json_schema: record({ name: text, description: text, strict: flag, schema }) }),
    }),
    tools: list(
      byField("type", {
        function: record({
          type: text,
          function: record({ name: text, description: text, strict: flag, parameters: schema }),
        }),
      }),
    ),
    tool_choice: textOr(byField("type", { function: record({ type: text, function: record({ name: text }) }) })),
    parallel_tool_calls: flag,
  }),
  complete(body, place) {
    const given = ["max_tokens", "max_completion_tokens"].filter((name) => name in body);
    if (given.length === 2)
      place.field("max_tokens").refuse("invalid_value", "and max_completion_tokens say the same: give one of them");
    if (given.length === 0) body[place.bounds.tokensField] = place.bounds.maxTokens;
  },
};

const inputPart = byField("type", {
  input_text: record({ type: text, text }),
  output_text: record({ type: text, text, annotations: list(json), logprobs: list(json) }),
  refusal: record({ type: text, refusal: text }),
});
const inputItem = byField("type", {
  message: byField("role", {
    user: record({ type: text, role: text, id: text, status: text, content: textOr(list(inputPart)) }),
    system: record({ type: text, role: text, id: text, status: text, content: textOr(list(inputPart)) }),
    developer: record({ type: text, role: text, id: text, status: text, content: textOr(list(inputPart)) }),
    assistant: record({
      type: text,
      role: text,
      id: text,
      status: text,
      phase: text,
      content: textOr(list(inputPart)),
    }),
  }),
  function_call: record({ type: text, id: text, status: text, call_id: text, name: text, arguments: text }),
  function_call_output: record({ type: text, id: text, status: text, call_id: text, output: text }),
});

const response: Format = {
  guarded: ["model", "max_output_tokens"],
  shape: record({
    model: text,
    instructions: text,
    input: textOr(list(inputItem)),
    stream: flag,
    stream_options: record({ include_obfuscation: flag }),
    max_output_tokens: tokens,
    ...sampling,
    store: oneOf(false),
    background: oneOf(false),
    truncation: oneOf("auto", "disabled"),
    reasoning: record({ effort: text, summary: text }),
    text: record({
      verbosity: text,
      format: byField("type", {
        text: record({ type: text }),
        json_object: record({ type: text }),
        json_schema: record({ type: text, name: text, description: text, strict: flag, schema }),
      }),
    }),
    tools: list(
      byField("type", {
        function: record({ type: text, name: text, description: text, strict: flag, parameters: schema }),
      }),
    ),
    tool_choice: textOr(byField("type", { function: record({ type: text, name: text }) })),
    parallel_tool_calls: flag,
  }),
  complete(body, place) {
    body["max_output_tokens"] ??= place.bounds.maxTokens;
    // The API keeps conversations unless it is told not to.
    body["store"] ??= false;
  },
};

const question = { type: text, name: text, instructions: textOr(list(inputPart)) };
const boolOrText: Shape = (value, place) => (typeof value === "boolean" ? value : text(value, place));

const decision: Format = {
  guarded: ["model"],
  shape: record({
    model: text,
    input: textOr(list(inputItem)),
    questions: list(
      byField("type", {
        choice: record({ ...question, choices: list(record({ value: boolOrText, description: text })) }),
        predicate: record(question),
        score: record({ ...question, levels: list(record({ label: text, description: text })) }),
      }),
    ),
  }),
  // It writes no text, so there is no limit to set.
  complete() {},
};

// Anthropic: npm @anthropic-ai/sdk 1.13.0, resources/messages.

const caching = record({ type: text, ttl: text });
const block = record({ type: text, text, cache_control: caching });
const blocks = list(byField("type", { text: block }));

const message: Format = {
  guarded: ["model", "max_tokens"],
  shape: record({
    model: text,
    max_tokens: tokens,
    system: textOr(blocks),
    messages: list(
      record({
        role: oneOf("user", "assistant", "system"),
        content: textOr(
          list(
            byField("type", {
              text: block,
              tool_use: record({ type: text, id: text, name: text, input: object, cache_control: caching }),
              tool_result: record({
                type: text,
                tool_use_id: text,
                is_error: flag,
                content: textOr(blocks),
                cache_control: caching,
              }),
            }),
          ),
        ),
      }),
    ),
    stream: flag,
    temperature: number(0, 1),
    top_p: number(0, 1),
    top_k: whole(0, 1_000_000),
    stop_sequences: list(text),
    output_config: record({ effort: text, format: byField("type", { json_schema: record({ type: text, schema }) }) }),
    tools: list(
      byField("type", {
        custom: record({ type: text, name: text, description: text, input_schema: schema, cache_control: caching }),
      }),
    ),
    tool_choice: record({ type: oneOf("auto", "any", "tool", "none"), name: text, disable_parallel_tool_use: flag }),
  }),
  complete(body, place) {
    body["max_tokens"] ??= place.bounds.maxTokens;
  },
};

// Ollama: npm ollama 0.6.4.

const chat: Format = {
  guarded: ["model", "options.num_predict"],
  shape: record({
    model: text,
    messages: list(
      record({
        role: oneOf("system", "user", "assistant", "tool"),
        content: text,
        thinking: text,
        tool_name: text,
        tool_calls: list(record({ function: record({ name: text, index: whole(0, 1000), arguments: object }) })),
      }),
    ),
    stream: flag,
    think: boolOrText,
    format: textOr(schema),
    options: record({
      num_predict: tokens,
      temperature: number(0, 2),
      top_p: number(0, 1),
      top_k: whole(0, 1_000_000),
      min_p: number(0, 1),
      repeat_penalty: number(0, 10),
      seed: whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
      stop: list(text),
    }),
    tools: list(
      byField("type", {
        function: record({ type: text, function: record({ name: text, description: text, parameters: schema }) }),
      }),
    ),
  }),
  complete(body, place) {
    within(body, "options")["num_predict"] ??= place.bounds.maxTokens;
  },
};

// Google: npm @google/genai 2.32.0. Every field has two spellings.

const google = (fields: Readonly<Record<string, Shape>>): Shape => record(fields, camel);
const part = google({
  text,
  thought: flag,
  thoughtSignature: text,
  functionCall: google({ id: text, name: text, args: object }),
  functionResponse: google({ id: text, name: text, response: object }),
});
const content = google({ role: text, parts: list(part) });

const generateContent: Format = {
  guarded: ["generationConfig.maxOutputTokens", "generationConfig.candidateCount", "model"],
  spelling: camel,
  shape: google({
    contents: list(content),
    systemInstruction: content,
    generationConfig: google({
      maxOutputTokens: tokens,
      candidateCount: choices,
      temperature: number(0, 2),
      topP: number(0, 1),
      topK: number(0, 1_000_000),
      seed: whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
      presencePenalty: number(-2, 2),
      frequencyPenalty: number(-2, 2),
      stopSequences: list(text),
      responseMimeType: oneOf("application/json", "text/plain", "text/x.enum"),
      responseSchema: schema,
      responseJsonSchema: schema,
    }),
    tools: list(
      google({
        functionDeclarations: list(
          google({
            name: text,
            description: text,
            parameters: schema,
            parametersJsonSchema: schema,
            response: schema,
            responseJsonSchema: schema,
          }),
        ),
      }),
    ),
    toolConfig: google({ functionCallingConfig: google({ mode: text, allowedFunctionNames: list(text) }) }),
  }),
  complete(body, place) {
    within(body, "generationConfig")["maxOutputTokens"] ??= place.bounds.maxTokens;
  },
};

/** The format of each call that has a body. */
export const FORMATS: Readonly<Record<Exclude<CallName, "/models">, Format>> = {
  "/chat/completions": chatCompletion,
  "/responses": response,
  "/decisions": decision,
  "/messages": message,
  "/api/chat": chat,
  "/models/{model}:generateContent": generateContent,
};

/** A call as its path names it. */
export interface Call {
  readonly name: CallName;
  readonly method: "GET" | "POST";
  /** The model, where the path names it, as it is written there. */
  readonly model?: string;
  /** Of generateContent: which of its two methods. */
  readonly action?: string;
}

/** The call that a path names. */
export function callOf(path: string): Call | undefined {
  const named = /^\/models\/([^/:]+):(generateContent|streamGenerateContent)$/.exec(path);
  if (named) return { name: "/models/{model}:generateContent", method: "POST", model: named[1]!, action: named[2]! };
  const name = CALLS.find((call) => call === path && !call.includes("{"));
  return name && { name, method: name === "/models" ? "GET" : "POST" };
}
