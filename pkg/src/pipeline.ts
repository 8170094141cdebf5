// `smallfirst/pipeline`: the call that transformers.js has, for the models of a folder as Hugging Face's tools write it.

import type { Input, Options, RunOptions, SmallFirst, SoundStream, StreamOptions } from "./api.js";
import { SmallFirstError } from "./errors.js";
import type { Picture } from "./image.js";
import { createSmallFirst } from "./smallfirst.js";
import type { Sound, SoundInput } from "./sound.js";
import { isSamples, mixed, type Samples, wireSound } from "./sound-input.js";
import type {
  Aggregation,
  Answer,
  Dtype,
  Entity,
  KindOutput,
  LabelScore,
  LabelsOutput,
  MaskOutput,
  ObjectsOutput,
  OcrOutput,
  Output,
  Pooling,
  QuestionOutput,
  SpeechEvent,
  VectorOutput,
  VoiceOutput,
  VoiceSegment,
} from "./types.js";

/** The tasks that a folder's model may be for, by transformers' names. */
export type PipelineTask =
  | "text-classification"
  | "sentiment-analysis"
  | "token-classification"
  | "ner"
  | "question-answering"
  | "fill-mask"
  | "zero-shot-classification"
  | "feature-extraction"
  | "embeddings"
  | "sentence-similarity"
  | "image-classification"
  | "image-feature-extraction"
  | "object-detection"
  | "image-to-text"
  | "ocr"
  | "audio-classification"
  | "voice-activity-detection";

/** How a pipeline is made. What `createSmallFirst` takes besides the bundle may be given, too. */
export interface PipelineOptions extends Omit<Options, "bundle" | "folder" | "engine"> {
  /** Which of the folder's weights. Default: the first there are of q8, int8, uint8, q4, fp16, fp32. */
  dtype?: Dtype | undefined;
}

/** A label and how likely it is. */
export interface Classification {
  label: string;
  score: number;
}

/** A labelled token (`aggregation_strategy: "none"`). */
export interface TokenEntity {
  entity: string;
  score: number;
  /** Its number, special tokens counted. */
  index: number;
  /** The token's own letters. */
  word: string;
  /** Where it begins in the text, in UTF-16 units: `text.slice(start, end)`. */
  start: number;
  end: number;
}

/** Labelled tokens that belong together. */
export interface EntityGroup {
  entity_group: string;
  score: number;
  word: string;
  start: number;
  end: number;
}

/** How tokens become entities, as transformers has it. */
export interface TokenOptions {
  aggregation_strategy?: Aggregation;
  /** Labels that are left out. Default: `["O"]`. */
  ignore_labels?: string[];
}

/** A part of the text that answers the question. */
export interface SpanAnswer {
  answer: string;
  score: number;
  start: number;
  end: number;
}

/** A word for the gap. */
export interface Fill {
  score: number;
  token: number;
  token_str: string;
  sequence: string;
}

/** The labels, the likeliest first. */
export interface ZeroShot {
  sequence: string;
  labels: string[];
  scores: number[];
}

/** How vectors are made. */
export interface VectorOptions {
  pooling?: "none" | "mean" | "cls" | "first_token" | "eos" | "last_token";
  normalize?: boolean;
  quantize?: boolean;
  precision?: "binary" | "ubinary";
}

/** Vectors, as transformers.js gives them. */
export interface TensorLike {
  type: "float32" | "int8" | "uint8";
  dims: number[];
  data: Float32Array | Int8Array | Uint8Array;
  /** The numbers as nested arrays. */
  tolist(): unknown[];
}

/** Where an object is: in pixels of the image, cut to whole ones, or in parts of its width and height. */
export interface DetectionBox {
  xmin: number;
  ymin: number;
  xmax: number;
  ymax: number;
}

/** An object in an image. */
export interface Detection {
  score: number;
  label: string;
  box: DetectionBox;
}

/** Which objects are given, and how. */
export interface DetectionOptions {
  /** From which score on an object is given. Default: 0.9. */
  threshold?: number;
  /** Whether boxes are in parts of the image's width and height. Default: in pixels. */
  percentage?: boolean;
}

/** How vectors of images are made. */
export interface ImageVectorOptions {
  /** Whether the model's own vector of the whole image is given, and not those of its parts. */
  pool?: boolean | null;
}

/** The text in an image. */
export interface ImageText {
  generated_text: string;
}

/** What every pipeline has. */
export interface PipelineBase {
  /** The task, by transformers' name. */
  readonly task: string;
  /** The instance behind it: its cards, its ledger, its other calls. */
  readonly instance: SmallFirst;
  /**
   * The whole answer: the output with offsets, where it ran and why, how sure the model is, how long it took. Nothing
   * calibrated a folder's model, so `calibrated` and `guaranteed` are false.
   */
  run(input: Input, options?: RunOptions): Promise<Answer<Output | KindOutput>>;
  /** Ends the worker. */
  dispose(): Promise<void>;
}

/** What shows an image, a file of one, or its address. */
export type ImageInput = Picture | Blob | Uint8Array | string | URL;

/** A sound as pages have it, a file of one, or its address. */
export type AudioInput = SoundInput | Sound | Samples | string | URL;

/** At what rate samples are: for a `Float32Array`, which does not say it. */
export interface SoundRate {
  sampling_rate?: number;
}

/** How probabilities become segments: names and defaults are those of silero's Python. */
export interface VoiceOptions extends SoundRate {
  /** From which probability on a window is speech. Default: 0.5. */
  threshold?: number;
  /** Below which speech ends. Default: 0.15 below `threshold`. */
  neg_threshold?: number;
  /** What is not longer is no segment. Default: 250. */
  min_speech_duration_ms?: number;
  /** How long a pause must be to end a segment. Default: 100. */
  min_silence_duration_ms?: number;
  /** What is added to both ends of a segment. Default: 30. */
  speech_pad_ms?: number;
  /** Longer speech is cut, at its longest pause. Default: none is. */
  max_speech_duration_s?: number;
}

/** A text, or several. */
type Texts<One, Many, O> = {
  (text: string, options?: O): Promise<One>;
  (texts: string[], options?: O): Promise<Many>;
};

/** What each task's pipeline is called with and gives. */
export interface Pipelines {
  "text-classification": PipelineBase &
    Texts<Classification[], Classification[] | Classification[][], { top_k?: number | null }>;
  "token-classification": PipelineBase &
    Texts<(TokenEntity | EntityGroup)[], (TokenEntity | EntityGroup)[][], TokenOptions>;
  "question-answering": PipelineBase &
    ((question: string, context: string, options?: { top_k?: number }) => Promise<SpanAnswer | SpanAnswer[]>);
  "fill-mask": PipelineBase & Texts<Fill[], Fill[][], { top_k?: number }>;
  "zero-shot-classification": PipelineBase & {
    (text: string, labels: string | string[], options?: ZeroShotOptions): Promise<ZeroShot>;
    (texts: string[], labels: string | string[], options?: ZeroShotOptions): Promise<ZeroShot[]>;
  };
  "image-classification": PipelineBase & {
    (image: ImageInput, options?: { top_k?: number | null }): Promise<Classification[]>;
    (images: ImageInput[], options?: { top_k?: number | null }): Promise<Classification[][]>;
  };
  "audio-classification": PipelineBase & {
    (sound: AudioInput, options?: SoundRate & { top_k?: number | null }): Promise<Classification[]>;
    (sounds: AudioInput[], options?: SoundRate & { top_k?: number | null }): Promise<Classification[][]>;
  };
  "voice-activity-detection": PipelineBase & {
    (sound: AudioInput, options?: VoiceOptions): Promise<VoiceOutput>;
    /** What is told of a sound while it goes on. */
    stream(sound: SoundStream, options?: VoiceOptions & { signal?: AbortSignal }): AsyncIterableIterator<SpeechEvent>;
  };
  "feature-extraction": PipelineBase & ((texts: string | string[], options?: VectorOptions) => Promise<TensorLike>);
  "image-feature-extraction": PipelineBase &
    ((images: ImageInput | ImageInput[], options?: ImageVectorOptions) => Promise<TensorLike>);
  "object-detection": PipelineBase & {
    (image: ImageInput, options?: DetectionOptions): Promise<Detection[]>;
    (images: ImageInput[], options?: DetectionOptions): Promise<Detection[][]>;
  };
  "image-to-text": PipelineBase & {
    (image: ImageInput): Promise<ImageText[]>;
    (images: ImageInput[]): Promise<ImageText[][]>;
  };
}

/** How labels are held against a text. */
export interface ZeroShotOptions {
  hypothesis_template?: string;
  multi_label?: boolean;
}

/** Other names of the same tasks. */
interface Aliases {
  "sentiment-analysis": "text-classification";
  ner: "token-classification";
  embeddings: "feature-extraction";
  "sentence-similarity": "feature-extraction";
  ocr: "image-to-text";
}

/** The pipeline of a task. */
export type PipelineOf<T extends PipelineTask> = T extends keyof Pipelines
  ? Pipelines[T]
  : T extends keyof Aliases
    ? Pipelines[Aliases[T]]
    : never;

/** Any of them. */
export type AnyPipeline = PipelineBase &
  ((input: string | string[] | ImageInput | ImageInput[], ...more: unknown[]) => Promise<unknown>);

/**
 * Makes a pipeline of the model in a folder: `config.json`, `tokenizer.json` and ONNX weights, as Hugging Face's tools write
 * them. Without a task (`null`), it is the one that the model was made for.
 *
 * @throws SmallFirstError - as `createSmallFirst`; `model_invalid` when the folder asks for what is not done here.
 */
export async function pipeline<T extends PipelineTask>(
  task: T,
  model: string | URL,
  options?: PipelineOptions,
): Promise<PipelineOf<T>>;
export async function pipeline(
  task: null | undefined,
  model: string | URL,
  options?: PipelineOptions,
): Promise<AnyPipeline>;
export async function pipeline(
  task: PipelineTask | null | undefined,
  model: string | URL,
  { dtype, ...options }: PipelineOptions = {},
): Promise<unknown> {
  const folder: { task?: string; dtype?: Dtype } = {};
  if (task != null) folder.task = task;
  if (dtype !== undefined) folder.dtype = dtype;
  const ai = await createSmallFirst({ ...options, bundle: model, folder, engine: "onnx" });
  const [info] = await ai.tasks();
  const made = info && PIPELINES[info.id as keyof typeof PIPELINES];
  if (!made) {
    ai.dispose();
    throw new SmallFirstError("model_invalid", `${String(model)} is a bundle with a manifest; use createSmallFirst`);
  }
  const run = (input: Input, given?: RunOptions): Promise<Answer<Output | KindOutput>> => ai.run(info.id, input, given);
  const hear = (sound: SoundStream, given?: StreamOptions): AsyncIterableIterator<SpeechEvent> =>
    ai.stream(info.id, sound, given);
  const asked: Run = Object.assign((...given: Parameters<typeof run>) => run(...given), { hear });
  const call = (...given: never[]): Promise<unknown> => (made as Caller)(asked, ...given);
  const whole = Object.assign(call, { task: info.id, instance: ai, run, dispose: async () => ai.dispose() });
  if (info.kind !== "voice-activity-detection") return whole;
  const stream = (sound: SoundStream, { signal, ...given }: VoiceOptions & { signal?: AbortSignal } = {}) =>
    hear(sound, { ...voiceOptions(given), sampleRate: given.sampling_rate, signal });
  return Object.assign(whole, { stream });
}

type Run = ((input: Input, options?: RunOptions) => Promise<Answer<Output | KindOutput>>) & {
  hear: (sound: SoundStream, options?: StreamOptions) => AsyncIterableIterator<SpeechEvent>;
};
type Caller = (run: Run, ...given: never[]) => Promise<unknown>;

/** One output for each text, or the output of one. */
async function each<I, T>(texts: I | I[], one: (text: I) => Promise<T>): Promise<T | T[]> {
  if (!Array.isArray(texts)) return one(texts);
  const all: T[] = [];
  // One after another: the engine runs one at a time.
  for (const text of texts) all.push(await one(text));
  return all;
}

/** A number where there is one: a remote states none, and transformers' types have no null. */
const known = (number: number | null): number => number ?? Number.NaN;

const PIPELINES = {
  async "text-classification"(run: Run, texts: string | string[], { top_k = 1 }: { top_k?: number | null } = {}) {
    const labels = async (text: string): Promise<LabelScore[]> => {
      const { output } = await run(text, { topK: top_k ?? ALL });
      return (output as Output).scores;
    };
    const found = await each(texts, labels);
    // transformers gives one label of each text in one list.
    return Array.isArray(texts) && top_k === 1 ? (found as LabelScore[][]).flat() : found;
  },

  async "image-classification"(run: Run, images: ImageInput | ImageInput[], options: { top_k?: number | null } = {}) {
    const { top_k = 5 } = options;
    return each(images, async (image) => {
      const { output } = await run(await picture(image), { topK: top_k ?? ALL });
      return (output as Output).scores;
    });
  },

  async "audio-classification"(
    run: Run,
    sounds: AudioInput | AudioInput[],
    options: SoundRate & { top_k?: number | null } = {},
  ) {
    const { top_k = 5 } = options;
    return each(sounds, async (input) => {
      const { output } = await run(await sound(input, options), { topK: top_k ?? ALL });
      return (output as Output | LabelsOutput).scores;
    });
  },

  async "voice-activity-detection"(run: Run, input: AudioInput, options: VoiceOptions = {}): Promise<VoiceOutput> {
    const { rate, channels } = await sound(input, options);
    const given = voiceOptions(options);
    if ((channels[0]?.length ?? 0) <= WHOLE_SAMPLES)
      return (await run({ rate, channels }, given)).output as VoiceOutput;
    // A long sound is heard in pieces, so that it need not be in the engine's memory.
    const samples = mixed(channels);
    async function* pieces(): AsyncGenerator<Float32Array> {
      for (let at = 0; at < samples.length; at += PIECE_SAMPLES) yield samples.subarray(at, at + PIECE_SAMPLES);
    }
    const segments: VoiceSegment[] = [];
    for await (const event of run.hear(pieces(), { ...given, sampleRate: rate })) {
      if (event.kind !== "segment") continue;
      const { start, end, score } = event;
      segments.push({ start, end, score });
    }
    return { segments };
  },

  async "token-classification"(run: Run, texts: string | string[], options: TokenOptions = {}) {
    const { aggregation_strategy = "none", ignore_labels = ["O"] } = options;
    return each(texts, async (text) => {
      const { output } = await run(text, { aggregation: aggregation_strategy });
      const { entities } = output as { entities: Entity[] };
      const kept = entities.filter(({ label }) => !ignore_labels.includes(label));
      return kept.map(({ label, score, token, word, start, end }) =>
        aggregation_strategy === "none"
          ? { entity: label, score: known(score), index: known(token), word, start, end }
          : { entity_group: label, score: known(score), word, start, end },
      );
    });
  },

  async "question-answering"(
    run: Run,
    question: string,
    context: string,
    { top_k = 1 }: { top_k?: number } = {},
  ): Promise<SpanAnswer | SpanAnswer[]> {
    // An answer may be of any length there.
    const { output } = await run({ question, context }, { topK: top_k, maxAnswerTokens: ALL });
    const answers = (output as QuestionOutput).answers.map((answer) => ({ ...answer, score: known(answer.score) }));
    return top_k === 1 ? (answers[0] as SpanAnswer) : answers;
  },

  async "fill-mask"(run: Run, texts: string | string[], { top_k = 5 }: { top_k?: number } = {}) {
    return each(texts, async (text) => {
      const { output } = await run(text, { topK: top_k });
      const [first = []] = (output as MaskOutput).masks;
      return first.map(({ score, token, text: token_str, sequence }) => ({ score, token, token_str, sequence }));
    });
  },

  async "zero-shot-classification"(
    run: Run,
    texts: string | string[],
    labels: string | string[],
    { hypothesis_template, multi_label }: ZeroShotOptions = {},
  ) {
    const candidateLabels = Array.isArray(labels) ? labels : [labels];
    return each(texts, async (sequence) => {
      const options = { candidateLabels, hypothesisTemplate: hypothesis_template, multiLabel: multi_label };
      const { scores } = (await run(sequence, options)).output as Output;
      return { sequence, labels: scores.map(({ label }) => label), scores: scores.map(({ score }) => score) };
    });
  },

  async "feature-extraction"(run: Run, texts: string | string[], options: VectorOptions = {}): Promise<TensorLike> {
    const { pooling = "none", normalize = false, quantize = false, precision = "binary" } = options;
    const how: RunOptions = { pooling: POOLING[pooling], normalize };
    if (quantize) how.precision = precision;
    if (how.pooling === undefined)
      throw new SmallFirstError("invalid_option", `there is no pooling "${String(pooling)}"`);
    const list = Array.isArray(texts) ? texts : [texts];
    const all: VectorOutput[] = [];
    for (const text of list) all.push((await run(text, how)).output as VectorOutput);
    return stacked(all);
  },

  async "image-feature-extraction"(run: Run, images: ImageInput | ImageInput[], { pool }: ImageVectorOptions = {}) {
    const all: VectorOutput[] = [];
    for (const image of Array.isArray(images) ? images : [images])
      all.push((await run(await picture(image), { pool: pool ?? false })).output as VectorOutput);
    return stacked(all);
  },

  async "object-detection"(run: Run, images: ImageInput | ImageInput[], options: DetectionOptions = {}) {
    const { threshold = 0.9, percentage = false } = options;
    return each(images, async (image) => {
      const { output } = await run(await picture(image), { threshold });
      const { objects, width, height } = output as ObjectsOutput;
      const along = (x: number, length: number): number => (percentage ? x / length : Math.trunc(x));
      return objects.map(({ score, label, box }): Detection => {
        const [xmin, xmax] = [along(box.xmin, width), along(box.xmax, width)];
        return {
          score: known(score),
          label,
          box: { xmin, ymin: along(box.ymin, height), xmax, ymax: along(box.ymax, height) },
        };
      });
    });
  },

  async "image-to-text"(run: Run, images: ImageInput | ImageInput[]) {
    return each(images, async (image): Promise<ImageText[]> => {
      const { output } = await run(await picture(image));
      return [{ generated_text: (output as OcrOutput).text }];
    });
  },
};

/** An image, fetched where an address is given. */
async function picture(image: ImageInput): Promise<Input> {
  if (typeof image !== "string" && !(image instanceof URL)) return image;
  const response = await fetch(image);
  if (response.ok) return response.blob();
  throw new SmallFirstError("input_kind", `there is no image at ${String(image)}: the server said ${response.status}`);
}

/** Sounds of so many samples are given to the engine as a whole, and longer ones in pieces. */
const WHOLE_SAMPLES = 1 << 23;
const PIECE_SAMPLES = 1 << 19;

/** A sound, fetched where an address is given, and decoded where it is a file. */
async function sound(input: AudioInput, { sampling_rate }: SoundRate): Promise<Sound> {
  const made = isSamples(input) ? undefined : wireSound(input);
  if (made) return made;
  const { readSound } = await import("./sound.js");
  if (typeof input !== "string" && !(input instanceof URL))
    return readSound(input as SoundInput, { sampleRate: sampling_rate });
  const response = await fetch(input);
  if (response.ok) return readSound(await response.blob());
  throw new SmallFirstError("input_kind", `there is no sound at ${String(input)}: the server said ${response.status}`);
}

function voiceOptions(options: VoiceOptions): RunOptions {
  return {
    threshold: options.threshold,
    negThreshold: options.neg_threshold,
    minSpeechDurationMs: options.min_speech_duration_ms,
    minSilenceDurationMs: options.min_silence_duration_ms,
    speechPadMs: options.speech_pad_ms,
    maxSpeechDurationS: options.max_speech_duration_s,
  };
}

/** As many as there are. */
const ALL = 0xffff_ffff;

const POOLING: Record<NonNullable<VectorOptions["pooling"]>, Pooling> = {
  none: "none",
  mean: "mean",
  cls: "first",
  first_token: "first",
  eos: "last",
  last_token: "last",
};

/** The vectors of several texts or images, one behind another. */
function stacked(all: VectorOutput[]): TensorLike {
  const [first] = all;
  if (!first) throw new SmallFirstError("empty_input", "there is nothing to make vectors of");
  const inner = first.dims.slice(1);
  if (all.some(({ dims }) => String(dims.slice(1)) !== String(inner))) {
    const why =
      "these vectors have no common shape: of texts of different lengths, without pooling; give them one by one";
    throw new SmallFirstError("invalid_option", why);
  }
  const { length } = first.data;
  const type = first.precision === "float32" ? "float32" : first.precision === "ubinary" ? "uint8" : "int8";
  const Kind = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array }[type];
  const data = new Kind(length * all.length);
  all.forEach((one, at) => data.set(one.data, at * length));
  const dims = [all.length, ...inner];
  return { type, dims, data, tolist: () => nested([...data], dims) };
}

function nested(numbers: number[], [, ...inner]: number[]): unknown[] {
  if (inner.length === 0) return numbers;
  const size = inner.reduce((all, one) => all * one, 1);
  const rows: unknown[] = [];
  for (let at = 0; at < numbers.length; at += size) rows.push(nested(numbers.slice(at, at + size), inner));
  return rows;
}
