import * as ort from "onnxruntime-web/wasm";
import type { Input } from "../workers/serve.js";

export function tensor({ dims, data }: Input): ort.Tensor {
  if (data instanceof BigInt64Array) return new ort.Tensor("int64", data, dims);
  return data instanceof Int32Array ? new ort.Tensor("int32", data, dims) : new ort.Tensor("float32", data, dims);
}
