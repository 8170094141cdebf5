//! What stops a model.

use std::fmt;

/// What was wrong, in words that go after the name of a node: "of `x` and `y`: shapes that do not broadcast".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(pub String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl From<&str> for Fault {
    fn from(what: &str) -> Self {
        Fault(what.to_owned())
    }
}

impl From<String> for Fault {
    fn from(what: String) -> Self {
        Fault(what)
    }
}

/// The result of what may stop.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

/// Stops with these words.
pub(crate) fn fault<T>(what: impl Into<Fault>) -> Result<T> {
    Err(what.into())
}

impl Fault {
    /// Says in which node it was.
    pub(crate) fn within(self, node: &str) -> Fault {
        Fault(format!("{node}: {}", self.0))
    }
}

/// So that errors of the maker read as the engine's.
impl From<prost::DecodeError> for Fault {
    fn from(why: prost::DecodeError) -> Self {
        Fault(format!("it is no ONNX file, or a damaged one: {why}"))
    }
}
