import { SmallFirstError } from "./errors.js";

// A module with one function that makes a v128 constant: valid only where there is SIMD.
// prettier-ignore
const SIMD_MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, // magic, version 1
  1, 5, 1, 96, 0, 1, 123, // type: () -> v128
  3, 2, 1, 0, // one function of it
  10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11, // i32.const 0; i8x16.splat; i8x16.popcnt
]);

/** Throws `no_wasm_simd` where the engine cannot run, before anything is downloaded. */
export function requireSimd(): void {
  if (typeof WebAssembly === "object" && WebAssembly.validate(SIMD_MODULE)) return;
  throw new SmallFirstError("no_wasm_simd", "this browser has no WebAssembly with SIMD, which the models need");
}
