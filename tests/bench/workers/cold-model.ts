import { minilm } from "../pages/inputs.js";
import type { Bindings } from "../shared/smallfirst.js";

addEventListener("message", ({ data }: MessageEvent<{ bindings: string; file: string }>) => {
  answer(data.bindings, data.file).then(
    (dims) => postMessage({ dims }),
    (thrown: unknown) => postMessage({ error: String(thrown) }),
  );
});

async function answer(address: string, file: string): Promise<number[]> {
  const fetched = fetch(`/files/${file}`).then((response) => response.arrayBuffer());
  const bindings = (await import(address)) as Bindings;
  await bindings.default({});
  if (!bindings.Model) throw new Error("this build of smallfirst has no class `Model`");
  const model = bindings.Model.load(file.split("/").pop()!, new Uint8Array(await fetched));
  return [...model.run(minilm())[0]!.dims];
}
