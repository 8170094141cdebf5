import type { Attempt, EngineCode } from "./types.js";

/**
 * Every code an error can have: those of the engine, and
 * `disposed` (the instance was disposed of),
 * `worker_failed` (the worker could not start, died or was ended; the next call of an instance starts a fresh one),
 * `no_wasm_simd` (this browser has no WebAssembly, or none with SIMD).
 */
export type ErrorCode = EngineCode | "disposed" | "worker_failed" | "no_wasm_simd";

/** What every call of this package rejects with, except where it was aborted (then it is the signal's reason). */
export class SmallFirstError extends Error {
  /** What went wrong, for programs. Stable; the message is for people and is not. */
  readonly code: ErrorCode;
  /** Everything that was tried for the call, in order. Empty where nothing was. */
  readonly attempts: Attempt[];

  constructor(code: ErrorCode, message: string, attempts: Attempt[] = []) {
    super(message);
    this.name = "SmallFirstError";
    this.code = code;
    this.attempts = attempts;
  }
}

/** An error as it crosses between threads: structured cloning would lose `code` and `attempts`. */
export interface WireError {
  code: ErrorCode;
  message: string;
  attempts: Attempt[];
}

/** Prepares anything thrown for the crossing. What has no code of ours is `internal`. */
export function toWire(thrown: unknown): WireError {
  if (thrown instanceof Error && "code" in thrown && typeof thrown.code === "string") {
    const attempts = "attempts" in thrown && Array.isArray(thrown.attempts) ? (thrown.attempts as Attempt[]) : [];
    return { code: thrown.code as ErrorCode, message: thrown.message, attempts };
  }
  return { code: "internal", message: describe(thrown), attempts: [] };
}

/** The error at the other side of the crossing. */
export function fromWire(error: WireError): SmallFirstError {
  return new SmallFirstError(error.code, error.message, error.attempts);
}

/** What a thrown value says of itself. */
export function describe(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message || thrown.name;
  try {
    return String(thrown);
  } catch {
    return "something that cannot be shown was thrown";
  }
}
