//! Products of matrices: `MatMul` and `Gemm` here; of any axes (`einsum`), of 8-bit integers (`integer`), with weights that stay in
//! 8 bits (`eight`), determinants (`det`).
//!
//! A right operand that is known when the model is read is laid out once as the kernels read it; others are for each run. A
//! batch of rows against one right operand is one product.

mod det;
mod eight;
mod einsum;
mod integer;
#[cfg(test)]
pub(super) mod tests;

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;

use smallfirst_kernels::{Activation, Epilogue, Matrix, gemm, gemm_dynamic, pack_b, packed_len};

use crate::broadcast::{Rows, common, repeated};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, one, op};
use crate::tensor::{Numbers, Tensor, Type, count};

/// The operator that a `MatMul` with weights of 8 bits is made into: a name that no exporter writes.
pub(crate) const EIGHT_BITS: &str = "MatMul of 8 bits";

pub(super) use integer::{Requantise, Right, bytes, less, requantise, rows_of, widened};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "MatMul" => {
            decl.operands(2, 2)?;
            let packed = decl
                .constant(1)
                .filter(|b| b.rank() > 0)
                .and_then(|b| Packed::new(&b, false));
            if packed.is_some() {
                decl.absorb(1);
            }
            op(move |x, context| {
                one(match &packed {
                    Some(packed) => packed.product(x.get(0)?, context)?,
                    None => product(x.get(0)?, x.get(1)?, context)?,
                })
            })
        }
        "Gemm" => general(decl),
        EIGHT_BITS => eight::make(decl),
        "Einsum" => einsum::make(decl),
        "Det" => det::make(decl),
        "MatMulInteger" | "QLinearMatMul" => integer::make(name, decl),
        _ => Ok(None),
    }
}

/// Weights without those that are as good as zero, where there are any. Training leaves some behind that are next to the smallest
/// floats, and processors take a hundred times as long for a product with one of those.
pub(super) fn flushed(weights: &[f32]) -> Option<Vec<f32>> {
    const TINY: f32 = 1e-30;
    let is = |x: &f32| *x != 0.0 && x.abs() < TINY;
    weights.iter().any(is).then(|| {
        let all = weights.iter();
        all.map(|x| if is(x) { 0.0 } else { *x }).collect()
    })
}

/// Scratch that is kept for the next call, unless it has grown large.
pub(super) fn with_scratch<T>(run: impl FnOnce(&mut Vec<f32>) -> T) -> T {
    const KEPT: usize = 1 << 22;
    thread_local! {
        static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    }
    let mut scratch = SCRATCH.with(RefCell::take);
    let result = run(&mut scratch);
    if scratch.capacity() <= KEPT {
        SCRATCH.with(|kept| kept.replace(scratch));
    }
    result
}

/// Numbers that products are made of. Integers wrap.
pub(super) trait Number: Copy + PartialEq {
    const ZERO: Self;
    /// A factor, if the type has it.
    fn of(x: f32) -> Option<Self>;
    fn add(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
}

macro_rules! floats {
    ($($ty:ident),*) => {$(
        impl Number for $ty {
            const ZERO: Self = 0.0;
            fn of(x: f32) -> Option<Self> {
                Some($ty::from(x))
            }
            fn add(self, b: Self) -> Self {
                self + b
            }
            fn mul(self, b: Self) -> Self {
                self * b
            }
        }
    )*};
}
macro_rules! integers {
    ($($ty:ident),*) => {$(
        impl Number for $ty {
            const ZERO: Self = 0;
            fn of(x: f32) -> Option<Self> {
                (x == x.trunc() && (0.0..1e9).contains(&x)).then_some(x as $ty)
            }
            fn add(self, b: Self) -> Self {
                self.wrapping_add(b)
            }
            fn mul(self, b: Self) -> Self {
                self.wrapping_mul(b)
            }
        }
    )*};
}
floats!(f32, f64);
integers!(i64, u64);

/// The shapes of a product.
struct Shapes {
    batch: Vec<usize>,
    a_batch: Vec<usize>,
    b_batch: Vec<usize>,
    m: usize,
    k: usize,
    n: usize,
    result: Vec<usize>,
    len: usize,
}

impl Shapes {
    fn new(a: &[usize], b: &[usize]) -> Result<Shapes> {
        let misfit =
            || format!("matrices of the shapes {a:?} and {b:?} cannot be multiplied").into();
        let (a_batch, m, k) = match a {
            [] => return Err(misfit()),
            [k] => (&[][..], 1, *k),
            [batch @ .., m, k] => (batch, *m, *k),
        };
        let (b_batch, other, n) = match b {
            [] => return Err(misfit()),
            [k] => (&[][..], *k, 1),
            [batch @ .., k, n] => (batch, *k, *n),
        };
        if k != other {
            return Err(misfit());
        }
        let batch = common([a_batch, b_batch])?;
        let mut result = batch.clone();
        // A vector has no axis in the result.
        result.extend((a.len() > 1).then_some(m));
        result.extend((b.len() > 1).then_some(n));
        let len = count(&result)?;
        Ok(Shapes {
            batch,
            a_batch: a_batch.to_vec(),
            b_batch: b_batch.to_vec(),
            m,
            k,
            n,
            result,
            len,
        })
    }

    fn work(&self) -> u64 {
        (self.len as u64).saturating_mul(self.k as u64)
    }

    /// All batches' rows as those of one matrix, where they meet the same right operand.
    fn joined(mut self) -> Shapes {
        if self.b_batch.iter().all(|&length| length == 1)
            && self.a_batch.iter().product::<usize>() == self.batch.iter().product()
        {
            self.m *= self.batch.iter().product::<usize>();
            self.batch.clear();
            self.a_batch.clear();
            self.b_batch.clear();
        }
        self
    }

    /// Calls with the numbers of the result's matrix and the operands'.
    fn each(&self, mut call: impl FnMut(usize, usize, usize)) {
        let rows = Rows::new(&self.batch, [&self.a_batch, &self.b_batch]);
        let [a_step, b_step] = rows.step;
        rows.each(|at, [a, b]| {
            for i in 0..rows.len {
                call(at + i, a + i * a_step, b + i * b_step);
            }
        });
    }

    fn part(at: usize, len: usize) -> Range<usize> {
        at * len..(at + 1) * len
    }
}

/// `a` times `b`, as `MatMul` has it.
pub(super) fn product(a: &Tensor, b: &Tensor, context: &mut Context) -> Result<Tensor> {
    let ty = alike(a, b)?;
    let shapes = Shapes::new(&a.shape, &b.shape)?;
    context.spend(shapes.work())?;
    let result = shapes.result.clone();
    let shapes = shapes.joined();
    let numbers = match (a.numbers()?, b.numbers()?) {
        (Numbers::F32(a), Numbers::F32(b)) => Numbers::F32(floats(&shapes, &a, &b).into()),
        (Numbers::F64(a), Numbers::F64(b)) => Numbers::F64(plain(&shapes, &a, &b).into()),
        (Numbers::I64(a), Numbers::I64(b)) => Numbers::I64(plain(&shapes, &a, &b).into()),
        (Numbers::U64(a), Numbers::U64(b)) => Numbers::U64(plain(&shapes, &a, &b).into()),
        _ => return fault("its operands are of different types"),
    };
    Tensor::new(result, numbers.narrow(ty))
}

fn alike(a: &Tensor, b: &Tensor) -> Result<Type> {
    match a.ty() == b.ty() {
        true => Ok(a.ty()),
        false => fault(format!(
            "its operands are of {} and {}",
            a.ty().name(),
            b.ty().name()
        )),
    }
}

fn floats(s: &Shapes, a: &[f32], b: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; s.len];
    let (m, k, n) = (s.m, s.k, s.n);
    with_scratch(|scratch| {
        s.each(|at, i, j| {
            let out = &mut out[Shapes::part(at, m * n)];
            let (a, b) = (&a[Shapes::part(i, m * k)], &b[Shapes::part(j, k * n)]);
            multiply(
                [m, k, n],
                &rows(a, k),
                &rows(b, n),
                out,
                &Epilogue::default(),
                scratch,
            );
        });
    });
    out
}

/// A row-major matrix.
fn rows(data: &[f32], row_stride: usize) -> Matrix<'_> {
    Matrix {
        data,
        row_stride,
        col_stride: 1,
    }
}

/// A product with a right operand that is known only now.
fn multiply(
    [m, k, n]: [usize; 3],
    a: &Matrix<'_>,
    b: &Matrix<'_>,
    out: &mut [f32],
    epilogue: &Epilogue<'_>,
    scratch: &mut Vec<f32>,
) {
    let simple = epilogue.bias.is_none()
        && epilogue.residual.is_none()
        && epilogue.scale == 1.0
        && epilogue.activation == Activation::None;
    // Of one row, laying out the right operand would take longer than the product.
    if m == 1 && simple && n > 0 {
        if b.col_stride == 1 {
            out.fill(0.0);
            for i in 0..k {
                let by = a.data[i * a.col_stride];
                let row = &b.data[i * b.row_stride..][..n];
                out.iter_mut().zip(row).for_each(|(out, x)| *out += by * x);
            }
            return;
        }
        if b.row_stride == 1 && a.col_stride == 1 {
            for (j, out) in out.iter_mut().enumerate() {
                *out = dot(&a.data[..k], &b.data[j * b.col_stride..][..k]);
            }
            return;
        }
    }
    gemm_dynamic(m, n, k, a, b, out, n, epilogue, scratch);
}

/// In several sums, so that an addition need not wait for the one before.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 16];
    let (a_parts, a_rest) = a.as_chunks::<16>();
    let (b_parts, b_rest) = b.as_chunks::<16>();
    for (a, b) in a_parts.iter().zip(b_parts) {
        for i in 0..16 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

fn plain<T: Number>(s: &Shapes, a: &[T], b: &[T]) -> Vec<T> {
    let mut out = vec![T::ZERO; s.len];
    let (m, k, n) = (s.m, s.k, s.n);
    s.each(|at, i, j| {
        accumulate(
            [m, k, n],
            (&a[Shapes::part(i, m * k)], [k, 1]),
            (&b[Shapes::part(j, k * n)], [n, 1]),
            &mut out[Shapes::part(at, m * n)],
        );
    });
    out
}

/// Adds a product to `out`; the operands' strides are from row to row and from column to column.
pub(super) fn accumulate<T: Number>(
    [m, k, n]: [usize; 3],
    (a, a_steps): (&[T], [usize; 2]),
    (b, b_steps): (&[T], [usize; 2]),
    out: &mut [T],
) {
    for i in 0..m {
        let out = &mut out[i * n..(i + 1) * n];
        for p in 0..k {
            let by = a[i * a_steps[0] + p * a_steps[1]];
            let from = p * b_steps[0];
            if b_steps[1] == 1 {
                for (out, &x) in out.iter_mut().zip(&b[from..from + n]) {
                    *out = out.add(by.mul(x));
                }
            } else {
                for (j, out) in out.iter_mut().enumerate() {
                    *out = out.add(by.mul(b[from + j * b_steps[1]]));
                }
            }
        }
    }
}

/// A right operand of 32-bit or narrower floats that is laid out already.
struct Packed {
    /// As it was given.
    shape: Vec<usize>,
    ty: Type,
    /// One matrix after another.
    panels: Vec<f32>,
}

impl Packed {
    /// `None` for other types.
    fn new(b: &Tensor, transposed: bool) -> Option<Packed> {
        if !matches!(b.ty(), Type::F32 | Type::F16 | Type::BF16) {
            return None;
        }
        let data = b.floats().ok()?;
        let data = flushed(&data).map_or(data, Cow::Owned);
        let (mut k, mut n) = match b.shape[..] {
            [.., k, n] => (k, n),
            [k] => (k, 1),
            [] => return None,
        };
        let mut shape = b.shape.clone();
        let mut steps = [n, 1];
        if transposed {
            let rank = shape.len();
            shape.swap(rank - 1, rank.checked_sub(2)?);
            (k, n) = (n, k);
            steps = [1, k];
        }
        let len = packed_len(k, n);
        let matrices = data.len().checked_div(k * n).unwrap_or(0);
        let mut panels = vec![0.0; matrices.checked_mul(len)?];
        for i in 0..matrices {
            let b = Matrix {
                data: &data[Shapes::part(i, k * n)],
                row_stride: steps[0],
                col_stride: steps[1],
            };
            pack_b(k, n, &b, &mut panels[Shapes::part(i, len)]);
        }
        Some(Packed {
            shape,
            ty: b.ty(),
            panels,
        })
    }

    fn product(&self, a: &Tensor, context: &mut Context) -> Result<Tensor> {
        if a.ty() != self.ty {
            return fault(format!(
                "its operands are of {} and {}",
                a.ty().name(),
                self.ty.name()
            ));
        }
        let s = Shapes::new(&a.shape, &self.shape)?;
        context.spend(s.work())?;
        let result = s.result.clone();
        let s = s.joined();
        let mut out = vec![0.0; s.len];
        let (m, k, n) = (s.m, s.k, s.n);
        // Without elements there is nothing that was laid out.
        if s.len > 0 && k > 0 {
            let data = a.floats()?;
            let len = packed_len(k, n);
            with_scratch(|scratch| {
                s.each(|at, i, j| {
                    gemm(
                        m,
                        n,
                        k,
                        &rows(&data[Shapes::part(i, m * k)], k),
                        &self.panels[Shapes::part(j, len)],
                        &mut out[Shapes::part(at, m * n)],
                        n,
                        &Epilogue::default(),
                        scratch,
                    );
                });
            });
        }
        Tensor::new(result, Numbers::F32(out.into()).narrow(self.ty))
    }
}

fn general(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(if decl.version < 11 { 3 } else { 2 }, 3)?;
    let (alpha, beta) = (decl.float_or("alpha", 1.0)?, decl.float_or("beta", 1.0)?);
    let (trans_a, trans_b) = (decl.flag("transA")?, decl.flag("transB")?);
    let packed = decl
        .constant(1)
        .filter(|b| b.rank() == 2)
        .and_then(|b| Packed::new(&b, trans_b));
    if packed.is_some() {
        decl.absorb(1);
    }
    op(move |x, context| {
        let a = x.get(0)?;
        let (b_shape, b_ty) = match &packed {
            Some(packed) => (packed.shape.clone(), packed.ty),
            None => {
                let b = x.get(1)?;
                let mut shape = b.shape.clone();
                if trans_b {
                    shape.reverse();
                }
                (shape, b.ty())
            }
        };
        let mut a_shape = a.shape.clone();
        if trans_a {
            a_shape.reverse();
        }
        let (&[m, k], &[other, n]) = (&a_shape[..], &b_shape[..]) else {
            return fault("its operands are not matrices");
        };
        let c = x.opt(2);
        if k != other {
            return fault(format!(
                "matrices of the shapes {a_shape:?} and {b_shape:?} cannot be multiplied"
            ));
        }
        let ty = a.ty();
        if ty != b_ty || c.is_some_and(|c| c.ty() != ty) {
            return fault("its operands are of different types");
        }
        let len = count(&[m, n])?;
        context.spend((len as u64).saturating_mul(k as u64))?;
        if let Some(c) = c
            && (c.rank() > 2 || common([&c.shape[..], &[m, n]])? != [m, n])
        {
            return fault(format!(
                "a third operand of the shape {:?} does not broadcast to {:?}",
                c.shape,
                [m, n]
            ));
        }
        let a_steps = if trans_a { [1, m] } else { [k, 1] };
        let b_steps = if trans_b { [1, k] } else { [n, 1] };
        if matches!(ty, Type::F32 | Type::F16 | Type::BF16) {
            let data = a.floats()?;
            let a = Matrix {
                data: &data,
                row_stride: a_steps[0],
                col_stride: a_steps[1],
            };
            let addend = match c.filter(|_| beta != 0.0) {
                Some(c) => Some((c.shape.clone(), c.floats()?)),
                None => None,
            };
            let times = |x: f32| if beta == 1.0 { x } else { x * beta };
            let (mut bias, mut residual) = (None, None);
            match addend {
                Some((shape, c)) if shape.last() == Some(&n) && c.len() == n => {
                    bias = Some(c.iter().map(|&x| times(x)).collect::<Vec<f32>>());
                }
                Some((shape, c)) => {
                    let steps = repeated(&shape, &[m, n]);
                    let mut all = Vec::with_capacity(len);
                    for i in 0..m {
                        let row = i * steps[0];
                        all.extend((0..n).map(|j| times(c[row + j * steps[1]])));
                    }
                    residual = Some(all);
                }
                None => {}
            }
            let epilogue = Epilogue {
                scale: alpha,
                bias: bias.as_deref(),
                residual: residual.as_deref(),
                activation: Activation::None,
            };
            let mut out = vec![0.0; len];
            with_scratch(|scratch| -> Result<()> {
                match &packed {
                    Some(packed) => {
                        gemm(m, n, k, &a, &packed.panels, &mut out, n, &epilogue, scratch)
                    }
                    None => {
                        let data = x.get(1)?.floats()?;
                        let b = Matrix {
                            data: &data,
                            row_stride: b_steps[0],
                            col_stride: b_steps[1],
                        };
                        multiply([m, k, n], &a, &b, &mut out, &epilogue, scratch);
                    }
                }
                Ok(())
            })?;
            return one(Tensor::new(
                vec![m, n],
                Numbers::F32(out.into()).narrow(ty),
            )?);
        }
        let (b, shape) = (x.get(1)?, [m, k, n]);
        let c = match c {
            Some(c) => Some((c.numbers()?, repeated(&c.shape, &[m, n]))),
            None => None,
        };
        macro_rules! other {
            ($kind:ident, $a:expr, $b:expr) => {{
                let c = match &c {
                    Some((Numbers::$kind(c), steps)) => Some((&c[..], &steps[..])),
                    _ => None,
                };
                let out = plain_general(shape, (&$a, a_steps), (&$b, b_steps), c, (alpha, beta))?;
                Numbers::$kind(out.into())
            }};
        }
        let numbers = match (a.numbers()?, b.numbers()?) {
            (Numbers::F64(a), Numbers::F64(b)) => other!(F64, a, b),
            (Numbers::I64(a), Numbers::I64(b)) => other!(I64, a, b),
            (Numbers::U64(a), Numbers::U64(b)) => other!(U64, a, b),
            _ => return fault("its operands are of different types"),
        };
        one(Tensor::new(vec![m, n], numbers.narrow(ty))?)
    })
}

fn plain_general<T: Number>(
    [m, k, n]: [usize; 3],
    a: (&[T], [usize; 2]),
    b: (&[T], [usize; 2]),
    c: Option<(&[T], &[usize])>,
    (alpha, beta): (f32, f32),
) -> Result<Vec<T>> {
    let (Some(alpha), Some(beta)) = (T::of(alpha), T::of(beta)) else {
        return fault("its factors alpha and beta are no integers, and its operands are");
    };
    let mut out = vec![T::ZERO; m * n];
    accumulate([m, k, n], a, b, &mut out);
    for (i, row) in out.chunks_exact_mut(n.max(1)).enumerate() {
        for (j, out) in row.iter_mut().enumerate() {
            *out = alpha.mul(*out);
            if let Some((c, steps)) = c {
                *out = out.add(beta.mul(c[i * steps[0] + j * steps[1]]));
            }
        }
    }
    Ok(out)
}
