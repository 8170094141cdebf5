//! Which task may find what redaction takes out.

use crate::bundle::Bundle;
use crate::error::{Code, Error, Result};
use crate::task::TaskKind;

/// Whether a task of the bundle finds entities.
///
/// # Errors
/// [`Code::InvalidOption`] where it does not, or there is no such task.
pub(super) fn check(bundle: &Bundle, task: &str) -> Result<()> {
    let wrong = |what: String| {
        let why = format!(
            "redact.task: {what}; name one that finds entities (token-classification), or leave it out"
        );
        Error::new(Code::InvalidOption, why)
    };
    let name = crate::error::excerpt(task, 60);
    let entry = bundle.task(task);
    let entry = entry.map_err(|_| wrong(format!("the bundle has no task \"{name}\"")))?;
    if entry.kind != TaskKind::TokenClassification {
        let kind = entry.kind.as_str();
        return Err(wrong(format!("the task \"{name}\" is one of {kind}")));
    }
    Ok(())
}
