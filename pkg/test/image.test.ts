import assert from "node:assert/strict";
import { test } from "node:test";
import { pixelsOf } from "../src/image.js";
import { statedSize } from "../src/image-size.js";

/** A file of these parts: texts of ASCII, and bytes. */
const file = (...parts: (string | number)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...new TextEncoder().encode(part)] : part)));

const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);
const PNG = [0x89, "PNG\r\n\x1a\n", 0, 0, 0, 13, "IHDR"] as const;
const png = (width: number[], height: number[]): Uint8Array => file(...PNG, ...width, ...height, 8, 6, 0, 0, 0);

/** 300 x 200 in each format. */
const FILES: Record<string, Uint8Array> = {
  png: png([0, 0, 1, 44], [0, 0, 0, 200]),
  gif: file("GIF89a", 44, 1, 200, 0, 0),
  bmp: file("BM", ...zeros(16), 44, 1, 0, 0, 0x38, 0xff, 0xff, 0xff),
  // A comment, a table and bytes that fill a gap are before the size.
  jpeg: file(0xff, 0xd8, 0xff, 0xfe, 0, 4, 1, 2, 0xff, 0xc4, 0, 3, 9, 0xff, 0xff, 0xff, 0xc2, 0, 17, 8, 0, 200, 1, 44),
  "webp, extended": file("RIFF", ...zeros(4), "WEBPVP8X", ...zeros(8), 43, 1, 0, 199, 0, 0),
  "webp, lossy": file("RIFF", ...zeros(4), "WEBPVP8 ", ...zeros(10), 44, 1, 200, 0),
  "webp, lossless": file("RIFF", ...zeros(4), "WEBPVP8L", ...zeros(5), 0x2b, 0xc1, 0x31, 0),
};

for (const [format, bytes] of Object.entries(FILES)) {
  test(`the size of a file of ${format} is read, and of one that is cut before it there is none`, () => {
    assert.deepEqual(statedSize(bytes), { width: 300, height: 200 });
    for (let length = 0; length < 10; length++) assert.equal(statedSize(bytes.subarray(0, length)), undefined);
    // Bytes that begin inside of a larger buffer.
    const inside = new Uint8Array(bytes.length + 8);
    inside.set(bytes, 5);
    assert.deepEqual(statedSize(inside.subarray(5)), { width: 300, height: 200 });
  });
}

test("what is no image, or says nothing, has no size", () => {
  assert.equal(statedSize(file("<svg></svg>")), undefined);
  assert.equal(statedSize(new Uint8Array()), undefined);
  assert.equal(statedSize(file(0xff, 0xd8, 1, 2, 3, 4)), undefined);
  assert.equal(statedSize(file("RIFF", ...zeros(4), "WEBPALPH", ...zeros(40))), undefined);
});

test("an image of too many pixels is refused by its beginning: no pixels are made", async () => {
  // Node has nothing that would make them.
  const large = png([0, 0, 0x27, 0x11], [0, 0, 0x27, 0x10]);
  for (const input of [large, new Blob([large as BlobPart])]) {
    await assert.rejects(pixelsOf(input), { code: "input_too_long", message: /10001 x 10000/ });
  }
  await assert.rejects(pixelsOf(png([0, 0, 0, 1], [0, 0, 0, 1])), { code: "input_kind" });
});
