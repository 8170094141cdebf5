//! In which order boxes are read.

use super::TextBox;
use crate::sort::sorted;

/// The order in which boxes are read, row by row: [`reading_rows`] one after another.
pub fn reading_order(boxes: &[TextBox]) -> Vec<usize> {
    reading_rows(boxes).into_iter().flatten().collect()
}

/// The rows in which boxes are read: from the top, in each row from the left. A box is of a row when its middle is no farther
/// from that of the row's first box than half of the lower one's height. For scripts that are written from the left, in one column.
pub fn reading_rows(boxes: &[TextBox]) -> Vec<Vec<usize>> {
    let ends = |i: usize, axis: usize| {
        let places = boxes[i].corners.iter().map(|corner| corner[axis]);
        places.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| {
            (low.min(x), high.max(x))
        })
    };
    let left = |i: &usize| ends(*i, 0).0;
    let middle_and_height = |i: usize| {
        let (top, bottom) = ends(i, 1);
        ((top + bottom) * 0.5, bottom - top)
    };
    let all: Vec<usize> = (0..boxes.len()).collect();
    let all = sorted(&all, |&a, &b| {
        let by_height = middle_and_height(a).0.total_cmp(&middle_and_height(b).0);
        by_height.then(left(&a).total_cmp(&left(&b)))
    });
    let mut rows: Vec<((f32, f32), Vec<usize>)> = Vec::new();
    for i in all {
        let (middle, height) = middle_and_height(i);
        match rows.last_mut() {
            Some((row, members)) if (middle - row.0).abs() <= 0.5 * height.min(row.1) => {
                members.push(i)
            }
            _ => rows.push(((middle, height), vec![i])),
        }
    }
    let by_left =
        |(_, members): (_, Vec<usize>)| sorted(&members, |a, b| left(a).total_cmp(&left(b)));
    rows.into_iter().map(by_left).collect()
}
