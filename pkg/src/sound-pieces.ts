import type { Sound } from "./sound.js";

/** A piece of a live sound. */
export interface SoundPiece extends Sound {
  /** Samples of each channel that were lost right before it, because the pieces before were not taken in time. Mostly 0. */
  lost: number;
}

/**
 * Pieces on their way to a callback that may be slower than they come. One is given at a time, the next when the callback's
 * promise is fulfilled. What waits is bounded: beyond that the oldest waiting pieces are lost, and the next one says so.
 */
export class Pieces {
  readonly #give: (piece: SoundPiece) => unknown;
  readonly #most: number;
  readonly #waiting: Sound[] = [];
  #samples = 0;
  #lost = 0;
  #giving: Promise<void> | undefined;
  #closed = false;
  /** Called with what the callback threw, after which nothing is given any more. */
  onFailure: (thrown: unknown) => void = () => undefined;

  /** `most` is how many samples of a channel may wait. */
  constructor(give: (piece: SoundPiece) => unknown, most: number) {
    this.#give = give;
    this.#most = most;
  }

  push(sound: Sound): void {
    if (this.#closed) return;
    this.#waiting.push(sound);
    this.#samples += length(sound);
    while (this.#samples > this.#most && this.#waiting.length > 1) {
      const oldest = length(this.#waiting.shift()!);
      this.#samples -= oldest;
      this.#lost += oldest;
    }
    this.#giving ??= this.#run();
  }

  /** Fulfilled when everything was given that waits now. */
  async drained(): Promise<void> {
    await this.#giving;
  }

  /** Gives nothing any more. */
  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
  }

  async #run(): Promise<void> {
    try {
      // Not within the event that brought the piece: what a callback throws is not that event's.
      await Promise.resolve();
      for (let sound = this.#waiting.shift(); sound; sound = this.#waiting.shift()) {
        this.#samples -= length(sound);
        const lost = this.#lost;
        this.#lost = 0;
        await this.#give({ ...sound, lost });
      }
    } catch (thrown) {
      this.close();
      this.onFailure(thrown);
    } finally {
      this.#giving = undefined;
    }
  }
}

function length(sound: Sound): number {
  return sound.channels[0]?.length ?? 0;
}
