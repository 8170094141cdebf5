//! Products of floats, with what was fused with them.

use smallfirst_kernels::{self as kernels, Activation, Epilogue, Matrix};

use super::{narrow, not_double};
use crate::broadcast::{Rows, common};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, one, op};
use crate::tensor::{Tensor, Type, count, strides};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "FusedMatMul" | "TransposeMatMul" => {
            decl.operands(2, 2)?;
            let alpha = decl.float_or("alpha", 1.0)?;
            let (a, b) = (Turned::of(decl, 'A')?, Turned::of(decl, 'B')?);
            let constant = decl
                .constant(1)
                .filter(|t| t.rank() == 2 && t.ty() == Type::F32 && !a.rows && !a.batch);
            let packed = match constant {
                Some(t) => {
                    decl.absorb(1);
                    Some(Packed::new(&t, b.rows)?)
                }
                None => None,
            };
            op(move |x, context| {
                let x0 = x.get(0)?;
                one(match &packed {
                    Some(packed) => packed.product(x0, alpha, context)?,
                    None => product(x0, a, x.get(1)?, b, alpha, context)?,
                })
            })
        }
        "FusedGemm" => {
            decl.operands(2, 3)?;
            let (alpha, beta) = (decl.float_or("alpha", 1.0)?, decl.float_or("beta", 1.0)?);
            let (a, b) = (
                Turned {
                    rows: decl.flag("transA")?,
                    batch: false,
                },
                Turned {
                    rows: decl.flag("transB")?,
                    batch: false,
                },
            );
            let function = function(decl)?;
            op(move |x, context| {
                let (x0, x1) = (x.get(0)?, x.get(1)?);
                if x0.rank() != 2 || x1.rank() != 2 {
                    return fault("its operands are no matrices");
                }
                let mut out = product(x0, a, x1, b, alpha, context)?;
                let ty = out.ty();
                let mut v = out.floats()?.into_owned();
                if let Some(c) = x.opt(2) {
                    if common([&c.shape[..], &out.shape])? != out.shape {
                        return fault(format!("an addend of the shape {:?}", c.shape));
                    }
                    let rows = Rows::new(&out.shape, [&c.shape]);
                    let c = c.floats()?;
                    rows.each(|at, [from]| {
                        for (i, v) in v[at..at + rows.len].iter_mut().enumerate() {
                            *v += beta * c[from + i * rows.step[0]];
                        }
                    });
                }
                function(&mut v);
                out = narrow(out.shape, v, ty)?;
                one(out)
            })
        }
        _ => Ok(None),
    }
}

/// What is done to all numbers at the end.
type Function = Box<dyn Fn(&mut [f32]) + Send + Sync>;

/// The function that was fused with an operator.
fn function(decl: &Decl<'_>) -> Result<Function> {
    let name = decl.text_or("activation", "")?;
    let alpha = decl.float("activation_alpha")?;
    let beta = decl.float("activation_beta")?;
    decl.unused("activation_gamma");
    fn plain(f: Activation) -> Function {
        Box::new(move |v| kernels::activate(v, f))
    }
    fn each(f: impl Fn(f32) -> f32 + Send + Sync + 'static) -> Function {
        Box::new(move |v| v.iter_mut().for_each(|v| *v = f(*v)))
    }
    Ok(match name.as_str() {
        "" => Box::new(|_| ()),
        "Relu" => plain(Activation::Relu),
        "Tanh" => plain(Activation::Tanh),
        "Sigmoid" => plain(Activation::Sigmoid),
        "LeakyRelu" => {
            let alpha = alpha.unwrap_or(0.01);
            each(move |v| if v < 0.0 { alpha * v } else { v })
        }
        "HardSigmoid" => {
            let (alpha, beta) = (alpha.unwrap_or(0.2), beta.unwrap_or(0.5));
            each(move |v| (alpha * v + beta).clamp(0.0, 1.0))
        }
        other => return fault(format!("its activation {other} is not supported")),
    })
}

/// Which axes of an operand are turned before the product.
#[derive(Debug, Clone, Copy, Default)]
struct Turned {
    /// The last two.
    rows: bool,
    /// The first one, which comes after the batches.
    batch: bool,
}

impl Turned {
    fn of(decl: &Decl<'_>, operand: char) -> Result<Turned> {
        Ok(Turned {
            rows: decl.flag(&format!("trans{operand}"))?,
            batch: decl.flag(&format!("transBatch{operand}"))?,
        })
    }
}

/// An operand as matrices: lengths and strides, the last two of rows and columns.
fn matrices(of: &Tensor, turned: Turned) -> (Vec<usize>, Vec<usize>) {
    let (mut shape, mut steps) = (of.shape.clone(), strides(&of.shape));
    let rank = shape.len();
    // The rows come first, then the batches.
    if turned.batch && rank > 2 {
        shape[..rank - 1].rotate_left(1);
        steps[..rank - 1].rotate_left(1);
    }
    if turned.rows && rank >= 2 {
        shape.swap(rank - 2, rank - 1);
        steps.swap(rank - 2, rank - 1);
    }
    (shape, steps)
}

/// `alpha * a b`, with broadcasting as `MatMul`.
fn product(
    a: &Tensor,
    turned_a: Turned,
    b: &Tensor,
    turned_b: Turned,
    alpha: f32,
    context: &mut Context,
) -> Result<Tensor> {
    not_double(&[a, b])?;
    if a.rank() == 0 || b.rank() == 0 {
        return fault("an operand without axes");
    }
    count(&a.shape)?;
    count(&b.shape)?;
    let (mut a_shape, mut a_steps) = matrices(a, turned_a);
    let (mut b_shape, mut b_steps) = matrices(b, turned_b);
    let vectors = (a_shape.len() == 1, b_shape.len() == 1);
    if vectors.0 {
        a_shape.insert(0, 1);
        a_steps.insert(0, 0);
    }
    if vectors.1 {
        b_shape.push(1);
        b_steps.push(0);
    }
    let (&[ref a_batch @ .., m, k], &[ref b_batch @ .., b_k, n]) = (&a_shape[..], &b_shape[..])
    else {
        return fault("operands that are no matrices");
    };
    if k != b_k {
        return fault(format!("rows of {k} numbers by columns of {b_k}"));
    }
    let batch = common([a_batch, b_batch])?;
    let all = count(&batch)?;
    let mut shape = batch.clone();
    shape.extend([m, n]);
    let len = count(&shape)?;
    context.spend((len as u64).saturating_mul(k as u64))?;
    let (x, y) = (a.floats()?, b.floats()?);
    let mut out = vec![0.0; len];
    if len > 0 {
        // Where each batch begins in both.
        let spread = |own: &[usize], steps: &[usize]| -> Vec<usize> {
            let missing = batch.len() - own.len();
            (0..batch.len())
                .map(|at| match at.checked_sub(missing) {
                    Some(i) if own[i] != 1 => steps[i],
                    _ => 0,
                })
                .collect()
        };
        let steps = [spread(a_batch, &a_steps), spread(b_batch, &b_steps)];
        let mut scratch = Vec::new();
        let epilogue = Epilogue {
            scale: alpha,
            ..Epilogue::default()
        };
        let own = strides(&batch);
        for at in 0..all {
            let start = |steps: &[usize]| -> usize {
                (0..batch.len())
                    .map(|axis| at / own[axis] % batch[axis] * steps[axis])
                    .sum()
            };
            let [i, j] = [start(&steps[0]), start(&steps[1])];
            let (rank_a, rank_b) = (a_steps.len(), b_steps.len());
            kernels::gemm_dynamic(
                m,
                n,
                k,
                &Matrix {
                    data: &x[i..],
                    row_stride: a_steps[rank_a - 2],
                    col_stride: a_steps[rank_a - 1],
                },
                &Matrix {
                    data: &y[j..],
                    row_stride: b_steps[rank_b - 2],
                    col_stride: b_steps[rank_b - 1],
                },
                &mut out[at * m * n..(at + 1) * m * n],
                n,
                &epilogue,
                &mut scratch,
            );
        }
    }
    if vectors.1 {
        shape.pop();
    }
    if vectors.0 {
        shape.remove(batch.len());
    }
    narrow(shape, out, a.ty())
}

/// A constant right operand.
struct Packed {
    k: usize,
    n: usize,
    numbers: Vec<f32>,
}

impl Packed {
    fn new(of: &Tensor, turned: bool) -> Result<Packed> {
        count(&of.shape)?;
        let (shape, steps) = matrices(
            of,
            Turned {
                rows: turned,
                batch: false,
            },
        );
        let (k, n) = (shape[0], shape[1]);
        let mut numbers = vec![0.0; kernels::packed_len(k, n)];
        if k * n > 0 {
            let matrix = Matrix {
                data: of.f32s()?,
                row_stride: steps[0],
                col_stride: steps[1],
            };
            kernels::pack_b(k, n, &matrix, &mut numbers);
        }
        Ok(Packed { k, n, numbers })
    }

    fn product(&self, a: &Tensor, alpha: f32, context: &mut Context) -> Result<Tensor> {
        let Packed { k, n, .. } = *self;
        let Some((&last, before)) = a.shape.split_last().filter(|(last, _)| **last == k) else {
            return fault(format!(
                "an operand of the shape {:?} for columns of {k} numbers",
                a.shape
            ));
        };
        let (m, mut shape) = (count(before)?, before.to_vec());
        shape.push(n);
        let mut out = vec![0.0; count(&shape)?];
        context.spend((out.len() as u64).saturating_mul(last as u64))?;
        not_double(&[a])?;
        let matrix = Matrix {
            data: &a.floats()?,
            row_stride: k,
            col_stride: 1,
        };
        let epilogue = Epilogue {
            scale: alpha,
            ..Epilogue::default()
        };
        kernels::gemm(
            m,
            n,
            k,
            &matrix,
            &self.numbers,
            &mut out,
            n,
            &epilogue,
            &mut Vec::new(),
        );
        narrow(shape, out, a.ty())
    }
}
