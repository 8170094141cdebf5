// Ready-made inputs of the cold pages that have bare models: what a page's own code would have made of its text or file.

import type { Input } from "../workers/serve.js";

export const SENTENCE = [
  101, 1045, 3866, 2296, 3371, 1997, 2009, 1010, 2054, 1037, 6919, 2143, 1012, 2064, 1005, 1056, 3524, 2000, 2156, 2009,
  2153, 2007, 2026, 2905, 999, 102,
];

const ids = (name: string, values: number[]): Input => ({
  name,
  dims: [1, values.length],
  data: BigInt64Array.from(values, BigInt),
});

export function minilm(): Input[] {
  const ones = SENTENCE.map(() => 1);
  const zeros = SENTENCE.map(() => 0);
  return [ids("input_ids", SENTENCE), ids("attention_mask", ones), ids("token_type_ids", zeros)];
}

export const encoder = (): Input[] => [ids("ids", SENTENCE.slice(1, -1))];
export const ngrams = (): Input[] => [ids("x", SENTENCE.map((id) => (id * 7919) % 65536))];
export const vector = (): Input[] => [{ name: "vector", dims: [1, 72], data: new Float32Array(72).fill(1 / 72) }];
export const windows = (): Input[] => [{ name: "bytes", dims: [1, 2048], data: new Int32Array(2048).fill(256) }];
