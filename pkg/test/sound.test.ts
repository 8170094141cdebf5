import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { SmallFirstError } from "../src/errors.js";
import { fileRate } from "../src/sound-rate.js";
import { listen, readSound, type SoundInput, type SoundPiece } from "../src/sound.js";
import { settle, stub } from "./fakes.js";

const code = (wanted: string) => (thrown: unknown) => thrown instanceof SmallFirstError && thrown.code === wanted;

/** As a browser's, so far as it is looked at. */
function buffer(sampleRate: number, ...channels: number[][]): AudioBuffer {
  return {
    [Symbol.toStringTag]: "AudioBuffer",
    sampleRate,
    numberOfChannels: channels.length,
    getChannelData: (at: number) => new Float32Array(channels[at]!),
  } as unknown as AudioBuffer;
}

const FIXTURES = "../tests/fixtures/sound/";

test("the rate of a file is what its header names", () => {
  for (const name of ["tone-8.wav", "tone-24.wav", "tone.flac", "tone.mp3", "tone.ogg", "tone.m4a", "made.wav"]) {
    const file = readFileSync(FIXTURES + name);
    assert.equal(fileRate(file), 16_000, name);
    for (let length = 0; length < Math.min(file.length, 400); length++) fileRate(file.subarray(0, length));
  }
  const tagged = new Uint8Array([0x49, 0x44, 0x33, 4, 0, 0, 0, 0, 0, 2, 9, 9, 0xff, 0xfb, 0x90, 0x64]);
  assert.equal(fileRate(tagged), 44_100);
  assert.equal(fileRate(new Uint8Array([0xff, 0xf1, 0x50, 0x80])), 44_100);
  assert.equal(fileRate(new TextEncoder().encode("no sound, but a text")), undefined);
  assert.equal(fileRate(new Uint8Array(100)), undefined);
});

test("samples are copied and need their rate", async () => {
  const samples = new Float32Array([0, 0.5]);
  const sound = await readSound(samples, { sampleRate: 8_000 });
  samples.fill(1);
  assert.deepEqual(sound, { rate: 8_000, channels: [new Float32Array([0, 0.5])] });
  for (const sampleRate of [undefined, 0, -1, 1.5, 768_001, Number.NaN]) {
    await assert.rejects(readSound(samples, { sampleRate }), code("invalid_option"));
  }
  await assert.rejects(readSound(new Float32Array([0, Number.NaN]), { sampleRate: 8_000 }), code("input_kind"));
  await assert.rejects(readSound(new Float32Array(), { sampleRate: 8_000 }), code("empty_input"));
});

test("decoded sound is copied, and says its rate itself", async () => {
  const sound = await readSound(buffer(44_100, [0, 1], [1, 0]));
  assert.deepEqual(sound, { rate: 44_100, channels: [new Float32Array([0, 1]), new Float32Array([1, 0])] });
  await assert.rejects(readSound(buffer(44_100, [0]), { sampleRate: 44_100 }), code("invalid_option"));
  await assert.rejects(readSound(buffer(44_100, [])), code("empty_input"));
});

test("what is no sound is refused", async () => {
  for (const input of [undefined, null, "a.mp3", 5, {}, [0, 1], new Float64Array(2)]) {
    await assert.rejects(readSound(input as SoundInput), code("input_kind"));
  }
  await assert.rejects(readSound(new Blob(["x"])), /decoded in a page/);
  await assert.rejects(readSound(new Blob([])), code("empty_input"));
  const signal = AbortSignal.abort("enough");
  await assert.rejects(readSound(new Blob(["x"]), { signal }), (thrown) => thrown === "enough");
});

test("files are decoded at their own rate, and at a common one where the browser does not have it", async (t) => {
  const rates: number[] = [];
  class Offline {
    constructor(_channels: number, _length: number, rate: number) {
      rates.push(rate);
      if (rate === 16_000) throw new RangeError("not supported");
    }
    decodeAudioData(file: ArrayBuffer): Promise<AudioBuffer> {
      if (file.byteLength === 4) return Promise.reject(new Error("unknown content type"));
      return Promise.resolve(buffer(rates.at(-1)!, [0.5]));
    }
  }
  stub(t, "OfflineAudioContext", Offline);
  const file = new Uint8Array(readFileSync(`${FIXTURES}tone.flac`));
  assert.equal((await readSound(file)).rate, 48_000);
  file[18] = 0x0a;
  file[19] = 0xc4;
  file[20] = 0x40;
  assert.equal((await readSound(file.buffer)).rate, 44_100);
  assert.equal((await readSound(new Blob([file]))).rate, 44_100);
  assert.deepEqual(rates, [16_000, 48_000, 44_100, 44_100]);
  await assert.rejects(readSound(new Blob(["text"])), code("input_kind"));
});

/** A browser that listens: what it is told, and a way to say something. */
function browser(t: TestContext, fails = false) {
  const told: string[] = [];
  const say: { piece?: (length: number) => void } = {};
  class Context {
    sampleRate = 100;
    destination = {};
    audioWorklet = { addModule: () => (fails ? Promise.reject(new Error("404")) : Promise.resolve()) };
    resume = () => Promise.resolve();
    createMediaStreamSource = () => ({
      connect: (node: unknown) => node,
      disconnect: () => told.push("disconnected"),
    });
    close = () => Promise.resolve(void told.push("closed"));
  }
  class Node {
    port = {
      onmessage: (_: { data: unknown }): void => undefined,
      close: () => undefined,
      postMessage: () => queueMicrotask(() => this.port.onmessage({ data: { channels: [] } })),
    };
    constructor(_context: unknown, name: string, options: AudioWorkletNodeOptions) {
      told.push(`${name} ${JSON.stringify(options.processorOptions)}`);
      say.piece = (length) => this.port.onmessage({ data: { channels: [new Float32Array(length)] } });
    }
    connect = () => undefined;
    disconnect = () => undefined;
  }
  stub(t, "AudioContext", Context);
  stub(t, "AudioWorkletNode", Node);
  const track = Object.assign(new EventTarget(), { readyState: "live" });
  const stream = { [Symbol.toStringTag]: "MediaStream", getAudioTracks: () => [track] } as unknown as MediaStream;
  return { told, say, stream, track };
}

test("a live sound comes in pieces until it is stopped, and all that waits is given", async (t) => {
  const { told, say, stream } = browser(t);
  const given: SoundPiece[] = [];
  const listening = await listen(stream, { pieceSeconds: 2, onPiece: (piece) => given.push(piece) });
  assert.equal(listening.rate, 100);
  for (const length of [200, 200, 50]) say.piece!(length);
  listening.stop();
  await listening.done;
  assert.deepEqual(
    given.map((piece) => [piece.rate, piece.channels[0]!.length, piece.lost]),
    [200, 200, 50].map((length) => [100, length, 0]),
  );
  assert.deepEqual(told, ['smallfirst-listener {"size":200}', "disconnected", "closed"]);
});

test("pieces that a slow callback cannot take are lost, and counted", async (t) => {
  const { say, stream } = browser(t);
  const given: number[][] = [];
  let next = (): void => undefined;
  const onPiece = ({ channels, lost }: SoundPiece): Promise<void> => {
    given.push([channels[0]!.length, lost]);
    return new Promise((resolve) => (next = resolve));
  };
  const listening = await listen(stream, { waitSeconds: 3, onPiece });
  say.piece!(100);
  await settle();
  for (const length of [101, 102, 103, 90]) say.piece!(length);
  for (let n = 0; n < 3; n++) {
    next();
    await settle();
  }
  assert.deepEqual(given, [
    [100, 0],
    [102, 101],
    [103, 0],
    [90, 0],
  ]);
  next();
  listening.stop();
  await listening.done;
});

test("a signal, a failing callback and the end of the stream end the listening", async (t) => {
  const { told, say, stream, track } = browser(t);
  const ending = new AbortController();
  const given: unknown[] = [];
  const aborted = await listen(stream, { signal: ending.signal, onPiece: (piece) => given.push(piece) });
  ending.abort("enough");
  await assert.rejects(aborted.done, (thrown) => thrown === "enough");
  say.piece!(10);
  await settle();
  assert.deepEqual(given, []);
  const failing = await listen(stream, { onPiece: () => Promise.reject(new Error("no")) });
  say.piece!(10);
  await assert.rejects(failing.done, /^Error: no$/);
  const ended = await listen(stream, { onPiece: () => undefined });
  track.readyState = "ended";
  track.dispatchEvent(new Event("ended"));
  await ended.done;
  await (
    await listen(stream, { onPiece: () => undefined })
  ).done;
  assert.equal(told.filter((line) => line === "closed").length, 4);
});

test("what cannot be listened to is refused", async (t) => {
  const onPiece = (): void => undefined;
  const silent = { [Symbol.toStringTag]: "MediaStream", getAudioTracks: () => [] } as unknown as MediaStream;
  await assert.rejects(listen(silent, { onPiece }), code("input_kind"));
  await assert.rejects(listen({} as MediaStream, { onPiece }), code("input_kind"));
  const { told, stream } = browser(t, true);
  await assert.rejects(listen(stream, { onPiece, pieceSeconds: 0 }), code("invalid_option"));
  await assert.rejects(listen(stream, { onPiece, waitSeconds: Number.NaN }), code("invalid_option"));
  await assert.rejects(listen(stream, {} as { onPiece: () => void }), code("invalid_option"));
  await assert.rejects(listen(stream, { onPiece }), code("worker_failed"));
  assert.deepEqual(told, ["closed"]);
});

test("the worklet makes pieces of blocks, also when the channels change", async (t) => {
  interface Processor {
    port: { onmessage: () => void };
    process(inputs: Float32Array[][]): boolean;
  }
  const sent: number[][][] = [];
  class Base {
    port = {
      postMessage: ({ channels }: { channels: Float32Array[] }) => sent.push(channels.map((channel) => [...channel])),
    };
  }
  let Listener: (new (options: unknown) => Processor) | undefined;
  stub(t, "AudioWorkletProcessor", Base);
  stub(t, "registerProcessor", (name: string, made: typeof Listener) => {
    assert.equal(name, "smallfirst-listener");
    Listener = made;
  });
  await import("../src/sound-worklet.js");
  const processor = new Listener!({ processorOptions: { size: 3 } });
  const block = (...samples: number[]): Float32Array => new Float32Array(samples);
  assert.equal(processor.process([[]]), true);
  processor.process([[block(1, 2)]]);
  processor.process([[block(3, 4)]]);
  processor.process([[block(5, 6), block(7, 8)]]);
  processor.process([[block(1, 2, 3, 4, 5), block(5, 4, 3, 2, 1)]]);
  processor.port.onmessage();
  processor.port.onmessage();
  assert.equal(processor.process([[block(1)]]), false);
  assert.deepEqual(sent, [
    [[1, 2, 3]],
    [[4]],
    [
      [5, 6, 1],
      [7, 8, 5],
    ],
    [
      [2, 3, 4],
      [4, 3, 2],
    ],
    [[5], [1]],
    [],
  ]);
});
