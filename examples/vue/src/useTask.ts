// src/useTask.ts
import { type Answer, createSmallFirst, type Input, type Options, type SmallFirst } from "smallfirst";
import { onScopeDispose, shallowRef } from "vue";

/** An instance for one component: the first call makes it, and it goes with the component. A call ends the one before it. */
export function useTask(options: Options) {
  const status = shallowRef<"idle" | "running" | "done" | "failed">("idle");
  const answer = shallowRef<Answer>();
  const error = shallowRef<unknown>();
  let made: Promise<SmallFirst> | undefined;
  let call = new AbortController();

  function instance() {
    made ??= createSmallFirst(options).catch((thrown) => {
      made = undefined; // the next call tries again
      throw thrown;
    });
    return made;
  }

  async function run(task: string, input: Input) {
    call.abort();
    const { signal } = (call = new AbortController());
    status.value = "running";
    try {
      const ai = await instance();
      const given = await ai.run(task, input, { signal });
      signal.throwIfAborted();
      answer.value = given;
      status.value = "done";
    } catch (thrown) {
      if (signal.aborted) return; // for a later call, or at the end
      error.value = thrown;
      status.value = "failed";
    }
  }

  function stop() {
    call.abort();
    status.value = "idle";
  }

  onScopeDispose(() => {
    stop();
    made?.then((ai) => ai.dispose()).catch(() => {});
  });
  return { status, answer, error, run, stop };
}
