//! Activations: on a slice, and on the columns of a product that has just been computed.

use super::Activation;
use super::lanes::{Dot, Kernel, Lanes, dispatch};
use super::math::{Numbers, erf, exp, numbers, sigmoid, tanh};

/// A function of each number, for every machine.
///
/// A trait and not a closure: a closure could not be told to be inlined always.
pub trait Map: Copy {
    fn apply<V: Lanes>(self, k: &Numbers, x: V) -> V;
}

/// Applies `f` to each number.
#[inline(always)]
pub fn map<V: Lanes, F: Map>(x: &mut [f32], f: F) {
    let k = numbers();
    // Two at a time, for which the constants are read once.
    let mut pairs = x.chunks_exact_mut(2 * V::N);
    for pair in &mut pairs {
        let (a, b) = pair.split_at_mut(V::N);
        let (x, y) = (f.apply(k, V::from_slice(a)), f.apply(k, V::from_slice(b)));
        x.to_slice(a);
        y.to_slice(b);
    }
    let mut chunks = pairs.into_remainder().chunks_exact_mut(V::N);
    for chunk in &mut chunks {
        f.apply(k, V::from_slice(chunk)).to_slice(chunk);
    }
    let rest = chunks.into_remainder();
    if !rest.is_empty() {
        let mut buffer = [0.0; 8];
        buffer[..rest.len()].copy_from_slice(rest);
        f.apply(k, V::from_slice(&buffer)).to_slice(&mut buffer);
        rest.copy_from_slice(&buffer[..rest.len()]);
    }
}

macro_rules! maps {
    ($($(#[$doc:meta])* $name:ident $(($($field:ident),+))? |$k:ident, $x:ident| $e:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name $(($(maps!(@f32 $field)),+))?;
        impl Map for $name {
            #[inline(always)]
            fn apply<V: Lanes>(self, $k: &Numbers, $x: V) -> V {
                $(let $name($($field),+) = self;)?
                $e
            }
        }
    )*};
    (@f32 $field:ident) => { f32 };
}
pub(super) use maps;

maps! {
    Clamped(low, high) |_k, x| x.max(V::splat(low)).min(V::splat(high));
    Gelu |k, x| {
        let half = x.mul(V::from_slice(&k.half));
        half.mul_add(erf(k, x.mul(V::from_slice(&k.root_half))), half)
    };
    /// Half of the tangent of `u` and 1 is the sigmoid of `2u`.
    GeluTanh |k, x| {
        let u = x.mul(x).mul_add(V::from_slice(&k.gelu_cubic), V::from_slice(&k.gelu_linear));
        x.mul(sigmoid(k, x.mul(u)))
    };
    Tanh |k, x| tanh(k, x);
    Sigmoid |k, x| sigmoid(k, x);
    Silu |k, x| x.div(exp(k, x.neg()).add(V::from_slice(&k.one)));
    HardSigmoid |k, x| hard_sigmoid(k, x);
    HardSwish |k, x| x.mul(hard_sigmoid(k, x));
}

#[inline(always)]
fn hard_sigmoid<V: Lanes>(k: &Numbers, x: V) -> V {
    x.mul_add(V::from_slice(&k.sixth), V::from_slice(&k.half))
        .max(V::splat(0.0))
        .min(V::from_slice(&k.one))
}

/// Applies an activation to each number.
pub fn activate(x: &mut [f32], activation: Activation) {
    struct Run<'a>(&'a mut [f32], Activation);
    impl Kernel for Run<'_> {
        type Output = ();
        #[inline(always)]
        fn run<V: Dot>(self) {
            match self.1 {
                Activation::Relu => map::<V, _>(self.0, Clamped(0.0, f32::INFINITY)),
                Activation::Clamp(low, high) => map::<V, _>(self.0, Clamped(low, high)),
                activation => curve::<V>(self.0, activation),
            }
        }
    }
    dispatch(Run(x, activation));
}

/// Whether it is more than bounds, so that [`curve`] has something to do.
#[inline(always)]
pub fn is_curve(activation: Activation) -> bool {
    !matches!(
        activation,
        Activation::None | Activation::Relu | Activation::Clamp(..)
    )
}

/// Applies what is more than bounds.
#[inline(always)]
pub fn curve<V: Dot>(x: &mut [f32], activation: Activation) {
    match activation {
        Activation::None | Activation::Relu | Activation::Clamp(..) => {}
        Activation::Gelu => V::call(Mapped(x, Gelu)),
        Activation::GeluTanh => V::call(Mapped(x, GeluTanh)),
        Activation::Tanh => V::call(Mapped(x, Tanh)),
        Activation::Sigmoid => V::call(Mapped(x, Sigmoid)),
        Activation::Silu => V::call(Mapped(x, Silu)),
        Activation::HardSigmoid => V::call(Mapped(x, HardSigmoid)),
        Activation::HardSwish => V::call(Mapped(x, HardSwish)),
    }
}

/// A function to be applied.
struct Mapped<'a, F>(&'a mut [f32], F);

impl<F: Map> Kernel for Mapped<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<V: Dot>(self) {
        map::<V, F>(self.0, self.1);
    }
}
