//! Lengths that are known only when an input is there.

use serde::{Deserialize, Serialize};

use super::array::Fault;

/// An expression over the lengths of the inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dim {
    /// A number.
    #[serde(rename = "n")]
    Number(i64),
    /// The length that the inputs give to a symbol.
    #[serde(rename = "s")]
    Symbol(u32),
    /// The sum of its parts.
    #[serde(rename = "+")]
    Sum(Vec<Dim>),
    /// The product of its parts.
    #[serde(rename = "*")]
    Product(Vec<Dim>),
    /// The quotient, rounded down.
    #[serde(rename = "/")]
    Quotient(Box<Dim>, u64),
    /// The smallest of its parts.
    #[serde(rename = "<")]
    Least(Vec<Dim>),
    /// The largest of its parts.
    #[serde(rename = ">")]
    Most(Vec<Dim>),
}

/// How deep an expression may be nested in a file.
const MAX_DEPTH: u32 = 32;

impl Dim {
    /// Its value, where the symbols have these lengths.
    pub(crate) fn value(&self, symbols: &[usize]) -> Result<i64, Fault> {
        self.at(symbols, 0)
    }

    /// Its value as a length.
    pub(crate) fn length(&self, symbols: &[usize]) -> Result<usize, Fault> {
        usize::try_from(self.value(symbols)?).map_err(|_| "a length is negative")
    }

    fn at(&self, symbols: &[usize], depth: u32) -> Result<i64, Fault> {
        const OVER: Fault = "a length is too large";
        if depth > MAX_DEPTH {
            return Err("a length is nested too deeply");
        }
        let part = |d: &Dim| d.at(symbols, depth + 1);
        match self {
            Dim::Number(n) => Ok(*n),
            Dim::Symbol(s) => {
                let length = symbols.get(*s as usize).ok_or("a length is not defined")?;
                i64::try_from(*length).map_err(|_| OVER)
            }
            Dim::Sum(parts) => parts
                .iter()
                .try_fold(0i64, |sum, d| sum.checked_add(part(d)?).ok_or(OVER)),
            Dim::Product(parts) => parts
                .iter()
                .try_fold(1i64, |product, d| product.checked_mul(part(d)?).ok_or(OVER)),
            Dim::Quotient(d, by) => {
                let by = i64::try_from(*by).map_err(|_| OVER)?;
                part(d)?
                    .checked_div_euclid(by)
                    .ok_or("a length is divided by zero")
            }
            Dim::Least(parts) => extreme(parts, part, i64::min),
            Dim::Most(parts) => extreme(parts, part, i64::max),
        }
    }
}

fn extreme(
    parts: &[Dim],
    value: impl Fn(&Dim) -> Result<i64, Fault>,
    pick: fn(i64, i64) -> i64,
) -> Result<i64, Fault> {
    let mut found = None;
    for part in parts {
        let v = value(part)?;
        found = Some(found.map_or(v, |best| pick(best, v)));
    }
    found.ok_or("a length has no parts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_computed_and_bad_ones_refused() {
        let n = Dim::Symbol(0);
        let sum = Dim::Sum(vec![
            Dim::Product(vec![Dim::Number(2), n.clone()]),
            Dim::Number(-1),
        ]);
        assert_eq!(sum.value(&[5]), Ok(9));
        assert_eq!(Dim::Quotient(Box::new(sum.clone()), 4).value(&[5]), Ok(2));
        assert_eq!(
            Dim::Least(vec![n.clone(), Dim::Number(3)]).value(&[5]),
            Ok(3)
        );
        assert!(sum.length(&[0]).is_err(), "negative");
        assert!(n.value(&[]).is_err(), "undefined");
        assert!(Dim::Quotient(Box::new(n.clone()), 0).value(&[5]).is_err());
        assert!(
            Dim::Product(vec![n.clone(), n])
                .value(&[usize::MAX])
                .is_err()
        );
        let mut deep = Dim::Number(1);
        for _ in 0..100 {
            deep = Dim::Sum(vec![deep]);
        }
        assert!(deep.value(&[]).is_err());
    }
}
