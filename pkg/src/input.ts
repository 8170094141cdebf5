import { describe, SmallFirstError, toWire } from "./errors.js";
import { isPicture, pixelsOf, type PixelData, wirePicture } from "./image.js";
import type { WireInput } from "./protocol.js";
import type { Sound } from "./sound.js";
import { type TableRow, wireRow, wireSound } from "./sound-input.js";
import type { InputKind } from "./types.js";

/** Above this many bytes only the ends of a Blob are read. */
const WHOLE_BLOB_BYTES = 64 * 1024 * 1024;

/** How much of each end is read then: the largest block of an end that a bundle may ask for. */
const BLOB_END_BYTES = 1024 * 1024;

/** Whether something is bytes. By tag and not by `instanceof`, which says no to what comes from another frame, or from outside of jsdom. */
export function isBytes(value: unknown): value is Uint8Array {
  return Object.prototype.toString.call(value) === "[object Uint8Array]";
}

/**
 * An input, ready to be sent to the worker. Bytes are copied (now, before the call returns), so
 * the caller's array stays usable and later changes to it do not matter. A Blob cannot change and
 * is read in the worker. Strings are not touched: the engine itself refuses broken ones.
 */
export function wireInput(input: unknown): WireInput {
  if (typeof input === "string") return input;
  if (isBytes(input)) return new Uint8Array(input);
  switch (Object.prototype.toString.call(input)) {
    case "[object ArrayBuffer]":
      return new Uint8Array((input as ArrayBuffer).slice(0));
    case "[object Blob]":
    case "[object File]":
      return input as Blob;
    default:
      break;
  }
  const numbers = wireSound(input) ?? wireRow(input);
  if (numbers) return numbers;
  const { text, textPair, question, context } = (input ?? {}) as Record<string, unknown>;
  const [first, second] = question === undefined ? [text, textPair] : [question, context];
  if (typeof first === "string" && typeof second === "string") return { text: first, second };
  throw new SmallFirstError(
    "input_kind",
    "the input must be a string, a Uint8Array, an ArrayBuffer, a Blob, an image, { text, textPair }, { question, context }, a sound ({ samples, sampleRate }) or { row }",
  );
}

/** The same of what may show an image, which takes a moment. */
export function anyInput(input: unknown): WireInput | Promise<WireInput> {
  return isPicture(input) ? wirePicture(input) : wireInput(input);
}

/** The same for one item of a batch: what is no input becomes the error of its item. */
export async function wireItem(input: unknown): Promise<WireInput> {
  try {
    return await anyInput(input);
  } catch (thrown) {
    return { error: toWire(thrown) };
  }
}

/** The memory that can move to the worker instead of being copied a second time. */
export function transfers(inputs: WireInput[]): Transferable[] {
  return inputs.flatMap((input): Transferable[] => {
    if (isBytes(input)) return [input.buffer];
    if (typeof input === "object" && "channels" in input) return input.channels.map((channel) => channel.buffer);
    // An ImageData is copied: the page keeps its own.
    return typeof input === "object" && "close" in input ? [input] : [];
  });
}

/** What the engine takes. */
export type EngineInput =
  | string
  | Uint8Array
  | PixelData
  | { text: string; second: string }
  | Sound
  | { row: TableRow };

/** In the worker: an input as the engine takes it, for a task that reads `kind`. */
export async function engineInput(input: WireInput, kind?: InputKind): Promise<EngineInput> {
  if (typeof input === "string") return input;
  if ("error" in input) throw Object.assign(new Error(input.error.message), input.error);
  if ("second" in input || "channels" in input || "row" in input) return input;
  if (kind === "sound")
    throw new SmallFirstError(
      "input_kind",
      "the task reads a sound: give samples with their rate, which `readSound` of smallfirst/sound makes of a file",
    );
  if (kind === "image" || "width" in input) return pixelsOf(input);
  // The engine takes those of its own frame.
  if (input instanceof Uint8Array) return input;
  if (isBytes(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  try {
    return new Uint8Array(await ends(input).arrayBuffer());
  } catch (thrown) {
    throw new SmallFirstError("input_kind", `the Blob could not be read: ${describe(thrown)}`);
  }
}

/**
 * A huge Blob is not read whole: the models that take bytes look at a block of each end only, and a video of some gigabytes would not fit in memory.
 */
function ends(blob: Blob): Blob {
  if (blob.size <= WHOLE_BLOB_BYTES) return blob;
  return new Blob([blob.slice(0, BLOB_END_BYTES), blob.slice(blob.size - BLOB_END_BYTES)]);
}
