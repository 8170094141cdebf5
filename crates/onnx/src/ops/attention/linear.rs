//! Linear attention: a state for each head instead of the keys and values of before.

use std::sync::Arc;

use crate::fault::{Result, fault};
use crate::op::{Context, Decl, Inputs, Op, Value, op};
use crate::tensor::{Numbers, Tensor, Type, count};

/// The operator's attributes.
struct Given {
    heads: usize,
    kv_heads: usize,
    scale: Option<f32>,
    /// Whether the state decays, and whether it is corrected by what it gives for a key.
    gated: bool,
    delta: bool,
}

pub(super) fn attention(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(3, 6)?;
    // How many steps are computed together, which changes no result.
    decl.unused("chunk_size");
    let length = |name: &str| -> Result<usize> {
        let given = decl.must_int(name)?;
        match usize::try_from(given) {
            Ok(n) if n > 0 => Ok(n),
            _ => fault(format!("its attribute {name} is {given}")),
        }
    };
    let rule = decl.text_or("update_rule", "gated_delta")?;
    let (gated, delta) = match rule.as_str() {
        "linear" => (false, false),
        "gated" => (true, false),
        "delta" => (false, true),
        "gated_delta" => (true, true),
        other => return fault(format!("its attribute update_rule is {other}")),
    };
    if decl.has(4) != gated || decl.has(5) != delta {
        return fault(format!("its operands are not those of the rule {rule}"));
    }
    let given = Given {
        heads: length("q_num_heads")?,
        kv_heads: length("kv_num_heads")?,
        scale: decl.float("scale")?.filter(|&scale| scale != 0.0),
        gated,
        delta,
    };
    if !given.heads.is_multiple_of(given.kv_heads) {
        return fault(format!(
            "{} heads of queries for {} of keys",
            given.heads, given.kv_heads
        ));
    }
    op(move |x, context| given.run(x, context))
}

impl Given {
    fn run(&self, x: &Inputs, context: &mut Context) -> Result<Vec<Value>> {
        let Given {
            heads, kv_heads, ..
        } = *self;
        for at in 0..x.len() {
            if let Some(own) = x.opt(at) {
                count(&own.shape)?;
                if own.ty() == Type::F64 {
                    return fault("float64 is not supported");
                }
            }
        }
        let (q, k, v) = (x.get(0)?, x.get(1)?, x.get(2)?);
        let (&[batch, steps, width], &[kb, ks, k_width], &[vb, vs, v_width]) =
            (&q.shape[..], &k.shape[..], &v.shape[..])
        else {
            return fault("its operands do not have three axes");
        };
        let (dim, value_dim) = (width / heads, v_width / kv_heads);
        let fits = [kb, ks, vb, vs] == [batch, steps, batch, steps]
            && dim * heads == width
            && k_width == dim.saturating_mul(kv_heads)
            && value_dim * kv_heads == v_width
            && dim > 0
            && value_dim > 0;
        if !fits {
            return fault(format!(
                "queries, keys and values of the shapes {:?}, {:?} and {:?}",
                q.shape, k.shape, v.shape
            ));
        }
        let shape = vec![batch, kv_heads, dim, value_dim];
        count(&shape)?;
        let (mut state, ty) = match x.opt(3) {
            Some(past) if past.shape == shape => (past.floats()?.into_owned(), past.ty()),
            Some(past) => return fault(format!("a state of the shape {:?}", past.shape)),
            None => (vec![0.0; shape.iter().product()], q.ty()),
        };
        // Factors of each key's numbers or of all, and of each head or of all.
        let factors = |at: usize, widths: [usize; 2]| -> Result<(Vec<f32>, usize)> {
            match x.opt(at) {
                None => Ok((Vec::new(), 0)),
                Some(own) => match own.shape[..] {
                    [b, s, width] if [b, s] == [batch, steps] && widths.contains(&width) => {
                        Ok((own.floats()?.into_owned(), width))
                    }
                    _ => fault(format!("its operand {at} is of the shape {:?}", own.shape)),
                },
            }
        };
        let (mut decay, decays) = factors(4, [kv_heads, k_width])?;
        decay.iter_mut().for_each(|v| *v = v.exp());
        let (beta, betas) = factors(5, [kv_heads, 1])?;
        let scale = self.scale.unwrap_or(1.0 / (dim as f32).sqrt());
        let to = vec![batch, steps, heads * value_dim];
        let mut out = vec![0.0; count(&to)?];
        let each = (dim * value_dim) as u64;
        context.spend(
            each.saturating_mul((batch * steps) as u64)
                .saturating_mul((heads + 2 * kv_heads) as u64),
        )?;
        let (queries, keys, values) = (q.floats()?, k.floats()?, v.floats()?);
        let mut change = vec![0.0; value_dim];
        for b in 0..batch {
            for t in 0..steps {
                let at = b * steps + t;
                for h in 0..kv_heads {
                    let state =
                        &mut state[(b * kv_heads + h) * dim * value_dim..][..dim * value_dim];
                    let key = &keys[at * k_width + h * dim..][..dim];
                    let value = &values[at * v_width + h * value_dim..][..value_dim];
                    if self.gated {
                        for (i, row) in state.chunks_exact_mut(value_dim).enumerate() {
                            let place = if decays == kv_heads { h } else { h * dim + i };
                            let by = decay[at * decays + place];
                            row.iter_mut().for_each(|v| *v *= by);
                        }
                    }
                    change.copy_from_slice(value);
                    if self.delta {
                        for (row, k) in state.chunks_exact(value_dim).zip(key) {
                            for (change, state) in change.iter_mut().zip(row) {
                                *change -= k * state;
                            }
                        }
                        let by = beta[at * betas + if betas == 1 { 0 } else { h }];
                        change.iter_mut().for_each(|v| *v *= by);
                    }
                    for (row, k) in state.chunks_exact_mut(value_dim).zip(key) {
                        for (state, change) in row.iter_mut().zip(&change) {
                            *state += k * change;
                        }
                    }
                    let group = heads / kv_heads;
                    for own in h * group..(h + 1) * group {
                        let query = &queries[at * width + own * dim..][..dim];
                        let out = &mut out[(at * heads + own) * value_dim..][..value_dim];
                        for (row, q) in state.chunks_exact(value_dim).zip(query) {
                            for (out, state) in out.iter_mut().zip(row) {
                                *out += scale * q * state;
                            }
                        }
                    }
                }
            }
        }
        let narrow = |shape: Vec<usize>, v: Vec<f32>, ty: Type| {
            Tensor::new(shape, Numbers::F32(v.into()).narrow(ty)).map(Arc::new)
        };
        Ok(vec![narrow(to, out, q.ty())?, narrow(shape, state, ty)?])
    }
}
