//! The seam to the network.

use std::future::Future;

use crate::error::{Code, Error};

/// A request, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Always POST so far.
    pub method: &'static str,
    /// The absolute address.
    pub url: String,
    /// Headers, without the caller's own.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The body.
    pub body: String,
    /// How long the whole reply may take, in milliseconds.
    pub timeout_ms: u32,
}

/// A response, read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The body, at most [`MAX_REPLY_BYTES`](super::MAX_REPLY_BYTES).
    pub body: Vec<u8>,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// The server could not be reached, or the connection broke; with what is known of it.
    Unreachable(String),
    /// It took longer than the request allows.
    Timeout,
    /// The caller aborted.
    Aborted,
    /// The reply is larger than is read.
    TooLarge,
    /// The caller's own headers could not be had.
    Headers(String),
}

impl TransportError {
    pub(super) fn into_error(self, url: &str, timeout_ms: u32) -> Error {
        match self {
            TransportError::Unreachable(why) => Error::new(
                Code::RemoteUnreachable,
                format!(
                    "{url} could not be reached ({why}); check the address, CORS and the network"
                ),
            ),
            TransportError::Timeout => Error::new(
                Code::RemoteTimeout,
                format!(
                    "{url} did not answer within {timeout_ms} ms; raise remote.timeoutMs or use a faster model"
                ),
            ),
            TransportError::Aborted => Error::new(Code::Aborted, "the call was aborted"),
            TransportError::TooLarge => Error::new(
                Code::RemoteBadResponse,
                format!(
                    "{url} answered with more than {} bytes",
                    super::MAX_REPLY_BYTES
                ),
            ),
            TransportError::Headers(why) => Error::new(
                Code::InvalidOption,
                format!("remote.headers gave no headers ({why})"),
            ),
        }
    }
}

/// Something that carries requests: `fetch`, or a test's own.
pub trait Transport {
    /// Whether the device has a network.
    fn online(&self) -> bool;

    /// Whether the caller aborted the call.
    fn aborted(&self) -> bool;

    /// Sends a request and reads the whole response.
    fn send(
        &self,
        request: &HttpRequest,
    ) -> impl Future<Output = Result<HttpResponse, TransportError>>;
}
