//! Windows over all of an image.

use super::{power, raised, rooted};
use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Numbers, Tensor};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let p = if name == "GlobalLpPool" {
        power(decl)?
    } else {
        1
    };
    let name = name.to_owned();
    op(move |x, _| {
        let x = x.get(0)?;
        let [images, channels, image @ ..] = &x.shape[..] else {
            return fault(format!("its operand is of the shape {:?}", x.shape));
        };
        if !x.ty().is_float() {
            return fault(format!("its operand is of {}", x.ty().name()));
        }
        let size: usize = image.iter().product();
        if size == 0 {
            return fault("an image without elements");
        }
        let numbers = match x.numbers()? {
            Numbers::F32(v) => {
                let planes = v.chunks_exact(size);
                match name.as_str() {
                    "GlobalMaxPool" => Numbers::F32(
                        planes
                            .map(|v| v.iter().copied().fold(v[0], larger))
                            .collect(),
                    ),
                    "GlobalAveragePool" => {
                        Numbers::F32(planes.map(|v| sum(v) / size as f32).collect())
                    }
                    _ => {
                        let sums = planes.map(|v| v.iter().map(|&x| raised(f64::from(x), p)).sum());
                        Numbers::F64(rooted(sums.collect(), p).into())
                    }
                }
            }
            Numbers::F64(v) => {
                let planes = v.chunks_exact(size);
                let all: Vec<f64> = match name.as_str() {
                    "GlobalMaxPool" => planes
                        .map(|v| v.iter().copied().fold(v[0], larger))
                        .collect(),
                    "GlobalAveragePool" => planes
                        .map(|v| v.iter().sum::<f64>() / size as f64)
                        .collect(),
                    _ => {
                        let sums = planes.map(|v| v.iter().map(|&x| raised(x, p)).sum());
                        rooted(sums.collect(), p)
                    }
                };
                Numbers::F64(all.into())
            }
            _ => return fault("its operand is not of floats"),
        };
        let mut shape = vec![*images, *channels];
        shape.extend(image.iter().map(|_| 1));
        one(Tensor::new(shape, numbers.narrow(x.ty()))?)
    })
}

fn larger<T: PartialOrd>(a: T, b: T) -> T {
    if a < b { b } else { a }
}

/// In several sums: faster, and nearer to the true one.
pub(in crate::ops) fn sum(v: &[f32]) -> f32 {
    let (parts, rest) = v.as_chunks::<16>();
    let mut sums = [0.0; 16];
    for part in parts {
        for (sum, x) in sums.iter_mut().zip(part) {
            *sum += x;
        }
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}
