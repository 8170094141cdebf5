//! One function of every element.

use std::borrow::Cow;

use smallfirst_kernels::{self as kernels, Activation, Unary};

use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Data, Numbers, Tensor, Type};

/// A function of floats, and what the kernels have for it.
pub(super) struct Function {
    /// In 64 bits: what 64-bit floats are given, and 32-bit ones where no kernel is.
    exact: Box<dyn Fn(f64) -> f64 + Send + Sync>,
    kernel: Kernel,
}

#[derive(Clone, Copy)]
enum Kernel {
    None,
    /// `x`, and below 0 as much of it.
    Leaky(f32),
    /// So much of `x`, and so much more, between 0 and 1.
    Ramp(f32, f32),
    Unary(Unary),
    Activation(Activation),
}

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "Abs" | "Neg" | "Sign" => {
            decl.operands(1, 1)?;
            let name = name.to_owned();
            return op(move |x, _| one(signed(&name, x.take(0)?)?));
        }
        "Relu" => {
            decl.operands(1, 1)?;
            return op(|x, _| {
                let x = x.take(0)?;
                match x.ty().is_integer() {
                    true => integers(x, |v| v.max(0)),
                    false => one(floats(x, &relu())?),
                }
            });
        }
        "Not" => {
            decl.operands(1, 1)?;
            return op(|x, _| {
                let x = x.get(0)?;
                one(Tensor::bools(
                    x.shape.clone(),
                    x.truths()?.iter().map(|v| !v).collect(),
                ))
            });
        }
        "BitwiseNot" => {
            decl.operands(1, 1)?;
            return op(|x, _| integers(x.take(0)?, |v| !v));
        }
        "IsNaN" => {
            decl.operands(1, 1)?;
            return op(|x, _| tested(x.get(0)?, f64::is_nan));
        }
        "IsInf" => {
            decl.operands(1, 1)?;
            let negative = decl.int_or("detect_negative", 1)? != 0;
            let positive = decl.int_or("detect_positive", 1)? != 0;
            return op(move |x, _| {
                tested(x.get(0)?, |v| {
                    v.is_infinite() && if v < 0.0 { negative } else { positive }
                })
            });
        }
        _ => {}
    }
    let Some(function) = function(name, decl)? else {
        return Ok(None);
    };
    decl.operands(1, 1)?;
    op(move |x, _| one(floats(x.take(0)?, &function)?))
}

fn relu() -> Function {
    with(Kernel::Activation(Activation::Relu), |x| {
        if x > 0.0 || x.is_nan() { x } else { 0.0 }
    })
}

fn with(kernel: Kernel, exact: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Function {
    Function {
        exact: Box::new(exact),
        kernel,
    }
}

fn plain(exact: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Function {
    with(Kernel::None, exact)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2))
}

fn gelu_tanh(x: f64) -> f64 {
    0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh())
}

/// ONNX's functions of floats, with the attributes' defaults that its operators have.
pub(super) fn function(name: &str, decl: &Decl<'_>) -> Result<Option<Function>> {
    let unary = Kernel::Unary;
    let float = |name: &str, default: f32| decl.float_or(name, default).map(f64::from);
    Ok(Some(match name {
        "Exp" => with(unary(Unary::Exp), f64::exp),
        "Log" => plain(f64::ln),
        "Sqrt" => with(unary(Unary::Sqrt), f64::sqrt),
        "Reciprocal" => with(unary(Unary::Recip), |x| 1.0 / x),
        "Erf" => with(unary(Unary::Erf), libm::erf),
        "Floor" => with(unary(Unary::Floor), f64::floor),
        "Ceil" => with(unary(Unary::Ceil), f64::ceil),
        "Round" => with(unary(Unary::Round), f64::round_ties_even),
        "Sin" => with(unary(Unary::Sin), f64::sin),
        "Cos" => with(unary(Unary::Cos), f64::cos),
        "Tan" => plain(f64::tan),
        "Asin" => plain(f64::asin),
        "Acos" => plain(f64::acos),
        "Atan" => plain(f64::atan),
        "Sinh" => plain(f64::sinh),
        "Cosh" => plain(f64::cosh),
        "Asinh" => plain(f64::asinh),
        "Acosh" => plain(f64::acosh),
        "Atanh" => plain(f64::atanh),
        "Tanh" => with(Kernel::Activation(Activation::Tanh), f64::tanh),
        "Sigmoid" => with(Kernel::Activation(Activation::Sigmoid), sigmoid),
        "Softplus" => with(unary(Unary::Softplus), softplus),
        "Softsign" => plain(|x| x / (1.0 + x.abs())),
        "HardSwish" => with(Kernel::Activation(Activation::HardSwish), |x| {
            x * (x / 6.0 + 0.5).clamp(0.0, 1.0)
        }),
        "Mish" => plain(|x| x * softplus(x).tanh()),
        "Gelu" => match decl.text_or("approximate", "none")?.as_str() {
            "none" => with(Kernel::Activation(Activation::Gelu), gelu),
            "tanh" => with(Kernel::Activation(Activation::GeluTanh), gelu_tanh),
            other => {
                return fault(format!(
                    "its approximation {other} is none of tanh and none"
                ));
            }
        },
        "Swish" => {
            let alpha = float("alpha", 1.0)?;
            let kernel = if alpha == 1.0 {
                Kernel::Activation(Activation::Silu)
            } else {
                Kernel::None
            };
            with(kernel, move |x| x * sigmoid(alpha * x))
        }
        "Elu" => {
            let alpha = float("alpha", 1.0)?;
            plain(move |x| if x < 0.0 { alpha * x.exp_m1() } else { x })
        }
        "Celu" => {
            let alpha = float("alpha", 1.0)?;
            plain(move |x| x.max(0.0) + (alpha * (x / alpha).exp_m1()).min(0.0))
        }
        "Selu" => {
            let (alpha, gamma) = (float("alpha", 1.673_263_2)?, float("gamma", 1.050_701)?);
            plain(move |x| gamma * if x > 0.0 { x } else { alpha * x.exp_m1() })
        }
        "LeakyRelu" => {
            let alpha = float("alpha", 0.01)?;
            let kernel = Kernel::Leaky(alpha as f32);
            with(kernel, move |x| if x < 0.0 { alpha * x } else { x })
        }
        "ThresholdedRelu" => {
            let alpha = float("alpha", 1.0)?;
            plain(move |x| if x > alpha { x } else { 0.0 })
        }
        "HardSigmoid" => {
            let (alpha, beta) = (float("alpha", 0.2)?, float("beta", 0.5)?);
            let kernel = Kernel::Ramp(alpha as f32, beta as f32);
            with(kernel, move |x| (alpha * x + beta).clamp(0.0, 1.0))
        }
        "Shrink" => {
            let (lambd, bias) = (float("lambd", 0.5)?, float("bias", 0.0)?);
            plain(move |x| match x {
                x if x < -lambd => x + bias,
                x if x > lambd => x - bias,
                _ => 0.0,
            })
        }
        _ => return Ok(None),
    }))
}

pub(super) fn floats(x: Tensor, function: &Function) -> Result<Tensor> {
    let ty = x.ty();
    let data = match (x.data, function.kernel) {
        (Data::F32(mut v), kernel) => {
            match kernel {
                Kernel::Unary(op) => kernels::unary(op, &mut v),
                Kernel::Activation(op) => kernels::activate(&mut v, op),
                Kernel::Leaky(alpha) => v
                    .iter_mut()
                    .for_each(|x| *x = if *x < 0.0 { alpha * *x } else { *x }),
                Kernel::Ramp(alpha, beta) => v
                    .iter_mut()
                    .for_each(|x| *x = (alpha * *x + beta).clamp(0.0, 1.0)),
                Kernel::None => v
                    .iter_mut()
                    .for_each(|x| *x = (function.exact)(f64::from(*x)) as f32),
            }
            Data::F32(v)
        }
        (Data::F64(mut v), _) => {
            v.iter_mut().for_each(|x| *x = (function.exact)(*x));
            Data::F64(v)
        }
        (narrow @ (Data::F16(_) | Data::BF16(_)), _) => {
            let Some(Numbers::F32(v)) = narrow.numbers() else {
                return fault("it takes floats");
            };
            let v: Vec<f32> = v
                .iter()
                .map(|&x| (function.exact)(f64::from(x)) as f32)
                .collect();
            Numbers::F32(Cow::Owned(v)).narrow(ty)
        }
        // Scorecards and the like take the sigmoid of whole numbers in no version of ONNX.
        (other, _) => {
            return fault(format!(
                "it takes floats, and was given {}",
                other.ty().name()
            ));
        }
    };
    Ok(Tensor {
        shape: x.shape,
        data,
    })
}

fn integers(x: Tensor, each: fn(i64) -> i64) -> Result<Vec<crate::op::Value>> {
    let ty = x.ty();
    let data = match x.numbers()? {
        Numbers::I64(v) => Numbers::I64(v.iter().map(|&v| each(v)).collect()).narrow(ty),
        // In two's complement the functions that are here are the same for both.
        Numbers::U64(v) => Numbers::U64(
            v.iter()
                .map(|&v| {
                    if ty == Type::U64 {
                        each(v as i64) as u64
                    } else {
                        v
                    }
                })
                .collect(),
        )
        .narrow(ty),
        _ => return fault(format!("it takes integers, and was given {}", ty.name())),
    };
    one(Tensor {
        shape: x.shape,
        data,
    })
}

/// -1, 1, or what has no sign as it is, for floats of either width.
macro_rules! sign {
    () => {
        |&v| match v {
            v if v == 0.0 || v.is_nan() => v,
            v => v.signum(),
        }
    };
}

fn signed(name: &str, x: Tensor) -> Result<Tensor> {
    let ty = x.ty();
    let shape = x.shape.clone();
    let data = match (x.numbers()?, name) {
        (Numbers::F32(v), "Abs") => Numbers::F32(v.iter().map(|v| v.abs()).collect()),
        (Numbers::F32(v), "Neg") => Numbers::F32(v.iter().map(|v| -v).collect()),
        (Numbers::F32(v), _) => Numbers::F32(v.iter().map(sign!()).collect()),
        (Numbers::F64(v), "Abs") => Numbers::F64(v.iter().map(|v| v.abs()).collect()),
        (Numbers::F64(v), "Neg") => Numbers::F64(v.iter().map(|v| -v).collect()),
        (Numbers::F64(v), _) => Numbers::F64(v.iter().map(sign!()).collect()),
        (Numbers::I64(v), "Abs") => Numbers::I64(v.iter().map(|v| v.wrapping_abs()).collect()),
        (Numbers::I64(v), "Neg") => Numbers::I64(v.iter().map(|v| v.wrapping_neg()).collect()),
        (Numbers::I64(v), _) => Numbers::I64(v.iter().map(|v| v.signum()).collect()),
        (Numbers::U64(v), "Abs") => Numbers::U64(v),
        (Numbers::U64(v), "Neg") => Numbers::U64(v.iter().map(|v| v.wrapping_neg()).collect()),
        (Numbers::U64(v), _) => Numbers::U64(v.iter().map(|&v| v.min(1)).collect()),
    };
    Ok(Tensor {
        shape,
        data: data.narrow(ty),
    })
}

fn tested(x: &Tensor, test: impl Fn(f64) -> bool) -> Result<Vec<crate::op::Value>> {
    let found = match x.numbers()? {
        Numbers::F32(v) => v.iter().map(|&v| test(f64::from(v))).collect(),
        Numbers::F64(v) => v.iter().map(|&v| test(v)).collect(),
        _ => return fault("it takes floats"),
    };
    one(Tensor::bools(x.shape.clone(), found))
}
