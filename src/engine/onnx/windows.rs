//! Convolutions and pools: everything becomes two-dimensional and channels last, between transposes that `simplify`
//! moves out of the way.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::cnn::{Conv as TractConv, KernelFormat, PaddingSpec, PoolSpec};
use tract_onnx::tract_core::ops::nn::DataFormat;

use super::graph::{Graph, Id, Lowered, Unsupported, floats, unsupported};
use crate::engine::op::{Conv, Epilogue, Kind, Op, Pool, Windows};

/// Where the axes of an image are, and how it becomes `[batch, height, width, channels]`.
struct Layout {
    format: DataFormat,
    spatial: usize,
}

impl Layout {
    fn of(spec: &PoolSpec) -> Lowered<Layout> {
        let spatial = spec.kernel_shape.len();
        if !(1..=2).contains(&spatial) {
            return unsupported("windows over another number of axes");
        }
        Ok(Layout {
            format: spec.data_format,
            spatial,
        })
    }

    fn channels_first(&self) -> bool {
        matches!(self.format, DataFormat::NCHW | DataFormat::CHW)
    }

    fn batched(&self) -> bool {
        matches!(self.format, DataFormat::NCHW | DataFormat::NHWC)
    }

    /// The lengths of the spatial axes.
    fn lengths(&self, shape: &[TDim]) -> Vec<TDim> {
        let from = usize::from(self.batched()) + usize::from(self.channels_first());
        shape[from..from + self.spatial].to_vec()
    }

    fn to_last(&self, graph: &mut Graph, x: Id) -> Id {
        let mut shape = graph.nodes[x].shape.clone();
        let mut x = x;
        if !self.batched() {
            shape.insert(0, 1.to_dim());
            x = graph.reshape(x, shape.clone());
        }
        if self.channels_first() {
            let mut perm = vec![0];
            perm.extend(2..2 + self.spatial);
            perm.push(1);
            x = graph.transpose(x, perm);
            shape = graph.nodes[x].shape.clone();
        }
        if self.spatial == 1 {
            shape.insert(1, 1.to_dim());
            x = graph.reshape(x, shape);
        }
        x
    }

    fn back(&self, graph: &mut Graph, y: Id, wanted: &[TDim]) -> Id {
        let mut shape = graph.nodes[y].shape.clone();
        let mut y = y;
        if self.spatial == 1 {
            shape.remove(1);
            y = graph.reshape(y, shape.clone());
        }
        if self.channels_first() {
            let mut perm = vec![0, 1 + self.spatial];
            perm.extend(1..=self.spatial);
            y = graph.transpose(y, perm);
        }
        graph.reshape(y, wanted.to_vec())
    }
}

/// Two-dimensional windows, the inner axis last.
fn windows(spec: &PoolSpec, lengths: &[TDim]) -> Lowered<Windows> {
    let rank = spec.kernel_shape.len();
    let two = |given: &[usize], filled: usize| match given {
        [one] => [filled, *one],
        [first, second] => [*first, *second],
        _ => [filled; 2],
    };
    let stride = two(spec.strides.as_deref().unwrap_or(&vec![1; rank]), 1);
    let dilation = two(spec.dilations.as_deref().unwrap_or(&vec![1; rank]), 1);
    let kernel = two(&spec.kernel_shape, 1);
    let (before, after) = match &spec.padding {
        PaddingSpec::Valid => ([0; 2], [0; 2]),
        PaddingSpec::Explicit(before, after)
        | PaddingSpec::ExplicitOnnxPool(before, after, false) => (two(before, 0), two(after, 0)),
        PaddingSpec::SameUpper | PaddingSpec::SameLower => {
            let known = lengths
                .iter()
                .map(|d| d.to_usize().ok())
                .collect::<Option<Vec<_>>>();
            let known = known.ok_or(Unsupported(
                "a padding that depends on the input's length".into(),
            ))?;
            let input = two(&known, 1);
            let mut pads = ([0; 2], [0; 2]);
            for i in 0..2 {
                let output = input[i].div_ceil(stride[i]);
                let reach = (kernel[i] - 1) * dilation[i] + 1;
                let all = ((output - 1) * stride[i] + reach).saturating_sub(input[i]);
                let (small, large) = (all / 2, all - all / 2);
                let upper = spec.padding == PaddingSpec::SameUpper;
                (pads.0[i], pads.1[i]) = if upper {
                    (small, large)
                } else {
                    (large, small)
                };
            }
            pads
        }
        PaddingSpec::ExplicitOnnxPool(..) => return unsupported("a pool that rounds up"),
    };
    Ok(Windows {
        kernel,
        stride,
        dilation,
        before,
        after,
    })
}

/// The shape of the result, channels last.
fn result(graph: &Graph, layout: &Layout, x: Id, wanted: &[TDim], channels: TDim) -> Vec<TDim> {
    let mut shape = vec![graph.nodes[x].shape[0].clone()];
    if layout.spatial == 1 {
        shape.push(1.to_dim());
    }
    shape.extend(layout.lengths(wanted));
    shape.push(channels);
    shape
}

pub(super) fn conv(graph: &mut Graph, conv: &TractConv, of: &[Id], wanted: &[TDim]) -> Lowered<Id> {
    let spec = &conv.pool_spec;
    let layout = Layout::of(spec)?;
    if conv.q_params.is_some() {
        return unsupported("a quantised convolution");
    }
    let (inputs, outputs, group) = (conv.input_channels(), conv.output_channels(), conv.group);
    let depthwise = group > 1 && group == inputs && group == outputs;
    if group != 1 && !depthwise {
        return unsupported("a convolution in groups");
    }
    let weights = graph.tensor(of[1]).cloned();
    let weights = weights.ok_or(Unsupported(
        "a convolution whose weights are computed".into(),
    ))?;
    let values =
        floats(&weights).ok_or(Unsupported("a convolution that is not of floats".into()))?;
    let windows = windows(spec, &layout.lengths(&graph.nodes[of[0]].shape))?;
    let taps = windows.kernel[0] * windows.kernel[1];
    let per_group = inputs / group;
    let place = |o: usize, i: usize, tap: usize| match conv.kernel_fmt {
        KernelFormat::OIHW => (o * per_group + i) * taps + tap,
        KernelFormat::HWIO => (tap * per_group + i) * outputs + o,
        KernelFormat::OHWI => (o * taps + tap) * per_group + i,
    };
    if values.len() != outputs * per_group * taps {
        return unsupported("a convolution whose weights are of another shape");
    }
    let mut ordered = Vec::with_capacity(values.len());
    for tap in 0..taps {
        for i in 0..per_group {
            ordered.extend((0..outputs).map(|o| values[place(o, i, tap)]));
        }
    }
    let shape = [windows.kernel[0], windows.kernel[1], per_group, outputs];
    let broken = || Unsupported("a convolution of no size".into());
    let weights = graph.floats(&shape, &ordered).ok_or_else(broken)?;
    let mut operands = vec![layout.to_last(graph, of[0]), weights];
    let mut epilogue = Epilogue::default();
    if let Some(bias) = of.get(2).and_then(|&bias| graph.tensor(bias)).cloned() {
        let bias = floats(&bias).ok_or_else(broken)?;
        let bias: Vec<f32> = match bias {
            [one] => vec![*one; outputs],
            many => many.to_vec(),
        };
        if bias.iter().any(|&v| v != 0.0) {
            operands.push(graph.floats(&[outputs], &bias).ok_or_else(broken)?);
            epilogue.bias = true;
        }
    } else if of.len() > 2 {
        return unsupported("a convolution whose bias is computed");
    }
    let shape = result(graph, &layout, operands[0], wanted, outputs.to_dim());
    let op = Op::Conv(Conv {
        windows,
        outputs,
        depthwise,
        epilogue,
    });
    let y = graph.op(op, &operands, shape, Kind::F32);
    Ok(layout.back(graph, y, wanted))
}

pub(super) fn pool(
    graph: &mut Graph,
    spec: &PoolSpec,
    average: bool,
    include_padding: bool,
    of: Id,
    wanted: &[TDim],
) -> Lowered<Id> {
    let layout = Layout::of(spec)?;
    let windows = windows(spec, &layout.lengths(&graph.nodes[of].shape))?;
    let x = layout.to_last(graph, of);
    let channels = graph.nodes[x].shape[3].clone();
    let shape = result(graph, &layout, x, wanted, channels);
    let op = Op::Pool(Pool {
        windows,
        average,
        include_padding,
    });
    let y = graph.op(op, &[x], shape, Kind::F32);
    Ok(layout.back(graph, y, wanted))
}
