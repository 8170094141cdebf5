use serde_json::json;

use super::*;
use crate::attempt::Outcome;
use crate::bundle::Bundle;
use crate::testing::{Script, World};

#[test]
fn the_input_monitor_sees_the_first_tiers_confidence() {
    let attempt = |on, confidence| Attempt {
        confidence,
        ..Attempt::new(on, "a", Outcome::Escalated, 1.0)
    };
    for (foreign, on, confidence, seen) in [
        (false, RanOn::Local, Some(0.9), Some(0.9)),
        (true, RanOn::Local, Some(0.9), None),
        (false, RanOn::Local, None, None),
        (false, RanOn::Remote, Some(0.9), None),
        (false, RanOn::Builtin, Some(0.9), None),
    ] {
        assert_eq!(watched(foreign, Some(&attempt(on, confidence))), seen);
    }
    assert_eq!(watched(false, None), None);
}

fn reference() -> Reference {
    Reference {
        edges: vec![0.5, 0.9],
        counts: vec![10, 20, 30],
    }
}

/// Draws an answer and audits it.
fn audit(watch: &RuntimeMonitors, task: &str, number: f64, correct: bool) -> bool {
    let id = watch.drawn(task, 0.05, 1.0, number);
    watch.audited(task, id, correct, None)
}

/// One who has seen a drift of inputs and audits.
fn seen() -> RuntimeMonitors {
    let watch = RuntimeMonitors::default();
    for n in 0..300 {
        watch.seen("drifts", &reference(), 0.1, 0.5);
        assert!(audit(&watch, "drifts", f64::from(n) / 300.0, n % 7 > 0));
    }
    audit(&watch, "calm", 0.5, true);
    watch
}

#[test]
fn monitors_go_on_where_those_before_them_ended() {
    let before = seen();
    let changes = before.take_changes();
    assert_eq!(changes.len(), 2);
    assert_eq!(before.take_changes(), []);
    let crossed = serde_json::to_value(&changes).unwrap();
    let changes: Vec<Monitors> = serde_json::from_value(crossed).unwrap();
    let after = RuntimeMonitors::default();
    for earlier in &changes {
        after.resume(earlier, Some(&reference()));
    }
    let ended = |watch: &RuntimeMonitors, task| watch.ended(task, OnDrift::Report);
    assert!(ended(&before, "drifts") && !ended(&before, "calm"));
    for task in ["drifts", "calm"] {
        assert_eq!(after.status(task), before.status(task));
        assert_eq!(ended(&after, task), ended(&before, task));
    }
    // An alarm was told of once, and the next observation counts as it would have.
    assert_eq!(after.take_alarms(), []);
    for watch in [&before, &after] {
        watch.seen("drifts", &reference(), 0.95, 0.25);
        audit(watch, "calm", 0.25, false);
    }
    assert_eq!(after.status("drifts"), before.status("drifts"));
    assert_eq!(after.take_changes(), before.take_changes());
}

#[test]
fn audits_end_the_guarantee_and_inputs_where_that_is_asked_for() {
    let watch = RuntimeMonitors::default();
    for _ in 0..300 {
        watch.seen("a", &reference(), 0.1, 0.5);
    }
    assert_eq!(watch.take_alarms().len(), 1);
    assert!(!watch.ended("a", OnDrift::Report) && watch.ended("a", OnDrift::Stop));
    for n in 0..20 {
        audit(&watch, "b", f64::from(n) / 20.0, false);
    }
    assert!(watch.ended("b", OnDrift::Report) && watch.ended("b", OnDrift::Stop));
    assert!(!watch.ended("none", OnDrift::Stop));
    let alarms = watch.take_alarms().into_iter();
    let alarms: Vec<_> = alarms.map(|a| (a.task, a.watched)).collect();
    assert_eq!(alarms, [("b".to_owned(), MonitorKind::Errors)]);
}

#[test]
fn an_outcome_counts_once_and_only_of_a_drawn_answer() {
    let watch = RuntimeMonitors::default();
    let id = watch.drawn("a", 0.05, 0.5, 0.25);
    // A number that is taken already is not given twice.
    assert_ne!(watch.drawn("a", 0.05, 0.5, 0.25), id);
    assert!(!watch.audited("a", id + 7, false, None) && !watch.audited("b", id, false, None));
    assert!(watch.audited("a", id, false, None));
    assert!(!watch.audited("a", id, false, None));
    let status = watch.status("a");
    assert_eq!((status.len(), status[0].observed), (1, 1));
    // The bet was half as high as on an answer that is drawn as seldom as any.
    let whole = RuntimeMonitors::default();
    audit(&whole, "a", 0.25, false);
    assert!(status[0].evidence < whole.status("a")[0].evidence);
    // Only the latest are remembered.
    let first = watch.drawn("a", 0.05, 1.0, 0.0);
    for n in 1..=watch::MOST_DRAWN {
        watch.drawn("a", 0.05, 1.0, n as f64 / 1e4);
    }
    assert!(!watch.audited("a", first, true, None));
}

/// Whether the page hides bad answers or reports only those: what was not drawn changes nothing.
#[test]
fn whoever_chooses_what_to_report_neither_alarms_nor_hides() {
    let watch = RuntimeMonitors::default();
    let mut random = crate::testing::Random::new(3);
    for _ in 0..2000 {
        let id = (random.uniform() * NUMBERS) as u64;
        assert!(!watch.audited("a", id, random.uniform() < 0.5, None));
    }
    assert!(watch.status("a").is_empty() && !watch.ended("a", OnDrift::Stop));
    // Half of all answers are wrong, and the page reports of others that they are right.
    let mut needed = 0;
    while !watch.ended("a", OnDrift::Report) && needed < 1000 {
        needed += 1;
        let number = random.uniform();
        audit(&watch, "a", number, random.uniform() < 0.5);
        for _ in 0..10 {
            watch.audited("a", (random.uniform() * NUMBERS) as u64, true, None);
        }
    }
    assert!(needed < 100, "{needed}");
}

#[test]
fn what_is_no_monitors_state_is_left_out() {
    let earlier = seen().take_changes();
    let drifts = earlier.iter().find(|m| m.task == "drifts").unwrap();
    let numbers = serde_json::to_value(&drifts.numbers).unwrap();
    let status = |numbers: &serde_json::Value, reference: Option<&Reference>| {
        let numbers: Numbers = serde_json::from_value(numbers.clone()).unwrap();
        Watch::resumed(&numbers, reference).status("drifts").len()
    };
    assert_eq!(status(&numbers, Some(&reference())), 2);
    // Calibrated anew: the inputs' monitor begins anew.
    let mut other = reference();
    other.counts.push(0);
    assert_eq!(status(&numbers, Some(&other)), 1);
    assert_eq!(status(&numbers, None), 1);
    for (at, wrong) in [(0, 0.0), (3, -1.0), (3, 0.5), (4, 0.0), (5, -1e-9)] {
        let mut altered = numbers.clone();
        altered["inputs"][at] = wrong.into();
        assert_eq!(status(&altered, Some(&reference())), 1, "{at}");
        let mut altered = numbers.clone();
        altered["errors"][0].as_array_mut().unwrap().truncate(at);
        assert_eq!(status(&altered, Some(&reference())), 1, "{at}");
    }
    let mut altered = numbers.clone();
    altered["replies"] = json!([
        [7, 1, 0.5, 0],
        [8, 1, 1.5, 0],
        [9, 1, -0.5, 0],
        [10, 1, 0.5, 8]
    ]);
    let replies: Numbers = serde_json::from_value(altered).unwrap();
    let watch = Watch::resumed(&replies, None);
    assert_eq!(
        [7, 8, 9, 10].map(|id| watch.awaits(id)),
        [true, false, false, false]
    );
    let mut altered = numbers.clone();
    altered["drawn"] = json!([[7, 0.05, 0.5], [8, 0.05, 1.5], [9, 0.0, 0.5], [10, 1, 1]]);
    let altered: Numbers = serde_json::from_value(altered).unwrap();
    let watch = Watch::resumed(&altered, None);
    assert_eq!(
        [7, 8, 9, 10].map(|id| watch.awaits(id)),
        [true, false, false, false]
    );
}

/// A bundle with one task, calibrated as `calibration` says.
fn bundle(calibration: u64) -> Bundle {
    let file = json!({"sha256": "0".repeat(64), "bytes": 1, "license": "MIT"});
    let manifest = json!({
        "format": "smallfirst-bundle", "version": 1, "name": "test", "revision": "1",
        "files": {"a.onnx": file, "ngrams.json": file},
        "heads": {"a": {"file": "a.onnx", "features": {"kind": "ngrams", "file": "ngrams.json"},
            "output": "logits", "temperature": 1.0, "threshold": 0.9}},
        "tasks": {"mood": {"kind": "classify", "input": "text", "title": "mood", "instruction": "Tell the mood.",
            "labels": [{"id": "up", "title": "UP"}, {"id": "down", "title": "DOWN"}],
            "limits": {"minBytes": 2, "maxBytes": 40, "languages": null}, "tiers": ["a"],
            "guarantee": {"delta": 0.05, "defaultRisk": 0.05, "rows": calibration,
                "certificates": [{"risk": 0.05, "thresholds": [0.9], "n": 500, "errors": 10}],
                "reference": {"edges": [0.5, 0.9], "counts": [10, 20, 30]}}}}
    });
    Bundle::parse(&serde_json::to_vec(&manifest).unwrap()).unwrap()
}

fn world() -> World {
    World::new(1, |_, _| Script::reply(500, ""))
}

fn place(bundle: &Bundle) -> Place<'_> {
    let of = bundle.calibration_sha256("mood").unwrap();
    Place::new(bundle, "mood", &of).unwrap()
}

/// What a page does: its monitors go on from what is kept, when they are first asked.
fn page(world: &World, bundle: &Bundle) -> RuntimeMonitors {
    let watch = RuntimeMonitors::default();
    let place = place(bundle);
    world.block_on(watch.resume_stored("mood", &place, world));
    watch
}

fn keep(watch: &RuntimeMonitors, world: &World, bundle: &Bundle) {
    let place = place(bundle);
    world.block_on(watch.keep("mood", &place, world));
}

fn observed(watch: &RuntimeMonitors) -> Vec<u64> {
    let status = watch.status("mood").into_iter();
    status.map(|drift| drift.observed).collect()
}

const KEY: &str = "monitors/test/mood";

#[test]
fn a_visitor_who_asks_three_things_a_day_counts() {
    let (world, bundle) = (world(), bundle(1000));
    let alone = RuntimeMonitors::default();
    for day in 0..100 {
        let watch = page(&world, &bundle);
        // Each page is told of the alarm that an earlier one raised.
        let alarmed = alone.status("mood").iter().any(|drift| drift.alarmed);
        assert_eq!(watch.take_alarms().len(), usize::from(alarmed), "{day}");
        for n in 0..3 {
            for watch in [&watch, &alone] {
                watch.seen("mood", &reference(), 0.1, f64::from(n) / 3.0);
            }
        }
        // The last day's answer is audited the next day, on another page.
        let id = watch.drawn("mood", 0.05, 0.5, f64::from(day) / 100.0);
        keep(&watch, &world, &bundle);
        let tomorrow = page(&world, &bundle);
        assert!(tomorrow.audited("mood", id, true, None));
        keep(&tomorrow, &world, &bundle);
    }
    let stored = page(&world, &bundle);
    assert_eq!(observed(&stored), [300, 100]);
    assert!(
        (stored.status("mood")[0].evidence / alone.status("mood")[0].evidence - 1.0).abs() < 1e-9
    );
    assert!(stored.ended("mood", OnDrift::Stop));
    // Numbers, a hash, and no more.
    let json = world.stored.borrow()[KEY].clone();
    let stored: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(stored["of"].as_str().unwrap().len(), 64);
    for (name, numbers) in stored["numbers"].as_object().unwrap() {
        let names = ["inputs", "errors", "drawn", "remotes", "replies"];
        assert!(names.contains(&name.as_str()));
        assert!(
            !numbers.to_string().contains('"'),
            "{name} has nothing but numbers"
        );
    }
}

#[test]
fn tabs_take_turns_and_no_observation_counts_twice() {
    let (world, bundle) = (world(), bundle(1000));
    let tabs = [0, 1, 2].map(|_| page(&world, &bundle));
    let alone = RuntimeMonitors::default();
    for round in 0..50 {
        for (n, tab) in tabs.iter().enumerate() {
            for watch in [tab, &alone] {
                watch.seen("mood", &reference(), 0.1, n as f64 / 3.0);
            }
            // Some write after each, some seldom.
            if round % (n + 1) == 0 {
                keep(tab, &world, &bundle);
                keep(tab, &world, &bundle);
            }
        }
    }
    tabs.iter().for_each(|tab| keep(tab, &world, &bundle));
    let after = page(&world, &bundle);
    assert_eq!(observed(&after), [150]);
    let (evidence, most) = (
        after.status("mood")[0].evidence,
        alone.status("mood")[0].evidence,
    );
    assert!(evidence > 1.0 && evidence < 3.0 * most, "{evidence} {most}");
    // An answer that two tabs report counts once.
    let id = tabs[0].drawn("mood", 0.05, 1.0, 0.5);
    keep(&tabs[0], &world, &bundle);
    keep(&tabs[1], &world, &bundle);
    assert!(tabs[0].audited("mood", id, false, None) && tabs[1].audited("mood", id, false, None));
    tabs.iter().for_each(|tab| keep(tab, &world, &bundle));
    assert_eq!(observed(&page(&world, &bundle)), [150, 1]);
}

/// A remote's answer that differs from the best local one, of two labels, held against a claim.
fn reply(claim: u64, profile: bool) -> DrawnReply {
    DrawnReply {
        id: 0,
        claim,
        profile,
        claimed: if profile { 0.9 } else { 0.0 },
        same: false,
        other: true,
    }
}

#[test]
fn audits_of_a_remotes_answers_go_on_from_page_to_page_and_each_claim_has_its_own() {
    let (world, bundle) = (world(), bundle(1000));
    let mut rounds = 0_u32;
    loop {
        let watch = page(&world, &bundle);
        let ended = [1, 2].map(|claim| watch.refuted("mood", claim));
        if ended == [true, true] {
            break;
        }
        rounds += 1;
        assert!(rounds < 40, "{ended:?}");
        let [profile, worth] = [reply(1, true), reply(2, false)]
            .map(|reply| watch.drawn_reply("mood", reply, f64::from(rounds) / 100.0));
        keep(&watch, &world, &bundle);
        // The outcomes come on a later page, by another tab.
        let later = page(&world, &bundle);
        for id in [profile, worth] {
            assert!(later.audited("mood", id, false, None));
            assert!(!later.audited("mood", id, false, None), "each counts once");
        }
        keep(&later, &world, &bundle);
    }
    let watch = page(&world, &bundle);
    assert_eq!(observed(&watch), [u64::from(rounds); 2]);
    // The page is told of the profile, and no guarantee has ended.
    let told = watch.take_alarms().into_iter().map(|drift| drift.watched);
    assert_eq!(told.collect::<Vec<_>>(), [MonitorKind::Remote]);
    assert!(!watch.ended("mood", OnDrift::Stop));
    assert!(!watch.refuted("mood", 3) && !watch.refuted("other", 1));
    // A new calibration is of other local answers.
    let anew = self::bundle(2000);
    assert!(!page(&world, &anew).refuted("mood", 1));
}

#[test]
fn the_claim_that_was_audited_last_is_kept() {
    let watch = RuntimeMonitors::default();
    let audit = |claim| {
        let id = watch.drawn_reply("a", reply(claim, false), 0.5);
        watch.audited("a", id, true, None);
    };
    (0..30).for_each(|_| audit(0));
    for claim in 1..20 {
        audit(claim);
        audit(0);
    }
    let most = watch.status("a").into_iter().map(|drift| drift.observed);
    let most: Vec<u64> = most.collect();
    assert_eq!((most.len(), most.iter().max()), (8, Some(&49)));
}

#[test]
fn a_local_answer_counts_as_right_only_where_that_follows() {
    let evidence = |same, other, correct, local| -> i32 {
        let watch = RuntimeMonitors::default();
        let reply = DrawnReply {
            same,
            other,
            ..reply(1, false)
        };
        let id = watch.drawn_reply("a", reply, 0.5);
        watch.audited("a", id, correct, local);
        let evidence = watch.status("a")[0].evidence;
        // Whether the local answer alone is right, or the remote's alone, or neither.
        i32::from(evidence > 1.0 + 1e-9) - i32::from(evidence < 1.0 - 1e-9)
    };
    // With two labels, one of two that differ is right.
    assert_eq!(evidence(false, true, false, None), 1);
    assert_eq!(evidence(false, true, true, None), -1);
    // With more, neither may be.
    assert_eq!(evidence(false, false, false, None), 0);
    assert_eq!(evidence(false, false, false, Some(true)), 1);
    assert_eq!(evidence(false, false, false, Some(false)), 0);
    for correct in [true, false] {
        assert_eq!(evidence(true, false, correct, None), 0);
    }
}

#[test]
fn a_new_calibration_and_a_state_that_was_altered_begin_anew() {
    let (world, bundle) = (world(), bundle(1000));
    let watch = page(&world, &bundle);
    assert!(
        world.stored.borrow().is_empty(),
        "nothing is written before there is anything"
    );
    watch.seen("mood", &reference(), 0.1, 0.5);
    keep(&watch, &world, &bundle);
    assert_eq!(observed(&page(&world, &bundle)), [1]);
    let sound = world.stored.borrow()[KEY].clone();
    for altered in [
        "".to_owned(),
        "[]".to_owned(),
        "{".repeat(1000),
        sound.replace("\"of\":\"", "\"of\":\"0"),
        sound.replace("\"drawn\":[]", "\"drawn\":[[\"a\"]]"),
        sound.replace("\"inputs\":[", "\"inputs\":[1e999,"),
        sound.replace("\"inputs\":[", "\"inputs\":[-1,"),
        format!("{sound}{}", " ".repeat(3 << 20)),
    ] {
        assert_ne!(altered, sound);
        world
            .stored
            .borrow_mut()
            .insert(KEY.into(), altered.clone());
        let watch = page(&world, &bundle);
        assert_eq!(
            observed(&watch),
            [0; 0],
            "{}",
            &altered[..altered.len().min(80)]
        );
        watch.seen("mood", &reference(), 0.1, 0.5);
        keep(&watch, &world, &bundle);
        assert_eq!(observed(&page(&world, &bundle)), [1]);
    }
    world.stored.borrow_mut().insert(KEY.into(), sound.clone());
    let anew = self::bundle(2000);
    assert_eq!(observed(&page(&world, &anew)), [0; 0]);
    assert_eq!(
        world.stored.borrow()[KEY],
        sound,
        "who has seen nothing writes nothing"
    );
    assert_eq!(observed(&page(&world, &bundle)), [1]);
}

/// What a worker handed over before it began to write is not written again by the next one.
#[test]
fn a_worker_that_dies_while_it_writes_is_not_counted_twice() {
    let (world, bundle) = (world(), bundle(1000));
    let place = place(&bundle);
    for dies_before_writing in [true, false] {
        world.stored.borrow_mut().clear();
        let first = page(&world, &bundle);
        first.seen("mood", &reference(), 0.1, 0.5);
        keep(&first, &world, &bundle);
        first.seen("mood", &reference(), 0.1, 0.5);
        let before_writing = first.take_changes();
        keep(&first, &world, &bundle);
        let after_writing = first.take_changes();
        let (legacy, on) = match dies_before_writing {
            // Nothing of it was written.
            true => (before_writing, 1),
            false => (after_writing, 2),
        };
        if dies_before_writing {
            world.stored.borrow_mut().clear();
            let only = page(&world, &bundle);
            only.seen("mood", &reference(), 0.1, 0.5);
            keep(&only, &world, &bundle);
        }
        assert_eq!(observed(&page(&world, &bundle)), [on]);
        let next = RuntimeMonitors::default();
        legacy
            .iter()
            .for_each(|one| next.resume(one, Some(&reference())));
        world.block_on(next.resume_stored("mood", &place, &world));
        assert_eq!(observed(&next), [2]);
        assert_eq!(observed(&page(&world, &bundle)), [2]);
    }
}
