// A sentence's embedding as transformers.js's own examples make it: on the page, from text.

import { pipeline } from "@huggingface/transformers";
import { local } from "../shared/transformers.js";
import { measure, TEXT } from "./cold.js";

measure(async () => {
  local();
  const extract = await pipeline("feature-extraction", "minilm", { dtype: "q8", device: "wasm" });
  const output = await extract(TEXT, { pooling: "mean", normalize: true });
  return `vector of ${output.dims.join("×")}`;
});
