//! Requests and replies of each wire format. The replies are written after the types that the providers publish in
//! their own packages (named at the top of each provider's file), not recorded from their servers; the formats of
//! OpenAI and Anthropic are also spoken with a real server in `tests/e2e`.

use serde_json::{Value, json};

use super::finish::Finish;
use super::format::SCHEMA_NAME;
use super::reading::{self, Step};
use super::*;
use crate::error::Code;
use crate::remote::egress::Turn;
use crate::remote::egress::prompt::Payload;
use crate::remote::egress::{Prompt, Role};
use crate::remote::endpoint::Endpoint;
use crate::remote::failure::Failure;
use crate::remote::host::Head;
use crate::task::{Label, output_schema};

fn labels() -> Vec<Label> {
    [("spam", None), ("ham", Some("not spam"))]
        .map(|(id, title)| Label {
            id: id.into(),
            title: title.map(Into::into),
        })
        .to_vec()
}

fn endpoint(provider: &str, more: Value) -> Endpoint {
    let mut endpoint =
        json!({"provider": provider, "baseUrl": "https://api.example/v1/", "model": "m/1"});
    for (key, value) in more.as_object().unwrap() {
        endpoint[key] = value.clone();
    }
    serde_json::from_value(endpoint).unwrap()
}

/// A conversation that begins so.
fn turns(first: &str) -> Vec<Turn> {
    [
        (Role::User, first),
        (Role::Assistant, "{}"),
        (Role::User, "Again"),
    ]
    .map(|(role, text)| Turn {
        role,
        text: text.into(),
    })
    .to_vec()
}

fn prompt(labels: Option<&[Label]>, stream: bool) -> Prompt {
    let payload = Payload {
        task: "spam".into(),
        instruction: "Is it spam?".into(),
        rules: "The rules.".into(),
        turns: turns("Hello"),
        labels: labels.map(<[Label]>::to_vec),
        schema: None,
        attachment: None,
    };
    Prompt::for_test(payload, stream)
}

/// The address, headers and body of a request.
fn asked(endpoint: &Endpoint, prompt: &Prompt) -> (String, Vec<(&'static str, String)>, Value) {
    let wire = provider(endpoint.provider)
        .request(endpoint, prompt)
        .unwrap();
    (wire.url, wire.headers, Value::Object(wire.body))
}

/// A whole reply.
fn whole(kind: &str, body: &str) -> Result<Completion, Failure> {
    let provider = provider(endpoint(kind, json!({})).provider);
    reading::whole(provider, &Head::default(), body)
}

/// One event of a stream.
fn event(kind: &str, data: &str, said: &mut Completion) -> Result<String, Failure> {
    let provider = provider(endpoint(kind, json!({})).provider);
    Ok(
        match reading::event(provider, &Head::default(), None, data, said)? {
            Step::Text(new) => new,
            Step::End => String::new(),
        },
    )
}

pub(in crate::remote) const ALL: [&str; 10] = [
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

#[test]
fn every_format_has_its_address() {
    let labels = labels();
    let choice = prompt(Some(&labels), false);
    for (kind, url) in [
        ("openai", "https://api.example/v1/chat/completions"),
        ("openai-responses", "https://api.example/v1/responses"),
        ("openai-decisions", "https://api.example/v1/decisions"),
        ("anthropic", "https://api.example/v1/messages"),
        (
            "gemini",
            "https://api.example/v1/models/m%2F1:generateContent",
        ),
        ("ollama", "https://api.example/v1/api/chat"),
        ("bedrock", "https://api.example/v1/model/m%2F1/converse"),
        (
            "sagemaker",
            "https://api.example/v1/endpoints/m%2F1/invocations",
        ),
        ("prompt-api", ""),
        ("custom", ""),
    ] {
        assert_eq!(asked(&endpoint(kind, json!({})), &choice).0, url);
    }
    let (url, ..) = asked(&endpoint("gemini", json!({})), &prompt(None, true));
    assert!(url.ends_with(":streamGenerateContent?alt=sse"));
}

#[test]
fn every_format_carries_the_schema_and_the_words() {
    let labels = labels();
    let schema = output_schema(&labels);
    // Where the schema is, with the provider's structured output and with a tool.
    let places = [
        ("openai", "schema", "/response_format/json_schema/schema"),
        ("openai", "tool", "/tools/0/function/parameters"),
        ("openai-responses", "schema", "/text/format/schema"),
        ("openai-responses", "tool", "/tools/0/parameters"),
        ("anthropic", "schema", "/output_config/format/schema"),
        ("anthropic", "tool", "/tools/0/input_schema"),
        ("gemini", "schema", "/generationConfig/responseJsonSchema"),
        (
            "gemini",
            "tool",
            "/tools/0/functionDeclarations/0/parametersJsonSchema",
        ),
        ("ollama", "schema", "/format"),
        (
            "bedrock",
            "tool",
            "/toolConfig/tools/0/toolSpec/inputSchema/json",
        ),
        ("sagemaker", "schema", "/response_format/json_schema/schema"),
        ("custom", "schema", "/schema"),
    ];
    for (kind, how, place) in places {
        let choice = prompt(Some(&labels), false);
        let (_, _, body) = asked(&endpoint(kind, json!({"structured": how})), &choice);
        assert_eq!(body.pointer(place), Some(&schema), "{kind} {how}: {body}");
        let text = body.to_string();
        for words in ["Is it spam?", "Hello", "Again"] {
            assert!(text.contains(words), "{kind} {how} says {words}");
        }
        let (_, _, body) = asked(&endpoint(kind, json!({"structured": "prompt"})), &choice);
        if kind != "custom" {
            assert!(body.pointer(place).is_none(), "{kind} was told not to");
        }
        let (_, _, body) = asked(&endpoint(kind, json!({})), &prompt(None, false));
        assert!(
            body.pointer(place).is_none_or(Value::is_null),
            "{kind}: text has no schema"
        );
    }
    // Bedrock wants it as a string.
    let choice = prompt(Some(&labels), false);
    let (_, _, body) = asked(
        &endpoint("bedrock", json!({"structured": "schema"})),
        &choice,
    );
    let place = body
        .pointer("/outputConfig/textFormat/structure/jsonSchema/schema")
        .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(place.as_str().unwrap()).unwrap(),
        schema
    );
    let (_, _, body) = asked(&endpoint("openai-decisions", json!({})), &choice);
    assert_eq!(
        body["questions"][0]["choices"],
        json!([{"value": "spam"}, {"value": "ham", "description": "not spam"}])
    );
    assert_eq!(body["input"], "Hello");
}

#[test]
fn what_is_not_asked_for_is_not_said() {
    let labels = labels();
    for kind in ALL {
        let (_, headers, body) = asked(&endpoint(kind, json!({})), &prompt(Some(&labels), false));
        let text = body.to_string();
        for absent in [
            "temperature",
            "top_p",
            "seed",
            "max_completion_tokens",
            "num_predict",
            "maxOutputTokens",
        ] {
            assert!(!text.contains(absent), "{kind} says {absent}");
        }
        let secret = |name: &str| name.contains("key") || name == "authorization";
        assert!(headers.iter().all(|(name, _)| !secret(name)));
    }
    let limits = json!({"maxTokens": 9, "temperature": 0.5});
    for (kind, field) in [
        ("openai", "/max_completion_tokens"),
        ("openai-responses", "/max_output_tokens"),
        ("gemini", "/generationConfig/maxOutputTokens"),
        ("ollama", "/options/num_predict"),
        ("bedrock", "/inferenceConfig/maxTokens"),
        ("sagemaker", "/max_tokens"),
    ] {
        let (_, _, body) = asked(&endpoint(kind, limits.clone()), &prompt(None, false));
        assert_eq!(body.pointer(field), Some(&json!(9)), "{kind}");
        assert!(body.to_string().contains("temperature"), "{kind}");
    }
    let (_, _, body) = asked(
        &endpoint(
            "openai",
            json!({"maxTokens": 9, "maxTokensField": "max_tokens"}),
        ),
        &prompt(None, true),
    );
    assert_eq!(
        (
            &body["max_tokens"],
            &body["stream_options"]["include_usage"]
        ),
        (&json!(9), &json!(true))
    );
}

/// Some servers stream unless they are told not to.
#[test]
fn whether_to_stream_is_said_either_way() {
    let labels = labels();
    for kind in [
        "openai",
        "openai-responses",
        "anthropic",
        "ollama",
        "sagemaker",
    ] {
        let (_, _, body) = asked(&endpoint(kind, json!({})), &prompt(Some(&labels), false));
        assert_eq!(body["stream"], json!(false), "{kind}");
        let (_, _, body) = asked(&endpoint(kind, json!({})), &prompt(None, true));
        assert_eq!(body["stream"], json!(true), "{kind}");
    }
}

#[test]
fn each_version_of_anthropic_gets_what_it_takes() {
    let labels = labels();
    let choice = prompt(Some(&labels), false);
    let (_, headers, body) = asked(&endpoint("anthropic", json!({})), &choice);
    assert_eq!(headers, [("anthropic-version", "2026-10-21".to_owned())]);
    assert!(body.get("output_config").is_some() && body.get("tools").is_none());
    assert!(body["max_tokens"].as_u64().unwrap() > 0, "the API insists");
    let old = endpoint(
        "anthropic",
        json!({"apiVersion": "2023-06-01", "temperature": 0.0}),
    );
    assert!(old.validate().is_ok());
    let (_, headers, body) = asked(&old, &choice);
    assert_eq!(headers, [("anthropic-version", "2023-06-01".to_owned())]);
    assert_eq!(
        body["tool_choice"],
        json!({"type": "tool", "name": SCHEMA_NAME})
    );
    let new = endpoint("anthropic", json!({"temperature": 0.0}));
    assert_eq!(new.validate().unwrap_err().code(), Code::InvalidOption);
}

#[test]
fn whole_replies_are_read() {
    let spam = r#"{"label":"spam"}"#;
    let cases: [(&str, Value, &str, Finish, Option<u64>); 14] = [
        (
            "openai",
            json!({"id": "1", "object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": spam, "refusal": null}, "logprobs": null}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}),
            spam,
            Finish::Stop,
            Some(5),
        ),
        (
            "openai",
            json!({"choices": [{"finish_reason": "tool_calls", "message": {"role": "assistant", "content": null,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "classification", "arguments": spam}}]}}]}),
            spam,
            Finish::Stop,
            None,
        ),
        (
            "openai",
            json!({"choices": [{"finish_reason": "length", "message": {"content": "{\"la"}}]}),
            "{\"la",
            Finish::Length,
            None,
        ),
        (
            "openai",
            json!({"choices": [{"finish_reason": "content_filter", "message": {"content": ""}}]}),
            "",
            Finish::Filter,
            None,
        ),
        (
            "openai-responses",
            json!({"id": "r", "object": "response", "status": "completed", "error": null, "incomplete_details": null,
            "output": [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": spam, "annotations": []}]}],
            "usage": {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}}),
            spam,
            Finish::Stop,
            Some(5),
        ),
        (
            "openai-responses",
            json!({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": [
            {"type": "message", "content": [{"type": "output_text", "text": "{"}]}]}),
            "{",
            Finish::Length,
            None,
        ),
        (
            "anthropic",
            json!({"id": "m", "type": "message", "role": "assistant", "content": [{"type": "thinking", "thinking": "hm",
            "signature": "s"}, {"type": "text", "text": spam}], "stop_reason": "end_turn", "stop_details": null,
            "usage": {"input_tokens": 7, "output_tokens": 5, "cache_read_input_tokens": 2}}),
            spam,
            Finish::Stop,
            Some(5),
        ),
        (
            "anthropic",
            json!({"content": [{"type": "tool_use", "id": "t", "name": "classification", "input": {"label": "spam"}}],
            "stop_reason": "tool_use"}),
            spam,
            Finish::Stop,
            None,
        ),
        (
            "anthropic",
            json!({"content": [{"type": "text", "text": "{"}], "stop_reason": "max_tokens"}),
            "{",
            Finish::Length,
            None,
        ),
        (
            "gemini",
            json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "hm", "thought": true}, {"text": spam}]},
            "finishReason": "STOP", "avgLogprobs": -0.1}], "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3,
            "thoughtsTokenCount": 2, "totalTokenCount": 12}, "modelVersion": "x"}),
            spam,
            Finish::Stop,
            Some(5),
        ),
        (
            "gemini",
            json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "classification", "args": {"label": "spam"}}}]},
            "finishReason": "STOP"}]}),
            spam,
            Finish::Stop,
            None,
        ),
        (
            "ollama",
            json!({"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", "content": spam},
            "done": true, "done_reason": "stop", "prompt_eval_count": 7, "eval_count": 5}),
            spam,
            Finish::Stop,
            Some(5),
        ),
        (
            "bedrock",
            json!({"output": {"message": {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "classification",
            "input": {"label": "spam"}}}]}}, "stopReason": "tool_use", "usage": {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12},
            "metrics": {"latencyMs": 3}}),
            spam,
            Finish::Stop,
            Some(5),
        ),
        (
            "sagemaker",
            json!({"choices": [{"finish_reason": "stop", "message": {"content": spam}}]}),
            spam,
            Finish::Stop,
            None,
        ),
    ];
    for (kind, body, text, finish, tokens) in cases {
        let said = whole(kind, &body.to_string()).unwrap();
        assert_eq!(
            (said.text.as_str(), said.finish, said.output_tokens),
            (text, finish, tokens),
            "{kind}: {body}"
        );
        assert_eq!(said.refusal, None, "{kind}");
    }
}

#[test]
fn refusals_and_filters_are_told_from_answers() {
    for (kind, body) in [
        (
            "openai",
            json!({"choices": [{"finish_reason": "stop", "message": {"content": null, "refusal": "I cannot"}}]}),
        ),
        (
            "openai-responses",
            json!({"status": "completed", "output": [{"type": "message", "content": [{"type": "refusal", "refusal": "I cannot"}]}]}),
        ),
        (
            "openai-decisions",
            json!({"model": "m", "answers": [{"type": "refusal", "name": "classification"}]}),
        ),
        (
            "anthropic",
            json!({"content": [], "stop_reason": "refusal", "stop_details": {"type": "refusal", "category": "x", "explanation": "I cannot"}}),
        ),
        (
            "gemini",
            json!({"promptFeedback": {"blockReason": "SAFETY"}}),
        ),
    ] {
        let said = whole(kind, &body.to_string()).unwrap();
        assert!(said.refusal.is_some(), "{kind}");
    }
    for (kind, body) in [
        (
            "gemini",
            json!({"candidates": [{"finishReason": "SAFETY"}]}),
        ),
        (
            "bedrock",
            json!({"output": {"message": {"content": []}}, "stopReason": "guardrail_intervened"}),
        ),
        (
            "openai-responses",
            json!({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}),
        ),
    ] {
        let said = whole(kind, &body.to_string()).unwrap();
        assert_eq!(said.finish, Finish::Filter, "{kind}");
    }
}

#[test]
fn stated_confidences_are_kept() {
    let decision = json!({"model": "m", "answers": [{"type": "choice", "name": "classification", "choice": "ham", "confidence": 0.8,
        "probabilities": [{"value": "spam", "probability": 0.2}, {"value": "ham", "probability": 0.8}]}],
        "usage": {"input_tokens": 7, "output_tokens": 0, "total_tokens": 7}});
    let said = whole("openai-decisions", &decision.to_string()).unwrap();
    assert_eq!(
        (said.text.as_str(), said.confidence),
        (r#"{"label":"ham"}"#, Some(0.8))
    );
    assert_eq!(said.scores[0].label, "ham");
    let logprobs = json!({"choices": [{"finish_reason": "stop", "message": {"content": "x"},
        "logprobs": {"content": [{"token": "a", "logprob": -0.5, "bytes": null, "top_logprobs": []}, {"token": "b", "logprob": -0.5}]}}]});
    let said = whole("openai", &logprobs.to_string()).unwrap();
    assert!((said.confidence.unwrap() - (-1.0f64).exp()).abs() < 1e-12);
    let page = "{\"reply\":{\"label\":\"ham\",\"confidence\":0.9}}\n";
    let said = whole("custom", page).unwrap();
    assert_eq!(
        (said.text.as_str(), said.confidence),
        (r#"{"label":"ham"}"#, Some(0.9))
    );
}

#[test]
fn streams_are_read_event_by_event() {
    let cases: [(&str, Vec<&str>, u64); 7] = [
        (
            "openai",
            vec![
                r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
                r#"{"choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}"#,
                r#"{"choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}]}"#,
                r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
                r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}"#,
                "[DONE]",
            ],
            2,
        ),
        (
            "openai-responses",
            vec![
                r#"{"type":"response.created","response":{"id":"r","status":"in_progress","output":[]}}"#,
                r#"{"type":"response.output_text.delta","item_id":"i","output_index":0,"content_index":0,"delta":"Hel"}"#,
                r#"{"type":"response.output_text.delta","delta":"lo"}"#,
                r#"{"type":"response.completed","response":{"id":"r","status":"completed","output":[],"usage":{"input_tokens":7,"output_tokens":2,"total_tokens":9}}}"#,
            ],
            2,
        ),
        (
            "anthropic",
            vec![
                r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"stop_reason":null,"usage":{"input_tokens":7,"output_tokens":1}}}"#,
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                r#"{"type":"ping"}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}"#,
                r#"{"type":"content_block_stop","index":0}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}"#,
                r#"{"type":"message_stop"}"#,
            ],
            2,
        ),
        (
            "gemini",
            vec![
                r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"Hel"}]}}]}"#,
                r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"lo"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2}}"#,
            ],
            2,
        ),
        (
            "ollama",
            vec![
                r#"{"model":"m","message":{"role":"assistant","content":"Hel"},"done":false}"#,
                r#"{"model":"m","message":{"role":"assistant","content":"lo"},"done":false}"#,
                r#"{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":2}"#,
            ],
            2,
        ),
        (
            "custom",
            vec![
                r#"{"delta":"Hel"}"#,
                r#"{"delta":"lo"}"#,
                r#"{"reply":{"inputTokens":7,"outputTokens":2}}"#,
            ],
            2,
        ),
        (
            "prompt-api",
            vec![
                r#"{"delta":"Hel"}"#,
                r#"{"reply":{"text":"Hello","inputTokens":7,"outputTokens":2}}"#,
            ],
            2,
        ),
    ];
    for (kind, events, tokens) in cases {
        let mut said = Completion::default();
        let mut pieces = String::new();
        for (at, event) in events.iter().enumerate() {
            assert!(
                said.finish == Finish::Unfinished || at + 2 >= events.len(),
                "{kind} ended early"
            );
            pieces += &super::tests::event(kind, event, &mut said).unwrap();
        }
        assert_eq!(
            (pieces.as_str(), said.text.as_str()),
            ("Hello", "Hello"),
            "{kind}"
        );
        assert_eq!(
            (said.finish, said.input_tokens, said.output_tokens),
            (Finish::Stop, Some(7), Some(tokens)),
            "{kind}"
        );
    }
}

#[test]
fn errors_inside_streams_are_errors() {
    for (kind, data) in [
        (
            "openai",
            r#"{"error":{"message":"overloaded","type":"server_error","code":null}}"#,
        ),
        (
            "openai-responses",
            r#"{"type":"error","code":"server_error","message":"overloaded","param":null,"sequence_number":3}"#,
        ),
        (
            "openai-responses",
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"overloaded"},"output":[]}}"#,
        ),
        (
            "anthropic",
            r#"{"type":"error","error":{"type":"overloaded_error","message":"overloaded"}}"#,
        ),
        (
            "gemini",
            r#"{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}"#,
        ),
        ("ollama", r#"{"error":"overloaded"}"#),
    ] {
        let failure = event(kind, data, &mut Completion::default()).unwrap_err();
        assert_eq!(failure.error.code(), Code::RemoteStatus, "{kind}");
        assert!(
            failure.retry && failure.error.to_string().contains("overloaded"),
            "{kind}"
        );
    }
}

#[test]
fn what_is_no_reply_is_a_typed_error() {
    for kind in ALL {
        for body in [
            "",
            "<!doctype html>",
            "[]",
            "{}",
            "null",
            "{\"choices\": []}",
            "{\"choices\": [{\"mess",
            "7",
            "\u{0}",
        ] {
            let failure = whole(kind, body).unwrap_err();
            assert_eq!(
                failure.error.code(),
                Code::RemoteBadResponse,
                "{kind} {body}"
            );
        }
    }
    let error = provider(ProviderKind::OpenaiDecisions)
        .request(
            &endpoint("openai-decisions", json!({})),
            &prompt(None, true),
        )
        .err()
        .unwrap();
    assert_eq!(error.code(), Code::InvalidOption);
}

#[cfg(feature = "onnx")]
mod attachments;
