//! Objects in images: a detector's output to boxes in pixels of the original.

mod boxes;
mod grid;
mod queries;

pub use boxes::{Detection, Rect, suppress};
pub use grid::{Axes, Corners, Grid, grid};
pub use queries::{Scores, listed, queries, rows};

use crate::fault::{Fault, Result};

/// The most boxes that are looked at: more are of no detector.
const MOST: usize = 1 << 20;

/// Holds a tensor's length against its shape.
fn check(what: &str, length: usize, shape: &[usize]) -> Result<()> {
    let elements = shape.iter().try_fold(1usize, |n, &by| n.checked_mul(by));
    let fits = elements == Some(length) && shape.iter().all(|&n| n <= MOST);
    match fits {
        true => Ok(()),
        false => Err(Fault::Output(format!(
            "{what}: {length} elements are not of the shape {shape:?}"
        ))),
    }
}
