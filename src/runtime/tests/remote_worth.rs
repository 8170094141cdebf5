//! What is known of the remote: a certificate against it, and a profile that says when it is worth asking.

use super::*;

/// A bundle whose `mood` is certified 2 % above the model "big", at lower thresholds than for an error rate of 5 %.
fn against_remote(model: &str) -> Setup {
    let mut setup = guaranteed(Mode::PreferLocal);
    setup.manifest["tasks"]["mood"]["guarantee"]["againstRemote"] = json!({
        "model": model, "labelErrors": 0.0, "certificates": [
            {"excess": 0.01, "thresholds": null},
            {"excess": 0.02, "thresholds": [0.6, 0.6], "n": 900, "errors": 50, "remoteErrors": 48, "pValue": 0.04}]});
    setup
}

fn ask_excess(
    runtime: &Runtime<Folder>,
    text: &str,
    excess: f64,
    remote: &Remote,
) -> Result<Answer> {
    let call = Call {
        excess_risk: Some(excess),
        ..Call::new("mood", Input::Text(text))
    };
    remote.call(runtime, &call)
}

#[test]
fn an_answer_says_which_promise_it_carries() {
    let runtime = against_remote("big").runtime();
    let remote = Remote::answering("down");
    let answer = ask_excess(&runtime, MIDDLING, 0.03, &remote).unwrap();
    let promise = answer.guarantee.unwrap();
    assert_eq!(
        (promise.kind, promise.risk, promise.delta),
        (GuaranteeKind::AgainstRemote, 0.02, 0.05)
    );
    assert!(answer.guaranteed && answer.risk.is_none());
    assert_eq!(
        (answer.tier.as_str(), answer.threshold),
        ("weak", Some(0.6))
    );
    assert!(
        answer.explanation.contains("than the remote's"),
        "{}",
        answer.explanation
    );
    assert_eq!(remote.asked(), 0);
    // An error rate is another promise, with thresholds of its own.
    let answer = run(&runtime, "mood", MIDDLING, &remote).unwrap();
    let promise = answer.guarantee.unwrap();
    assert_eq!(
        (promise.kind, promise.risk),
        (GuaranteeKind::Absolute, 0.05)
    );
    assert_eq!((answer.tier.as_str(), answer.risk), ("strong", Some(0.05)));
    // Below what is certified nothing is trusted.
    let answer = ask_excess(&runtime, SURE, 0.01, &remote).unwrap();
    assert_eq!(
        (answer.ran_on, answer.reason, answer.guarantee),
        (RanOn::Remote, Reason::Uncertified, None)
    );
    assert!(
        answer.explanation.contains("above the remote's"),
        "{}",
        answer.explanation
    );
}

#[test]
fn a_certificate_against_another_model_promises_nothing() {
    let remote = Remote::answering("down");
    let runtime = against_remote("bigger").runtime();
    let answer = ask_excess(&runtime, SURE, 0.02, &remote).unwrap();
    assert_eq!(answer.reason, Reason::Uncertified);
    let mut nobody = against_remote("big");
    nobody.endpoint = false;
    let answer = ask_excess(&nobody.runtime(), SURE, 0.02, &remote).unwrap();
    assert_eq!(
        (answer.reason, answer.guaranteed),
        (Reason::Uncertified, false)
    );
}

#[test]
fn an_instance_or_a_call_asks_for_one_promise() {
    let runtime = against_remote("big").runtime();
    assert!(runtime.with_risk(Some(0.05), Some(0.02)).is_err());
    let runtime = against_remote("big").runtime();
    let runtime = runtime.with_risk(None, Some(0.02)).unwrap();
    let remote = Remote::answering("down");
    let answer = run(&runtime, "mood", MIDDLING, &remote).unwrap();
    assert_eq!(answer.guarantee.unwrap().kind, GuaranteeKind::AgainstRemote);
    // A call's own risk counts in its place.
    let call = Call {
        risk: Some(0.05),
        ..Call::new("mood", Input::Text(SURE))
    };
    let answer = remote.call(&runtime, &call).unwrap();
    assert_eq!(answer.guarantee.unwrap().kind, GuaranteeKind::Absolute);
    let both = Call {
        excess_risk: Some(0.02),
        ..call
    };
    assert_eq!(
        remote.call(&runtime, &both).unwrap_err().code(),
        Code::InvalidOption
    );
}

/// A profile of "big" by which it is right in so many of 100 rows, whatever the local confidence.
pub(super) fn profiled(mode: Mode, right: u64) -> Setup {
    let mut setup = guaranteed(mode);
    let bundle = Bundle::parse(setup.manifest.to_string().as_bytes()).unwrap();
    let models = bundle.models_of(bundle.task("mood").unwrap());
    setup.profile = json!({"version": 1, "model": "big", "tasks": {"mood": {
        "models": models, "measured": 0.0, "rows": 100, "right": right,
        "bins": [{"from": 0.0, "rows": 100, "right": right, "localRight": 60}],
        "priorRows": 1e6, "milliseconds": 800.0, "tokens": 100.0}}});
    setup
}

#[test]
fn a_remote_that_is_no_likelier_right_is_not_asked() {
    let remote = Remote::answering("down");
    // The local models are half sure.
    let runtime = profiled(Mode::PreferLocal, 40).runtime();
    let answer = run(&runtime, "mood", UNSURE, &remote).unwrap();
    assert_eq!(
        (answer.ran_on, answer.reason),
        (RanOn::Local, Reason::RemoteUnlikelyToHelp)
    );
    assert!(answer.degraded && !answer.guaranteed && answer.guarantee.is_none());
    assert!(
        answer.explanation.contains("about 40.0 %"),
        "{}",
        answer.explanation
    );
    assert_eq!(remote.asked(), 0);
    let runtime = profiled(Mode::PreferLocal, 90).runtime();
    let answer = run(&runtime, "mood", UNSURE, &remote).unwrap();
    assert_eq!(
        (answer.ran_on, answer.reason),
        (RanOn::Remote, Reason::LowConfidence)
    );
    // What is worth less than it costs is not asked either.
    let runtime = profiled(Mode::PreferLocal, 90).runtime();
    let runtime = runtime.with_worth(Some(0.45)).unwrap();
    let answer = run(&runtime, "mood", UNSURE, &remote).unwrap();
    assert_eq!(answer.reason, Reason::RemoteUnlikelyToHelp);
    for none in [-0.1, 1.1, f64::NAN] {
        let runtime = Setup::new(Mode::PreferLocal).runtime();
        assert_eq!(
            runtime.with_worth(Some(none)).unwrap_err().code(),
            Code::InvalidOption
        );
    }
}

#[test]
fn where_the_profile_says_nothing_the_remote_is_asked() {
    let remote = Remote::answering("down");
    let reason = |setup: Setup, text: &str| {
        let answer = run(&setup.runtime(), "mood", text, &remote).unwrap();
        (answer.ran_on, answer.reason)
    };
    // Of other local models.
    let mut other = profiled(Mode::PreferLocal, 0);
    other.manifest["heads"]["weak"]["temperature"] = json!(1.5);
    assert_eq!(
        reason(other, UNSURE),
        (RanOn::Remote, Reason::LowConfidence)
    );
    // Of another task.
    let mut other = profiled(Mode::PreferLocal, 0);
    let tasks = other.profile["tasks"].as_object_mut().unwrap();
    let mood = tasks.remove("mood").unwrap();
    tasks.insert("language".into(), mood);
    assert_eq!(
        reason(other, UNSURE),
        (RanOn::Remote, Reason::LowConfidence)
    );
    // Of an input in a language that was not measured, and where the mode wants the remote.
    let foreign = reason(profiled(Mode::PreferLocal, 0), FOREIGN);
    assert_eq!(foreign, (RanOn::Remote, Reason::UnsupportedLanguage));
    let wanted = reason(profiled(Mode::PreferRemote, 0), UNSURE);
    assert_eq!(wanted, (RanOn::Remote, Reason::Mode));
}

#[test]
fn a_profile_of_another_model_is_refused() {
    let endpoint = json!({"provider": "openai", "baseUrl": "https://llm.example/v1", "model": "small",
        "profile": profiled(Mode::PreferLocal, 40).profile});
    let options: RemoteOptions = serde_json::from_value(json!({"endpoints": [endpoint]})).unwrap();
    let told = crate::remote::Remote::new(options).unwrap_err();
    assert_eq!(told.code(), Code::InvalidOption);
    assert!(told.to_string().contains("\"big\""), "{told}");
}
