use super::*;
use crate::testing::Random;

fn fit(samples: &Samples, options: &Options) -> Trained {
    let groups: Vec<usize> = (0..samples.labels.len()).collect();
    train(samples, &groups, options, |_| ()).unwrap()
}

fn accuracy(model: &Linear, samples: &Samples) -> f64 {
    let rows: Vec<usize> = (0..samples.labels.len()).collect();
    judge(model, samples, &rows).1
}

/// Three clouds in five dimensions, the last two of them noise, one far from zero.
fn clouds(n: usize) -> (Vec<f32>, Vec<u32>) {
    let mut random = Random::new(5);
    let mut dense = Vec::new();
    let mut labels = Vec::new();
    for i in 0..n {
        let label = i % 3;
        for column in 0..5 {
            let centre = if column == label { 1.5 } else { 0.0 };
            let shift = if column == 4 { 100.0 } else { 0.0 };
            let noise: f64 = (0..12).map(|_| random.uniform()).sum::<f64>() - 6.0;
            dense.push((centre + shift + noise) as f32);
        }
        labels.push(label as u32);
    }
    (dense, labels)
}

fn of_clouds<'a>(dense: &'a [f32], labels: &'a [u32]) -> Samples<'a> {
    Samples {
        dense,
        width: 5,
        sparse: &[],
        buckets: 0,
        labels,
        classes: 3,
    }
}

#[test]
fn clouds_are_told_apart_and_the_same_bits_come_out_again() {
    let (dense, labels) = clouds(900);
    let samples = of_clouds(&dense, &labels);
    let trained = fit(&samples, &Options::default());
    assert!(accuracy(&trained.model, &samples) > 0.75);
    assert!(trained.converged && trained.tried.len() >= 3);
    assert_eq!(trained, fit(&samples, &Options::default()));
    // The validation rows are others with another seed.
    let other = fit(
        &samples,
        &Options {
            seed: 1,
            ..Options::default()
        },
    );
    assert_ne!(trained.tried, other.tried);
}

#[test]
fn at_the_optimum_the_penalty_balances_the_loss() {
    // Known in closed form: one feature of +1 and -1, two classes, always right. With weights
    // (-w, w), the loss is ln(1 + e^-2w) + l2 w^2, so 1 / (1 + e^2w) = l2 w.
    let dense: Vec<f32> = (0..100)
        .map(|i| if i % 2 == 0 { 1.0 } else { -1.0 })
        .collect();
    let labels: Vec<u32> = (0..100).map(|i| u32::from(i % 2 == 0)).collect();
    let samples = Samples {
        dense: &dense,
        width: 1,
        sparse: &[],
        buckets: 0,
        labels: &labels,
        classes: 2,
    };
    let options = Options {
        l2: vec![0.05],
        ..Options::default()
    };
    let model = fit(&samples, &options).model;
    let w = f64::from(model.weights[1]);
    assert!((f64::from(model.weights[0]) + w).abs() < 1e-3);
    let slope = 1.0 / (1.0 + (2.0 * w).exp()) - 0.05 * w;
    assert!(slope.abs() < 1e-3, "{w}: {slope}");
}

#[test]
fn features_that_are_moved_and_stretched_change_nothing() {
    let (dense, labels) = clouds(300);
    let moved: Vec<f32> = dense.iter().map(|v| 7.0 * v - 3.0).collect();
    let (a, b) = (of_clouds(&dense, &labels), of_clouds(&moved, &labels));
    let options = Options {
        l2: vec![1e-2],
        ..Options::default()
    };
    let (of_a, of_b) = (fit(&a, &options).model, fit(&b, &options).model);
    for row in 0..300 {
        let logits =
            |model: &Linear, dense: &[f32]| model.logits(&dense[row * 5..row * 5 + 5], &[]);
        let pairs = logits(&of_a, &dense).into_iter().zip(logits(&of_b, &moved));
        for (x, y) in pairs {
            assert!((x - y).abs() < 2e-2, "{x} {y}");
        }
    }
}

#[test]
fn sparse_features_alone_and_with_dense_ones_are_learnt() {
    let (dense, labels) = clouds(300);
    // Bucket 7 + label gives it away, among noise.
    let mut random = Random::new(6);
    let sparse: Vec<Vec<u32>> = labels
        .iter()
        .map(|&label| vec![(random.next() % 7) as u32, 7 + label])
        .collect();
    let with = |width: usize, dense| Samples {
        dense,
        width,
        sparse: &sparse,
        buckets: 10,
        labels: &labels,
        classes: 3,
    };
    for samples in [with(0, &[][..]), with(5, &dense[..])] {
        let trained = fit(&samples, &Options::default());
        assert_eq!(accuracy(&trained.model, &samples), 1.0);
    }
}

#[test]
fn balancing_finds_more_of_a_rare_class() {
    let (dense, labels) = clouds(900);
    // Nine in ten rows of class 2 are left out.
    let remaining: Vec<usize> = (0..900)
        .filter(|&i| labels[i] != 2 || i % 30 == 2)
        .collect();
    let dense: Vec<f32> = remaining
        .iter()
        .flat_map(|&i| dense[i * 5..i * 5 + 5].to_vec())
        .collect();
    let labels: Vec<u32> = remaining.iter().map(|&i| labels[i]).collect();
    let samples = of_clouds(&dense, &labels);
    let rare: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == 2).collect();
    let recall = |balanced| {
        let options = Options {
            l2: vec![1e-2],
            balanced,
            ..Options::default()
        };
        judge(&fit(&samples, &options).model, &samples, &rare).1
    };
    assert!(recall(true) > recall(false) + 0.1);
}

#[test]
fn groups_stay_on_one_side() {
    let groups: Vec<usize> = (0..100).map(|i| i / 10).collect();
    let sides = held_out(&groups, &Options::default());
    for (row, side) in sides.iter().enumerate() {
        assert_eq!(*side, sides[row / 10 * 10]);
    }
    assert_eq!(sides.iter().filter(|side| **side).count(), 20);
}

#[test]
fn what_cannot_be_learnt_from_is_refused() {
    let (dense, labels) = clouds(30);
    let groups: Vec<usize> = (0..30).collect();
    let samples = of_clouds(&dense, &labels);
    let code = |samples: &Samples, options: &Options| {
        train(samples, &groups, options, |_| ()).unwrap_err().code()
    };
    let defaults = Options::default();
    let same = [0; 30];
    assert_eq!(
        code(&of_clouds(&dense, &same), &defaults),
        Code::InvalidData
    );
    let mut broken = dense.clone();
    broken[12] = f32::NAN;
    let error = train(&of_clouds(&broken, &labels), &groups, &defaults, |_| ()).unwrap_err();
    assert!(error.to_string().contains("row 3"), "{error}");
    assert_eq!(
        code(&of_clouds(&dense[5..], &labels), &defaults),
        Code::InvalidData
    );
    let few = Samples {
        classes: 2,
        ..samples
    };
    assert_eq!(code(&few, &defaults), Code::InvalidData);
    for l2 in [vec![], vec![0.0], vec![f64::NAN]] {
        let options = Options {
            l2,
            ..Options::default()
        };
        assert_eq!(code(&samples, &options), Code::InvalidOption);
    }
}

/// Words that nearly all rows have would move every score as a bias does, and hide what the others tell: at any penalty, and
/// wherever the fit begins.
#[test]
fn words_that_most_rows_have_do_not_end_the_fit() {
    let mut random = Random::new(21);
    let (mut sparse, mut labels) = (Vec::new(), Vec::new());
    for row in 0..800_u32 {
        let label = u32::from(row % 4 == 0);
        let mut present: Vec<u32> = (0..300).filter(|_| random.uniform() < 0.9).collect();
        present.extend((0..40).map(|_| 300 + 2000 * label + (random.next() % 2000) as u32));
        present.sort_unstable();
        present.dedup();
        sparse.push(present);
        labels.push(label);
    }
    let samples = Samples {
        dense: &[],
        width: 0,
        sparse: &sparse,
        buckets: 8192,
        labels: &labels,
        classes: 2,
    };
    let rows: Vec<usize> = (0..labels.len()).collect();
    let objective = Objective::new(&samples, &rows, false);
    for l2 in [1e-2, 3e-4, 1e-5] {
        for start in [objective.zero(), objective.start()] {
            let stop = Stop {
                gain: CHOOSING,
                iterations: 1000,
            };
            let found = solver::minimise(&objective.with_l2(l2), start, stop, |_| ());
            let model = objective.unscaled(&found.at);
            let right = accuracy(&model, &samples);
            assert!(found.converged && right > 0.95, "{l2}: {right}");
        }
    }
}

/// Rows of many words, each of a label's own or of all: enough for several blocks of rows and of parameters.
fn many() -> (Vec<f32>, Vec<Vec<u32>>, Vec<u32>) {
    let mut random = Random::new(11);
    let (mut dense, mut sparse, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..1500_u32 {
        let label = row % 15;
        let mut present: Vec<u32> = (0..8)
            .map(|at| {
                let word = (random.next() % 40) as u32;
                if at < 3 {
                    1000 + 40 * label + word
                } else {
                    20 * word + at
                }
            })
            .collect();
        present.push(5000 + row);
        present.sort_unstable();
        present.dedup();
        sparse.push(present);
        dense.extend((0..4).map(|at| {
            let own = f64::from(u8::from(label % 4 == at));
            (own + random.uniform()) as f32
        }));
        labels.push(label);
    }
    (dense, sparse, labels)
}

fn of_many<'a>(dense: &'a [f32], sparse: &'a [Vec<u32>], labels: &'a [u32]) -> Samples<'a> {
    Samples {
        dense,
        width: 4,
        sparse,
        buckets: 8192,
        labels,
        classes: 15,
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (dense, sparse, labels) = many();
    let samples = of_many(&dense, &sparse, &labels);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build()
            .unwrap()
            .install(|| fit(&samples, &Options::default()))
    };
    let one = on(1);
    assert!(one.converged && accuracy(&one.model, &samples) > 0.95);
    for threads in [2, 5] {
        assert!(one == on(threads), "{threads} threads");
    }
}

#[test]
fn the_end_is_the_minimum_of_the_penalised_loss() {
    let (dense, sparse, labels) = many();
    let samples = of_many(&dense, &sparse, &labels);
    let rows: Vec<usize> = (0..labels.len()).collect();
    let objective = Objective::new(&samples, &rows, false);
    for l2 in [1e-1, 1e-3, 1e-5] {
        let penalised = objective.with_l2(l2);
        let stop = |gain| Stop {
            gain,
            iterations: 2000,
        };
        let cost = |at: &[f32]| {
            use solver::Problem;
            let scores = penalised.scores(at);
            let (mut slopes, along) = (scores.clone(), vec![0.0; scores.len()]);
            let (loss, _) = penalised.loss(&scores, &along, 0.0, &mut slopes);
            let weights = &at[..at.len() - 15];
            let squares: f64 = weights.iter().map(|w| f64::from(*w).powi(2)).sum();
            loss + l2 / 2.0 * squares
        };
        let found = solver::minimise(&penalised, objective.zero(), stop(FINAL), |_| ());
        assert!(found.converged);
        // Ten times as exact, and from elsewhere: the loss is convex, so there is one minimum.
        let mut random = Random::new(3);
        let elsewhere = objective
            .zero()
            .iter()
            .map(|_| random.uniform() as f32)
            .collect();
        let other = solver::minimise(&penalised, elsewhere, stop(FINAL / 10.0), |_| ());
        let (found, other) = (cost(&found.at), cost(&other.at));
        assert!(
            (found - other).abs() < 3e-4 * other,
            "{l2}: {found} {other}"
        );
    }
}
