// What tests/bench/models/models.py writes into cases.json.

/** A raw tensor in a file, little-endian. */
export interface TensorFile {
  name: string;
  dims: number[];
  type: "int64" | "int32" | "float32";
  /** Relative to files/. */
  file: string;
}

/** One input for one model, and what onnxruntime says to it natively. */
export interface Case {
  id: string;
  model: string;
  title: string;
  inputs: TensorFile[];
  /** False: only checked. */
  timed: boolean;
  /**
   * `lengths`: the model is quantised, so means over the tokens are compared with those of the fp32 model; how many
   * tokens of each item are no padding.
   */
  reference: { dims: number[]; file: string; lengths: number[] | null };
  flops: number;
}

export interface Model {
  id: string;
  title: string;
  /** The ONNX file, relative to files/. */
  file: string;
  kind: "fp32" | "int8";
  about: string;
  /** Its folder for transformers.js, where that can load it. */
  transformers: string | null;
  bytes: number;
  /** The file made of it by `smallfirst prepare`, relative to files/; absent while that does not exist. */
  prepared?: string;
  /** What that was made of, in words. */
  preparedFrom?: string;
}

export interface Cases {
  models: Model[];
  cases: Case[];
}
