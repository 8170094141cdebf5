// For LangChain: vectors of texts. Its chat models of OpenAI take `ai.asFetch()`, and its runnables any function, so they need nothing here.

import type { SmallFirst } from "./api.js";
import { checkNames, invalid, namesOf } from "./check.js";
import { vectorOf } from "./vectors.js";

/** Which task makes the vectors. */
export interface EmbeddingsOptions {
  /** A task of the kind `feature-extraction`. */
  task: string;
}

/** What implements `EmbeddingsInterface` of `@langchain/core`. */
export interface SmallFirstEmbeddings {
  embedQuery(text: string): Promise<number[]>;
  embedDocuments(texts: string[]): Promise<number[][]>;
}

const OPTIONS = namesOf<EmbeddingsOptions>()(["task"]);

/** Embeddings for LangChain's vector stores: vectors of length 1, made on this device. Nothing is sent. */
export function embeddings(ai: Pick<SmallFirst, "run">, options: EmbeddingsOptions): SmallFirstEmbeddings {
  checkNames("embeddings", options, OPTIONS);
  const { task } = options;
  if (typeof task !== "string") throw invalid("embeddings: task must be the name of a task that makes vectors");
  return {
    embedQuery: (text) => vectorOf(ai, task, text),
    async embedDocuments(texts) {
      const vectors: number[][] = [];
      // One after the other: whoever embeds much keeps no call for the page waiting behind all of it.
      for (const text of texts) vectors.push(await vectorOf(ai, task, text));
      return vectors;
    },
  };
}
