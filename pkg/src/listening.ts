// A sound that goes on, piece by piece to the worker, and what is told of it.

import { abortable } from "./abort.js";
import type { SoundStream } from "./api.js";
import { SmallFirstError } from "./errors.js";
import type { Request } from "./protocol.js";
import { isSamples, mixed, tagOf } from "./sound-input.js";
import type { SpeechEvent } from "./types.js";
import type { RuntimeRunOptions } from "./wire.js";

/** Asks the worker. */
type Ask = (request: Request, transfer: Transferable[], signal?: AbortSignal) => Promise<unknown>;

/** How often it is looked whether a live sound is over, in milliseconds. */
const WATCH_MS = 250;

/** Each sound has a number of its own, whichever worker hears it. */
let sounds = 0;

/** What comes of a source: its rate, and its pieces, of one channel each. */
interface Source {
  rate: number;
  pieces: AsyncIterable<Float32Array<ArrayBuffer>>;
}

/** What is told of a sound that goes on. */
export async function* heard(
  ask: Ask,
  task: string,
  sound: SoundStream,
  options: RuntimeRunOptions,
  sampleRate: number | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<SpeechEvent, void, undefined> {
  signal?.throwIfAborted();
  const { rate, pieces } = await source(sound, sampleRate, signal);
  const number = ++sounds;
  try {
    await ask({ type: "listen", number, task, rate, options }, [], signal);
    for await (const samples of pieces) {
      yield* (await ask({ type: "hear", number, samples }, [samples.buffer], signal)) as SpeechEvent[];
    }
    yield* (await ask({ type: "hear", number, samples: null }, [], signal)) as SpeechEvent[];
  } finally {
    // The worker may be gone, and the sound with it.
    ask({ type: "hush", number }, []).catch(() => undefined);
  }
}

async function source(sound: SoundStream, rate: number | undefined, signal: AbortSignal | undefined): Promise<Source> {
  if (tagOf(sound) === "MediaStream") {
    if (rate !== undefined)
      throw new SmallFirstError("invalid_option", "`sampleRate` is for samples: a MediaStream says its own");
    return live(sound as MediaStream, signal);
  }
  if (rate === undefined)
    throw new SmallFirstError("invalid_option", "`sampleRate` is missing: samples do not say at what rate they are");
  if (tagOf(sound) === "ReadableStream") return { rate, pieces: read(sound as ReadableStream<Float32Array>, signal) };
  if (typeof sound === "object" && sound !== null && Symbol.asyncIterator in sound)
    return { rate, pieces: iterated(sound as AsyncIterable<Float32Array>, signal) };
  throw new SmallFirstError(
    "input_kind",
    "the sound must be a MediaStream, or a ReadableStream or another async iterable of Float32Arrays",
  );
}

/** A microphone's pieces, or another stream's of the browser. */
async function live(stream: MediaStream, signal: AbortSignal | undefined): Promise<Source> {
  // Only those who listen need it.
  const { listen } = await import("./sound.js");
  const waiting: { samples: Float32Array<ArrayBuffer>; taken: () => void }[] = [];
  let wake = (): void => undefined;
  let over = false;
  const listening = await listen(stream, {
    signal,
    // The next piece comes when this one was taken, so what waits is bounded by `listen`.
    onPiece: ({ channels, lost }) =>
      new Promise<void>((taken) => {
        const samples = mixed(channels);
        // What was lost is silence, so that times stay right.
        const whole = new Float32Array(lost + samples.length);
        whole.set(samples, lost);
        waiting.push({ samples: whole, taken });
        wake();
      }),
  });
  // Tracks that the page itself stops tell nobody.
  const tracks = stream.getAudioTracks();
  const watch = setInterval(() => {
    if (tracks.every((track) => track.readyState === "ended")) listening.stop();
  }, WATCH_MS);
  const ended = listening.done.finally(() => {
    clearInterval(watch);
    over = true;
    wake();
  });
  ended.catch(() => undefined);
  async function* pieces(): AsyncGenerator<Float32Array<ArrayBuffer>> {
    try {
      for (;;) {
        const piece = waiting.shift();
        if (piece) {
          piece.taken();
          yield piece.samples;
        } else if (over) break;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
      await ended;
    } finally {
      listening.stop();
      for (const { taken } of waiting) taken();
    }
  }
  return { rate: listening.rate, pieces: pieces() };
}

async function* read(
  stream: ReadableStream<Float32Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const reader = stream.getReader();
  let done = false;
  try {
    for (;;) {
      const piece = await abortable(reader.read(), signal);
      if (piece.done) {
        done = true;
        return;
      }
      yield checked(piece.value);
    }
  } finally {
    // Whoever makes the pieces is told that nobody wants more.
    if (!done) reader.cancel().catch(() => undefined);
    else reader.releaseLock();
  }
}

async function* iterated(
  pieces: AsyncIterable<Float32Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  for await (const piece of pieces) {
    signal?.throwIfAborted();
    yield checked(piece);
  }
}

/** A copy, which moves to the worker. */
function checked(piece: unknown): Float32Array<ArrayBuffer> {
  if (isSamples(piece)) return new Float32Array(piece);
  throw new SmallFirstError("input_kind", "a piece of the sound must be a Float32Array of samples");
}
