//! Convolutions: `Conv` here; the other way round (`transpose`), of 8-bit integers (`integer`), with windows that are bent
//! (`deform`); and how windows move (`window`).
//!
//! Of 32-bit floats, images of one axis or two go through the kernels for planes. Those of more are products with the patches
//! of some outputs at a time, and so are all of 64-bit floats.

mod causal;
mod deform;
mod integer;
#[cfg(test)]
mod tests;
mod transpose;
pub(super) mod window;

use std::ops::Range;

use smallfirst_kernels::{
    Activation, Epilogue, Matrix, activate, conv_planes, depthwise_planes, gemm_dynamic,
};

use super::product::{Number, accumulate, flushed, with_scratch};
use crate::fault::{Result, fault};
use crate::fuse::{ACTIVATION, BOUNDS};
use crate::op::{Context, Decl, Op, one, op};
use crate::tensor::{Numbers, Tensor, Type, count};
use window::{Attributes, Axis, flat, inputs, kernels, outputs, places, runs};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "Conv" => {
            decl.operands(2, 3)?;
            let conv = Conv::read(decl)?;
            // What is known already is laid out once: narrower floats become wider, and what is as good as zero becomes that.
            let known = |at: usize| -> Option<(Type, Tensor)> {
                let own = decl.constant(at)?;
                // A narrow bias is widened with each run: it is short.
                let narrow = at == 1 && matches!(own.ty(), Type::F16 | Type::BF16);
                if !narrow && own.ty() != Type::F32 {
                    return None;
                }
                let data = own.floats().ok()?;
                let data = match flushed(&data) {
                    Some(flushed) => flushed,
                    None if narrow => data.into_owned(),
                    None => return None,
                };
                decl.absorb(at);
                Some((own.ty(), Tensor::f32(own.shape.clone(), data)))
            };
            let (weights, bias) = (known(1), known(2).map(|(_, bias)| bias));
            op(move |x, context| {
                let (ty, w) = match &weights {
                    Some((ty, w)) => (*ty, w),
                    None => (x.get(1)?.ty(), x.get(1)?),
                };
                if x.get(0)?.ty() != ty {
                    return fault("its operands are of different types");
                }
                let bias = bias.as_ref().or(x.opt(2));
                one(conv.run(x.get(0)?, w, bias, context)?)
            })
        }
        "ConvTranspose" | "Col2Im" => transpose::make(name, decl),
        "ConvInteger" | "QLinearConv" => integer::make(name, decl),
        "DeformConv" => deform::make(decl),
        "CausalConvWithState" => causal::make(decl),
        _ => Ok(None),
    }
}

/// A convolution's attributes.
struct Conv {
    attributes: Attributes,
    groups: usize,
    /// What follows, where the two were fused.
    activation: Activation,
}

/// The activation that was fused with a convolution.
fn followed_by(decl: &Decl<'_>) -> Result<Activation> {
    let bounds = decl.floats(BOUNDS)?;
    Ok(
        match (decl.text(ACTIVATION)?.as_deref(), bounds.as_deref()) {
            (None, _) => Activation::None,
            (Some("Relu"), _) => Activation::Relu,
            (Some("Gelu"), _) => Activation::Gelu,
            (Some("HardSwish"), _) => Activation::HardSwish,
            (Some("Sigmoid"), _) => Activation::Sigmoid,
            (Some("Tanh"), _) => Activation::Tanh,
            (Some("Swish"), _) => Activation::Silu,
            (Some("Clip"), Some(&[low, high])) => Activation::Clamp(low, high),
            _ => return fault("it is followed by an activation that is none"),
        },
    )
}

/// Of onnxruntime's operators `FusedConv`: a convolution with its activation.
pub(super) fn microsoft(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    if name != "FusedConv" {
        return Ok(None);
    }
    decl.operands(2, 3)?;
    let bounds = decl.floats("activation_params")?.unwrap_or_default();
    let activation = match (decl.text_or("activation", "")?.as_str(), &bounds[..]) {
        ("", []) => Activation::None,
        ("Relu", []) => Activation::Relu,
        ("Sigmoid", []) => Activation::Sigmoid,
        ("Tanh", []) => Activation::Tanh,
        ("Clip", &[low, high]) => Activation::Clamp(low, high),
        (other, _) => return fault(format!("its activation {other} is not supported")),
    };
    let conv = Conv {
        activation,
        ..Conv::read(decl)?
    };
    op(move |x, context| one(conv.run(x.get(0)?, x.get(1)?, x.opt(2), context)?))
}

/// The number of groups.
fn groups(decl: &Decl<'_>) -> Result<usize> {
    let given = decl.int_or("group", 1)?;
    match usize::try_from(given) {
        Ok(groups) if groups > 0 => Ok(groups),
        _ => fault(format!("its attribute group is {given}")),
    }
}

/// A convolution of an image of known lengths.
struct Layer {
    /// Images, channels and the result's channels.
    images: usize,
    channels: usize,
    made: usize,
    groups: usize,
    axes: Vec<Axis>,
}

impl Conv {
    fn read(decl: &Decl<'_>) -> Result<Conv> {
        Ok(Conv {
            attributes: Attributes::read(decl, true)?,
            groups: groups(decl)?,
            activation: followed_by(decl)?,
        })
    }

    fn layer(&self, x: &[usize], w: &[usize]) -> Result<Layer> {
        let ([images, channels, image @ ..], [made, each, kernel @ ..]) = (x, w) else {
            return fault("its operands have too few axes");
        };
        if image.is_empty() || image.len() != kernel.len() {
            return fault(format!("an image of the shape {x:?} and weights of {w:?}"));
        }
        if each.checked_mul(self.groups) != Some(*channels) || made % self.groups != 0 {
            return fault(format!(
                "{channels} channels and weights of the shape {w:?} in {} groups",
                self.groups
            ));
        }
        let kernel = self.attributes.kernel_of(kernel)?;
        // A block of patches must stay small.
        let patch = kernel.iter().try_fold(*each, |all, &n| all.checked_mul(n));
        if patch.is_none_or(|patch| patch > 1 << 20) {
            return fault("a window that is too large");
        }
        Ok(Layer {
            images: *images,
            channels: *channels,
            made: *made,
            groups: self.groups,
            axes: self.attributes.axes(&kernel, image)?,
        })
    }

    fn run(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: Option<&Tensor>,
        context: &mut Context,
    ) -> Result<Tensor> {
        let layer = self.layer(&x.shape, &w.shape)?;
        let (ty, shape) = (x.ty(), layer.shape());
        if bias.is_some_and(|b| b.ty() != ty) {
            return fault("its operands are of different types");
        }
        if !ty.is_float() {
            return fault(format!("its operands are of {}", ty.name()));
        }
        check_bias(bias, layer.made)?;
        count(&shape)?;
        context.spend(layer.work())?;
        let numbers = match (x.numbers()?, w.numbers()?) {
            (Numbers::F32(x), Numbers::F32(w)) => {
                let bias = bias.map(Tensor::floats).transpose()?;
                Numbers::F32(
                    layer
                        .floats(&x, &w, bias.as_deref(), self.activation)?
                        .into(),
                )
            }
            (Numbers::F64(x), Numbers::F64(w)) => {
                let bias = match bias.map(Tensor::numbers).transpose()? {
                    Some(Numbers::F64(bias)) => Some(bias),
                    _ => None,
                };
                Numbers::F64(layer.plain(&x, &w, bias.as_deref())?.into())
            }
            _ => return fault("its operands are of different types"),
        };
        Tensor::new(shape, numbers.narrow(ty))
    }
}

fn check_bias(bias: Option<&Tensor>, channels: usize) -> Result<()> {
    match bias {
        Some(bias) if bias.shape != [channels] => fault(format!(
            "a bias of the shape {:?} for {channels} channels",
            bias.shape
        )),
        _ => Ok(()),
    }
}

impl Layer {
    fn shape(&self) -> Vec<usize> {
        let mut shape = vec![self.images, self.made];
        shape.extend(outputs(&self.axes));
        shape
    }

    /// The elements of the window.
    fn taps(&self) -> usize {
        kernels(&self.axes).iter().product()
    }

    fn work(&self) -> u64 {
        let each = (self.channels / self.groups).saturating_mul(self.taps());
        let written: usize = self.shape().iter().product();
        (written as u64).saturating_mul(each as u64)
    }

    /// One image and one group after another: calls with the image's and the result's planes, the weights and which of the
    /// result's channels these are.
    fn each_group<T, W, U>(
        &self,
        x: &[T],
        w: &[W],
        out: &mut [U],
        mut call: impl FnMut(&[T], &[W], Range<usize>, &mut [U]) -> Result<()>,
    ) -> Result<()> {
        let made = self.made / self.groups;
        let image: usize = inputs(&self.axes).iter().product();
        let size: usize = outputs(&self.axes).iter().product();
        let (from, to) = (image * (self.channels / self.groups), size * made);
        if from == 0 || to == 0 {
            return Ok(());
        }
        let weights = w.len() / self.groups;
        for (i, (x, out)) in x
            .chunks_exact(from)
            .zip(out.chunks_exact_mut(to))
            .enumerate()
        {
            let group = i % self.groups;
            call(
                x,
                &w[group * weights..][..weights],
                group * made..(group + 1) * made,
                out,
            )?;
        }
        Ok(())
    }

    fn floats(
        &self,
        x: &[f32],
        w: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
    ) -> Result<Vec<f32>> {
        let size: usize = outputs(&self.axes).iter().product();
        let mut out = vec![0.0; count(&self.shape())?];
        let each = self.channels / self.groups;
        // Without any channels there is only the bias.
        if x.is_empty() || w.is_empty() {
            fill(&mut out, size, bias);
            activate(&mut out, activation);
            return Ok(out);
        }
        let Some(flat) = flat(&self.axes) else {
            fill(&mut out, size, bias);
            self.each_group(x, w, &mut out, |x, w, made, out| {
                self.blocks(each, x, 0.0, |patches, k, columns| {
                    let a = Matrix {
                        data: w,
                        row_stride: k,
                        col_stride: 1,
                    };
                    let b = Matrix {
                        data: patches,
                        row_stride: columns.len(),
                        col_stride: 1,
                    };
                    let (m, n) = (made.len(), columns.len());
                    let mut sums = vec![0.0; m * n];
                    with_scratch(|scratch| {
                        gemm_dynamic(m, n, k, &a, &b, &mut sums, n, &Epilogue::default(), scratch);
                    });
                    for (out, sums) in out.chunks_exact_mut(size).zip(sums.chunks_exact(n)) {
                        let out = &mut out[columns.clone()];
                        out.iter_mut().zip(sums).for_each(|(out, x)| *out += x);
                    }
                })
            })?;
            activate(&mut out, activation);
            return Ok(out);
        };
        with_scratch(|scratch| {
            if each == 1 && self.spread() {
                let image: usize = inputs(&self.axes).iter().product();
                let (channels, each) = (self.channels, self.made / self.groups);
                for (x, out) in x
                    .chunks_exact(image * channels)
                    .zip(out.chunks_exact_mut((size * self.made).max(1)))
                {
                    depthwise_planes(&flat, channels, each, x, w, bias, activation, out, scratch);
                }
                return Ok(());
            }
            self.each_group(x, w, &mut out, |x, w, made, out| {
                let bias = bias.map(|bias| &bias[made.clone()]);
                conv_planes(
                    &flat,
                    each,
                    x,
                    made.len(),
                    w,
                    bias,
                    activation,
                    out,
                    scratch,
                );
                Ok(())
            })
        })?;
        Ok(out)
    }

    /// Whether the rows of a plane, spread out as the kernel for depthwise convolutions has them, take little more than it.
    fn spread(&self) -> bool {
        let Some(axis) = self.axes.last() else {
            return false;
        };
        let rows = match &self.axes[..] {
            [first, _] => first.output * first.stride + first.reach(),
            _ => 1,
        };
        let row = (axis.output + 32) * axis.stride + axis.reach();
        axis.stride <= 8 && rows.checked_mul(row).is_some_and(|all| all <= 1 << 24)
    }

    fn plain<T: Number>(&self, x: &[T], w: &[T], bias: Option<&[T]>) -> Result<Vec<T>> {
        let size: usize = outputs(&self.axes).iter().product();
        let mut out = vec![T::ZERO; count(&self.shape())?];
        fill(&mut out, size, bias);
        let each = self.channels / self.groups;
        self.each_group(x, w, &mut out, |x, w, made, out| {
            self.blocks(each, x, T::ZERO, |patches, k, columns| {
                let n = columns.len();
                for (i, _) in made.clone().enumerate() {
                    let out = &mut out[i * size..][columns.clone()];
                    accumulate([1, k, n], (&w[i * k..], [k, 1]), (patches, [n, 1]), out);
                }
            })
        })?;
        Ok(out)
    }

    /// Calls with the patches of some outputs at a time, one a column: the patches, how long each is, and which outputs. Elements
    /// of padding are `pad`.
    fn blocks<T: Copy>(
        &self,
        channels: usize,
        x: &[T],
        pad: T,
        mut call: impl FnMut(&[T], usize, Range<usize>),
    ) -> Result<()> {
        let block = (1 << 20) / size_of::<T>();
        let kernel = kernels(&self.axes);
        let k = channels * self.taps();
        let lengths = outputs(&self.axes);
        let size: usize = lengths.iter().product();
        let image: usize = inputs(&self.axes).iter().product();
        let row = size / lengths[0].max(1);
        let step = (block / (k * row).max(1)).max(1);
        let last = self.axes[self.axes.len() - 1];
        for first in (0..lengths[0]).step_by(step) {
            let some = first..(first + step).min(lengths[0]);
            let n = some.len() * row;
            let mut patches = vec![pad; count(&[k, n])?];
            for (channel, x) in x.chunks_exact(image.max(1)).enumerate() {
                places(&kernel, |tap, element| {
                    let to = &mut patches[(channel * self.taps() + tap) * n..][..n];
                    runs(&self.axes, element, &some, |from, at, len| {
                        let x = x[from..].iter().step_by(last.stride);
                        to[at..at + len]
                            .iter_mut()
                            .zip(x)
                            .for_each(|(to, &x)| *to = x);
                    });
                });
            }
            call(&patches, k, first * row..first * row + n);
        }
        Ok(())
    }
}

/// Planes of one number each.
fn fill<T: Copy>(out: &mut [T], size: usize, bias: Option<&[T]>) {
    let Some(bias) = bias.filter(|bias| !bias.is_empty()) else {
        return;
    };
    for (i, plane) in out.chunks_exact_mut(size.max(1)).enumerate() {
        plane.fill(bias[i % bias.len()]);
    }
}
