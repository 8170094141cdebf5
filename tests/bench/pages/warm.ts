// Passes what the driver asks on to the contender's worker, one question at a time.

import type { Ask, Reply } from "../shared/protocol.js";

declare global {
  interface Window {
    ask: (ask: Ask) => Promise<Reply>;
  }
}

const name = new URLSearchParams(location.search).get("contender");
const worker = new Worker(`/site/worker-${name}.js`, { type: "module" });

window.ask = (ask) =>
  new Promise((resolve) => {
    worker.onmessage = ({ data }: MessageEvent<Reply>) => resolve(data);
    worker.onerror = (event) => resolve({ error: event.message || "the worker did not start" });
    worker.postMessage(ask);
  });
