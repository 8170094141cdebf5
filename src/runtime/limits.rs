//! A task's limits of length.

use crate::bundle::TaskEntry;
use crate::error::{Code, Error};
use crate::task::{Input, Reason};

/// The error of an input that a task does not read.
pub(super) fn wrong_input(name: &str, task: &TaskEntry, input: Input) -> Error {
    Error::new(
        Code::InputKind,
        format!(
            "the task \"{name}\" reads {}, it was given {}",
            task.input.as_str(),
            input.kind().as_str()
        ),
    )
}

/// The error of an input outside a task's limits of length, and the reason that it is for the router.
pub(super) fn limit_violation(task: &TaskEntry, input: Input) -> Option<(Reason, Error)> {
    let len = input.len() as u64;
    let (least, most) = (task.limits.min_bytes, task.limits.max_bytes);
    if len < least {
        let message = format!("the input has {len} bytes, the task needs {least}");
        return Some((
            Reason::InputTooShort,
            Error::new(Code::InputTooShort, message),
        ));
    }
    (len > most).then(|| {
        let message =
            format!("the input has {len} bytes, over the task's limit of {most}; split it");
        (
            Reason::InputTooLong,
            Error::new(Code::InputTooLong, message),
        )
    })
}

/// The reason that a tier gave no answer.
pub(super) fn reason_of(error: &Error) -> Reason {
    match error.code() {
        Code::InputTooShort => Reason::InputTooShort,
        Code::InputTooLong => Reason::InputTooLong,
        _ => Reason::ModelUnavailable,
    }
}
