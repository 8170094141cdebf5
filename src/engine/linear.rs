//! A linear model as a prepared file, as it would be prepared from ONNX.

use super::dim::Dim;
use super::kernels::{self, Activation};
use super::op::{Epilogue, MatMul, Op, Right};
use super::program::{InputSpec, Program, Step, WeightKind};
use super::tensor::Element;

/// The file of `x weights + bias`, with `x` of one row and `weights` of `[features, numbers]`, where `bias` has as many numbers.
#[must_use]
pub fn linear(weights: &[f32], bias: &[f32]) -> Vec<u8> {
    let n = bias.len();
    let k = weights.len().checked_div(n).unwrap_or(0);
    let mut packed = vec![0.0; kernels::packed_len(k, n)];
    let rows = kernels::Matrix {
        data: weights,
        row_stride: n,
        col_stride: 1,
    };
    kernels::pack_b(k, n, &rows, &mut packed);
    let mut program = Program {
        inputs: vec![InputSpec {
            name: "x".into(),
            element: Element::F32,
            dims: vec![Dim::Number(1), Dim::Number(k as i64)],
        }],
        output: 1,
        ..Program::default()
    };
    let mut blob = Vec::new();
    let bytes = |numbers: &[f32]| -> Vec<u8> {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
        bytes.collect()
    };
    let shape = vec![packed.len()];
    let of_weights = program.add_weight(&mut blob, WeightKind::F32, shape, bytes(&packed));
    let of_bias = program.add_weight(&mut blob, WeightKind::F32, vec![n], bytes(bias));
    program.steps.push(Step {
        op: Op::MatMul(MatMul {
            left: "mk".into(),
            right: Right::Packed { k, n: vec![n] },
            result: "m".into(),
            scale: 1.0,
            epilogue: Epilogue {
                bias: true,
                residual: false,
                activation: Activation::None,
            },
        }),
        of: vec![0, of_weights, of_bias],
    });
    program.to_file(&blob)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Model, Shape, Tensor};
    use crate::testing::Random;

    #[test]
    fn a_linear_model_gives_its_product() {
        let mut random = Random::new(8);
        // Also longer than a piece of a packed weight.
        for (k, n) in [(1, 2), (192, 3), (5, 19), (1000, 2)] {
            let mut some = |len: usize| -> Vec<f32> {
                (0..len).map(|_| random.uniform() as f32 - 0.5).collect()
            };
            let (weights, bias, x) = (some(k * n), some(n), some(k));
            let shape = Shape::Row(k);
            let model = Model::load("head", linear(&weights, &bias), Element::F32, shape).unwrap();
            assert!(model.is_prepared());
            let given = model.run(Tensor::F32(x.clone())).unwrap();
            for (class, given) in given.iter().enumerate() {
                let wanted = (0..k)
                    .map(|at| x[at] * weights[at * n + class])
                    .sum::<f32>();
                assert!((wanted + bias[class] - given).abs() < 1e-4);
            }
            assert_eq!(given.len(), n);
        }
    }
}
