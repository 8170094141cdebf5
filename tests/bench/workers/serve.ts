// The part of a contender's worker that is the same for all: it checks and times on the same inputs.

import { memoryBytes } from "../shared/memory.js";
import type { Case, Model } from "../shared/cases.js";
import { compare } from "../shared/compare.js";
import type { Answer, Ask, Reply, Settings } from "../shared/protocol.js";

export interface Input {
  name: string;
  dims: number[];
  data: Float32Array | Int32Array | BigInt64Array;
}

export interface Output {
  dims: number[];
  data: Float32Array;
}

export interface Session {
  /** May return at once or later; what is timed is until the output is there. */
  run(inputs: Input[]): Output | Promise<Output>;
  close(): void | Promise<void>;
}

export interface Runner {
  start(settings: Settings): Promise<void>;
  load(model: Model): Promise<Session>;
}

const TYPES = { int64: BigInt64Array, int32: Int32Array, float32: Float32Array };

export async function bytes(address: string): Promise<ArrayBuffer> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response.arrayBuffer();
}

/** Answers the driver for one contender. */
export function serve(runner: Runner): void {
  let session: Session | undefined;
  const kept = new Map<string, Input[]>();

  async function inputs(of: Case): Promise<Input[]> {
    let given = kept.get(of.id);
    if (!given) {
      given = await Promise.all(
        of.inputs.map(async ({ name, dims, type, file }) => ({ name, dims, data: new TYPES[type](await bytes(`/files/${file}`)) })),
      );
      kept.set(of.id, given);
    }
    return given;
  }

  async function perform(ask: Ask): Promise<Answer> {
    switch (ask.do) {
      case "start":
        await runner.start(ask.settings);
        return null;
      case "load":
        session = await runner.load(ask.model);
        return null;
      case "memory":
        return { bytes: memoryBytes() };
      case "reload": {
        await session?.close();
        const given = await inputs(ask.case);
        for (let time = 0; time < ask.times; time++) {
          session = await runner.load(ask.model);
          await session.run(given);
          await session.close();
        }
        session = await runner.load(ask.model);
        return null;
      }
    }
    if (!session) throw new Error("no model is loaded");
    const given = await inputs(ask.case);
    if (ask.do === "check") {
      const { dims, data } = await session.run(given);
      return compare(ask.case, dims, data, new Float32Array(await bytes(`/files/${ask.case.reference.file}`)));
    }
    const ms: number[] = [];
    for (let sample = 0; sample < ask.samples; sample++) {
      const started = performance.now();
      for (let time = 0; time < ask.inner; time++) await session.run(given);
      ms.push((performance.now() - started) / ask.inner);
    }
    return { ms };
  }

  addEventListener("message", ({ data }: MessageEvent<Ask>) => {
    perform(data).then(
      (value) => postMessage({ value } satisfies Reply),
      (thrown: unknown) => postMessage({ error: String(thrown instanceof Error ? thrown.message : thrown) } satisfies Reply),
    );
  });
}
