//! Operators of classical models: the domain `ai.onnx.ml`.
//!
//! Sums are taken in 64 bits and rounded once, as the libraries do whose models these are.

mod features;
mod labels;
mod linear;
mod scores;
mod svm;
#[cfg(test)]
mod tests;
mod trees;
mod votes;

use std::borrow::Cow;

use crate::fault::{Result, fault};
use crate::op::{Decl, Op};
use crate::tensor::{Numbers, Tensor};

pub(super) fn make(name: &str, decl: &Decl<'_>) -> Result<Option<Op>> {
    match name {
        "ArrayFeatureExtractor" => features::extractor(decl),
        "Binarizer" => features::binarizer(decl),
        "FeatureVectorizer" => features::vectorizer(decl),
        "Imputer" => features::imputer(decl),
        "Normalizer" => features::normalizer(decl),
        "OneHotEncoder" => labels::one_hot(decl),
        "Scaler" => features::scaler(decl),
        "CategoryMapper" => labels::mapper(decl),
        "LabelEncoder" => labels::encoder(decl),
        "ZipMap" => labels::zip_map(decl),
        "LinearClassifier" => linear::classifier(decl),
        "LinearRegressor" => linear::regressor(decl),
        "SVMClassifier" => svm::classifier(decl),
        "SVMRegressor" => svm::regressor(decl),
        "TreeEnsemble" => trees::ensemble(decl),
        "TreeEnsembleClassifier" => trees::classifier(decl),
        "TreeEnsembleRegressor" => trees::regressor(decl),
        "CastMap" | "DictVectorizer" => fault(
            "it reads a map, and only tensors are supported; export the model with an array in its place",
        ),
        _ => Ok(None),
    }
}

/// Rows of features: one, when there is only one axis.
struct Rows<'a> {
    count: usize,
    features: usize,
    values: Cow<'a, [f64]>,
}

impl Rows<'_> {
    fn of(x: &Tensor) -> Result<Rows<'_>> {
        let (count, features) = match x.shape[..] {
            [features] => (1, features),
            [count, features] => (count, features),
            _ => {
                return fault(format!(
                    "an operand of the shape {:?} is not rows of features",
                    x.shape
                ));
            }
        };
        Ok(Rows {
            count,
            features,
            values: wide(x)?,
        })
    }

    fn row(&self, at: usize) -> &[f64] {
        &self.values[at * self.features..][..self.features]
    }
}

/// Numbers of any type, in 64 bits.
fn wide(x: &Tensor) -> Result<Cow<'_, [f64]>> {
    Ok(match x.numbers()? {
        Numbers::F32(v) => v.iter().map(|&v| f64::from(v)).collect(),
        Numbers::F64(v) => v,
        Numbers::I64(v) => v.iter().map(|&v| v as f64).collect(),
        Numbers::U64(v) => v.iter().map(|&v| v as f64).collect(),
    })
}

fn widened(v: Vec<f32>) -> Vec<f64> {
    v.into_iter().map(f64::from).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
