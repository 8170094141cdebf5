// A thread of the process, in the form in which a page has its workers.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker as Thread } from "node:worker_threads";
import { describe } from "../errors.js";
import { change } from "../memory.js";
import type { EngineName, FromWorker, ToWorker } from "../protocol.js";
import { StandIn } from "../stand-in.js";
import { installedFile } from "./place.js";

/** A string that a thread wants to change: it has it for itself until it gives it back. */
export type FromThread =
  | FromWorker
  | { type: "hold"; hold: number; name: string; key: string }
  | { type: "release"; hold: number; value: string | undefined };
export type ToThread = ToWorker | { type: "holds"; hold: number; value: string | undefined };

/** The script of a thread: beside this one, or in the installed package where a bundler left it behind. */
function script(): URL {
  // Put together, because bundlers would take a script of its own for a part of theirs.
  const beside = (import.meta.url ?? "").replace(/[^/]*$/, "thread.js");
  if (beside.startsWith("file:") && existsSync(new URL(beside))) return new URL(beside);
  return pathToFileURL(join(installedFile("package.json"), "../dist/node/thread.js"));
}

/** Stands for a worker. A thread keeps the process going only while calls run. */
export class ThreadWorker extends StandIn {
  readonly #thread: Thread;
  /** The calls that run, by id. */
  readonly #calls = new Set<number>();
  /** What gives a string back, by the number of the hold. */
  readonly #releases = new Map<number, { give: (value: string | undefined) => void; lose: (why: Error) => void }>();

  constructor(engine: EngineName) {
    super();
    this.#thread = new Thread(script(), { workerData: { engine } });
    this.#thread.unref();
    this.#thread.on("message", (message: FromThread) => this.#receive(message));
    this.#thread.on("messageerror", () => this.tell("messageerror", {}));
    this.#thread.on("error", (thrown: unknown) => this.#lost(describe(thrown)));
    this.#thread.on("exit", () => this.#lost("the thread ended"));
  }

  /** Throws what cannot be cloned, as a worker does. */
  postMessage(message: ToWorker, transfer: Transferable[] = []): void {
    this.#thread.postMessage(message, transfer as []);
    if (message.type !== "request") return;
    this.#calls.add(message.id);
    this.#thread.ref();
  }

  terminate(): void {
    this.#end("the thread was ended");
    void this.#thread.terminate();
  }

  #receive(message: FromThread): void {
    if (message.type === "hold") return this.#hold(message.hold, message.name, message.key);
    if (message.type === "release") {
      this.#releases.get(message.hold)?.give(message.value);
      this.#releases.delete(message.hold);
      return;
    }
    if (message.type === "done" || message.type === "failed") {
      this.#calls.delete(message.id);
      if (this.#calls.size === 0) this.#thread.unref();
    }
    this.tell("message", { data: message });
  }

  #hold(hold: number, name: string, key: string): void {
    const held = change(name, key, (value) => {
      if (this.ended) throw new Error("the thread is gone");
      this.#thread.postMessage({ type: "holds", hold, value } satisfies ToThread);
      return new Promise<string | undefined>((give, lose) => this.#releases.set(hold, { give, lose }));
    });
    // Of a thread that is gone, nothing is changed.
    held.catch(() => {});
  }

  #lost(message: string): void {
    this.tell("error", { message });
    this.#end(message);
  }

  #end(why: string): void {
    this.ended = true;
    for (const { lose } of this.#releases.values()) lose(new Error(why));
    this.#releases.clear();
  }
}
