// How large an image is, by the beginning of its file: before a browser makes pixels of it.

/** How much of a file is looked at: what cameras write before the size of a JPEG takes some of it. */
export const HEAD_BYTES = 256 * 1024;

/** A width and a height. */
export interface Size {
  width: number;
  height: number;
}

/** The size that a file of PNG, JPEG, GIF, WebP or BMP states; nothing where it is none of these, or is cut before it does. */
export function statedSize(file: Uint8Array): Size | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const tag = (from: number, to: number): string => String.fromCharCode(...file.subarray(from, to));
  try {
    if (tag(1, 4) === "PNG") return { width: view.getUint32(16), height: view.getUint32(20) };
    if (tag(0, 3) === "GIF") return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
    if (tag(0, 2) === "BM") return { width: view.getInt32(18, true), height: Math.abs(view.getInt32(22, true)) };
    if (tag(0, 4) === "RIFF" && tag(8, 12) === "WEBP") return ofWebp(view, tag(12, 16));
    if (view.getUint16(0) === 0xffd8) return ofJpeg(view);
  } catch (thrown) {
    // The file ends before.
    if (!(thrown instanceof RangeError)) throw thrown;
  }
  return undefined;
}

function ofWebp(view: DataView, kind: string): Size | undefined {
  const three = (at: number): number => view.getUint16(at, true) + view.getUint8(at + 2) * 0x10000;
  switch (kind) {
    case "VP8X":
      return { width: three(24) + 1, height: three(27) + 1 };
    case "VP8 ":
      return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
    case "VP8L": {
      const both = view.getUint32(21, true);
      return { width: (both & 0x3fff) + 1, height: ((both >> 14) & 0x3fff) + 1 };
    }
    default:
      return undefined;
  }
}

/** Goes from segment to segment up to the one that begins the image. */
function ofJpeg(view: DataView): Size | undefined {
  let at = 2;
  for (;;) {
    const marker = view.getUint16(at);
    if (marker >> 8 !== 0xff) return undefined;
    // Bytes of 255 may fill a gap.
    if (marker === 0xffff) at += 1;
    else if (marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker))
      return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    else at += 2 + view.getUint16(at + 2);
  }
}
