//! Images and sounds that a remote is asked about, in each of the wire formats, with what it says held against the input.

use super::*;
use crate::task::Sent;

/// Everything that takes images, and a whole reply of it that says this.
fn replies(said: &str) -> Vec<(&'static str, Value)> {
    let arguments: Value = serde_json::from_str(said).unwrap_or(Value::Null);
    vec![
        (
            "openai",
            json!({"choices": [{"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}]}),
        ),
        (
            "sagemaker",
            json!({"choices": [{"message": {"content": said}, "finish_reason": "stop"}]}),
        ),
        (
            "openai-responses",
            json!({"status": "completed", "output": [{"type": "message", "content": [{"type": "output_text", "text": said}]}]}),
        ),
        (
            "anthropic",
            json!({"type": "message", "content": [{"type": "text", "text": said}], "stop_reason": "end_turn"}),
        ),
        (
            "gemini",
            json!({"candidates": [{"content": {"parts": [{"text": said}]}, "finishReason": "STOP"}]}),
        ),
        (
            "ollama",
            json!({"message": {"role": "assistant", "content": said}, "done": true, "done_reason": "stop"}),
        ),
        (
            "bedrock",
            json!({"output": {"message": {"content": [{"toolUse": {"toolUseId": "1", "name": "classification", "input": arguments}}]}}, "stopReason": "tool_use"}),
        ),
        ("custom", json!({"reply": {"text": said}})),
    ]
}

/// A task's answer by the remote alone, and what left for it.
fn by_remote(
    task: &str,
    provider: &str,
    reply: &Value,
    image: &Pixels,
) -> (Result<Answer<KindOutput>>, Vec<Sent>) {
    let remote: RemoteOptions = serde_json::from_value(json!({
        "endpoints": [{"provider": provider, "baseUrl": "https://llm.example/v1", "model": "big", "accepts": ["image"]}],
        "policy": {"maxRetries": 0},
    }))
    .unwrap();
    let runtime = usual_with(Mode::OnlyRemote, remote);
    let answer = {
        let world = Remote::with(Ok((200, &reply.to_string())));
        let call = KindCall {
            risk: None,
            task,
            input: Input::Image(image),
            mode: None,
            dry: false,
            options: KindOptions::default(),
        };
        world.0.block_on(runtime.perform(&call, &world.0))
    };
    (answer, runtime.egress().sent)
}

#[test]
fn objects_of_every_remote_are_boxes_in_the_image() {
    let image = image(200, 100);
    let said = r#"{"objects": [{"label": "cat", "box": {"xmin": 100, "ymin": 250, "xmax": 500, "ymax": 1000}}]}"#;
    for (provider, reply) in replies(said) {
        let (answer, sent) = by_remote("object-detection", provider, &reply, &image);
        let answer = answer.unwrap_or_else(|error| panic!("{provider}: {error}"));
        assert_eq!(answer.ran_on, RanOn::Remote, "{provider}");
        assert!(!answer.guaranteed && !answer.calibrated, "{provider}");
        let output = serde_json::to_value(&answer.output).unwrap();
        let cat = json!({"label": "cat", "score": null, "box": {"xmin": 20.0, "ymin": 25.0, "xmax": 100.0, "ymax": 100.0}});
        assert_eq!(
            output,
            json!({"objects": [cat], "width": 200, "height": 100}),
            "{provider}"
        );
        assert_eq!(sent.len(), 1, "{provider}");
        assert!(sent[0].body.contains("/9j/4AAQ"), "{provider}");
        assert_eq!(sent[0].bytes as usize, sent[0].body.len());
    }
}

#[test]
fn what_a_remote_makes_up_of_an_image_is_refused() {
    let image = image(200, 100);
    let object = |label: &str, edges: [f64; 4]| {
        let [xmin, ymin, xmax, ymax] = edges;
        let edges = json!({"xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax});
        json!({"objects": [{"label": label, "box": edges}]}).to_string()
    };
    let line = |text: &str| {
        let edges = json!({"xmin": 0, "ymin": 0, "xmax": 10, "ymax": 10});
        json!({"lines": [{"text": text, "box": edges}]}).to_string()
    };
    for (task, said) in [
        ("object-detection", object("dog", [0.0, 0.0, 10.0, 10.0])),
        ("object-detection", object("cat", [0.0, 0.0, 1001.0, 10.0])),
        ("object-detection", object("cat", [-1.0, 0.0, 10.0, 10.0])),
        ("object-detection", object("cat", [10.0, 0.0, 10.0, 10.0])),
        ("object-detection", object("cat", [0.0, 20.0, 10.0, 10.0])),
        ("object-detection", "{\"objects\": 1}".to_owned()),
        ("object-detection", "I see a cat.".to_owned()),
        ("ocr", line(" ")),
        ("ocr", "{\"lines\": [{\"text\": \"Hi\"}]}".to_owned()),
    ] {
        for (provider, reply) in replies(&said) {
            let (answer, sent) = by_remote(task, provider, &reply, &image);
            let error = answer.unwrap_err();
            assert_eq!(
                error.code(),
                Code::RemoteBadResponse,
                "{provider} {said}: {error}"
            );
            // It was asked once more, with what was wrong.
            assert_eq!(sent.len(), 2, "{provider} {said}");
        }
    }
}

#[test]
fn text_that_a_remote_reads_has_its_lines_in_the_image() {
    let said = r#"{"lines": [
        {"text": "Total", "box": {"xmin": 0, "ymin": 0, "xmax": 500, "ymax": 100}},
        {"text": "12.50", "box": {"xmin": 0, "ymin": 200, "xmax": 1000, "ymax": 1000}}]}"#;
    for (provider, reply) in replies(said) {
        let (answer, _) = by_remote("ocr", provider, &reply, &image(200, 100));
        let output = serde_json::to_value(&answer.unwrap().output).unwrap();
        assert_eq!(output["text"], "Total\n12.50", "{provider}");
        let second = &output["lines"][1];
        assert_eq!(second["score"], Value::Null, "{provider}");
        let corners = json!([[0.0, 20.0], [200.0, 20.0], [200.0, 100.0], [0.0, 100.0]]);
        assert_eq!(second["quad"], corners, "{provider}");
    }
}

#[test]
fn without_a_remote_that_accepts_images_this_device_answers_alone() {
    let remote = |accepts: Value| -> RemoteOptions {
        let endpoint = json!({"provider": "openai", "baseUrl": "https://llm.example/v1", "model": "big", "accepts": accepts});
        serde_json::from_value(json!({"endpoints": [endpoint]})).unwrap()
    };
    let image = image(64, 64);
    let call = |task| KindCall {
        risk: None,
        task,
        input: Input::Image(&image),
        mode: None,
        dry: false,
        options: KindOptions::default(),
    };
    let world = Remote::failing();
    for accepts in [json!([]), json!(["sound"])] {
        let runtime = usual_with(Mode::PreferLocal, remote(accepts.clone()));
        let answer = world.0.block_on(runtime.perform(&call("ocr"), &world.0));
        let answer = answer.unwrap();
        assert_eq!((answer.reason, answer.degraded), (Reason::LocalOnly, false));
        assert!(runtime.egress().sent.is_empty());
        let alone = usual_with(Mode::OnlyRemote, remote(accepts));
        let refused = world.0.block_on(alone.perform(&call("ocr"), &world.0));
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidOption);
        assert!(refused.to_string().contains("remote.accepts"), "{refused}");
    }
    // Where one accepts them and cannot be reached, the best local answer stands.
    let runtime = usual_with(Mode::PreferRemote, remote(json!(["image"])));
    let answer = world.0.block_on(runtime.perform(&call("ocr"), &world.0));
    let answer = answer.unwrap();
    assert_eq!(
        (answer.ran_on, answer.reason),
        (RanOn::Local, Reason::RemoteFailed)
    );
    assert!(answer.degraded);
    // Vectors are one model's own, whatever a remote accepts.
    let vectors = call("feature-extraction");
    let answer = world.0.block_on(runtime.perform(&vectors, &world.0));
    assert_eq!(answer.unwrap().ran_on, RanOn::Local);
}
