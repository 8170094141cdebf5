import "../shared/memory.js";
import type { Bindings } from "../shared/smallfirst.js";
import { bytes, serve } from "./serve.js";

let bindings: Bindings;

serve({
  async start({ smallfirst }) {
    if (!smallfirst) throw new Error("the address of smallfirst's bindings was not given");
    bindings = (await import(smallfirst)) as Bindings;
    await bindings.default({});
    if (!bindings.Model) throw new Error("this build of smallfirst has no class `Model`");
  },
  async load(model) {
    const file = model.prepared ?? model.file;
    const loaded = bindings.Model!.load(file.split("/").pop()!, new Uint8Array(await bytes(`/files/${file}`)));
    return {
      run(inputs) {
        const [output] = loaded.run(inputs);
        if (!output) throw new Error("no output");
        return output;
      },
      close: () => loaded.free(),
    };
  },
});
