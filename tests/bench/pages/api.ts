// The public API on a loaded page.

import { createSmallFirst, type SmallFirst } from "smallfirst";
import { longestStall } from "./cold.js";

declare global {
  interface Window {
    api: Api;
  }
}

const TEXTS = [
  "The parcel came two weeks late and the box was torn, but what was inside works well enough for the price we paid.",
  "Could you send me the figures of last month before the meeting on Thursday? I will need an hour to go through them.",
  "We walked along the river until the sun went down, and nobody said a word about what had happened in the morning.",
];

/** An input of a task, never the same twice: an answer that is remembered is no inference. */
function input(task: string, turn: number): string | Uint8Array {
  const text = `${TEXTS[turn % TEXTS.length]} ${turn}`;
  return task === "file-type" ? new TextEncoder().encode(`# ${text}\nimport os\n\nprint(os.name)\n`) : text;
}

class Api {
  private ai: SmallFirst | undefined;
  /** An instance for each number of workers. */
  private readonly shared = new Map<number, SmallFirst>();

  async create(): Promise<void> {
    this.ai = await createSmallFirst({ bundle: "/models/", mode: "only-local" });
  }

  async dispose(): Promise<void> {
    this.ai?.dispose();
    this.ai = undefined;
  }

  /** Milliseconds of one call, each the mean of `inner`; and the longest stall of the page meanwhile. */
  async run(task: string, samples: number, inner: number): Promise<{ ms: number[]; longest: number }> {
    const begun = performance.now();
    const ms: number[] = [];
    let turn = 0;
    for (let sample = 0; sample < samples; sample++) {
      const started = performance.now();
      for (let time = 0; time < inner; time++) {
        await this.ai!.run(task, input(task, turn++));
      }
      ms.push((performance.now() - started) / inner);
    }
    const ended = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { ms, longest: longestStall(begun, ended) };
  }

  /** Milliseconds of each of some batches, in an instance with so many workers. */
  async batches(task: string, workers: number, inputs: number, samples: number): Promise<number[]> {
    const ai = this.shared.get(workers) ?? (await createSmallFirst({ bundle: "/models/", mode: "only-local", workers }));
    this.shared.set(workers, ai);
    const ms: number[] = [];
    for (let sample = 0; sample < samples; sample++) {
      const batch = Array.from({ length: inputs }, (_, i) => input(task, sample * inputs + i));
      const started = performance.now();
      const items = await ai.runBatch(task, batch);
      ms.push(performance.now() - started);
      if (!items.every((item) => item.ok)) throw new Error(`a batch of ${task} has errors`);
    }
    return ms;
  }
}

window.api = new Api();
