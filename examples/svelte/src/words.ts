import { type Answer, SmallFirstError } from "smallfirst";

/** What an answer says of itself, for people. */
export function words({
  output,
  ranOn,
  confidence,
  guaranteed,

  explanation,
}: Answer): [name: string, said: string][] {
  const sure = confidence === null ? "not stated" : `${(confidence * 100).toFixed(1)} %`;
  return [
    ["Answer", output.title ?? output.label],
    ["Where", ranOn === "remote" ? "On a server" : "On this device"],
    ["How sure", `${sure}, ${guaranteed ? "guaranteed" : "not guaranteed"}`],
    ["Why", explanation],
  ];
}

/** What went wrong. The code is stable; the message says what to do. */
export function failure(error: unknown): string {
  return error instanceof SmallFirstError ? `${error.code}: ${error.message}` : String(error);
}
