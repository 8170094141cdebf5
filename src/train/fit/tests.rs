use super::*;
use crate::task::Input;
use crate::testing::Random;

const WIDTH: usize = 24;

/// Two clouds whose middles are so far apart in a quarter of the features; labels are drawn by the side a row is on, and some by lot.
fn clouds(random: &mut Random, rows: usize, apart: f64, by_lot: f64) -> (Vec<f32>, Vec<u32>) {
    let mut normal = || (0..12).map(|_| random.uniform()).sum::<f64>() - 6.0;
    let mut vectors = Vec::new();
    let mut labels = Vec::new();
    for row in 0..rows {
        let side = row % 2;
        let middle = if side == 0 { -apart } else { apart };
        vectors.extend((0..WIDTH).map(|at| {
            let noise = normal();
            (if at < 6 { middle + noise } else { noise }) as f32
        }));
        labels.push(side as u32);
    }
    for label in &mut labels {
        if random.uniform() < by_lot {
            *label = u32::from(random.uniform() < 0.5);
        }
    }
    (vectors, labels)
}

fn fit(vectors: &[f32], labels: &[u32], seed: u64) -> TaskFit {
    let groups: Vec<usize> = (0..labels.len()).collect();
    let sizes = vec![InputSize::of(Input::Text("a text")); labels.len()];
    let rows = Fitted {
        vectors,
        width: WIDTH,
        labels,
        classes: 2,
        groups: &groups,
        sizes: &sizes,
        risks: &[0.05, 0.1, 0.2],
        delta: 0.05,
    };
    let options = Options {
        seed,
        ..Options::default()
    };
    fit_task(&rows, &options).unwrap()
}

#[test]
fn few_rows_are_judged_one_by_one_and_told_how_many_it_would_take() {
    let mut random = Random::new(5);
    let (vectors, labels) = clouds(&mut random, 12, 3.0, 0.0);
    let fitted = fit(&vectors, &labels, 0);
    assert_eq!((fitted.trained_on, fitted.certified_on), (12, 0));
    assert_eq!(fitted.folds, 12);
    assert!(fitted.right >= 10, "{}", fitted.right);
    for (certificate, needed) in fitted.certificates.iter().zip(&fitted.needed) {
        assert_eq!(certificate.thresholds, None);
        // Of 59, 29 and 14 answers without an error that are 40 % of all.
        let least = (smallest_n(0, certificate.risk, 0.05) as f64 / 0.4).ceil() as u64;
        assert!(needed.unwrap() >= least, "{needed:?}");
    }
    assert!(fitted.reference.is_none());
}

#[test]
fn labels_by_lot_are_half_right_and_certified_for_nothing() {
    let mut random = Random::new(6);
    for rows in [30, 300] {
        let (vectors, labels) = clouds(&mut random, rows, 0.0, 1.0);
        let fitted = fit(&vectors, &labels, 0);
        let share = fitted.right as f64 / fitted.trained_on as f64;
        assert!(share < 0.8, "{share}");
        let certified = |c: &Certificate| c.thresholds.is_some();
        assert!(!fitted.certificates.iter().any(certified));
        assert!(fitted.needed[0].is_none_or(|rows| rows > 300));
    }
}

/// The promise itself: over many samples, certified rules are wrong more often than they promise in no more than the share `delta`
/// of the cases.
#[test]
fn what_is_certified_holds_for_rows_that_nobody_has_seen() {
    let mut random = Random::new(7);
    let (fresh, truth) = clouds(&mut random, 4000, 0.4, 0.1);
    let (mut broken, mut certified) = (0, 0);
    for seed in 0..60 {
        let (vectors, labels) = clouds(&mut random, 200, 0.4, 0.1);
        let fitted = fit(&vectors, &labels, seed);
        assert_eq!(fitted.trained_on + fitted.certified_on, 200);
        assert!(fitted.certified_on.abs_diff(80) < 5);
        let shape = Shape::Row(WIDTH);
        let head = Model::load("head", fitted.head, Element::F32, shape).unwrap();
        let certificate = &fitted.certificates[2];
        let Some(thresholds) = &certificate.thresholds else {
            continue;
        };
        certified += 1;
        let (mut answered, mut wrong) = (0, 0);
        for (row, truth) in fresh.chunks(WIDTH).zip(&truth) {
            let values = head.run(Tensor::F32(row.to_vec())).unwrap();
            let scores = logits(&values, ModelOutput::Logits);
            let said = crate::calibrate::calibrate(&scores, fitted.temperature);
            if said.confidence >= thresholds[0] {
                answered += 1;
                wrong += usize::from(said.label() != *truth as usize);
            }
        }
        broken += usize::from(wrong as f64 > 0.2 * f64::from(answered));
    }
    // Such rows are hard: about a fifth of the samples certify anything.
    assert!(certified > 5, "{certified}");
    // Three standard deviations above 5 % of 60.
    assert!(broken <= 8, "{broken} of {certified}");
}

#[test]
fn the_same_rows_give_the_same_task_and_copies_stay_on_one_side() {
    let mut random = Random::new(9);
    let (vectors, labels) = clouds(&mut random, 100, 1.5, 0.0);
    let (one, two) = (fit(&vectors, &labels, 0), fit(&vectors, &labels, 0));
    assert_eq!(one.head, two.head);
    assert_eq!(one.certificates, two.certificates);
    let sizes = vec![InputSize::of(Input::Text("a text")); 100];
    let pairs: Vec<usize> = (0..100).map(|row| row / 2).collect();
    let rows = Fitted {
        vectors: &vectors,
        width: WIDTH,
        labels: &labels,
        classes: 2,
        groups: &pairs,
        sizes: &sizes,
        risks: &[0.2],
        delta: 0.05,
    };
    let (training, certifying) = parts(&rows, 3);
    assert_eq!(training.len() + certifying.len(), 100);
    let of = |rows: &[usize]| -> std::collections::BTreeSet<usize> {
        rows.iter().map(|row| row / 2).collect()
    };
    assert!(of(&training).is_disjoint(&of(&certifying)));
}
