//! How windows move over images of any number of axes: what convolutions and pools have in common.

use std::ops::Range;

use smallfirst_kernels::Window;

use crate::fault::{Result, fault};
use crate::op::Decl;
use crate::tensor::{count, strides};

/// No length, stride or padding is as large as this, so that what is computed of them does not overflow.
pub(super) const LIMIT: usize = 1 << 26;

/// Where padding comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ops) enum Padding {
    /// As given.
    Explicit,
    /// As much as makes the result as long as the image over the stride; the odd one at the end or at the beginning.
    Same {
        upper: bool,
    },
    Valid,
}

/// A window's attributes.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Attributes {
    pub kernel: Option<Vec<usize>>,
    strides: Option<Vec<usize>>,
    dilations: Option<Vec<usize>>,
    pads: Option<Vec<usize>>,
    pub padding: Padding,
    /// Whether a last window may reach beyond the image.
    pub ceil: bool,
    /// Whether it is of a pool: where the standard and what runs its files differ about those, they are refused.
    pub pool: bool,
}

/// A window along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ops) struct Axis {
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    pub before: usize,
    pub after: usize,
    pub input: usize,
    pub output: usize,
}

/// Positive integers, or such as may be 0.
fn lengths(decl: &Decl<'_>, name: &str, least: usize) -> Result<Option<Vec<usize>>> {
    let Some(given) = decl.ints(name)? else {
        return Ok(None);
    };
    let all = given.iter().map(|&n| {
        usize::try_from(n)
            .ok()
            .filter(|n| (least..LIMIT).contains(n))
    });
    match all.collect::<Option<Vec<usize>>>() {
        Some(all) => Ok(Some(all)),
        None => fault(format!("its attribute {name} is {given:?}")),
    }
}

impl Attributes {
    /// All that a window may have but `ceil_mode`; `dilated` says whether it may be dilated.
    pub fn read(decl: &Decl<'_>, dilated: bool) -> Result<Attributes> {
        let padding = match decl.text_or("auto_pad", "NOTSET")?.as_str() {
            "NOTSET" | "" => Padding::Explicit,
            "SAME_UPPER" => Padding::Same { upper: true },
            "SAME_LOWER" => Padding::Same { upper: false },
            "VALID" => Padding::Valid,
            other => return fault(format!("its attribute auto_pad is {other}")),
        };
        let pads = lengths(decl, "pads", 0)?;
        if padding != Padding::Explicit && pads.iter().flatten().any(|&pad| pad > 0) {
            return fault("it has both pads and auto_pad");
        }
        Ok(Attributes {
            kernel: lengths(decl, "kernel_shape", 1)?,
            strides: lengths(decl, "strides", 1)?,
            dilations: if dilated {
                lengths(decl, "dilations", 1)?
            } else {
                None
            },
            pads,
            padding,
            ceil: false,
            pool: false,
        })
    }

    /// The window's lengths: as given, or as the weights have them.
    pub fn kernel_of(&self, weights: &[usize]) -> Result<Vec<usize>> {
        match &self.kernel {
            Some(kernel) if kernel != weights => fault(format!(
                "its attribute kernel_shape is {kernel:?}, and its weights' {weights:?}"
            )),
            _ if weights.iter().any(|&n| n == 0 || n >= LIMIT) => {
                fault(format!("a window of the lengths {weights:?}"))
            }
            _ => Ok(weights.to_vec()),
        }
    }

    /// Each axis' own, with outputs still unknown and padding as given.
    pub fn bare(&self, kernel: &[usize], image: &[usize]) -> Result<Vec<Axis>> {
        let rank = image.len();
        let per_axis = |given: &Option<Vec<usize>>, name: &str, all: usize, default: usize| {
            let given = given.clone().unwrap_or_else(|| vec![default; all]);
            match given.len() == all {
                true => Ok(given),
                false => fault(format!(
                    "its attribute {name} is of another length than its axes are many"
                )),
            }
        };
        let strides = per_axis(&self.strides, "strides", rank, 1)?;
        let dilations = per_axis(&self.dilations, "dilations", rank, 1)?;
        let pads = per_axis(&self.pads, "pads", 2 * rank, 0)?;
        if kernel.len() != rank {
            return fault(format!("a window of {} axes over {rank}", kernel.len()));
        }
        if image.iter().any(|&length| length >= LIMIT) {
            return fault("an image that is too large");
        }
        let mut reaches = kernel
            .iter()
            .zip(&dilations)
            .map(|(&k, &d)| k.checked_mul(d));
        if !reaches.all(|reach| reach.is_some_and(|reach| reach < LIMIT)) {
            return fault("a window that is too large");
        }
        Ok((0..rank)
            .map(|at| Axis {
                kernel: kernel[at],
                stride: strides[at],
                dilation: dilations[at],
                before: pads[at],
                after: pads[rank + at],
                input: image[at],
                output: 0,
            })
            .collect())
    }

    /// The window over an image.
    pub fn axes(&self, kernel: &[usize], image: &[usize]) -> Result<Vec<Axis>> {
        let mut axes = self.bare(kernel, image)?;
        for axis in &mut axes {
            let reach = axis.reach();
            match self.padding {
                Padding::Same { upper } => {
                    axis.output = axis.input.div_ceil(axis.stride);
                    let whole = axis.output.saturating_sub(1) * axis.stride + reach;
                    if self.pool && (reach > axis.kernel || whole + 1 < axis.input) {
                        return fault(
                            "its auto_pad is not supported with windows that are dilated or leave out elements",
                        );
                    }
                    let all = whole.saturating_sub(axis.input);
                    axis.before = if upper { all / 2 } else { all.div_ceil(2) };
                    axis.after = all - axis.before;
                }
                Padding::Explicit | Padding::Valid => {
                    let length = axis.input + axis.before + axis.after;
                    let Some(rest) = length.checked_sub(reach) else {
                        return fault(format!(
                            "a window of the length {reach} over an image of {length}"
                        ));
                    };
                    axis.output = rest / axis.stride + 1;
                    // No window begins behind the image and what is before it.
                    let more = axis.output * axis.stride < axis.input + axis.before;
                    if self.ceil && rest % axis.stride != 0 && more {
                        if self.padding == Padding::Valid {
                            return fault("its ceil_mode is not supported with its auto_pad");
                        }
                        axis.output += 1;
                    }
                }
            }
        }
        count(&outputs(&axes))?;
        Ok(axes)
    }
}

impl Axis {
    /// From the first element of the window to behind the last.
    pub fn reach(&self) -> usize {
        (self.kernel - 1) * self.dilation + 1
    }

    /// Where an element of the window lies in the image, for an output.
    pub fn at(&self, output: usize, element: usize) -> Option<usize> {
        (output * self.stride + element * self.dilation)
            .checked_sub(self.before)
            .filter(|&at| at < self.input)
    }

    /// Which elements of the window lie in the image, for an output.
    pub fn inside(&self, output: usize) -> Range<usize> {
        let from = output * self.stride;
        let start = self.before.saturating_sub(from).div_ceil(self.dilation);
        let end = (self.input + self.before)
            .saturating_sub(from)
            .div_ceil(self.dilation);
        let end = end.min(self.kernel);
        start.min(end)..end
    }

    /// For which outputs an element of the window lies in the image.
    pub fn outputs(&self, element: usize) -> Range<usize> {
        let shift = element * self.dilation;
        let start = self.before.saturating_sub(shift).div_ceil(self.stride);
        let end = (self.input + self.before)
            .saturating_sub(shift)
            .div_ceil(self.stride);
        let end = end.min(self.output);
        start.min(end)..end
    }
}

/// The lengths of the result.
pub(in crate::ops) fn outputs(axes: &[Axis]) -> Vec<usize> {
    axes.iter().map(|axis| axis.output).collect()
}

/// The lengths of the window.
pub(in crate::ops) fn kernels(axes: &[Axis]) -> Vec<usize> {
    axes.iter().map(|axis| axis.kernel).collect()
}

/// The lengths of the image.
pub(in crate::ops) fn inputs(axes: &[Axis]) -> Vec<usize> {
    axes.iter().map(|axis| axis.input).collect()
}

/// The window as the kernels have it, where it has one axis or two.
pub(super) fn flat(axes: &[Axis]) -> Option<Window> {
    const NONE: Axis = Axis {
        kernel: 1,
        stride: 1,
        dilation: 1,
        before: 0,
        after: 0,
        input: 1,
        output: 1,
    };
    let pair = match axes {
        [x] => [NONE, *x],
        // One element that moves by one over all: an image of one row, whose outputs lie side by side.
        [y, x]
            if [y, x].iter().all(|a| {
                a.kernel == 1 && a.stride == 1 && a.output == a.input && a.before == 0
            }) =>
        {
            let all = y.input.checked_mul(x.input)?;
            let row = Axis {
                input: all,
                output: all,
                ..NONE
            };
            [NONE, row]
        }
        [y, x] => [*y, *x],
        _ => return None,
    };
    Some(Window {
        kernel: pair.map(|a| a.kernel),
        stride: pair.map(|a| a.stride),
        dilation: pair.map(|a| a.dilation),
        pad: pair.map(|a| a.before),
        input: pair.map(|a| a.input),
        output: pair.map(|a| a.output),
    })
}

/// The places of a shape, in order; calls with each.
pub(in crate::ops) fn places(shape: &[usize], mut call: impl FnMut(usize, &[usize])) {
    if shape.contains(&0) {
        return;
    }
    let mut place = vec![0; shape.len()];
    let mut at = 0;
    loop {
        call(at, &place);
        at += 1;
        let mut axis = shape.len();
        loop {
            let Some(next) = axis.checked_sub(1) else {
                return;
            };
            axis = next;
            place[axis] += 1;
            if place[axis] < shape[axis] {
                break;
            }
            place[axis] = 0;
        }
    }
}

/// Runs of elements that an element of the window meets along the last axis: for each combination of outputs along the others
/// where it lies in the image, where the run begins in the image and in the outputs. `rows` are the outputs of the first axis
/// that are looked at; the outputs are counted from the first of those.
///
/// Along a run there are `axes.last().outputs(element)` outputs, a stride apart in the image.
pub(in crate::ops) fn runs(
    axes: &[Axis],
    element: &[usize],
    rows: &Range<usize>,
    mut call: impl FnMut(usize, usize, usize),
) {
    let (image, out) = (strides(&inputs(axes)), strides(&outputs(axes)));
    let mut ranges: Vec<Range<usize>> = axes
        .iter()
        .zip(element)
        .map(|(axis, &e)| axis.outputs(e))
        .collect();
    ranges[0] = ranges[0].start.max(rows.start)..ranges[0].end.min(rows.end);
    if ranges.iter().any(|range| range.is_empty()) {
        return;
    }
    let last = axes.len() - 1;
    let shape: Vec<usize> = ranges[..last].iter().map(|range| range.len()).collect();
    let (from, to) = (&ranges[last].start, ranges[last].len());
    // Inside by the choice of the ranges.
    let at = |axis: usize, o: usize| axes[axis].at(o, element[axis]).unwrap_or(0);
    places(&shape, |_, place| {
        let (mut image_at, mut out_at) = (at(last, *from), *from);
        for (axis, &p) in place.iter().enumerate() {
            let o = ranges[axis].start + p;
            image_at += at(axis, o) * image[axis];
            out_at += o * out[axis];
        }
        call(image_at, out_at - rows.start * out[0], to);
    });
}
