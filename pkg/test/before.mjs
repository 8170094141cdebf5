// Empties the folder that the tests are compiled to, and puts there what the sources import of others.

import { cpSync, rmSync } from "node:fs";

rmSync("test/dist", { recursive: true, force: true });
cpSync("node_modules/wasm-feature-detect/dist/esm/index.js", "test/dist/src/vendor/wasm-feature-detect.js");
