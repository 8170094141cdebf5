// At what rate a file of sound is: browsers do not say, and decode at the rate of the context.

/**
 * The rate that a file's header names: WAV, FLAC, Ogg (Vorbis, Opus), MP3, MP4 with AAC. None where it is not found, which is no
 * error: the browser then decodes at a rate of its choice.
 */
export function fileRate(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rate = read(view, bytes);
  return rate !== undefined && rate > 0 ? rate : undefined;
}

function read(view: DataView, bytes: Uint8Array): number | undefined {
  const is = (text: string, at: number): boolean =>
    at + text.length <= bytes.length && Array.from(text).every((letter, n) => bytes[at + n] === letter.charCodeAt(0));
  const big = (at: number): number | undefined => (at + 4 <= bytes.length ? view.getUint32(at) : undefined);
  const little = (at: number): number | undefined => (at + 4 <= bytes.length ? view.getUint32(at, true) : undefined);
  if (is("RIFF", 0) && is("WAVE", 8)) {
    for (
      let at = 12, length = little(16);
      length !== undefined;
      at += 8 + length + (length % 2), length = little(at + 4)
    ) {
      if (is("fmt ", at)) return little(at + 12);
    }
    return undefined;
  }
  if (is("fLaC", 0)) {
    const word = big(18);
    return word === undefined ? undefined : word >>> 12;
  }
  if (is("OggS", 0)) {
    const packet = 27 + (bytes[26] ?? 0);
    if (is("\u0001vorbis", packet)) return little(packet + 12);
    // Opus is always decoded at this rate, whatever was recorded.
    return is("OpusHead", packet) ? 48_000 : undefined;
  }
  if (is("ftyp", 4)) {
    const at = find(bytes, is, "mp4a", 8);
    const word = at === undefined ? undefined : big(at + 28);
    return word === undefined ? undefined : word >>> 16;
  }
  return mpegRate(view, is("ID3", 0) ? 10 + synchsafe(bytes) : 0);
}

/** Where the boxes of an MP4 file tell of sound; `moov` may be at the end. */
function find(
  bytes: Uint8Array,
  is: (text: string, at: number) => boolean,
  text: string,
  from: number,
): number | undefined {
  const first = text.charCodeAt(0);
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (is(text, at)) return at;
  }
  return undefined;
}

/** The length of an ID3 tag, which has 7 bits a byte. */
function synchsafe(bytes: Uint8Array): number {
  return [6, 7, 8, 9].reduce((sum, at) => sum * 128 + ((bytes[at] ?? 0) & 127), 0);
}

/** Of the first frame of an MP3 file or of a bare AAC stream. */
function mpegRate(view: DataView, at: number): number | undefined {
  if (at + 4 > view.byteLength) return undefined;
  const word = view.getUint32(at);
  if (word >>> 21 !== 0x7ff) return undefined;
  const version = (word >>> 19) & 3;
  const layer = (word >>> 17) & 3;
  // Layer 0 is ADTS, which has its rates in another place.
  if (layer === 0) {
    const rates = [96, 88.2, 64, 48, 44.1, 32, 24, 22.05, 16, 12, 11.025, 8, 7.35];
    const rate = rates[(word >>> 10) & 15];
    return rate === undefined ? undefined : rate * 1000;
  }
  const rate = [44_100, 48_000, 32_000][(word >>> 10) & 3];
  const halvings = [4, undefined, 2, 1][version];
  return rate === undefined || halvings === undefined ? undefined : rate / halvings;
}
