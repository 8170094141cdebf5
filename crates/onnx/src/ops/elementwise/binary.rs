//! Functions of pairs of elements, with broadcasting.

use smallfirst_kernels::{self as kernels, Binary};

use super::same;
use crate::broadcast::{Rows, common};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Data, Numbers, Tensor, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    let name = name.to_owned();
    match name.as_str() {
        "Add" | "Sub" | "Mul" | "Div" => {
            decl.operands(2, 2)?;
            op(move |x, _| {
                let second = x.value(1)?;
                x.0[1] = None;
                let first = x.take(0)?;
                same(first.ty(), second.ty())?;
                one(numbers(&name, first, &second)?)
            })
        }
        "Mod" => {
            decl.operands(2, 2)?;
            let truncated = decl.flag("fmod")?;
            let name = if truncated { "Fmod" } else { "Mod" };
            op(move |x, _| {
                let first = x.take(0)?;
                same(first.ty(), x.get(1)?.ty())?;
                one(numbers(name, first, x.get(1)?)?)
            })
        }
        "Pow" => {
            decl.operands(2, 2)?;
            op(|x, _| {
                let first = x.take(0)?;
                one(power(first, x.get(1)?)?)
            })
        }
        "Max" | "Min" | "Sum" | "Mean" => {
            decl.operands(1, usize::MAX)?;
            op(move |x, _| {
                let (step, mean) = match name.as_str() {
                    "Sum" => ("Add", false),
                    "Mean" => ("Add", true),
                    other => (other, false),
                };
                let all = x.len();
                let mut sum = x.take(0)?;
                for at in 1..all {
                    same(sum.ty(), x.get(at)?.ty())?;
                    sum = numbers(step, sum, x.get(at)?)?;
                }
                if mean {
                    let by = super::cast(&Tensor::i64(Vec::new(), vec![all as i64]), sum.ty())?;
                    sum = numbers("Div", sum, &by)?;
                }
                one(sum)
            })
        }
        "PRelu" => {
            decl.operands(2, 2)?;
            op(move |x, _| {
                let first = x.take(0)?;
                same(first.ty(), x.get(1)?.ty())?;
                one(numbers(&name, first, x.get(1)?)?)
            })
        }
        "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" => {
            decl.operands(2, 2)?;
            op(move |x, _| {
                let first = x.take(0)?;
                same(first.ty(), x.get(1)?.ty())?;
                one(numbers(&name, first, x.get(1)?)?)
            })
        }
        "BitShift" => {
            decl.operands(2, 2)?;
            let name = match decl.text("direction")?.as_deref() {
                Some("LEFT") => "Left",
                Some("RIGHT") => "Right",
                _ => return fault("its direction is neither LEFT nor RIGHT"),
            };
            op(move |x, _| {
                let first = x.take(0)?;
                same(first.ty(), x.get(1)?.ty())?;
                let bits = 8 * first.ty().size() as u64;
                one(shifted(name, bits, first, x.get(1)?)?)
            })
        }
        "SwiGLU" => {
            decl.operands(2, 2)?;
            let gate = super::unary::function("Swish", decl)?.ok_or("there is no gate")?;
            op(move |x, _| {
                let first = super::unary::floats(x.take(0)?, &gate)?;
                let second = x.get(1)?;
                if first.shape != second.shape || first.ty() != second.ty() {
                    return fault("its operands are not of one shape and type");
                }
                one(numbers("Mul", first, second)?)
            })
        }
        "And" | "Or" | "Xor" => {
            decl.operands(2, 2)?;
            op(move |x, _| one(truths(&name, x.get(0)?, x.get(1)?)?))
        }
        "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" => {
            decl.operands(2, 2)?;
            op(move |x, _| one(compared(&name, x.get(0)?, x.get(1)?)?))
        }
        _ => Ok(None),
    }
}

fn zip<T: Copy, U>(
    a: &[T],
    b: &[T],
    shapes: [&[usize]; 2],
    to: &[usize],
    f: impl Fn(T, T) -> U,
) -> Vec<U> {
    let rows = Rows::new(to, shapes);
    let mut out = Vec::with_capacity(to.iter().product());
    rows.each(|_, [i, j]| match rows.step {
        [1, 1] => out.extend(
            a[i..i + rows.len]
                .iter()
                .zip(&b[j..j + rows.len])
                .map(|(&x, &y)| f(x, y)),
        ),
        [p, q] => out.extend((0..rows.len).map(|at| f(a[i + at * p], b[j + at * q]))),
    });
    out
}

/// As [`zip`], for what may fail.
fn try_zip<T: Copy>(
    a: &[T],
    b: &[T],
    shapes: [&[usize]; 2],
    to: &[usize],
    f: impl Fn(T, T) -> Option<T>,
) -> Result<Vec<T>> {
    zip(a, b, shapes, to, f)
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(|| "an integer is divided by zero".into())
}

/// The functions of floats of one width by their names.
macro_rules! of_floats {
    ($name:expr, $float:ty, $floored:expr) => {{
        let f: fn($float, $float) -> $float = match $name {
            "Add" => |x, y| x + y,
            "Sub" => |x, y| x - y,
            "Mul" => |x, y| x * y,
            "Div" => |x, y| x / y,
            "Max" => |x, y| if x > y || x.is_nan() { x } else { y },
            "Min" => |x, y| if x < y || x.is_nan() { x } else { y },
            "Fmod" => |x, y| x % y,
            "Mod" => $floored,
            "PRelu" => |x, y| if x < 0.0 { x * y } else { x },
            _ => return fault("it takes integers"),
        };
        f
    }};
}

/// A function of numbers by its name. The first operand's buffer takes the result where it can.
pub(super) fn numbers(name: &str, mut first: Tensor, second: &Tensor) -> Result<Tensor> {
    let shape = common([&first.shape[..], &second.shape])?;
    count(&shape)?;
    if let (Data::F32(x), Data::F32(y)) = (&mut first.data, &second.data)
        && first.shape == shape
        && in_place(name, x, y, &Rows::new(&shape, [&shape, &second.shape]))
    {
        return Ok(first);
    }
    if first.shape == shape {
        let rows = Rows::new(&shape, [&shape, &second.shape]);
        let done = match (&mut first.data, &second.data) {
            (Data::I32(x), Data::I32(y)) => whole_in_place(name, x, y, &rows),
            (Data::I64(x), Data::I64(y)) => whole_in_place(name, x, y, &rows),
            _ => false,
        };
        if done {
            return Ok(first);
        }
    }
    let ty = first.ty();
    let kernel = match name {
        "Add" => Some(Binary::Add),
        "Sub" => Some(Binary::Sub),
        "Mul" => Some(Binary::Mul),
        "Div" => Some(Binary::Div),
        _ => None,
    };
    if let (Data::F32(x), Data::F32(y), Some(kernel)) = (&first.data, &second.data, kernel) {
        let data = floats(kernel, x, y, [&first.shape, &second.shape], &shape);
        return Ok(Tensor {
            shape,
            data: Data::F32(data),
        });
    }
    let shapes = [&first.shape[..], &second.shape[..]];
    let data = match (first.numbers()?, second.numbers()?) {
        (Numbers::F32(x), Numbers::F32(y)) => {
            let f = of_floats!(name, f32, floored_f32);
            Numbers::F32(zip(&x, &y, shapes, &shape, f).into())
        }
        (Numbers::F64(x), Numbers::F64(y)) => {
            let f = of_floats!(name, f64, floored);
            Numbers::F64(zip(&x, &y, shapes, &shape, f).into())
        }
        (Numbers::I64(x), Numbers::I64(y)) => {
            let f: fn(i64, i64) -> Option<i64> = match name {
                "Add" => |x, y| Some(x.wrapping_add(y)),
                "Sub" => |x, y| Some(x.wrapping_sub(y)),
                "Mul" => |x, y| Some(x.wrapping_mul(y)),
                "Div" => |x, y| (y != 0).then(|| x.wrapping_div(y)),
                "Max" => |x, y| Some(x.max(y)),
                "Min" => |x, y| Some(x.min(y)),
                // The sign of the divisor, as in Python.
                "Mod" => |x, y| (y != 0).then(|| x.wrapping_rem(y).wrapping_add(y).wrapping_rem(y)),
                "Fmod" => |x, y| (y != 0).then(|| x.wrapping_rem(y)),
                "PRelu" => |x, y| Some(if x < 0 { x.wrapping_mul(y) } else { x }),
                "BitwiseAnd" => |x, y| Some(x & y),
                "BitwiseOr" => |x, y| Some(x | y),
                _ => |x, y| Some(x ^ y),
            };
            Numbers::I64(try_zip(&x, &y, shapes, &shape, f)?.into())
        }
        (Numbers::U64(x), Numbers::U64(y)) => {
            let f: fn(u64, u64) -> Option<u64> = match name {
                "Add" => |x, y| Some(x.wrapping_add(y)),
                "Sub" => |x, y| Some(x.wrapping_sub(y)),
                "Mul" => |x, y| Some(x.wrapping_mul(y)),
                "Div" => |x, y| x.checked_div(y),
                "Max" => |x, y| Some(x.max(y)),
                "Min" => |x, y| Some(x.min(y)),
                "Mod" | "Fmod" => |x, y| x.checked_rem(y),
                "PRelu" => |x, _| Some(x),
                "BitwiseAnd" => |x, y| Some(x & y),
                "BitwiseOr" => |x, y| Some(x | y),
                _ => |x, y| Some(x ^ y),
            };
            Numbers::U64(try_zip(&x, &y, shapes, &shape, f)?.into())
        }
        _ => {
            return fault(format!(
                "its operands are of {} and {}",
                ty.name(),
                second.ty().name()
            ));
        }
    };
    Ok(Tensor {
        shape,
        data: data.narrow(ty),
    })
}

/// The remainder with the divisor's sign, a zero too (opset 28).
fn floored(x: f64, y: f64) -> f64 {
    match x % y {
        rest if rest == 0.0 => rest.copysign(y),
        rest if (rest < 0.0) != (y < 0.0) => rest + y,
        rest => rest,
    }
}

fn floored_f32(x: f32, y: f32) -> f32 {
    floored(f64::from(x), f64::from(y)) as f32
}

/// A function over the first operand's buffer, which has the result's shape.
fn each<T: Copy>(x: &mut [T], y: &[T], rows: &Rows<2>, f: impl Fn(T, T) -> T) {
    rows.each(|_, [i, j]| {
        let x = &mut x[i..i + rows.len];
        match rows.step[1] {
            0 => {
                let y = y[j];
                x.iter_mut().for_each(|x| *x = f(*x, y));
            }
            1 => {
                let pairs = x.iter_mut().zip(&y[j..j + rows.len]);
                pairs.for_each(|(x, &y)| *x = f(*x, y));
            }
            step => {
                let pairs = x.iter_mut().zip(y[j..].iter().step_by(step));
                pairs.for_each(|(x, &y)| *x = f(*x, y));
            }
        }
    });
}

/// Integers whose sums, differences and products wrap.
trait Whole: Copy {
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
}

macro_rules! whole {
    ($($ty:ident),*) => {$(
        impl Whole for $ty {
            fn add(self, other: $ty) -> $ty {
                self.wrapping_add(other)
            }
            fn sub(self, other: $ty) -> $ty {
                self.wrapping_sub(other)
            }
            fn mul(self, other: $ty) -> $ty {
                self.wrapping_mul(other)
            }
        }
    )*};
}
whole!(i32, i64);

/// The commonest functions of integers. Whether it is one of those.
fn whole_in_place<T: Whole>(name: &str, x: &mut [T], y: &[T], rows: &Rows<2>) -> bool {
    match name {
        "Add" => each(x, y, rows, T::add),
        "Sub" => each(x, y, rows, T::sub),
        "Mul" => each(x, y, rows, T::mul),
        _ => return false,
    }
    true
}

/// The commonest functions of floats. Whether it is one of those.
fn in_place(name: &str, x: &mut [f32], y: &[f32], rows: &Rows<2>) -> bool {
    match name {
        "Add" => each(x, y, rows, |x, y| x + y),
        "Sub" => each(x, y, rows, |x, y| x - y),
        "Mul" => each(x, y, rows, |x, y| x * y),
        "Div" => each(x, y, rows, |x, y| x / y),
        "Max" => each(x, y, rows, |x, y| if x > y || x.is_nan() { x } else { y }),
        "Min" => each(x, y, rows, |x, y| if x < y || x.is_nan() { x } else { y }),
        "PRelu" => each(x, y, rows, |x, y| if x < 0.0 { x * y } else { x }),
        _ => return false,
    }
    true
}

/// The four operators of 32-bit floats, by the kernels.
fn floats(kernel: Binary, x: &[f32], y: &[f32], shapes: [&[usize]; 2], to: &[usize]) -> Vec<f32> {
    let rows = Rows::new(to, shapes);
    let mut out = vec![0.0; to.iter().product()];
    rows.each(|at, [i, j]| {
        let out = &mut out[at..at + rows.len];
        match rows.step {
            [1, 1] => kernels::binary(kernel, &x[i..i + rows.len], &y[j..j + rows.len], out),
            [1, 0] => kernels::binary_scalar(kernel, &x[i..i + rows.len], y[j], out),
            [0, 1] => kernels::binary_scalar_left(kernel, x[i], &y[j..j + rows.len], out),
            [p, q] => {
                for (at, out) in out.iter_mut().enumerate() {
                    kernels::binary_scalar(
                        kernel,
                        &x[i + at * p..=i + at * p],
                        y[j + at * q],
                        std::slice::from_mut(out),
                    );
                }
            }
        }
    });
    out
}

/// The exponent may be of another type than the base.
fn power(mut first: Tensor, second: &Tensor) -> Result<Tensor> {
    let shape = common([&first.shape[..], &second.shape])?;
    count(&shape)?;
    // Most are one number for all, and few are.
    if let Data::F32(x) = &mut first.data
        && second.len() == 1
        && first.shape == shape
        && let Some(power) = exponent(second)
    {
        power(x);
        return Ok(first);
    }
    let ty = first.ty();
    let shapes = [&first.shape[..], &second.shape[..]];
    if let (Numbers::I64(x), Numbers::I64(y)) = (first.numbers()?, second.numbers()?) {
        let f = |x: i64, y: i64| match u32::try_from(y) {
            Ok(y) => x.wrapping_pow(y),
            Err(_) => match x {
                1 => 1,
                -1 if y % 2 == 0 => 1,
                -1 => -1,
                _ => 0,
            },
        };
        return Ok(Tensor {
            data: Numbers::I64(zip(&x, &y, shapes, &shape, f).into()).narrow(ty),
            shape,
        });
    }
    let wide = |t: &Tensor| -> Result<Vec<f64>> {
        Ok(match t.numbers()? {
            Numbers::F32(v) => v.iter().map(|&v| f64::from(v)).collect(),
            Numbers::F64(v) => v.into_owned(),
            Numbers::I64(v) => v.iter().map(|&v| v as f64).collect(),
            Numbers::U64(v) => v.iter().map(|&v| v as f64).collect(),
        })
    };
    let powers = zip(&wide(&first)?, &wide(second)?, shapes, &shape, |x, y| {
        if y == 2.0 { x * x } else { x.powf(y) }
    });
    super::cast(&Tensor::new(shape, Data::F64(powers))?, ty)
}

/// The powers that a few instructions compute, over floats.
fn exponent(of: &Tensor) -> Option<fn(&mut [f32])> {
    fn each(x: &mut [f32], f: impl Fn(f32) -> f32) {
        x.iter_mut().for_each(|x| *x = f(*x));
    }
    let of = match of.numbers().ok()? {
        Numbers::F32(v) => f64::from(v[0]),
        Numbers::F64(v) => v[0],
        Numbers::I64(v) => v[0] as f64,
        Numbers::U64(v) => v[0] as f64,
    };
    Some(match of {
        1.0 => |_| (),
        2.0 => |x| each(x, |x| x * x),
        3.0 => |x| each(x, |x| x * x * x),
        -1.0 => |x| each(x, |x| 1.0 / x),
        _ => return None,
    })
}

/// Bits that are shifted out are lost. By as many as there are or more, or by less than none, only signs stay (opset 28; older
/// ones leave it open).
fn shifted(name: &str, bits: u64, first: Tensor, second: &Tensor) -> Result<Tensor> {
    let shape = common([&first.shape[..], &second.shape])?;
    count(&shape)?;
    let ty = first.ty();
    let shapes = [&first.shape[..], &second.shape[..]];
    let data = match (first.numbers()?, second.numbers()?) {
        (Numbers::I64(x), Numbers::I64(y)) => {
            let left = name == "Left";
            let f = |x: i64, y: i64| match u32::try_from(y) {
                Ok(y) if u64::from(y) < bits && left => x.wrapping_shl(y),
                Ok(y) if u64::from(y) < bits => x.wrapping_shr(y),
                _ if left || x >= 0 => 0,
                _ => -1,
            };
            Numbers::I64(zip(&x, &y, shapes, &shape, f).into())
        }
        (Numbers::U64(x), Numbers::U64(y)) => {
            let left = name == "Left";
            let f = |x: u64, y: u64| match u32::try_from(y) {
                Ok(y) if y < 64 => {
                    if left {
                        x << y
                    } else {
                        x >> y
                    }
                }
                _ => 0,
            };
            Numbers::U64(zip(&x, &y, shapes, &shape, f).into())
        }
        _ => return fault("it takes integers"),
    };
    Ok(Tensor {
        shape,
        data: data.narrow(ty),
    })
}

fn truths(name: &str, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let shape = common([&a.shape[..], &b.shape])?;
    count(&shape)?;
    let f: fn(bool, bool) -> bool = match name {
        "And" => |x, y| x && y,
        "Or" => |x, y| x || y,
        _ => |x, y| x != y,
    };
    let found = zip(a.truths()?, b.truths()?, [&a.shape, &b.shape], &shape, f);
    Ok(Tensor::bools(shape, found))
}

fn compared(name: &str, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    same(a.ty(), b.ty())?;
    let shape = common([&a.shape[..], &b.shape])?;
    count(&shape)?;
    let shapes = [&a.shape[..], &b.shape[..]];
    fn test<T: PartialOrd>(name: &str) -> fn(T, T) -> bool {
        match name {
            "Equal" => |x, y| x == y,
            "Greater" => |x, y| x > y,
            "GreaterOrEqual" => |x, y| x >= y,
            "Less" => |x, y| x < y,
            _ => |x, y| x <= y,
        }
    }
    let found = match (&a.data, &b.data) {
        (Data::Bool(x), Data::Bool(y)) => zip(x, y, shapes, &shape, test::<bool>(name)),
        (Data::Text(x), Data::Text(y)) => {
            let (x, y): (Vec<&str>, Vec<&str>) = (
                x.iter().map(String::as_str).collect(),
                y.iter().map(String::as_str).collect(),
            );
            zip(&x, &y, shapes, &shape, test::<&str>(name))
        }
        _ => match (a.numbers()?, b.numbers()?) {
            (Numbers::F32(x), Numbers::F32(y)) => zip(&x, &y, shapes, &shape, test::<f32>(name)),
            (Numbers::F64(x), Numbers::F64(y)) => zip(&x, &y, shapes, &shape, test::<f64>(name)),
            (Numbers::I64(x), Numbers::I64(y)) => zip(&x, &y, shapes, &shape, test::<i64>(name)),
            (Numbers::U64(x), Numbers::U64(y)) => zip(&x, &y, shapes, &shape, test::<u64>(name)),
            _ => return fault("it compares different types"),
        },
    };
    Ok(Tensor::bools(shape, found))
}
