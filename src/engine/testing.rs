//! Small ONNX models for tests.

/// ONNX bytes of a table's rows: `x` is `i64 [1, n]`, row numbers; `y` is `f32 [1, n, columns]`.
pub(crate) fn rows(table: &[Vec<f32>]) -> Vec<u8> {
    let columns = table.first().map_or(0, Vec::len);
    super::onnx::writer::rows(&table.concat(), columns)
}

/// ONNX bytes of `y = x W + b`: `x` is `f32 [1, rows]`, `weights` has one row an input, `y` is
/// `f32 [1, columns]`.
pub(crate) fn linear(weights: &[Vec<f32>], bias: &[f32]) -> Vec<u8> {
    super::onnx::writer::linear(&weights.concat(), bias)
}

/// A model apart from its weights, and the file `file` beside it that they are in.
pub(crate) use super::onnx::external::apart;
