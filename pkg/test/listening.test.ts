import assert from "node:assert/strict";
import { test } from "node:test";
import { SmallFirstError } from "../src/errors.js";
import { heard } from "../src/listening.js";
import type { Request } from "../src/protocol.js";
import type { SpeechEvent } from "../src/types.js";

/** A worker that tells of each piece how long it is, and of the end. */
function worker(): { asked: Request[]; ask: Parameters<typeof heard>[0] } {
  const asked: Request[] = [];
  const ask = async (request: Request): Promise<unknown> => {
    asked.push(request);
    if (request.type !== "hear") return undefined;
    return [{ kind: request.samples ? "speech-start" : "speech-end", time: request.samples?.length ?? 0 }];
  };
  return { asked, ask };
}

async function* pieces(...lengths: number[]): AsyncGenerator<Float32Array> {
  for (const length of lengths) yield new Float32Array(length);
}

/** A stream of these pieces. */
function stream(...all: unknown[]): ReadableStream<Float32Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of all) controller.enqueue(piece as Float32Array);
      controller.close();
    },
  });
}

async function told(events: AsyncIterable<SpeechEvent>): Promise<unknown[]> {
  const all = [];
  for await (const event of events) all.push([event.kind, (event as { time: number }).time]);
  return all;
}

const code = (wanted: string) => (thrown: unknown) => thrown instanceof SmallFirstError && thrown.code === wanted;

test("pieces go to the worker one by one, and then the end", async () => {
  for (const sound of [pieces(3, 5), stream(new Float32Array(3), new Float32Array(5))]) {
    const { asked, ask } = worker();
    const events = await told(heard(ask, "voice", sound, { threshold: 0.6 }, 16_000, undefined));
    assert.deepEqual(events, [
      ["speech-start", 3],
      ["speech-start", 5],
      ["speech-end", 0],
    ]);
    assert.deepEqual(
      asked.map(({ type }) => type),
      ["listen", "hear", "hear", "hear", "hush"],
    );
    const { task, rate, options } = asked[0] as Extract<Request, { type: "listen" }>;
    assert.deepEqual([task, rate, options], ["voice", 16_000, { threshold: 0.6 }]);
    const numbers = new Set(asked.map((request) => (request as { number: number }).number));
    assert.equal(numbers.size, 1);
  }
});

test("whoever stops reading ends the sound, and the source is told", async () => {
  const { asked, ask } = worker();
  let cancelled = false;
  const endless = new ReadableStream<Float32Array>({
    pull: (controller) => controller.enqueue(new Float32Array(1)),
    cancel: () => {
      cancelled = true;
    },
  });
  for await (const event of heard(ask, "voice", endless, {}, 8_000, undefined)) {
    assert.equal(event.kind, "speech-start");
    break;
  }
  assert.equal(asked.at(-1)!.type, "hush");
  assert.equal(cancelled, true);
});

test("what is no sound is refused, and an abort has its reason", async () => {
  const { ask } = worker();
  const of = (sound: unknown, rate?: number, signal?: AbortSignal): Promise<unknown[]> =>
    told(heard(ask, "voice", sound as AsyncIterable<Float32Array>, {}, rate, signal));
  await assert.rejects(of(pieces(1)), code("invalid_option"));
  await assert.rejects(of("sound", 8_000), code("input_kind"));
  await assert.rejects(of([new Float32Array(1)], 8_000), code("input_kind"));
  await assert.rejects(of(stream("text"), 8_000), code("input_kind"));
  await assert.rejects(of({ [Symbol.toStringTag]: "MediaStream" }, 8_000), code("invalid_option"));
  await assert.rejects(of(pieces(1), 8_000, AbortSignal.abort(new Error("enough"))), /enough/);
  const stop = new AbortController();
  const never = of(new ReadableStream(), 8_000, stop.signal);
  setTimeout(() => stop.abort(new Error("enough")), 5);
  await assert.rejects(never, /enough/);
});

test("a sound whose worker fails is over", async () => {
  const { asked, ask } = worker();
  const failing: typeof ask = async (request, ...more) => {
    if (request.type === "hear") throw new SmallFirstError("worker_failed", "it died");
    return ask(request, ...more);
  };
  await assert.rejects(told(heard(failing, "voice", pieces(1), {}, 8_000, undefined)), code("worker_failed"));
  assert.equal(asked.at(-1)!.type, "hush");
});
