// Sounds and rows of tables on their way to the worker.

import type { Sound } from "./sound.js";

/** Numbers and categories by the names of their columns; null is what is not known. */
export type TableRow = Record<string, number | string | null>;

/** Samples of one channel, with their rate. */
export interface Samples {
  samples: Float32Array;
  /** Samples a second. */
  sampleRate: number;
}

/** A sound, ready to be sent: a copy. Undefined where the input is none. What is wrong with it, the engine tells. */
export function wireSound(input: unknown): Sound | undefined {
  if (typeof input !== "object" || input === null) return undefined;
  if (tagOf(input) === "AudioBuffer") {
    const buffer = input as AudioBuffer;
    const channels = Array.from({ length: buffer.numberOfChannels }, (_, at) => copy(buffer.getChannelData(at)));
    return { rate: buffer.sampleRate, channels };
  }
  const { samples, sampleRate, rate, channels } = input as Partial<Samples & Sound>;
  if (isSamples(samples) && typeof sampleRate === "number") return { rate: sampleRate, channels: [copy(samples)] };
  if (typeof rate === "number" && Array.isArray(channels) && channels.every(isSamples))
    return { rate, channels: channels.map(copy) };
  return undefined;
}

/** A row of a table, ready to be sent: a copy. Undefined where the input is none. */
export function wireRow(input: unknown): { row: TableRow } | undefined {
  const { row } = (input ?? {}) as { row?: unknown };
  return typeof row === "object" && row !== null && !Array.isArray(row) ? { row: { ...row } } : undefined;
}

/** Whether it is samples. By tag and not by `instanceof`, which says no to what comes from another frame. */
export function isSamples(value: unknown): value is Float32Array {
  return tagOf(value) === "Float32Array";
}

/** The mean of the channels. */
export function mixed(channels: Float32Array[]): Float32Array<ArrayBuffer> {
  const [first, ...others] = channels;
  const sum = copy(first ?? new Float32Array());
  for (const channel of others) channel.forEach((sample, at) => (sum[at]! += sample));
  return others.length > 0 ? sum.map((sample) => sample / channels.length) : sum;
}

function copy(samples: Float32Array): Float32Array<ArrayBuffer> {
  return new Float32Array(samples);
}

export function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}
