// Generated from the Rust types by `UPDATE=1 cargo test --lib fresh`. Do not edit.

import type {
  AnswerCache,
  Attempt,
  Audit,
  Budget,
  Egress,
  Endpoint,
  Label,
  LearnOptions,
  Message,
  Mode,
  Policy,
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
   * How many labels `output.scores` lists. Default: 5.
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
  runtime: ["bundle", "mode", "risk", "excessRisk", "worth", "auditShare", "onDrift", "remote", "learn", "manifestSha256", "maxBundleBytes"],
  run: ["mode", "risk", "excessRisk", "topK", "labels", "instruction", "alarmed"],
  generate: ["mode", "instruction", "variables", "history"],
  remote: ["endpoints", "policy", "budget", "privacy", "answerCache"],
  endpoint: ["provider", "baseUrl", "model", "connectMs", "firstByteMs", "timeoutMs", "maxInputBytes", "maxTokens", "maxTokensField", "temperature", "structured", "apiVersion", "extraBody", "idempotencyHeader", "price", "profile"],
  privacy: ["egress", "tasks", "ownTasks", "redact", "beforeRemote"],
  consent: ["allow", "text", "messages", "system", "why"],
} as const;
