// The engine in the thread that asks, behind the same messages as a worker: for places without workers.

import { invalid } from "./check.js";
import { describe, SmallFirstError } from "./errors.js";
import type { EngineName, FromWorker, ToWorker } from "./protocol.js";
import { type Build, Server, type Surroundings } from "./serve.js";
import { StandIn } from "./stand-in.js";

/** Stands for a worker. */
export class InThreadWorker extends StandIn {
  readonly #server: Promise<Server | undefined>;

  /** Gets its engine from `build`, and calls `dead` when that is of no use any more. */
  constructor(build: Promise<Build>, around: Omit<Surroundings, "post">, dead: () => void) {
    super();
    const post = (message: FromWorker): void => {
      if (message.type === "dead") dead();
      // As between threads: whoever hears of it does so once this has come to an end.
      queueMicrotask(() => this.tell("message", { data: message }));
    };
    this.#server = build.then(
      (made) => new Server(made, { ...around, post }),
      (thrown: unknown) => {
        this.tell("error", { message: `the engine could not be loaded: ${describe(thrown)}` });
        return undefined;
      },
    );
  }

  /** Throws what cannot be cloned, as a worker does. */
  postMessage(message: ToWorker, transfer: Transferable[] = []): void {
    const told = structuredClone(message, { transfer });
    void this.#server.then((server) => {
      if (!this.ended) server?.receive(told);
    });
  }

  terminate(): void {
    this.ended = true;
    void this.#server.then((server) => server?.close());
  }
}

/** An engine that is imported with the page's own script, and what to say where that is not enough. */
export interface Imported extends Omit<Build, "name"> {
  /** Where it is, after "there is no engine for ONNX models". */
  where: string;
  /** What has to be done once it stopped. */
  again: string;
}

/**
 * Gives what makes the stand-ins for workers of an engine for prepared models that is imported. JavaScript has such an engine once, so one
 * that stopped cannot be made anew.
 */
export function imported({
  where,
  again,
  ...build
}: Imported): (engine: EngineName, around: Omit<Surroundings, "post">) => Worker {
  let stopped = false;
  const load = async (name: EngineName): Promise<Build> => {
    if (name === "onnx") throw invalid(`there is no engine for ONNX models ${where}: prepare the model`);
    if (stopped) throw new SmallFirstError("worker_failed", `the engine stopped; ${again}`);
    return { name, ...build };
  };
  return (engine, around) => new InThreadWorker(load(engine), around, () => void (stopped = true)) as unknown as Worker;
}
