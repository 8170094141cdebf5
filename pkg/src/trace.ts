// What an instance does, shown where developers look: the console, the browser's timeline, OpenTelemetry. No input and no output
// is shown, unless it is asked for.

import type { Answer, SmallFirst, TextAnswer } from "./index.js";

/** Ends the showing. */
export type Stop = () => void;

/** What of an answer says nothing of what was asked. */
interface Facts {
  task: string;
  on: string;
  reason: string;
  tier: string;
  guaranteed: boolean;
  degraded: boolean;
  cached: boolean;
}

function facts(task: string, { ranOn, reason, tier, guaranteed, degraded, cached }: Answer | TextAnswer): Facts {
  return { task, on: ranOn, reason, tier, guaranteed, degraded, cached };
}

/** The part of a console that is used. */
export interface Log {
  groupCollapsed(...what: unknown[]): void;
  groupEnd(): void;
  log(...what: unknown[]): void;
  table(rows: unknown): void;
  warn(...what: unknown[]): void;
}

/** How answers are written to a console. */
export interface ConsoleOptions {
  /** Where to; default: the console that there is. */
  console?: Log;
  /** Whether outputs, and the bodies of requests, are written, too. Default: false. */
  content?: boolean;
}

/** Writes a group an answer: where it was given and why, what was tried; and what leaves, what failed, what drifts. */
export function toConsole(ai: SmallFirst, { console: log = console, content = false }: ConsoleOptions = {}): Stop {
  return all(
    ai.on("answer", ({ task, answer }) => {
      const { ranOn, reason, explanation, attempts, timing, output } = answer;
      log.groupCollapsed(`smallfirst ${task}: ${ranOn}, ${reason}, ${timing.totalMs.toFixed(1)} ms`);
      log.log(explanation);
      log.table(
        attempts.map(({ on, tier, outcome, confidence, threshold, ms, code }) => {
          return { on, tier, outcome, confidence, threshold, ms, code };
        }),
      );
      if (content) log.log(output);
      log.groupEnd();
    }),
    ai.on("failure", ({ task, error }) => log.warn(`smallfirst ${task}: ${error.code}: ${error.message}`)),
    ai.on("egress", ({ task, endpoint, model, bytes, redactions, body }) => {
      log.groupCollapsed(`smallfirst ${task}: ${bytes} bytes leave for ${endpoint}`);
      log.log({ model, redactions });
      if (content) log.log(body);
      log.groupEnd();
    }),
    ai.on("drift", (drift) => log.warn("smallfirst: drift", drift)),
  );
}

/**
 * Marks each answer in the timeline: a `performance.measure` named `smallfirst TASK`, with why and where as its detail. The browser
 * keeps them until `performance.clearMeasures`, so this is for a session of debugging and not for a server that goes on.
 */
export function toTimeline(ai: SmallFirst): Stop {
  return ai.on("answer", ({ task, answer }) => {
    const end = performance.now();
    const start = Math.max(0, end - answer.timing.totalMs);
    performance.measure(`smallfirst ${task}`, { start, end, detail: facts(task, answer) });
  });
}

/** The part of a meter of `@opentelemetry/api` that is used. */
export interface Meter {
  createCounter(name: string, options?: { description?: string; unit?: string }): Counter;
  createHistogram(name: string, options?: { description?: string; unit?: string }): Histogram;
}
interface Counter {
  add(value: number, attributes?: Record<string, string | number | boolean>): void;
}
interface Histogram {
  record(value: number, attributes?: Record<string, string | number | boolean>): void;
}

/** Counts what was decided, how long it took, what failed, and what was spent. Attributes have no content. */
export function toOpenTelemetry(ai: SmallFirst, meter: Meter): Stop {
  const count = (name: string, description: string, unit = "1"): Counter =>
    meter.createCounter(`smallfirst.${name}`, { description, unit });
  const answers = count("answers", "Answers by where they were given and why");
  const failures = count("failures", "Calls that failed, by their error code");
  const requests = count("requests", "Requests that left the device");
  const bytes = count("request.bytes", "Bytes that left the device", "By");
  const tokens = count("tokens", "Tokens of remote answers");
  const cost = count("cost", "Cost of remote answers", "{USD}");
  const drifts = count("drifts", "Alarms of monitors");
  const duration = meter.createHistogram("smallfirst.duration", { description: "How long an answer took", unit: "ms" });
  return all(
    ai.on("answer", ({ task, answer }) => {
      const attributes = { ...facts(task, answer) };
      answers.add(1, attributes);
      duration.record(answer.timing.totalMs, { task, on: answer.ranOn });
      const { usage, cached } = answer;
      // What a kept answer cost was counted when it was given.
      if (!usage || cached) return;
      tokens.add(usage.inputTokens, { task, type: "input" });
      tokens.add(usage.outputTokens, { task, type: "output" });
      if (usage.costUsd !== null) cost.add(usage.costUsd, { task });
    }),
    ai.on("failure", ({ task, error }) => failures.add(1, { task, code: error.code })),
    ai.on("egress", ({ task, model, bytes: size }) => {
      requests.add(1, { task, model });
      bytes.add(size, { task, model });
    }),
    ai.on("drift", ({ task }) => drifts.add(1, { task })),
  );
}

function all(...stops: Stop[]): Stop {
  return () => {
    for (const stop of stops) stop();
  };
}
