// Bundles in one file: a zip. It is written with its entries stored as they are, and read from any zip whose entries are stored or
// deflated, each where it lies and when it is asked for.

import { SmallFirstError } from "./errors.js";

/** What an entry says of itself in the directory. */
interface Entry {
  /** Where its local header is. */
  at: number;
  bytes: number;
  deflated: boolean;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
/** Of the record at the end, without its comment; and the longest comment. */
const END_BYTES = 22;
const COMMENT_BYTES = 0xffff;
/** The longest directory that is read, and the most entries. */
const DIRECTORY_BYTES = 4 * 1024 * 1024;
const MOST_ENTRIES = 10_000;
/** 1980-01-01, the first day that a zip has: the same files make the same bytes. */
const DAY = 0x21;
/** Names are UTF-8. */
const UTF8 = 0x0800;

/** A zip of some files. */
export function zipped(files: Record<string, Uint8Array<ArrayBuffer>>): Blob {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const directory: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  let listed = 0;
  const put = (...of: Uint8Array<ArrayBuffer>[]): void => {
    for (const part of of) {
      parts.push(part);
      at += part.length;
    }
  };
  for (const [path, bytes] of Object.entries(files)) {
    const name = new TextEncoder().encode(path);
    const sum = crc32(bytes);
    // Version 1.0, flags, method, time, day, sum, twice the length, lengths of the name and of what is extra.
    const common: Field[] = [
      [2, 10],
      [2, UTF8],
      [2, 0],
      [2, 0],
      [2, DAY],
      [4, sum],
      [4, bytes.length],
      [4, bytes.length],
      [2, name.length],
      [2, 0],
    ];
    const place = at;
    put(record([4, LOCAL], ...common), name, bytes);
    // Made by version 1.0; no comment, disk 0, no attributes.
    const entry = record([4, CENTRAL], [2, 10], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, place]);
    directory.push(entry, name);
    listed++;
  }
  const from = at;
  put(...directory);
  put(record([4, END], [2, 0], [2, 0], [2, listed], [2, listed], [4, at - from], [4, from], [2, 0]));
  return new Blob(parts, { type: "application/zip" });
}

/** The files of a zip, by their addresses relative to the folder that its manifest is in. */
export class Archive {
  readonly #file: Blob;
  readonly #entries: Map<string, Entry>;
  readonly #folder: string;

  private constructor(file: Blob, entries: Map<string, Entry>, folder: string) {
    this.#file = file;
    this.#entries = entries;
    this.#folder = folder;
  }

  /**
   * Reads the directory of a zip.
   *
   * @throws SmallFirstError - `not_a_bundle`.
   */
  static async open(file: Blob): Promise<Archive> {
    const entries = await directory(file);
    const manifests = [...entries.keys()].filter((path) => path === "manifest.json" || path.endsWith("/manifest.json"));
    const manifest = manifests.sort((a, b) => a.length - b.length)[0];
    if (manifest === undefined) throw odd("it has no manifest.json");
    return new Archive(file, entries, manifest.slice(0, -"manifest.json".length));
  }

  /** A file, as a server would give it. */
  async response(path: string): Promise<Response> {
    const entry = this.#entries.get(this.#folder + path);
    if (!entry) return new Response(null, { status: 404 });
    const head = await view(this.#file, entry.at, 30);
    if (head?.getUint32(0, true) !== LOCAL) return new Response(null, { status: 404 });
    const from = entry.at + 30 + head.getUint16(26, true) + head.getUint16(28, true);
    const bytes = this.#file.slice(from, from + entry.bytes);
    return new Response(entry.deflated ? bytes.stream().pipeThrough(new DecompressionStream("deflate-raw")) : bytes);
  }
}

async function directory(file: Blob): Promise<Map<string, Entry>> {
  const tailAt = Math.max(0, file.size - END_BYTES - COMMENT_BYTES);
  const tail = await view(file, tailAt, file.size - tailAt);
  if (!tail) throw odd("it is cut short");
  let at = tail.byteLength - END_BYTES;
  while (at >= 0 && tail.getUint32(at, true) !== END) at--;
  if (at < 0) throw odd("it is no zip, or it is cut short");
  const [count, length, from] = [
    tail.getUint16(at + 10, true),
    tail.getUint32(at + 12, true),
    tail.getUint32(at + 16, true),
  ];
  if (count > MOST_ENTRIES || length > DIRECTORY_BYTES) throw odd("it has too many files");
  const list = await view(file, from, length);
  if (!list) throw odd("it is cut short");
  const entries = new Map<string, Entry>();
  for (let place = 0; place + 46 <= list.byteLength && entries.size < count;) {
    if (list.getUint32(place, true) !== CENTRAL) break;
    const [flags, method] = [list.getUint16(place + 8, true), list.getUint16(place + 10, true)];
    const lengths = [28, 30, 32].map((field) => list.getUint16(place + field, true));
    const [name = 0, extra = 0, comment = 0] = lengths;
    if (place + 46 + name > list.byteLength) break;
    const path = new TextDecoder().decode(new Uint8Array(list.buffer, place + 46, name));
    if ((flags & 1) !== 0 || (method !== 0 && method !== 8))
      throw odd(`${path.slice(0, 80)} is encrypted, or packed in a way that is not read here; zip it anew`);
    const entry = {
      at: list.getUint32(place + 42, true),
      bytes: list.getUint32(place + 20, true),
      deflated: method === 8,
    };
    entries.set(path.replaceAll("\\", "/"), entry);
    place += 46 + name + extra + comment;
  }
  if (entries.size < count) throw odd("its list of files is damaged");
  return entries;
}

/** A part of a file; undefined where the file does not reach so far. */
async function view(file: Blob, from: number, length: number): Promise<DataView<ArrayBuffer> | undefined> {
  if (from + length > file.size) return undefined;
  return new DataView(await file.slice(from, from + length).arrayBuffer());
}

function odd(why: string): SmallFirstError {
  return new SmallFirstError("not_a_bundle", `the file is no bundle: ${why}`);
}

/** So many bytes, and the number in them. */
type Field = readonly [bytes: 2 | 4, value: number];

function record(...fields: readonly Field[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [bytes]) => sum + bytes, 0)));
  let at = 0;
  for (const [bytes, value] of fields) {
    if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += bytes;
  }
  return new Uint8Array(view.buffer);
}

let table: Uint32Array | undefined;

function crc32(bytes: Uint8Array): number {
  table ??= Uint32Array.from({ length: 256 }, (_, at) => {
    let value = at;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (sum >>> 8) ^ (table[(sum ^ byte) & 0xff] ?? 0);
  return (sum ^ 0xffffffff) >>> 0;
}
