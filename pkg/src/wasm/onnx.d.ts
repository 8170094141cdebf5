// The same class, of the module that runs ONNX models, too.

export { Runtime, default } from "./prepared.js";
