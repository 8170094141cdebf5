// A WebAssembly file, as Cloudflare's tools import it.

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
