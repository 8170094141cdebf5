//! What a model is told, whatever the wire format. A prompt is made of a clearance and of nothing else, and a request
//! of a prompt: what was not cleared cannot be put into one.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::remote::attachment::Attachment;
use crate::task::{Label, choice_rules, output_schema};

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// As the wire formats spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// One thing that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// By whom.
    pub role: Role,
    /// What.
    pub text: String,
}

/// The parts of a question in words: what is cleared, part by part, before anything leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::remote) struct Payload {
    /// The task's name.
    pub(in crate::remote) task: String,
    /// What to do, in one sentence.
    pub(in crate::remote) instruction: String,
    /// The rules that a text is written by; a choice's are made of its instruction and labels.
    pub(in crate::remote) rules: String,
    /// What was said so far; the last turn is the user's.
    pub(in crate::remote) turns: Vec<Turn>,
    /// The labels, where one is to be chosen.
    pub(in crate::remote) labels: Option<Vec<Label>>,
    /// The JSON schema of the reply, where it is to be JSON of another shape.
    pub(in crate::remote) schema: Option<Value>,
    /// The image or the sound that the first turn is about.
    pub(in crate::remote) attachment: Option<Attachment>,
}

impl Payload {
    /// How many bytes all its words have.
    pub(in crate::remote) fn bytes(&self) -> usize {
        let labels = self.labels.iter().flatten();
        let labels: usize = labels
            .map(|l| l.id.len() + l.title.as_ref().map_or(0, String::len))
            .sum();
        let turns: usize = self.turns.iter().map(|turn| turn.text.len()).sum();
        self.task.len() + self.instruction.len() + self.rules.len() + turns + labels
    }

    /// The JSON schema of the reply, where it is to be JSON.
    pub(in crate::remote) fn schema(&self) -> Option<Value> {
        let of_labels = self.labels.as_deref().map(output_schema);
        of_labels.or_else(|| self.schema.clone())
    }

    /// The rules as they are sent.
    pub(in crate::remote) fn system(&self) -> String {
        match &self.labels {
            Some(labels) => format!("{}\n{}", self.instruction, choice_rules(labels)),
            None => self.rules.clone(),
        }
    }

    /// Changes every word of it, in a fixed order.
    pub(super) fn change(&mut self, mut change: impl FnMut(&mut String)) {
        change(&mut self.task);
        change(&mut self.instruction);
        change(&mut self.rules);
        for turn in &mut self.turns {
            change(&mut turn.text);
        }
        for label in self.labels.iter_mut().flatten() {
            change(&mut label.id);
            if let Some(title) = &mut label.title {
                change(title);
            }
        }
        if let Some(schema) = &mut self.schema {
            choices(schema, &mut change);
        }
    }
}

/// Changes every string that a schema lets be chosen: the other ones are words of JSON Schema, or names of fields.
fn choices(schema: &mut Value, change: &mut dyn FnMut(&mut String)) {
    match schema {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::Array(items) if name == "enum" => {
                        for item in items {
                            if let Value::String(text) = item {
                                change(text);
                            }
                        }
                    }
                    other => choices(other, change),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| choices(item, change)),
        _ => {}
    }
}

/// What a model is told. Only this room makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    payload: Payload,
    system: String,
    stream: bool,
}

impl Prompt {
    /// The prompt of what was cleared.
    pub(super) fn of(payload: Payload, stream: bool) -> Self {
        Prompt {
            system: payload.system(),
            payload,
            stream,
        }
    }

    /// A prompt of a test.
    #[cfg(test)]
    pub(in crate::remote) fn for_test(payload: Payload, stream: bool) -> Self {
        Prompt::of(payload, stream)
    }

    /// The task.
    pub fn task(&self) -> &str {
        &self.payload.task
    }

    /// What to do, in one sentence.
    pub fn instruction(&self) -> &str {
        &self.payload.instruction
    }

    /// The rules, for formats that have a place for them apart.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// What was said so far; the last turn is the user's.
    pub fn turns(&self) -> &[Turn] {
        &self.payload.turns
    }

    /// The labels, where one is to be chosen.
    pub fn labels(&self) -> Option<&[Label]> {
        self.payload.labels.as_deref()
    }

    /// Whether the reply is wanted piece by piece.
    pub fn stream(&self) -> bool {
        self.stream
    }

    /// The JSON schema of the reply, where it is to be JSON.
    pub fn schema(&self) -> Option<Value> {
        self.payload.schema()
    }

    /// The image or the sound that the first turn is about.
    pub fn attachment(&self) -> Option<&Attachment> {
        self.payload.attachment.as_ref()
    }

    /// The turns, each with what is attached to it.
    pub fn said(&self) -> impl Iterator<Item = (&Turn, Option<&Attachment>)> {
        let attached = |at| self.attachment().filter(|_| at == 0);
        let turns = self.turns().iter().enumerate();
        turns.map(move |(at, turn)| (turn, attached(at)))
    }

    /// The turns as `[{role, content}]`, which most formats share; where something is attached, the content is what `with` makes
    /// of the text and of that.
    pub fn messages(&self, with: impl Fn(&str, &Attachment) -> Value) -> Vec<Value> {
        let message = |(turn, attached): (&Turn, Option<&Attachment>)| {
            let content = match attached {
                Some(attached) => with(&turn.text, attached),
                None => turn.text.as_str().into(),
            };
            serde_json::json!({"role": turn.role.as_str(), "content": content})
        };
        self.said().map(message).collect()
    }
}
