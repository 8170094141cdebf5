//! The seam to the host, cut by duty: beside time and storage (`crate::host`) the network and the page.

use std::collections::BTreeMap;
use std::future::{Future, ready};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::attachment::Attachment;
use super::egress::{HttpRequest, Role};
use crate::host::{Clock, Storage};
use crate::task::Label;

/// The beginning of a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Those of [`READ_HEADERS`] that are there, with names in lower case. A browser shows a page only what the
    /// server exposes (`Access-Control-Expose-Headers`).
    pub headers: Vec<(String, String)>,
}

/// The response headers that anything is done with.
pub const READ_HEADERS: [&str; 4] = [
    "content-type",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
];

impl Head {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// The server could not be reached, or the connection broke; with what is known of it.
    Unreachable(String),
    /// The caller aborted.
    Aborted,
    /// The caller's own headers could not be had.
    Headers(String),
    /// The page's own function failed.
    Page(String),
}

/// The body of a response, in parts. Dropping it ends the connection.
pub trait Body {
    /// The next part; nothing at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>, TransportError>>;
}

/// One turn of what is about to leave the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// What.
    pub content: String,
}

/// What is about to leave the device, as the page's hooks see it: all of it, after redaction. The wire format and
/// the model's name come on top.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ConsentRequest {
    /// The task.
    pub task: String,
    /// The addresses it may go to, in the order in which they are tried.
    pub endpoints: Vec<String>,
    /// What to do, in one sentence.
    pub instruction: String,
    /// The rules that are sent beside the messages; a choice's are made of the instruction and the labels.
    pub system: String,
    /// Every turn, oldest first; the input, or the text that it was put into, is the last.
    pub messages: Vec<Message>,
    /// The labels, where one is to be chosen.
    pub labels: Option<Vec<Label>>,
    /// The content of the last message.
    pub text: String,
    /// The endpoints' own further fields, by address, where they have any.
    #[cfg_attr(test, ts(type = "Record<string, Record<string, unknown>>"))]
    pub extra_body: BTreeMap<String, Map<String, Value>>,
    /// How many values of each kind were replaced by placeholders.
    pub redactions: BTreeMap<String, u32>,
    /// The image or the sound that goes with the first message.
    pub attachment: Option<Attachment>,
    /// Whether the task's egress setting wants the page to ask its user.
    pub ask: bool,
}

/// What the page says to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Consent {
    /// Whether it may leave.
    pub allow: bool,
    /// What to send instead of the only message, if anything.
    #[serde(default)]
    pub text: Option<String>,
    /// What to send instead of the messages: as many, by the same.
    #[serde(default)]
    pub messages: Option<Vec<Message>>,
    /// What to send instead of the rules that a text is written by.
    #[serde(default)]
    pub system: Option<String>,
    /// Why it may not, in the page's words.
    #[serde(default)]
    pub why: Option<String>,
}

/// The network, and waiting.
pub trait Network {
    /// The body of a response.
    type Body: Body;

    /// Whether the device has a network.
    fn online(&self) -> bool;

    /// Sends a request and gives the beginning of the response. Dropping the future ends it.
    fn open(
        &self,
        request: &HttpRequest,
    ) -> impl Future<Output = Result<(Head, Self::Body), TransportError>>;

    /// Waits, or shorter when the caller aborts.
    fn sleep(&self, ms: f64) -> impl Future<Output = ()>;
}

/// Whoever made the call. By itself there is no page: nobody aborts, reads along, or can be asked.
pub trait Page {
    /// Whether the caller aborted the call.
    fn aborted(&self) -> bool {
        false
    }

    /// Asks the page whether something may leave the device.
    fn consent(&self, _: &ConsentRequest) -> impl Future<Output = Result<Consent, TransportError>> {
        ready(Err(TransportError::Page("there is no page here".into())))
    }

    /// Hands over a piece of generated text; comes back when the reader wants more.
    fn delta(&self, _: &str) -> impl Future<Output = Result<(), TransportError>> {
        ready(Ok(()))
    }
}

/// All of it: a page and its worker, the command line, or a test's own world.
pub trait Host: Clock + Network + Page + Storage {}

impl<T: Clock + Network + Page + Storage> Host for T {}

/// A body that is all there.
#[derive(Debug, Clone, Default)]
pub struct FullBody(pub Option<Vec<u8>>);

impl Body for FullBody {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, TransportError> {
        Ok(self.0.take())
    }
}

/// A clock alone, with no network and no page: nothing is ever sent, and nothing is stored.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfflineHost<C>(pub C);

impl<C: Clock> Clock for OfflineHost<C> {
    fn now_ms(&self) -> f64 {
        self.0.now_ms()
    }

    fn wall_ms(&self) -> f64 {
        self.0.wall_ms()
    }

    fn uniform(&self) -> f64 {
        self.0.uniform()
    }
}

impl<C> Network for OfflineHost<C> {
    type Body = FullBody;

    fn online(&self) -> bool {
        false
    }

    async fn open(&self, _: &HttpRequest) -> Result<(Head, FullBody), TransportError> {
        let why = "there is no network here".into();
        Err(TransportError::Unreachable(why))
    }

    async fn sleep(&self, _: f64) {}
}

impl<C> Page for OfflineHost<C> {}

impl<C> Storage for OfflineHost<C> {
    async fn update(&self, _: &str, change: &mut dyn FnMut(Option<String>) -> Option<String>) {
        change(None);
    }
}
