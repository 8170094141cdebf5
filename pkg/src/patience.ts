// How long is waited for what the browser keeps. In the field, databases and caches have been seen that never answer.

/** The most milliseconds for one thing: what is kept is a help, and whoever waits for it wants an answer. */
const MOST_MS = 1000;
/** And without a network, when there is nothing else to go on with. */
const OFFLINE_MS = 10_000;
/** And for a file that is stored while nobody waits for an answer. */
export const STORING_MS = 30_000;
/** Time in which what came while this thread was busy is taken in. */
const GRACE_MS = 20;

/** Waits for a storage, and while that does not answer, no more. */
export class Patience {
  /** How many things took too long and have not come to an end since. */
  #stuck = 0;

  /** What `work` gives; rejects when that takes too long, and at once while something before it still does. */
  wait<T>(work: () => Promise<T>, ms: number = MOST_MS): Promise<T> {
    const late = (): Error => new Error("the browser's storage does not answer");
    if (this.#stuck > 0) return Promise.reject(late());
    const most = globalThis.navigator?.onLine === false ? Math.max(ms, OFFLINE_MS) : ms;
    const working = work();
    return new Promise<T>((resolve, reject) => {
      let gaveUp = false;
      const giveUp = (): void => {
        gaveUp = true;
        this.#stuck++;
        reject(late());
      };
      let timer = setTimeout(() => (timer = setTimeout(giveUp, GRACE_MS)), most);
      const end = (): void => {
        clearTimeout(timer);
        if (gaveUp) this.#stuck--;
      };
      working.finally(end).then(resolve, reject);
    });
  }
}
