//! What a host carries. It is made in `departure` only: its fields are private to this room.

/// A request that may be sent. Only this room makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    pub(super) endpoint: usize,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl HttpRequest {
    /// The place of its endpoint in the list, from 0: the caller may have headers for each.
    pub fn endpoint(&self) -> usize {
        self.endpoint
    }

    /// The absolute address; empty for a function of the page.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Headers, without the caller's own.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The body. The method is always POST.
    pub fn body(&self) -> &str {
        &self.body
    }
}
