// What a cold page reports: when its first answer was there, and how long its main thread was busy at most.

export interface Cold {
  /** Milliseconds from the start of the navigation. */
  ms: number;
  /** The longest task of the main thread until then; 0: none reached the 50 ms from which browsers report them. */
  longest: number;
  /** The sum of those tasks. */
  blocked: number;
  /** When it was there, in milliseconds since 1970: what was requested later does not count. */
  at: number;
  answer: string;
}

declare global {
  interface Window {
    tasks: PerformanceEntry[];
    cold: Promise<Cold>;
  }
}

/** Runs the page's work and keeps its report. */
export function measure(work: () => Promise<string>): void {
  window.cold = (async () => {
    const answer = await work();
    const ms = performance.now();
    // The task that gave the answer is reported after it ended.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const tasks = window.tasks.filter((task) => task.startTime < ms).map((task) => task.duration);
    return {
      ms,
      longest: Math.max(0, ...tasks),
      blocked: tasks.reduce((a, b) => a + b, 0),
      at: performance.timeOrigin + ms,
      answer,
    };
  })();
}

export const TEXT = "I loved every minute of it, what a wonderful film. Can't wait to see it again with my sister!";

/** What the page was asked for. */
export const wanted = new URLSearchParams(location.search).get("what") ?? "";
