//! Products: of floats, of 8-bit weights, and attention.

use proptest::prelude::*;

use super::super::*;
use super::{activation, activations, close, everywhere, noise};

/// A matrix with some layout in a slice that is no longer than it must be.
#[derive(Debug, Clone)]
struct Laid {
    data: Vec<f32>,
    row_stride: usize,
    col_stride: usize,
}

impl Laid {
    fn new(seed: u64, rows: usize, cols: usize, layout: usize) -> Laid {
        let (row_stride, col_stride) = match layout {
            0 => (cols, 1),
            1 => (1, rows),
            2 => (cols + 3, 1),
            3 => (2, 2 * rows + 1),
            _ => (0, 1),
        };
        let data = noise(seed, span(rows, row_stride, cols, col_stride));
        Laid {
            data,
            row_stride,
            col_stride,
        }
    }

    fn matrix(&self) -> Matrix<'_> {
        Matrix {
            data: &self.data,
            row_stride: self.row_stride,
            col_stride: self.col_stride,
        }
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        f64::from(self.data[i * self.row_stride + j * self.col_stride])
    }
}

/// A size, with the remainders that matter, and now and then a long one.
fn size(long: usize) -> impl Strategy<Value = usize> {
    prop_oneof![8 => 1..20_usize, 2 => 20..70_usize, 1 => long..long + 9]
}

#[derive(Debug, Clone)]
struct Case {
    m: usize,
    n: usize,
    k: usize,
    a: Laid,
    b: Laid,
    gap: usize,
    scale: f32,
    bias: Option<Vec<f32>>,
    residual: Option<Vec<f32>>,
    activation: Activation,
}

impl Case {
    fn epilogue(&self) -> Epilogue<'_> {
        Epilogue {
            scale: self.scale,
            bias: self.bias.as_deref(),
            residual: self.residual.as_deref(),
            activation: self.activation,
        }
    }

    /// The result if the product's element were `product(i, j)`.
    fn expected(&self, product: impl Fn(usize, usize) -> f64) -> Vec<f64> {
        let stride = self.n + self.gap;
        let mut c = vec![9.0; span(self.m, stride, self.n, 1)];
        for i in 0..self.m {
            for j in 0..self.n {
                let mut x = product(i, j) * f64::from(self.scale);
                x += self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[j]));
                x += self
                    .residual
                    .as_ref()
                    .map_or(0.0, |r| f64::from(r[i * stride + j]));
                c[i * stride + j] = activation(self.activation, x);
            }
        }
        c
    }

    fn blank(&self) -> Vec<f32> {
        vec![9.0; span(self.m, self.n + self.gap, self.n, 1)]
    }
}

fn case() -> impl Strategy<Value = Case> {
    let sizes = (size(130), size(60), size(900));
    let layouts = (0..5_usize, 0..5_usize, 0..3_usize);
    let epilogue = (
        any::<bool>(),
        any::<bool>(),
        prop::sample::select(activations()),
        any::<u64>(),
    );
    (sizes, layouts, epilogue).prop_map(
        |((m, n, k), (a, b, gap), (bias, residual, activation, seed))| Case {
            m,
            n,
            k,
            a: Laid::new(seed, m, k, a),
            b: Laid::new(seed ^ 1, k, n, b),
            gap,
            scale: if bias { 0.25 } else { 1.0 },
            bias: bias.then(|| noise(seed ^ 2, n)),
            residual: residual.then(|| noise(seed ^ 3, span(m, n + gap, n, 1))),
            activation,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn floats(case in case()) {
        let Case { m, n, k, .. } = case;
        let want = case.expected(|i, j| (0..k).map(|l| case.a.at(i, l) * case.b.at(l, j)).sum());
        everywhere(|| {
            let mut scratch = Vec::new();
            let mut packed = vec![f32::NAN; packed_len(k, n)];
            pack_b(k, n, &case.b.matrix(), &mut packed);
            let mut c = case.blank();
            gemm(m, n, k, &case.a.matrix(), &packed, &mut c, n + case.gap, &case.epilogue(), &mut scratch);
            // Sums of k numbers of up to 4, in some order.
            close(&c, &want, 4e-7 * (k as f64 + 8.0));
            let mut again = case.blank();
            let (a, b) = (case.a.matrix(), case.b.matrix());
            gemm_dynamic(m, n, k, &a, &b, &mut again, n + case.gap, &case.epilogue(), &mut scratch);
            assert_eq!(c, again);
        });
    }

    #[test]
    fn bytes(case in case()) {
        let Case { m, n, k, .. } = case;
        let mut packed = vec![1; packed_len_i8(k, n)];
        let (mut scales, mut sums) = (vec![0.0; n], vec![0; n]);
        quantise_weights(k, n, &case.b.matrix(), &mut packed, &mut scales, &mut sums);
        let weight = |l: usize, j: usize| packed[((j / 8 * k.div_ceil(4) + l / 4) * 8 + j % 8) * 4 + l % 4];
        for j in 0..n {
            prop_assert_eq!((0..k).map(|l| i32::from(weight(l, j))).sum::<i32>(), sums[j]);
            for l in 0..k {
                let error = f64::from(weight(l, j)) * f64::from(scales[j]) - case.b.at(l, j);
                prop_assert!(error.abs() <= 0.501 * f64::from(scales[j]));
            }
        }
        // What the rows are quantised to, from the definition.
        let rows: Vec<(f64, Vec<f64>)> = (0..m).map(|i| {
            let row: Vec<f32> = (0..k).map(|l| case.a.at(i, l) as f32).collect();
            let (low, high) = row.iter().fold((0.0_f32, 0.0_f32), |(l, h), &x| (l.min(x), h.max(x)));
            let size = (high - low) / 127.0;
            let inverse = if size > 0.0 { 1.0 / size } else { 0.0 };
            let zero = (-low * inverse).round_ties_even();
            let q = |x: f32| ((x * inverse).round_ties_even() + zero).clamp(0.0, 127.0) - zero;
            (f64::from(size), row.into_iter().map(|x| f64::from(q(x))).collect())
        }).collect();
        let want = case.expected(|i, j| {
            let sum: f64 = (0..k).map(|l| rows[i].1[l] * f64::from(weight(l, j))).sum();
            sum * rows[i].0 * f64::from(scales[j])
        });
        everywhere(|| {
            let mut c = case.blank();
            let a = case.a.matrix();
            let mut scratch = Vec::new();
            gemm_i8(
                m, n, k, &a, &packed, &scales, &sums, &mut c, n + case.gap, &case.epilogue(), &mut scratch,
            );
            close(&c, &want, 1e-5);
        });
    }

    #[test]
    fn heads(
        (queries, keys, dim, value_dim) in (size(250), size(600), size(60), size(60)),
        (q, k, v) in (0..5_usize, 0..5_usize, 0..5_usize),
        mask: bool, gap in 0..3_usize, seed: u64,
    ) {
        let (q, k) = (Laid::new(seed, queries, dim, q), Laid::new(seed ^ 1, keys, dim, k));
        let v = Laid::new(seed ^ 2, keys, value_dim, v);
        let mut mask = mask.then(|| noise(seed ^ 3, keys));
        if let Some(mask) = &mut mask {
            mask[1..].iter_mut().step_by(3).for_each(|x| *x = f32::NEG_INFINITY);
        }
        let stride = value_dim + gap;
        let mut want = vec![9.0; span(queries, stride, value_dim, 1)];
        for i in 0..queries {
            let scores: Vec<f64> = (0..keys).map(|j| {
                let product: f64 = (0..dim).map(|l| q.at(i, l) * k.at(j, l)).sum();
                (0.3 * product + mask.as_ref().map_or(0.0, |mask| f64::from(mask[j]))).exp()
            }).collect();
            let sum: f64 = scores.iter().sum();
            for j in 0..value_dim {
                want[i * stride + j] = scores.iter().enumerate().map(|(l, s)| s / sum * v.at(l, j)).sum();
            }
        }
        everywhere(|| {
            let mut out = vec![9.0; want.len()];
            attention(
                queries, keys, dim, value_dim, &q.matrix(), &k.matrix(), &v.matrix(), 0.3,
                mask.as_deref(), &mut out, stride, &mut Vec::new(),
            );
            close(&out, &want, 1e-4);
        });
    }
}

#[test]
fn nothing_and_not_a_number() {
    everywhere(|| {
        let (mut scratch, mut bytes) = (Vec::new(), Vec::new());
        let epilogue = Epilogue {
            bias: Some(&[1.0, -1.0]),
            activation: Activation::Relu,
            ..Epilogue::default()
        };
        let empty = Matrix {
            data: &[],
            row_stride: 0,
            col_stride: 1,
        };
        let mut c = [9.0; 4];
        gemm(2, 2, 0, &empty, &[], &mut c, 2, &epilogue, &mut scratch);
        assert_eq!(c, [1.0, 0.0, 1.0, 0.0]);
        gemm_i8(
            2,
            2,
            0,
            &empty,
            &[],
            &[0.0; 2],
            &[0; 2],
            &mut c,
            2,
            &epilogue,
            &mut bytes,
        );
        assert_eq!(c, [1.0, 0.0, 1.0, 0.0]);
        gemm(0, 2, 0, &empty, &[], &mut c, 2, &epilogue, &mut scratch);
        gemm(
            2,
            0,
            0,
            &empty,
            &[],
            &mut c,
            2,
            &Epilogue::default(),
            &mut scratch,
        );
        attention(
            2,
            0,
            1,
            2,
            &Matrix {
                data: &[1.0; 2],
                ..empty
            },
            &empty,
            &empty,
            1.0,
            None,
            &mut c,
            2,
            &mut scratch,
        );
        assert_eq!(c, [0.0; 4]);

        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut data = noise(1, 9 * 9);
            data[40] = bad;
            let a = Matrix {
                data: &data,
                row_stride: 9,
                col_stride: 1,
            };
            let good = noise(2, 81);
            let b = Matrix { data: &good, ..a };
            let mut c = [0.0; 81];
            gemm_dynamic(
                9,
                9,
                9,
                &a,
                &b,
                &mut c,
                9,
                &Epilogue::default(),
                &mut scratch,
            );
            for (i, row) in c.chunks(9).enumerate() {
                assert_eq!(row.iter().all(|x| x.is_finite()), i != 4);
            }
            let mut packed = [0; 2 * 3 * 32];
            let (mut scales, mut sums) = ([0.0; 9], [0; 9]);
            for weights in [&a, &b] {
                quantise_weights(9, 9, weights, &mut packed, &mut scales, &mut sums);
                gemm_i8(
                    9,
                    9,
                    9,
                    &a,
                    &packed,
                    &scales,
                    &sums,
                    &mut c,
                    9,
                    &Epilogue::default(),
                    &mut bytes,
                );
            }
            attention(9, 9, 9, 9, &a, &b, &b, 1.0, None, &mut c, 9, &mut scratch);
        }
    });
}

#[test]
#[should_panic(expected = "longer than its slice")]
fn too_short() {
    let a = Matrix {
        data: &[0.0; 5],
        row_stride: 3,
        col_stride: 1,
    };
    gemm(
        2,
        1,
        3,
        &a,
        &[0.0; 24],
        &mut [0.0; 2],
        1,
        &Epilogue::default(),
        &mut Vec::new(),
    );
}

#[test]
#[should_panic(expected = "shorter than a row")]
fn short_bias() {
    let a = Matrix {
        data: &[0.0; 3],
        row_stride: 3,
        col_stride: 1,
    };
    let epilogue = Epilogue {
        bias: Some(&[0.0]),
        ..Epilogue::default()
    };
    gemm(
        1,
        2,
        3,
        &a,
        &[0.0; 24],
        &mut [0.0; 2],
        2,
        &epilogue,
        &mut Vec::new(),
    );
}

/// 8-bit weights are widened to where their floats would have been packed.
#[test]
fn widened_panels() {
    for (k, n) in [(1, 8), (5, 16), (449, 24), (1000, 8)] {
        let whole: Vec<i8> = noise(3, k * n).iter().map(|x| (x * 60.0) as i8).collect();
        let scales = noise(4, n);
        let at = |i: usize, j: usize| f32::from(whole[i * n + j]) * scales[j];
        let floats: Vec<f32> = (0..k * n).map(|place| at(place / n, place % n)).collect();
        let mut expected = vec![0.0; packed_len(k, n)];
        let b = Matrix {
            data: &floats,
            row_stride: n,
            col_stride: 1,
        };
        pack_b(k, n, &b, &mut expected);
        let panels: Vec<i8> = (0..n / NR)
            .flat_map(|panel| (0..k * NR).map(move |at| (at / NR, panel * NR + at % NR)))
            .map(|(i, j)| whole[i * n + j])
            .collect();
        let mut found = vec![9.0; expected.len()];
        widen_panels(k, &panels, &scales, &mut found);
        assert_eq!(found, expected);
    }
}
