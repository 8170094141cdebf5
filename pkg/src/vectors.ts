// Vectors of texts, for the libraries that ask for them.

import type { SmallFirst } from "./api.js";
import { invalid } from "./check.js";
import type { VectorOutput } from "./types.js";

/** The vector of a text, of length 1, by a task of the kind `feature-extraction`. It is made on this device, and nothing is sent. */
export async function vectorOf(
  ai: Pick<SmallFirst, "run">,
  task: string,
  text: string,
  signal?: AbortSignal,
): Promise<number[]> {
  const options = { normalize: true, mode: "only-local" as const, signal };
  const { output } = await ai.run(task, text, options);
  const { data, dims } = output as unknown as VectorOutput;
  if (dims?.length !== 2)
    throw invalid(
      `the task "${task}" gives no vector of a text: take one of the kind feature-extraction, with pooling`,
    );
  return Array.from(data);
}
