//! Fourier transforms and windows.

mod fourier;
#[cfg(test)]
mod tests;

use std::f64::consts::PI;

use fourier::{Complex, Fourier};

use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, one, op};
use crate::tensor::{Data, Numbers, Tensor, Type, axis, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "DFT" => dft(decl),
        "STFT" => stft(decl),
        "HannWindow" => window(decl, [0.5, 0.5, 0.0]),
        "HammingWindow" => window(decl, [25.0 / 46.0, 21.0 / 46.0, 0.0]),
        "BlackmanWindow" => window(decl, [0.42, 0.5, 0.08]),
        "MelWeightMatrix" => mel(decl),
        _ => Ok(None),
    }
}

/// Numbers of 64 bits in the type that a node asks for; integers lose what is behind the point.
fn cast(values: Vec<f64>, ty: Type) -> Result<Data> {
    Ok(match ty {
        Type::Text | Type::Bool => return fault(format!("it does not give {}", ty.name())),
        ty if ty.is_float() => Numbers::F64(values.into()).narrow(ty),
        ty => Numbers::I64(values.into_iter().map(|v| v as i64).collect()).narrow(ty),
    })
}

fn wide(x: &Tensor) -> Result<Vec<f64>> {
    match x.numbers()? {
        Numbers::F32(v) => Ok(v.iter().map(|&v| v.into()).collect()),
        Numbers::F64(v) => Ok(v.into_owned()),
        _ => fault(format!("an operand is of {}, not of floats", x.ty().name())),
    }
}

/// A length that is at least 1.
fn length(x: &Tensor, what: &str) -> Result<usize> {
    let length = x.scalar_int()?;
    match usize::try_from(length) {
        Ok(n) if n > 0 => Ok(n),
        _ => fault(format!("{length} is no {what}")),
    }
}

/// Windows that are sums of cosines: `a - b cos(x) + c cos(2 x)`.
fn window(decl: &Decl<'_>, [a, b, c]: [f64; 3]) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let periodic = decl.int_or("periodic", 1)? != 0;
    let ty = decl.ty("output_datatype")?.unwrap_or(Type::F32);
    op(move |x, context| {
        let size = x.get(0)?.scalar_int()?;
        let size = usize::try_from(size).map_err(|_| format!("{size} is no length of a window"))?;
        count(&[size])?;
        if size == 1 && !periodic {
            return fault("a symmetric window of one element is not defined");
        }
        context.spend(8 * size as u64)?;
        let turn = 2.0 * PI
            / if periodic {
                size
            } else {
                size.saturating_sub(1)
            } as f64;
        let at = |n: usize| {
            let x = n as f64 * turn;
            a - b * x.cos() + c * (2.0 * x).cos()
        };
        one(Tensor::new(
            vec![size],
            cast((0..size).map(at).collect(), ty)?,
        )?)
    })
}

fn dft(decl: &Decl<'_>) -> Result<Option<Op>> {
    let own = decl.version < 20;
    decl.operands(1, if own { 2 } else { 3 })?;
    let fixed = if own {
        Some(decl.int_or("axis", 1)?)
    } else {
        None
    };
    let inverse = decl.flag("inverse")?;
    let onesided = decl.flag("onesided")?;
    op(move |x, context| {
        let along = match (fixed, x.opt(2)) {
            (Some(fixed), _) => fixed,
            (None, Some(given)) => given.scalar_int()?,
            (None, None) => -2,
        };
        let given = x
            .opt(1)
            .map(|n| length(n, "length of a transform"))
            .transpose()?;
        let signal = x.get(0)?;
        let along = axis(along, signal.rank())?;
        let parts = signal.shape[signal.rank() - 1];
        if along + 1 == signal.rank() || !matches!(parts, 1 | 2) {
            return fault(format!(
                "the shape {:?} is not one of real or complex signals along the axis {along}",
                signal.shape
            ));
        }
        if onesided && parts != if inverse { 2 } else { 1 } {
            return fault("one side of a spectrum is not of a signal of this kind");
        }
        let (before, len, after) = signal.around(along);
        let after = after / parts;
        let n = match given {
            Some(n) => n,
            None if inverse && onesided => 2 * len.saturating_sub(1),
            None => len,
        };
        if n == 0 {
            return fault("a transform of no values is not defined");
        }
        let kept = if onesided && !inverse { n / 2 + 1 } else { n };
        let out_parts = if onesided && inverse { 1 } else { 2 };
        let mut shape = signal.shape.clone();
        shape[along] = kept;
        shape[signal.rank() - 1] = out_parts;
        let mut out = vec![0.0; count(&shape)?];
        let values = wide(signal)?;
        let mut fourier = Fourier::new(n, inverse, context)?;
        let mut line = vec![Complex::default(); n];
        for b in 0..before {
            for a in 0..after {
                let place =
                    |at: usize, len: usize, parts: usize| ((b * len + at) * after + a) * parts;
                line.fill(Complex::default());
                for (at, to) in line.iter_mut().enumerate().take(len) {
                    let from = place(at, len, parts);
                    to.re = values[from];
                    to.im = if parts == 2 { values[from + 1] } else { 0.0 };
                }
                if onesided && inverse {
                    mirror(&mut line);
                }
                fourier.run(&mut line, context)?;
                for (at, from) in line.iter().enumerate().take(kept) {
                    let to = place(at, kept, out_parts);
                    out[to] = from.re;
                    if out_parts == 2 {
                        out[to + 1] = from.im;
                    }
                }
            }
        }
        one(Tensor::new(shape, cast(out, signal.ty())?)?)
    })
}

/// The other half of a real signal's spectrum, of its first half.
fn mirror(line: &mut [Complex]) {
    let n = line.len();
    line[0].im = 0.0;
    for at in 1..=n / 2 {
        let (own, other) = (line[at], n - at);
        // In the middle of an even length is a value that must be real.
        line[other] = Complex {
            re: own.re,
            im: if other == at { 0.0 } else { -own.im },
        };
    }
}

fn stft(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 4)?;
    let onesided = decl.int_or("onesided", 1)? != 0;
    op(move |x, context| one(frames(x, onesided, context)?))
}

fn frames(x: &crate::op::Inputs, onesided: bool, context: &mut Context) -> Result<Tensor> {
    let signal = x.get(0)?;
    let [batch, len, parts @ (1 | 2)] = signal.shape[..] else {
        return fault(format!(
            "the shape {:?} is not one of real or complex signals",
            signal.shape
        ));
    };
    if onesided && parts == 2 {
        return fault("one side of the spectrum of a complex signal is not defined");
    }
    let step = length(x.get(1)?, "step between frames")?;
    let window = x.opt(2).filter(|w| !w.is_empty()).map(wide).transpose()?;
    let frame = match (x.opt(3), &window) {
        (Some(given), _) => length(given, "length of frames")?,
        (None, Some(window)) => window.len(),
        (None, None) => len,
    };
    if window.as_ref().is_some_and(|w| w.len() != frame) {
        return fault("its window has another length than its frames");
    }
    if frame == 0 || frame > len {
        return fault(format!("frames of {frame} are not in a signal of {len}"));
    }
    let frames = (len - frame) / step + 1;
    let kept = if onesided { frame / 2 + 1 } else { frame };
    let shape = vec![batch, frames, kept, 2];
    let mut out = Vec::with_capacity(count(&shape)?);
    let values = wide(signal)?;
    let mut fourier = Fourier::new(frame, false, context)?;
    let mut line = vec![Complex::default(); frame];
    for batch in values.chunks_exact(len * parts) {
        for at in 0..frames {
            let own = batch[at * step * parts..].chunks_exact(parts);
            for (to, from) in line.iter_mut().zip(own) {
                to.re = from[0];
                to.im = if parts == 2 { from[1] } else { 0.0 };
            }
            if let Some(window) = &window {
                for (to, w) in line.iter_mut().zip(window) {
                    to.re *= w;
                    to.im *= w;
                }
            }
            fourier.run(&mut line, context)?;
            out.extend(line[..kept].iter().flat_map(|c| [c.re, c.im]));
        }
    }
    Tensor::new(shape, cast(out, signal.ty())?)
}

fn mel(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(5, 5)?;
    let ty = decl.ty("output_datatype")?.unwrap_or(Type::F32);
    op(move |x, context| {
        let bands = length(x.get(0)?, "number of bands")?;
        let n = length(x.get(1)?, "length of a transform")?;
        let rate = length(x.get(2)?, "rate")?;
        let edge = |at: usize| match wide(x.get(at)?)?[..] {
            [hertz] if hertz >= 0.0 && hertz.is_finite() => {
                Ok(2595.0 * (1.0 + hertz / 700.0).log10())
            }
            _ => fault("its edges are not frequencies"),
        };
        let (low, high) = (edge(3)?, edge(4)?);
        let shape = vec![n / 2 + 1, bands];
        let mut out = vec![0.0; count(&shape)?];
        context.spend(out.len() as u64 + 16 * bands as u64)?;
        let step = (high - low) / (bands as f64 + 2.0);
        let bin = |at: usize| {
            let hertz = 700.0 * (10f64.powf((low + at as f64 * step) / 2595.0) - 1.0);
            let bin = ((n as f64 + 1.0) * hertz / rate as f64).floor();
            if (0.0..=(n / 2) as f64).contains(&bin) {
                Ok(bin as usize)
            } else {
                fault("its bands are beyond half the rate")
            }
        };
        for band in 0..bands {
            let (left, centre, right) = (bin(band)?, bin(band + 1)?, bin(band + 2)?);
            if left > centre || centre > right {
                return fault("its upper edge is below its lower one");
            }
            if left == centre {
                out[centre * bands + band] = 1.0;
            }
            for at in left..=centre {
                if centre > left {
                    out[at * bands + band] = (at - left) as f64 / (centre - left) as f64;
                }
            }
            for at in centre..right {
                out[at * bands + band] = (right - at) as f64 / (right - centre) as f64;
            }
        }
        one(Tensor::new(shape, cast(out, ty)?)?)
    })
}
