// For Vercel's AI SDK 7: a decision model, vectors, and a middleware that spares a language model what a task answers with a guarantee.

import type { SmallFirst } from "./index.js";
import { Certified, type CertifiedOptions, choiceOf } from "./certified.js";
import { vectorOf } from "./vectors.js";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A question of `Experimental_DecisionModelV4`, as far as it is answered here. */
interface ChoiceQuestion {
  readonly type: "choice";
  readonly instructions?: unknown;
  readonly criteria: Readonly<Record<string, unknown>>;
}
interface DecisionCall {
  state: readonly { type: string; text?: string; value?: unknown }[];
  questions: Readonly<Record<string, { readonly type: string }>>;
  abortSignal?: AbortSignal;
}
interface Choice {
  type: "choice";
  choice: string;
  probabilities?: Record<string, number>;
}

/** What implements `Experimental_DecisionModelV4` of `@ai-sdk/provider`. */
export interface SmallFirstDecisionModel {
  readonly specificationVersion: "v4";
  readonly provider: string;
  readonly modelId: string;
  readonly supportedQuestionTypes: readonly "choice"[];
  doDecide(call: DecisionCall): Promise<{
    answers: Record<string, Choice | { type: "refusal" }>;
    usage?: { inputTokens: number; outputTokens: number };
    warnings: [];
    providerMetadata: Record<string, Record<string, Json>>;
  }>;
}

/** How far from 1 the sum of a distribution may be. */
const ROUNDING = 1e-3;

/**
 * A model for `experimental_decide`. A question whose name is a task's, and whose options are its labels, is answered by
 * `ai.run`, with all its rules: this device first, and the remote where that is not sure. Any other choice is asked of the remote,
 * if the question has instructions. The result's `providerMetadata.smallfirst` says where each was answered, and why.
 */
export function decisionModel(ai: SmallFirst, options: CertifiedOptions = {}): SmallFirstDecisionModel {
  const certified = new Certified(ai, options);
  return {
    specificationVersion: "v4",
    provider: "smallfirst",
    modelId: "smallfirst",
    supportedQuestionTypes: ["choice"],
    async doDecide({ state, questions, abortSignal }) {
      const text = textOf(state);
      const answers: Record<string, Choice | { type: "refusal" }> = {};
      const about: Record<string, Json> = {};
      const usage = { inputTokens: 0, outputTokens: 0 };
      for (const [name, question] of Object.entries(questions)) {
        if (question.type !== "choice")
          throw new TypeError(`smallfirst answers choices, not ${question.type}: ${name}`);
        const { criteria, instructions } = question as ChoiceQuestion;
        const labels = Object.keys(criteria);
        const task = await certified.taskOf({ name, labels });
        const shared = { topK: labels.length, ...(abortSignal ? { signal: abortSignal } : {}) };
        const own = options.risk === undefined ? shared : { ...shared, risk: options.risk };
        if (!task && typeof instructions !== "string") {
          answers[name] = { type: "refusal" };
          about[name] = { reason: "no task has these labels, and there are no instructions for a remote" };
          continue;
        }
        const answer = task
          ? await ai.run(task.id, text, own)
          : await ai.run(name, text, { ...shared, labels, instruction: instructions as string });
        answers[name] = choiceFrom(answer.output, labels);
        const { ranOn, reason, guaranteed, confidence, degraded } = answer;
        about[name] = { ranOn, reason, guaranteed, confidence, degraded };
        usage.inputTokens += answer.usage?.inputTokens ?? 0;
        usage.outputTokens += answer.usage?.outputTokens ?? 0;
      }
      return { answers, usage, warnings: [], providerMetadata: { smallfirst: about } };
    },
  };
}

/** What is to be judged, as one text. */
function textOf(state: DecisionCall["state"]): string {
  const texts = state.map(({ type, text, value }) => {
    if (type === "text" && text !== undefined) return text;
    if (type === "json") return JSON.stringify(value);
    throw new TypeError(`smallfirst decides about texts; a part of the state is of type ${type}`);
  });
  return texts.join("\n\n");
}

/** A choice, with its distribution where there is a whole one whose largest it is. */
function choiceFrom(output: { label: string; scores: { label: string; score: number }[] }, labels: string[]): Choice {
  const { label, scores } = output;
  const sum = scores.reduce((total, { score }) => total + score, 0);
  const whole = scores.length === labels.length && Math.abs(sum - 1) < ROUNDING && scores[0]?.label === label;
  if (!whole) return { type: "choice", choice: label };
  const probabilities = Object.fromEntries(scores.map(({ label: one, score }) => [one, score / sum]));
  return { type: "choice", choice: label, probabilities };
}

/** The part of a call of `LanguageModelV4` that is read. */
interface LanguageCall {
  prompt: readonly { role: string; content: unknown }[];
  responseFormat?: { type: string; schema?: unknown; name?: string };
  tools?: readonly unknown[];
  abortSignal?: AbortSignal;
}
interface Wrapped<G, S> {
  doGenerate: () => PromiseLike<G>;
  doStream: () => PromiseLike<S>;
  params: LanguageCall;
}

const USAGE = {
  inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 0, text: 0, reasoning: 0 },
};
const FINISH = { unified: "stop", raw: "stop" } as const;

/**
 * A middleware for `wrapLanguageModel`: an object of one choice whose schema's name is a task's, and whose options are the task's
 * labels, is answered on this device where that is guaranteed. The model is asked everything else.
 */
export function certifiedMiddleware(ai: SmallFirst, options: CertifiedOptions = {}) {
  const certified = new Certified(ai, options);
  const answered = async ({ prompt, responseFormat, tools, abortSignal }: LanguageCall) => {
    const choice = responseFormat?.type === "json" ? choiceOf(responseFormat.schema) : undefined;
    const name = responseFormat?.name;
    const text = userText(prompt);
    if (!choice || name === undefined || text === undefined || (tools?.length ?? 0) > 0) return undefined;
    const answer = await certified.answer({ name, labels: choice.labels, text }, abortSignal);
    if (!answer) return undefined;
    const { ranOn, reason, confidence, guaranteed, tier } = answer;
    return {
      text: JSON.stringify({ [choice.property]: answer.output.label }),
      response: { modelId: `smallfirst/${tier}`, timestamp: new Date() },
      providerMetadata: { smallfirst: { ranOn, reason, confidence, guaranteed } },
    };
  };
  return {
    specificationVersion: "v4" as const,
    async wrapGenerate<G, S>({ doGenerate, params }: Wrapped<G, S>): Promise<G> {
      const own = await answered(params);
      if (!own) return doGenerate();
      const { text, response, providerMetadata } = own;
      const content = [{ type: "text", text }];
      return { content, finishReason: FINISH, usage: USAGE, warnings: [], response, providerMetadata } as G;
    },
    async wrapStream<G, S>({ doStream, params }: Wrapped<G, S>): Promise<S> {
      const own = await answered(params);
      if (!own) return doStream();
      const { text, response, providerMetadata } = own;
      const parts = [
        { type: "stream-start", warnings: [] },
        { type: "response-metadata", ...response },
        { type: "text-start", id: "0" },
        { type: "text-delta", id: "0", delta: text },
        { type: "text-end", id: "0" },
        { type: "finish", finishReason: FINISH, usage: USAGE, providerMetadata },
      ];
      const stream = new ReadableStream<object>({
        start(controller) {
          for (const part of parts) controller.enqueue(part);
          controller.close();
        },
      });
      return { stream } as S;
    },
  };
}

/** The text of the only thing that the user says, where nothing else was said but the system's. */
function userText(prompt: LanguageCall["prompt"]): string | undefined {
  const [only, ...more] = prompt.filter(({ role }) => role !== "system");
  if (only?.role !== "user" || more.length > 0 || !Array.isArray(only.content)) return undefined;
  const [part, ...parts] = only.content as { type: string; text?: string }[];
  return part?.type === "text" && parts.length === 0 ? part.text : undefined;
}

/** A call of `EmbeddingModelV4`, as far as it is read. */
interface EmbeddingCall {
  values: string[];
  dimensions?: number;
  abortSignal?: AbortSignal;
}

/** What implements `EmbeddingModelV4` of `@ai-sdk/provider`. */
export interface SmallFirstEmbeddingModel {
  readonly specificationVersion: "v4";
  readonly provider: string;
  readonly modelId: string;
  readonly maxEmbeddingsPerCall: number | undefined;
  readonly supportsParallelCalls: boolean;
  doEmbed(call: EmbeddingCall): Promise<{
    embeddings: number[][];
    warnings: { type: "unsupported"; feature: string; details?: string }[];
  }>;
}

/**
 * A model for `embed` and `embedMany`: the vectors of a task of the kind `feature-extraction`, of length 1. They are made on this
 * device, and nothing is sent.
 */
export function embeddingModel(ai: SmallFirst, { task }: { task: string }): SmallFirstEmbeddingModel {
  return {
    specificationVersion: "v4",
    provider: "smallfirst",
    modelId: task,
    maxEmbeddingsPerCall: undefined,
    supportsParallelCalls: true,
    async doEmbed({ values, dimensions, abortSignal }) {
      const embeddings: number[][] = [];
      for (const value of values) {
        abortSignal?.throwIfAborted();
        embeddings.push(await vectorOf(ai, task, value, abortSignal));
      }
      const details = "a model's vectors have the length that they have";
      return {
        embeddings,
        warnings: dimensions === undefined ? [] : [{ type: "unsupported", feature: "dimensions", details }],
      };
    },
  };
}
