use super::*;
use crate::evaluate::Prediction;
use crate::testing::Random;

/// Rows of several tiers with few different confidences, so that many are tied; some are out of scope, refused by a tier, or out
/// of distribution.
fn drawn(random: &mut Random, tiers: usize) -> Vec<Observation> {
    let below = |random: &mut Random, n: usize| (random.uniform() * n as f64) as usize;
    let rows = 1 + below(random, 40);
    let steps = 2 + below(random, 30);
    let prediction = |random: &mut Random, truth: Option<usize>| {
        let label = match truth {
            Some(truth) if random.uniform() < 0.7 => truth,
            _ => below(random, 3),
        };
        let mut probabilities = vec![0.1; 3];
        probabilities[label] = 0.8;
        Prediction {
            probabilities,
            confidence: below(random, steps) as f64 / steps as f64,
            ood: None,
            in_distribution: random.uniform() < 0.9,
            milliseconds: 1.0,
        }
    };
    let row = |random: &mut Random| {
        let truth = (random.uniform() < 0.85).then(|| below(random, 3));
        Observation {
            truth,
            slice: None,
            tiers: (0..tiers)
                .map(|_| (random.uniform() < 0.95).then(|| prediction(random, truth)))
                .collect(),
            remote: None,
        }
    };
    (0..rows).map(|_| row(random)).collect()
}

/// What a shared threshold answers, and how much of it wrongly, by the accept rule itself.
fn delivered(rows: &[Observation], threshold: f64) -> (u64, u64) {
    let (mut answered, mut wrong) = (0, 0);
    for row in rows {
        if let Some((_, p)) = row.answered(&vec![threshold; row.tiers.len()]) {
            answered += 1;
            wrong += u64::from(!row.is_right(p.label()));
        }
    }
    (answered, wrong)
}

fn confidences(rows: &[Observation]) -> Vec<f64> {
    let said = rows.iter().flat_map(|row| row.tiers.iter().flatten());
    said.map(|p| p.confidence).collect()
}

#[test]
fn every_step_is_what_the_accept_rule_delivers() {
    let mut random = Random::new(1);
    for tiers in [1, 2, 3].repeat(100) {
        let rows = drawn(&mut random, tiers);
        for step in Sweep::of(&rows).steps {
            assert_eq!(
                (step.answered, step.wrong),
                delivered(&rows, step.threshold)
            );
        }
    }
}

#[test]
fn no_threshold_answers_more_within_the_risk_than_the_oracle() {
    let mut random = Random::new(2);
    let mut found = 0;
    for tiers in [1, 2, 3].repeat(100) {
        let rows = drawn(&mut random, tiers);
        let sweep = Sweep::of(&rows);
        for risk in [0.0, 0.1, 0.25, 0.5, 1.0] {
            let tried = confidences(&rows).into_iter().map(|t| delivered(&rows, t));
            let kept = tried.filter(|&(n, wrong)| n > 0 && wrong as f64 / n as f64 <= risk);
            let best = kept.map(|(n, _)| n).max();
            let oracle = sweep.oracle(risk);
            let share = best.map(|n| Share::of(n, rows.len() as u64));
            assert_eq!(oracle.map(|o| o.coverage), share);
            if let Some(oracle) = oracle {
                let (n, wrong) = delivered(&rows, oracle.threshold);
                assert_eq!(oracle.error, Share::of(wrong, n));
                assert!(oracle.error.value <= risk);
                found += 1;
            }
        }
    }
    assert!(found > 900, "{found}");
}

/// Of one tier, the oracle's coverage is the largest prefix in order of falling confidence, ties taken whole.
#[test]
fn of_one_tier_the_oracle_takes_a_prefix() {
    let mut random = Random::new(3);
    for _ in 0..200 {
        let rows = drawn(&mut random, 1);
        let accepted = rows.iter().filter_map(|row| {
            let p = row.tiers[0].as_ref().filter(|p| p.in_distribution)?;
            Some((p.confidence, !row.is_right(p.label())))
        });
        let mut accepted: Vec<(f64, bool)> = accepted.collect();
        accepted.sort_by(|a, b| b.0.total_cmp(&a.0));
        let within = |end: &usize| {
            let whole = *end == accepted.len() || accepted[*end].0 < accepted[*end - 1].0;
            let wrong = accepted[..*end].iter().filter(|(_, wrong)| *wrong).count();
            whole && wrong as f64 <= 0.2 * *end as f64
        };
        let longest = (1..=accepted.len()).rev().find(within).unwrap_or(0);
        let oracle = Sweep::of(&rows).oracle(0.2);
        let coverage = oracle.map_or(0.0, |oracle| oracle.coverage.value);
        assert_eq!(coverage, longest as f64 / rows.len() as f64);
    }
}

#[test]
fn the_curve_has_the_points_that_are_asked_for_and_none_is_below_the_ideal_order() {
    let mut random = Random::new(4);
    for tiers in [1, 2, 3].repeat(50) {
        let rows = drawn(&mut random, tiers);
        let sweep = Sweep::of(&rows);
        let asked: Vec<f64> = confidences(&rows).into_iter().take(3).collect();
        let curve = sweep.curve(asked.iter().copied());
        assert!(curve.len() <= POINTS + 4);
        for threshold in asked {
            let (n, wrong) = delivered(&rows, threshold);
            let point = sweep.point(n as f64, wrong as f64);
            assert!(n == 0 || curve.contains(&point), "{point:?}");
        }
        let rising = |points: &[SelectivePoint]| points.is_sorted_by_key(|p| p.coverage);
        let ideal = sweep.ideal();
        assert!(rising(&curve) && rising(&ideal));
        for step in &sweep.steps {
            assert!(step.wrong as i64 >= step.answered as i64 - sweep.answerable as i64);
        }
        // Both end where every row is answered that a tier takes.
        let ends = curve.last().zip(ideal.last());
        assert!(ends.is_none_or(|(c, i)| c.coverage == i.coverage && c.risk >= i.risk));
    }
}

#[test]
fn many_rows_make_few_points() {
    let mut random = Random::new(5);
    let rows: Vec<Observation> = (0..200).flat_map(|_| drawn(&mut random, 2)).collect();
    let sweep = Sweep::of(&rows);
    assert!(sweep.curve([]).len() <= POINTS + 1 && sweep.ideal().len() <= IDEAL_POINTS + 2);
}

#[test]
fn no_rows_make_no_curve() {
    let sweep = Sweep::of(&[]);
    assert!(sweep.curve([0.5]).is_empty() && sweep.ideal().is_empty());
    assert_eq!(sweep.oracle(0.5), None);
}
