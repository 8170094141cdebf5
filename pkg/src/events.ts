// What an instance tells of itself as it happens.

import type { SmallFirstError } from "./errors.js";
import type { Answer, Drift, Sent, TextOutput } from "./types.js";

/** The call that something came of; a batch tells of each of its inputs. */
export type CallName = "run" | "runBatch" | "generate";

/** An answer that was given. */
export interface AnswerEvent {
  task: string;
  call: CallName;
  answer: Answer | Answer<TextOutput>;
}

/** A call that failed. One that was aborted did not. */
export interface FailureEvent {
  task: string;
  call: CallName;
  error: SmallFirstError;
}

/** What there is to listen to, by its name. */
export interface Events {
  /** Every answer. */
  answer: AnswerEvent;
  /** Those answers for which a remote was asked, or which one had given earlier. `answer.reason` says why. */
  escalation: AnswerEvent;
  /** Every call that failed. */
  failure: FailureEvent;
  /** Every request, before it leaves the device. It has the body that is sent. */
  egress: Sent;
  /** What `onDrift` is told. */
  drift: Drift;
}

/** The names, for those who write JavaScript. */
export const EVENTS = ["answer", "escalation", "failure", "egress", "drift"] as const satisfies (keyof Events)[];

/** The functions that listen, by what they listen to. */
export class Listeners {
  readonly #all = new Map<keyof Events, Set<(event: never) => void>>();

  /** Adds one, and gives what takes it away again. Added twice, it is told twice. */
  add<T extends keyof Events>(type: T, listener: (event: Events[T]) => void): () => void {
    const some = this.#all.get(type) ?? new Set();
    this.#all.set(type, some);
    const own = (event: Events[T]): void => listener(event);
    some.add(own);
    return () => void some.delete(own);
  }

  /** Whether anybody listens. */
  has(type: keyof Events): boolean {
    return (this.#all.get(type)?.size ?? 0) > 0;
  }

  /** Tells of something. What a listener throws is reported as an error of the page's own, and nobody else is affected. */
  tell<T extends keyof Events>(type: T, event: Events[T]): void {
    for (const listener of [...(this.#all.get(type) ?? [])] as ((event: Events[T]) => void)[]) {
      try {
        listener(event);
      } catch (thrown) {
        if (typeof reportError === "function") reportError(thrown);
        else console.error(thrown);
      }
    }
  }
}
