// The bare model in a worker, on ready-made token ids.

import { measure } from "./cold.js";

measure(
  () =>
    new Promise((resolve, reject) => {
      const worker = new Worker("/site/worker-cold-model.js", { type: "module" });
      worker.onmessage = ({ data }: MessageEvent<{ dims: number[] } | { error: string }>) =>
        "error" in data ? reject(new Error(data.error)) : resolve(`output of ${data.dims.join("×")}`);
      worker.onerror = (event) => reject(new Error(event.message || "the worker did not start"));
      worker.postMessage(Object.fromEntries(new URLSearchParams(location.search)));
    }),
);
