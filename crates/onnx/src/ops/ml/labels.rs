//! Operators of labels and categories.

use std::collections::HashMap;

use crate::fault::{Result, fault};
use crate::op::{Decl, Op, one, op};
use crate::tensor::{Data, Numbers, Tensor, Type, count};

/// Where each key stands.
enum Keys {
    Ints(HashMap<i64, usize>),
    /// By their bits, after [`bits`].
    Floats(HashMap<u64, usize>),
    Texts(HashMap<String, usize>),
}

/// Bits that are the same for floats that count as the same key.
fn bits(x: f64) -> u64 {
    if x.is_nan() {
        f64::NAN.to_bits()
    } else {
        (x + 0.0).to_bits()
    }
}

impl Keys {
    /// Of keys that are there twice, the first or the last counts.
    fn new(keys: &Data, last: bool) -> Result<Keys> {
        fn places<K: std::hash::Hash + Eq>(
            keys: impl Iterator<Item = K>,
            last: bool,
        ) -> HashMap<K, usize> {
            let mut map = HashMap::new();
            for (at, key) in keys.enumerate() {
                let place = map.entry(key).or_insert(at);
                if last {
                    *place = at;
                }
            }
            map
        }
        if let Data::Text(v) = keys {
            return Ok(Keys::Texts(places(v.iter().cloned(), last)));
        }
        Ok(match keys.numbers() {
            Some(Numbers::F32(v)) => Keys::Floats(places(v.iter().map(|&x| bits(x.into())), last)),
            Some(Numbers::F64(v)) => Keys::Floats(places(v.iter().map(|&x| bits(x)), last)),
            Some(Numbers::I64(v)) => Keys::Ints(places(v.iter().copied(), last)),
            _ => return fault(format!("keys of {} are not supported", keys.ty().name())),
        })
    }

    /// Where each element stands, or at `default`.
    fn find(&self, x: &Tensor, default: usize) -> Result<Vec<usize>> {
        let place = |found: Option<&usize>| found.copied().unwrap_or(default);
        Ok(match self {
            Keys::Texts(map) => x.texts()?.iter().map(|key| place(map.get(key))).collect(),
            Keys::Ints(map) => x.ints()?.iter().map(|key| place(map.get(key))).collect(),
            Keys::Floats(map) => {
                let keys = super::wide(x)?;
                keys.iter().map(|&key| place(map.get(&bits(key)))).collect()
            }
        })
    }
}

/// A map of elements.
fn mapped(of: Type, keys: Keys, mut values: Data, default: Data) -> Result<Option<Op>> {
    let unknown = values.len();
    macro_rules! join {
        ($($kind:ident),*) => {
            match (&mut values, default) {
                $((Data::$kind(values), Data::$kind(default)) if default.len() == 1 => values.extend(default),)*
                _ => return fault("its default is not one value of the values' type"),
            }
        };
    }
    join!(
        F32, F64, F16, I64, I32, I16, I8, U8, U16, U32, U64, Text, Bool, BF16
    );
    op(move |x, _| {
        let x = x.get(0)?;
        if x.ty() != of {
            return fault(format!(
                "its keys are of {}, and its operand of {}",
                of.name(),
                x.ty().name()
            ));
        }
        let places = keys.find(x, unknown)?;
        one(Tensor::new(
            x.shape.clone(),
            values.runs(1, places.into_iter()),
        )?)
    })
}

/// The one list of several that a node gives.
fn only(lists: [Option<Data>; 4], what: &str) -> Result<Data> {
    let mut given = lists.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(list), None) => Ok(list),
        (None, _) => fault(format!("it has no {what}")),
        _ => fault(format!("it has several lists of {what}")),
    }
}

fn lists(decl: &Decl<'_>, kind: &str) -> Result<Data> {
    let tensor = match decl.version {
        4.. => decl.tensor(&format!("{kind}_tensor"))?.map(|t| t.data),
        _ => None,
    };
    let own = [
        decl.texts(&format!("{kind}_strings"))?.map(Data::Text),
        decl.ints(&format!("{kind}_int64s"))?.map(Data::I64),
        decl.floats(&format!("{kind}_floats"))?.map(Data::F32),
        tensor,
    ];
    // Some exporters write empty lists of the other types.
    let filled = own.iter().flatten().any(|list| !list.is_empty());
    only(
        own.map(|list| list.filter(|list| !filled || !list.is_empty())),
        kind,
    )
}

pub(super) fn encoder(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let text = decl.text_or("default_string", "_Unused")?;
    let int = decl.int_or("default_int64", -1)?;
    if decl.version < 2 {
        let names = decl.texts("classes_strings")?.unwrap_or_default();
        let places = (0..names.len() as i64).collect();
        return both_ways(names, places, text, int);
    }
    let float = decl.float_or("default_float", -0.0)?;
    let keys = lists(decl, "keys")?;
    let values = lists(decl, "values")?;
    if keys.len() != values.len() {
        return fault(format!(
            "it has {} keys and {} values",
            keys.len(),
            values.len()
        ));
    }
    let given = match decl.version {
        4.. => decl.tensor("default_tensor")?.map(|t| t.data),
        _ => None,
    };
    let default = match (given, values.ty()) {
        (Some(given), _) => given,
        (None, Type::Text) => Data::Text(vec![text]),
        (None, Type::I64) => Data::I64(vec![int]),
        (None, Type::F32) => Data::F32(vec![float]),
        (None, Type::F64) => Data::F64(vec![-0.0]),
        (None, Type::I32) => Data::I32(vec![-1]),
        (None, Type::I16) => Data::I16(vec![-1]),
        (None, other) => return fault(format!("values of {} are not supported", other.name())),
    };
    mapped(
        keys.ty(),
        Keys::new(&keys, decl.version >= 4)?,
        values,
        default,
    )
}

pub(super) fn mapper(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let names = decl.texts("cats_strings")?.unwrap_or_default();
    let numbers = decl.ints("cats_int64s")?.unwrap_or_default();
    let text = decl.text_or("default_string", "_Unused")?;
    let int = decl.int_or("default_int64", -1)?;
    if names.len() != numbers.len() {
        return fault("it has not as many strings as integers");
    }
    both_ways(names, numbers, text, int)
}

/// Strings to integers, or integers to strings: whichever is given.
fn both_ways(names: Vec<String>, numbers: Vec<i64>, text: String, int: i64) -> Result<Option<Op>> {
    let (names, numbers) = (Data::Text(names), Data::I64(numbers));
    let to = mapped(
        Type::Text,
        Keys::new(&names, false)?,
        numbers.clone(),
        Data::I64(vec![int]),
    )?;
    let from = mapped(
        Type::I64,
        Keys::new(&numbers, false)?,
        names,
        Data::Text(vec![text]),
    )?;
    let (Some(to), Some(from)) = (to, from) else {
        return Ok(None);
    };
    op(move |x, context| match x.get(0)?.ty() {
        Type::Text => to(x, context),
        _ => from(x, context),
    })
}

pub(super) fn one_hot(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let zeros = decl.int_or("zeros", 1)? != 0;
    let names = decl.texts("cats_strings")?.filter(|v| !v.is_empty());
    let numbers = decl.ints("cats_int64s")?.filter(|v| !v.is_empty());
    let cats = only(
        [names.map(Data::Text), numbers.map(Data::I64), None, None],
        "categories",
    )?;
    let (length, keys) = (cats.len(), Keys::new(&cats, true)?);
    op(move |x, _| {
        let x = x.get(0)?;
        let places = match (&keys, x.ty()) {
            (Keys::Ints(map), ty) if ty.is_float() => {
                // Floats are cast to integers, as the standard says; what is no number is in no category.
                let place = |&v: &f64| map.get(&(v as i64)).filter(|_| v.is_finite());
                let all = super::wide(x)?;
                all.iter()
                    .map(|v| place(v).copied().unwrap_or(length))
                    .collect()
            }
            _ => keys.find(x, length)?,
        };
        if !zeros && places.contains(&length) {
            return fault("an element is in no category, and its attribute zeros is 0");
        }
        let mut shape = x.shape.clone();
        shape.push(length);
        let mut out = vec![0.0; count(&shape)?];
        for (row, place) in out.chunks_exact_mut(length).zip(places) {
            if let Some(hot) = row.get_mut(place) {
                *hot = 1.0;
            }
        }
        one(Tensor::f32(shape, out))
    })
}

/// The standard makes maps from labels to probabilities. There are only tensors here: the probabilities are handed on as they
/// are, in the order of the labels.
pub(super) fn zip_map(decl: &Decl<'_>) -> Result<Option<Op>> {
    decl.operands(1, 1)?;
    let names = decl.texts("classlabels_strings")?.unwrap_or_default();
    let numbers = decl.ints("classlabels_int64s")?.unwrap_or_default();
    let labels = names.len().max(numbers.len());
    op(move |x, _| {
        let scores = x.value(0)?;
        if scores.ty() != Type::F32 || scores.shape.last() != Some(&labels) {
            return fault(format!(
                "{} of the shape {:?} are not a float32 for each of {labels} labels",
                scores.ty().name(),
                scores.shape
            ));
        }
        Ok(vec![scores])
    })
}
