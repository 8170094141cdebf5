//! What a remote is asked, and the prompt that is made of it.

use sha2::{Digest, Sha256};

use super::endpoint::Endpoint;
use super::provider::{Prompt, Role, Shape, Turn};
use crate::task::{Input, Label};

/// How many bytes of a file a remote is shown.
const SHOWN_BYTES: usize = 512;

/// What is wanted of a remote.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted<'a> {
    /// One of these labels.
    Choice(&'a [Label]),
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
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question<'a> {
    /// The task.
    pub task: &'a str,
    /// What to do, in one sentence.
    pub instruction: &'a str,
    /// What to do it with.
    pub input: Input<'a>,
    /// What is wanted.
    pub wanted: Wanted<'a>,
    /// People's names in all of it, as far as they are known: they are redacted with everything else.
    pub names: &'a [String],
}

impl Question<'_> {
    /// Everything that the caller says: for text, the rules (a call's variables may be in them) and the earlier turns;
    /// then what is said now.
    pub fn texts(&self) -> Vec<String> {
        match self.wanted {
            Wanted::Choice(_) => vec![shown(self.input)],
            Wanted::Text {
                system,
                text,
                history,
            } => {
                let rules = if system.is_empty() {
                    self.instruction
                } else {
                    system
                };
                let earlier = history.iter().map(|turn| turn.text.clone());
                let rules = [rules.to_owned()].into_iter();
                rules.chain(earlier).chain([text.to_owned()]).collect()
            }
        }
    }

    /// The prompt with these texts instead of [`Question::texts`].
    pub(super) fn prompt(&self, texts: &[String], stream: bool) -> Prompt<'_> {
        let (system, shape, roles, turns) = match self.wanted {
            Wanted::Choice(labels) => (
                choice_rules(self.instruction, labels),
                Shape::Choice(labels),
                Vec::new(),
                texts,
            ),
            Wanted::Text { history, .. } => {
                let roles = history.iter().map(|turn| turn.role).collect();
                let rules = texts.first().cloned().unwrap_or_default();
                (
                    rules,
                    Shape::Text,
                    roles,
                    texts.get(1..).unwrap_or_default(),
                )
            }
        };
        let roles = roles.into_iter().chain([Role::User]);
        Prompt {
            task: self.task,
            instruction: self.instruction,
            system,
            turns: roles
                .zip(turns)
                .map(|(role, text)| Turn {
                    role,
                    text: text.clone(),
                })
                .collect(),
            shape,
            stream,
        }
    }

    /// The SHA-256 of everything that the answer depends on.
    pub(super) fn hash(&self, texts: &[String], endpoints: &[Endpoint]) -> String {
        let mut hash = Sha256::new();
        // Lengths in front, so that no two questions run into the same bytes.
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        let prompt = self.prompt(texts, false);
        add(self.task);
        add(self.instruction);
        add(&prompt.system);
        add(&prompt.schema().map_or(String::new(), |s| s.to_string()));
        for turn in &prompt.turns {
            add(if turn.role == Role::User { "u" } else { "a" });
            add(&turn.text);
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

fn choice_rules(instruction: &str, labels: &[Label]) -> String {
    let mut rules = format!(
        "{instruction}\nAnswer with JSON only: {{\"label\": …}}, where the label is exactly one of:\n"
    );
    for label in labels {
        rules.push_str("- ");
        rules.push_str(&label.id);
        if let Some(title) = &label.title {
            rules.push_str(": ");
            rules.push_str(title);
        }
        rules.push('\n');
    }
    rules
}

/// The input as a remote is shown it.
pub(super) fn shown(input: Input) -> String {
    match input {
        Input::Text(text) => text.to_owned(),
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
