//! Products of 8-bit integers: `MatMulInteger` and `QLinearMatMul`.
//!
//! Sums of few enough products of 8-bit integers are exact in 32-bit floats, whose products are the fastest there are. So the
//! sums are taken a piece at a time, each exactly, and added up as integers. Right operands are kept in 16 bits, in the order
//! in which the kernel reads them, and widened a few columns at a time.

use smallfirst_kernels::{Epilogue, Matrix, NR, gemm, pack_b, packed_len};

use super::{Shapes, with_scratch};
use crate::broadcast::{Rows, repeated};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Inputs, Op, one, op};
use crate::tensor::{Data, Tensor, Type, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    if name == "MatMulInteger" {
        decl.operands(2, 4)?;
        let right = fixed(decl, 1, 3);
        return op(move |x, context| {
            let own;
            let right = match &right {
                Some(right) => right,
                None => {
                    own = Right::new(x.get(1)?, x.opt(3))?;
                    &own
                }
            };
            let (shape, sums) = product(x.get(0)?, x.opt(2), right, context)?;
            one(Tensor::new(shape, Data::I32(sums))?)
        });
    }
    decl.operands(8, 8)?;
    let right = fixed(decl, 3, 5);
    op(move |x, context| {
        let own;
        let right = match &right {
            Some(right) => right,
            None => {
                own = Right::new(x.get(3)?, x.opt(5))?;
                &own
            }
        };
        let a = x.get(0)?;
        let (shape, sums) = product(a, x.opt(2), right, context)?;
        let scales = scales(x, a, right, &shape)?;
        let zero = x.get(7)?;
        let way = Requantise::new(x.get(6)?, zero)?;
        let scaled = sums.iter().zip(&scales);
        let data = requantise(scaled.map(|(&sum, &scale)| (sum, scale)), &way);
        one(Tensor::new(shape, data)?)
    })
}

/// A right operand that is known already, and so is its zero.
fn fixed(decl: &Decl<'_>, at: usize, zero: usize) -> Option<Right> {
    let b = decl.constant(at)?;
    let zero_point = decl.constant(zero);
    if decl.has(zero) && zero_point.is_none() {
        return None;
    }
    // What fails fails again when the model runs, and says why.
    let right = Right::new(&b, zero_point.as_deref()).ok()?;
    decl.absorb(at);
    Some(right)
}

/// What each sum is multiplied by, without the result's own scale.
fn scales(x: &Inputs, a: &Tensor, right: &Right, result: &[usize]) -> Result<Vec<f32>> {
    // A vector's axis is not in the result: only one scale fits it.
    let spread = |scale: &Tensor, rank: usize, by_row: bool| -> Result<Vec<f32>> {
        let all = scale.floats()?;
        let shape = match scale.shape[..] {
            [] | [1] => Vec::new(),
            [rows] if by_row => vec![rows, 1],
            _ => scale.shape.clone(),
        };
        let len = count(result)?;
        if shape.is_empty() {
            return Ok(vec![all[0]; len]);
        }
        if rank < 2 || shape.len() > result.len() {
            return fault("a scale does not fit its operand");
        }
        let joined = crate::broadcast::common([result, &shape[..]])?;
        if joined != result {
            return fault("a scale does not fit its operand");
        }
        let rows = Rows::strided(result, [repeated(&shape, result)]);
        let mut out = Vec::with_capacity(len);
        rows.each(|_, [start]| out.extend((0..rows.len).map(|i| all[start + i * rows.step[0]])));
        Ok(out)
    };
    let left = spread(x.get(1)?, a.rank(), true)?;
    let mut both = spread(x.get(4)?, right.shape.len(), false)?;
    both.iter_mut().zip(left).for_each(|(b, a)| *b *= a);
    Ok(both)
}

/// How sums become 8-bit integers again.
pub(in crate::ops) struct Requantise {
    scale: f32,
    zero: f32,
    signed: bool,
}

impl Requantise {
    pub(in crate::ops) fn new(scale: &Tensor, zero: &Tensor) -> Result<Requantise> {
        let signed = match zero.ty() {
            Type::U8 => false,
            Type::I8 => true,
            other => return fault(format!("its result would be of {}", other.name())),
        };
        Ok(Requantise {
            scale: scale.scalar_float()?,
            zero: zero.scalar_int()? as f32,
            signed,
        })
    }
}

/// Sums, each with the product of the operands' scales, as 8-bit integers: to the nearest, the even one of two.
pub(in crate::ops) fn requantise(sums: impl Iterator<Item = (i32, f32)>, way: &Requantise) -> Data {
    let numbers =
        sums.map(|(sum, scale)| (sum as f32 * (scale / way.scale)).round_ties_even() + way.zero);
    // Conversions of floats stay within the type.
    match way.signed {
        true => Data::I8(numbers.map(|x| x as i8).collect()),
        false => Data::U8(numbers.map(|x| x as u8).collect()),
    }
}

/// 8-bit integers in a wider type; their zero, where they have one, must be of their own.
pub(in crate::ops) fn widened<T: From<u8> + From<i8>>(
    x: &Tensor,
    zero: Option<&Tensor>,
) -> Result<Vec<T>> {
    let out = match &x.data {
        Data::U8(v) => v.iter().map(|&x| T::from(x)).collect(),
        Data::I8(v) => v.iter().map(|&x| T::from(x)).collect(),
        other => {
            return fault(format!(
                "an operand is of {}, not of 8-bit integers",
                other.ty().name()
            ));
        }
    };
    match zero.is_some_and(|zero| zero.ty() != x.ty()) {
        true => fault("a zero point is of another type than its operand"),
        false => Ok(out),
    }
}

/// 8-bit integers less their zero, which is one for all, one a row (`rows`) or a column, or of a shape that is repeated.
fn centred(x: &Tensor, zero: Option<&Tensor>, by_row: bool) -> Result<Vec<i16>> {
    let mut out: Vec<i16> = widened(x, zero)?;
    let Some(zero) = zero else { return Ok(out) };
    let zeros: Vec<i16> = zero.ints()?.iter().map(|&z| z as i16).collect();
    match zero.shape[..] {
        [] | [1] => {
            let zero = zeros[0];
            if zero != 0 {
                out.iter_mut().for_each(|x| *x -= zero);
            }
        }
        _ => {
            let shape = match zero.shape[..] {
                [rows] if by_row => vec![rows, 1],
                _ => zero.shape.clone(),
            };
            if crate::broadcast::common([&x.shape[..], &shape])? != x.shape {
                return fault("a zero point does not fit its operand");
            }
            let rows = Rows::strided(&x.shape, [repeated(&shape, &x.shape)]);
            rows.each(|at, [start]| {
                for (i, x) in out[at..at + rows.len].iter_mut().enumerate() {
                    *x -= zeros[start + i * rows.step[0]];
                }
            });
        }
    }
    Ok(out)
}

/// The largest sum of products that is exact in a 32-bit float, over the largest of a left operand.
const EXACT: usize = (1 << 24) / 255;
/// The longest piece of a sum.
const PIECE: usize = 448;
/// Numbers of a right operand that are widened at a time: 256 KiB.
const WIDENED: usize = 64 * 1024;
/// Rows of the result at a time.
const ROWS: usize = 256;

/// A right operand, laid out piece by piece, each as the kernel reads it.
struct Right {
    shape: Vec<usize>,
    k: usize,
    n: usize,
    piece: usize,
    panels: Vec<i16>,
}

impl Right {
    fn new(b: &Tensor, zero: Option<&Tensor>) -> Result<Right> {
        let (k, n) = match b.shape[..] {
            [] => return fault("its operand is one number"),
            [k] => (k, 1),
            [.., k, n] => (k, n),
        };
        let all = centred(b, zero, false)?;
        let largest = all.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
        let piece = (EXACT / usize::from(largest.max(1))).min(PIECE);
        let matrices = all.len().checked_div(k * n).unwrap_or(0);
        let len = packed_len(k, n);
        let Some(total) = matrices.checked_mul(len) else {
            return fault("an operand is too large");
        };
        let mut panels = Vec::with_capacity(total);
        let (mut wide, mut packed) = (Vec::new(), Vec::new());
        for matrix in all.chunks_exact((k * n).max(1)) {
            for rows in matrix.chunks(piece * n) {
                let k = rows.len() / n;
                wide.clear();
                wide.extend(rows.iter().map(|&x| f32::from(x)));
                packed.clear();
                packed.resize(packed_len(k, n), 0.0);
                let b = Matrix {
                    data: &wide,
                    row_stride: n,
                    col_stride: 1,
                };
                pack_b(k, n, &b, &mut packed);
                panels.extend(packed.iter().map(|&x| x as i16));
            }
        }
        Ok(Right {
            shape: b.shape.clone(),
            k,
            n,
            piece,
            panels,
        })
    }

    /// Adds the product of `m` rows with one of its matrices to `out`.
    fn multiply(&self, m: usize, a: &[f32], matrix: usize, out: &mut [i32], room: &mut Room) {
        let (k, n) = (self.k, self.n);
        let panels = n.div_ceil(NR);
        let len = panels * NR * k;
        let all = &self.panels[matrix * len..(matrix + 1) * len];
        for start in (0..k).step_by(self.piece) {
            let depth = self.piece.min(k - start);
            let piece = &all[start * panels * NR..][..depth * panels * NR];
            let group = (WIDENED / (depth * NR)).max(2) / 2 * 2;
            for (i, columns) in piece.chunks(group * depth * NR).enumerate() {
                room.wide.clear();
                room.wide.extend(columns.iter().map(|&x| f32::from(x)));
                let first = i * group * NR;
                let width = (n - first).min(group * NR);
                for row in (0..m).step_by(ROWS) {
                    let count = ROWS.min(m - row);
                    room.sums.clear();
                    room.sums.resize(count * width, 0.0);
                    let a = Matrix {
                        data: &a[row * k + start..],
                        row_stride: k,
                        col_stride: 1,
                    };
                    gemm(
                        count,
                        width,
                        depth,
                        &a,
                        &room.wide,
                        &mut room.sums,
                        width,
                        &Epilogue::default(),
                        &mut room.scratch,
                    );
                    for (i, sums) in room.sums.chunks_exact(width).enumerate() {
                        let out = &mut out[(row + i) * n + first..][..width];
                        for (out, &sum) in out.iter_mut().zip(sums) {
                            *out = out.wrapping_add(sum as i32);
                        }
                    }
                }
            }
        }
    }
}

/// What a product needs besides.
#[derive(Default)]
struct Room {
    wide: Vec<f32>,
    sums: Vec<f32>,
    scratch: Vec<f32>,
}

fn product(
    a: &Tensor,
    zero: Option<&Tensor>,
    right: &Right,
    context: &mut Context,
) -> Result<(Vec<usize>, Vec<i32>)> {
    let s = Shapes::new(&a.shape, &right.shape)?;
    context.spend(s.work())?;
    let result = s.result.clone();
    let s = s.joined();
    let mut out = vec![0; s.len];
    if s.len > 0 && s.k > 0 {
        let (m, k, n) = (s.m, s.k, s.n);
        let a: Vec<f32> = centred(a, zero, true)?.into_iter().map(f32::from).collect();
        let mut room = Room {
            wide: with_scratch(std::mem::take),
            ..Room::default()
        };
        s.each(|at, i, j| {
            let out = &mut out[Shapes::part(at, m * n)];
            right.multiply(m, &a[Shapes::part(i, m * k)], j, out, &mut room);
        });
        with_scratch(|scratch| *scratch = room.wide);
    }
    Ok((result, out))
}
