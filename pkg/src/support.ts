// What the browser can do.

import { SmallFirstError } from "./errors.js";
import { relaxedSimd, simd } from "./vendor/wasm-feature-detect.js";

/** Throws `no_wasm_simd` where the engine cannot run, before anything is downloaded. */
export async function requireSimd(): Promise<void> {
  if (typeof WebAssembly !== "object") {
    const why = "this browser runs no WebAssembly";
    throw new SmallFirstError(
      "no_wasm_simd",
      `${why}: it is switched off (some browsers' lockdown modes do), or the browser needs an update`,
    );
  }
  if (await simd()) return;
  const why = "this browser's WebAssembly has no SIMD, which the models need";
  throw new SmallFirstError(
    "no_wasm_simd",
    `${why}: update the browser (Chrome 100, Firefox 114, Safari 16.4 or newer)`,
  );
}

/** Whether the faster of the engine's modules runs here. */
export function hasRelaxedSimd(): Promise<boolean> {
  return relaxedSimd();
}
