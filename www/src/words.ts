import type { Answer, Reason } from "smallfirst";

/** Why an answer came from where it came, for people who know nothing of models. */
export const REASONS: Record<Reason, string> = {
  confident: "Sure enough to answer here",
  learned: "Much like what was answered before",
  extracted: "Written with the text’s own sentences",
  local_only: "Only this device can do this",
  mode: "You chose who may answer",
  low_confidence: "Not sure enough",
  uncertified: "No promise at this risk",
  unsupported_language: "Not a language that this model knows",
  out_of_distribution: "Unlike anything that this model has seen",
  input_too_short: "Too short to tell",
  input_too_long: "Too long for the model here",
  model_unavailable: "The model could not be loaded",
  unknown_task: "Not a task of the models here",
  remote_only: "Only a remote can do this",
  remote_failed: "The remote could not be asked",
  remote_unlikely_to_help: "Unsure, but the remote knows no better",
};

/** Who may be told what became of the answers so far. */
export interface Tally {
  here: number;
  remote: number;
  bytes: number;
}

/** Counts an answer. */
export function counted(before: Tally, { ranOn, sent }: Pick<Answer, "ranOn" | "sent">): Tally {
  return {
    here: before.here + Number(ranOn !== "remote"),
    remote: before.remote + Number(ranOn === "remote"),
    bytes: before.bytes + sent.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

export function tallied({ here, remote, bytes }: Tally): string {
  const all = here + remote;
  const answers = all === 1 ? "1 answer" : `${all} answers`;
  return `${answers} so far: ${here} on this device, ${remote} by a remote. ${bytes.toLocaleString("en")} bytes have left.`;
}
