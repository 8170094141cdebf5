//! Which of a folder's weights: exporters write the same model several times, in numbers of several widths.

use serde::{Deserialize, Serialize};

/// The numbers that weights are kept in, as transformers.js names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit floats.
    Fp32,
    /// 16-bit floats.
    Fp16,
    /// 8 bits, as the exporter chose them.
    Q8,
    /// Signed 8-bit integers.
    Int8,
    /// Unsigned 8-bit integers.
    Uint8,
    /// 4 bits in blocks.
    Q4,
    /// 4 bits in blocks, all else 16-bit floats.
    Q4f16,
    /// 4 bits as bitsandbytes writes them.
    Bnb4,
}

impl Dtype {
    /// What the file's name has behind `model`.
    fn suffix(self) -> &'static str {
        match self {
            Dtype::Fp32 => "",
            Dtype::Fp16 => "_fp16",
            Dtype::Q8 => "_quantized",
            Dtype::Int8 => "_int8",
            Dtype::Uint8 => "_uint8",
            Dtype::Q4 => "_q4",
            Dtype::Q4f16 => "_q4f16",
            Dtype::Bnb4 => "_bnb4",
        }
    }

    /// Where they may be in a folder: those that are asked for, or all, the best choice for a page first.
    pub fn paths(wanted: Option<Dtype>) -> Vec<String> {
        const USUAL: [Dtype; 7] = [
            Dtype::Q8,
            Dtype::Int8,
            Dtype::Uint8,
            Dtype::Q4,
            Dtype::Fp16,
            Dtype::Fp32,
            Dtype::Q4f16,
        ];
        let one = wanted.map(|dtype| [dtype]);
        let dtypes = one.as_ref().map_or(&USUAL[..], |one| &one[..]);
        let names = |folder: &'static str| {
            dtypes
                .iter()
                .map(move |dtype| format!("{folder}model{}.onnx", dtype.suffix()))
        };
        names("onnx/").chain(names("")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bits_are_looked_for_first_and_what_is_asked_for_alone() {
        let all = Dtype::paths(None);
        assert_eq!(all[0], "onnx/model_quantized.onnx");
        assert!(all.contains(&"model.onnx".to_owned()));
        let asked = Dtype::paths(Some(Dtype::Fp32));
        assert_eq!(asked, ["onnx/model.onnx", "model.onnx"]);
    }
}
