//! What audits of a remote's answers say of its profile, and of asking it where it has none.

use super::*;
use crate::monitor::{Drift, MonitorKind};
use crate::runtime::tests::remote_worth::profiled;

/// The local models are half sure of this, and this sure of the other.
const SURER: &str = "xxyaaaaa";

/// An endpoint of this model without a profile, which draws as many as by default.
fn asking(model: &str) -> Runtime<Folder> {
    let mut setup = guaranteed(Mode::PreferLocal);
    setup.model = model.to_owned();
    setup.runtime()
}

/// Says of an answer that this label is right; whether that counts.
fn report(runtime: &Runtime<Folder>, remote: &Remote, answer: &Answer, label: &str) -> bool {
    let Some(audit) = &answer.audit else {
        return false;
    };
    let outcome = AuditOutcome {
        correct: answer.output.label == label,
        label: Some(label),
        local: audit.local.as_deref(),
    };
    let reporting = runtime.report_outcome("mood", audit.id, &outcome, &remote.0);
    remote.0.block_on(reporting).unwrap()
}

/// Asks until audits, which find that `right` says which label is right, make the reason `reason`; how many inputs that took.
fn until(
    runtime: &Runtime<Folder>,
    remote: &Remote,
    reason: Reason,
    right: impl Fn(&Answer) -> String,
) -> usize {
    let ends = |_: &usize| {
        let answer = run(runtime, "mood", UNSURE, remote).unwrap();
        if answer.audit.is_some() {
            assert!(report(runtime, remote, &answer, &right(&answer)));
        }
        // One that is drawn is asked in any case.
        answer.audit.is_none() && answer.reason == reason
    };
    (0..2000).find(ends).expect("it ends")
}

fn local(answer: &Answer) -> String {
    answer.audit.clone().unwrap().local.unwrap()
}

fn remotes(answer: &Answer) -> String {
    answer.output.label.clone()
}

fn drift(runtime: &Runtime<Folder>, remote: &Remote) -> Vec<Drift> {
    let drift = runtime.drift("mood", &remote.0);
    remote.0.block_on(drift).unwrap()
}

#[test]
fn a_profile_that_audits_refute_is_used_no_more() {
    // The local models give the other label.
    let remote = Remote::answering("down");
    let runtime = || {
        let mut setup = profiled(Mode::PreferLocal, 90);
        let task = &mut setup.profile["tasks"]["mood"];
        task["bins"] = json!([{"from": 0.0, "rows": 50, "right": 45, "localRight": 30},
            {"from": 0.6, "rows": 50, "right": 25, "localRight": 30}]);
        task["right"] = json!(70);
        task["priorRows"] = json!(0.0);
        setup
            .runtime()
            .with_watching(Some(1.0), OnDrift::Report)
            .unwrap()
    };
    let first = runtime();
    let unlikely = |runtime: &Runtime<Folder>| {
        let answer = run(runtime, "mood", SURER, &remote).unwrap();
        // What the profile says not to ask is not audited.
        assert!(answer.audit.is_some() == (answer.ran_on == RanOn::Remote));
        answer.reason == Reason::RemoteUnlikelyToHelp
    };
    let mut audits = 0;
    while unlikely(&first) {
        let answer = run(&first, "mood", UNSURE, &remote).unwrap();
        assert_eq!(answer.audit.as_ref().unwrap().chance, 1.0);
        assert!(report(&first, &remote, &answer, &local(&answer)));
        assert!(!report(&first, &remote, &answer, "up"), "each counts once");
        audits += 1;
        assert!(audits < 40);
    }
    assert!(audits > 3, "{audits}");
    let alarms = first.take_alarms();
    let told: Vec<MonitorKind> = alarms.iter().map(|drift| drift.watched).collect();
    // The same input again and again is not like the calibration data either.
    assert!(told.contains(&MonitorKind::Remote), "{told:?}");
    // The promise of local answers does not rest on it.
    assert!(run(&first, "mood", SURE, &remote).unwrap().guaranteed);
    // The next page knows, and one with a profile that was measured anew begins anew.
    assert!(!unlikely(&runtime()));
    let mut anew = profiled(Mode::PreferLocal, 40);
    anew.profile["tasks"]["mood"]["measured"] = json!(1.0);
    assert!(unlikely(&anew.runtime()));
}

#[test]
fn without_a_profile_audits_end_asking_a_remote_that_is_not_worth_it() {
    // The local models give the other label.
    let remote = Remote::answering("down");
    let first = asking("big");
    let inputs = until(&first, &remote, Reason::RemoteUnlikelyToHelp, local);
    assert!(inputs > 20, "{inputs}");
    let answer = loop {
        let answer = run(&first, "mood", UNSURE, &remote).unwrap();
        if answer.audit.is_none() {
            break answer;
        }
    };
    assert!(answer.degraded && !answer.guaranteed && answer.ran_on == RanOn::Local);
    let said = "audits found that the remote is not worth asking";
    assert!(answer.explanation.contains(said), "{}", answer.explanation);
    let listed = drift(&first, &remote);
    let listed = listed
        .iter()
        .find(|d| d.watched == MonitorKind::RemoteWorth);
    assert!(listed.is_some_and(|d| d.alarmed && d.false_alarm_rate == 0.05));
    assert!(
        first
            .take_alarms()
            .iter()
            .all(|d| d.watched == MonitorKind::Inputs)
    );
    // Some are asked all the same, and audited.
    let asked = remote.asked();
    for _ in 0..300 {
        let answer = run(&first, "mood", UNSURE, &remote).unwrap();
        assert_eq!(answer.audit.is_some(), answer.ran_on == RanOn::Remote);
    }
    assert!((10..60).contains(&(remote.asked() - asked)));
    // Another page goes on from there; another model, another worth and another mode do not.
    remote.0.block_on(first.keep_monitors(&remote.0));
    let stays = |runtime: Runtime<Folder>, text: &str| {
        let answers = (0..10).map(|_| run(&runtime, "mood", text, &remote).unwrap());
        let here = answers
            .filter(|answer| answer.ran_on == RanOn::Local)
            .count();
        here > 0
    };
    assert!(stays(asking("big"), UNSURE));
    assert!(!stays(asking("bigger"), UNSURE));
    assert!(!stays(asking("big").with_worth(Some(0.1)).unwrap(), UNSURE));
    assert!(!stays(guaranteed(Mode::PreferRemote).runtime(), UNSURE));
    assert!(!stays(asking("big"), FOREIGN));
    // Once the remote is right, it is asked again.
    until(&first, &remote, Reason::LowConfidence, remotes);
}

#[test]
fn what_cannot_be_compared_is_not_audited() {
    let remote = Remote::answering("down");
    let all = || {
        asking("big")
            .with_watching(Some(1.0), OnDrift::Report)
            .unwrap()
    };
    let audited = |call: &Call| {
        let answer = remote.call(&all(), call).unwrap();
        assert_eq!(answer.ran_on, RanOn::Remote);
        answer.audit.is_some()
    };
    let plain = Call::new("mood", Input::Text(UNSURE));
    assert!(audited(&plain));
    let mode = Some(Mode::PreferRemote);
    assert!(!audited(&Call {
        mode,
        ..plain.clone()
    }));
    let alarmed = Some(false);
    assert!(!audited(&Call {
        alarmed,
        ..plain.clone()
    }));
    let foreign = Input::Text(FOREIGN);
    assert!(!audited(&Call {
        input: foreign,
        ..plain.clone()
    }));
    // An answer that was kept says nothing of the remote as it is now.
    let mut setup = guaranteed(Mode::PreferLocal);
    setup.cached = 10;
    let runtime = setup
        .runtime()
        .with_watching(Some(1.0), OnDrift::Report)
        .unwrap();
    let twice = [(); 2].map(|()| run(&runtime, "mood", UNSURE, &remote).unwrap());
    let seen = twice.map(|answer| (answer.cached, answer.audit.is_some()));
    assert_eq!(seen, [(false, true), (true, false)]);
    // A remote that fails gives nothing to audit.
    let failing = Remote::failing();
    let answer = run(&all(), "mood", UNSURE, &failing).unwrap();
    assert!(answer.audit.is_none() && answer.ran_on == RanOn::Local);
    // A label that the task does not have is a mistake of the page.
    let runtime = all();
    let outcome = AuditOutcome {
        label: Some("sideways"),
        ..AuditOutcome::of(false)
    };
    let answer = run(&runtime, "mood", UNSURE, &remote).unwrap();
    let reported = runtime.report_outcome("mood", answer.audit.unwrap().id, &outcome, &remote.0);
    let told = remote.0.block_on(reported).unwrap_err();
    assert_eq!(told.code(), Code::InvalidOption);
    assert!(told.to_string().contains("sideways"), "{told}");
}
