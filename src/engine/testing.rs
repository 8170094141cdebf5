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
pub(crate) fn apart(onnx: &[u8], file: &str) -> (Vec<u8>, Vec<u8>) {
    use prost::Message;
    use smallfirst_onnx::proto::{ModelProto, StringStringEntryProto};
    let mut model = ModelProto::decode(onnx).unwrap();
    let mut weights = Vec::new();
    for tensor in model
        .graph
        .iter_mut()
        .flat_map(|graph| &mut graph.initializer)
    {
        let floats = std::mem::take(&mut tensor.float_data);
        let mut bytes = std::mem::take(&mut tensor.raw_data).to_vec();
        bytes.extend(floats.into_iter().flat_map(f32::to_le_bytes));
        let entries = [
            ("location", file.to_owned()),
            ("offset", weights.len().to_string()),
            ("length", bytes.len().to_string()),
        ];
        tensor.external_data = entries
            .map(|(key, value)| StringStringEntryProto {
                key: key.into(),
                value,
            })
            .to_vec();
        tensor.data_location = 1;
        weights.extend(bytes);
    }
    (model.encode_to_vec(), weights)
}
