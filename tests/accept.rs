//! The accept rule is one rule: a table drives it through all that decide by it, and real calls decide as it says.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use smallfirst::calibrate::{Certifier, Decision, TierDecision, accepts};
use smallfirst::evaluate::{Observation, Prediction};
use smallfirst::host::FixedClock;
use smallfirst::remote::OfflineHost;
use smallfirst::route::{Verdict, judge};
use smallfirst::runtime::Call;
use smallfirst::task::{AskedRisk, Input, Reason};

/// Confidence, whether the input is in distribution, threshold, and whether that is accepted.
const TABLE: [(f64, bool, f64, bool); 9] = [
    (0.9, true, 0.8, true),
    (0.8, true, 0.8, true),
    (0.799_999, true, 0.8, false),
    (0.9, false, 0.8, false),
    (1.0, false, 0.0, false),
    (0.0, true, 0.0, true),
    (1.0, true, 1.0, true),
    (0.999, true, 1.0, false),
    (f64::NAN, true, 0.5, false),
];

fn decision(confidence: f64, in_distribution: bool) -> Decision {
    Decision {
        tiers: vec![Some(TierDecision {
            confidence,
            correct: true,
            in_distribution,
        })],
        slice: None,
        in_scope: true,
    }
}

#[test]
fn all_that_decide_decide_alike() {
    for (confidence, in_distribution, threshold, accepted) in TABLE {
        let row = (confidence, in_distribution, threshold);
        assert_eq!(
            accepts(confidence, in_distribution, threshold),
            accepted,
            "{row:?}"
        );
        let verdict = judge(confidence, Some(threshold), in_distribution);
        assert_eq!(verdict == Verdict::Trust, accepted, "{row:?}");
        let certified = decision(confidence, in_distribution).answered(&[threshold]);
        assert_eq!(certified.is_some(), accepted, "{row:?}");
        let observed = Observation {
            truth: Some(0),
            slice: None,
            tiers: vec![Some(Prediction {
                probabilities: vec![confidence],
                confidence,
                ood: None,
                in_distribution,
                milliseconds: 0.0,
            })],
            remote: None,
        };
        assert_eq!(
            observed.answered(&[threshold]).is_some(),
            accepted,
            "{row:?}"
        );
    }
}

#[test]
fn a_certificate_counts_what_is_accepted_at_its_thresholds() {
    let rows: Vec<Decision> = (0..3000)
        .map(|i| decision(f64::from(i % 1000) / 1000.0, i % 7 != 0))
        .collect();
    let certifier = Certifier {
        tune: &rows,
        tiers: 1,
        delta: 0.05,
        per_slice: false,
        out_of_scope_share: None,
    };
    let certificate = certifier.certify(&rows, 0.05);
    let thresholds = certificate.thresholds.unwrap();
    let answered = rows
        .iter()
        .filter(|row| row.answered(&thresholds).is_some());
    assert_eq!(certificate.n, answered.count() as u64);
    assert!(certificate.n > 1000);
}

/// The confidence and the score that evaluation sees are held against the thresholds by calls, too.
#[test]
fn calls_accept_what_evaluation_says_is_accepted() {
    let runtime = common::runtime(usize::MAX);
    let (mut accepted, mut escalated) = (0, 0);
    for (task, texts) in [
        ("language", SENTENCES),
        ("sentiment", OPINIONS),
        ("spam", MAILS),
    ] {
        for text in texts {
            let input = Input::Text(text);
            let scored = runtime.score_tiers(task, input, &FixedClock);
            let scored = pollster::block_on(scored).unwrap();
            for risk in [0.01, 0.05, 0.2] {
                let entry = runtime.bundle().task(task).unwrap();
                let thresholds = runtime
                    .bundle()
                    .thresholds(entry, Some(AskedRisk::absolute(risk)))
                    .values;
                let expected = scored.refused.is_none()
                    && scored
                        .tiers
                        .iter()
                        .zip(thresholds)
                        .any(|((tier, _), threshold)| {
                            let (Ok(tier), Some(threshold)) = (tier, threshold) else {
                                return false;
                            };
                            accepts(
                                tier.calibrated.confidence,
                                tier.in_distribution(),
                                threshold,
                            )
                        });
                let call = Call {
                    risk: Some(risk),
                    ..Call::new(task, input)
                };
                let answer = runtime.run(&call, &OfflineHost(FixedClock));
                let reason = pollster::block_on(answer).map(|answer| answer.reason);
                let trusted = matches!(reason, Ok(Reason::Confident));
                assert_eq!(trusted, expected, "{task} at {risk}: {text}: {reason:?}");
                accepted += u32::from(trusted);
                escalated += u32::from(!trusted);
            }
        }
    }
    assert!(accepted >= 15 && escalated >= 15, "{accepted}, {escalated}");
}

const SENTENCES: &[&str] = &[
    "Wo ist der Bahnhof?",
    "Entschuldigen Sie bitte, können Sie mir sagen, wie ich von hier am schnellsten zum Bahnhof komme?",
    "The committee will meet again on Thursday to decide what is to be done about the bridge.",
    "Je ne sais pas encore si nous pourrons venir dimanche prochain, mais nous allons essayer.",
    "Questa mattina il treno è arrivato con venti minuti di ritardo a causa della neve.",
    "ok",
    "hola",
    "Мы вчера долго гуляли по набережной и почти ни о чём не говорили.",
    "fn main() { println!(\"{}\", 1 + 1); }",
    "今日はとても天気がいいので、公園まで散歩に行きました。",
];

const OPINIONS: &[&str] = &[
    "I love this film, it is wonderful and moving from beginning to end.",
    "This is the worst phone I have ever bought, it broke after two days.",
    "not bad at all",
    "The parcel came on Tuesday.",
    "What a waste of time and money, awful service, never again!",
    "Thank you so much, you made my day :)",
    "It is raining.",
    "Ich mag das sehr, es ist ganz wunderbar.",
];

const MAILS: &[&str] = &[
    "Congratulations! You have won $1,000,000. Click here to claim your prize now, limited offer!!!",
    "Hi Anna, could you send me the minutes of yesterday's meeting before noon? Thanks, Tom",
    "Buy cheap watches online, 90% off, free shipping, order now and save big money today",
    "The build has failed again on the second machine; I think that the disk is full.",
    "Dear customer, your account has been suspended. Verify your password at the link below immediately.",
    "lunch?",
];
