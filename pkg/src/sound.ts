// `smallfirst/sound`: sounds as browsers have them to samples. What models take of these is made by the module.

import { abortable } from "./abort.js";
import { describe, SmallFirstError } from "./errors.js";
import { Pieces, type SoundPiece } from "./sound-pieces.js";
import { fileRate } from "./sound-rate.js";
import type { FromWorklet } from "./sound-worklet.js";

export { SmallFirstError } from "./errors.js";
export type { SoundPiece } from "./sound-pieces.js";

/** Samples. */
export interface Sound {
  /** Samples a second. */
  rate: number;
  /** The samples of each channel, from -1 to 1. */
  channels: Float32Array<ArrayBuffer>[];
}

/** What {@link readSound} takes: decoded sound, samples, or a file of sound. */
export type SoundInput = AudioBuffer | Float32Array | Blob | ArrayBuffer | Uint8Array;

/** Options of {@link readSound}. */
export interface SoundOptions {
  /** The rate of a `Float32Array`'s samples. Such an input needs it, and others do not take it. */
  sampleRate?: number | undefined;
  /** Ends the wait. */
  signal?: AbortSignal | undefined;
}

/** Files longer than this are refused before they are decoded: a browser keeps all samples in memory. */
const MAX_FILE_BYTES = 512 * 1024 * 1024;

/** The rates that models and files have. */
const MAX_RATE = 768_000;

/** At what a file is decoded that does not say its rate. */
const COMMON_RATE = 48_000;

/**
 * Samples of a sound, at its own rate. Files are decoded by the browser, at the rate that they were recorded at where they say it
 * and the browser can.
 *
 * ```ts
 * import { readSound } from "smallfirst/sound";
 *
 * const file = await fetch("greeting.mp3").then((response) => response.blob());
 * const { rate, channels } = await readSound(file);
 * const samples = await readSound(new Float32Array(16_000), { sampleRate: 16_000 });
 * ```
 *
 * Rejects with `input_kind` what is no sound or cannot be decoded, `empty_input` what has no samples, `invalid_option`, and with
 * the signal's reason.
 */
export async function readSound(input: SoundInput, options: SoundOptions = {}): Promise<Sound> {
  const { sampleRate, signal } = options;
  signal?.throwIfAborted();
  const tag = Object.prototype.toString.call(input);
  if (tag === "[object Float32Array]") {
    const samples = new Float32Array(input as Float32Array);
    return checked({ rate: checkedRate(sampleRate), channels: [samples] });
  }
  if (sampleRate !== undefined) {
    throw new SmallFirstError(
      "invalid_option",
      "`sampleRate` is for samples in a Float32Array: other inputs say theirs",
    );
  }
  switch (tag) {
    case "[object AudioBuffer]":
      return checked(ofBuffer(input as AudioBuffer));
    case "[object Blob]":
    case "[object File]":
      checkLength((input as Blob).size);
      return decoded(await abortable(bytesOf(input as Blob), signal), signal);
    case "[object ArrayBuffer]":
      checkLength((input as ArrayBuffer).byteLength);
      // A copy: the browser takes away what it decodes.
      return decoded((input as ArrayBuffer).slice(0), signal);
    case "[object Uint8Array]":
      checkLength((input as Uint8Array).byteLength);
      return decoded(new Uint8Array(input as Uint8Array).buffer, signal);
    default:
      throw new SmallFirstError(
        "input_kind",
        "the sound must be an AudioBuffer, a Float32Array, a Blob, an ArrayBuffer or a Uint8Array",
      );
  }
}

/** Options of {@link listen}. */
export interface ListenOptions {
  /**
   * Gets each piece. The next one comes when its promise is fulfilled. What it throws ends the listening and rejects `done`.
   */
  onPiece: (piece: SoundPiece) => unknown;
  /** Ends the listening: `done` is then rejected with the signal's reason, and pieces that wait are not given. */
  signal?: AbortSignal | undefined;
  /** How long pieces are, in seconds. Default: 0.1. */
  pieceSeconds?: number | undefined;
  /** How much may wait for `onPiece`, in seconds. Beyond that the oldest pieces are lost. Default: 10. */
  waitSeconds?: number | undefined;
  /** Where `sound-worklet.js` lies, if the build moved it. Default: beside this file. */
  workletUrl?: string | URL | undefined;
}

/** A live sound that is being listened to. */
export interface Listening {
  /** The rate of all its pieces. */
  readonly rate: number;
  /** Fulfilled after {@link stop} or the end of the stream, when all pieces were given. */
  readonly done: Promise<void>;
  /** Ends the listening; pieces that wait are still given. The stream goes on: stop its tracks to turn the microphone off. */
  stop(): void;
}

/**
 * Gives a live sound in pieces, for example a microphone's. The page needs no `blob:` in its Content-Security-Policy: the file
 * `sound-worklet.js` is served as the others are. Browsers let a page listen after a click or a key press; until then this waits.
 *
 * ```ts
 * import { listen } from "smallfirst/sound";
 *
 * const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
 * const ending = new AbortController();
 * const listening = await listen(stream, {
 *   signal: ending.signal,
 *   onPiece: async ({ rate, channels, lost }) => console.log(rate, channels[0].length, lost),
 * });
 * setTimeout(() => listening.stop(), 5_000);
 * await listening.done;
 * stream.getTracks().forEach((track) => track.stop());
 * ```
 *
 * Rejects with `input_kind` a stream without sound and a browser that cannot listen, `invalid_option`, `worker_failed` when
 * `sound-worklet.js` cannot be loaded, and with the signal's reason.
 */
export async function listen(stream: MediaStream, options: ListenOptions): Promise<Listening> {
  const { onPiece, signal, pieceSeconds = 0.1, waitSeconds = 10 } = options;
  if (typeof onPiece !== "function") throw new SmallFirstError("invalid_option", "`onPiece` must be a function");
  within("pieceSeconds", pieceSeconds, 0.005, 60);
  within("waitSeconds", waitSeconds, 0, 3600);
  signal?.throwIfAborted();
  if (Object.prototype.toString.call(stream) !== "[object MediaStream]" || stream.getAudioTracks().length === 0) {
    throw new SmallFirstError("input_kind", "the input must be a MediaStream with a track of sound");
  }
  if (typeof AudioContext === "undefined" || typeof AudioWorkletNode === "undefined") {
    throw new SmallFirstError("input_kind", "this browser, or a page without HTTPS, cannot listen to a MediaStream");
  }
  const context = new AudioContext();
  try {
    await abortable(start(context, options.workletUrl), signal);
  } catch (thrown) {
    void context.close();
    throw thrown;
  }
  const rate = context.sampleRate;
  const node = new AudioWorkletNode(context, "smallfirst-listener", {
    processorOptions: { size: Math.max(128, Math.round(pieceSeconds * rate)) },
  });
  const pieces = new Pieces(onPiece, waitSeconds * rate);
  const source = context.createMediaStreamSource(stream);
  const stop = (): void => node.port.postMessage("stop");
  const done = new Promise<void>((resolve, reject) => {
    pieces.onFailure = reject;
    node.onprocessorerror = (): void => reject(new SmallFirstError("worker_failed", "the thread of sound failed"));
    node.port.onmessage = ({ data }: MessageEvent<FromWorklet>): void => {
      if (data.channels.length > 0) pieces.push({ rate, channels: data.channels });
      else pieces.drained().then(resolve, reject);
    };
  });
  const tracks = stream.getAudioTracks();
  const over = (): void => {
    if (tracks.every((track) => track.readyState === "ended")) stop();
  };
  for (const track of tracks) track.addEventListener("ended", over);
  over();
  // Browsers run what leads to the speakers; what leads there is silence.
  source.connect(node).connect(context.destination);
  const end = async (): Promise<void> => {
    try {
      await abortable(done, signal);
    } finally {
      for (const track of tracks) track.removeEventListener("ended", over);
      pieces.close();
      source.disconnect();
      node.disconnect();
      node.port.close();
      await context.close();
    }
  };
  const ended = end();
  // Whoever does not wait for `done` has not asked to be told.
  ended.catch(() => undefined);
  return { rate, done: ended, stop };
}

async function start(
  context: AudioContext,
  url: string | URL = new URL("./sound-worklet.js", import.meta.url),
): Promise<void> {
  try {
    await context.audioWorklet.addModule(url);
  } catch (thrown) {
    throw new SmallFirstError("worker_failed", `sound-worklet.js could not be loaded: ${describe(thrown)}`);
  }
  await context.resume();
}

async function bytesOf(blob: Blob): Promise<ArrayBuffer> {
  try {
    return await blob.arrayBuffer();
  } catch (thrown) {
    throw new SmallFirstError("input_kind", `the Blob could not be read: ${describe(thrown)}`);
  }
}

/** A file's samples. The browser keeps the bytes. */
async function decoded(file: ArrayBuffer, signal: AbortSignal | undefined): Promise<Sound> {
  if (file.byteLength === 0) throw new SmallFirstError("empty_input", "the file of sound is empty");
  if (typeof OfflineAudioContext === "undefined") {
    throw new SmallFirstError("input_kind", "files of sound are decoded in a page, and not in a worker: give samples");
  }
  const context = contextAt(fileRate(new Uint8Array(file)));
  try {
    return checked(ofBuffer(await abortable(context.decodeAudioData(file), signal)));
  } catch (thrown) {
    if (signal?.aborted || thrown instanceof SmallFirstError) throw thrown;
    throw new SmallFirstError("input_kind", `the browser cannot decode this file: ${describe(thrown)}`);
  }
}

/** A context at a file's rate, or at a common one where the browser does not have that. */
function contextAt(rate: number | undefined): OfflineAudioContext {
  try {
    return new OfflineAudioContext(1, 1, rate ?? COMMON_RATE);
  } catch {
    return new OfflineAudioContext(1, 1, COMMON_RATE);
  }
}

function ofBuffer(buffer: AudioBuffer): Sound {
  const channels = Array.from(
    { length: buffer.numberOfChannels },
    (_, at) => new Float32Array(buffer.getChannelData(at)),
  );
  return { rate: buffer.sampleRate, channels };
}

function checked(sound: Sound): Sound {
  if (!sound.channels[0]?.length) throw new SmallFirstError("empty_input", "the sound has no samples");
  for (const channel of sound.channels) {
    const at = channel.findIndex((sample) => !Number.isFinite(sample));
    if (at >= 0) throw new SmallFirstError("input_kind", `sample ${at} is infinite or no number`);
  }
  return sound;
}

function checkedRate(rate: number | undefined): number {
  if (rate !== undefined && Number.isInteger(rate) && rate > 0 && rate <= MAX_RATE) return rate;
  throw new SmallFirstError("invalid_option", `\`sampleRate\` must be a whole number of 1 to ${MAX_RATE}`);
}

function checkLength(bytes: number): void {
  if (bytes > MAX_FILE_BYTES) throw new SmallFirstError("input_too_long", "the file of sound is longer than 512 MiB");
}

function within(name: string, value: number, least: number, most: number): void {
  if (typeof value === "number" && value >= least && value <= most) return;
  throw new SmallFirstError("invalid_option", `\`${name}\` must be ${least} to ${most}`);
}
