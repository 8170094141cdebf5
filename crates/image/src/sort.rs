//! Sorting, compiled once: the standard library's is compiled anew for each kind of element and of comparison, some kilobytes each.

use std::cmp::Ordering;

/// The elements in order; equal ones as they were.
pub(crate) fn sorted<T: Copy>(items: &[T], by: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let order = order(items.len(), &|a, b| by(&items[a], &items[b]));
    order.into_iter().map(|i| items[i]).collect()
}

#[inline(never)]
fn order(n: usize, by: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| by(a, b));
    order
}
