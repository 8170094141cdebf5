//! Elements at given places along each axis.

use crate::fault::Result;
use crate::tensor::{Tensor, count, strides};

/// Which places along an axis. All of them lie within it.
pub(in crate::ops) enum Places {
    All,
    /// So many from here.
    Run(usize, usize),
    List(Vec<usize>),
}

impl Places {
    fn len(&self, all: usize) -> usize {
        match self {
            Places::All => all,
            Places::Run(_, len) => *len,
            Places::List(list) => list.len(),
        }
    }
}

/// The tensor of the elements at these places, one entry an axis.
pub(in crate::ops) fn pick(x: &Tensor, places: &[Places]) -> Result<Tensor> {
    let lengths = places.iter().zip(&x.shape);
    let shape: Vec<usize> = lengths.map(|(p, &all)| p.len(all)).collect();
    if count(&shape)? == 0 {
        return Tensor::new(shape, x.data.runs(0, [].into_iter()));
    }
    // From the innermost axis on, whole axes are runs, and so is a part of the next one.
    let steps = strides(&x.shape);
    let mut outer = places.len();
    let (mut run, mut base) = (1, 0);
    while outer > 0 {
        match &places[outer - 1] {
            Places::All => run *= x.shape[outer - 1],
            Places::Run(start, len) => {
                base += start * steps[outer - 1];
                run *= len;
                outer -= 1;
                if *len != x.shape[outer] {
                    break;
                }
                continue;
            }
            Places::List(_) => break,
        }
        outer -= 1;
    }
    let mut starts = vec![base];
    for at in 0..outer {
        let step = steps[at];
        let next = |range: &mut dyn Iterator<Item = usize>| -> Vec<usize> {
            range.map(|place| place * step).collect()
        };
        let offsets = match &places[at] {
            Places::All => next(&mut (0..x.shape[at])),
            Places::Run(start, len) => next(&mut (*start..start + len)),
            Places::List(list) => next(&mut list.iter().copied()),
        };
        starts = sums(&starts, &offsets);
    }
    Tensor::new(shape, x.data.runs(run, starts.into_iter()))
}

/// Each of the first with each of the second.
fn sums(a: &[usize], b: &[usize]) -> Vec<usize> {
    let mut all = Vec::with_capacity(a.len() * b.len());
    for a in a {
        all.extend(b.iter().map(|b| a + b));
    }
    all
}
