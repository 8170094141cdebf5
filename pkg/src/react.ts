// Hooks for React 18 and newer. React is the app's own.

import { createContext, createElement, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";
import type { ReactNode } from "react";
// By its name, so that it is the one for the place: a page's, or Node's.
import { createSmallFirst } from "smallfirst";
import type {
  Answer,
  GenerateOptions,
  IndexOptions,
  Input,
  Options,
  Progress,
  RunOptions,
  SearchHit,
  SearchOptions,
  SmallFirst,
  TextAnswer,
} from "smallfirst";

/** What the provider knows of its instance. */
interface Shared {
  ai: SmallFirst | undefined;
  error: unknown;
  progress: Progress | undefined;
}

const Context = createContext<Shared | undefined>(undefined);

/** The options of `createSmallFirst`, or an instance of the app's own, which stays the app's to dispose of. */
export type SmallFirstProviderProps = { children?: ReactNode } & (
  | { options: Options; instance?: never }
  | { instance: SmallFirst; options?: never }
);

/**
 * Makes an instance when it is mounted, for all hooks under it, and disposes of it when it is unmounted. Options are read once.
 */
export function SmallFirstProvider({ options, instance, children }: SmallFirstProviderProps): ReactNode {
  const [shared, share] = useState<Shared>({ ai: instance, error: undefined, progress: undefined });
  const first = useRef(options);
  useEffect(() => {
    if (instance) return share({ ai: instance, error: undefined, progress: undefined });
    // StrictMode mounts twice: the first instance is ended before it is there.
    const end = new AbortController();
    let made: SmallFirst | undefined;
    const given = first.current!;
    const onProgress = (progress: Progress): void => {
      given.onProgress?.(progress);
      if (!end.signal.aborted) share((before) => ({ ...before, progress }));
    };
    createSmallFirst({ ...given, onProgress, signal: end.signal }).then(
      (ai) => {
        if (end.signal.aborted) return ai.dispose();
        made = ai;
        share((before) => ({ ...before, ai, error: undefined }));
      },
      (error: unknown) => {
        if (!end.signal.aborted) share((before) => ({ ...before, error }));
      },
    );
    return () => {
      end.abort();
      made?.dispose();
    };
  }, [instance]);
  return createElement(Context.Provider, { value: shared }, children);
}

/** The instance, once it is there; what it failed with; and the last that was heard of its files. */
export function useSmallFirst(): { ai: SmallFirst | undefined; error: unknown; progress: Progress | undefined } {
  const shared = useContext(Context);
  if (!shared) throw new Error("this hook needs a <SmallFirstProvider> above it");
  return shared;
}

/** How a call stands. `loading` waits for the instance. */
export type Status = "idle" | "loading" | "running" | "done" | "failed";

/** What a hook gives: how its last call stands, and what starts another, which ends the one before. */
interface Call<T, A extends unknown[]> {
  status: Status;
  answer: T | undefined;
  error: unknown;
  progress: Progress | undefined;
  /** Gives the answer; rejects with what the call failed with, or the reason of its end. */
  run: (...given: A) => Promise<T>;
  /** Ends the call. */
  stop: () => void;
}

function useCall<T, A extends unknown[]>(
  make: (ai: SmallFirst, signal: AbortSignal, ...given: A) => Promise<T>,
): Call<T, A> {
  const { ai, error: broken, progress } = useSmallFirst();
  type State = { status: Status; answer: T | undefined; error: unknown };
  const [state, set] = useState<State>({ status: "idle", answer: undefined, error: undefined });
  const current = useRef<AbortController>(undefined);
  const latest = useRef(make);
  latest.current = make;
  /** Calls that came before the instance. */
  const waiting = useRef<((ai: SmallFirst | undefined, error: unknown) => void)[]>([]);

  useEffect(() => {
    if (!ai && broken === undefined) return;
    for (const wake of waiting.current.splice(0)) wake(ai, broken);
  }, [ai, broken]);
  const stop = useCallback(() => current.current?.abort(), []);
  // Nobody is there to see the answer.
  useEffect(() => stop, [stop]);

  const run = useCallback(
    async (...given: A): Promise<T> => {
      current.current?.abort();
      const controller = (current.current = new AbortController());
      const { signal } = controller;
      const show = (next: Partial<State>): void => {
        if (current.current === controller) set((before) => ({ ...before, ...next }));
      };
      show({ status: ai ? "running" : "loading", error: undefined });
      try {
        const there =
          ai ??
          (await new Promise<SmallFirst>((resolve, reject) => {
            if (broken !== undefined) return reject(broken);
            waiting.current.push((made, error) => (made ? resolve(made) : reject(error)));
            signal.addEventListener("abort", () => reject(signal.reason));
          }));
        signal.throwIfAborted();
        show({ status: "running" });
        const answer = await latest.current(there, signal, ...given);
        show({ status: "done", answer });
        return answer;
      } catch (error) {
        show(signal.aborted ? { status: "idle" } : { status: "failed", error });
        throw error;
      }
    },
    [ai, broken],
  );
  return { ...state, progress, run, stop };
}

/** Asks an index of your own texts, which `useSmallFirst().ai.index(name, { task })` fills. Options may change from call to call. */
export function useSearch(
  name: string,
  { task, limit }: IndexOptions & Pick<SearchOptions, "limit">,
): Call<SearchHit[], [query: string]> {
  return useCall((ai, signal, query: string) => ai.index(name, { task }).search(query, { limit, signal }));
}

/** Asks a task. Options may change from call to call. */
export function useTask(task: string, options?: Omit<RunOptions, "signal">): Call<Answer, [input: Input]> {
  return useCall((ai, signal, input: Input) => ai.run(task, input, { ...options, signal }));
}

/** Writes a text. `text` grows as its pieces come. */
export function useGenerate(
  task: string,
  options?: Omit<GenerateOptions, "signal">,
): Call<TextAnswer, [input: string]> & { text: string } {
  const [text, write] = useState("");
  const call = useCall(async (ai, signal, input: string) => {
    write("");
    const stream = ai.generate(task, input, { ...options, signal });
    for await (const piece of stream) if (!signal.aborted) write((before) => before + piece);
    return stream.answer;
  });
  return useMemo(() => ({ ...call, text }), [call, text]);
}
