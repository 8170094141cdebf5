// src/task.svelte.ts
import { type Answer, createSmallFirst, type Input, type Options, type SmallFirst } from "smallfirst";
import { onDestroy } from "svelte";

/** An instance for one component: the first call makes it, and it goes with the component. A call ends the one before it. */
export class Task {
  status = $state<"idle" | "running" | "done" | "failed">("idle");
  answer = $state.raw<Answer>();
  error = $state.raw<unknown>();
  #made: Promise<SmallFirst> | undefined;
  #call = new AbortController();

  constructor(readonly options: Options) {
    onDestroy(() => {
      this.stop();
      this.#made?.then((ai) => ai.dispose()).catch(() => {});
    });
  }

  #instance() {
    this.#made ??= createSmallFirst(this.options).catch((thrown) => {
      this.#made = undefined; // the next call tries again
      throw thrown;
    });
    return this.#made;
  }

  async run(task: string, input: Input) {
    this.#call.abort();
    const { signal } = (this.#call = new AbortController());
    this.status = "running";
    try {
      const ai = await this.#instance();
      const given = await ai.run(task, input, { signal });
      signal.throwIfAborted();
      this.answer = given;
      this.status = "done";
    } catch (thrown) {
      if (signal.aborted) return; // for a later call, or at the end
      this.error = thrown;
      this.status = "failed";
    }
  }

  stop() {
    this.#call.abort();
    this.status = "idle";
  }
}
