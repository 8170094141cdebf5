// What left the device, written down on the page: workers come and go.

import type { EgressReport, Sent } from "./types.js";

/** How many requests are listed, and how many characters their bodies may have; of older ones only the sums are kept. */
const LISTED = 500;
const LISTED_CHARACTERS = 4 * 1024 * 1024;

/** Writes down what leaves the device. */
export class Ledger {
  readonly #told: (sent: Sent) => void;
  #requests = 0;
  #bytes = 0;
  #sent: Sent[] = [];
  #characters = 0;

  /** Tells `told` of each request. */
  constructor(told: (sent: Sent) => void = () => {}) {
    this.#told = told;
  }

  /** Writes down one request. A worker waits for it before it sends it, so nothing leaves unwritten. */
  write(sent: Sent): void {
    this.#requests += 1;
    this.#bytes += sent.bytes;
    this.#sent.push(sent);
    this.#characters += sent.body.length;
    // The latest is listed however long it is.
    while (this.#sent.length > LISTED || (this.#sent.length > 1 && this.#characters > LISTED_CHARACTERS)) {
      this.#characters -= this.#sent.shift()!.body.length;
    }
    this.#told(sent);
  }

  /** What was written down, as a copy. */
  report(): EgressReport {
    return { requests: this.#requests, bytes: this.#bytes, sent: structuredClone(this.#sent) };
  }
}
