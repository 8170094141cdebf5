//! What a remote is asked, and what that says in words.

use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::attachment::Medium;
use super::egress::prompt::{Payload, Role, Turn};
use super::endpoint::Endpoint;
use crate::error::{Code, Error, Result};
use crate::task::{Input, Label};

/// How many bytes of a file a remote is shown.
const SHOWN_BYTES: usize = 512;

/// JSON of some shape: how it is asked for, and how it is judged.
pub trait JsonForm: fmt::Debug {
    /// What a remote is told of the shape, behind the instruction.
    fn rules(&self) -> String;

    /// The input in words.
    fn text(&self) -> String;

    /// The JSON schema of the answer.
    fn schema(&self) -> Value;

    /// The JSON in a reply, of the right shape.
    ///
    /// # Errors
    /// [`Code::RemoteBadResponse`] when there is none.
    fn find(&self, reply: &str) -> Result<Value>;

    /// Holds an answer, with everything in it that had been redacted, against the input.
    ///
    /// # Errors
    /// [`Code::RemoteBadResponse`] with what is wrong.
    fn check(&self, answer: &str) -> Result<()>;
}

/// What is wanted of a remote.
#[derive(Debug, Clone, Copy)]
pub enum ResponseFormat<'a> {
    /// One of these labels.
    Choice(&'a [Label]),
    /// JSON.
    Json(&'a dyn JsonForm),
    /// Text.
    Text {
        /// The rules it is written by.
        system: &'a str,
        /// What is said, the input in its place.
        text: &'a str,
        /// What was said before.
        history: &'a [Turn],
    },
}

/// What a remote is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The task.
    pub task: &'a str,
    /// What to do, in one sentence.
    pub instruction: &'a str,
    /// What to do it with.
    pub input: Input<'a>,
    /// What is wanted.
    pub wanted: ResponseFormat<'a>,
    /// Whether the instruction and the labels are the bundle's, which name nobody. A caller's own are looked through for
    /// people's names, as texts are.
    pub bundled: bool,
}

impl Question<'_> {
    /// All that it says.
    pub(super) fn payload(&self) -> Payload {
        let user = |text: String| Turn {
            role: Role::User,
            text,
        };
        let mut schema = None;
        let (rules, turns, labels) = match self.wanted {
            ResponseFormat::Choice(labels) => (
                String::new(),
                vec![user(shown(self.input))],
                Some(labels.to_vec()),
            ),
            ResponseFormat::Json(form) => {
                schema = Some(form.schema());
                let rules = format!("{}\n{}", self.instruction, form.rules());
                (rules, vec![user(form.text())], None)
            }
            ResponseFormat::Text {
                system,
                text,
                history,
            } => {
                let rules = if system.is_empty() {
                    self.instruction
                } else {
                    system
                };
                let now = [user(text.to_owned())];
                let turns = history.iter().cloned().chain(now).collect();
                (rules.to_owned(), turns, None)
            }
        };
        Payload {
            task: self.task.to_owned(),
            instruction: self.instruction.to_owned(),
            rules,
            turns,
            labels,
            schema,
            attachment: None,
        }
    }

    /// What beside words it is about.
    pub(super) fn medium(&self) -> Option<Medium> {
        Medium::of(self.input.kind())
    }

    /// The words in which people may be named.
    pub(super) fn words(&self, payload: &Payload) -> Vec<String> {
        let rules = [&payload.rules].into_iter().filter(|r| !r.is_empty());
        let turns = payload.turns.iter().map(|turn| &turn.text);
        let mut words: Vec<String> = rules.chain(turns).cloned().collect();
        if !self.bundled {
            let labels = payload.labels.iter().flatten();
            let labels = labels.flat_map(|label| [Some(&label.id), label.title.as_ref()]);
            let own = [&payload.instruction].into_iter().chain(labels.flatten());
            let own: Vec<&str> = own.map(String::as_str).collect();
            words.push(own.join("\n"));
        }
        words
    }

    /// The SHA-256 of everything that the answer depends on.
    pub(super) fn hash(&self, payload: &Payload, endpoints: &[Endpoint]) -> String {
        let mut hash = Sha256::new();
        // Lengths in front, so that no two questions run into the same bytes.
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        add(&payload.task);
        add(&payload.instruction);
        add(&payload.system());
        add(&payload.schema().map_or(String::new(), |s| s.to_string()));
        for turn in &payload.turns {
            add(if turn.role == Role::User { "u" } else { "a" });
            add(&turn.text);
        }
        if let Some(attached) = &payload.attachment {
            add(attached.data());
        }
        for endpoint in endpoints {
            add(endpoint.name());
            add(&endpoint.model);
            add(&format!(
                "{:?}{:?}",
                endpoint.provider, endpoint.temperature
            ));
        }
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// The input as a remote is shown it.
pub(super) fn shown(input: Input) -> String {
    match input {
        Input::Text(text) => text.to_owned(),
        Input::Pair { text, second } => format!("{text}\n\n{second}"),
        #[cfg(feature = "onnx")]
        Input::Image(_) => "The image is attached.".to_owned(),
        #[cfg(feature = "onnx")]
        Input::Sound { .. } => "The sound is attached.".to_owned(),
        // `Path::remote` asks nobody about one.
        #[cfg(feature = "onnx")]
        Input::Table(_) => String::new(),
        Input::Bytes(bytes) => {
            use std::fmt::Write;
            let part = &bytes[..bytes.len().min(SHOWN_BYTES)];
            let mut out = format!(
                "A file of {} bytes. Its first {} bytes in hexadecimal:\n",
                bytes.len(),
                part.len()
            );
            for byte in part {
                let _ = write!(out, "{byte:02x}");
            }
            if let Ok(text) = std::str::from_utf8(part) {
                let _ = write!(out, "\nThe same as text:\n{text}");
            }
            out
        }
    }
}

/// The error of a text that an endpoint does not take.
pub(super) fn too_long(endpoint: &Endpoint, question: &Question, bytes: usize) -> Option<Error> {
    let limit = endpoint.max_input_bytes as usize;
    (bytes > limit && !matches!(question.input, Input::Bytes(_))).then(|| {
        Error::new(
            Code::InputTooLong,
            format!(
                "the input has {bytes} bytes, over the remote's limit of {limit}; shorten it or raise remote.maxInputBytes"
            ),
        )
    })
}
