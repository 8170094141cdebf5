//! Small ONNX models for tests.

/// ONNX bytes of `y = x W + b`: `x` is `f32 [1, rows]`, `weights` has one row an input, `y` is
/// `f32 [1, columns]`.
pub(crate) fn linear(weights: &[Vec<f32>], bias: &[f32]) -> Vec<u8> {
    super::export::linear(&weights.concat(), bias)
}
