// The same class, of the module that runs ONNX models, too.

export { Engine, default } from "./lean.js";
