// The module that a browser runs in its thread of sound. It is a file of its own, so that a page that forbids `blob:` can listen.

/** What the page is sent: the samples of each channel; with none of them, that these were the last. */
export interface FromWorklet {
  channels: Float32Array<ArrayBuffer>[];
}

declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new (options: AudioWorkletNodeOptions) => unknown): void;

/** Collects blocks, which are of 128 samples, to pieces, and sends these. */
class Listener extends AudioWorkletProcessor {
  readonly #size: number;
  #channels: Float32Array<ArrayBuffer>[] = [];
  #filled = 0;
  #stopped = false;

  constructor(options: AudioWorkletNodeOptions) {
    super();
    this.#size = (options.processorOptions as { size: number }).size;
    this.port.onmessage = (): void => {
      if (this.#stopped) return;
      this.#stopped = true;
      this.#send();
      this.port.postMessage({ channels: [] } satisfies FromWorklet);
    };
  }

  /** Called for each block. What it gives says whether it is to be called again. */
  process([input = []]: Float32Array[][]): boolean {
    if (this.#stopped) return false;
    // A microphone may change its channels; before it gives anything it has none.
    if (input.length !== this.#channels.length) this.#send();
    if (input.length > 0 && this.#channels.length === 0) {
      this.#channels = input.map(() => new Float32Array(this.#size));
    }
    let from = 0;
    const length = input[0]?.length ?? 0;
    while (from < length) {
      const count = Math.min(length - from, this.#size - this.#filled);
      this.#channels.forEach((channel, at) => channel.set(input[at]!.subarray(from, from + count), this.#filled));
      this.#filled += count;
      from += count;
      if (this.#filled === this.#size) {
        this.#send();
        this.#channels = input.map(() => new Float32Array(this.#size));
      }
    }
    return true;
  }

  #send(): void {
    const channels = this.#channels.map((channel) => channel.slice(0, this.#filled));
    if (this.#filled > 0) {
      this.port.postMessage({ channels } satisfies FromWorklet, {
        transfer: channels.map((channel) => channel.buffer),
      });
    }
    this.#channels = [];
    this.#filled = 0;
  }
}

registerProcessor("smallfirst-listener", Listener);
