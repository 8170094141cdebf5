// The module worker with the engine for prepared models.

import { serve } from "./serve.js";
// Not `import()`: bundlers whose workers are one script (Vite by default) cannot split it off.
import init, { Runtime } from "./wasm/prepared.js";

// Literal addresses, so that bundlers find the modules.
serve("prepared", {
  init,
  Runtime,
  baseline: new URL("./wasm/prepared.wasm", import.meta.url),
  relaxed: new URL("./wasm/prepared-relaxed.wasm", import.meta.url),
});
