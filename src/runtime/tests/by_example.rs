//! Calls that are answered by example.

use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::monitor::MonitorKind;
use crate::neighbours::LearnOptions;
use crate::testing::Random;

/// A remote that answers a task of the caller's own by the letters in the text; the other way round every so many times,
/// unless that is 0.
fn remote(flips: &Rc<Cell<usize>>) -> Remote {
    let flips = Rc::clone(flips);
    Remote(World::new(3, move |request, number| {
        let body: Value = serde_json::from_str(request.body()).unwrap();
        let said = body["messages"].as_array().unwrap().last().unwrap();
        let up = said["content"].as_str().unwrap().contains("xx");
        let flip = number.checked_rem(flips.get()) == Some(0);
        let label = ["down", "up"][usize::from(up != flip)];
        let content = json!({ "label": label }).to_string();
        Script::reply(
            200,
            json!({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]})
                .to_string(),
        )
    }))
}

fn runtime(mode: Mode, learn: Option<LearnOptions>) -> Runtime<Folder> {
    let mut setup = Setup::new(mode);
    let identity: Vec<Vec<f32>> = (0..4)
        .map(|row| (0..4).map(|column| f32::from(row == column)).collect())
        .collect();
    let letters = linear(&identity, &[0.0; 4]);
    setup.files.insert("letters.onnx".into(), letters);
    let mut manifest = manifest(&setup.files);
    manifest["encoders"] = json!({"letters": {
        "file": "letters.onnx", "dimension": 4, "features": {"kind": "ngrams", "file": "ngrams.json"},
    }});
    setup.manifest = manifest;
    setup.runtime().with_learning(learn).unwrap()
}

/// A text of mostly one letter, no two alike for long.
fn text(random: &mut Random) -> (String, &'static str) {
    let up = random.next().is_multiple_of(2);
    let (letter, label) = if up { ("x", "up") } else { ("y", "down") };
    let many = 8 + (random.next() % 24) as usize;
    let few = (random.next() % 3) as usize;
    (letter.repeat(many) + &"a".repeat(few), label)
}

fn tone(text: &str, mode: Option<Mode>) -> Call<'_> {
    let labels = ["up", "down"].map(|id| Label {
        id: id.into(),
        title: Some(id.to_uppercase()),
    });
    Call {
        labels: Some(labels.to_vec()),
        instruction: Some("Tell the tone.".into()),
        mode,
        ..Call::new("tone", Input::Text(text))
    }
}

/// Lets `n` inputs through, and gives how many were answered by example, and how many of these otherwise than `truth`.
fn stream(
    runtime: &Runtime<Folder>,
    remote: &Remote,
    n: usize,
    random: &mut Random,
) -> (usize, usize) {
    let mut learned = (0, 0);
    for _ in 0..n {
        let (text, label) = text(random);
        let answer = remote.call(runtime, &tone(&text, None)).unwrap();
        if answer.reason == Reason::Learned {
            learned.0 += 1;
            learned.1 += usize::from(answer.output.label != label);
        }
    }
    learned
}

#[test]
fn near_repeats_come_to_be_answered_here_and_some_are_checked() {
    let remote = remote(&Rc::default());
    let runtime = runtime(Mode::PreferLocal, Some(LearnOptions::default()));
    let mut random = Random::new(1);
    assert_eq!(stream(&runtime, &remote, 99, &mut random), (0, 0));
    assert_eq!(remote.asked(), 99);
    let (learned, wrong) = stream(&runtime, &remote, 400, &mut random);
    assert!(learned > 350 && wrong == 0, "{learned} {wrong}");
    let checked = remote.asked() - 99;
    assert!((5..50).contains(&checked), "{checked}");
    // The one after the check that chance wants.
    let answer = (0..20)
        .map(|_| remote.call(&runtime, &tone("xxxxxxxxxx", None)).unwrap())
        .find(|answer| answer.reason == Reason::Learned)
        .unwrap();
    assert_eq!(
        (answer.ran_on, answer.tier.as_str()),
        (RanOn::Local, "learned")
    );
    assert_eq!(answer.output.title.as_deref(), Some("UP"));
    assert!(!answer.guaranteed && !answer.degraded);
    assert!(answer.confidence.unwrap() >= answer.threshold.unwrap());
    assert!(
        answer.explanation.contains("5 of the 5 most similar"),
        "{}",
        answer.explanation
    );
    let learned = answer.learned.unwrap();
    assert!(learned.bound <= learned.risk && learned.tested > 50);
    assert_eq!(answer.attempts.last().unwrap().outcome, Outcome::Answered);
    assert!(answer.sent.is_empty());
}

#[test]
fn a_remote_that_changes_its_mind_is_soon_found_out_by_the_checks() {
    let flips = Rc::default();
    let remote = remote(&flips);
    let options = LearnOptions {
        audit: 0.3,
        ..LearnOptions::default()
    };
    let runtime = runtime(Mode::PreferLocal, Some(options));
    let mut random = Random::new(2);
    stream(&runtime, &remote, 300, &mut random);
    flips.set(1);
    // The old examples vote until the next look, but the checks contradict them.
    let (learned, wrong) = stream(&runtime, &remote, 400, &mut random);
    let stale = learned - wrong;
    assert!(stale < 40, "{stale} of {learned}");
    let alarms = runtime.take_alarms();
    assert_eq!(alarms[0].watched, MonitorKind::Examples);
}

#[test]
fn checks_of_a_task_of_the_callers_own_go_on_on_the_next_page() {
    let flips = Rc::default();
    let remote = remote(&flips);
    let options = LearnOptions {
        audit: 0.3,
        ..LearnOptions::default()
    };
    let page = || runtime(Mode::PreferLocal, Some(options.clone()));
    let mut random = Random::new(2);
    let world = &remote.0;
    let unknown = world.block_on(page().drift("tone", world));
    assert_eq!(unknown.unwrap_err().code(), Code::UnknownTask);
    stream(&page(), &remote, 300, &mut random);
    let before = world.block_on(page().drift("tone", world)).unwrap();
    assert!(!before[0].alarmed && before[0].watched == MonitorKind::Examples);
    flips.set(1);
    // A visitor who asks three things a day.
    let alarms = (0..200).find_map(|_| {
        let page = page();
        stream(&page, &remote, 3, &mut random);
        let alarms = page.take_alarms();
        (!alarms.is_empty()).then_some(alarms)
    });
    let alarms = alarms.expect("the checks find it out");
    assert_eq!(
        (alarms.len(), alarms[0].watched),
        (1, MonitorKind::Examples)
    );
    assert!(alarms[0].observed > before[0].observed);
    assert!(world.block_on(page().learned(world))[0].distrusted);
    let after = world.block_on(page().drift("tone", world)).unwrap();
    assert_eq!(after, alarms);
    assert_eq!(stream(&page(), &remote, 50, &mut random), (0, 0));
}

#[test]
fn too_many_checks_that_fail_end_the_trust() {
    let flips = Rc::default();
    let remote = remote(&flips);
    let options = LearnOptions {
        audit: 0.3,
        ..LearnOptions::default()
    };
    let runtime = runtime(Mode::PreferLocal, Some(options));
    let mut random = Random::new(2);
    // Past a ruling, and long before the next, which would find it out, too.
    stream(&runtime, &remote, 2700, &mut random);
    assert!(runtime.take_alarms().is_empty());
    flips.set(6);
    stream(&runtime, &remote, 600, &mut random);
    let alarms = runtime.take_alarms();
    assert_eq!(alarms.len(), 1);
    assert_eq!(
        (alarms[0].watched, alarms[0].task.as_str()),
        (MonitorKind::Examples, "tone")
    );
    assert_eq!(stream(&runtime, &remote, 100, &mut random), (0, 0));
    let world = &remote.0;
    assert!(world.block_on(runtime.learned(world))[0].distrusted);
    // Forgotten, it begins anew.
    world.block_on(runtime.forget_examples(Some("tone"), world));
    flips.set(0);
    let (learned, wrong) = stream(&runtime, &remote, 400, &mut random);
    assert!(learned > 100 && wrong == 0, "{learned} {wrong}");
}

#[test]
fn examples_answer_where_no_remote_does_and_only_where_this_device_is_asked_first() {
    let remote = remote(&Rc::default());
    let options = LearnOptions {
        audit: 1.0,
        ..LearnOptions::default()
    };
    let runtime = runtime(Mode::PreferLocal, Some(options));
    let mut random = Random::new(3);
    assert_eq!(stream(&runtime, &remote, 300, &mut random), (0, 0));
    let asked = remote.asked();
    let call = |text: &str, mode| remote.call(&runtime, &tone(text, mode));
    assert_eq!(
        call(SURE, Some(Mode::OnlyLocal)).unwrap().reason,
        Reason::Learned
    );
    assert_eq!(remote.asked(), asked);
    assert_eq!(
        call(SURE, Some(Mode::PreferRemote)).unwrap().reason,
        Reason::Mode
    );
    assert_eq!(
        call(SURE, Some(Mode::OnlyRemote)).unwrap().reason,
        Reason::Mode
    );
    remote.0.online.set(false);
    let answer = call(SURE, None).unwrap();
    assert_eq!((answer.reason, answer.degraded), (Reason::Learned, false));
    let offline = answer.attempts.last().unwrap();
    assert_eq!(offline.code.as_deref(), Some("offline"));
    // Unlike all examples: nobody can answer.
    assert_eq!(call("bbbbbbbbb", None).unwrap_err().code(), Code::Offline);
    assert_eq!(
        call("bbbbbbbbb", Some(Mode::OnlyLocal)).unwrap_err().code(),
        Code::UnknownTask
    );
}

#[test]
fn without_leave_nothing_is_learned() {
    let remote = remote(&Rc::default());
    let runtime = runtime(Mode::PreferLocal, None);
    stream(&runtime, &remote, 20, &mut Random::new(4));
    assert!(
        !remote
            .0
            .stored
            .borrow()
            .keys()
            .any(|key| key.starts_with("learned/"))
    );
    assert!(
        remote
            .0
            .block_on(runtime.examples(None, &remote.0))
            .is_empty()
    );
}

#[test]
fn tasks_of_the_bundle_learn_from_what_they_escalate() {
    let remote = remote(&Rc::default());
    let runtime = runtime(Mode::PreferLocal, Some(LearnOptions::default()));
    // Unsure texts of both moods; the remote tells them apart by a double x.
    let unsure = |random: &mut Random| {
        let a = "a".repeat(4 + (random.next() % 8) as usize);
        if random.next().is_multiple_of(2) {
            format!("xyxx{a}yy")
        } else {
            format!("xyxy{a}")
        }
    };
    let mut random = Random::new(5);
    let mut learned = 0;
    for _ in 0..400 {
        let text = unsure(&mut random);
        let answer = run(&runtime, "mood", &text, &remote).unwrap();
        learned += usize::from(answer.reason == Reason::Learned);
    }
    let examples = remote.0.block_on(runtime.examples(Some("mood"), &remote.0));
    assert_eq!(examples.len(), remote.asked());
    assert!(examples.iter().all(|example| example.input.is_some()));
    assert!(learned > 0, "{learned} of {}", remote.asked());
}
