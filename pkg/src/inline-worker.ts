// The module worker of `smallfirst/inline`: its WebAssembly comes with it, compressed.

import { serve } from "./serve.js";
// Beside the bundler that makes one file of it, the type checker reads it, too.
import packed from "./wasm/prepared.wasm.gz";
import init, { Runtime } from "./wasm/prepared.js";

/** Nothing is fetched from there. */
const nowhere = new URL("https://smallfirst.invalid/prepared.wasm");

async function unpacked(): Promise<WebAssembly.Module> {
  const bytes = new Blob([packed as BlobPart]).stream().pipeThrough(new DecompressionStream("gzip"));
  return WebAssembly.compile(await new Response(bytes).arrayBuffer());
}

serve("prepared", { init, Runtime, baseline: nowhere, relaxed: nowhere }, { module: unpacked });
