// The same models on onnxruntime-web, as its own examples run it: on the page, from ready-made features.

import * as ort from "onnxruntime-web/wasm";
import { tensor } from "../shared/onnxruntime.js";
import type { Input } from "../workers/serve.js";
import { measure, wanted } from "./cold.js";
import { encoder, vector, minilm, ngrams, windows } from "./inputs.js";

ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = { wasm: "/ort/ort-wasm-simd-threaded.wasm" };

async function run(file: string, inputs: Input[]): Promise<ort.Tensor> {
  const session = await ort.InferenceSession.create(`/files/${file}`, { executionProviders: ["wasm"] });
  const outputs = await session.run(Object.fromEntries(inputs.map((input) => [input.name, tensor(input)])));
  return outputs[session.outputNames[0]!]!;
}

async function sentiment(): Promise<ort.Tensor> {
  const vector = await run("static-text.onnx", encoder());
  const head = await run("sentiment-head.onnx", [{ name: "x", dims: [1, 192], data: vector.data as Float32Array }]);
  const addend = await run("sentiment-ngrams.onnx", ngrams());
  const logits = (head.data as Float32Array).map((logit, label) => logit + (addend.data as Float32Array)[label]!);
  return new ort.Tensor("float32", logits, [1, logits.length]);
}

const WORK: Record<string, () => Promise<ort.Tensor>> = {
  language: () => run("language.onnx", vector()),
  "file-type": () => run("magika.onnx", windows()),
  sentiment,
  minilm: () => run("minilm/onnx/model_quantized.onnx", minilm()),
};

measure(async () => `output of ${(await WORK[wanted]!()).dims.join("×")}`);
