//! What every provider is sent, held against the types that it publishes in its own package: a field that does not exist
//! there, or a value of another type, does not compile.
//!
//! Needs the packages of tests/reference, so it runs under `cargo xtask test`.
#![cfg(not(target_arch = "wasm32"))]

use std::cell::RefCell;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use smallfirst::host::{Clock, Storage};
use smallfirst::remote::{
    Consent, ConsentRequest, FullBody, Head, HttpRequest, Network, Page, Question, Remote,
    RemoteOptions, ResponseFormat, Role, Trace, TransportError, Turn, Unnamed,
};
use smallfirst::task::kind::{Form, KindOptions};
use smallfirst::task::{Input, Label, TaskKind};

/// Keeps what is sent and answers nothing.
#[derive(Default)]
struct Recorder(RefCell<Vec<HttpRequest>>);

impl Network for Recorder {
    type Body = FullBody;

    fn online(&self) -> bool {
        true
    }

    async fn open(&self, request: &HttpRequest) -> Result<(Head, FullBody), TransportError> {
        self.0.borrow_mut().push(request.clone());
        Err(TransportError::Unreachable("it is only looked at".into()))
    }

    async fn sleep(&self, _: f64) {
        std::future::pending().await
    }
}

impl Page for Recorder {
    async fn consent(&self, _: &ConsentRequest) -> Result<Consent, TransportError> {
        Ok(Consent::default())
    }
}

impl Storage for Recorder {
    async fn update(&self, _: &str, change: &mut dyn FnMut(Option<String>) -> Option<String>) {
        change(None);
    }
}

impl Clock for Recorder {
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

/// The body that an endpoint is sent: for a choice, for text with what was said before, and for spans.
fn bodies(endpoint: Value) -> [Value; 3] {
    let options: RemoteOptions = serde_json::from_value(json!({
        "endpoints": [endpoint], "policy": {"maxRetries": 0},
    }))
    .unwrap();
    let remote = Remote::new(options).unwrap();
    let labels = [("spam", None), ("ham", Some("not spam"))].map(|(id, title)| Label {
        id: id.into(),
        title: title.map(str::to_owned),
    });
    let history = [(Role::User, "Hello"), (Role::Assistant, "Hello!")].map(|(role, text)| Turn {
        role,
        text: text.into(),
    });
    let options = KindOptions::default();
    let text = Input::Text("Buy now");
    let form = Form::new(TaskKind::TokenClassification, &labels, text, &options).unwrap();
    let wanted = [
        ResponseFormat::Choice(&labels),
        ResponseFormat::Text {
            system: "Be brief.",
            text: "Again",
            history: &history,
        },
        ResponseFormat::Json(&form),
    ];
    let recorder = Recorder::default();
    for wanted in wanted {
        let question = Question {
            bundled: true,
            task: "spam",
            instruction: "Is it spam?",
            input: Input::Text("Buy now"),
            wanted,
        };
        let trace = Trace::default();
        let result = match wanted {
            ResponseFormat::Choice(_) | ResponseFormat::Json(_) => {
                pollster::block_on(remote.ask(&question, &Unnamed, &recorder, &trace))
            }
            ResponseFormat::Text { .. } => {
                pollster::block_on(remote.stream(&question, &Unnamed, &recorder, &trace))
            }
        };
        assert!(result.is_err());
    }
    let sent = recorder.0.into_inner();
    assert_eq!(sent.len(), 3);
    [&sent[0], &sent[1], &sent[2]].map(|request| serde_json::from_str(request.body()).unwrap())
}

#[test]
#[ignore = "needs the packages of tests/reference: cargo xtask test"]
fn requests_are_what_the_providers_own_packages_describe() {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    let mut out = String::from(concat!(
        "// Written by tests/shapes.rs.\n",
        "import type Anthropic from \"@anthropic-ai/sdk\";\n",
        "import type { ConverseRequest } from \"@aws-sdk/client-bedrock-runtime\";\n",
        "import type { Content, GenerateContentConfig } from \"@google/genai\";\n",
        "import type { ChatRequest } from \"ollama\";\n",
        "import type OpenAI from \"openai\";\n",
        "/** The REST form of what the package's config says in one object. */\n",
        "interface Gemini {\n",
        "  contents: Content[];\n",
        "  systemInstruction?: Content;\n",
        "  generationConfig?: Pick<GenerateContentConfig, \"responseMimeType\" | \"responseJsonSchema\" | \"maxOutputTokens\" | \"temperature\">;\n",
        "}\n",
    ));
    let limits = json!({"maxTokens": 64, "temperature": 0.5});
    let cases = [
        ("openai", json!({}), "OpenAI.ChatCompletionCreateParams"),
        (
            "openai",
            limits.clone(),
            "OpenAI.ChatCompletionCreateParams",
        ),
        (
            "openai",
            json!({"structured": "tool"}),
            "OpenAI.ChatCompletionCreateParams",
        ),
        (
            "openai-responses",
            limits.clone(),
            "OpenAI.Responses.ResponseCreateParams",
        ),
        (
            "openai-responses",
            json!({"structured": "tool"}),
            "OpenAI.Responses.ResponseCreateParams",
        ),
        ("anthropic", json!({}), "Anthropic.MessageCreateParams"),
        (
            "anthropic",
            json!({"structured": "tool", "maxTokens": 64}),
            "Anthropic.MessageCreateParams",
        ),
        ("gemini", limits.clone(), "Gemini"),
        ("ollama", limits.clone(), "ChatRequest"),
        ("bedrock", limits, "Omit<ConverseRequest, \"modelId\">"),
        (
            "bedrock",
            json!({"structured": "schema"}),
            "Omit<ConverseRequest, \"modelId\">",
        ),
    ];
    let mut count = 0;
    for (provider, more, shape) in cases {
        let mut endpoint =
            json!({"provider": provider, "baseUrl": "https://api.example", "model": "m"});
        for (key, value) in more.as_object().unwrap() {
            endpoint[key] = value.clone();
        }
        for body in bodies(endpoint) {
            count += 1;
            writeln!(out, "export const request{count}: {shape} = {body};").unwrap();
        }
    }
    let file = reference.join("requests.ts");
    fs::write(&file, &out).unwrap();
    let tsc = |file: &Path| {
        Command::new("npx")
            .args([
                "--no-install",
                "tsc",
                "--noEmit",
                "--strict",
                "--skipLibCheck",
                "--target",
                "ES2022",
            ])
            .args([
                "--module",
                "ES2022",
                "--moduleResolution",
                "bundler",
                "--lib",
                "ES2022,DOM,DOM.AsyncIterable",
            ])
            .arg(file)
            .current_dir(&reference)
            .output()
            .unwrap()
    };
    let checked = tsc(&file);
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stdout)
    );
    // The check can fail: a field that nobody knows does not compile.
    fs::write(
        &file,
        out.replace("\"response_format\":", "\"response_formatt\":"),
    )
    .unwrap();
    assert!(!tsc(&file).status.success());
    fs::remove_file(&file).unwrap();
}
