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

class Api {
  private ai: SmallFirst | undefined;

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
        // Never the same twice: an answer that is remembered is no inference.
        const text = `${TEXTS[turn % TEXTS.length]} ${turn++}`;
        await this.ai!.run(task, task === "file-type" ? new TextEncoder().encode(`# ${text}\nimport os\n\nprint(os.name)\n`) : text);
      }
      ms.push((performance.now() - started) / inner);
    }
    const ended = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { ms, longest: longestStall(begun, ended) };
  }
}

window.api = new Api();
