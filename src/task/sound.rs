//! What is wrong with a sound, as errors of calls.

use smallfirst_sound::Fault;

use crate::error::{Code, Error};

/// The error that a fault is.
pub(crate) fn of_sound(why: &Fault) -> Error {
    let code = match why {
        Fault::Empty => Code::EmptyInput,
        Fault::TooLong | Fault::Memory => Code::InputTooLong,
        Fault::Option { .. } => Code::InvalidOption,
        Fault::Config(_) => Code::BundleInvalid,
        Fault::Model(_) => Code::ModelOutput,
        // A rate that is none, samples that are not finite, a file that is no sound.
        _ => Code::InputKind,
    };
    Error::new(code, why.to_string())
}
