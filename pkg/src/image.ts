// Images as pages have them, and their pixels. The browser decodes them; resizing is the engine's.

import { describe, SmallFirstError } from "./errors.js";
import { HEAD_BYTES, type Size, statedSize } from "./image-size.js";

/** Whatever shows an image. A video gives the frame that it shows now. */
export type Picture =
  | ImageBitmap
  | ImageData
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLImageElement
  | SVGImageElement
  | HTMLVideoElement
  | VideoFrame;

/** Pixels: red, green, blue and alpha, a byte each, row by row. */
export interface PixelData {
  width: number;
  height: number;
  data: Uint8ClampedArray;
}

/** The most pixels of an image; as in crates/image. */
const MAX_PIXELS = 100_000_000;

/** Colours as the file has them, and as it says it is to be turned. */
const AS_IT_IS: ImageBitmapOptions = {
  colorSpaceConversion: "none",
  premultiplyAlpha: "none",
  imageOrientation: "from-image",
};

const PICTURES = new Set([
  "ImageBitmap",
  "ImageData",
  "HTMLCanvasElement",
  "OffscreenCanvas",
  "HTMLImageElement",
  "SVGImageElement",
  "HTMLVideoElement",
  "VideoFrame",
]);

/** Whether an input shows an image. By tag and not by `instanceof`, which says no to what comes from another frame. */
export function isPicture(input: unknown): input is Picture {
  return PICTURES.has(Object.prototype.toString.call(input).slice("[object ".length, -1));
}

/**
 * An image, ready to be sent to the worker: a copy, so that the page may go on with its own.
 *
 * @throws SmallFirstError - `input_kind` when it shows nothing yet, or is of another site that does not share it.
 */
export async function wirePicture(input: Picture): Promise<ImageBitmap | ImageData> {
  if ("data" in input) return input;
  try {
    return await createImageBitmap(input, AS_IT_IS);
  } catch (thrown) {
    throw new SmallFirstError("input_kind", `the image cannot be read: ${describe(thrown)}`);
  }
}

/**
 * In the worker: the pixels of an image, or of a file of one.
 *
 * @throws SmallFirstError - `input_kind` when it is none, `input_too_long` when it has too many pixels.
 */
export async function pixelsOf(input: ImageBitmap | ImageData | Blob | Uint8Array): Promise<PixelData> {
  if ("data" in input) return input;
  let bitmap: ImageBitmap;
  if (input instanceof Blob || input instanceof Uint8Array) {
    const file = input instanceof Blob ? input : new Blob([input as BlobPart]);
    // Pixels that are too many are not made at all where the file says how many there are.
    const stated = statedSize(await head(file));
    if (stated) check(stated);
    try {
      bitmap = await createImageBitmap(file, AS_IT_IS);
    } catch (thrown) {
      throw new SmallFirstError("input_kind", `the file is no image that this browser reads: ${describe(thrown)}`);
    }
  } else bitmap = input;
  try {
    const { width, height } = bitmap;
    check(bitmap);
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (!context) throw new SmallFirstError("input_kind", `there is no memory for ${width} x ${height} pixels`);
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, width, height);
  } finally {
    bitmap.close();
  }
}

/** The beginning of a file. */
async function head(file: Blob): Promise<Uint8Array> {
  try {
    return new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  } catch (thrown) {
    throw new SmallFirstError("input_kind", `the file could not be read: ${describe(thrown)}`);
  }
}

/** Refuses an image of too many pixels. */
function check({ width, height }: Size): void {
  if (width * height <= MAX_PIXELS) return;
  const why = `the image has ${width} x ${height} pixels; the most are ${MAX_PIXELS}`;
  throw new SmallFirstError("input_too_long", why);
}
