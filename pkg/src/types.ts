// Generated from the Rust types by `UPDATE=1 cargo test --lib fresh`. Do not edit.

/**
 * The kinds of task that exist.
 */
export type TaskKind = "classify";

/**
 * What a task reads.
 */
export type InputKind = "text" | "bytes";

/**
 * Who may answer, and who is asked first.
 */
export type Mode = "only-local" | "prefer-local" | "prefer-remote" | "only-remote";

/**
 * Where an answer was computed.
 */
export type RanOn = "local" | "remote";

/**
 * Why the call was answered where it was.
 */
export type Reason = "confident" | "mode" | "unknown_task" | "input_too_short" | "input_too_long" | "unsupported_language" | "model_unavailable" | "low_confidence" | "uncertified" | "out_of_distribution" | "remote_failed";

/**
 * What became of one attempt.
 */
export type Outcome = "answered" | "escalated" | "failed" | "skipped";

/**
 * One label a task can give.
 */
export type Label = { 
/**
 * The stable identifier, for example `deu`.
 */
id: string, 
/**
 * The name for people, for example `German`.
 */
title: string | null, };

/**
 * A label and its probability.
 */
export type LabelScore = { 
/**
 * The label's identifier.
 */
label: string, 
/**
 * Its probability, 0 to 1.
 */
score: number, };

/**
 * What a classification gives, wherever it ran.
 */
export type Output = { 
/**
 * The chosen label's identifier.
 */
label: string, 
/**
 * Its name for people.
 */
title: string | null, 
/**
 * Its probability; `null` where the remote gives none.
 */
score: number | null, 
/**
 * The most probable labels, best first; empty where the remote gives none.
 */
scores: Array<LabelScore>, };

/**
 * One thing that was tried for a call.
 */
export type Attempt = { 
/**
 * Where.
 */
on: RanOn, 
/**
 * The head's name, or the remote model's.
 */
tier: string, 
/**
 * What became of it.
 */
outcome: Outcome, 
/**
 * How long it took, in milliseconds.
 */
ms: number, 
/**
 * The calibrated probability that the output is right, where there is one.
 */
confidence: number | null, 
/**
 * The threshold it was held against, where there is one.
 */
threshold: number | null, 
/**
 * The error's code, when it failed or was skipped.
 */
code: string | null, 
/**
 * The error's message, when it failed or was skipped.
 */
message: string | null, };

/**
 * How long the parts of a call took, in milliseconds.
 */
export type Timing = { 
/**
 * The whole call.
 */
totalMs: number, 
/**
 * Fetching, verifying and preparing models; 0 once they are loaded.
 */
loadMs: number, 
/**
 * Preprocessing and running local models.
 */
inferMs: number, 
/**
 * Waiting for the remote.
 */
remoteMs: number, };

/**
 * What the remote counted.
 */
export type Usage = { 
/**
 * Tokens of the request.
 */
inputTokens: number, 
/**
 * Tokens of the reply.
 */
outputTokens: number, };

/**
 * The answer of a call.
 */
export type Answer = { 
/**
 * The task that was asked.
 */
task: string, 
/**
 * What came out.
 */
output: Output, 
/**
 * Where it was computed.
 */
ranOn: RanOn, 
/**
 * The head's name, or the remote model's.
 */
tier: string, 
/**
 * Why it was computed there.
 */
reason: Reason, 
/**
 * The reason as one English sentence.
 */
explanation: string, 
/**
 * The calibrated probability that the output is right; `null` for a remote answer.
 */
confidence: number | null, 
/**
 * What the confidence was held against; `null` where there is no such number.
 */
threshold: number | null, 
/**
 * The error rate asked for among locally given answers: the call's, the instance's or the
 * task's own; `null` where there is none.
 */
risk: number | null, 
/**
 * True when this is a local answer that a certificate for that risk supports, and no monitor
 * has raised an alarm for the task.
 */
guaranteed: boolean, 
/**
 * True when this is the best that could be had, not what the mode or the threshold asks for.
 */
degraded: boolean, 
/**
 * Everything that was tried, in order.
 */
attempts: Array<Attempt>, 
/**
 * How long the parts took.
 */
timing: Timing, 
/**
 * What the remote counted, when it answered and said so.
 */
usage: Usage | null, };

/**
 * The languages a task covers, and who tells the language.
 */
export type LanguageLimit = { 
/**
 * Labels of the language task that are covered.
 */
allow: Array<string>, 
/**
 * The task of the same bundle that tells the language. Only its confident answers count.
 */
task: string, };

/**
 * What a task accepts.
 */
export type Limits = { 
/**
 * Fewest bytes (of the UTF-8 form, for text).
 */
minBytes: number, 
/**
 * Most bytes.
 */
maxBytes: number, 
/**
 * Most tokens, where the model reads tokens.
 */
maxTokens: number | null, 
/**
 * The languages it covers; `null` when it does not matter.
 */
languages: LanguageLimit | null, };

/**
 * One local model of a task.
 */
export type TierInfo = { 
/**
 * The head's name.
 */
name: string, 
/**
 * The confidence from which its answers are trusted when a call asks for no risk; `null` when
 * they never are.
 */
threshold: number | null, 
/**
 * Bytes of all files it needs, shared ones included.
 */
bytes: number, 
/**
 * Whether it is in memory now.
 */
loaded: boolean, };

/**
 * What calibration found for one risk.
 */
export type RiskInfo = { 
/**
 * The error rate allowed among locally answered inputs.
 */
risk: number, 
/**
 * Whether thresholds are certified for it. Where not, every call at this risk escalates.
 */
certified: boolean, 
/**
 * The share of the calibration rows that was answered locally.
 */
coverage: number, };

/**
 * A task's model card.
 */
export type Card = { 
/**
 * The task.
 */
task: string, 
/**
 * The card: Markdown with Hugging Face's metadata in front.
 */
markdown: string, 
/**
 * The measured evaluation, as `smallfirst evaluate` wrote it; `null` when there is none.
 */
evaluation: unknown, };

/**
 * What a monitor watches.
 */
export type Watched = "inputs" | "errors";

/**
 * How a monitor stands.
 */
export type Drift = { 
/**
 * The task.
 */
task: string, 
/**
 * What is watched.
 */
watched: Watched, 
/**
 * The evidence that something changed; 1 at the start.
 */
evidence: number, 
/**
 * The evidence from which there is an alarm: 1 / `falseAlarmRate`.
 */
alarmAt: number, 
/**
 * The chance of ever raising an alarm although nothing changed.
 */
falseAlarmRate: number, 
/**
 * How many inputs or audited answers were seen.
 */
observed: number, 
/**
 * The error rate that is watched, for `errors`.
 */
risk: number | null, 
/**
 * Whether the alarm was raised. It stays: the task's guarantee is off until it is calibrated anew.
 */
alarmed: boolean, };

/**
 * What a bundle can do for one task, for callers and for display.
 */
export type TaskInfo = { 
/**
 * The task's identifier.
 */
id: string, 
/**
 * Its name for people.
 */
title: string, 
/**
 * Its kind.
 */
kind: TaskKind, 
/**
 * What it reads.
 */
input: InputKind, 
/**
 * What it does, in one sentence; also what the remote is told.
 */
instruction: string, 
/**
 * The labels it can give.
 */
labels: Array<Label>, 
/**
 * What it accepts.
 */
limits: Limits, 
/**
 * The local models, cheapest first.
 */
tiers: Array<TierInfo>, 
/**
 * The path of its model card inside the bundle.
 */
card: string | null, 
/**
 * The risk that counts when a call asks for none; `null` when nothing is certified for it.
 */
risk: number | null, 
/**
 * The error rates that calibration tried, in rising order, and what each needs.
 */
risks: Array<RiskInfo>, };

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
status: ProgressStatus, 
/**
 * The file's path in the bundle.
 */
file: string, 
/**
 * Bytes of it that are here.
 */
loaded: number, 
/**
 * Bytes it has, as the manifest says.
 */
total: number, 
/**
 * True when it came from the browser's own cache, not from the network.
 */
cached: boolean, };

/**
 * The wire formats there are.
 */
export type ProviderKind = "openai";

/**
 * Where the remote is and how it is asked.
 */
export type Endpoint = { 
/**
 * The wire format.
 */
provider: ProviderKind, 
/**
 * The address up to and without `/chat/completions`, absolute.
 */
baseUrl: string, 
/**
 * The model's name there.
 */
model: string, 
/**
 * How long a reply may take, in milliseconds.
 */
timeoutMs: number, 
/**
 * The longest input that is sent, in bytes.
 */
maxInputBytes: number, 
/**
 * The most tokens of a reply; nothing is said to the server when absent.
 */
maxTokens: number | null, };

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
  | "model_output"
  | "unknown_task"
  | "invalid_data"
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
  | "offline"
  | "aborted"
  | "internal";
