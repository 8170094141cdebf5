// Whether a worker is still there. One that runs out of memory, or is ended by the system, tells nobody.

import type { ToWorker } from "./protocol.js";

/** How often it is looked after a worker for whom calls wait, in milliseconds. */
const LOOK_MS = 1000;
/** How many looks in a row may find no sign of life: of a worker that holds a lock while it works, and of one that cannot. */
const LOOKS = 5;
const LOOKS_WITHOUT_LOCK = 60;
/** For how long a worker keeps its lock after its last call, in milliseconds. It is not for ever: pages whose workers hold one are
 * not kept by the browser for the way back. */
const LOCK_MS = 2000;

/** The page's part: looks after one worker. */
export class Life {
  readonly #tell: (message: ToWorker) => void;
  readonly #waits: () => boolean;
  readonly #gone: (why: string) => void;
  /** The lock that the worker holds while it works, where the browser has locks. */
  readonly #lock = globalThis.navigator?.locks ? `smallfirst-worker-${crypto.randomUUID()}` : undefined;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Whether the worker has held the lock: then it always does when it is too busy to answer. */
  #holds = false;
  #silent = 0;

  /** Begins to look after `worker`. `waits` says whether a call waits for it; `gone` is called once it is gone, with how. */
  constructor(worker: Worker, waits: () => boolean, gone: (why: string) => void) {
    this.#tell = (message) => worker.postMessage(message);
    this.#waits = waits;
    this.#gone = gone;
    if (this.#lock !== undefined) this.#tell({ type: "life", lock: this.#lock });
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  /** Takes in that the worker said something. */
  heard(): void {
    this.#silent = 0;
  }

  /** Takes in that the worker holds its lock. */
  held(): void {
    this.#holds = true;
  }

  /** Looks away. */
  end(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (!this.#waits()) {
      this.#silent = 0;
      return;
    }
    if (await this.#isHeld()) {
      this.#silent = 0;
      return;
    }
    // It answers unless it is busy, and then it holds the lock.
    if (++this.#silent > (this.#holds ? LOOKS : LOOKS_WITHOUT_LOCK))
      this.#gone("the worker is gone, perhaps for lack of memory");
    else this.#tell({ type: "ping" });
  }

  async #isHeld(): Promise<boolean> {
    if (this.#lock === undefined) return false;
    const { held } = await navigator.locks.query().catch(() => ({ held: undefined }));
    return held?.some(({ name }) => name === this.#lock) ?? false;
  }
}

/** The worker's part: holds the lock while it works. However the worker ends, the browser then takes the lock away. */
export class Holder {
  readonly #tell: () => void;
  #lock: string | undefined;
  /** How many pieces of work there are. */
  #work = 0;
  #held = false;
  /** Lets go of the lock; undefined until it is held. */
  #release: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Calls `tell` when it has the lock. */
  constructor(tell: () => void) {
    this.#tell = tell;
  }

  /** Names the lock. */
  name(lock: string): void {
    this.#lock = lock;
  }

  /** Work begins. */
  begin(): void {
    this.#work++;
    clearTimeout(this.#timer);
    if (this.#held || this.#lock === undefined) return;
    this.#held = true;
    const hold = (): Promise<void> | undefined => {
      if (!this.#held) return undefined;
      this.#tell();
      return new Promise((release) => (this.#release = release));
    };
    navigator.locks.request(this.#lock, hold).catch(() => {
      // The page has then no other sign of life than answers.
    });
  }

  /** It ends. */
  end(): void {
    if (--this.#work > 0 || !this.#held) return;
    this.#timer = setTimeout(() => {
      this.#held = false;
      this.#release?.();
      this.#release = undefined;
    }, LOCK_MS);
  }
}
