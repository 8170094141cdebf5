//! Windows over `[batch, height, width, channels]`, and pooling.

use crate::engine::array::{Array, Fault, View};
use crate::engine::buffer_pool::BufferPool;
use crate::engine::kernels::{self, Window};
use crate::engine::op::{Pool, Windows};

/// The windows over an image of a known size.
pub(crate) fn windows(spec: &Windows, shape: &[usize]) -> Result<(usize, usize, Window), Fault> {
    let &[batch, height, width, channels] = shape else {
        return Err("windows over another number of axes");
    };
    let input = [height, width];
    let sizes = [spec.kernel, spec.stride, spec.dilation, spec.before, input];
    if sizes
        .as_flattened()
        .iter()
        .any(|&size| size >= kernels::LONGEST)
    {
        return Err("windows that are too large");
    }
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
        if output[i] >= kernels::LONGEST {
            return Err("windows that are too large");
        }
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

pub(super) fn pool(op: &Pool, x: &View<'_>, pool: &mut BufferPool) -> Result<Array, Fault> {
    let (batch, channels, window) = windows(&op.windows, &x.shape)?;
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
