//! The one error type, and the stable codes that callers may branch on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::attempt::Attempt;

pub(crate) mod option_fault;

/// What kind of thing went wrong. The text form ([`Code::as_str`]) is part of the public interface:
/// it is the `code` of the JavaScript `Error` and does not change between minor versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// The address given for the bundle does not hold a smallfirst manifest.
    NotABundle,
    /// The manifest is of a format version this build does not read.
    BundleVersion,
    /// The manifest contradicts itself or breaks a rule of the format.
    BundleInvalid,
    /// The bundle's server could not be reached, or answered with an error.
    BundleUnreachable,
    /// A file that the manifest names does not exist.
    FileMissing,
    /// A file is longer or shorter than the manifest says.
    FileSize,
    /// A file's SHA-256 is not the one the manifest states.
    HashMismatch,
    /// A model, tokenizer or vocabulary file could not be read as what it should be.
    ModelInvalid,
    /// The bundle has ONNX models, which this build does not run.
    NeedsOnnx,
    /// A model ran but its output is unusable (wrong shape, not finite).
    ModelOutput,
    /// The bundle has no such task.
    UnknownTask,
    /// Labelled data cannot be read as what it should be.
    InvalidData,
    /// The browser did not keep what it was given: its storage is full, or gives no answer.
    NotStored,
    /// An option is unknown or has an unusable value.
    InvalidOption,
    /// The text is not well-formed Unicode.
    InvalidText,
    /// The input is empty.
    EmptyInput,
    /// The input holds too little for the task.
    InputTooShort,
    /// The input is over a limit of the task (or of the remote).
    InputTooLong,
    /// The input is of the wrong kind: text for a bytes task, or the reverse.
    InputKind,
    /// The text is in a language the task does not cover.
    UnsupportedLanguage,
    /// The mode wants a remote answer and no remote is configured.
    RemoteNotConfigured,
    /// The remote could not be reached.
    RemoteUnreachable,
    /// The remote did not answer in time.
    RemoteTimeout,
    /// The remote answered with an HTTP error status.
    RemoteStatus,
    /// The remote's reply is not what was asked for.
    RemoteBadResponse,
    /// The remote declined to answer.
    RemoteRefused,
    /// A streamed text broke off after some of it was given out.
    RemoteInterrupted,
    /// The circuit breaker of the remote is open: it failed too often lately.
    RemoteCircuitOpen,
    /// What may be spent on remotes is spent.
    OverBudget,
    /// The privacy settings, or the page's user, keep the input on this device.
    EgressDenied,
    /// The device is offline.
    Offline,
    /// The caller aborted the call.
    Aborted,
    /// A defect in smallfirst; please report it.
    Internal,
}

impl Code {
    /// Every code, in the order of the documentation.
    pub const ALL: [Code; 33] = [
        Code::NotABundle,
        Code::BundleVersion,
        Code::BundleInvalid,
        Code::BundleUnreachable,
        Code::FileMissing,
        Code::FileSize,
        Code::HashMismatch,
        Code::ModelInvalid,
        Code::NeedsOnnx,
        Code::ModelOutput,
        Code::UnknownTask,
        Code::InvalidData,
        Code::NotStored,
        Code::InvalidOption,
        Code::InvalidText,
        Code::EmptyInput,
        Code::InputTooShort,
        Code::InputTooLong,
        Code::InputKind,
        Code::UnsupportedLanguage,
        Code::RemoteNotConfigured,
        Code::RemoteUnreachable,
        Code::RemoteTimeout,
        Code::RemoteStatus,
        Code::RemoteBadResponse,
        Code::RemoteRefused,
        Code::RemoteInterrupted,
        Code::RemoteCircuitOpen,
        Code::OverBudget,
        Code::EgressDenied,
        Code::Offline,
        Code::Aborted,
        Code::Internal,
    ];

    /// The stable text form, for example `hash_mismatch`.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::NotABundle => "not_a_bundle",
            Code::BundleVersion => "bundle_version",
            Code::BundleInvalid => "bundle_invalid",
            Code::BundleUnreachable => "bundle_unreachable",
            Code::FileMissing => "file_missing",
            Code::FileSize => "file_size",
            Code::HashMismatch => "hash_mismatch",
            Code::ModelInvalid => "model_invalid",
            Code::NeedsOnnx => "needs_onnx",
            Code::ModelOutput => "model_output",
            Code::UnknownTask => "unknown_task",
            Code::InvalidData => "invalid_data",
            Code::NotStored => "not_stored",
            Code::InvalidOption => "invalid_option",
            Code::InvalidText => "invalid_text",
            Code::EmptyInput => "empty_input",
            Code::InputTooShort => "input_too_short",
            Code::InputTooLong => "input_too_long",
            Code::InputKind => "input_kind",
            Code::UnsupportedLanguage => "unsupported_language",
            Code::RemoteNotConfigured => "remote_not_configured",
            Code::RemoteUnreachable => "remote_unreachable",
            Code::RemoteTimeout => "remote_timeout",
            Code::RemoteStatus => "remote_status",
            Code::RemoteBadResponse => "remote_bad_response",
            Code::RemoteRefused => "remote_refused",
            Code::RemoteInterrupted => "remote_interrupted",
            Code::RemoteCircuitOpen => "remote_circuit_open",
            Code::OverBudget => "over_budget",
            Code::EgressDenied => "egress_denied",
            Code::Offline => "offline",
            Code::Aborted => "aborted",
            Code::Internal => "internal",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong, where, and what to do about it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    code: Code,
    message: String,
    attempts: Vec<Attempt>,
}

impl Error {
    /// The error of a call that its caller aborted.
    pub(crate) fn aborted() -> Self {
        Error::new(Code::Aborted, "the call was aborted")
    }

    /// An error whose message says what was wrong, where, and what to do.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error {
            code,
            message: message.into(),
            attempts: Vec::new(),
        }
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What was tried before this error, in order. Empty when nothing was.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The same error with the list of what was tried.
    #[must_use]
    pub fn with_attempts(mut self, attempts: Vec<Attempt>) -> Self {
        self.attempts = attempts;
        self
    }
}

/// What was wrong with an image, with what makes a tensor of it, or with what a model made of that.
#[cfg(feature = "onnx")]
impl From<smallfirst_image::Fault> for Error {
    fn from(why: smallfirst_image::Fault) -> Self {
        use smallfirst_image::Fault;
        let code = match why {
            Fault::Empty => Code::EmptyInput,
            Fault::TooLarge { .. } => Code::InputTooLong,
            Fault::Config(_) => Code::BundleInvalid,
            Fault::Output(_) => Code::ModelOutput,
            Fault::Bytes { .. } | Fault::File(_) => Code::InputKind,
        };
        Error::new(code, why.to_string())
    }
}

/// A result with smallfirst's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// A bounded, single-line excerpt of text from outside, fit to be quoted in a message.
pub(crate) fn excerpt(text: &str, most_chars: usize) -> String {
    let mut out: String = text
        .chars()
        .take(most_chars)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(most_chars).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_match_their_serialised_form() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} appears twice");
            assert_eq!(
                serde_json::to_value(code).unwrap(),
                serde_json::Value::from(code.as_str())
            );
        }
    }

    #[test]
    fn excerpts_are_bounded_and_single_line() {
        assert_eq!(excerpt("a\nb", 10), "a b");
        assert_eq!(excerpt("äöü", 2), "äö…");
        assert_eq!(excerpt("äö", 2), "äö");
    }
}
