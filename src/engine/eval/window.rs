//! Convolutions and pooling over `[batch, height, width, channels]`.

use std::ops::Range;

use crate::engine::array::{Array, Data, Fault, View, count};
use crate::engine::kernels::{self, Epilogue, Matrix, Window};
use crate::engine::op::{Conv, Pool as PoolOp, Windows};
use crate::engine::run::Pool;

/// Numbers of patches that are copied at a time: 256 KiB, which the second-level cache keeps.
const PATCHES: usize = 64 * 1024;
/// But at least so many patches, for each time all weights are read.
const LEAST: usize = 256;

/// Where the rows of the product are that a convolution is.
enum Patches {
    /// In the image itself, so far apart.
    InPlace(usize),
    /// Some at a time in this buffer.
    Copied(Vec<f32>),
}

/// The windows over an image of a known size.
fn windows(spec: &Windows, x: &View<'_>) -> Result<(usize, usize, Window), Fault> {
    let &[batch, height, width, channels] = &*x.shape else {
        return Err("windows over another number of axes");
    };
    let input = [height, width];
    let mut output = [0; 2];
    for i in 0..2 {
        let (kernel, stride, dilation) = (spec.kernel[i], spec.stride[i], spec.dilation[i]);
        if kernel == 0 || stride == 0 || dilation == 0 {
            return Err("windows of no size");
        }
        let reach = (kernel - 1)
            .checked_mul(dilation)
            .and_then(|r| r.checked_add(1));
        let padded = input[i]
            .checked_add(spec.before[i])
            .and_then(|n| n.checked_add(spec.after[i]));
        let free = reach
            .zip(padded)
            .and_then(|(reach, padded)| padded.checked_sub(reach));
        output[i] = free.ok_or("a window is larger than the image")? / stride + 1;
    }
    let window = Window {
        kernel: spec.kernel,
        stride: spec.stride,
        dilation: spec.dilation,
        pad: spec.before,
        input,
        output,
    };
    Ok((batch, channels, window))
}

pub(super) fn conv(
    op: &Conv,
    x: &View<'_>,
    rest: &[View<'_>],
    pool: &mut Pool,
) -> Result<Array, Fault> {
    let (batch, channels, window) = windows(&op.windows, x)?;
    let from = x.floats()?;
    let weights = rest[0].floats()?;
    let shape = vec![batch, window.output[0], window.output[1], op.outputs];
    let mut after = rest[1..].iter();
    let mut next = |wanted: bool| if wanted { after.next() } else { None };
    let bias = next(op.then.bias).map(View::floats).transpose()?;
    let residual = next(op.then.residual);
    if bias.is_some_and(|bias| bias.len() != op.outputs) {
        return Err("a bias of another length");
    }
    if residual.is_some_and(|residual| *residual.shape != *shape) {
        return Err("a residual of another shape");
    }
    let residual = residual.map(View::floats).transpose()?;
    let taps = count(&op.windows.kernel)?;
    let (shape, mut out) = pool.array(shape)?;
    let rows = window.output[0] * window.output[1];
    let image = window.input[0] * window.input[1] * channels;
    let result = rows * op.outputs;
    if op.depthwise {
        if op.outputs != channels || weights.len() != taps * channels || residual.is_some() {
            return Err("a depthwise convolution that does not fit");
        }
        for i in 0..batch {
            let (from, to) = (
                &from[i * image..][..image],
                &mut out[i * result..][..result],
            );
            kernels::depthwise(
                &window,
                channels,
                from,
                weights,
                bias,
                op.then.activation,
                to,
            );
        }
        return Ok(Array::f32(shape, out));
    }
    let k = count(&[taps, channels])?;
    if weights.len() != kernels::packed_len(k, op.outputs) {
        return Err("a packed weight of another length");
    }
    let mut patches = match in_place(&op.windows, &window, channels) {
        Some(row_stride) => Patches::InPlace(row_stride),
        None => Patches::Copied(pool.floats(count(&[rows.min(LEAST.max(PATCHES / k.max(1))), k])?)),
    };
    for i in 0..batch {
        let from = &from[i * image..][..image];
        let to = &mut out[i * result..][..result];
        let mut product = |rows: Range<usize>, data: &[f32], row_stride: usize| {
            let (start, end) = (rows.start * op.outputs, rows.end * op.outputs);
            kernels::gemm(
                rows.len(),
                op.outputs,
                k,
                &Matrix {
                    data,
                    row_stride,
                    col_stride: 1,
                },
                weights,
                &mut to[start..end],
                op.outputs,
                &Epilogue {
                    scale: 1.0,
                    bias,
                    residual: residual.map(|residual| &residual[i * result..][start..end]),
                    activation: op.then.activation,
                },
                &mut pool.scratch,
            );
        };
        match &mut patches {
            Patches::InPlace(row_stride) => product(0..rows, from, *row_stride),
            Patches::Copied(columns) => {
                let each = columns.len() / k.max(1);
                for start in (0..rows).step_by(each.max(1)) {
                    let some = start..rows.min(start + each);
                    let columns = &mut columns[..some.len() * k];
                    kernels::im2col(&window, channels, from, start, columns);
                    product(some, columns, k);
                }
            }
        }
    }
    if let Patches::Copied(columns) = patches {
        pool.give(Data::F32(columns));
    }
    Ok(Array::f32(shape, out))
}

/// Where the windows lie in the image as the rows of a matrix, its row stride: single pixels, or windows along one axis.
fn in_place(spec: &Windows, window: &Window, channels: usize) -> Option<usize> {
    let plain = spec.before == [0; 2] && spec.after == [0; 2];
    let pixels = spec.kernel == [1; 2] && spec.stride == [1; 2];
    let line = spec.kernel[0] == 1
        && window.input[0] == 1
        && (spec.kernel[1] == 1 || spec.dilation[1] == 1);
    (plain && (pixels || line)).then(|| spec.stride[1] * channels)
}

pub(super) fn pool(op: &PoolOp, x: &View<'_>, pool: &mut Pool) -> Result<Array, Fault> {
    let (batch, channels, window) = windows(&op.windows, x)?;
    let from = x.floats()?;
    let shape = vec![batch, window.output[0], window.output[1], channels];
    let (shape, mut out) = pool.array(shape)?;
    let image = window.input[0] * window.input[1] * channels;
    let result = window.output[0] * window.output[1] * channels;
    for i in 0..batch {
        let (from, to) = (
            &from[i * image..][..image],
            &mut out[i * result..][..result],
        );
        if op.average {
            kernels::pool_average(&window, channels, from, op.include_padding, to);
        } else {
            kernels::pool_max(&window, channels, from, to);
        }
    }
    Ok(Array::f32(shape, out))
}
