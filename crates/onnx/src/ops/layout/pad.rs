//! More around a tensor, or less.

use super::fill::repeated;
use super::{List, Places, axes, pick};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::ops::elementwise::cast;
use crate::tensor::{Data, Tensor, Type, count, map, strides};

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Constant,
    Reflect,
    Edge,
    Wrap,
}

pub(super) fn pad(decl: &Decl<'_>) -> Result<Option<Op>> {
    let attributes = decl.version < 11;
    let most = match decl.version {
        ..11 => 1,
        11..18 => 3,
        _ => 4,
    };
    decl.operands(if attributes { 1 } else { 2 }, most)?;
    let mode = match decl.text_or("mode", "constant")?.as_str() {
        "constant" => Mode::Constant,
        "reflect" => Mode::Reflect,
        "edge" => Mode::Edge,
        "wrap" if decl.version >= 19 => Mode::Wrap,
        other => return fault(format!("its attribute mode {other} is not supported")),
    };
    let pads = List::before(decl, 11, "pads", 1)?;
    if !pads.is_given() {
        return fault("its pads are missing");
    }
    let value = match attributes {
        true => Some(Tensor::f32(Vec::new(), vec![decl.float_or("value", 0.0)?])),
        false => None,
    };
    op(move |x, _| {
        let pads = pads.get(x)?.unwrap_or_default();
        let whole = x.get(0)?;
        let rank = whole.rank();
        let along = match x.opt(3) {
            Some(list) => axes(&list.ints()?, rank)?,
            None => (0..rank).collect(),
        };
        if pads.len() != 2 * along.len() {
            return fault(format!(
                "{} pads are not two for each of {} axes",
                pads.len(),
                along.len()
            ));
        }
        let mut around = vec![(0, 0); rank];
        for (i, &at) in along.iter().enumerate() {
            around[at] = (pads[i], pads[along.len() + i]);
        }
        if around.iter().all(|&pair| pair == (0, 0)) {
            return Ok(vec![x.value(0)?]);
        }
        let fill = match (&value, x.opt(2)) {
            (Some(value), _) => Some(cast(value, whole.ty())?),
            (None, Some(value)) if value.ty() != whole.ty() => {
                return fault(format!(
                    "it pads {} with {}",
                    whole.ty().name(),
                    value.ty().name()
                ));
            }
            (None, Some(value)) if value.len() > 1 => {
                return fault(format!("it pads with {} values", value.len()));
            }
            (None, value) => value.filter(|value| !value.is_empty()).cloned(),
        };
        one(padded(whole, &around, mode, fill.as_ref())?)
    })
}

fn padded(x: &Tensor, around: &[(i64, i64)], mode: Mode, fill: Option<&Tensor>) -> Result<Tensor> {
    // Negative pads cut first, so that the others see what is left.
    let mut cut = Vec::with_capacity(x.rank());
    let mut shape = Vec::with_capacity(x.rank());
    for (&len, &(before, after)) in x.shape.iter().zip(around) {
        let range = i128::from(before.min(0).unsigned_abs())
            ..len as i128 - i128::from(after.min(0).unsigned_abs());
        if range.start > range.end {
            return fault(format!("its pads cut more than {len}"));
        }
        let kept = (range.end - range.start) as usize;
        let whole = kept as i128 + i128::from(before.max(0)) + i128::from(after.max(0));
        shape.push(usize::try_from(whole).map_err(|_| "its pads are too large")?);
        cut.push((range.start as usize, kept));
    }
    let len = count(&shape)?;
    if mode == Mode::Constant {
        let mut data = filled(x.ty(), fill, len);
        paste(&mut data, &shape, x, &cut, around);
        return Tensor::new(shape, data);
    }
    let places = shape.iter().zip(&cut).zip(around);
    let places = places
        .map(|((&length, &(start, kept)), &(before, _))| {
            let before = before.max(0);
            if length == kept {
                return Ok(Places::Run(start, kept));
            }
            if kept == 0 {
                return fault("it has nothing to pad from");
            }
            let kept = kept as i64;
            let place = |at: i64| match mode {
                Mode::Edge => at.clamp(0, kept - 1),
                Mode::Wrap => at.rem_euclid(kept),
                // There and back again, the ends once.
                _ if kept == 1 => 0,
                _ => {
                    let at = at.rem_euclid(2 * (kept - 1));
                    at.min(2 * (kept - 1) - at)
                }
            };
            let list = (0..length as i64).map(|at| start + place(at - before) as usize);
            Ok(Places::List(list.collect()))
        })
        .collect::<Result<Vec<_>>>()?;
    pick(x, &places)
}

/// So many times the same.
fn filled(ty: Type, fill: Option<&Tensor>, len: usize) -> Data {
    match fill {
        Some(fill) => map!(&fill.data, v => repeated(v, len)),
        None => Data::zeros(ty, len),
    }
}

/// Puts what is left of `x` into its place.
fn paste(
    to: &mut Data,
    shape: &[usize],
    x: &Tensor,
    cut: &[(usize, usize)],
    around: &[(i64, i64)],
) {
    if cut.iter().any(|&(_, kept)| kept == 0) {
        return;
    }
    let (from, into) = (strides(&x.shape), strides(shape));
    // Inner axes that are whole in both are one run.
    let mut outer = x.rank();
    let mut run = 1;
    while outer > 0 {
        outer -= 1;
        run *= cut[outer].1;
        if cut[outer].1 != x.shape[outer] || cut[outer].1 != shape[outer] {
            break;
        }
    }
    let begin = |at: usize| around[at].0.max(0) as usize;
    let mut places = vec![(0, 0)];
    for at in 0..x.rank() {
        let (start, kept) = cut[at];
        let kept = if at < outer { kept } else { 1 };
        places = places
            .iter()
            .flat_map(|&(a, b)| (0..kept).map(move |i| (a, b, i)))
            .map(|(a, b, i)| (a + (start + i) * from[at], b + (begin(at) + i) * into[at]))
            .collect();
    }
    for (source, target) in places {
        to.paste(target, &x.data, source, run);
    }
}
