//! Each of the elements once.

use std::cmp::Ordering;
use std::sync::Arc;

use super::order::Ordered;
use crate::fault::Result;
use crate::op::{Decl, Op, op};
use crate::tensor::{Tensor, axis, each};

pub(super) fn unique(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let along = decl.int("axis")?;
    let sorted = decl.int_or("sorted", 1)? != 0;
    op(move |x, context| {
        let x = x.get(0)?;
        let (mut shape, along) = match along {
            Some(along) => (x.shape.clone(), axis(along, x.rank())?),
            None => (vec![x.len()], 0),
        };
        let len = shape[along];
        let outer: usize = shape[..along].iter().product();
        let inner: usize = shape[along + 1..].iter().product();
        let depth = u64::from((len + 1).ilog2() + 1);
        context.spend((x.len() as u64 + len as u64) * depth)?;
        let mut order: Vec<usize> = (0..len).collect();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        each!(&x.data, v => {
            let compare = |a: usize, b: usize| {
                for block in 0..outer {
                    let row = |at: usize| &v[(block * len + at) * inner..][..inner];
                    let pairs = row(a).iter().zip(row(b));
                    let order = pairs.map(|(a, b)| a.order(b)).find(|order| order.is_ne());
                    if let Some(order) = order {
                        return order;
                    }
                }
                Ordering::Equal
            };
            order.sort_by(|&a, &b| compare(a, b));
            for &at in &order {
                match groups.last_mut() {
                    Some(group) if compare(group[0], at).is_eq() => group.push(at),
                    _ => groups.push(vec![at]),
                }
            }
        });
        // Equal ones stand in the order that they had, so that the first of a group is the first of all.
        if !sorted {
            groups.sort_unstable_by_key(|group| group[0]);
        }
        let firsts: Vec<usize> = groups.iter().map(|group| group[0]).collect();
        let starts: Vec<usize> = (0..outer)
            .flat_map(|block| firsts.iter().map(move |at| (block * len + at) * inner))
            .collect();
        shape[along] = groups.len();
        let values = Tensor::new(shape, x.data.runs(inner, starts.into_iter()))?;
        let mut inverse = vec![0; len];
        for (number, group) in groups.iter().enumerate() {
            group.iter().for_each(|&at| inverse[at] = number as i64);
        }
        let vector = |v: Vec<i64>| Arc::new(Tensor::i64(vec![v.len()], v));
        Ok(vec![
            Arc::new(values),
            vector(firsts.iter().map(|&at| at as i64).collect()),
            vector(inverse),
            vector(groups.iter().map(|group| group.len() as i64).collect()),
        ])
    })
}
