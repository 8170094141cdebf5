// What the bundler puts into `smallfirst/inline`.

declare module "*.wasm.gz" {
  const bytes: Uint8Array;
  export default bytes;
}

declare module "*.js.txt" {
  const text: string;
  export default text;
}
