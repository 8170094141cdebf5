import { env } from "@huggingface/transformers";

/** Has transformers.js take models and its runtime from this server; it picks the same files as from its CDN. */
export function local(): void {
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = "/files/";
  const wasm = env.backends.onnx.wasm;
  if (!wasm) throw new Error("transformers.js has no WebAssembly backend here");
  wasm.numThreads = 1;
  const paths = wasm.wasmPaths as { mjs: string; wasm: string };
  const here = (address: string): string => new URL(`/transformers-ort/${address.split("/").pop()}`, location.origin).href;
  wasm.wasmPaths = { mjs: here(paths.mjs), wasm: here(paths.wasm) };
}
