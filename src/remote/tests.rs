use std::cell::RefCell;

use serde_json::{Value, json};

use super::*;

fn labels() -> Vec<Label> {
    [("spam", None), ("ham", Some("not spam"))]
        .map(|(id, title)| Label {
            id: id.into(),
            title: title.map(Into::into),
        })
        .to_vec()
}

fn endpoint() -> Endpoint {
    serde_json::from_value(json!({
        "provider": "openai", "baseUrl": "https://api.example/v1/", "model": "m"
    }))
    .unwrap()
}

/// A transport that gives one prepared result and keeps what was sent.
struct Prepared {
    result: std::result::Result<HttpResponse, TransportError>,
    sent: RefCell<Vec<HttpRequest>>,
}

impl Prepared {
    fn new(result: std::result::Result<HttpResponse, TransportError>) -> Self {
        Prepared {
            result,
            sent: RefCell::default(),
        }
    }

    fn body(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Prepared::new(Ok(HttpResponse {
            status,
            body: body.into(),
        }))
    }

    fn completion(choice: Value) -> Self {
        let body = json!({"object": "chat.completion", "choices": [choice],
                          "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}});
        Prepared::body(200, body.to_string())
    }
}

impl Transport for Prepared {
    fn online(&self) -> bool {
        true
    }

    fn aborted(&self) -> bool {
        false
    }

    async fn send(
        &self,
        request: &HttpRequest,
    ) -> std::result::Result<HttpResponse, TransportError> {
        self.sent.borrow_mut().push(request.clone());
        self.result.clone()
    }
}

fn asked(transport: &Prepared) -> Result<Reply> {
    let labels = labels();
    let question = Question {
        instruction: "Is it spam?",
        labels: &labels,
        input: Input::Text("Buy now"),
    };
    pollster::block_on(ask(&endpoint(), transport, &question))
}

#[test]
fn a_request_carries_the_labels_as_a_strict_schema() {
    let transport = Prepared::completion(
        json!({"message": {"content": "{\"label\":\"ham\"}"}, "finish_reason": "stop"}),
    );
    let reply = asked(&transport).unwrap();
    assert_eq!(reply.output.label, "ham");
    assert_eq!(reply.output.title.as_deref(), Some("not spam"));
    assert_eq!(reply.output.score, None);
    let usage = reply.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (12, 5));

    let sent = transport.sent.borrow();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].url, "https://api.example/v1/chat/completions");
    let body: Value = serde_json::from_str(&sent[0].body).unwrap();
    assert_eq!(body["model"], "m");
    assert_eq!(
        body["messages"][1],
        json!({"role": "user", "content": "Buy now"})
    );
    let format = &body["response_format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["json_schema"]["strict"], true);
    assert_eq!(
        format["json_schema"]["schema"]["properties"]["label"]["enum"],
        json!(["spam", "ham"])
    );
    for absent in [
        "temperature",
        "max_tokens",
        "max_completion_tokens",
        "stream",
    ] {
        assert!(body.get(absent).is_none(), "{absent} was not asked for");
    }
}

#[test]
fn every_bad_reply_has_its_code() {
    let stop = |content: &str| {
        Prepared::completion(json!({"message": {"content": content}, "finish_reason": "stop"}))
    };
    let cases = [
        (
            Prepared::body(200, "<!doctype html>"),
            Code::RemoteBadResponse,
        ),
        (Prepared::body(200, ""), Code::RemoteBadResponse),
        (
            Prepared::body(200, "{\"choices\": []}"),
            Code::RemoteBadResponse,
        ),
        (
            Prepared::body(200, "{\"choices\": [{\"mess"),
            Code::RemoteBadResponse,
        ),
        (
            Prepared::body(200, [0xff, 0xfe, 0x00]),
            Code::RemoteBadResponse,
        ),
        (Prepared::body(500, "<h1>oops</h1>"), Code::RemoteStatus),
        (
            Prepared::body(401, "{\"error\": {\"message\": \"no key\"}}"),
            Code::RemoteStatus,
        ),
        (
            Prepared::body(429, "{\"error\": \"slow down\"}"),
            Code::RemoteStatus,
        ),
        (Prepared::body(302, ""), Code::RemoteStatus),
        (stop("spam"), Code::RemoteBadResponse),
        (stop("{\"label\":\"eggs\"}"), Code::RemoteBadResponse),
        (
            Prepared::completion(json!({"message": {"content": null}, "finish_reason": "stop"})),
            Code::RemoteBadResponse,
        ),
        (
            Prepared::completion(
                json!({"message": {"content": "{\"lab"}, "finish_reason": "length"}),
            ),
            Code::RemoteBadResponse,
        ),
        (
            Prepared::completion(json!({"message": {"content": null, "refusal": "I cannot"}})),
            Code::RemoteRefused,
        ),
        (
            Prepared::completion(
                json!({"message": {"content": ""}, "finish_reason": "content_filter"}),
            ),
            Code::RemoteRefused,
        ),
        (
            Prepared::new(Err(TransportError::Unreachable("refused".into()))),
            Code::RemoteUnreachable,
        ),
        (
            Prepared::new(Err(TransportError::Timeout)),
            Code::RemoteTimeout,
        ),
        (Prepared::new(Err(TransportError::Aborted)), Code::Aborted),
        (
            Prepared::new(Err(TransportError::TooLarge)),
            Code::RemoteBadResponse,
        ),
        (
            Prepared::new(Err(TransportError::Headers("boom".into()))),
            Code::InvalidOption,
        ),
    ];
    for (transport, code) in cases {
        let error = asked(&transport).expect_err(code.as_str());
        assert_eq!(error.code(), code, "{error}");
        assert!(!error.to_string().is_empty());
    }
    let error = asked(&Prepared::body(
        401,
        "{\"error\": {\"message\": \"no key\"}}",
    ))
    .unwrap_err();
    assert!(error.to_string().contains("no key") && error.to_string().contains("remote.headers"));
}

#[test]
fn a_text_over_the_limit_is_not_sent() {
    let transport = Prepared::body(200, "");
    let labels = labels();
    let text = "x".repeat(100_001);
    let question = Question {
        instruction: "?",
        labels: &labels,
        input: Input::Text(&text),
    };
    let error = pollster::block_on(ask(&endpoint(), &transport, &question)).unwrap_err();
    assert_eq!(error.code(), Code::InputTooLong);
    assert!(transport.sent.borrow().is_empty());
}

#[test]
fn of_a_file_only_the_beginning_is_shown() {
    let file = vec![b'a'; 10_000];
    let text = shown(Input::Bytes(&file));
    assert!(text.starts_with("A file of 10000 bytes. Its first 512 bytes"));
    assert_eq!(text.matches("61").count(), 512);
    assert!(text.ends_with(&"a".repeat(512)));
    assert!(!shown(Input::Bytes(&[0xff, 0x00])).contains("as text"));
}

#[test]
fn an_unusable_endpoint_is_refused() {
    assert!(endpoint().validate().is_ok());
    for (field, value) in [
        ("baseUrl", json!("/llm/v1")),
        ("baseUrl", json!("file:///etc")),
        ("model", json!("")),
        ("timeoutMs", json!(0)),
    ] {
        let mut broken = serde_json::to_value(endpoint()).unwrap();
        broken[field] = value.clone();
        let broken: Endpoint = serde_json::from_value(broken).unwrap();
        let error = broken.validate().expect_err(field);
        assert_eq!(error.code(), Code::InvalidOption, "{field} = {value}");
    }
}

#[test]
fn loopback_is_told_from_the_network() {
    for (url, expected) in [
        ("http://localhost:11434/v1", true),
        ("http://127.0.0.1/v1", true),
        ("http://[::1]:8080/v1", true),
        ("http://a.localhost/v1", true),
        ("https://api.example/v1", false),
        ("https://localhost.example/v1", false),
        ("https://user@127.0.0.1:1/v1", true),
        ("https://127.0.0.1@evil.example/v1", false),
    ] {
        let endpoint = Endpoint {
            base_url: url.into(),
            ..endpoint()
        };
        assert_eq!(endpoint.is_loopback(), expected, "{url}");
    }
}
