//! Images and sounds leave by the same door as words: where the remote accepts them and nothing is to be redacted, shown to the page
//! first, bounded, paid for and written down.

use super::*;
use crate::task::Pixels;

fn pixels(width: u32, height: u32) -> Pixels {
    let at = |n: u32| [(n % 251) as u8, (n / 7 % 256) as u8, 128, 255];
    let rgba = (0..width * height).flat_map(at).collect();
    Pixels::new(width, height, rgba).unwrap()
}

/// A remote that always says "one".
fn one() -> World {
    World::new(1, |_, _| {
        Script::reply(200, "{\"reply\":{\"label\":\"one\"}}")
    })
}

fn labels() -> [Label; 2] {
    ["one", "two"].map(|id| Label {
        id: id.into(),
        title: None,
    })
}

/// Asks for a choice of one of two labels for an input.
fn ask_about(
    input: Input<'_>,
    endpoint: Value,
    more: Value,
    hook: std::result::Result<Consent, TransportError>,
) -> (Left, UsageReport) {
    let mut options = json!({"endpoints": [endpoint], "policy": {"maxRetries": 0}});
    for (name, value) in more.as_object().unwrap() {
        options[name] = value.clone();
    }
    let remote = Remote::new(serde_json::from_value(options).unwrap()).unwrap();
    let world = one();
    *world.consent.borrow_mut() = hook;
    let labels = labels();
    let question = Question {
        task: "t",
        instruction: "Which?",
        bundled: true,
        input,
        wanted: ResponseFormat::Choice(&labels),
    };
    let trace = Trace::default();
    let result = world.block_on(remote.ask(&question, &Unnamed, &world, &trace));
    let usage = world.block_on(remote.usage(&world));
    let bodies = |sent: Vec<crate::task::Sent>| sent.into_iter().map(|s| s.body).collect();
    let left = Left {
        result,
        requests: world.requests.take(),
        shown: world.outgoing.take(),
        ledger: bodies(remote.egress().sent),
        sent: bodies(trace.into_parts().1),
    };
    (left, usage)
}

fn custom(accepts: Value) -> Value {
    json!({"provider": "custom", "accepts": accepts})
}

/// The file in a request of the page's function.
fn attached(request: &HttpRequest) -> (String, Vec<u8>) {
    use base64::Engine;
    let body: Value = serde_json::from_str(request.body()).unwrap();
    let text = |name: &str| body["attachment"][name].as_str().unwrap().to_owned();
    let data = base64::engine::general_purpose::STANDARD.decode(text("data"));
    (text("type"), data.unwrap())
}

#[test]
fn an_image_leaves_small_as_it_was_shown_and_written_down() {
    let image = pixels(3000, 2000);
    let privacy = json!({"privacy": {"egress": "ask"}});
    let endpoint = custom(json!(["image"]));
    let (left, usage) = ask_about(Input::Image(&image), endpoint, privacy, Ok(allowed()));
    assert_eq!(left.result.unwrap().output.unwrap().label, "one");
    let (mime, jpeg) = attached(&left.requests[0]);
    assert_eq!(mime, "image/jpeg");
    // Its frame header says how high and wide it is.
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    assert_eq!(jpeg[frame + 5..frame + 9], [2, 171, 4, 0]);
    let shown = serde_json::to_value(&left.shown[0]).unwrap();
    let sent: Value = serde_json::from_str(left.requests[0].body()).unwrap();
    assert_eq!(shown["attachment"], sent["attachment"]);
    assert_eq!(shown["messages"][0]["content"], "The image is attached.");
    assert_eq!(left.ledger, [left.requests[0].body()]);
    // It is charged as an image: the letters of its base64 are no words.
    let tokens = usage.today.input_tokens;
    assert!((932..2000).contains(&tokens), "{tokens}");
}

#[test]
fn a_sound_leaves_as_one_channel_of_16_khz() {
    let samples = vec![0.25; 48_000];
    let input = Input::Sound {
        samples: &samples,
        rate: 48_000,
    };
    let (left, _) = ask_about(input, custom(json!(["sound"])), json!({}), Ok(allowed()));
    left.result.unwrap();
    let (mime, wav) = attached(&left.requests[0]);
    assert_eq!((mime.as_str(), wav.len()), ("audio/wav", 44 + 32_000));
    assert_eq!(wav[24..28], 16_000u32.to_le_bytes());
    let long = vec![0.0; 8_000 * 61];
    let input = Input::Sound {
        samples: &long,
        rate: 8_000,
    };
    let (left, _) = ask_about(input, custom(json!(["sound"])), json!({}), Ok(allowed()));
    let error = left.result.unwrap_err();
    assert_eq!(error.code(), Code::InputTooLong);
    assert!(error.to_string().contains("at most 60"), "{error}");
    assert!(left.requests.is_empty() && left.ledger.is_empty());
}

#[test]
fn what_the_remote_does_not_accept_or_nobody_allowed_stays() {
    let image = pixels(20, 10);
    let yes = || custom(json!(["image", "sound"]));
    let no = Consent::default();
    let gone = TransportError::Page("closed".into());
    let denied = Code::EgressDenied;
    for (endpoint, privacy, hook, code) in [
        (
            custom(json!([])),
            json!({}),
            Ok(allowed()),
            Code::RemoteNotConfigured,
        ),
        (
            custom(json!(["sound"])),
            json!({}),
            Ok(allowed()),
            Code::RemoteNotConfigured,
        ),
        (yes(), json!({"egress": "never"}), Ok(allowed()), denied),
        (yes(), json!({"egress": "redacted"}), Ok(allowed()), denied),
        (yes(), json!({"redact": {}}), Ok(allowed()), denied),
        (
            yes(),
            json!({"egress": "ask", "redact": {}}),
            Ok(allowed()),
            denied,
        ),
        (yes(), json!({"egress": "ask"}), Ok(no), denied),
        (yes(), json!({"beforeRemote": true}), Err(gone), denied),
    ] {
        let told = format!("{endpoint} {privacy}");
        let more = json!({"privacy": privacy});
        let (left, _) = ask_about(Input::Image(&image), endpoint, more, hook);
        assert_eq!(left.result.unwrap_err().code(), code, "{told}");
        assert!(left.requests.is_empty() && left.ledger.is_empty(), "{told}");
    }
    let budget = json!({"budget": {"requestsPerDay": 0}});
    let (left, _) = ask_about(Input::Image(&image), yes(), budget, Ok(allowed()));
    assert_eq!(left.result.unwrap_err().code(), Code::OverBudget);
    assert!(left.requests.is_empty() && left.ledger.is_empty());
}

#[test]
fn another_image_is_another_question() {
    let options = json!({"endpoints": [custom(json!(["image"]))]});
    let remote = Remote::new(serde_json::from_value(options).unwrap()).unwrap();
    let world = one();
    let labels = labels();
    let cached = |image: &Pixels| {
        let question = Question {
            task: "t",
            instruction: "Which?",
            bundled: true,
            input: Input::Image(image),
            wanted: ResponseFormat::Choice(&labels),
        };
        let trace = Trace::default();
        let asked = world.block_on(remote.ask(&question, &Unnamed, &world, &trace));
        asked.unwrap().cached
    };
    let (one, other) = (pixels(20, 10), pixels(10, 20));
    let cached = [&one, &one, &other, &other, &one].map(cached);
    assert_eq!(cached, [false, true, false, true, true]);
}
