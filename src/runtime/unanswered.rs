//! The error of a call that nobody answered.

use crate::error::{Code, Error};
use crate::route::Mode;
use crate::task::Attempt;

/// The error of a call that a remote did not answer, and this device did not either, where it was asked.
pub(super) fn refusal(
    mode: Mode,
    remote: Error,
    local: Option<Error>,
    attempts: Vec<Attempt>,
) -> Error {
    let error = match local {
        Some(local) => neither(mode, local, remote),
        None => remote,
    };
    error.with_attempts(attempts)
}

/// Why a remote did not answer, in a few words.
pub(super) fn problem(error: &Error) -> &'static str {
    match error.code() {
        Code::RemoteNotConfigured => "none is configured",
        Code::Offline => "the device is offline",
        code => code.as_str(),
    }
}

/// The error where neither side answered: the local one when no remote was there to be tried, because configuring one is
/// optional and the input's own problem is what the caller can mend. Where it is the bundle that failed, both are told, first
/// the side that was asked first: that the remote failed, too, does not say which file is missing.
pub(super) fn neither(mode: Mode, local: Error, remote: Error) -> Error {
    let both =
        |first: Error, second: Error| Error::new(first.code(), format!("{first} (and {second})"));
    if remote.code() == Code::RemoteNotConfigured && mode != Mode::OnlyRemote {
        return both(local, remote);
    }
    match local.code() {
        Code::BundleUnreachable
        | Code::FileMissing
        | Code::FileSize
        | Code::HashMismatch
        | Code::ModelInvalid
        | Code::ModelOutput => match mode {
            Mode::OnlyLocal | Mode::PreferLocal => both(local, remote),
            Mode::PreferRemote | Mode::OnlyRemote => both(remote, local),
        },
        _ => remote,
    }
}
