import "../shared/memory.js";
import { AutoModel, Tensor } from "@huggingface/transformers";
import { local } from "../shared/transformers.js";
import { serve } from "./serve.js";

serve({
  async start() {
    local();
  },
  async load(of) {
    if (!of.transformers) throw new Error("transformers.js has no class for this model");
    const model = await AutoModel.from_pretrained(of.transformers, { dtype: of.kind === "int8" ? "q8" : "fp32", device: "wasm" });
    return {
      async run(inputs) {
        const given = inputs.map(({ name, dims, data }) => [name, new Tensor("int64", data as BigInt64Array, dims)]);
        const { last_hidden_state } = (await model(Object.fromEntries(given))) as { last_hidden_state: Tensor };
        return { dims: last_hidden_state.dims, data: last_hidden_state.data as Float32Array };
      },
      async close() {
        await model.dispose();
      },
    };
  },
});
