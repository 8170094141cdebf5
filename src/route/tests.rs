use super::*;

const HARD: [Reason; 5] = [
    Reason::RemoteOnly,
    Reason::UnknownTask,
    Reason::InputTooShort,
    Reason::InputTooLong,
    Reason::ModelUnavailable,
];

fn remote(reason: Reason, local_if_failed: bool) -> Plan {
    Plan::Remote {
        reason,
        local_if_failed,
    }
}

#[test]
fn without_an_obstacle_the_mode_decides() {
    for (mode, expected) in [
        (Mode::OnlyLocal, Plan::Local),
        (Mode::PreferLocal, Plan::Local),
        (Mode::PreferRemote, remote(Reason::Mode, true)),
        (Mode::OnlyRemote, remote(Reason::Mode, false)),
    ] {
        assert_eq!(plan(mode, None), expected, "{mode:?}");
    }
}

#[test]
fn a_hard_obstacle_leaves_only_the_remote() {
    for reason in HARD {
        let obstacle = Some(Obstacle::Hard(reason));
        for (mode, expected) in [
            (Mode::OnlyLocal, Plan::Refuse(reason)),
            (Mode::PreferLocal, remote(reason, false)),
            (Mode::PreferRemote, remote(Reason::Mode, false)),
            (Mode::OnlyRemote, remote(Reason::Mode, false)),
        ] {
            assert_eq!(plan(mode, obstacle), expected, "{mode:?} {reason:?}");
        }
    }
}

#[test]
fn a_soft_obstacle_leaves_a_degraded_local_answer() {
    let reason = Reason::UnsupportedLanguage;
    let obstacle = Some(Obstacle::Soft(reason));
    for (mode, expected) in [
        (Mode::OnlyLocal, Plan::LocalDegraded(reason)),
        (Mode::PreferLocal, remote(reason, true)),
        (Mode::PreferRemote, remote(Reason::Mode, true)),
        (Mode::OnlyRemote, remote(Reason::Mode, false)),
    ] {
        assert_eq!(plan(mode, obstacle), expected, "{mode:?}");
    }
}

#[test]
fn nothing_is_sent_in_only_local() {
    let obstacles = HARD
        .map(Obstacle::Hard)
        .into_iter()
        .chain([Obstacle::Soft(Reason::UnsupportedLanguage)])
        .map(Some)
        .chain([None]);
    for obstacle in obstacles {
        assert!(
            !matches!(plan(Mode::OnlyLocal, obstacle), Plan::Remote { .. }),
            "{obstacle:?}"
        );
    }
}

#[test]
fn confidence_is_held_against_the_threshold() {
    for (confidence, threshold, expected) in [
        (0.95, Some(0.9), Verdict::Trust),
        (0.9, Some(0.9), Verdict::Trust),
        (
            0.899_999,
            Some(0.9),
            Verdict::Distrust(Reason::LowConfidence),
        ),
        (0.0, Some(0.0), Verdict::Trust),
        (1.0, None, Verdict::Distrust(Reason::Uncertified)),
        (
            f64::NAN,
            Some(0.1),
            Verdict::Distrust(Reason::LowConfidence),
        ),
    ] {
        assert_eq!(
            judge(confidence, threshold, true),
            expected,
            "{confidence} {threshold:?}"
        );
    }
    // Unlike the training data: no confidence helps; without a threshold, that is the reason.
    assert_eq!(
        judge(1.0, Some(0.5), false),
        Verdict::Distrust(Reason::OutOfDistribution)
    );
    assert_eq!(
        judge(1.0, None, false),
        Verdict::Distrust(Reason::Uncertified)
    );
}

#[test]
fn every_reason_has_words_for_every_outcome() {
    let reasons = [
        Reason::Mode,
        Reason::LowConfidence,
        Reason::Uncertified,
        Reason::OutOfDistribution,
        Reason::UnsupportedLanguage,
        Reason::RemoteFailed,
    ];
    for reason in reasons.into_iter().chain(HARD) {
        let facts = Facts {
            reason,
            confidence: Some(0.612),
            threshold: Some(0.93),
            asked: Some(AskedRisk::absolute(0.05)),
            guarantee: None,
            remote_problem: None,
            remote_answered: true,
            doubts: &[],
            learned: None,
            remote_accuracy: None,
        };
        let answered = explain(&facts);
        assert!(answered.ends_with("so the remote answered."), "{answered}");
        let failed = explain(&Facts {
            remote_answered: false,
            remote_problem: Some("the device is offline"),
            ..facts
        });
        assert!(failed.contains("the device is offline"), "{failed}");
    }
    let low = explain(&Facts {
        reason: Reason::LowConfidence,
        confidence: Some(0.612),
        threshold: Some(0.93),
        asked: Some(AskedRisk::absolute(0.05)),
        guarantee: None,
        remote_problem: None,
        remote_answered: true,
        doubts: &[],
        learned: None,
        remote_accuracy: None,
    });
    assert!(low.contains("61.2 %") && low.contains("93.0 %"), "{low}");
    let sure_facts = Facts {
        reason: Reason::Confident,
        confidence: Some(0.99),
        threshold: Some(0.93),
        asked: Some(AskedRisk::absolute(0.05)),
        guarantee: None,
        remote_problem: None,
        remote_answered: false,
        doubts: &[],
        learned: None,
        remote_accuracy: None,
    };
    let sure = explain(&sure_facts);
    assert!(sure.contains("99.0 %") && sure.contains("meets"), "{sure}");
    assert!(sure.contains("without a promise"), "{sure}");
    let promise = AnswerGuarantee {
        loss: None,
        kind: GuaranteeKind::Absolute,
        risk: 0.05,
        delta: 0.05,
        out_of_scope_share: None,
    };
    let promised = explain(&Facts {
        reason: Reason::Confident,
        confidence: Some(0.99),
        threshold: Some(0.93),
        asked: Some(AskedRisk::absolute(0.05)),
        guarantee: Some(promise),
        remote_problem: None,
        remote_answered: false,
        doubts: &[],
        learned: None,
        remote_accuracy: None,
    });
    assert!(promised.contains("at most 5.0 %"), "{promised}");
    let asked = Some(AskedRisk::against_remote(0.02));
    let promised = explain(&Facts {
        asked,
        guarantee: Some(promise),
        ..sure_facts
    });
    assert!(
        promised.contains("2.0 % more of such answers"),
        "{promised}"
    );
    let uncertified = explain(&Facts {
        reason: Reason::Uncertified,
        asked,
        ..sure_facts
    });
    assert!(
        uncertified.contains("a risk of 2.0 % above the remote's"),
        "{uncertified}"
    );
}
