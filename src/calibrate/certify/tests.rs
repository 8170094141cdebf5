use super::*;
use crate::calibrate::TierDecision;
use crate::calibrate::sgr;
use crate::testing::Random;

fn one_tier(confidence: f64, correct: bool) -> Decision {
    Decision {
        tiers: vec![Some(TierDecision {
            confidence,
            correct,
            in_distribution: true,
        })],
        slice: None,
        in_scope: true,
    }
}

/// A known world with a base error of 7.5 %: confidence `u` is uniform, and an answer is wrong with
/// probability `0.3 (1 - u)^3`.
fn draw(random: &mut Random, n: usize) -> Vec<Decision> {
    (0..n)
        .map(|_| {
            let u = random.uniform();
            one_tier(u, random.uniform() >= 0.3 * (1.0 - u).powi(3))
        })
        .collect()
}

/// The true error rate of that world at or above a threshold: the integral of the error over
/// `[t, 1]`, `0.075 (1 - t)^4`, divided by its length.
fn true_risk(threshold: f64) -> f64 {
    0.075 * (1.0 - threshold).powi(3)
}

fn plain(tune: &[Decision], delta: f64) -> Certifier<'_> {
    Certifier {
        tune,
        tiers: 1,
        delta,
        per_slice: false,
        out_of_scope_share: None,
    }
}

#[test]
fn golden_numbers_of_the_smallest_certifying_samples() {
    for (risk, expected) in [
        (0.05, [59, 93, 124, 208, 336]),
        (0.02, [149, 236, 313, 523, 845]),
    ] {
        let found = [0, 1, 2, 5, 10].map(|errors| smallest_n(errors, risk, 0.05));
        assert_eq!(found, expected);
    }
}

#[test]
fn p_values_and_bounds_are_exact() {
    // P(Bin(3, 0.5) <= 1) = 1/8 + 3/8.
    assert!((p_value(3, 1, 0.5) - 0.5).abs() < 1e-12);
    assert_eq!(p_value(0, 0, 0.05), 1.0);
    // No errors in n: the bound is 1 - delta^(1/n).
    assert!((upper_bound(59, 0, 0.05) - (1.0 - 0.05_f64.powf(1.0 / 59.0))).abs() < 1e-6);
    assert_eq!(upper_bound(4, 4, 0.05), 1.0);
    // Test and bound are two sides of one coin.
    for (n, errors) in [(100, 1), (300, 7), (1177, 32)] {
        let bound = upper_bound(n, errors, 0.05);
        assert!((p_value(n, errors, bound) - 0.05).abs() < 1e-6);
    }
}

/// How often the promise was broken, and the mean coverage, of `find` over many draws.
fn simulate(
    draws: usize,
    n: usize,
    risk: f64,
    find: impl Fn(&[Decision], &[Decision]) -> Option<f64>,
) -> (usize, f64) {
    let mut random = Random::new(11);
    let (mut broken, mut coverage) = (0, 0.0);
    for _ in 0..draws {
        let tune = draw(&mut random, n);
        let cal = draw(&mut random, n);
        if let Some(threshold) = find(&tune, &cal) {
            broken += usize::from(true_risk(threshold) > risk);
            coverage += 1.0 - threshold;
        }
    }
    (broken, coverage / draws as f64)
}

/// The most broken promises that `delta` allows, with three standard errors of the simulation.
fn allowed(draws: usize, delta: f64) -> f64 {
    let n = draws as f64;
    n * delta + 3.0 * (n * delta * (1.0 - delta)).sqrt()
}

#[test]
fn the_promise_is_broken_in_at_most_delta_of_the_draws() {
    let draws = 1500;
    for (n, risk, delta) in [(1000, 0.05, 0.05), (1000, 0.02, 0.05), (300, 0.05, 0.2)] {
        let (broken, coverage) = simulate(draws, n, risk, |tune, cal| {
            let certificate = plain(tune, delta).certify(cal, risk);
            certificate.thresholds.map(|t| t[0])
        });
        println!(
            "n = {n}, risk {risk}, delta {delta}: broken in {:.1} % of {draws} draws, coverage {coverage:.2}",
            100.0 * broken as f64 / draws as f64
        );
        assert!(
            broken as f64 <= allowed(draws, delta),
            "{broken} of {draws} draws at n = {n}, risk {risk}, delta {delta}"
        );
        assert!(coverage > 0.1, "{coverage}");
    }
}

#[test]
fn it_covers_more_than_sgr_and_the_empirical_risk_breaks_the_promise() {
    let (draws, risk, delta) = (1000, 0.05, 0.05);
    let rows = |cal: &[Decision]| -> Vec<(f64, bool)> {
        let says = |row: &Decision| row.tiers[0].unwrap();
        cal.iter()
            .map(|row| (says(row).confidence, says(row).correct))
            .collect()
    };
    let (_, ours) = simulate(draws, 1000, risk, |tune, cal| {
        let certificate = plain(tune, delta).certify(cal, risk);
        certificate.thresholds.map(|t| t[0])
    });
    let (sgr_broken, theirs) = simulate(draws, 1000, risk, |_, cal| {
        sgr(&rows(cal), risk, delta).map(|s| s.threshold)
    });
    let (naive_broken, _) = simulate(draws, 1000, risk, |_, cal| {
        // The loosest threshold whose error on CAL itself is within the risk.
        let mut sorted = rows(cal);
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut errors, mut best) = (0.0, None);
        for (i, (confidence, correct)) in sorted.iter().enumerate() {
            errors += f64::from(u8::from(!correct));
            if errors / (i as f64 + 1.0) <= risk {
                best = Some(*confidence);
            }
        }
        best
    });
    println!(
        "coverage {ours:.2}, SGR {theirs:.2} (broken in {sgr_broken}); empirical risk broken in {naive_broken} of {draws}"
    );
    assert!(ours > theirs + 0.03, "{ours} against {theirs}");
    assert!(sgr_broken as f64 <= allowed(draws, delta));
    assert!(naive_broken > draws / 4, "{naive_broken}");
}

#[test]
fn a_cascade_is_certified_as_a_whole() {
    // The first tier is as above; the second is right in 97 % of what it is sure of, and everything
    // it answers lies where the first was unsure.
    let world = |random: &mut Random, n: usize| -> Vec<Decision> {
        (0..n)
            .map(|_| {
                let u = random.uniform();
                let first = random.uniform() >= 0.3 * (1.0 - u).powi(3);
                let v = random.uniform();
                let second = random.uniform() >= 0.2 * (1.0 - v);
                let says = |confidence, correct| {
                    Some(TierDecision {
                        confidence,
                        correct,
                        in_distribution: true,
                    })
                };
                Decision {
                    tiers: vec![says(u, first), says(v, second)],
                    slice: None,
                    in_scope: true,
                }
            })
            .collect()
    };
    let (draws, risk, delta) = (1000, 0.05, 0.05);
    let mut random = Random::new(12);
    let mut broken = 0;
    let (mut one, mut both) = (0.0, 0.0);
    for _ in 0..draws {
        let (tune, cal) = (world(&mut random, 600), world(&mut random, 600));
        let certifier = Certifier {
            tiers: 2,
            ..plain(&tune, delta)
        };
        let certificate = certifier.certify(&cal, risk);
        both += certificate.n as f64;
        assert_eq!(
            certificate.tiers.iter().map(|t| t.n).sum::<u64>(),
            certificate.n
        );
        one += plain(&tune, delta).certify(&cal, risk).n as f64;
        let Some(thresholds) = certificate.thresholds else {
            continue;
        };
        // Answered: u >= t, or u < t and v >= s. Their errors, integrated.
        let [t, s] = thresholds[..] else { panic!() };
        let first = 0.075 * (1.0 - t).powi(4);
        let second = t * 0.1 * (1.0 - s).powi(2);
        let share = (1.0 - t) + t * (1.0 - s);
        broken += usize::from((first + second) / share > risk);
    }
    assert!(broken as f64 <= allowed(draws, delta), "{broken}");
    assert!(both > one, "the second tier must add coverage");
}

/// Where a later tier knows more, the earlier one leaves to it what it is only fairly sure of.
#[test]
fn an_earlier_tier_leaves_more_to_a_better_one() {
    // The second tier knows how likely it is right; the first knows that with noise, and is surer than it should be.
    let world = |random: &mut Random, n: usize| -> Vec<Decision> {
        (0..n)
            .map(|_| {
                let known = 0.4 + 0.6 * random.uniform();
                let correct = random.uniform() < known;
                let noisy = known + 0.8 * (random.uniform() - 0.5);
                let says = |confidence| {
                    Some(TierDecision {
                        confidence,
                        correct,
                        in_distribution: true,
                    })
                };
                Decision {
                    tiers: vec![
                        says((0.7 + 0.8 * (noisy - 0.7)).clamp(0.0, 1.0)),
                        says(known),
                    ],
                    slice: None,
                    in_scope: true,
                }
            })
            .collect()
    };
    let (draws, risk, delta) = (300, 0.15, 0.05);
    let mut random = Random::new(31);
    // Enough that what is true is known to a tenth of a percent.
    let many = world(&mut random, 300_000);
    let (mut broken, mut stricter, mut one_level, mut answered) = (0, 0, 0, 0);
    for _ in 0..draws {
        let (tune, cal) = (world(&mut random, 1500), world(&mut random, 1500));
        let certifier = Certifier {
            tiers: 2,
            ..plain(&tune, delta)
        };
        let shared = certifier.sequence(cal.len(), risk, 1.0).into_iter();
        let shared = shared.map(|t| certifier.tally(&cal, &[t, t]));
        let excess = |tally: &Tally| certifier.excess(tally, risk);
        one_level += last_rejected(shared, 0.0, excess).map_or(0, |tally| tally.all.n);
        let certificate = certifier.certify(&cal, risk);
        answered += certificate.n;
        let Some(thresholds) = certificate.thresholds else {
            continue;
        };
        stricter += usize::from(thresholds[0] > thresholds[1]);
        let truly = certifier.tally(&many, &thresholds).all;
        broken += usize::from(truly.errors as f64 > risk * truly.n as f64);
    }
    assert!(broken as f64 <= allowed(draws, delta), "{broken}");
    println!(
        "{answered} answered against {one_level}, the first stricter in {stricter} of {draws}"
    );
    assert!(stricter > draws / 2, "{stricter}");
    assert!(
        answered as f64 > 1.01 * one_level as f64,
        "{answered} against {one_level}"
    );
}

/// Two groups: `a` is easy, `b` (one row in five) is wrong far more often at the same confidence.
fn two_groups(random: &mut Random, n: usize) -> Vec<Decision> {
    (0..n)
        .map(|i| {
            let (name, hardness) = if i % 5 == 0 { ("b", 0.8) } else { ("a", 0.1) };
            let u = random.uniform();
            Decision {
                slice: Some(name.to_owned()),
                ..one_tier(u, random.uniform() >= hardness * (1.0 - u).powi(3))
            }
        })
        .collect()
}

#[test]
fn the_average_hides_a_group_and_the_guarantee_per_slice_does_not() {
    let (draws, risk, delta) = (1000, 0.05, 0.05);
    // The group's true risk at a threshold, as above with its own hardness.
    let worst = |t: f64| 0.8 / 4.0 * (1.0 - t).powi(3);
    let mut random = Random::new(13);
    let mut broken = [0, 0];
    for _ in 0..draws {
        let (tune, cal) = (two_groups(&mut random, 1500), two_groups(&mut random, 1500));
        for (count, per_slice) in broken.iter_mut().zip([false, true]) {
            let certifier = Certifier {
                per_slice,
                ..plain(&tune, delta)
            };
            let certificate = certifier.certify(&cal, risk);
            assert_eq!(certificate.thresholds.is_some(), certificate.n > 0);
            if let Some(t) = certificate.thresholds {
                *count += usize::from(worst(t[0]) > risk);
            }
        }
    }
    assert!(broken[0] > draws / 2, "on average: {broken:?}");
    assert!(broken[1] as f64 <= allowed(draws, delta), "{broken:?}");
}

/// Rows in scope as in [`draw`], and others that are out of scope: of those, one in five is as confident as a row in scope, and the
/// rest is told by the out-of-distribution score.
fn with_strays(random: &mut Random, inside: usize, outside: usize) -> Vec<Decision> {
    let mut rows = draw(random, inside);
    for _ in 0..outside {
        let mut row = one_tier(random.uniform(), false);
        row.in_scope = false;
        row.tiers[0].as_mut().unwrap().in_distribution = random.uniform() < 0.2;
        rows.push(row);
    }
    rows
}

#[test]
fn a_promise_for_a_share_holds_for_every_share_up_to_it() {
    let (draws, risk, delta) = (300, 0.05, 0.05);
    // In scope 1 - t is answered and wrong as in `true_risk`, out of scope a fifth of as many, and all of them wrong.
    let wrong = |t: f64, share: f64| {
        let (inside, outside) = ((1.0 - share) * (1.0 - t), share * 0.2 * (1.0 - t));
        (inside * true_risk(t) + outside) / (inside + outside)
    };
    let run = |certified: Option<f64>, live: f64| {
        let mut random = Random::new(17);
        let (mut broken, mut coverage) = (0, 0.0);
        for _ in 0..draws {
            let (tune, cal) = (
                with_strays(&mut random, 1000, 100),
                with_strays(&mut random, 2000, 200),
            );
            let certifier = Certifier {
                out_of_scope_share: certified,
                ..plain(&tune, delta)
            };
            if let Some(t) = certifier.certify(&cal, risk).thresholds {
                broken += usize::from(wrong(t[0], live) > risk);
                coverage += 1.0 - t[0];
            }
        }
        (broken, coverage / draws as f64)
    };
    let mut last = 1.0;
    for share in [0.02, 0.1] {
        for live in [0.0, share] {
            let (broken, coverage) = run(Some(share), live);
            println!(
                "certified for {share}, live {live}: broken in {broken} of {draws}, coverage {coverage:.2}"
            );
            assert!(
                broken as f64 <= allowed(draws, delta),
                "{share} {live}: {broken}"
            );
        }
        let (_, coverage) = run(Some(share), share);
        assert!(0.05 < coverage && coverage < last, "{share}: {coverage}");
        last = coverage;
    }
    // Without a share, the promise is for the share of the rows, 9 %, and no other.
    let (broken, _) = run(None, 0.2);
    assert!(broken > draws / 2, "{broken}");
}

#[test]
fn a_share_without_rows_that_show_it_certifies_nothing() {
    let mut random = Random::new(18);
    let (tune, cal) = (draw(&mut random, 1000), draw(&mut random, 2000));
    let certifier = Certifier {
        out_of_scope_share: Some(0.1),
        ..plain(&tune, 0.05)
    };
    assert_eq!(certifier.certify(&cal, 0.05).thresholds, None);
}

#[test]
fn a_slice_too_small_to_certify_certifies_nothing() {
    let mut random = Random::new(14);
    let mut rows = draw(&mut random, 2000);
    for (i, row) in rows.iter_mut().enumerate() {
        row.slice = Some(if i < 40 { "small" } else { "large" }.to_owned());
    }
    let certifier = Certifier {
        per_slice: true,
        ..plain(&rows, 0.05)
    };
    // 40 rows cannot support 5 % (59 are needed without an error), but 20 %.
    assert_eq!(certifier.certify(&rows, 0.05).thresholds, None);
    assert!(certifier.certify(&rows, 0.2).thresholds.is_some());
}

#[test]
fn out_of_scope_rows_and_the_cut_count() {
    let mut random = Random::new(15);
    let mut rows = draw(&mut random, 1000);
    let free = plain(&rows, 0.05).certify(&rows, 0.05);
    // One row in ten is out of scope, with any confidence: it is wrong wherever it is answered.
    for row in rows.iter_mut().step_by(10) {
        let says = row.tiers[0].as_mut().unwrap();
        says.correct = false;
    }
    let blind = plain(&rows, 0.05).certify(&rows, 0.05);
    assert!(blind.n < free.n / 2, "{} against {}", blind.n, free.n);
    // A cut that finds nine in ten of them gives most of the coverage back.
    for (i, row) in rows.iter_mut().step_by(10).enumerate() {
        row.tiers[0].as_mut().unwrap().in_distribution = i % 10 == 0;
    }
    let cut = plain(&rows, 0.05).certify(&rows, 0.05);
    assert!(cut.n > free.n / 2, "{} against {}", cut.n, free.n);
}

#[test]
fn nothing_to_go_by_certifies_nothing() {
    for rows in [vec![], vec![one_tier(0.9, true); 10]] {
        let certificate = plain(&rows, 0.05).certify(&rows, 0.05);
        assert_eq!((certificate.thresholds, certificate.n), (None, 0));
    }
    // The same confidence everywhere is one candidate.
    let rows = vec![one_tier(0.9, true); 100];
    let certificate = plain(&rows, 0.05).certify(&rows, 0.05);
    assert_eq!(certificate.thresholds, Some(vec![0.9]));
}

#[test]
fn the_default_risk_is_chosen_on_tune() {
    let mut random = Random::new(16);
    let rows = draw(&mut random, 1000);
    let risks = [0.01, 0.02, 0.05, 0.1, 0.2];
    assert_eq!(choose_default(&plain(&rows, 0.05), &risks, 0.05), 0.05);
    // 40 rows can support 10 % at best.
    let few: Vec<Decision> = (0..40).map(|i| one_tier(f64::from(i), true)).collect();
    assert_eq!(choose_default(&plain(&few, 0.05), &risks, 0.05), 0.1);
    assert_eq!(choose_default(&plain(&[], 0.05), &risks, 0.05), 0.05);
}
