//! Products with weights that stay in 8 bits and are widened for the product, some columns at a time: what `fuse` makes of a
//! `MatMul` whose operand a file widens itself.

use smallfirst_kernels::{Epilogue, NR, gemm, packed_len, widen_panels};

use super::{Shapes, rows, with_scratch};
use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Op, one, op};
use crate::tensor::{Data, Tensor, Type};

/// Numbers that are widened at a time, to stay in the second-level cache: 256 KiB.
const WIDENED: usize = 64 * 1024;

pub(super) fn make(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(3, 3)?;
    let (Some(integers), Some(scales)) = (decl.absorb(1), decl.absorb(2)) else {
        return fault("its weights are not known");
    };
    let weights = Eight::new(&integers, &scales)?;
    op(move |x, context| one(weights.product(x.get(0)?, context)?))
}

/// Weights of 8 bits.
struct Eight {
    k: usize,
    n: usize,
    /// Panels of eight columns, one after another, the last one filled up with zeros.
    panels: Vec<i8>,
    /// The columns', filled up as well.
    scales: Vec<f32>,
}

impl Eight {
    fn new(integers: &Tensor, scales: &Tensor) -> Result<Eight> {
        let (&[k, n], Data::I8(v)) = (&integers.shape[..], &integers.data) else {
            return fault("its weights are no matrix of 8-bit integers");
        };
        let all = scales.f32s()?;
        let mut scales = match all.len() {
            1 => vec![all[0]; n],
            len if len == n => all.to_vec(),
            len => return fault(format!("{len} scales for {n} columns")),
        };
        let count = n.div_ceil(NR);
        scales.resize(count * NR, 0.0);
        let mut panels = vec![0; packed_len(k, n)];
        for (panel, out) in panels.chunks_exact_mut((k * NR).max(1)).enumerate() {
            let first = panel * NR;
            let width = NR.min(n - first);
            for (row, out) in out.as_chunks_mut::<NR>().0.iter_mut().enumerate() {
                let own = &v[row * n + first..][..width];
                match own.first_chunk::<NR>() {
                    Some(own) => *out = *own,
                    None => out[..width].copy_from_slice(own),
                }
            }
        }
        Ok(Eight {
            k,
            n,
            panels,
            scales,
        })
    }

    fn product(&self, a: &Tensor, context: &mut Context) -> Result<Tensor> {
        if a.ty() != Type::F32 {
            return fault(format!("its operands are of {} and float32", a.ty().name()));
        }
        let (k, n) = (self.k, self.n);
        let s = Shapes::new(&a.shape, &[k, n])?;
        context.spend(s.work())?;
        let result = s.result.clone();
        let s = s.joined();
        let mut out = vec![0.0; s.len];
        if s.len > 0 && k > 0 {
            let a = rows(a.f32s()?, k);
            let group = (WIDENED / (k * NR)).max(1);
            let mut none = Vec::new();
            with_scratch(|wide| {
                let all = self.panels.chunks(group * k * NR);
                for (i, panels) in all.enumerate() {
                    let first = i * group * NR;
                    if wide.len() < panels.len() {
                        wide.resize(panels.len(), 0.0);
                    }
                    let wide = &mut wide[..panels.len()];
                    widen_panels(k, panels, &self.scales[first..], wide);
                    let width = (n - first).min(group * NR);
                    let epilogue = Epilogue::default();
                    let out = &mut out[first..];
                    gemm(s.m, width, k, &a, wide, out, n, &epilogue, &mut none);
                }
            });
        }
        Tensor::new(result, Data::F32(out))
    }
}
