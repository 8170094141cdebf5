// What stands for a worker has of it: somebody listens, until it has ended.

import type { FromWorker } from "./protocol.js";

/** The events of a worker that a connection listens to. */
export interface Events {
  message: { data: FromWorker };
  messageerror: object;
  error: { message: string };
}

export class StandIn {
  readonly #listeners = new Map<string, (event: never) => void>();
  /** Whether nothing is told any more. */
  protected ended = false;

  addEventListener<T extends keyof Events>(type: T, listener: (event: Events[T]) => void): void {
    this.#listeners.set(type, listener);
  }

  protected tell<T extends keyof Events>(type: T, event: Events[T]): void {
    if (!this.ended) (this.#listeners.get(type) as ((event: Events[T]) => void) | undefined)?.(event);
  }
}
