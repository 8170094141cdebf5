import "../shared/memory.js";
import type { Bindings } from "../shared/smallfirst.js";
import { bytes, serve } from "./serve.js";

let bindings: Bindings;

serve({
  async start({ smallfirst }) {
    if (!smallfirst) throw new Error("the addresses of smallfirst's module were not given");
    bindings = (await import(smallfirst.bindings)) as Bindings;
    await bindings.default({ module_or_path: smallfirst.wasm });
  },
  async load(model) {
    const file = model.prepared ?? model.file;
    const loaded = bindings.Model.load(file.split("/").pop()!, new Uint8Array(await bytes(`/files/${file}`)));
    return {
      run(inputs) {
        const [output] = loaded.run(inputs);
        if (!output) throw new Error("no output");
        return { dims: [...output.dims], data: output.data };
      },
      close: () => loaded.free(),
    };
  },
});
