import type { TextAnswer, TextStream } from "./api.js";

/** How many characters may wait for their reader before the remote's are no longer read. */
const WAITING = 4096;

/** A text on its way to its reader. */
export class Pieces implements TextStream {
  readonly #pieces: string[] = [];
  #characters = 0;
  #reading = false;
  #drained = false;
  /** Says that another piece may come; set while one is held back. */
  #more: (() => void) | undefined;
  #wake: (() => void) | undefined;
  #ended = false;
  readonly #work: Promise<TextAnswer>;
  readonly #cancel: () => void;

  constructor(start: (take: (text: string, more: () => void) => void) => Promise<TextAnswer>, cancel: () => void) {
    this.#cancel = cancel;
    this.#work = start((text, more) => this.#take(text, more));
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    // Whoever reads, or asks for the answer, hears of a failure; nobody else needs to.
    this.#work.then(end, end);
  }

  get answer(): Promise<TextAnswer> {
    if (!this.#reading) {
      // Nobody reads the pieces: they are in the answer, and must not hold it up.
      this.#drained = true;
      this.#release();
    }
    return this.#work;
  }

  #take(text: string, more: () => void): void {
    if (text !== "") {
      this.#pieces.push(text);
      this.#characters += text.length;
    }
    this.#more = more;
    if (this.#drained || this.#characters < WAITING) this.#release();
    this.#wake?.();
  }

  #release(): void {
    const more = this.#more;
    this.#more = undefined;
    more?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<string> {
    this.#reading = true;
    let finished = false;
    try {
      for (;;) {
        const piece = this.#pieces.shift();
        if (piece !== undefined) {
          this.#characters -= piece.length;
          if (this.#characters < WAITING) this.#release();
          yield piece;
        } else if (this.#ended) {
          finished = true;
          // Throws what it failed with.
          await this.#work;
          return;
        } else {
          await new Promise<void>((resolve) => (this.#wake = resolve));
          this.#wake = undefined;
        }
      }
    } finally {
      // Whoever stops reading does not want the rest.
      if (!finished) this.#cancel();
    }
  }
}
