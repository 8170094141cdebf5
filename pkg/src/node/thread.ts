// The engine in a thread of the process, and the memory that it shares with the others.

import { parentPort, workerData } from "node:worker_threads";
import { describe } from "../errors.js";
import type { EngineName } from "../protocol.js";
import { Server, type Surroundings } from "../serve.js";
import { AROUND, load } from "./place.js";
import type { FromThread, ToThread } from "./thread-worker.js";

const port = parentPort!;
const post = (message: FromThread): void => port.postMessage(message);

/** Who waits for a string, by the number of the hold. */
const waiting = new Map<number, (value: string | undefined) => void>();
let holds = 0;

/** The process has the strings, so that its threads share them and none is lost with a thread. */
const strings: Surroundings["strings"] = (name) => ({
  update: async (key, change) => {
    const hold = ++holds;
    const before = await new Promise<string | undefined>((resolve) => {
      waiting.set(hold, resolve);
      post({ type: "hold", hold, name, key });
    });
    let value = before;
    try {
      value = change(before);
    } finally {
      post({ type: "release", hold, value });
    }
  },
});

const { engine } = workerData as { engine: EngineName };
const server = load(engine).then(
  (build) => new Server(build, { ...AROUND, strings, post }),
  (thrown: unknown) => {
    throw new Error(`the engine could not be loaded: ${describe(thrown)}`);
  },
);
// A trap inside a Rust future surfaces here, and leaves the call's promise pending for ever.
process.on("unhandledRejection", (reason) => {
  server.then(
    (one) => one.rejected(reason),
    () => {
      // The process hears of it as the thread's error.
      throw reason;
    },
  );
});
port.on("message", (message: ToThread) => {
  if (message.type === "holds") {
    waiting.get(message.hold)?.(message.value);
    waiting.delete(message.hold);
  } else void server.then((one) => one.receive(message));
});
