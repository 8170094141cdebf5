// What a cold page reports: when its first answer was there, and how long its main thread was busy at most.

export interface Cold {
  /** Milliseconds from the start of the navigation. */
  ms: number;
  /** The longest time until then that the main thread could do nothing else; 0: always under 15 ms. */
  longest: number;
  /** When it was there, in milliseconds since 1970: what was requested later does not count. */
  at: number;
  answer: string;
}

declare global {
  interface Window {
    /** When the main thread was held, and for how many milliseconds; kept by the page's first script. */
    stalls: { start: number; ms: number }[];
    cold: Promise<Cold>;
  }
}

/** The longest stall that began in this time. */
export function longestStall(from: number, to: number): number {
  return Math.max(0, ...window.stalls.filter(({ start }) => start >= from && start < to).map(({ ms }) => ms));
}

/** Runs the page's work and keeps its report. */
export function measure(work: () => Promise<string>): void {
  window.cold = (async () => {
    const answer = await work();
    const ms = performance.now();
    // The task that gave the answer is noted after it ended.
    await new Promise((resolve) => setTimeout(resolve, 200));
    return {
      ms,
      longest: longestStall(0, ms),
      at: performance.timeOrigin + ms,
      answer,
    };
  })();
}

export const TEXT = "I loved every minute of it, what a wonderful film. Can't wait to see it again with my sister!";

/** What the page was asked for. */
export const wanted = new URLSearchParams(location.search).get("what") ?? "";
