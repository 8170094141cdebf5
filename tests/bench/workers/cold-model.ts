import { minilm } from "../pages/inputs.js";
import type { Bindings } from "../shared/smallfirst.js";

interface Wanted {
  bindings: string;
  wasm: string;
  file: string;
}

addEventListener("message", ({ data }: MessageEvent<Wanted>) => {
  answer(data).then(
    (dims) => postMessage({ dims }),
    (thrown: unknown) => postMessage({ error: String(thrown) }),
  );
});

async function answer({ bindings, wasm, file }: Wanted): Promise<number[]> {
  const fetched = fetch(`/files/${file}`).then((response) => response.arrayBuffer());
  const { default: init, Model } = (await import(bindings)) as Bindings;
  await init({ module_or_path: wasm });
  const model = Model.load(file, new Uint8Array(await fetched));
  return [...model.run(minilm())[0]!.dims];
}
