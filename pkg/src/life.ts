// Whether a worker is still there. One that runs out of memory, or is ended by the system, tells nobody.

import type { ToWorker } from "./protocol.js";

/** How often a worker with calls is looked after, in milliseconds, and how often it may be silent in a row. */
const LOOK_MS = 5000;
const SILENCES = 12;

/**
 * Looks after one worker: its end closes a port, which newer browsers tell. In others it is asked for a sign of life while
 * calls wait and nothing is heard of it; it cannot answer while it computes, so that takes a minute.
 */
export class Life {
  readonly #port: MessagePort;
  #timer: ReturnType<typeof setInterval> | undefined;
  #silent = 0;

  /** Begins to look after `worker`. `waits` says whether a call waits for it; `gone` is called once it is gone, with how. */
  constructor(worker: Worker, waits: () => boolean, gone: (why: string) => void) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const tell = (message: ToWorker, transfer: Transferable[]): void => worker.postMessage(message, transfer);
    tell({ type: "life", port: port2 }, [port2]);
    if ("onclose" in port1) {
      port1.addEventListener("close", () => gone("the worker ended, perhaps for lack of memory"));
      port1.start();
      return;
    }
    this.#timer = setInterval(() => {
      if (!waits()) this.#silent = 0;
      else if (++this.#silent > SILENCES) gone("the worker does not answer any more");
      else tell({ type: "ping" }, []);
    }, LOOK_MS);
  }

  /** Takes in that the worker said something. */
  heard(): void {
    this.#silent = 0;
  }

  /** Looks away. */
  end(): void {
    clearInterval(this.#timer);
    this.#port.close();
  }
}
