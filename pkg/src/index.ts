export type {
  AnyTasks,
  BatchItem,
  BeforeRemote,
  DriftOptions,
  GenerateOptions,
  Input,
  Options,
  PreloadOptions,
  Privacy,
  RemoteFunction,
  RemoteOptions,
  RemoteReply,
  RemoteRequest,
  RunOptions,
  Samples,
  SmallFirst,
  TaskTypes,
  SoundStream,
  StreamOptions,
  TableRow,
  TextAnswer,
  TextStream,
} from "./api.js";
export { type ErrorCode, SmallFirstError } from "./errors.js";
export type { AnswerEvent, CallName, Events, FailureEvent } from "./events.js";
export type { AsFetchOptions } from "./as-fetch.js";
export type { CertifiedOptions } from "./certified.js";
export type { IndexOptions, IndexRow, SearchIndex, SearchOptions, SignalOptions } from "./search.js";
export { createSmallFirst } from "./smallfirst.js";
export type { Example, Trained, TrainOptions } from "./train.js";
export type * from "./types.js";
