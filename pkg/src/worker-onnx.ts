// The module worker with the engine for any ONNX model.

import { serve } from "./serve.js";
import init, { Runtime } from "./wasm/onnx.js";

serve("onnx", {
  init,
  Runtime,
  baseline: new URL("./wasm/onnx.wasm", import.meta.url),
  relaxed: new URL("./wasm/onnx-relaxed.wasm", import.meta.url),
});
