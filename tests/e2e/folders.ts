// Folders as Hugging Face's tools write them, made of the repository's own files: models/onnx, and tests/fixtures/folders.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./servers.js";

/** A field of a protobuf message: its number, and all of its bytes. */
interface Field {
  number: number;
  raw: Buffer;
  /** What it holds, where that is bytes. */
  content: Buffer;
}

// Of ONNX: the graph of a model; the nodes, weights and outputs of a graph.
const [GRAPH, NODE, WEIGHT, OUTPUT] = [7, 1, 5, 12];

function fields(message: Buffer): Field[] {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  const all: Field[] = [];
  while (at < message.length) {
    const begin = at;
    const tag = varint();
    const kind = tag % 8;
    let from = at;
    if (kind === 0) varint();
    else if (kind === 2) {
      const length = varint();
      from = at;
      at += length;
    } else at += kind === 1 ? 8 : 4;
    all.push({ number: Math.floor(tag / 8), raw: message.subarray(begin, at), content: message.subarray(from, at) });
  }
  return all;
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
}

/** A field that holds bytes. */
function bytes(number: number, content: Buffer | string): Buffer {
  const held = Buffer.from(content);
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(held.length)]), held]);
}

/** A node that gives a value another name. */
function named(from: string, to: string): Buffer {
  return bytes(NODE, Buffer.concat([bytes(1, from), bytes(2, to), bytes(4, "Identity")]));
}

const graphOf = (model: Buffer): Field[] => fields(fields(model).find(({ number }) => number === GRAPH)!.content);
const only = (graph: Field[], wanted: number): Field[] => graph.filter(({ number }) => number === wanted);
/** The first bytes under a number: of a node its first input (1) or output (2), of a port its name (1). */
const text = (message: Field, number: number): string => only(fields(message.content), number)[0]!.content.toString();

/** A model with other outputs, and with more at its graph's end. */
function changed(model: Buffer, output: Buffer, more: Buffer[]): Buffer {
  const graph = graphOf(model).filter(({ number }) => number !== OUTPUT);
  const content = Buffer.concat([...graph.map(({ raw }) => raw), ...more, output]);
  const rest = fields(model).filter(({ number }) => number !== GRAPH);
  return Buffer.concat([...rest.map(({ raw }) => raw), bytes(GRAPH, content)]);
}

/** Makes the folders `minilm` (feature extraction) and `sentiment` (text classification), and says where. */
export function composed(): string {
  const encoder = readFileSync(join(root, "models/onnx/minilm/encoder.onnx"));
  const head = readFileSync(join(root, "models/onnx/sentiment-minilm/head.onnx"));
  const [mean] = only(graphOf(encoder), OUTPUT);
  const [logits] = only(graphOf(head), OUTPUT);
  // The encoder's last node takes the mean of the vectors of all tokens.
  const last = only(graphOf(encoder), NODE).find((node) => text(node, 2) === text(mean!, 1))!;
  const vectors = text(last, 1);
  const first = text(only(graphOf(head), NODE)[0]!, 1);
  // 32-bit floats, of three lengths.
  const dims = [bytes(2, "batch"), bytes(2, "tokens"), Buffer.from([8, ...varint(384)])];
  const tensor = Buffer.concat([Buffer.from([8, 1]), bytes(2, Buffer.concat(dims.map((dim) => bytes(1, dim))))]);
  const port = bytes(OUTPUT, Buffer.concat([bytes(1, "last_hidden_state"), bytes(2, bytes(1, tensor))]));
  const models: Record<string, Buffer> = {
    minilm: changed(encoder, port, [named(vectors, "last_hidden_state")]),
    sentiment: changed(encoder, logits!.raw, [
      named(text(mean!, 1), first),
      ...[...only(graphOf(head), NODE), ...only(graphOf(head), WEIGHT)].map(({ raw }) => raw),
    ]),
  };
  const out = mkdtempSync(join(tmpdir(), "smallfirst-folders-"));
  for (const [name, model] of Object.entries(models)) {
    const folder = join(out, name);
    cpSync(join(root, "tests/fixtures/folders", name), folder, { recursive: true });
    cpSync(join(root, "models/onnx/minilm/tokenizer.json"), join(folder, "tokenizer.json"));
    mkdirSync(join(folder, "onnx"));
    writeFileSync(join(folder, "onnx/model_quantized.onnx"), model);
  }
  return out;
}
