export type { BatchItem, Input, Options, PrepareOptions, RemoteOptions, RunOptions, SmallFirst } from "./api.js";
export { type ErrorCode, SmallFirstError } from "./errors.js";
export { createSmallFirst } from "./smallfirst.js";
export type * from "./types.js";
