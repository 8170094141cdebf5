//! A remote that sends whatever the fuzzer made: the first byte chooses the provider, the second how the rest is cut.

use std::cell::RefCell;

use serde_json::json;
use smallfirst::host::{Clock, Storage};
use smallfirst::remote::{
    Body, Consent, ConsentRequest, Head, HttpRequest, Network, Page, Question, Remote,
    RemoteOptions, ResponseFormat, Trace, TransportError, Unnamed,
};
use smallfirst::task::{Input, Label};

use super::Target;

/// A text in pieces: what was given piece by piece is the answer, or there is a typed error.
pub const STREAM: Target = Target {
    name: "stream",
    read: stream,
    choice: 2,
    seeds,
    most: 8 << 10,
    words: WORDS,
};

/// A choice: it is one of the labels, or there is a typed error.
pub const REPLY: Target = Target {
    name: "reply",
    read: reply,
    ..STREAM
};

const WORDS: &[&str] = &[
    "data: ",
    "event: ",
    "data: [DONE]\n\n",
    "\n\n",
    "\"choices\":[",
    "\"delta\":{\"content\":\"",
    "\"message\":{\"content\":\"",
    "\"finish_reason\":\"stop\"",
    "\"tool_calls\":[{\"function\":{\"arguments\":\"",
    "\"refusal\":",
    "\"usage\":{",
    "\"output\":[",
    "\"type\":\"response.output_text.delta\"",
    "\"type\":\"response.completed\"",
    "\"type\":\"content_block_delta\"",
    "\"type\":\"message_delta\"",
    "\"stop_reason\":\"end_turn\"",
    "\"candidates\":[{\"content\":{\"parts\":[",
    "\"finishReason\":\"STOP\"",
    "\"functionCall\":{\"args\":",
    "\"message\":{\"content\":",
    "\"done\":true",
    "\"stopReason\":",
    "\"answers\":[{\"type\":\"choice\",\"choice\":",
    "\"probabilities\":[",
    "{\"reply\":{\"text\":\"",
    "{\"label\":\"a\"}",
    "{\\\"label\\\":\\\"a\\\"}",
    "```json\n",
];

/// One reply of each provider, whole and in pieces.
fn seeds() -> Vec<Vec<u8>> {
    let said = r#"{"label":"a"}"#;
    let quoted = serde_json::to_string(said).unwrap_or_default();
    let bodies = [
        format!(r#"{{"choices":[{{"message":{{"content":{quoted}}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":7}}}}"#),
        format!(r#"{{"status":"completed","output":[{{"type":"message","content":[{{"type":"output_text","text":{quoted}}}]}}]}}"#),
        r#"{"answers":[{"type":"choice","choice":"a","confidence":0.8,"probabilities":[{"value":"a","probability":0.8}]}]}"#.into(),
        format!(r#"{{"content":[{{"type":"text","text":{quoted}}}],"stop_reason":"end_turn"}}"#),
        format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":{quoted}}}]}},"finishReason":"STOP"}}]}}"#),
        format!(r#"{{"message":{{"content":{quoted}}},"done":true,"done_reason":"stop"}}"#),
        format!(r#"{{"output":{{"message":{{"content":[{{"text":{quoted}}}]}}}},"stopReason":"end_turn"}}"#),
        format!(r#"{{"choices":[{{"message":{{"content":{quoted}}},"finish_reason":"stop"}}]}}"#),
        r#"{"reply":{"text":"a"}}"#.into(),
        r#"{"reply":{"label":"a","confidence":0.5}}"#.into(),
    ];
    let all = (0u8..).zip(&bodies);
    all.flat_map(|(provider, body)| {
        let lines = [
            body.clone(),
            format!("data: {body}\n\ndata: [DONE]\n\n"),
            format!("{body}\n"),
        ];
        lines.map(|body| [&[provider, 63], body.as_bytes()].concat())
    })
    .collect()
}

/// The order is part of the corpora.
pub const PROVIDERS: [&str; 10] = [
    "openai",
    "openai-responses",
    "openai-decisions",
    "anthropic",
    "gemini",
    "ollama",
    "bedrock",
    "sagemaker",
    "prompt-api",
    "custom",
];

/// A server, a page, and what the browser keeps.
pub struct Sent<'a> {
    body: &'a [u8],
    cut: usize,
    given: RefCell<String>,
    /// What is found wherever something is looked for that was kept.
    stored: Option<String>,
    /// Under which names something was looked for.
    pub looked: RefCell<Vec<String>>,
}

impl<'a> Sent<'a> {
    /// A server that answers with these bytes, so many at a time.
    pub fn new(body: &'a [u8], cut: usize, stored: Option<String>) -> Self {
        Sent {
            body,
            cut,
            given: RefCell::default(),
            stored,
            looked: RefCell::default(),
        }
    }
}

pub struct Parts(Vec<Vec<u8>>);

impl Body for Parts {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, TransportError> {
        Ok(self.0.pop())
    }
}

impl Network for Sent<'_> {
    type Body = Parts;

    fn online(&self) -> bool {
        true
    }

    async fn open(&self, _: &HttpRequest) -> Result<(Head, Parts), TransportError> {
        let head = Head {
            status: 200,
            headers: vec![("content-type".into(), "text/event-stream".into())],
        };
        let mut parts: Vec<Vec<u8>> = self.body.chunks(self.cut).map(<[u8]>::to_vec).collect();
        parts.reverse();
        Ok((head, Parts(parts)))
    }

    /// Time never passes: everything is there at once.
    async fn sleep(&self, _: f64) {
        std::future::pending().await
    }
}

impl Page for Sent<'_> {
    async fn consent(&self, _: &ConsentRequest) -> Result<Consent, TransportError> {
        Ok(Consent::default())
    }

    async fn delta(&self, text: &str) -> Result<(), TransportError> {
        self.given.borrow_mut().push_str(text);
        Ok(())
    }
}

impl Storage for Sent<'_> {
    async fn update(&self, name: &str, change: &mut dyn FnMut(Option<String>) -> Option<String>) {
        self.looked.borrow_mut().push(name.to_owned());
        change(self.stored.clone());
    }
}

impl Clock for Sent<'_> {
    fn now_ms(&self) -> f64 {
        0.0
    }

    fn wall_ms(&self) -> f64 {
        0.0
    }

    fn uniform(&self) -> f64 {
        0.5
    }
}

fn remote(provider: u8) -> Remote {
    let provider = PROVIDERS[usize::from(provider) % PROVIDERS.len()];
    let options: RemoteOptions = serde_json::from_value(json!({
        "endpoints": [{"provider": provider, "baseUrl": "https://api.example", "model": "m"}],
        "policy": {"maxRetries": 0}, "answerCache": {"entries": 0}, "privacy": {"redact": {}},
    }))
    .unwrap();
    Remote::new(options).unwrap()
}

fn sent(data: &[u8]) -> Option<(Remote, Sent<'_>)> {
    let [provider, cut, body @ ..] = data else {
        return None;
    };
    Some((
        remote(*provider),
        Sent::new(body, usize::from(*cut) + 1, None),
    ))
}

fn stream(data: &[u8]) {
    let Some((remote, sent)) = sent(data) else {
        return;
    };
    let text = "Write to ann@mail.example";
    let question = Question {
        bundled: true,
        task: "t",
        instruction: "i",
        input: Input::Text(text),
        wanted: ResponseFormat::Text {
            system: "s",
            text,
            history: &[],
        },
    };
    let trace = Trace::default();
    let result = pollster::block_on(remote.stream(&question, &Unnamed, &sent, &trace));
    if let Ok(reply) = result {
        assert_eq!(reply.text, *sent.given.borrow());
        assert!(!reply.text.trim().is_empty());
    }
}

fn reply(data: &[u8]) {
    let Some((remote, sent)) = sent(data) else {
        return;
    };
    let labels = ["a", "b"].map(|id| Label {
        id: id.into(),
        title: None,
    });
    let question = Question {
        bundled: true,
        task: "t",
        instruction: "i",
        input: Input::Text("x"),
        wanted: ResponseFormat::Choice(&labels),
    };
    let trace = Trace::default();
    let result = pollster::block_on(remote.ask(&question, &Unnamed, &sent, &trace));
    if let Ok(reply) = result {
        let output = reply.output.unwrap();
        assert!(labels.iter().any(|l| l.id == output.label));
        assert!(reply.confidence.is_none_or(|c| (0.0..=1.0).contains(&c)));
        assert!(output.scores.iter().all(|s| (0.0..=1.0).contains(&s.score)));
    }
}
