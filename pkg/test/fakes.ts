// What stands for the browser in these tests.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Setup } from "../src/connection.js";
import { SmallFirstError, toWire } from "../src/errors.js";
import { Ledger } from "../src/ledger.js";
import type { EngineName, FromWorker, Request, ToWorker } from "../src/protocol.js";
import { VERSION } from "../src/version.js";
import { Remotes } from "../src/remotes.js";
import type { Answer } from "../src/types.js";
import type { RuntimeOptions } from "../src/wire.js";

/** The globals that a test has others for. */
const stubbed = new WeakMap<TestContext, Set<string>>();

/** Gives a test another global while it runs. */
export function stub(t: TestContext, name: string, value: unknown): void {
  const before = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  const names = stubbed.get(t) ?? new Set();
  stubbed.set(t, names);
  if (names.has(name)) return;
  names.add(name);
  t.after(() => {
    if (before) Object.defineProperty(globalThis, name, before);
    else Reflect.deleteProperty(globalThis, name);
  });
}

/** Lets all that can happen without a timer happen. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn();
}

/** Waits for something that comes about without a timer. */
export async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 10_000; i++) {
    if (what()) return;
    await turn();
  }
  assert.fail("it does not come about");
}

/** Whether a promise has come to an end. */
export async function isSettled(work: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const end = (): void => {
    settled = true;
  };
  work.then(end, end);
  await settle();
  return settled;
}

/** The message and the code with which something is refused. */
export function refused(work: () => unknown): { code: string; message: string } {
  try {
    work();
  } catch (thrown) {
    assert.ok(thrown instanceof SmallFirstError, String(thrown));
    assert.equal(thrown.name, "SmallFirstError");
    return { code: thrown.code, message: thrown.message };
  }
  return assert.fail("nothing was refused");
}

/** A worker that answers as the test says. What goes to and fro is cloned, as it is between threads. */
export class FakeWorker {
  /** What it was told, in order. */
  readonly told: ToWorker[] = [];
  readonly engine: EngineName;
  /** False where it is too busy to hear of aborts, or to answer pings. */
  hears = true;
  ended = false;
  readonly #answer: (request: Request, worker: FakeWorker, id: number) => unknown;
  readonly #listeners = new Map<string, (event: object) => void>();

  constructor(engine: EngineName, answer: (request: Request, worker: FakeWorker, id: number) => unknown) {
    this.engine = engine;
    this.#answer = answer;
  }

  addEventListener(type: string, listener: (event: object) => void): void {
    this.#listeners.set(type, listener);
  }

  postMessage(message: ToWorker, transfer: Transferable[] = []): void {
    const told = structuredClone(message, { transfer } as StructuredSerializeOptions);
    if (this.ended) return;
    this.told.push(told);
    if (told.type === "request") void this.#run(told.id, told.request);
    else if (told.type === "abort" && this.hears) queueMicrotask(() => this.say({ type: "heard", id: told.id }));
    else if (told.type === "ping" && this.hears) queueMicrotask(() => this.say({ type: "pong" }));
  }

  terminate(): void {
    this.ended = true;
  }

  /** Says something to the page. */
  say(message: FromWorker): void {
    // A worker that was ended may still have messages under way.
    this.#listeners.get("message")?.({ data: structuredClone(message) });
  }

  /** Fails, as one whose script throws. */
  crash(message: string): void {
    this.#listeners.get("error")?.({ message });
  }

  /** The requests of a kind that it was given. */
  requests<T extends Request["type"]>(type: T): Extract<Request, { type: T }>[] {
    const all = this.told.flatMap((message) => (message.type === "request" ? [message.request] : []));
    return all.filter((request): request is Extract<Request, { type: T }> => request.type === type);
  }

  async #run(id: number, request: Request): Promise<void> {
    await turn();
    try {
      const value = await this.#answer(request, this, id);
      this.say({ type: "done", id, value });
    } catch (thrown) {
      this.say({ type: "failed", id, error: toWire(thrown) });
    }
  }
}

/** Workers that answer as the test says, in the order in which they are made. */
export function workers(answer: (request: Request, worker: FakeWorker, id: number) => unknown): {
  made: FakeWorker[];
  spawn: (engine: EngineName) => Worker;
} {
  const made: FakeWorker[] = [];
  const spawn = (engine: EngineName): Worker => {
    const worker = new FakeWorker(engine, answer);
    made.push(worker);
    return worker as unknown as Worker;
  };
  return { made, spawn };
}

/** What a call gives that nobody answers. */
export function never(): Promise<never> {
  return new Promise(() => {});
}

/** What a connection is made of. */
export function setup(spawn: (engine: EngineName) => Worker, options: Partial<RuntimeOptions> = {}): Setup {
  return {
    spawn,
    tellsEnd: false,
    engine: undefined,
    start: {
      type: "start",
      version: VERSION,
      options: { bundle: "https://site.example/models/manifest.json", ...options },
      storage: { name: "smallfirst", files: true },
      wasm: undefined,
      preload: ["spam"],
      hooks: { headers: true, consent: true, page: true, progress: true, drift: true },
      archive: undefined,
      legacy: undefined,
    },
    remotes: new Remotes(undefined, undefined),
    ledger: new Ledger(),
    repeats: true,
    onProgress: undefined,
    onDrift: undefined,
  };
}

/** A confident answer of this device. */
export function answer(label: string, more: Partial<Answer> = {}): Answer {
  return {
    task: "spam",
    output: { label, title: null, score: 0.9, scores: [] },
    ranOn: "local",
    tier: "tiny",
    reason: "confident",
    explanation: "It is sure.",
    confidence: 0.9,
    calibrated: true,
    threshold: 0.8,
    risk: 0.05,
    guaranteed: true,
    guarantee: { kind: "absolute", risk: 0.05, delta: 0.05, outOfScopeShare: null },
    audit: null,
    degraded: false,
    attempts: [
      {
        on: "local",
        tier: "tiny",
        endpoint: null,
        outcome: "answered",
        ms: 1,
        confidence: 0.9,
        threshold: 0.8,
        doubts: [],
        code: null,
        message: null,
      },
    ],
    timing: { totalMs: 1, loadMs: 0, inferMs: 1, remoteMs: 0 },
    usage: null,
    cached: false,
    learned: null,
    sent: [],
    ...more,
  };
}
