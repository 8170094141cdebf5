import "../shared/memory.js";
import * as ort from "onnxruntime-web/wasm";
import { tensor } from "../shared/onnxruntime.js";
import { bytes, serve } from "./serve.js";

serve({
  async start() {
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = { wasm: "/ort/ort-wasm-simd-threaded.wasm" };
  },
  async load(model) {
    const session = await ort.InferenceSession.create(new Uint8Array(await bytes(`/files/${model.file}`)), {
      executionProviders: ["wasm"],
    });
    return {
      async run(inputs) {
        const outputs = await session.run(Object.fromEntries(inputs.map((input) => [input.name, tensor(input)])));
        const { dims, data } = outputs[session.outputNames[0]!]!;
        return { dims: [...dims], data: data as Float32Array };
      },
      close: () => session.release(),
    };
  },
});
