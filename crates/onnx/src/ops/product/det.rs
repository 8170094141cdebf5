//! Determinants.

use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Numbers, Tensor};

pub(super) fn make(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    op(|x, context| {
        let x = x.get(0)?;
        let [batch @ .., rows, columns] = &x.shape[..] else {
            return fault("its operand is not a matrix");
        };
        if rows != columns {
            return fault(format!("a matrix of {rows} by {columns} is not square"));
        }
        if !x.ty().is_float() {
            return fault(format!("its operand is of {}", x.ty().name()));
        }
        let n = *rows;
        context.spend((x.len() as u64).saturating_mul(n as u64))?;
        let mut all: Vec<f64> = match x.numbers()? {
            Numbers::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Numbers::F64(v) => v.into_owned(),
            _ => return fault("its operand is not of floats"),
        };
        let determinants = if n == 0 {
            // The product of no numbers.
            vec![1.0; batch.iter().product()]
        } else {
            all.chunks_exact_mut(n * n)
                .map(|m| determinant(m, n))
                .collect()
        };
        one(Tensor::new(
            batch.to_vec(),
            Numbers::F64(determinants.into()).narrow(x.ty()),
        )?)
    })
}

/// By elimination; the largest of each column first.
fn determinant(m: &mut [f64], n: usize) -> f64 {
    let mut product = 1.0;
    for i in 0..n {
        let largest = (i..n).max_by(|&a, &b| m[a * n + i].abs().total_cmp(&m[b * n + i].abs()));
        let largest = largest.unwrap_or(i);
        if m[largest * n + i] == 0.0 {
            return 0.0;
        }
        if largest != i {
            for j in 0..n {
                m.swap(i * n + j, largest * n + j);
            }
            product = -product;
        }
        product *= m[i * n + i];
        let (above, below) = m.split_at_mut((i + 1) * n);
        let pivot = &above[i * n..];
        for row in below.chunks_exact_mut(n) {
            let by = row[i] / pivot[i];
            for (x, p) in row[i..].iter_mut().zip(&pivot[i..]) {
                *x -= by * p;
            }
        }
    }
    product
}
