use super::*;
use crate::task::Input;
use crate::testing::Random;

/// Rows of two kinds with the same probabilities: long ones are right as often as their probability says, short ones and those
/// of label 1 less often.
fn rows(count: usize, kinds: bool) -> Vec<FitRow> {
    let mut random = Random::new(3);
    let mut rows = Vec::new();
    for group in 0..count {
        let p = 0.5 + 0.49 * random.uniform();
        let short = random.uniform() < 0.4;
        let label = usize::from(random.uniform() < 0.3);
        let penalty = if kinds {
            1.5 * f64::from(u8::from(short)) + 1.5 * label as f64
        } else {
            0.0
        };
        let truth = sigmoid(logit(p) - penalty);
        let text = if short {
            "one two"
        } else {
            "one two three four five six seven eight"
        };
        let mut probabilities = vec![1.0 - p; 2];
        probabilities[label] = p;
        rows.push(FitRow {
            probabilities,
            label,
            correct: random.uniform() < truth,
            size: InputSize::of(Input::Text(text)),
            group,
        });
    }
    rows
}

fn taken(rows: &[FitRow]) -> (Correctness, Vec<f64>) {
    match fit_correctness(rows, 2, true) {
        Fit::Taken(head, scores) => (head, scores),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_head_tells_kinds_of_input_apart_and_stays_calibrated() {
    let rows = rows(20_000, true);
    let (head, scores) = taken(&rows);
    let figures = head.out_of_fold.unwrap();
    assert!(figures.head < 0.85 * figures.plain, "{figures:?}");
    assert_eq!(figures.rows, 20_000);
    // Of those with a score about s, about the share s is right.
    for bin in 3..10 {
        let low = f64::from(bin) / 10.0;
        let of_bin = rows.iter().zip(&scores);
        let of_bin: Vec<bool> = of_bin
            .filter(|(_, score)| (low..low + 0.1).contains(*score))
            .map(|(row, _)| row.correct)
            .collect();
        if of_bin.len() < 500 {
            continue;
        }
        let right = of_bin.iter().filter(|right| **right).count() as f64 / of_bin.len() as f64;
        assert!((right - low - 0.05).abs() < 0.05, "{low}: {right}");
    }
    // And it says why.
    let (_, doubts) = head.judge(&[0.2, 0.8], 1, InputSize::of(Input::Text("one two")));
    assert!(
        doubts.contains(&crate::task::Doubt::ShortInput),
        "{doubts:?}"
    );
    assert!(
        doubts.contains(&crate::task::Doubt::ConfusedLabel),
        "{doubts:?}"
    );
}

#[test]
fn rows_of_one_kind_get_no_head() {
    let fit = fit_correctness(&rows(5000, false), 2, true);
    assert!(matches!(fit, Fit::NoBetter(_)), "{fit:?}");
}

#[test]
fn too_few_of_a_kind_get_no_head() {
    let all = rows(5000, true);
    assert_eq!(fit_correctness(&[], 2, true), Fit::TooFew(0));
    assert_eq!(fit_correctness(&all[..30], 2, true), Fit::TooFew(30));
    for correct in [true, false] {
        let rows = all.iter().cloned().map(|row| FitRow { correct, ..row });
        assert_eq!(
            fit_correctness(&rows.collect::<Vec<_>>(), 2, true),
            Fit::TooFew(5000)
        );
    }
}

#[test]
fn constant_scores_and_one_label_make_no_number_that_is_none() {
    let mut rows = rows(2000, true);
    for row in &mut rows {
        row.probabilities = vec![1.0, 0.0];
        row.label = 0;
    }
    let folds: Vec<&FitRow> = rows.iter().collect();
    let head = fitted(&folds, &features(true), 2, Some(3.0));
    let numbers = head.terms.iter().flat_map(|term| [term.weight, term.mean]);
    let labels = head.labels.iter().flat_map(|term| [term.0, term.1]);
    assert!(
        numbers.chain(labels).chain([head.bias]).all(f64::is_finite),
        "{head:?}"
    );
}

#[test]
fn the_fit_is_the_minimum_of_the_penalised_loss() {
    let rows = rows(3000, true);
    let rows: Vec<&FitRow> = rows.iter().collect();
    let design = Design::of(&rows, &features(true));
    let (dense, blocks) = design.solve(2, Some(10.0));
    let blocks = blocks.unwrap();
    let least = design.loss(&dense, Some(&blocks), Some(10.0));
    for at in 0..dense.len() {
        for step in [-1e-2, 1e-2] {
            let mut moved = dense.clone();
            moved[at] += step;
            assert!(
                design.loss(&moved, Some(&blocks), Some(10.0)) > least,
                "{at} {step}"
            );
        }
    }
    for label in 0..2 {
        for (at, step) in [(0, 1e-2), (0, -1e-2), (1, 1e-2), (1, -1e-2)] {
            let mut moved = blocks.clone();
            moved[label][at] += step;
            assert!(
                design.loss(&dense, Some(&moved), Some(10.0)) > least,
                "{label} {at} {step}"
            );
        }
    }
}

#[test]
fn groups_are_not_torn_apart_and_parts_are_about_the_same_size() {
    let mut sizes = [0; FOLDS];
    (0..10_000).for_each(|group| sizes[fold(group)] += 1);
    assert!(
        sizes.iter().all(|size| (1800..2200).contains(size)),
        "{sizes:?}"
    );
}
