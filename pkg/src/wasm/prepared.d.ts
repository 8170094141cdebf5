// The part of the generated module that the worker uses. It stands here, where the import
// `./wasm/prepared.js` of the sources resolves to, so that the types can be checked before the
// WebAssembly is built. The module itself is put in dist/wasm/.

import type { EngineInput } from "../input.js";
import type {
  Answer,
  Card,
  Drift,
  LearnedExample,
  LearnedTask,
  ConsentRequest,
  Progress,
  Sent,
  TaskInfo,
  TextOutput,
  UsageReport,
} from "../types.js";
import type { Monitors } from "../protocol.js";
import type { Files } from "../store.js";
import type { Adopted, Adoption, Consent, RuntimeOptions, RuntimeRunOptions, RuntimeTextOptions } from "../wire.js";

/** What the engine may ask of its surroundings. */
export interface RuntimeHooks {
  headers?: (endpoint: number) => Promise<Record<string, string>>;
  consent?: (outgoing: ConsentRequest) => Promise<Consent>;
  page?: (endpoint: number, body: string, signal: AbortSignal) => ReadableStream<Uint8Array>;
  /** Writes down what is about to leave. */
  sent?: (requests: Sent[]) => Promise<unknown>;
  update?: (key: string, change: (before: string | undefined) => string | undefined) => Promise<void>;
  /** Where the bundle's files are kept. */
  files?: Files;
  /** The response to a request that was made ahead. */
  fetch?: (url: string) => Promise<Response | undefined>;
  progress?: (event: Progress) => void;
  drift?: (event: Drift) => void;
}

export class Runtime {
  private constructor();
  static create(options: RuntimeOptions, hooks: RuntimeHooks): Promise<Runtime>;
  tasks(): TaskInfo[];
  /** Whether the bundle has a task. */
  knows(task: string): boolean;
  run(task: string, input: EngineInput, options: RuntimeRunOptions, signal: AbortSignal): Promise<Answer>;
  generate(
    task: string,
    input: EngineInput,
    options: RuntimeTextOptions,
    signal: AbortSignal,
    deliver: (text: string) => Promise<void>,
  ): Promise<Answer<TextOutput>>;
  usage(signal: AbortSignal): Promise<UsageReport>;
  clearAnswerCache(signal: AbortSignal): Promise<void>;
  learned(signal: AbortSignal): Promise<LearnedTask[]>;
  examples(task: string | undefined, signal: AbortSignal): Promise<LearnedExample[]>;
  forgetExamples(task: string | undefined, signal: AbortSignal): Promise<void>;
  adopt(task: string, answer: Adopted, bytes: number, signal: AbortSignal): Promise<Adoption | null>;
  guaranteeEnded(task: string, signal: AbortSignal): Promise<boolean>;
  /** Writes what monitors have seen where later pages find it. */
  keep(signal: AbortSignal): Promise<void>;
  /** Whether they have seen something since. */
  unwritten(): boolean;
  changes(): Monitors[];
  resume(monitors: Monitors[]): void;
  manifestSha256(): string;
  preload(tasks: string[] | undefined, firstTier: boolean, signal: AbortSignal): Promise<void>;
  card(task: string): Promise<Card>;
  drift(task: string, signal: AbortSignal): Promise<Drift[]>;
  reportOutcome(
    task: string,
    audit: number,
    correct: boolean,
    label: string | undefined,
    local: string | undefined,
    signal: AbortSignal,
  ): Promise<boolean>;
  free(): void;
}

export default function init(input?: {
  module_or_path: string | URL | BufferSource | WebAssembly.Module;
}): Promise<unknown>;
