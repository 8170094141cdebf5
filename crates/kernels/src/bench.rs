//! The kernels on the shapes of real models, and what the machine can do at most.
//!
//! Run by `cargo xtask bench`, natively and in the browser; the caller measures the time.

use super::lanes::{Dot, Kernel, dispatch};
use super::*;

/// One benchmark.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it computes; sizes are `m.k.n`.
    pub name: &'static str,
    /// Operations of one call: a product and a sum are two.
    pub flops: f64,
}

#[derive(Clone, Copy)]
enum What {
    /// The peak of fused products of floats.
    PeakFloats,
    /// The peak of dot products of bytes.
    PeakBytes,
    Floats([usize; 3], Activation),
    Bytes([usize; 3], Activation),
    /// Tokens, heads, numbers a head.
    Attention([usize; 3]),
    /// Rows, columns.
    LayerNorm([usize; 2]),
    Softmax([usize; 2]),
    Activate(usize, Activation),
    /// Side, channels, stride.
    Depthwise([usize; 3]),
    /// Side, channels, stride.
    Patches([usize; 3]),
}

use What::*;

/// Rounds of a peak loop.
const ROUNDS: usize = 1000;
const RELU6: Activation = Activation::Clamp(0.0, 6.0);

#[rustfmt::skip]
const CASES: &[(&str, What)] = &[
    ("peak f32", PeakFloats),
    ("peak i8", PeakBytes),
    ("f32 128.384.1152", Floats([128, 384, 1152], Activation::None)),
    ("f32 128.384.384", Floats([128, 384, 384], Activation::None)),
    ("f32 128.384.1536 gelu", Floats([128, 384, 1536], Activation::Gelu)),
    ("f32 128.384.1536", Floats([128, 384, 1536], Activation::None)),
    ("f32 128.1536.384", Floats([128, 1536, 384], Activation::None)),
    ("f32 16.384.1152", Floats([16, 384, 1152], Activation::None)),
    ("f32 16.384.384", Floats([16, 384, 384], Activation::None)),
    ("f32 16.384.1536 gelu", Floats([16, 384, 1536], Activation::Gelu)),
    ("f32 16.1536.384", Floats([16, 1536, 384], Activation::None)),
    ("f32 1.384.1536", Floats([1, 384, 1536], Activation::None)),
    ("i8 128.384.1152", Bytes([128, 384, 1152], Activation::None)),
    ("i8 128.384.384", Bytes([128, 384, 384], Activation::None)),
    ("i8 128.384.1536 gelu", Bytes([128, 384, 1536], Activation::Gelu)),
    ("i8 128.1536.384", Bytes([128, 1536, 384], Activation::None)),
    ("i8 16.384.1536 gelu", Bytes([16, 384, 1536], Activation::Gelu)),
    ("i8 16.1536.384", Bytes([16, 1536, 384], Activation::None)),
    ("i8 1.384.1536", Bytes([1, 384, 1536], Activation::None)),
    ("attention 128 tokens", Attention([128, 12, 32])),
    ("attention 16 tokens", Attention([16, 12, 32])),
    ("layer norm 128.384", LayerNorm([128, 384])),
    ("softmax 1536.128", Softmax([1536, 128])),
    ("gelu 4096", Activate(4096, Activation::Gelu)),
    ("silu 4096", Activate(4096, Activation::Silu)),
    ("f32 12544.27.32", Floats([12544, 27, 32], RELU6)),
    ("f32 12544.32.16", Floats([12544, 32, 16], Activation::None)),
    ("f32 12544.16.96", Floats([12544, 16, 96], RELU6)),
    ("f32 3136.24.144", Floats([3136, 24, 144], RELU6)),
    ("f32 3136.144.24", Floats([3136, 144, 24], Activation::None)),
    ("f32 784.192.32", Floats([784, 192, 32], Activation::None)),
    ("f32 196.64.384", Floats([196, 64, 384], RELU6)),
    ("f32 196.384.96", Floats([196, 384, 96], Activation::None)),
    ("f32 49.160.960", Floats([49, 160, 960], RELU6)),
    ("f32 49.320.1280", Floats([49, 320, 1280], RELU6)),
    ("depthwise 112.96 /2", Depthwise([112, 96, 2])),
    ("depthwise 56.144", Depthwise([56, 144, 1])),
    ("depthwise 14.384", Depthwise([14, 384, 1])),
    ("depthwise 7.960", Depthwise([7, 960, 1])),
    ("im2col 224.3 /2", Patches([224, 3, 2])),
];

/// All benchmarks; [`Bench::new`] takes an index into this.
pub fn cases() -> Vec<Case> {
    CASES
        .iter()
        .map(|&(name, what)| Case {
            name,
            flops: flops(what),
        })
        .collect()
}

fn flops(what: What) -> f64 {
    let count: usize = match what {
        PeakFloats => ROUNDS * 8 * 12 * 4 * 2,
        PeakBytes => ROUNDS * 8 * PEAK_ROWS * 32 * 2,
        Floats([m, k, n], _) | Bytes([m, k, n], _) => 2 * m * k * n,
        Attention([tokens, heads, dim]) => heads * 4 * tokens * tokens * dim,
        LayerNorm([rows, cols]) | Softmax([rows, cols]) => rows * cols,
        Activate(len, _) => len,
        Depthwise([side, channels, stride]) => 2 * 9 * (side / stride).pow(2) * channels,
        Patches([side, channels, stride]) => 9 * (side / stride).pow(2) * channels,
    };
    count as f64
}

/// One benchmark's operands.
pub struct Bench {
    what: What,
    a: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
    bytes: Vec<i8>,
    sums: Vec<i32>,
    scratch: Vec<f32>,
    quantised: Vec<u8>,
}

impl Bench {
    /// Makes the operands of a case of [`cases`].
    pub fn new(case: usize) -> Self {
        let what = CASES[case].1;
        let (a, b, c) = match what {
            PeakFloats | PeakBytes => (64, 64, 64),
            Floats([m, k, n], _) | Bytes([m, k, n], _) => (m * k, k * n, m * n),
            Attention([tokens, heads, dim]) => (tokens * heads * dim * 3, 0, tokens * heads * dim),
            LayerNorm([rows, cols]) => (rows * cols, rows * cols, rows * cols),
            Softmax([rows, cols]) => (0, 0, rows * cols),
            // Some more, as copies between the same places of two pages are slow.
            Activate(len, _) => (len + 64, 0, len),
            Depthwise([side, channels, stride]) => (
                side * side * channels,
                9 * channels,
                (side / stride).pow(2) * channels,
            ),
            Patches([side, channels, stride]) => (
                side * side * channels,
                0,
                (side / stride).pow(2) * channels * 9,
            ),
        };
        let mut bench = Bench {
            what,
            a: numbers(a),
            b: numbers(b),
            c: numbers(c),
            bytes: Vec::new(),
            sums: Vec::new(),
            scratch: Vec::new(),
            quantised: Vec::new(),
        };
        match what {
            Floats([_, k, n], _) => {
                let plain = std::mem::take(&mut bench.b);
                bench.b = vec![0.0; packed_len(k, n)];
                pack_b(k, n, &rows(&plain, n), &mut bench.b);
            }
            Bytes([_, k, n], _) => {
                let plain = std::mem::replace(&mut bench.b, vec![0.0; n]);
                bench.bytes = vec![0; packed_len_i8(k, n)];
                bench.sums = vec![0; n];
                quantise_weights(
                    k,
                    n,
                    &rows(&plain, n),
                    &mut bench.bytes,
                    &mut bench.b,
                    &mut bench.sums,
                );
            }
            _ => {}
        }
        bench
    }

    /// Runs it so many times; a number that depends on the results.
    pub fn run(&mut self, times: u32) -> f32 {
        let mut sum = 0.0;
        for _ in 0..times {
            sum += self.once();
        }
        sum
    }

    fn once(&mut self) -> f32 {
        let Bench {
            a, b, c, scratch, ..
        } = self;
        match self.what {
            PeakFloats => {
                return dispatch(Peak {
                    x: &a[..8],
                    rounds: ROUNDS,
                });
            }
            PeakBytes => {
                return dispatch(PeakDot {
                    x: &a[..32],
                    rounds: ROUNDS,
                });
            }
            Floats([m, k, n], activation) => {
                let epilogue = Epilogue {
                    bias: Some(&a[..n.min(a.len())]),
                    activation,
                    ..Epilogue::default()
                };
                let epilogue = if a.len() < n {
                    Epilogue {
                        bias: None,
                        ..epilogue
                    }
                } else {
                    epilogue
                };
                gemm(m, n, k, &rows(a, k), b, c, n, &epilogue, scratch);
            }
            Bytes([m, k, n], activation) => {
                let epilogue = Epilogue {
                    bias: None,
                    activation,
                    ..Epilogue::default()
                };
                let (packed, sums, scratch) = (&self.bytes, &self.sums, &mut self.quantised);
                gemm_i8(
                    m,
                    n,
                    k,
                    &rows(a, k),
                    packed,
                    b,
                    sums,
                    c,
                    n,
                    &epilogue,
                    scratch,
                );
            }
            Attention([tokens, heads, dim]) => {
                let width = heads * dim;
                for head in 0..heads {
                    let part = |i: usize| rows(&a[i * width + head * dim..], 3 * width);
                    let out = &mut c[head * dim..];
                    let (q, k, v) = (part(0), part(1), part(2));
                    attention(
                        tokens, tokens, dim, dim, &q, &k, &v, 0.1, None, out, width, scratch,
                    );
                }
            }
            LayerNorm([_, cols]) => {
                layer_norm(
                    a,
                    cols,
                    &b[..cols],
                    &b[..cols],
                    1e-5,
                    Some(&b[..a.len()]),
                    c,
                );
            }
            Softmax([_, cols]) => softmax(c, cols),
            Activate(_, activation) => {
                let len = c.len();
                c.copy_from_slice(&a[..len]);
                activate(c, activation);
            }
            Depthwise([side, channels, stride]) => {
                depthwise(
                    &window(side, stride),
                    channels,
                    a,
                    b,
                    Some(&a[..channels]),
                    RELU6,
                    c,
                );
            }
            Patches([side, channels, stride]) => im2col(&window(side, stride), channels, a, 0, c),
        }
        c[c.len() / 2]
    }
}

/// Three by three, padded so that only the stride makes the result smaller.
fn window(side: usize, stride: usize) -> Window {
    let output = [side / stride; 2];
    Window {
        kernel: [3, 3],
        stride: [stride; 2],
        dilation: [1; 2],
        pad: [1; 2],
        input: [side; 2],
        output,
    }
}

fn rows(data: &[f32], cols: usize) -> Matrix<'_> {
    Matrix {
        data,
        row_stride: cols,
        col_stride: 1,
    }
}

fn numbers(len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| (i * 7919 % 1999) as f32 / 999.5 - 1.0)
        .collect()
}

/// Twelve sums in registers, so that nothing but the multipliers is waited for. The factors are
/// data, so the compiler can take nothing out of the loop.
struct Peak<'a> {
    x: &'a [f32],
    rounds: usize,
}

impl Kernel for Peak<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<V: Dot>(self) -> f32 {
        let x = V::from_slice(self.x);
        let mut sums = [V::splat(0.5); 12];
        // As many products whatever the vector's width.
        for _ in 0..self.rounds * 4 / V::N {
            for _ in 0..8 {
                for sum in &mut sums {
                    *sum = sum.mul_add(x, x);
                }
            }
        }
        sums.iter().fold(V::splat(0.0), |a, &b| a.add(b)).sum()
    }
}

/// Rows of that.
const PEAK_ROWS: usize = if cfg!(all(
    target_arch = "wasm32",
    not(target_feature = "relaxed-simd")
)) {
    2
} else {
    4
};

/// The same for dot products: a tile of four rows by one panel, all of it in the nearest cache.
struct PeakDot<'a> {
    x: &'a [f32],
    rounds: usize,
}

impl Kernel for PeakDot<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<V: Dot>(self) -> f32 {
        let bytes: Vec<u8> = self
            .x
            .iter()
            .cycle()
            .take(8 * 64)
            .map(|x| (x.abs() * 100.0) as u8)
            .collect();
        let mut sums = [V::zero(); PEAK_ROWS];
        let tools = V::tools();
        for _ in 0..self.rounds {
            // Kept from the compiler, which would take products of the same numbers out of the loop.
            let bytes = std::hint::black_box(bytes.as_ptr());
            for step in 0..8 {
                // SAFETY: weights and activations take at most two bytes each.
                #[allow(unsafe_code)]
                unsafe {
                    let w = V::weights(bytes.add(step * 32 * V::WIDTH));
                    for (row, sum) in sums.iter_mut().enumerate() {
                        *sum = V::dot(
                            *sum,
                            &w,
                            V::inputs(bytes.add(row * 64 + step * 4 * V::WIDTH)),
                            tools,
                        );
                    }
                }
            }
        }
        // SAFETY: eight numbers.
        #[allow(unsafe_code)]
        let floats = sums.map(|sums| unsafe { V::floats(sums, 0, [0; NR].as_ptr()) });
        floats.as_flattened().iter().map(|x| x.sum()).sum()
    }
}
