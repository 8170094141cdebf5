// Generated from the Rust types by `UPDATE=1 cargo test --lib fresh`. Do not edit.

/**
 * The kinds of task that exist.
 */
export type TaskKind = "classify" | "generate" | "multi-label" | "token-classification" | "question-answering" | "fill-mask" | "feature-extraction" | "zero-shot-classification" | "object-detection" | "ocr" | "voice-activity-detection" | "regression";

/**
 * What a task reads.
 */
export type InputKind = "text" | "bytes" | "pair" | "image" | "sound" | "table";

/**
 * Who may answer, and who is asked first.
 */
export type Mode = "only-local" | "prefer-local" | "prefer-remote" | "only-remote";

/**
 * Where an answer was computed.
 */
export type RanOn = "local" | "builtin" | "remote";

/**
 * Why the call was answered where it was.
 */
export type Reason = "confident" | "mode" | "unknown_task" | "input_too_short" | "input_too_long" | "unsupported_language" | "model_unavailable" | "low_confidence" | "uncertified" | "out_of_distribution" | "remote_failed" | "extracted" | "remote_only" | "learned" | "remote_unlikely_to_help" | "local_only";

/**
 * What became of one attempt.
 */
export type Outcome = "answered" | "escalated" | "failed" | "skipped" | "cancelled";

/**
 * What speaks against a local answer, where the head's probability of being right is lower for it.
 */
export type Doubt = "close_labels" | "short_input" | "long_input" | "confused_label";

/**
 * One label a task can give.
 */
export type Label = {
  /**
   * The stable identifier, for example `deu`.
   */
  id: string;
  /**
   * The name for people, for example `German`.
   */
  title: string | null;
};

/**
 * A label and its probability.
 */
export type LabelScore = {
  /**
   * The label's identifier.
   */
  label: string;
  /**
   * Its probability, 0 to 1.
   */
  score: number;
};

/**
 * What a classification gives, wherever it ran.
 */
export type Output = {
  /**
   * The chosen label's identifier.
   */
  label: string;
  /**
   * Its name for people.
   */
  title: string | null;
  /**
   * Its probability; `null` where the remote gives none.
   */
  score: number | null;
  /**
   * The most probable labels, best first; empty where the remote gives none.
   */
  scores: Array<LabelScore>;
};

/**
 * One thing that was tried for a call.
 */
export type Attempt = {
  /**
   * Where.
   */
  on: RanOn;
  /**
   * The head's name, or the remote model's.
   */
  tier: string;
  /**
   * The address that was asked, for remotes.
   */
  endpoint: string | null;
  /**
   * What became of it.
   */
  outcome: Outcome;
  /**
   * How long it took, in milliseconds.
   */
  ms: number;
  /**
   * The calibrated probability that the output is right, where there is one.
   */
  confidence: number | null;
  /**
   * The threshold it was held against, where there is one.
   */
  threshold: number | null;
  /**
   * What speaks against its answer, the weightiest first. Only heads that were calibrated with a correctness head say so.
   */
  doubts: Array<Doubt>;
  /**
   * The error's code, when it failed or was skipped.
   */
  code: string | null;
  /**
   * The error's message, when it failed or was skipped.
   */
  message: string | null;
};

/**
 * How long the parts of a call took, in milliseconds.
 */
export type Timing = {
  /**
   * The whole call.
   */
  totalMs: number;
  /**
   * Fetching, verifying and preparing models; 0 once they are loaded.
   */
  loadMs: number;
  /**
   * Preprocessing and running local models.
   */
  inferMs: number;
  /**
   * Waiting for the remote.
   */
  remoteMs: number;
};

/**
 * What a call's remote requests used, all tries together. What a server did not count is estimated.
 */
export type Usage = {
  /**
   * Tokens of requests.
   */
  inputTokens: number;
  /**
   * Tokens of replies.
   */
  outputTokens: number;
  /**
   * US dollars, where the endpoint has a price.
   */
  costUsd: number | null;
};

/**
 * One request that left the device.
 */
export type Sent = {
  /**
   * When, in milliseconds since 1970.
   */
  at: number;
  /**
   * For which task.
   */
  task: string;
  /**
   * To which address, or to which function of the page.
   */
  endpoint: string;
  /**
   * To which model.
   */
  model: string;
  /**
   * How many bytes the body had.
   */
  bytes: number;
  /**
   * The body itself, as it was sent. Headers are not in it.
   */
  body: string;
  /**
   * How many values of each kind of personal data were replaced in it.
   */
  redactions: { [key in string]: number };
};

/**
 * What an error rate is held against.
 */
export type GuaranteeKind = "absolute" | "against-remote";

/**
 * A loss.
 */
export type Loss = "exact" | "f1" | "miss";

/**
 * The promise that an answer carries.
 */
export type AnswerGuarantee = {
  /**
   * What the error rate is held against.
   */
  kind: GuaranteeKind;
  /**
   * The error rate, the excess over the remote's, or the mean loss, that the certificate bounds. It may be smaller than what was
   * asked for.
   */
  risk: number;
  /**
   * The loss whose mean is bounded; absent where answers are right or wrong.
   */
  loss?: Loss;
  /**
   * The chance, over calibration samples, that the certificate does not hold.
   */
  delta: number;
  /**
   * The largest share of out-of-scope inputs it holds for; `null` where it is for as many as the calibration rows had.
   */
  outOfScopeShare: number | null;
};

/**
 * The evidence for an answer by example.
 */
export type Learned = {
  /**
   * How many examples there are.
   */
  examples: number;
  /**
   * The cosine of the input's vector and that of the nearest of them.
   */
  nearest: number;
  /**
   * How many of the five nearest examples have the answer's label.
   */
  agreeing: number;
  /**
   * The limit on the disagreement rate with the remote.
   */
  risk: number;
  /**
   * How many examples were answered from the others (leave-one-out).
   */
  tested: number;
  /**
   * Disagreements with the remote among them.
   */
  wrong: number;
  /**
   * Upper confidence bound on the true disagreement rate.
   */
  bound: number;
};

/**
 * That an answer was drawn to be audited.
 */
export type Audit = {
  /**
   * Its number, by which the outcome is counted once.
   */
  id: number;
  /**
   * The chance with which an answer as sure as this one is drawn.
   */
  chance: number;
  /**
   * The label of the best local answer, where this one is a remote's; `null` for a local answer.
   */
  local: string | null;
};

/**
 * What a task gives that writes text.
 */
export type TextOutput = {
  /**
   * The text.
   */
  text: string;
  /**
   * Whether it was cut off at the token limit.
   */
  truncated: boolean;
};

/**
 * How the vectors of a text's tokens become one.
 */
export type Pooling = "none" | "mean" | "first" | "last" | "max";

/**
 * How tokens become entities, as transformers names it.
 */
export type Aggregation = "none" | "simple" | "first" | "average" | "max";

/**
 * How the numbers of vectors are kept.
 */
export type Precision = "float32" | "int8" | "binary" | "ubinary";

/**
 * A label that holds.
 */
export type GivenLabel = {
  /**
   * The label's identifier.
   */
  label: string;
  /**
   * Its probability, 0 to 1; `null` where a remote answered.
   */
  score: number | null;
};

/**
 * The labels of an input.
 */
export type LabelsOutput = {
  /**
   * Those that hold, the likeliest first.
   */
  labels: Array<GivenLabel>;
  /**
   * The likeliest, whether they hold or not; empty where a remote answered.
   */
  scores: Array<LabelScore>;
};

/**
 * A labelled part of a text.
 */
export type Entity = {
  /**
   * Its label, without `B-` and `I-` where tokens were put together.
   */
  label: string;
  /**
   * Its probability, 0 to 1: the mean of its tokens'; `null` where a remote answered.
   */
  score: number | null;
  /**
   * The part, as it stands in the text.
   */
  text: string;
  /**
   * Its tokens, as the tokenizer puts them together: in lower case where that is all it knows. The part itself where a remote
   * answered.
   */
  word: string;
  /**
   * Where it begins in the text, in UTF-16 units, as JavaScript counts.
   */
  start: number;
  /**
   * Where it ends.
   */
  end: number;
  /**
   * The number of its first token, special ones counted; `null` where a remote answered.
   */
  token: number | null;
};

/**
 * The entities of a text.
 */
export type TokensOutput = {
  /**
   * In the order of the text.
   */
  entities: Array<Entity>;
};

/**
 * A part of the text that answers a question.
 */
export type FoundAnswer = {
  /**
   * The part, as it stands in the text.
   */
  answer: string;
  /**
   * Its probability, 0 to 1; `null` where a remote answered.
   */
  score: number | null;
  /**
   * Where it begins in the text, in UTF-16 units, as JavaScript counts.
   */
  start: number;
  /**
   * Where it ends.
   */
  end: number;
};

/**
 * The answers to a question.
 */
export type QuestionOutput = {
  /**
   * The likeliest ones, the best first.
   */
  answers: Array<FoundAnswer>;
  /**
   * The part, as it stands in the text.
   */
  answer: string;
  /**
   * Its probability, 0 to 1; `null` where a remote answered.
   */
  score: number | null;
  /**
   * Where it begins in the text, in UTF-16 units, as JavaScript counts.
   */
  start: number;
  /**
   * Where it ends.
   */
  end: number;
};

/**
 * A word for a gap.
 */
export type Filling = {
  /**
   * Its probability, 0 to 1.
   */
  score: number;
  /**
   * Its id.
   */
  token: number;
  /**
   * The word.
   */
  text: string;
  /**
   * The text with the gap filled.
   */
  sequence: string;
};

/**
 * The words that a gap may stand for.
 */
export type MaskOutput = {
  /**
   * For each gap, the likeliest words first.
   */
  masks: Array<Array<Filling>>;
};

/**
 * The vectors of an input.
 */
export type VectorOutput = {
  /**
   * The numbers, row by row: in the page a `Float32Array`, `Int8Array` or `Uint8Array`.
   */
  data: Float32Array | Int8Array | Uint8Array;
  /**
   * Its lengths: `[1, numbers]`, or `[1, tokens, numbers]` without pooling; of an image's parts, as the model has it.
   */
  dims: Array<number>;
  /**
   * How the numbers are kept.
   */
  precision: Precision;
};

/**
 * Where something is in an image, in its pixels.
 */
export type BoundingBox = {
  /**
   * Its left edge.
   */
  xmin: number;
  /**
   * Its upper edge.
   */
  ymin: number;
  /**
   * Its right edge.
   */
  xmax: number;
  /**
   * Its lower edge.
   */
  ymax: number;
};

/**
 * An object in an image.
 */
export type FoundObject = {
  /**
   * What it is.
   */
  label: string;
  /**
   * How likely it is that, 0 to 1; `null` where a remote answered.
   */
  score: number | null;
  /**
   * Where it is.
   */
  box: BoundingBox;
};

/**
 * The objects in an image.
 */
export type ObjectsOutput = {
  /**
   * They, the surest first; none where nothing is found.
   */
  objects: Array<FoundObject>;
  /**
   * How wide the image is, in pixels.
   */
  width: number;
  /**
   * How high it is.
   */
  height: number;
};

/**
 * A line of text, or the part of one between wide gaps.
 */
export type TextLine = {
  /**
   * What it says.
   */
  text: string;
  /**
   * The mean of its letters' probabilities, 0 to 1; `null` where a remote answered.
   */
  score: number | null;
  /**
   * The upright rectangle around it.
   */
  box: BoundingBox;
  /**
   * Its corners, x and y, from where its text begins above, clockwise.
   */
  quad: [[number, number], [number, number], [number, number], [number, number]];
};

/**
 * The text in an image.
 */
export type OcrOutput = {
  /**
   * All of it: what is side by side with a space between, and a row below another on a line of its own.
   */
  text: string;
  /**
   * Its lines, in the order in which they are read; none where there is no text.
   */
  lines: Array<TextLine>;
  /**
   * How wide the image is, in pixels.
   */
  width: number;
  /**
   * How high it is.
   */
  height: number;
};

/**
 * A stretch of speech.
 */
export type VoiceSegment = {
  /**
   * Where it begins, in seconds.
   */
  start: number;
  /**
   * Where it ends.
   */
  end: number;
  /**
   * The mean probability of its windows, 0 to 1, without what was added to its ends; `null` where a remote answered.
   */
  score: number | null;
};

/**
 * Where somebody speaks.
 */
export type VoiceOutput = {
  /**
   * In the order of the sound. None where nobody speaks.
   */
  segments: Array<VoiceSegment>;
};

/**
 * What is told of a sound while it goes on.
 */
export type SpeechEvent = { "kind": "speech-start", 
/**
 * When, in seconds from the first sample.
 */
time: number, } | { "kind": "speech-end", 
/**
 * When.
 */
time: number, } | { "kind": "segment" } & VoiceSegment;

/**
 * The numbers of an input.
 */
export type RegressionOutput = {
  /**
   * The first one, which mostly is the only one.
   */
  value: number;
  /**
   * All, in the model's order.
   */
  values: Array<number>;
};

/**
 * What comes out, by kind.
 */
export type KindOutput = Output | LabelsOutput | TokensOutput | QuestionOutput | MaskOutput | VectorOutput | VoiceOutput | RegressionOutput | ObjectsOutput | OcrOutput;

/**
 * The numbers that weights are kept in, as transformers.js names them.
 */
export type Dtype = "fp32" | "fp16" | "q8" | "int8" | "uint8" | "q4" | "q4f16" | "bnb4";

/**
 * The answer of a call.
 */
export type Answer<O = Output> = {
  /**
   * The task that was asked.
   */
  task: string;
  /**
   * What came out.
   */
  output: O;
  /**
   * Where it was computed.
   */
  ranOn: RanOn;
  /**
   * The head's name, or the remote model's.
   */
  tier: string;
  /**
   * Why it was computed there.
   */
  reason: Reason;
  /**
   * The reason as one English sentence.
   */
  explanation: string;
  /**
   * The probability that the output is right: the calibrated one of a local answer, or what a remote says of itself;
   * `null` where nobody states one.
   */
  confidence: number | null;
  /**
   * Whether the confidence is calibrated. A confidence that a remote states never is.
   */
  calibrated: boolean;
  /**
   * What the confidence was held against; `null` where there is no such number.
   */
  threshold: number | null;
  /**
   * The error rate asked for among locally given answers: the call's, the instance's or the
   * task's own; `null` where there is none, and where `excessRisk` asks for another promise.
   */
  risk: number | null;
  /**
   * True when this is a local answer that the bundle's certificate for that risk supports, and no alarm has ended the
   * task's guarantee: one of audited answers, or one of inputs where `onDrift` is `"stop"`. Never for an answer by
   * example: it is held against the remote's answers, not against the truth.
   */
  guaranteed: boolean;
  /**
   * The promise of a guaranteed answer; `null` for every other one.
   */
  guarantee: AnswerGuarantee | null;
  /**
   * Set where this answer was drawn to be audited: find out whether it is right, and say so by `reportOutcome`. `null`
   * for every other answer, whose outcome does not count.
   */
  audit: Audit | null;
  /**
   * True when this is the best that could be had, not what the mode or the threshold asks for.
   */
  degraded: boolean;
  /**
   * Everything that was tried, in order.
   */
  attempts: Array<Attempt>;
  /**
   * How long the parts took.
   */
  timing: Timing;
  /**
   * What the remote requests used, when one answered.
   */
  usage: Usage | null;
  /**
   * Whether a remote's answer to the same question was kept from earlier, or shared with a call under way.
   */
  cached: boolean;
  /**
   * The evidence for an answer by example; `null` for every other answer.
   */
  learned: Learned | null;
  /**
   * Everything that left the device for this call.
   */
  sent: Array<Sent>;
};

/**
 * The languages a task covers, and who tells the language.
 */
export type LanguageLimit = {
  /**
   * Labels of the language task that are covered.
   */
  allow: Array<string>;
  /**
   * The task of the same bundle that tells the language. Only its confident answers count.
   */
  task: string;
};

/**
 * What a task accepts.
 */
export type Limits = {
  /**
   * Fewest bytes (of the UTF-8 form, for text).
   */
  minBytes: number;
  /**
   * Most bytes.
   */
  maxBytes: number;
  /**
   * Most tokens, where the model reads tokens.
   */
  maxTokens: number | null;
  /**
   * The languages it covers; `null` when it does not matter.
   */
  languages: LanguageLimit | null;
};

/**
 * One local model of a task.
 */
export type TierInfo = {
  /**
   * The head's name.
   */
  name: string;
  /**
   * The confidence from which its answers are trusted when a call asks for no risk; `null` when
   * they never are.
   */
  threshold: number | null;
  /**
   * Bytes of all files it needs, shared ones included.
   */
  bytes: number;
  /**
   * Whether it is in memory now.
   */
  loaded: boolean;
};

/**
 * What calibration found for one risk.
 */
export type RiskInfo = {
  /**
   * The error rate allowed among locally answered inputs.
   */
  risk: number;
  /**
   * Whether thresholds are certified for it. Where not, every call at this risk escalates.
   */
  certified: boolean;
  /**
   * The share of the calibration rows that was answered locally.
   */
  coverage: number;
};

/**
 * A task's model card.
 */
export type Card = {
  /**
   * The task.
   */
  task: string;
  /**
   * The card: Markdown with Hugging Face's metadata in front.
   */
  markdown: string;
  /**
   * The measured evaluation, as `smallfirst evaluate` wrote it; `null` when there is none.
   */
  evaluation: unknown;
};

/**
 * What a monitor watches.
 */
export type MonitorKind = "inputs" | "errors" | "examples" | "remote" | "remote-worth";

/**
 * How a monitor stands.
 */
export type Drift = {
  /**
   * The task.
   */
  task: string;
  /**
   * What is watched.
   */
  watched: MonitorKind;
  /**
   * The evidence that something changed; 1 at the start.
   */
  evidence: number;
  /**
   * The evidence from which there is an alarm: 1 / `falseAlarmRate`.
   */
  alarmAt: number;
  /**
   * The chance of ever raising an alarm although nothing changed.
   */
  falseAlarmRate: number;
  /**
   * How many inputs or audited answers were seen.
   */
  observed: number;
  /**
   * The error rate that is watched, for `errors`.
   */
  risk: number | null;
  /**
   * Whether the alarm was raised. It stays until the task is calibrated anew; that of `remote-worth` may end before. One of
   * `errors` ends the task's guarantee, one of `inputs` where `onDrift` is `"stop"`.
   */
  alarmed: boolean;
};

/**
 * What calibration found against one remote.
 */
export type AgainstRemoteInfo = {
  /**
   * The remote's model.
   */
  model: string;
  /**
   * One for each excess; `risk` is the excess.
   */
  risks: Array<RiskInfo>;
};

/**
 * What a bundle can do for one task, for callers and for display.
 */
export type TaskInfo = {
  /**
   * The task's identifier.
   */
  id: string;
  /**
   * Its name for people.
   */
  title: string;
  /**
   * Its kind.
   */
  kind: TaskKind;
  /**
   * What it reads.
   */
  input: InputKind;
  /**
   * What it does, in one sentence; also what the remote is told.
   */
  instruction: string;
  /**
   * The labels it can give; none for a task that writes text.
   */
  labels: Array<Label>;
  /**
   * What a call must give in `variables`, for a task that writes text.
   */
  variables: Array<string>;
  /**
   * Whether this device itself can answer a task that writes text, with the input's own sentences.
   */
  extracts: boolean;
  /**
   * What it accepts.
   */
  limits: Limits;
  /**
   * The local models, cheapest first.
   */
  tiers: Array<TierInfo>;
  /**
   * The path of its model card inside the bundle.
   */
  card: string | null;
  /**
   * The risk that counts when a call asks for none; `null` when nothing is certified for it.
   */
  risk: number | null;
  /**
   * The error rates that calibration tried, in rising order, and what each needs.
   */
  risks: Array<RiskInfo>;
  /**
   * What calibration tried against a remote, in rising order of the excess; `null` where its answers were not known.
   */
  againstRemote: AgainstRemoteInfo | null;
};

/**
 * What happens to a file of the bundle.
 */
export type ProgressStatus = "download" | "progress" | "refetch" | "verified";

/**
 * News of a file of the bundle.
 */
export type Progress = {
  /**
   * What happens.
   */
  status: ProgressStatus;
  /**
   * The file's path in the bundle.
   */
  file: string;
  /**
   * Bytes of it that are here.
   */
  loaded: number;
  /**
   * Bytes it has, as the manifest says.
   */
  total: number;
  /**
   * True when it came from the browser's own cache, not from the network.
   */
  cached: boolean;
};

/**
 * The wire formats there are.
 */
export type ProviderKind = "openai" | "openai-responses" | "openai-decisions" | "anthropic" | "gemini" | "ollama" | "bedrock" | "sagemaker" | "prompt-api" | "custom";

/**
 * How a reply is bound to the task's JSON schema.
 */
export type Structured = "schema" | "tool" | "prompt";

/**
 * What tokens cost.
 */
export type Price = {
  /**
   * US dollars for a million tokens of requests.
   */
  inputPerMillion: number;
  /**
   * US dollars for a million tokens of replies.
   */
  outputPerMillion: number;
};

/**
 * Rows with a local confidence from `from` up to the next bin's.
 */
export type ProfileBin = {
  /**
   * The smallest confidence. The first bin has all below it, too.
   */
  from: number;
  /**
   * How many rows.
   */
  rows: number;
  /**
   * How many of them the remote had right.
   */
  right: number;
  /**
   * How many of them the best local answer had right.
   */
  localRight: number;
};

/**
 * How good a remote model is at one task.
 */
export type TaskProfile = {
  /**
   * Names the local models whose confidence the bins are of. With others, the profile says nothing of the task.
   */
  models: string;
  /**
   * When it was measured, in milliseconds since 1970.
   */
  measured: number;
  /**
   * How many labelled rows the remote was asked.
   */
  rows: number;
  /**
   * How many of them it had right. A reply that is none of the labels, or none at all, is wrong.
   */
  right: number;
  /**
   * The rows by local confidence, in rising order.
   */
  bins: Array<ProfileBin>;
  /**
   * How many rows of the mean accuracy each bin is mixed with (the strength of the beta prior): many where bins differ no more than chance
   * makes them.
   */
  priorRows: number;
  /**
   * How long a reply took, in milliseconds: the median.
   */
  milliseconds: number;
  /**
   * Tokens of request and reply, on average.
   */
  tokens: number;
};

/**
 * How good one remote model is.
 */
export type RemoteProfile = {
  /**
   * The version of the format: 1.
   */
  version: number;
  /**
   * The remote's model. An endpoint that asks another one cannot have this profile.
   */
  model: string;
  /**
   * The tasks that were measured.
   */
  tasks: { [key in string]: TaskProfile };
};

/**
 * What beside text a remote may take.
 */
export type Medium = "image" | "sound";

/**
 * Where a remote is and how it is asked.
 */
export type Endpoint = {
  /**
   * The wire format.
   */
  provider: ProviderKind;
  /**
   * The address up to and without the path that the provider names, absolute. Of no meaning to
   * the providers that are functions of the page.
   */
  baseUrl: string;
  /**
   * The model's name there.
   */
  model: string;
  /**
   * How long a streamed reply may take to begin with its headers, in milliseconds. Default: 10000.
   */
  connectMs: number;
  /**
   * How long the body may take to begin, and to go on, in milliseconds. Default: 30000.
   */
  firstByteMs: number;
  /**
   * How long one try may take altogether, in milliseconds; not counting the time in which the
   * reader of a stream does not read. Default: 30000.
   */
  timeoutMs: number;
  /**
   * The longest input that is sent, in bytes. Default: 100000.
   */
  maxInputBytes: number;
  /**
   * What beside text is sent there: `"image"`, `"sound"`. Only list what its model takes. Default: none.
   */
  accepts: Array<Medium>;
  /**
   * The most tokens of a reply. Default: nothing is said to the server, unless it insists.
   */
  maxTokens: number | null;
  /**
   * The field that carries it, for OpenAI-compatible servers that want `"max_tokens"`.
   */
  maxTokensField: string | null;
  /**
   * The sampling temperature. Default: nothing is said to the server.
   */
  temperature: number | null;
  /**
   * How the reply is bound to the task's schema. Default: the provider's best.
   */
  structured: Structured | null;
  /**
   * The version of Anthropic's API. Default: `"2026-10-21"`.
   */
  apiVersion: string | null;
  /**
   * Further fields of the request's body, as they are, for example `{ reasoning_effort: "low" }`.
   */
  extraBody: Record<string, unknown>;
  /**
   * A header that carries the same random value on every try of one call, so that the server can
   * tell a retry from a new request.
   */
  idempotencyHeader: string | null;
  /**
   * What tokens cost there.
   */
  price: Price | null;
  /**
   * How often the model is right, as `smallfirst evaluate --remote ... --profile` measured it. Where it is not likelier right than the best
   * local answer, that is given instead.
   */
  profile: RemoteProfile | null;
};

/**
 * How failures of the remote are met.
 */
export type Policy = {
  /**
   * How often a request that may succeed later is sent again to the same endpoint.
   */
  maxRetries: number;
  /**
   * How long asking may take altogether, over all tries and endpoints, in milliseconds. Does not
   * count for streamed text, whose reader may take its time.
   */
  deadlineMs: number;
  /**
   * After how many milliseconds without an answer the next endpoint is asked, too, and the first answer
   * counts; never when absent. Both may be billed. Not for streamed text.
   */
  hedgeAfterMs: number | null;
  /**
   * After how many failures in a row an endpoint is left alone for a while.
   */
  breakerFailures: number;
  /**
   * For how long, in milliseconds; then one call tries it.
   */
  breakerOpenMs: number;
};

/**
 * What may be spent. What is absent is not limited.
 */
export type Budget = {
  /**
   * Requests a minute.
   */
  requestsPerMinute: number | null;
  /**
   * Requests a day (UTC).
   */
  requestsPerDay: number | null;
  /**
   * Tokens a minute, of requests and replies together.
   */
  tokensPerMinute: number | null;
  /**
   * Tokens a day (UTC).
   */
  tokensPerDay: number | null;
  /**
   * US dollars a day (UTC), by the endpoints' prices.
   */
  costPerDay: number | null;
  /**
   * Requests under way at the same time. A call waits for its turn.
   */
  concurrency: number | null;
};

/**
 * A sum of requests.
 */
export type Spent = {
  /**
   * Requests that were sent, retries included.
   */
  requests: number;
  /**
   * Tokens of requests. Where a server did not say, they are estimated.
   */
  inputTokens: number;
  /**
   * Tokens of replies, likewise.
   */
  outputTokens: number;
  /**
   * US dollars, by the endpoints' prices.
   */
  costUsd: number;
};

/**
 * What was spent, and what answers without a remote saved.
 */
export type UsageReport = {
  /**
   * Today (UTC).
   */
  today: Spent;
  /**
   * Since the book was begun.
   */
  total: Spent;
  /**
   * What remote answers would have cost, estimated from the inputs' lengths, where a local or kept answer was given
   * instead.
   */
  saved: Spent;
  /**
   * Requests under way, in all tabs.
   */
  inFlight: number;
};

/**
 * How answers of remotes are kept.
 */
export type AnswerCache = {
  /**
   * The most answers that are kept; none at 0.
   */
  entries: number;
  /**
   * The most bytes that they may have.
   */
  bytes: number;
  /**
   * Whether they are kept in the browser beyond this visit.
   */
  persist: boolean;
  /**
   * For how many days an answer is kept, 1 to 365.
   */
  days: number;
};

/**
 * A kind of personal data.
 */
export type PersonalData = "email" | "iban" | "card" | "ip" | "phone" | "name";

/**
 * What is taken out.
 */
export type RedactOptions = {
  /**
   * The kinds; all when absent.
   */
  kinds: Array<PersonalData>;
  /**
   * Where the texts' national telephone numbers are from, as ISO 3166-1 country codes such as `DE`. Everywhere's are
   * found if they are written as telephone numbers (with a trunk prefix, in groups, behind a word such as "tel"); of
   * these regions, those that are not, too, and more of what only looks like them.
   */
  regions: Array<string>;
  /**
   * Further regular expressions (of Rust's `regex-lite`), by the name that their placeholders get. A
   * match of up to 256 bytes is found; in a text with more than 2,500 matches, behind those perhaps one of up to 16 only.
   * `\w`, `\d`, `\s`, `\b` and `(?i)` know ASCII only; any other character stands for itself.
   */
  patterns: { [key in string]: string };
  /**
   * A task of the bundle that finds entities (token classification), such as `personal-data`. What it finds in a text is
   * taken out wherever it stands, under the letters of its label. If the task cannot look, nothing is sent.
   */
  task: string | null;
};

/**
 * What may leave the device for a task.
 */
export type Egress = "never" | "ask" | "redacted" | "allow";

/**
 * What left the device.
 */
export type EgressReport = {
  /**
   * How many requests were sent since the instance was made.
   */
  requests: number;
  /**
   * How many bytes their bodies had.
   */
  bytes: number;
  /**
   * The latest of them, oldest first.
   */
  sent: Array<Sent>;
};

/**
 * Who said something.
 */
export type Role = "user" | "assistant";

/**
 * One turn of what is about to leave the device.
 */
export type Message = {
  /**
   * Who said it.
   */
  role: Role;
  /**
   * What.
   */
  content: string;
};

/**
 * A file that goes with a question.
 */
export type Attachment = {
  /**
   * Its media type: `"image/jpeg"` or `"audio/wav"`.
   */
  type: string;
  /**
   * Its bytes in base64.
   */
  data: string;
};

/**
 * What is about to leave the device, as the page's hooks see it: all of it, after redaction. The wire format and
 * the model's name come on top.
 */
export type ConsentRequest = {
  /**
   * The task.
   */
  task: string;
  /**
   * The addresses it may go to, in the order in which they are tried.
   */
  endpoints: Array<string>;
  /**
   * What to do, in one sentence.
   */
  instruction: string;
  /**
   * The rules that are sent beside the messages; a choice's are made of the instruction and the labels.
   */
  system: string;
  /**
   * Every turn, oldest first; the input, or the text that it was put into, is the last.
   */
  messages: Array<Message>;
  /**
   * The labels, where one is to be chosen.
   */
  labels: Array<Label> | null;
  /**
   * The content of the last message.
   */
  text: string;
  /**
   * The endpoints' own further fields, by address, where they have any.
   */
  extraBody: Record<string, Record<string, unknown>>;
  /**
   * How many values of each kind were replaced by placeholders.
   */
  redactions: { [key in string]: number };
  /**
   * The image or the sound that goes with the first message.
   */
  attachment: Attachment | null;
  /**
   * Whether the task's egress setting wants the page to ask its user.
   */
  ask: boolean;
};

/**
 * How examples are made of remotes' answers, and used.
 */
export type LearnOptions = {
  /**
   * The most examples of a task that vote, 100 to 5000. Until the next test, up to as many newer ones wait.
   */
  examples: number;
  /**
   * The share of answers by example that is checked with the remote, 0 to 1.
   */
  audit: number;
  /**
   * The default limit on the disagreement rate with the remote, for tasks and calls that state no risk.
   */
  risk: number;
  /**
   * Whether inputs are kept with their examples, for `exportExamples`. Without, only their vectors are.
   */
  keepInputs: boolean;
};

/**
 * A task's examples, as the page sees them.
 */
export type LearnedTask = {
  /**
   * The task.
   */
  task: string;
  /**
   * How many examples are kept.
   */
  examples: number;
  /**
   * How many have come since the beginning.
   */
  total: number;
  /**
   * Whether too many of the checked answers were wrong. They then answer nothing until they are forgotten.
   */
  distrusted: boolean;
};

/**
 * An example, as the page may take it away: a labelled row.
 */
export type LearnedExample = {
  /**
   * The task.
   */
  task: string;
  /**
   * The input; `null` where inputs are not kept, or it was longer than 16 KiB.
   */
  input: string | null;
  /**
   * The label that the remote gave.
   */
  label: string;
  /**
   * When, in milliseconds since 1970.
   */
  at: number;
};

/**
 * A text that was found.
 */
export type SearchHit = {
  /**
   * Which it is.
   */
  id: string;
  /**
   * The cosine of its vector and the query's, from -1 to 1.
   */
  score: number;
  /**
   * The text.
   */
  text: string;
  /**
   * What was given with it.
   */
  data: unknown;
};

/**
 * A label and its rows.
 */
export type LabelRows = {
  /**
   * The label.
   */
  id: string;
  /**
   * How many rows it has.
   */
  rows: number;
};

/**
 * How many rows there are of some sort, and the first ones in words.
 */
export type RowsTold = {
  /**
   * How many.
   */
  count: number;
  /**
   * The first ones.
   */
  first: Array<string>;
};

/**
 * How often training rows were right by heads that were trained without them.
 */
export type TrainingAccuracy = {
  /**
   * How many were right.
   */
  right: number;
  /**
   * Of how many.
   */
  of: number;
  /**
   * Into how many parts they were cut; as many as there are different rows where each was left out by itself.
   */
  parts: number;
  /**
   * Whether each different row was left out by itself.
   */
  leaveOneOut: boolean;
  /**
   * How many would be right if the commonest label were always said.
   */
  commonest: number;
};

/**
 * What was certified at one risk, or what it would take.
 */
export type TrainedCertificate = {
  /**
   * The error rate allowed among local answers.
   */
  risk: number;
  /**
   * The confidence that an answer needs; `null` where none could be certified.
   */
  threshold: number | null;
  /**
   * How many of the certifying rows are answered at it.
   */
  answered: number;
  /**
   * How many of these are wrong.
   */
  wrong: number;
  /**
   * With 95 % confidence no more than this share is wrong; `null` where nothing was certified.
   */
  bound: number | null;
  /**
   * Where nothing was certified: about how many rows it takes in all, if they are as these are; `null` where even the surest
   * answers are wrong too often, so that more rows alone do not help.
   */
  rowsNeeded: number | null;
};

/**
 * What training found, and what of it holds.
 */
export type TrainingReport = {
  /**
   * The task.
   */
  task: string;
  /**
   * The encoder whose vectors it was learnt from.
   */
  encoder: string;
  /**
   * Each label, with how many rows it has.
   */
  labels: Array<LabelRows>;
  /**
   * How many rows were used.
   */
  rows: number;
  /**
   * The rows that were left out, and why.
   */
  leftOut: RowsTold;
  /**
   * Rows with the text of another one and another label. They are used: such is the noise of the labels.
   */
  contradictions: RowsTold;
  /**
   * How many rows are copies or near-copies of others. All of them stay together where rows are parted.
   */
  copies: number;
  /**
   * How many rows the head was trained on.
   */
  trainedOn: number;
  /**
   * How many rows were kept from training to certify; none where there were too few.
   */
  certifiedOn: number;
  /**
   * How often the training rows were right.
   */
  accuracy: TrainingAccuracy;
  /**
   * One for each risk, in rising order.
   */
  certificates: Array<TrainedCertificate>;
  /**
   * The risk that counts for calls that name none; `null` where nothing is certified for it.
   */
  risk: number | null;
};

/**
 * How a task is trained.
 */
export type TrainingOptions = {
  /**
   * The encoder of the bundle whose vectors are learnt from, by its name; the bundle's smallest one that reads texts where it is
   * left out.
   */
  encoder?: string;
  /**
   * The name for people. Default: the task's.
   */
  title?: string;
  /**
   * What the task decides, in one sentence; also what a remote is told.
   */
  instruction?: string;
  /**
   * The error rates to certify, each above 0 and below 1. Default: 0.01, 0.02, 0.05, 0.1 and 0.2.
   */
  risks?: Array<number>;
  /**
   * Weighs all labels the same, however many rows they have. Default: no.
   */
  balanced?: boolean;
  /**
   * The licence of what is trained, as an SPDX expression. Default: `LicenseRef-unstated`.
   */
  license?: string;
  /**
   * For a table: the column of the text. Default: `text`.
   */
  textColumn?: string;
  /**
   * For a table: the column of the label. Default: `label`.
   */
  labelColumn?: string;
};

/**
 * The codes of errors that come from Rust.
 */
export type EngineCode =
  | "not_a_bundle"
  | "bundle_version"
  | "bundle_invalid"
  | "bundle_unreachable"
  | "file_missing"
  | "file_size"
  | "hash_mismatch"
  | "model_invalid"
  | "needs_onnx"
  | "model_output"
  | "unknown_task"
  | "invalid_data"
  | "not_stored"
  | "invalid_option"
  | "invalid_text"
  | "empty_input"
  | "input_too_short"
  | "input_too_long"
  | "input_kind"
  | "unsupported_language"
  | "remote_not_configured"
  | "remote_unreachable"
  | "remote_timeout"
  | "remote_status"
  | "remote_bad_response"
  | "remote_refused"
  | "remote_interrupted"
  | "remote_circuit_open"
  | "over_budget"
  | "egress_denied"
  | "offline"
  | "aborted"
  | "internal";

/**
 * The most bytes of a manifest.
 */
export const MAX_MANIFEST_BYTES = 4194304;

/**
 * The most bytes that a bundle's files may have together where nobody says.
 */
export const MAX_BUNDLE_BYTES = 268435456;
