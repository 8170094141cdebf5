//! A remote that sends whatever the fuzzer made: the first byte chooses the provider, the second how the rest is cut.

#![allow(dead_code)]

use std::cell::RefCell;

use serde_json::json;
use smallfirst::remote::{
    Body, Clock, Consent, Head, HttpRequest, Outgoing, Question, Remote, RemoteOptions, Trace,
    Transport, TransportError, Unnamed, Wanted,
};
use smallfirst::task::{Input, Label};

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

struct Sent<'a> {
    body: &'a [u8],
    cut: usize,
    given: RefCell<String>,
}

struct Parts(Vec<Vec<u8>>);

impl Body for Parts {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, TransportError> {
        Ok(self.0.pop())
    }
}

impl Transport for Sent<'_> {
    type Body = Parts;

    fn online(&self) -> bool {
        true
    }

    fn aborted(&self) -> bool {
        false
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

    async fn consent(&self, _: &Outgoing) -> Result<Consent, TransportError> {
        Ok(Consent::default())
    }

    async fn delta(&self, text: &str) -> Result<(), TransportError> {
        self.given.borrow_mut().push_str(text);
        Ok(())
    }

    async fn update(&self, _: &str, change: &mut dyn FnMut(Option<String>) -> Option<String>) {
        change(None);
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
    let sent = Sent {
        body,
        cut: usize::from(*cut) + 1,
        given: RefCell::default(),
    };
    Some((remote(*provider), sent))
}

/// A streamed text: what was given piece by piece is the answer, or there is a typed error.
pub fn stream(data: &[u8]) {
    let Some((remote, sent)) = sent(data) else {
        return;
    };
    let text = "Write to ann@mail.example";
    let question = Question {
        bundled: true,
        task: "t",
        instruction: "i",
        input: Input::Text(text),
        wanted: Wanted::Text {
            system: "s",
            text,
            history: &[],
        },
    };
    let trace = Trace::default();
    let result = pollster::block_on(remote.stream(&question, &Unnamed, &sent, &sent, &trace));
    if let Ok(reply) = result {
        assert_eq!(reply.text, *sent.given.borrow());
        assert!(!reply.text.trim().is_empty());
    }
}

/// A choice: it is one of the labels, or there is a typed error.
pub fn reply(data: &[u8]) {
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
        wanted: Wanted::Choice(&labels),
    };
    let trace = Trace::default();
    let result = pollster::block_on(remote.ask(&question, &Unnamed, &sent, &sent, &trace));
    if let Ok(reply) = result {
        let output = reply.output.unwrap();
        assert!(labels.iter().any(|l| l.id == output.label));
        assert!(reply.confidence.is_none_or(|c| (0.0..=1.0).contains(&c)));
        assert!(output.scores.iter().all(|s| (0.0..=1.0).contains(&s.score)));
    }
}
