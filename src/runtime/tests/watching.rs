use super::*;
use crate::host::FixedClock;
use crate::monitor::{Drift, MonitorKind};
use crate::remote::OfflineHost;

/// How the monitors of a task stand, where nothing is kept.
fn drift(runtime: &Runtime<Folder>, task: &str) -> Result<Vec<Drift>> {
    let host = OfflineHost(FixedClock);
    pollster::block_on(runtime.drift(task, &host))
}

/// Says that an answer was right or wrong; whether that counts.
fn report(runtime: &Runtime<Folder>, answer: &Answer, correct: bool) -> bool {
    let Some(audit) = &answer.audit else {
        return false;
    };
    let host = OfflineHost(FixedClock);
    let outcome = AuditOutcome::of(correct);
    pollster::block_on(runtime.report_outcome("mood", audit.id, &outcome, &host)).unwrap()
}

/// A runtime that has every answer audited.
fn audited(on_drift: OnDrift) -> Runtime<Folder> {
    let runtime = guaranteed(Mode::OnlyLocal).runtime();
    runtime.with_watching(Some(1.0), on_drift).unwrap()
}

#[test]
fn monitors_see_what_calibration_saw() {
    let runtime = guaranteed(Mode::OnlyLocal).runtime();
    // A foreign text is answered for want of a better one; it tells nothing about drift.
    ask(&runtime, FOREIGN, None).unwrap();
    assert!(drift(&runtime, "mood").unwrap().is_empty());
    assert!(drift(&runtime, "nope").is_err());
    for (on_drift, guaranteed) in [(OnDrift::Report, true), (OnDrift::Stop, false)] {
        let runtime = audited(on_drift);
        for _ in 0..300 {
            ask(&runtime, SURE, None).unwrap();
        }
        let status = &drift(&runtime, "mood").unwrap()[0];
        assert!(status.alarmed && status.observed == 300, "{status:?}");
        let alarms = runtime.take_alarms();
        assert_eq!(alarms.len(), 1, "an alarm is raised once");
        assert!(runtime.take_alarms().is_empty());
        // Inputs that differ are no errors, and end the guarantee only where that is asked for.
        let answer = ask(&runtime, SURE, None).unwrap();
        assert_eq!(
            (answer.reason, answer.guaranteed, answer.audit.is_some()),
            (Reason::Confident, guaranteed, guaranteed)
        );
        let said = match guaranteed {
            true => "at most 5.0 % of such answers are wrong",
            false => "without a promise of how often such answers are wrong",
        };
        assert!(answer.explanation.contains(said), "{}", answer.explanation);
    }
}

#[test]
fn a_dry_run_counts_for_nothing_and_says_the_same() {
    let world = World::new(1, |_, _| Script::reply(200, "{}"));
    let runtime = guaranteed(Mode::PreferLocal)
        .runtime()
        .with_watching(Some(1.0), OnDrift::Report)
        .unwrap();
    let dry = Call {
        dry: true,
        ..Call::new("mood", Input::Text(SURE))
    };
    let first = world.block_on(runtime.run(&dry, &world)).unwrap();
    for mode in [None, Some(Mode::OnlyRemote), Some(Mode::PreferRemote)] {
        let call = Call {
            mode,
            ..dry.clone()
        };
        let again = world.block_on(runtime.run(&call, &world)).unwrap();
        assert_eq!(
            (again.output, again.guaranteed, again.audit),
            (first.output.clone(), true, None)
        );
    }
    assert!(drift(&runtime, "mood").unwrap().is_empty());
    let usage = world.block_on(runtime.usage(&world));
    assert_eq!(usage.saved.requests, 0);
    assert!(world.requests.borrow().is_empty());
    // What it would be otherwise.
    let call = Call::new("mood", Input::Text(SURE));
    world.block_on(runtime.run(&call, &world)).unwrap();
    assert_eq!(drift(&runtime, "mood").unwrap()[0].observed, 1);
}

#[test]
fn audits_end_the_guarantee() {
    let runtime = audited(OnDrift::Report);
    let mut reported = 0;
    while !runtime.ended("mood") {
        let answer = ask(&runtime, SURE, None).unwrap();
        assert!(report(&runtime, &answer, false));
        assert!(!report(&runtime, &answer, false), "each counts once");
        reported += 1;
    }
    assert!(reported < 10, "{reported}");
    let alarms = runtime.take_alarms();
    assert_eq!((alarms.len(), alarms[0].watched), (1, MonitorKind::Errors));
    let answer = ask(&runtime, SURE, None).unwrap();
    assert!(!answer.guaranteed && answer.audit.is_none());
    let host = OfflineHost(FixedClock);
    let right = AuditOutcome::of(true);
    let unknown = pollster::block_on(runtime.report_outcome("nope", 1, &right, &host));
    assert_eq!(unknown.unwrap_err().code(), Code::UnknownTask);
    for share in [0.0, 0.009, 1.1, f64::NAN] {
        let runtime = guaranteed(Mode::OnlyLocal).runtime();
        let error = runtime
            .with_watching(Some(share), OnDrift::Stop)
            .unwrap_err();
        assert_eq!(error.code(), Code::InvalidOption);
    }
}

#[test]
fn the_runtime_draws_what_is_audited_and_says_with_which_chance() {
    let runtime = guaranteed(Mode::OnlyLocal).runtime();
    let world = World::new(5, |_, _| Script::reply(500, ""));
    let ask = |text| {
        let call = Call::new("mood", Input::Text(text));
        world.block_on(runtime.run(&call, &world)).unwrap()
    };
    let answers: Vec<Answer> = (0..400).map(|_| ask(SURE)).collect();
    let confidence = answers[0].confidence.unwrap();
    let chance = crate::monitor::audit_chance(0.1, confidence, answers[0].threshold.unwrap());
    let drawn: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.audit.as_ref())
        .collect();
    assert!(drawn.iter().all(|audit| audit.chance == chance));
    let expected = 400.0 * chance;
    let spread = (expected * (1.0 - chance)).sqrt();
    assert!(
        (drawn.len() as f64 - expected).abs() < 4.0 * spread,
        "{}",
        drawn.len()
    );
    // What promises nothing is not audited.
    assert!((0..50).all(|_| ask(UNSURE).audit.is_none()));
    // The chance of each counts: none that was not drawn does, and what was drawn is found on the next page, too.
    let status = |runtime: &Runtime<Folder>| {
        let status = world.block_on(runtime.drift("mood", &world)).unwrap();
        let errors = status
            .into_iter()
            .find(|d| d.watched == MonitorKind::Errors);
        errors.map_or(0, |drift| drift.observed)
    };
    world.block_on(runtime.keep_monitors(&world));
    let right = AuditOutcome::of(true);
    let next = guaranteed(Mode::OnlyLocal).runtime();
    for answer in &answers {
        let id = answer.audit.as_ref().map_or(1, |audit| audit.id);
        let counts = world
            .block_on(next.report_outcome("mood", id, &right, &world))
            .unwrap();
        assert_eq!(counts, answer.audit.is_some());
    }
    assert_eq!(status(&next), drawn.len() as u64);
    // The first page reads it when it writes the next time, and counts nothing again.
    for audit in &drawn {
        let counts = runtime.report_outcome("mood", audit.id, &right, &world);
        assert!(!world.block_on(counts).unwrap());
    }
    assert_eq!(status(&runtime), drawn.len() as u64);
}

/// Lets a runtime take in an answer that another gave.
fn adopt(runtime: &Runtime<Folder>, answer: &Answer, bytes: usize) -> bool {
    adoption(runtime, answer, bytes).is_some()
}

fn adoption(runtime: &Runtime<Folder>, answer: &Answer, bytes: usize) -> Option<Adoption> {
    let remote = Remote::failing();
    let adopted = Adopted {
        reason: answer.reason,
        guaranteed: answer.guaranteed,
        risk: answer.risk,
        attempts: answer.attempts.clone(),
    };
    let adopting = runtime.adopt("mood", &adopted, bytes, &remote.0);
    remote.0.block_on(adopting).unwrap()
}

#[test]
fn an_answer_from_elsewhere_counts_as_one_given_here() {
    let other = guaranteed(Mode::OnlyLocal).runtime();
    let (own, adopting) = (
        guaranteed(Mode::OnlyLocal).runtime(),
        guaranteed(Mode::OnlyLocal).runtime(),
    );
    for text in [SURE, MIDDLING, UNSURE, SURE] {
        ask(&own, text, None).unwrap();
        let answer = ask(&other, text, None).unwrap();
        assert!(adopt(&adopting, &answer, text.len()), "{text}");
    }
    let status = drift(&adopting, "mood").unwrap();
    assert_eq!(status, drift(&own, "mood").unwrap());
    assert_eq!(status[0].observed, 4);
    let world = World::new(1, |_, _| Script::reply(500, ""));
    let usage = |runtime: &Runtime<Folder>| world.block_on(runtime.usage(&world));
    let saved = usage(&own).saved;
    assert_eq!(saved.requests, 4);
    // Both keep their books in the same place.
    let both = usage(&adopting).saved;
    assert_eq!(both.requests, 2 * saved.requests);
    assert_eq!(both.input_tokens, 2 * saved.input_tokens);

    // Where calibration looked at nothing, there is nothing to watch.
    let adopting = guaranteed(Mode::OnlyLocal).runtime();
    let answer = ask(&other, SURE, None).unwrap();
    let foreign = Adopted {
        reason: Reason::UnsupportedLanguage,
        guaranteed: false,
        risk: Some(0.05),
        attempts: answer.attempts,
    };
    let unknown = adopting.adopt("nope", &foreign, 9, &world);
    let error = world.block_on(unknown).unwrap_err();
    assert_eq!(error.code(), Code::UnknownTask);
    let foreign = adopting.adopt("mood", &foreign, 9, &world);
    assert_eq!(
        world.block_on(foreign).unwrap(),
        Some(Adoption { audit: None })
    );
    assert!(drift(&adopting, "mood").unwrap().is_empty());
}

#[test]
fn an_answer_from_elsewhere_is_drawn_where_it_is_taken_in() {
    let call = Call {
        alarmed: Some(false),
        ..Call::new("mood", Input::Text(SURE))
    };
    let helper = audited(OnDrift::Report);
    let answer = Remote::failing().call(&helper, &call).unwrap();
    assert!(answer.guaranteed && answer.audit.is_none());
    let runtime = audited(OnDrift::Report);
    let audits: Vec<_> = (0..10)
        .map(|_| adoption(&runtime, &answer, 8).unwrap().audit)
        .collect();
    // All were promised something when they were drawn, so all of them count.
    for audit in audits {
        let answer = Answer {
            audit,
            ..answer.clone()
        };
        assert_eq!(answer.audit.as_ref().map(|audit| audit.chance), Some(1.0));
        assert!(!report(&helper, &answer, false) && report(&runtime, &answer, false));
    }
    // Audits ended the guarantee, so what the helper promises is to be answered here.
    assert!(!adopt(&runtime, &answer, 8));
    let plain = Answer {
        guaranteed: false,
        ..answer
    };
    let runtime = audited(OnDrift::Report);
    assert_eq!(
        adoption(&runtime, &plain, 8),
        Some(Adoption { audit: None })
    );
}

#[test]
fn after_an_alarm_nothing_from_elsewhere_is_guaranteed() {
    let other = guaranteed(Mode::OnlyLocal).runtime();
    let told = |alarmed| {
        let call = Call {
            alarmed: Some(alarmed),
            ..Call::new("mood", Input::Text(SURE))
        };
        Remote::failing().call(&other, &call).unwrap()
    };
    let sure = told(false);
    assert!(sure.guaranteed);
    let runtime = audited(OnDrift::Stop);
    let taken = (0..300).take_while(|_| adopt(&runtime, &sure, 8)).count();
    assert!(0 < taken && taken < 300, "{taken}");
    let status = &drift(&runtime, "mood").unwrap()[0];
    assert!(!status.alarmed && status.observed == taken as u64);
    assert!(runtime.take_alarms().is_empty() && !runtime.ended("mood"));
    // The input that would have raised the alarm is run here, and counts once.
    let answer = ask(&runtime, SURE, None).unwrap();
    assert_eq!(
        (answer.reason, answer.guaranteed),
        (Reason::Confident, false)
    );
    assert_eq!(runtime.take_alarms().len(), 1);
    assert!(runtime.ended("mood") && !adopt(&runtime, &sure, 8));
    let status = &drift(&runtime, "mood").unwrap()[0];
    assert_eq!(status.observed, taken as u64 + 1);

    // Those who know of it promise nothing, and what they say counts.
    let plain = told(true);
    assert_eq!((plain.reason, plain.guaranteed), (answer.reason, false));
    assert_eq!(plain.explanation, answer.explanation);
    assert!(adopt(&runtime, &plain, 8));
    let status = &drift(&runtime, "mood").unwrap()[0];
    assert_eq!(status.observed, taken as u64 + 2);
    // Without a promise there is none to break: such an answer may raise the alarm itself.
    let runtime = audited(OnDrift::Stop);
    assert!((0..300).all(|_| adopt(&runtime, &plain, 8)));
    assert_eq!(runtime.take_alarms().len(), 1);

    // What audits found counts, too. Whoever is told keeps no monitors.
    let runtime = audited(OnDrift::Stop);
    for _ in 0..10 {
        let answer = ask(&runtime, SURE, None).unwrap();
        report(&runtime, &answer, false);
        told(false);
    }
    assert!(drift(&other, "mood").unwrap().is_empty());
    assert!(!adopt(&runtime, &sure, 8));
}
