//! Convolutions over `[batch, height, width, channels]`: products of patches, or each channel by itself.

use std::ops::Range;

use super::product::epilogue;
use super::window::windows;
use crate::engine::array::{Array, Data, Fault, View, count};
use crate::engine::buffer_pool::BufferPool;
use crate::engine::kernels::{self, Epilogue, Matrix, Window};
use crate::engine::op::Conv;

/// Numbers of patches that are copied at a time: 256 KiB, which the second-level cache keeps.
const PATCHES: usize = 64 * 1024;
/// But at least so many patches, for each time all weights are read.
const LEAST: usize = 256;
/// Numbers between the two convolutions of a pair: 512 KiB. In tests so few that small images have several parts.
const BETWEEN: usize = if cfg!(test) { 300 } else { 128 * 1024 };

/// How many patches of `k` numbers are copied at a time.
pub(crate) fn patches_at_once(k: usize) -> usize {
    LEAST.max(PATCHES / k.max(1))
}

/// A convolution whose operands fit.
struct BoundConv<'a> {
    op: &'a Conv,
    batch: usize,
    channels: usize,
    window: Window,
    weights: &'a [f32],
    epilogue: Epilogue<'a>,
}

impl<'a> BoundConv<'a> {
    /// For an input of this shape and the operands that follow it.
    fn new(op: &'a Conv, shape: &[usize], rest: &[View<'a>]) -> Result<Self, Fault> {
        let (batch, channels, window) = windows(&op.windows, shape)?;
        let weights = rest[0].floats()?;
        let [height, width] = window.output;
        let result = [batch, height, width, op.outputs];
        count(&result)?;
        let epilogue = epilogue(&op.epilogue, 1.0, &rest[1..], op.outputs, &result)?;
        let taps = count(&op.windows.kernel)?;
        if op.depthwise {
            if op.outputs != channels
                || weights.len() != taps * channels
                || epilogue.residual.is_some()
            {
                return Err("a depthwise convolution that does not fit");
            }
        } else if weights.len() != kernels::packed_len(count(&[taps, channels])?, op.outputs) {
            return Err("a packed weight of another length");
        }
        Ok(BoundConv {
            op,
            batch,
            channels,
            window,
            weights,
            epilogue,
        })
    }

    /// Of the result.
    fn shape(&self) -> Vec<usize> {
        let [height, width] = self.window.output;
        vec![self.batch, height, width, self.op.outputs]
    }

    /// How many numbers an image has.
    fn image(&self) -> usize {
        self.window.input[0] * self.window.input[1] * self.channels
    }

    /// How many pixels the result of an image has.
    fn pixels(&self) -> usize {
        self.window.output[0] * self.window.output[1]
    }

    /// Some pixels of an image's result, in `to`; `columns` is room for patches that is kept for the next call.
    fn dense(
        &self,
        from: &[f32],
        pixels: Range<usize>,
        residual: Option<&[f32]>,
        to: &mut [f32],
        columns: &mut Vec<f32>,
        pool: &mut BufferPool,
    ) -> Result<(), Fault> {
        let outputs = self.op.outputs;
        let k = self.window.kernel[0] * self.window.kernel[1] * self.channels;
        let mut product = |some: Range<usize>, data: &[f32], row_stride: usize| {
            let place = (some.start - pixels.start) * outputs..(some.end - pixels.start) * outputs;
            kernels::gemm(
                some.len(),
                outputs,
                k,
                &Matrix {
                    data,
                    row_stride,
                    col_stride: 1,
                },
                self.weights,
                &mut to[place.clone()],
                outputs,
                &Epilogue {
                    residual: residual.map(|residual| &residual[place]),
                    ..self.epilogue
                },
                &mut pool.scratch,
            );
        };
        if let Some(stride) = self.in_place() {
            let from = from.get(pixels.start * stride..).unwrap_or(&[]);
            product(pixels.clone(), from, stride);
            return Ok(());
        }
        let each = patches_at_once(k).min(pixels.len());
        let room = count(&[each, k])?;
        if columns.len() < room {
            columns.resize(room, 0.0);
        }
        for start in pixels.clone().step_by(each.max(1)) {
            let some = start..pixels.end.min(start + each);
            let columns = &mut columns[..some.len() * k];
            kernels::im2col(&self.window, self.channels, from, start, columns);
            product(some, columns, k);
        }
        Ok(())
    }

    /// Where the windows lie in the image as the rows of a matrix, its row stride: single pixels, or windows along one
    /// axis.
    fn in_place(&self) -> Option<usize> {
        let (spec, window) = (&self.op.windows, &self.window);
        let plain = spec.before == [0; 2] && spec.after == [0; 2];
        let pixels = spec.kernel == [1; 2] && spec.stride == [1; 2];
        let line = spec.kernel[0] == 1
            && window.input[0] == 1
            && (spec.kernel[1] == 1 || spec.dilation[1] == 1);
        (plain && (pixels || line)).then(|| spec.stride[1] * self.channels)
    }
}

pub(super) fn conv(
    op: &Conv,
    x: &View<'_>,
    rest: &[View<'_>],
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let conv = BoundConv::new(op, &x.shape, rest)?;
    let from = x.floats()?;
    let (shape, mut out) = pool.array(conv.shape())?;
    let (image, pixels) = (conv.image(), conv.pixels());
    let result = pixels * op.outputs;
    let mut columns = Vec::new();
    for i in 0..conv.batch {
        let from = &from[i * image..][..image];
        let to = &mut out[i * result..][..result];
        if op.depthwise {
            let Epilogue {
                bias, activation, ..
            } = conv.epilogue;
            let weights = conv.weights;
            kernels::depthwise(
                &conv.window,
                conv.channels,
                from,
                weights,
                bias,
                activation,
                to,
            );
        } else {
            let residual = conv
                .epilogue
                .residual
                .map(|residual| &residual[i * result..][..result]);
            conv.dense(from, 0..pixels, residual, to, &mut columns, pool)?;
        }
    }
    Ok(Array::f32(shape, out))
}

/// A convolution, and one of its result that leaves the channels apart: some rows at a time, so that what is between them
/// stays in the caches. Mobile networks widen their images for this, and never have the whole of it in memory.
pub(crate) fn pair(
    [first, second]: [&Conv; 2],
    x: &View<'_>,
    [rest, after]: [&[View<'_>]; 2],
    pool: &mut BufferPool,
) -> Result<Array, Fault> {
    let wide = BoundConv::new(first, &x.shape, rest)?;
    let deep = BoundConv::new(second, &wide.shape(), after)?;
    let from = x.floats()?;
    let (shape, mut out) = pool.array(deep.shape())?;
    let [height, width] = wide.window.output;
    let row = width * first.outputs;
    let (step, pad) = (deep.window.stride[0], deep.window.pad[0]);
    let reach = (deep.window.kernel[0] - 1) * deep.window.dilation[0] + 1;
    let each = ((BETWEEN / row.max(1)).max(reach) - reach) / step + 1;
    let most = ((each - 1) * step + reach).min(height);
    let mut between = pool.floats(count(&[most, row])?);
    let mut columns = Vec::new();
    let image = wide.image();
    let line = deep.window.output[1] * second.outputs;
    let result = deep.window.output[0] * line;
    for i in 0..wide.batch {
        let from = &from[i * image..][..image];
        let out = &mut out[i * result..][..result];
        // The rows that are in the buffer.
        let mut held: Range<usize> = 0..0;
        for start in (0..deep.window.output[0]).step_by(each) {
            let end = deep.window.output[0].min(start + each);
            let low = ((end - 1) * step + reach).saturating_sub(pad).min(height);
            let needed = (start * step).saturating_sub(pad).min(low)..low;
            let retained = held.end.saturating_sub(needed.start).min(needed.len());
            if retained > 0 {
                let first = (needed.start - held.start) * row;
                between.copy_within(first..first + retained * row, 0);
            }
            let new = (needed.start + retained) * width..needed.end * width;
            let to = &mut between[retained * row..needed.len() * row];
            wide.dense(from, new, None, to, &mut columns, pool)?;
            let window = Window {
                pad: [
                    (needed.start + pad).saturating_sub(start * step),
                    deep.window.pad[1],
                ],
                input: [needed.len(), width],
                output: [end - start, deep.window.output[1]],
                ..deep.window
            };
            kernels::depthwise(
                &window,
                deep.channels,
                &between[..needed.len() * row],
                deep.weights,
                deep.epilogue.bias,
                deep.epilogue.activation,
                &mut out[start * line..end * line],
            );
            held = needed;
        }
    }
    pool.give(Data::F32(between));
    Ok(Array::f32(shape, out))
}
