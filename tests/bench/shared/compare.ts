import type { Case } from "./cases.js";
import type { Agreement } from "./protocol.js";

/** fp32 models must say what onnxruntime says; quantised ones must mean nearly what the fp32 model means. */
const LIMITS = { exact: { cosine: 0.9999, largest: 1e-3 }, pooled: { cosine: 0.98 } };

/** Compares an output with the reference: the worst item of the batch counts. */
export function compare(of: Case, dims: number[], output: Float32Array, reference: Float32Array): Agreement {
  const { lengths, dims: expected } = of.reference;
  if (dims.length !== expected.length || dims.some((size, axis) => size !== expected[axis]))
    throw new Error(`${of.id}: the output is ${dims.join("×")}, and should be ${expected.join("×")}`);
  const batch = dims[0] ?? 1;
  const each = reference.length / batch;
  let [cosine, largest] = [1, 0];
  for (let item = 0; item < batch; item++) {
    let ours = output.subarray(item * each, (item + 1) * each);
    let theirs = reference.subarray(item * each, (item + 1) * each);
    if (lengths) {
      const width = dims[dims.length - 1] ?? 1;
      const tokens = (lengths[item] ?? 0) * width;
      ours = mean(ours.subarray(0, tokens), width);
      theirs = mean(theirs.subarray(0, tokens), width);
    }
    const [near, far] = difference(ours, theirs);
    // A NaN must not pass for agreement.
    cosine = near >= cosine ? cosine : near;
    largest = far <= largest ? largest : far;
  }
  const ok = lengths
    ? cosine >= LIMITS.pooled.cosine
    : cosine >= LIMITS.exact.cosine && largest <= LIMITS.exact.largest;
  return { cosine, largest, ok };
}

function mean(values: Float32Array, width: number): Float32Array {
  const sum = new Float32Array(width);
  for (let i = 0; i < values.length; i++) sum[i % width]! += (values[i]! * width) / values.length;
  return sum;
}

function difference(a: Float32Array, b: Float32Array): [cosine: number, largest: number] {
  let [dot, aa, bb, largest] = [0, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    dot += x * y;
    aa += x * x;
    bb += y * y;
    const apart = Math.abs(x - y);
    largest = apart <= largest ? largest : apart;
  }
  return [dot / Math.sqrt(aa * bb), largest];
}
