//! `CausalConvWithState`: a convolution along the last axis that looks at what was before, each channel by itself, with what it
//! will look at of this part when the next one comes (Gu and Dao 2023, Mamba).

use smallfirst_kernels::{Activation, activate};

use crate::fault::{Result, fault};
use crate::op::{Decl, Op, op};
use crate::tensor::{Numbers, Tensor, count};

pub(super) fn make(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(2, 4)?;
    let activation = match decl.text_or("activation", "none")?.as_str() {
        "none" => Activation::None,
        "silu" | "swish" => Activation::Silu,
        other => {
            return fault(format!(
                "its activation {other} is none of silu, swish and none"
            ));
        }
    };
    op(move |x, context| {
        let (input, weight) = (x.get(0)?, x.get(1)?);
        let &[batch, channels, length] = &input.shape[..] else {
            return fault(format!("its input has the shape {:?}", input.shape));
        };
        let [made, 1, taps] = weight.shape[..] else {
            return fault(format!("its weights have the shape {:?}", weight.shape));
        };
        if made != channels || taps == 0 {
            return fault(format!(
                "{channels} channels and weights of the shape {:?}",
                weight.shape
            ));
        }
        let before = taps - 1;
        let ty = input.ty();
        let bias = x.opt(2).map(Tensor::floats).transpose()?;
        let past = x.opt(3);
        if bias.as_ref().is_some_and(|bias| bias.len() != channels)
            || past.is_some_and(|past| past.shape != [batch, channels, before])
            || !ty.is_float()
        {
            return fault("its operands do not fit each other");
        }
        let kept = [batch, channels, before];
        count(&[batch, channels, length.saturating_add(before)])?;
        context.spend((input.len() as u64).saturating_mul(taps as u64))?;
        let (values, weights) = (input.floats()?, weight.floats()?);
        let past = past.map(Tensor::floats).transpose()?;
        let mut out = Vec::with_capacity(values.len());
        let mut state = Vec::with_capacity(batch * channels * before);
        let mut whole = vec![0.0; before + length];
        for row in 0..batch * channels {
            let channel = row % channels;
            match &past {
                Some(past) => whole[..before].copy_from_slice(&past[row * before..][..before]),
                None => whole[..before].fill(0.0),
            }
            whole[before..].copy_from_slice(&values[row * length..][..length]);
            let own = &weights[channel * taps..][..taps];
            let shift = bias.as_ref().map_or(0.0, |bias| bias[channel]);
            out.extend(whole.windows(taps).map(|window| {
                let products = window.iter().zip(own).map(|(x, w)| x * w);
                shift + products.sum::<f32>()
            }));
            state.extend_from_slice(&whole[length..]);
        }
        activate(&mut out, activation);
        let tensor = |shape: &[usize], values: Vec<f32>| {
            Tensor::new(shape.to_vec(), Numbers::F32(values.into()).narrow(ty))
        };
        Ok(vec![
            tensor(&input.shape, out)?.into(),
            tensor(&kept, state)?.into(),
        ])
    })
}
