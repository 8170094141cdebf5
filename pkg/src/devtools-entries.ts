// What the panel keeps of what an instance tells: facts, and content only where that was asked for.

import type { AnswerEvent, FailureEvent } from "./events.js";
import type { Attempt, Drift, Sent } from "./types.js";

export type Fact = string | number | boolean | object | null;

/** One row of the panel, and one item of the list that it copies. */
export interface Entry {
  kind: "answer" | "request" | "failure" | "alarm";
  /** When, in milliseconds since 1970. */
  at: number;
  task: string;
  /** Where it ran, or what it was, in a word or two. */
  where: string;
  /** What happened, in words. */
  words: string;
  ms: number | null;
  attempts: Attempt[];
  facts: Record<string, Fact>;
  /** The output of an answer, or the body of a request, cut to what a person reads. */
  content?: string;
}

/** The most characters of an output or a body that are kept. */
const READ = 4000;

const PLACES = { local: "here", builtin: "browser", remote: "remote" } as const;

const ALARMS: Record<Drift["watched"], string> = {
  inputs: "Inputs differ from the calibration data.",
  errors: "Audited answers are wrong too often.",
  examples: "Answers by example differ from the remote's too often.",
  remote: "The remote is right less often than expected.",
  "remote-worth": "The remote is right no more often than local answers.",
};

/** A text as it is, anything else as JSON. Nobody reads a tensor's numbers. */
function readable(content: unknown): string {
  const short = (_: string, value: unknown): unknown => (ArrayBuffer.isView(value) ? "…" : value);
  const text = typeof content === "string" ? content : JSON.stringify(content, short, 1);
  return text.length > READ ? `${text.slice(0, READ)}…` : text;
}

/** What of a message says nothing of what was asked or answered: a remote's own words stand between quotes. */
function discreet(message: string, content: boolean): string {
  return content ? message : message.replace(/"[^]*"/, '"…"');
}

function ofAttempts(attempts: Attempt[], content: boolean): Attempt[] {
  return attempts.map((attempt) => {
    const { on, message } = attempt;
    return on === "remote" && message !== null ? { ...attempt, message: discreet(message, content) } : attempt;
  });
}

export function ofAnswer({ task, call, answer }: AnswerEvent, content: boolean): Entry {
  const { ranOn, tier, reason, explanation, confidence, threshold, attempts, timing, usage, sent, output } = answer;
  const { guaranteed, degraded, cached } = answer;
  const where = cached ? "kept" : PLACES[ranOn];
  return {
    kind: "answer",
    at: Date.now(),
    task,
    where: degraded ? `${where}, degraded` : where,
    words: explanation,
    ms: timing.totalMs,
    attempts: ofAttempts(attempts, content),
    facts: {
      call,
      tier,
      reason,
      confidence,
      threshold,
      guaranteed,
      degraded,
      cached,
      ...timing,
      ...usage,
      requests: sent.length,
    },
    ...(content ? { content: readable(output) } : {}),
  };
}

export function ofRequest({ at, task, endpoint, model, bytes, redactions, body }: Sent, content: boolean): Entry {
  return {
    kind: "request",
    at,
    task,
    where: "sent",
    words: `${size(bytes)} left for ${endpoint}.`,
    ms: null,
    attempts: [],
    facts: { endpoint, model, bytes, redactions },
    ...(content ? { content: readable(body) } : {}),
  };
}

export function ofFailure({ task, call, error }: FailureEvent, content: boolean): Entry {
  const { code, message, attempts } = error;
  const quotes = attempts.some(({ on }) => on === "remote");
  return {
    kind: "failure",
    at: Date.now(),
    task,
    where: "failed",
    words: `${code}: ${quotes ? discreet(message, content) : message}`,
    ms: null,
    attempts: ofAttempts(attempts, content),
    facts: { call, code },
  };
}

export function ofDrift({ task, watched, ...facts }: Drift): Entry {
  return {
    kind: "alarm",
    at: Date.now(),
    task,
    where: "alarm",
    words: ALARMS[watched],
    ms: null,
    attempts: [],
    facts: { watched, ...facts },
  };
}

export function size(bytes: number): string {
  return `${(bytes / 1e3).toFixed(1)} kB`;
}
