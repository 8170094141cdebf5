//! Weights of a few bits, in blocks that have a scale each.

use smallfirst_kernels::{self as kernels, Epilogue, Matrix};

use super::{length, narrow, not_double, only};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, one, op};
use crate::tensor::{Data, Tensor, Type, axis, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "MatMulNBits" => product(decl),
        "GatherBlockQuantized" => gather(decl),
        _ => Ok(None),
    }
}

/// How the weights of a `MatMulNBits` lie.
#[derive(Debug, Clone, Copy)]
struct Laid {
    n: usize,
    k: usize,
    bits: usize,
    block: usize,
}

fn bits(decl: &Decl<'_>) -> Result<usize> {
    match decl.int_or("bits", 4)? {
        2 => Ok(2),
        4 => Ok(4),
        8 => Ok(8),
        other => fault(format!("weights of {other} bits are not supported")),
    }
}

fn product(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(3, 6)?;
    if decl.has(4) {
        return fault("its operand g_idx is not supported");
    }
    // It says how exact the products must be at least.
    decl.unused("accuracy_level");
    only(decl, "weight_prepacked", 0)?;
    let laid = Laid {
        n: length(decl, "N")?,
        k: length(decl, "K")?,
        bits: bits(decl)?,
        block: length(decl, "block_size")?,
    };
    if !laid.block.is_power_of_two() || laid.block < 16 {
        return fault(format!("its attribute block_size is {}", laid.block));
    }
    count(&[laid.n, laid.k.div_ceil(laid.block) * laid.block])?;
    let known = [1, 2, 3].map(|at| decl.constant(at));
    let packed = match &known {
        [Some(weights), Some(scales), zeros] if zeros.is_some() || !decl.has(3) => {
            let packed = laid.packed(weights, scales, zeros.as_deref())?;
            [1, 2, 3].map(|at| decl.absorb(at));
            Some(packed)
        }
        _ => None,
    };
    op(move |x, context| {
        let own;
        let packed = match &packed {
            Some(packed) => packed,
            None => {
                own = laid.packed(x.get(1)?, x.get(2)?, x.opt(3))?;
                &own
            }
        };
        one(laid.product(x.get(0)?, packed, x.opt(5), context)?)
    })
}

/// A byte's numbers, the lowest bits first.
fn unpacked(bytes: &[u8], bits: usize) -> impl Iterator<Item = u8> {
    let mask = ((1u16 << bits) - 1) as u8;
    bytes
        .iter()
        .flat_map(move |&byte| (0..8 / bits).map(move |i| (byte >> (i * bits)) & mask))
}

fn bytes(of: &Tensor) -> Result<&[u8]> {
    match &of.data {
        Data::U8(v) => Ok(v),
        other => fault(format!("weights of {} are not supported", other.ty().name())),
    }
}

impl Laid {
    /// The weights as floats, packed for the kernels.
    fn packed(&self, weights: &Tensor, scales: &Tensor, zeros: Option<&Tensor>) -> Result<Vec<f32>> {
        let Laid { n, k, bits, block } = *self;
        let blocks = k.div_ceil(block);
        let blob = block * bits / 8;
        let weights = bytes(weights)?;
        if weights.len() != n * blocks * blob || scales.len() != n * blocks {
            return fault(format!(
                "{} bytes with {} scales for {n} by {k} weights",
                weights.len(),
                scales.len()
            ));
        }
        not_double(&[scales])?;
        let scales = scales.floats()?;
        let zeros: Vec<f32> = match zeros {
            None => vec![(1u32 << (bits - 1)) as f32; n * blocks],
            Some(zeros) if zeros.ty() == Type::U8 => {
                let width = (blocks * bits).div_ceil(8);
                let zeros = bytes(zeros)?;
                if zeros.len() != n * width {
                    return fault(format!("{} bytes of zero points", zeros.len()));
                }
                zeros
                    .chunks_exact(width)
                    .flat_map(|row| unpacked(row, bits).take(blocks).map(f32::from))
                    .collect()
            }
            Some(zeros) if zeros.len() == n * blocks => zeros.floats()?.into_owned(),
            Some(zeros) => return fault(format!("zero points of the shape {:?}", zeros.shape)),
        };
        let mut floats = Vec::with_capacity(n * k);
        for row in 0..n {
            for part in 0..blocks {
                let at = row * blocks + part;
                let (scale, zero) = (scales[at], zeros[at]);
                let own = &weights[at * blob..(at + 1) * blob];
                let len = block.min(k - part * block);
                floats.extend(
                    unpacked(own, bits)
                        .take(len)
                        .map(|q| (f32::from(q) - zero) * scale),
                );
            }
        }
        let mut packed = vec![0.0; kernels::packed_len(k, n)];
        let matrix = Matrix {
            data: &floats,
            row_stride: 1,
            col_stride: k,
        };
        kernels::pack_b(k, n, &matrix, &mut packed);
        Ok(packed)
    }

    fn product(
        &self,
        a: &Tensor,
        packed: &[f32],
        bias: Option<&Tensor>,
        context: &mut Context,
    ) -> Result<Tensor> {
        let Laid { n, k, .. } = *self;
        let Some((_, before)) = a.shape.split_last().filter(|(last, _)| **last == k) else {
            return fault(format!(
                "an operand of the shape {:?} for weights of {k} numbers",
                a.shape
            ));
        };
        not_double(&[a])?;
        let (m, mut shape) = (count(before)?, before.to_vec());
        shape.push(n);
        let mut out = vec![0.0; count(&shape)?];
        context.spend((out.len() as u64).saturating_mul(k as u64))?;
        let bias = match bias {
            Some(bias) if bias.len() != n => {
                return fault(format!("a bias of the shape {:?}", bias.shape));
            }
            Some(bias) => Some(bias.floats()?),
            None => None,
        };
        kernels::gemm(
            m,
            n,
            k,
            &Matrix {
                data: &a.floats()?,
                row_stride: k,
                col_stride: 1,
            },
            packed,
            &mut out,
            n,
            &Epilogue {
                bias: bias.as_deref(),
                ..Epilogue::default()
            },
            &mut Vec::new(),
        );
        narrow(shape, out, a.ty())
    }
}

/// Rows of such weights, as floats.
fn gather(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(3, 4)?;
    let bits = bits(decl)?;
    let block = decl.int_or("block_size", 128)?;
    let block = match usize::try_from(block) {
        Ok(n) if n.is_power_of_two() && n >= 16 => n,
        _ => return fault(format!("its attribute block_size is {block}")),
    };
    let (gathered, quantised) = (
        decl.int_or("gather_axis", 0)?,
        decl.int_or("quantize_axis", 1)?,
    );
    op(move |x, _| {
        let (data, indices, scales) = (x.get(0)?, x.get(1)?, x.get(2)?);
        not_double(&[scales])?;
        let rank = data.rank();
        let (gathered, quantised) = (axis(gathered, rank)?, axis(quantised, rank)?);
        let each = 8 / bits;
        let blocked = |shape: &[usize]| -> Vec<usize> {
            let mut shape = shape.to_vec();
            shape[quantised] = shape[quantised].div_ceil(block);
            shape
        };
        // Bytes may hold a number each, where the model has 4-bit integers, or several: the scales tell.
        let mut wide = data.shape.clone();
        wide[rank - 1] = wide[rank - 1]
            .checked_mul(each)
            .ok_or("weights that are too many")?;
        let single = scales.shape == blocked(&data.shape);
        let several = scales.shape == blocked(&wide);
        let of_bytes = match (&data.data, single, several) {
            (Data::I8(_), true, _) => false,
            (Data::U8(_), true, false) => false,
            (Data::U8(_), false, true) => true,
            (Data::U8(_), true, true) if bits == 8 => true,
            (Data::U8(_), true, true) => {
                return fault("it is not clear how many numbers its bytes hold");
            }
            _ => {
                return fault(format!(
                    "scales of the shape {:?} for {} of the shape {:?}",
                    scales.shape,
                    data.ty().name(),
                    data.shape
                ));
            }
        };
        if of_bytes && (gathered != 0 || gathered == quantised) {
            return fault("its axes are not those of bytes");
        }
        let shape = if of_bytes { wide } else { data.shape.clone() };
        count(&shape)?;
        let numbers = |of: &Tensor, len: usize, width: usize| -> Result<Vec<f32>> {
            let numbers: Vec<f32> = match &of.data {
                Data::I8(v) => v.iter().map(|&v| f32::from(v)).collect(),
                Data::U8(v) if of_bytes => v
                    .chunks_exact(width.div_ceil(each).max(1))
                    .flat_map(|row| unpacked(row, bits).take(width).map(f32::from))
                    .collect(),
                Data::U8(v) => v.iter().map(|&v| f32::from(v)).collect(),
                other => return fault(format!("weights of {}", other.ty().name())),
            };
            match numbers.len() == len {
                true => Ok(numbers),
                false => fault(format!("weights of the shape {:?}", of.shape)),
            }
        };
        let last = scales.shape[rank - 1];
        let zeros = match x.opt(3) {
            Some(zeros) if zeros.ty() != data.ty() => {
                return fault("its zero points are of another type than its weights");
            }
            Some(zeros) => numbers(zeros, scales.len(), last)?,
            None if of_bytes => vec![(1u32 << (bits - 1)) as f32; scales.len()],
            None => vec![0.0; scales.len()],
        };
        let all = numbers(data, count(&shape)?, shape[rank - 1])?;
        let by = scales.floats()?;
        // Only what is gathered becomes floats.
        let (outer, own, inner) = (
            shape[..gathered].iter().product::<usize>(),
            shape[gathered],
            shape[gathered + 1..].iter().product::<usize>(),
        );
        let mut to = shape[..gathered].to_vec();
        to.extend(&indices.shape);
        to.extend(&shape[gathered + 1..]);
        let mut out = Vec::with_capacity(count(&to)?);
        let after: usize = shape[quantised + 1..].iter().product();
        let (along, parts) = (shape[quantised], scales.shape[quantised]);
        let places = indices.ints()?;
        for o in 0..outer {
            for &place in places.iter() {
                let place = if place < 0 {
                    place.saturating_add_unsigned(own as u64)
                } else {
                    place
                };
                let Some(place) = usize::try_from(place).ok().filter(|&at| at < own) else {
                    return fault(format!("row {place} of {own}"));
                };
                let start = (o * own + place) * inner;
                out.extend((start..start + inner).map(|at| {
                    let (o, i) = (at / after, at % after);
                    let scale =
                        (o / along * parts + o % along / block) * after + i;
                    (all[at] - zeros[scale]) * by[scale]
                }));
            }
        }
        one(narrow(to, out, scales.ty())?)
    })
}
