// The part of wasm-feature-detect (Apache-2.0, GoogleChromeLabs) that is used. The module itself is put in dist/vendor/,
// so that the package needs no bundler to find it.

export function simd(): Promise<boolean>;
export function relaxedSimd(): Promise<boolean>;
