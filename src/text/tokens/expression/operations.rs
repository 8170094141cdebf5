//! What expressions are made of. Parts are put into others: what they jump to moves with them.

use super::sets::Set;

/// What an expression is made of.
#[derive(Debug)]
pub(super) enum Op {
    /// A character of this set.
    One(Set),
    /// Goes on at the first place and, if that fails, at the second.
    Either(usize, usize),
    Jump(usize),
    /// What follows is there, or is not, and nothing is taken. Ends at this place.
    Look {
        there: bool,
        end: usize,
    },
    /// What follows is taken as it was first found. Ends at this place.
    Keep {
        end: usize,
    },
    Done,
}

/// Ends what begins at `begin` if it is run by itself.
pub(super) fn close(ops: &mut Vec<Op>, begin: usize) {
    let after = ops.len() + 1;
    match ops.get_mut(begin) {
        Some(Op::Look { end, .. } | Op::Keep { end }) if *end == 0 => *end = after,
        _ => return,
    }
    ops.push(Op::Done);
}

/// Moves what is at `begin` and after it on by `by` places.
pub(super) fn shift(ops: &mut [Op], begin: usize, by: usize) {
    for op in &mut ops[begin..] {
        *op = moved(op, begin, begin + by);
    }
}

/// An operation of a part that began at `from` and begins at `to`. Parts jump only within themselves or to their ends.
pub(super) fn moved(op: &Op, from: usize, to: usize) -> Op {
    let place = |at: usize| at - from + to;
    match op {
        Op::One(set) => Op::One(set.clone()),
        Op::Either(first, second) => Op::Either(place(*first), place(*second)),
        Op::Jump(at) => Op::Jump(place(*at)),
        Op::Look { there, end } => Op::Look {
            there: *there,
            end: place(*end),
        },
        Op::Keep { end } => Op::Keep { end: place(*end) },
        Op::Done => Op::Done,
    }
}
