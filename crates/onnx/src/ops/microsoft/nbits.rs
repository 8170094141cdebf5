//! Weights of a few bits, in blocks that have a scale each.

mod four;

use smallfirst_kernels::{self as kernels, Epilogue, Matrix};

use super::{length, narrow, not_double, only};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, Value, one, op};
use crate::tensor::{Data, Tensor, Type, axis, count};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "MatMulNBits" => product(decl),
        "GatherBlockQuantized" => gather(decl),
        _ => Ok(None),
    }
}

/// The weights of a `MatMulNBits` as its products read them.
enum Weights {
    /// Packed for the kernels.
    Floats(Vec<f32>),
    Four(four::Four),
}

/// Weights of 4 bits that are fewer become floats: that is faster, and takes little.
const FEW: usize = 1 << 18;

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
            for at in [1, 2, 3] {
                decl.absorb(at);
            }
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
        other => fault(format!(
            "weights of {} are not supported",
            other.ty().name()
        )),
    }
}

impl Laid {
    /// The weights as the product reads them.
    fn packed(&self, weights: &Tensor, scales: &Tensor, zeros: Option<&Tensor>) -> Result<Weights> {
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
        if bits == 4 && n * k > FEW {
            let four = four::Four::new([k, n, block], weights, &scales, &zeros);
            return Ok(Weights::Four(four));
        }
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
        Ok(Weights::Floats(packed))
    }

    fn product(
        &self,
        a: &Tensor,
        weights: &Weights,
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
        let packed = match weights {
            Weights::Floats(packed) => packed,
            Weights::Four(four) => {
                four.product(m, &a.floats()?, bias.as_deref(), &mut out);
                return narrow(shape, out, a.ty());
            }
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

/// The weights of a `GatherBlockQuantized`.
struct Table {
    data: Value,
    /// As the numbers lie, whichever way bytes hold them.
    shape: Vec<usize>,
    /// The bits of a number in a byte.
    bits: usize,
    axis: usize,
    block: usize,
    scales: Vec<f32>,
    zeros: Vec<f32>,
    ty: Type,
}

impl Table {
    fn new(
        bits: usize,
        block: usize,
        quantised: i64,
        data: Value,
        scales: &Tensor,
        zeros: Option<&Tensor>,
    ) -> Result<Table> {
        not_double(&[scales])?;
        let rank = data.rank();
        let axis = axis(quantised, rank)?;
        let blocked = |shape: &[usize]| -> Vec<usize> {
            let mut shape = shape.to_vec();
            shape[axis] = shape[axis].div_ceil(block);
            shape
        };
        // Bytes may hold a number each, where the model has 4-bit integers, or several: the scales tell.
        let mut wide = data.shape.clone();
        wide[rank - 1] = wide[rank - 1]
            .checked_mul(8 / bits)
            .ok_or("weights that are too many")?;
        let single = scales.shape == blocked(&data.shape);
        let several = scales.shape == blocked(&wide);
        let packed = match (&data.data, single, several) {
            (Data::I8(_), true, _) | (Data::U8(_), true, false) => false,
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
        let shape = if packed { wide } else { data.shape.clone() };
        count(&shape)?;
        let (last, each) = (scales.shape[rank - 1], 8 / bits);
        let zeros: Vec<f32> = match zeros {
            Some(zeros) if zeros.ty() != data.ty() => {
                return fault("its zero points are of another type than its weights");
            }
            Some(zeros) => match &zeros.data {
                Data::I8(v) => v.iter().map(|&v| f32::from(v)).collect(),
                Data::U8(v) if packed => v
                    .chunks_exact(last.div_ceil(each).max(1))
                    .flat_map(|row| unpacked(row, bits).take(last).map(f32::from))
                    .collect(),
                _ => bytes(zeros)?.iter().map(|&v| f32::from(v)).collect(),
            },
            None if packed => vec![(1u32 << (bits - 1)) as f32; scales.len()],
            None => vec![0.0; scales.len()],
        };
        if zeros.len() != scales.len() {
            return fault(format!("{} zero points", zeros.len()));
        }
        Ok(Table {
            shape,
            bits: if packed { bits } else { 8 },
            axis,
            block,
            scales: scales.floats()?.into_owned(),
            zeros,
            ty: scales.ty(),
            data,
        })
    }

    /// Appends so many numbers from here on as floats.
    fn read(&self, start: usize, len: usize, out: &mut Vec<f32>) {
        let after: usize = self.shape[self.axis + 1..].iter().product();
        let along = self.shape[self.axis];
        let parts = along.div_ceil(self.block);
        let (each, bits) = (8 / self.bits, self.bits);
        let mask = ((1u16 << bits) - 1) as u8;
        let scale = |at: usize| {
            let (o, i) = (at / after, at % after);
            (o / along * parts + o % along / self.block) * after + i
        };
        // Along the last axis neighbours have the same scale up to the end of a block.
        let mut at = start;
        while at < start + len {
            let run = match after {
                1 => (self.block - at % along % self.block).min(along - at % along),
                _ => 1,
            };
            let end = (at + run).min(start + len);
            let place = scale(at);
            let (by, zero) = (self.scales[place], self.zeros[place]);
            match &self.data.data {
                Data::I8(v) => out.extend(v[at..end].iter().map(|&q| (f32::from(q) - zero) * by)),
                Data::U8(v) => out.extend((at..end).map(|at| {
                    let q = (v[at / each] >> (at % each * bits)) & mask;
                    (f32::from(q) - zero) * by
                })),
                _ => {}
            }
            at = end;
        }
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
    let known = match (decl.constant(0), decl.constant(2), decl.constant(3)) {
        (Some(data), Some(scales), zeros) if zeros.is_some() || !decl.has(3) => {
            for at in [0, 2, 3] {
                decl.absorb(at);
            }
            Some(Table::new(
                bits,
                block,
                quantised,
                data,
                &scales,
                zeros.as_deref(),
            )?)
        }
        _ => None,
    };
    op(move |x, _| {
        let own;
        let table = match &known {
            Some(table) => table,
            None => {
                own = Table::new(bits, block, quantised, x.value(0)?, x.get(2)?, x.opt(3))?;
                &own
            }
        };
        let shape = &table.shape;
        let gathered = axis(gathered, shape.len())?;
        if table.bits < 8 && gathered != 0 {
            return fault("packed weights are gathered along the first axis alone");
        }
        let indices = x.get(1)?;
        let (outer, own, inner) = (
            shape[..gathered].iter().product::<usize>(),
            shape[gathered],
            shape[gathered + 1..].iter().product::<usize>(),
        );
        let mut to = shape[..gathered].to_vec();
        to.extend(&indices.shape);
        to.extend(&shape[gathered + 1..]);
        let mut out = Vec::with_capacity(count(&to)?);
        let places = indices.ints()?;
        for o in 0..outer {
            for &place in places.iter() {
                let from = if place < 0 {
                    place.saturating_add_unsigned(own as u64)
                } else {
                    place
                };
                match usize::try_from(from).ok().filter(|&at| at < own) {
                    Some(at) => table.read((o * own + at) * inner, inner, &mut out),
                    // Rows that are not there are zeros, other than those of `Gather`.
                    None => out.resize(out.len() + inner, 0.0),
                }
            }
        }
        one(narrow(to, out, table.ty)?)
    })
}
