import assert from "node:assert/strict";
import { test } from "node:test";
import { engineInput, transfers, wireInput } from "../src/input.js";
import { mixed, wireRow, wireSound } from "../src/sound-input.js";

test("sounds are copied with their rate, whatever form they have", async () => {
  const samples = Float32Array.of(0.5, -0.5);
  const buffer = {
    [Symbol.toStringTag]: "AudioBuffer",
    sampleRate: 48_000,
    numberOfChannels: 2,
    getChannelData: () => samples,
  };
  for (const [given, rate, channels] of [
    [buffer, 48_000, 2],
    [{ samples, sampleRate: 8_000 }, 8_000, 1],
    [{ rate: 16_000, channels: [samples, samples] }, 16_000, 2],
  ] as const) {
    const sound = wireSound(given)!;
    assert.equal(sound.rate, rate);
    assert.deepEqual(
      sound.channels,
      Array.from({ length: channels }, () => samples),
    );
    assert.notEqual(sound.channels[0], samples);
    const wire = wireInput(given);
    assert.equal(transfers([wire]).length, channels);
    assert.deepEqual(await engineInput(wire, "sound"), sound);
  }
  for (const none of [null, 5, {}, { samples }, { samples: [0.5], sampleRate: 8_000 }, { rate: 5, channels: [[0.5]] }])
    assert.equal(wireSound(none), undefined);
});

test("a row is copied, and what is none is no row", async () => {
  const row = { rooms: 3, town: "Bergen", age: null };
  const wire = wireInput({ row });
  assert.deepEqual(wire, { row });
  assert.notEqual((wire as { row: object }).row, row);
  assert.deepEqual(await engineInput(wire, "table"), { row });
  for (const none of [null, {}, { row: null }, { row: [1] }, { row: "a" }]) assert.equal(wireRow(none), undefined);
});

test("channels are mixed to their mean", () => {
  assert.deepEqual(mixed([Float32Array.of(1, 0), Float32Array.of(0, -1)]), Float32Array.of(0.5, -0.5));
  const one = Float32Array.of(0.25);
  assert.deepEqual(mixed([one]), one);
  assert.notEqual(mixed([one]), one);
  assert.deepEqual(mixed([]), new Float32Array());
});

test("a file for a task that reads sounds is to be decoded by the page", async () => {
  for (const file of [new Uint8Array([1]), new Blob(["a"])])
    await assert.rejects(engineInput(file, "sound"), { code: "input_kind", message: /readSound/ });
});
