//! What a model that does not load or run is told as.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::cost::{self, Cost};
use super::run::Failure;
use crate::error::{Code, Error, Result};

/// The error of a program that did not come to its end, or was not begun.
pub(super) fn failed(name: &str, failure: Failure) -> Error {
    match failure {
        Failure::Inputs(fault) => unusable(name, fault),
        Failure::Step(at, fault) => unusable(name, &format!("{fault} in step {at}")),
        Failure::TooMuch(cost) => too_much(name, cost),
    }
}

/// The error of a model that is not run because of what it would take.
pub(super) fn too_much(name: &str, Cost { work, bytes }: Cost) -> Error {
    Error::new(
        Code::ModelInvalid,
        format!(
            "{name} was not run: it would take {work} multiply-adds and {bytes} bytes of memory for this input, and the \
             most is {} and {}; use a smaller model, or give the task or the encoder a lower maxTokens",
            cost::MAX_WORK,
            cost::MAX_BYTES
        ),
    )
}

pub(super) fn unusable(name: &str, what: &str) -> Error {
    Error::new(
        Code::ModelOutput,
        format!("{name} gave no usable output: {what}; the model or the bundle is at fault"),
    )
}

/// Turns a panic inside the engine, which a damaged model can still provoke, into an error. On wasm,
/// where panics cannot be caught, the worker dies and is replaced.
pub(super) fn guarded<T>(name: &str, code: Code, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::new(
            code,
            format!("{name} broke the engine; the file is damaged, export or upload it again"),
        ))
    })
}
