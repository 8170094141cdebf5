//! Operators on each number, and on each pair of numbers.

use super::activation::{Map, Sigmoid, Tanh, map, maps};
use super::lanes::{Dot, Kernel, Lanes, dispatch};
use super::math::{Numbers, erf, exp};
use super::{Binary, Unary};

maps! {
    Abs |_k, x| x.abs();
    Neg |_k, x| x.neg();
    Exp |k, x| exp(k, x);
    Sqrt |_k, x| x.sqrt();
    Rsqrt |k, x| V::from_slice(&k.one).div(x.sqrt());
    Recip |k, x| V::from_slice(&k.one).div(x);
    Square |_k, x| x.mul(x);
    Erf |k, x| erf(k, x);
    Floor |_k, x| x.floor();
    Ceil |_k, x| x.ceil();
    Round |_k, x| x.round();
}

/// Applies `op` to each number.
pub fn unary(op: Unary, x: &mut [f32]) {
    struct Run<'a>(Unary, &'a mut [f32]);
    impl Kernel for Run<'_> {
        type Output = ();
        #[inline(always)]
        fn run<V: Dot>(self) {
            let Run(op, x) = self;
            match op {
                Unary::Abs => map::<V, _>(x, Abs),
                Unary::Neg => map::<V, _>(x, Neg),
                Unary::Exp => map::<V, _>(x, Exp),
                Unary::Sqrt => map::<V, _>(x, Sqrt),
                Unary::Rsqrt => map::<V, _>(x, Rsqrt),
                Unary::Recip => map::<V, _>(x, Recip),
                Unary::Square => map::<V, _>(x, Square),
                Unary::Erf => map::<V, _>(x, Erf),
                Unary::Tanh => map::<V, _>(x, Tanh),
                Unary::Sigmoid => map::<V, _>(x, Sigmoid),
                Unary::Floor => map::<V, _>(x, Floor),
                Unary::Ceil => map::<V, _>(x, Ceil),
                Unary::Round => map::<V, _>(x, Round),
                Unary::Ln => each(x, f32::ln),
                Unary::Sin => each(x, f32::sin),
                Unary::Cos => each(x, f32::cos),
                Unary::Sign => each(x, |x| {
                    if x > 0.0 {
                        1.0
                    } else if x < 0.0 {
                        -1.0
                    } else {
                        x
                    }
                }),
                Unary::Softplus => each(x, |x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
            }
        }
    }
    dispatch(Run(op, x));
}

/// What is rare enough to be taken one by one.
fn each(x: &mut [f32], f: impl Fn(f32) -> f32) {
    for x in x {
        *x = f(*x);
    }
}

/// A function of each pair of numbers, for every machine.
trait Zip: Copy {
    fn apply<V: Lanes>(self, a: V, b: V) -> V;
}

macro_rules! zips {
    ($($name:ident |$a:ident, $b:ident| $e:expr;)*) => {$(
        #[derive(Clone, Copy)]
        struct $name;
        impl Zip for $name {
            #[inline(always)]
            fn apply<V: Lanes>(self, $a: V, $b: V) -> V {
                $e
            }
        }
    )*};
}

zips! {
    Add |a, b| a.add(b);
    Sub |a, b| a.sub(b);
    Mul |a, b| a.mul(b);
    Div |a, b| a.div(b);
    Min |a, b| a.min(b);
    Max |a, b| a.max(b);
}

/// An operand: a number for each of the results, or one for all.
#[derive(Clone, Copy)]
enum Operand<'a> {
    Each(&'a [f32]),
    All(f32),
}

impl Operand<'_> {
    #[inline(always)]
    fn vector<V: Lanes>(self, at: usize) -> V {
        match self {
            Operand::Each(x) => V::from_slice(&x[at..]),
            Operand::All(x) => V::splat(x),
        }
    }

    #[inline(always)]
    fn number(self, at: usize) -> f32 {
        match self {
            Operand::Each(x) => x[at],
            Operand::All(x) => x,
        }
    }

    fn check(self, len: usize) {
        if let Operand::Each(x) = self {
            assert_eq!(x.len(), len, "an operand and the result differ in length");
        }
    }
}

/// `out[i] = op(a[i], b[i])`; all three have the same length.
pub fn binary(op: Binary, a: &[f32], b: &[f32], out: &mut [f32]) {
    pairs(op, Operand::Each(a), Operand::Each(b), out);
}

/// `out[i] = op(a[i], b)`.
pub fn binary_scalar(op: Binary, a: &[f32], b: f32, out: &mut [f32]) {
    pairs(op, Operand::Each(a), Operand::All(b), out);
}

/// `out[i] = op(a, b[i])`.
pub fn binary_scalar_left(op: Binary, a: f32, b: &[f32], out: &mut [f32]) {
    pairs(op, Operand::All(a), Operand::Each(b), out);
}

fn pairs(op: Binary, a: Operand, b: Operand, out: &mut [f32]) {
    struct Run<'a>(Binary, Operand<'a>, Operand<'a>, &'a mut [f32]);
    impl Kernel for Run<'_> {
        type Output = ();
        #[inline(always)]
        fn run<V: Dot>(self) {
            let Run(op, a, b, out) = self;
            match op {
                Binary::Add => zip::<V, _>(a, b, out, Add),
                Binary::Sub => zip::<V, _>(a, b, out, Sub),
                Binary::Mul => zip::<V, _>(a, b, out, Mul),
                Binary::Div => zip::<V, _>(a, b, out, Div),
                Binary::Min => zip::<V, _>(a, b, out, Min),
                Binary::Max => zip::<V, _>(a, b, out, Max),
                Binary::Pow => power(a, b, out),
            }
        }
    }
    a.check(out.len());
    b.check(out.len());
    dispatch(Run(op, a, b, out));
}

#[inline(always)]
fn zip<V: Lanes, F: Zip>(a: Operand, b: Operand, out: &mut [f32], f: F) {
    match (a, b) {
        // Each form has a loop of its own, without a choice in it.
        (Operand::Each(_), Operand::Each(_)) => zipped::<V, F>(a, b, out, f),
        (Operand::Each(_), Operand::All(_)) => zipped::<V, F>(a, b, out, f),
        (Operand::All(_), _) => zipped::<V, F>(a, b, out, f),
    }
}

#[inline(always)]
fn zipped<V: Lanes, F: Zip>(a: Operand, b: Operand, out: &mut [f32], f: F) {
    let whole = out.len() / V::N * V::N;
    for at in (0..whole).step_by(V::N) {
        f.apply::<V>(a.vector(at), b.vector(at))
            .to_slice(&mut out[at..]);
    }
    for (at, out) in out.iter_mut().enumerate().skip(whole) {
        *out = f
            .apply::<V>(V::splat(a.number(at)), V::splat(b.number(at)))
            .to_array()[0];
    }
}

/// Powers, of which the square and the root are common.
fn power(a: Operand, b: Operand, out: &mut [f32]) {
    for (i, out) in out.iter_mut().enumerate() {
        let x = a.number(i);
        *out = match b.number(i) {
            2.0 => x * x,
            0.5 if x >= 0.0 => x.sqrt(),
            y => x.powf(y),
        };
    }
}
