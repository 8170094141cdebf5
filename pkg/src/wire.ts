// Generated from the Rust types by `UPDATE=1 cargo test --lib fresh`. Do not edit.

import type {
  Aggregation,
  AnswerCache,
  Attachment,
  Attempt,
  Audit,
  Budget,
  Dtype,
  Egress,
  Endpoint,
  Label,
  LearnOptions,
  Message,
  Mode,
  Policy,
  Pooling,
  Precision,
  Reason,
  RedactOptions,
} from "./types.js";

/**
 * An endpoint as the engine takes it, which has defaults for the rest.
 */
export type RuntimeEndpoint = Pick<Endpoint, "provider"> & Partial<Endpoint>;

/**
 * What a runtime is made with. All but the bundle may be left out.
 */
export type RuntimeOptions = {
  /**
   * The manifest's absolute address.
   */
  bundle: string;
  /**
   * Who may answer, and who is asked first. Default: `"prefer-local"`.
   */
  mode?: Mode;
  /**
   * The error rate allowed among locally given answers, above 0 and below 1, for example 0.05. Default: each task's
   * own. A task without a certificate for it escalates.
   */
  risk?: number;
  /**
   * In place of `risk`: how many more of the locally given answers may be wrong than the remote would have wrong, as a
   * share, for example 0.02. A task whose calibration knew no remote's answers escalates.
   */
  excessRisk?: number;
  /**
   * How much likelier to be right than the best local answer a remote must be to be asked, by its profile or by audits of
   * its answers, as a difference of probabilities from 0 to 1. Default: 0.
   */
  worth?: number;
  /**
   * The share of the surest guaranteed answers that are drawn to be audited, 0.01 to 1; of the least sure ones, up to
   * eight times as many are. Of a remote's answers with a local one beside them, this share is drawn. Default: 0.1.
   */
  auditShare?: number;
  /**
   * What an alarm about inputs does beside being reported: with `"stop"` it ends the task's guarantee. Default:
   * `"report"`.
   */
  onDrift?: OnDrift;
  /**
   * The remotes.
   */
  remote?: Partial<RuntimeRemote>;
  /**
   * How examples are made of what remotes answer. Default: none are.
   */
  learn?: Partial<LearnOptions>;
  /**
   * The manifest's SHA-256 (hex). With it, nothing but this very bundle is accepted (`hash_mismatch`).
   */
  manifestSha256?: string;
  /**
   * The most bytes the bundle may have. Default: 256 MiB.
   */
  maxBundleBytes?: number;
  /**
   * What is wanted of a folder without a manifest, as Hugging Face's tools write them.
   */
  folder?: Partial<FolderOptions>;
};

/**
 * What is wanted of a folder without a manifest.
 */
export type FolderOptions = {
  /**
   * The task, by transformers' name, for example `"feature-extraction"`. Default: what the model was made for.
   */
  task?: string;
  /**
   * Which of the folder's weights: those of `onnx/model_quantized.onnx` are `"q8"`, of `onnx/model.onnx` `"fp32"`. Default: the
   * first there are of q8, int8, uint8, q4, fp16, fp32.
   */
  dtype?: Dtype;
};

/**
 * How a label is asked for.
 */
export type RuntimeRunOptions = {
  /**
   * Overrides the instance's mode for this call.
   */
  mode?: Mode;
  /**
   * Overrides the instance's risk for this call.
   */
  risk?: number;
  /**
   * Overrides the instance's risk for this call, by one against the remote.
   */
  excessRisk?: number;
  /**
   * How many labels `output.scores` lists. Default: 5. Of objects, how many are given: all that are found.
   */
  topK?: number;
  /**
   * For a task the bundle does not have: the labels the remote may choose from.
   */
  labels?: Array<string>;
  /**
   * For a task the bundle does not have: what the remote is to decide, in one sentence.
   */
  instruction?: string;
  /**
   * Whether the task's monitors, which another worker keeps, have ended its guarantee.
   */
  alarmed?: boolean;
  /**
   * Whether to look only what the answer would be, for a preview: on this device alone, and it counts for nothing (no monitor, no
   * audit, no saved request). Default: `false`.
   */
  dryRun?: boolean;
  /**
   * Zero-shot classification: the labels to choose from.
   */
  candidateLabels?: Array<string>;
  /**
   * Zero-shot classification: the sentence that is held against the text, with `{}` where the label goes. Default:
   * `"This example is {}."`
   */
  hypothesisTemplate?: string;
  /**
   * Zero-shot classification: whether several labels may hold, each with a probability of its own.
   */
  multiLabel?: boolean;
  /**
   * Token classification: how tokens become entities. Default: `"simple"`, tokens side by side of the same label.
   */
  aggregation?: Aggregation;
  /**
   * Several labels, objects, lines of text: from which probability on one is given; voices: from which on a window is speech.
   * Default: 0.5.
   */
  threshold?: number;
  /**
   * Voices: below which probability speech ends. Default: 0.15 below `threshold`.
   */
  negThreshold?: number;
  /**
   * Voices: what is not longer is no segment, in milliseconds. Default: 250.
   */
  minSpeechDurationMs?: number;
  /**
   * Voices: how long a pause must be to end a segment, in milliseconds. Default: 100.
   */
  minSilenceDurationMs?: number;
  /**
   * Voices: what is added to both ends of a segment, in milliseconds. Default: 30.
   */
  speechPadMs?: number;
  /**
   * Voices: longer speech is cut, at its longest pause, in seconds. Default: none is.
   */
  maxSpeechDurationS?: number;
  /**
   * Feature extraction: how the vectors of a text's tokens become one. Default: as the model's folder says, or `"none"`.
   */
  pooling?: Pooling;
  /**
   * Feature extraction of an image: whether the model's own vector of the whole image is given. Default: the vectors of its parts.
   */
  pool?: boolean;
  /**
   * Feature extraction: whether vectors get length 1. Default: as the model's folder says.
   */
  normalize?: boolean;
  /**
   * Feature extraction: how numbers are kept. Default: `"float32"`.
   */
  precision?: Precision;
  /**
   * Question answering: the most tokens that an answer may have. Default: 15.
   */
  maxAnswerTokens?: number;
};

/**
 * How text is asked for.
 */
export type RuntimeTextOptions = {
  /**
   * Overrides the instance's mode for this call.
   */
  mode?: Mode;
  /**
   * For a task the bundle does not have: what the remote is to do, in one sentence.
   */
  instruction?: string;
  /**
   * What stands for the names in double braces of the task's prompt, for example `{ question: "…" }`.
   */
  variables?: Record<string, string>;
  /**
   * What was said before, oldest first.
   */
  history?: Array<Message>;
};

/**
 * Which remotes there are and how they are asked.
 */
export type RuntimeRemote = {
  /**
   * The endpoints, in the order in which they are tried.
   */
  endpoints: RuntimeEndpoint[];
  /**
   * How failures are met.
   */
  policy: Partial<Policy>;
  /**
   * What may be spent.
   */
  budget: Partial<Budget>;
  /**
   * What may leave the device.
   */
  privacy: Partial<RuntimePrivacy>;
  /**
   * How answers are kept.
   */
  answerCache: Partial<AnswerCache>;
};

/**
 * What may leave the device, and how it is changed before.
 */
export type RuntimePrivacy = {
  /**
   * For tasks that `tasks` does not name. Default: `"allow"`.
   */
  egress: Egress;
  /**
   * For single tasks: `never`, `ask` (the page's `beforeRemote` must say yes), `redacted`, `allow`. A name that is neither
   * the bundle's nor in `ownTasks` is refused: a misspelt one would leave the task that was meant without its rule.
   */
  tasks: Record<string, Egress>;
  /**
   * The names of tasks that the bundle does not have: those that calls describe with `labels` or an `instruction`.
   */
  ownTasks: Array<string>;
  /**
   * What is taken out of texts. With it, all texts are redacted; without it, those of tasks whose egress is
   * `redacted`, and then of every kind.
   */
  redact: Partial<RedactOptions> | null;
  /**
   * Whether the page has a function that is asked before anything leaves.
   */
  beforeRemote: boolean;
};

/**
 * What the page says to it.
 */
export type Consent = {
  /**
   * Whether it may leave.
   */
  allow: boolean;
  /**
   * What to send instead of the only message, if anything.
   */
  text?: string;
  /**
   * What to send instead of the messages: as many, by the same.
   */
  messages?: Array<Message>;
  /**
   * What to send instead of the rules that a text is written by.
   */
  system?: string;
  /**
   * Why it may not, in the page's words.
   */
  why?: string;
};

/**
 * What a function that stands for a remote is asked.
 */
export type PageRequest = {
  /**
   * The task.
   */
  task: string;
  /**
   * What to do, in one sentence.
   */
  instruction: string;
  /**
   * The message with the input, redacted where that is wanted; of a file, a description.
   */
  input: string;
  /**
   * The rules, as a prompt for a language model.
   */
  system: string;
  /**
   * What is said to it, oldest first. Behind the input there may be a reply that was no answer, and what was wrong with it.
   */
  messages: Message[];
  /**
   * The image or the sound that the first message is about; `null` where there is none.
   */
  attachment: Attachment | null;
  /**
   * The labels to choose from; `null` where text is wanted.
   */
  labels: Array<Label> | null;
  /**
   * The JSON schema of the reply; `null` where text is wanted.
   */
  schema: object | null;
  /**
   * Whether the text is wanted piece by piece.
   */
  stream: boolean;
  /**
   * The model's name, as the options say it; empty where they do not.
   */
  model: string;
};

/**
 * What it may answer: a label, or text (for a choice, JSON as the schema says).
 */
export type RemoteReply = {
  /**
   * One of the labels.
   */
  label?: string;
  /**
   * Text, or the JSON as text.
   */
  text?: string;
  /**
   * A probability that it is right, 0 to 1.
   */
  confidence?: number;
  /**
   * Its words, where it refuses.
   */
  refusal?: string;
  /**
   * The tokens of the request.
   */
  inputTokens?: number;
  /**
   * The tokens of the reply.
   */
  outputTokens?: number;
};

/**
 * What another runtime answered, as far as it is remembered.
 */
export type Adopted = {
  /**
   * Why the answer was given.
   */
  reason: Reason;
  /**
   * Whether it is guaranteed.
   */
  guaranteed: boolean;
  /**
   * The error rate that was asked for, where one was.
   */
  risk: number | null;
  /**
   * What was tried for it.
   */
  attempts: Array<Attempt>;
};

/**
 * What is added to such an answer. Only the runtime that keeps the monitors draws answers to be audited.
 */
export type Adoption = {
  /**
   * Set where the answer was drawn.
   */
  audit: Audit | null;
};

/**
 * Whether inputs that differ from the calibration data end a task's guarantee. Audited answers that are wrong too often
 * always do.
 */
export type OnDrift = "report" | "stop";

/**
 * The names of the options that the engine reads. It refuses all others.
 */
export const OPTION_NAMES = {
  runtime: ["bundle", "mode", "risk", "excessRisk", "worth", "auditShare", "onDrift", "remote", "learn", "manifestSha256", "maxBundleBytes", "folder"],
  run: ["mode", "risk", "excessRisk", "topK", "labels", "instruction", "alarmed", "dryRun", "candidateLabels", "hypothesisTemplate", "multiLabel", "aggregation", "threshold", "negThreshold", "minSpeechDurationMs", "minSilenceDurationMs", "speechPadMs", "maxSpeechDurationS", "pooling", "pool", "normalize", "precision", "maxAnswerTokens"],
  generate: ["mode", "instruction", "variables", "history"],
  remote: ["endpoints", "policy", "budget", "privacy", "answerCache"],
  endpoint: ["provider", "baseUrl", "model", "connectMs", "firstByteMs", "timeoutMs", "maxInputBytes", "accepts", "maxTokens", "maxTokensField", "temperature", "structured", "apiVersion", "extraBody", "idempotencyHeader", "price", "profile"],
  privacy: ["egress", "tasks", "ownTasks", "redact", "beforeRemote"],
  consent: ["allow", "text", "messages", "system", "why"],
} as const;
