// The module worker with the engine for prepared models.

import { serve } from "./serve.js";
// Not `import()`: bundlers whose workers are one script (Vite by default) cannot split it off.
import init, { Engine } from "./wasm/lean.js";

// Literal addresses, so that bundlers find the modules.
serve("lean", {
  init,
  Engine,
  baseline: new URL("./wasm/lean.wasm", import.meta.url),
  relaxed: new URL("./wasm/lean-relaxed.wasm", import.meta.url),
});
