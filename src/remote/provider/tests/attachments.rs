//! Where each wire format has an image or a sound. The shapes are those of the types in the packages that are named at the top of
//! each provider's file.

use super::*;
use crate::remote::attachment::attachment;
use crate::task::{Input, Pixels};

fn prompt_of(input: Input<'_>) -> Prompt {
    let payload = Payload {
        task: "cats".into(),
        instruction: "Find the cats.".into(),
        rules: "The rules.".into(),
        turns: turns("It is attached."),
        schema: Some(json!({"type": "object"})),
        attachment: attachment(input).unwrap(),
        ..Payload::default()
    };
    Prompt::for_test(payload, false)
}

fn image() -> Prompt {
    let pixels = Pixels::new(2, 2, vec![255; 16]).unwrap();
    prompt_of(Input::Image(&pixels))
}

fn sound() -> Prompt {
    prompt_of(Input::Sound {
        samples: &[0.0; 8],
        rate: 16_000,
    })
}

/// What the first message is, which must be where `at` points.
fn first(kind: &str, prompt: &Prompt, at: &str) -> Value {
    let (.., body) = asked(&endpoint(kind, json!({})), prompt);
    let found = body.pointer(at).cloned();
    found.unwrap_or_else(|| panic!("{kind}: no {at} in {body}"))
}

#[test]
fn every_format_has_a_place_for_an_image() {
    let prompt = image();
    let data = prompt.attachment().unwrap().data().to_owned();
    // The first bytes of a JPEG.
    assert!(data.starts_with("/9j/4AAQSkZJRg"), "{data}");
    let url = format!("data:image/jpeg;base64,{data}");
    let text = "It is attached.";
    for (kind, at, wanted) in [
        (
            "openai",
            "/messages/1/content",
            json!([{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]),
        ),
        (
            "sagemaker",
            "/messages/1/content",
            json!([{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]),
        ),
        (
            "openai-responses",
            "/input/0/content",
            json!([{"type": "input_text", "text": text}, {"type": "input_image", "image_url": url, "detail": "auto"}]),
        ),
        (
            "anthropic",
            "/messages/0/content",
            json!([{"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": data}}, {"type": "text", "text": text}]),
        ),
        (
            "gemini",
            "/contents/0/parts",
            json!([{"inlineData": {"mimeType": "image/jpeg", "data": data}}, {"text": text}]),
        ),
        (
            "ollama",
            "/messages/1",
            json!({"role": "user", "content": text, "images": [data]}),
        ),
        (
            "bedrock",
            "/messages/0/content",
            json!([{"image": {"format": "jpeg", "source": {"bytes": data}}}, {"text": text}]),
        ),
        (
            "custom",
            "/attachment",
            json!({"type": "image/jpeg", "data": data}),
        ),
    ] {
        assert_eq!(first(kind, &prompt, at), wanted, "{kind}");
        let (.., body) = asked(&endpoint(kind, json!({})), &prompt);
        let times = body.to_string().matches(&data).count();
        assert_eq!(times, 1, "{kind}: with its own message alone");
    }
}

#[test]
fn formats_with_a_place_for_a_sound_have_it_there() {
    let prompt = sound();
    let data = prompt.attachment().unwrap().data().to_owned();
    // "RIFF", as base64 has it.
    assert!(data.starts_with("UklGR"), "{data}");
    let text = "It is attached.";
    let openai = json!([{"type": "text", "text": text}, {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]);
    for (kind, at, wanted) in [
        ("openai", "/messages/1/content", openai.clone()),
        ("sagemaker", "/messages/1/content", openai),
        (
            "gemini",
            "/contents/0/parts",
            json!([{"inlineData": {"mimeType": "audio/wav", "data": data}}, {"text": text}]),
        ),
        (
            "bedrock",
            "/messages/0/content",
            json!([{"audio": {"format": "wav", "source": {"bytes": data}}}, {"text": text}]),
        ),
        (
            "custom",
            "/attachment",
            json!({"type": "audio/wav", "data": data}),
        ),
    ] {
        assert_eq!(first(kind, &prompt, at), wanted, "{kind}");
    }
}

#[test]
fn what_a_format_has_no_place_for_is_refused_at_the_start() {
    let refused = [
        ("openai-decisions", "image"),
        ("openai-decisions", "sound"),
        ("openai-responses", "sound"),
        ("anthropic", "sound"),
        ("ollama", "sound"),
    ];
    for kind in ALL {
        for medium in ["image", "sound"] {
            let made = endpoint(kind, json!({"accepts": [medium]})).validate();
            match refused.contains(&(kind, medium)) {
                true => {
                    let error = made.unwrap_err();
                    assert_eq!(error.code(), Code::InvalidOption);
                    assert!(error.to_string().contains("no place for"), "{error}");
                }
                false => made.unwrap(),
            }
        }
    }
}
