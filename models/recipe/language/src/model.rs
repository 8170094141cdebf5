//! The model and its training: the sum of a text's rows, one layer of weights for each kind of script, softmax. Adagrad in a
//! fixed order (Duchi, Hazan and Singer 2011), with one step size a row.

use rayon::prelude::*;
use smallfirst::text::SCRIPTS;

use crate::corpus::{Corpus, Feature};
use crate::quantise;
use crate::random::Random;

/// Numbers a row.
pub const DIMENSION: usize = 24;

/// The most labels, padded for vector instructions.
const WIDE: usize = 80;

/// The sum of rows is divided by their number to this power.
pub const DAMPING: f32 = 0.5;

/// Examples a step.
const BATCH: usize = 1024;

/// Rows lie in shards, each updated by one thread.
const SHARDS: usize = 2;

/// Examples are drawn in so many parts, by a generator each.
const PARTS: usize = 4;

/// The rate at the end of a stage, in parts of that at the beginning.
const DECAY: f32 = 0.1;

/// What is left of the sums of squares when a stage begins, so that the rows move again.
const LOOSENED: f32 = 0.3;

type Row = [f32; DIMENSION];
type Vector = [Row; SCRIPTS];

/// How long a stage is, and how large its steps.
pub struct Schedule {
    examples: usize,
    rate: f32,
}

impl Schedule {
    pub const fn new(examples: usize, rate: f32) -> Self {
        Schedule { examples, rate }
    }
}

#[derive(Default)]
struct Shard {
    /// What is computed with: the exact rows, or what rounding makes of them.
    rows: Vec<Row>,
    exact: Vec<Row>,
    squares: Vec<f32>,
    /// What the loss would miss of each row: the sum of squared first-order changes.
    missed: Vec<f32>,
}

/// The model.
pub struct Model {
    shards: [Shard; SHARDS],
    /// For each number of a text's vector, the weights of all labels.
    output: Vec<[f32; WIDE]>,
    output_squares: Vec<[f32; WIDE]>,
    bias: [f32; WIDE],
    labels: usize,
    bits: u32,
}

/// What some examples ask for.
struct Gradients {
    features: Vec<Feature>,
    /// Where the features of each example end, and the gradient of its vector.
    examples: Vec<(u32, Vector)>,
    output: Vec<[f32; WIDE]>,
    bias: [f32; WIDE],
    loss: f64,
}

impl Model {
    /// With small random numbers.
    pub fn new(rows: usize, labels: usize, random: &mut Random) -> Self {
        assert!(labels <= WIDE, "{labels} labels, and room for {WIDE}");
        let mut shards: [Shard; SHARDS] = Default::default();
        for row in 0..rows {
            let numbers = std::array::from_fn(|_| (random.uniform() as f32 - 0.5) * 0.2);
            shards[row % SHARDS].exact.push(numbers);
        }
        for shard in &mut shards {
            shard.rows.clone_from(&shard.exact);
            shard.squares = vec![0.0; shard.rows.len()];
            shard.missed = vec![0.0; shard.rows.len()];
        }
        let mut output = vec![[0.0; WIDE]; SCRIPTS * DIMENSION];
        for weight in output.iter_mut().flat_map(|line| &mut line[..labels]) {
            *weight = (random.uniform() as f32 - 0.5) * 0.5;
        }
        let mut bias = [0.0; WIDE];
        // No label.
        bias[labels..].fill(-1e4);
        Model {
            shards,
            output_squares: vec![[0.0; WIDE]; SCRIPTS * DIMENSION],
            output,
            bias,
            labels,
            bits: 0,
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.shards.iter().map(|shard| shard.rows.len()).sum()
    }

    /// Bits a number.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// A row before rounding.
    pub fn exact(&self, row: usize) -> &Row {
        &self.shards[row % SHARDS].exact[row / SHARDS]
    }

    /// For each number of a text's vector, the labels' weights.
    pub fn weights(&self) -> Vec<&[f32]> {
        self.output
            .iter()
            .map(|line| &line[..self.labels])
            .collect()
    }

    /// The labels' biases.
    pub fn biases(&self) -> &[f32] {
        &self.bias[..self.labels]
    }

    fn vector(&self, features: &[Feature]) -> (Vector, f32) {
        let mut vector = [[0.0; DIMENSION]; SCRIPTS];
        for feature in features {
            let (row, script) = ((feature >> 2) as usize, (feature & 3) as usize);
            let row = &self.shards[row % SHARDS].rows[row / SHARDS];
            for (sum, number) in vector[script].iter_mut().zip(row) {
                *sum += number;
            }
        }
        let scale = (features.len().max(1) as f32).powf(-DAMPING);
        vector
            .iter_mut()
            .flatten()
            .for_each(|number| *number *= scale);
        (vector, scale)
    }

    fn logits(&self, vector: &Vector) -> [f32; WIDE] {
        let mut logits = self.bias;
        for (&number, line) in vector.iter().flatten().zip(&self.output) {
            if number != 0.0 {
                for (logit, weight) in logits.iter_mut().zip(line) {
                    *logit += number * weight;
                }
            }
        }
        logits
    }

    fn gradients(&self, corpus: &Corpus, seed: u64, count: usize) -> Gradients {
        let mut random = Random::new(seed);
        let mut found = Gradients {
            features: Vec::with_capacity(count * 200),
            examples: Vec::with_capacity(count),
            output: vec![[0.0; WIDE]; SCRIPTS * DIMENSION],
            bias: [0.0; WIDE],
            loss: 0.0,
        };
        for _ in 0..count {
            let from = found.features.len();
            let label = corpus.draw(&mut random, &mut found.features);
            let (vector, scale) = self.vector(&found.features[from..]);
            let mut off = softmax(self.logits(&vector));
            found.loss -= f64::from(off[label].max(1e-9).ln());
            off[label] -= 1.0;
            let mut back = [[0.0; DIMENSION]; SCRIPTS];
            let numbers = vector.iter().flatten().zip(back.iter_mut().flatten());
            for ((&number, back), (line, own)) in
                numbers.zip(self.output.iter().zip(&mut found.output))
            {
                // A script that the example has not.
                if number == 0.0 {
                    continue;
                }
                let mut sums = [0.0_f32; 8];
                for (lanes, off) in line.chunks_exact(8).zip(off.chunks_exact(8)) {
                    for at in 0..8 {
                        sums[at] += lanes[at] * off[at];
                    }
                }
                *back = sums.iter().sum::<f32>() * scale;
                for (own, off) in own.iter_mut().zip(&off) {
                    *own += number * off;
                }
            }
            for (bias, off) in found.bias.iter_mut().zip(&off[..self.labels]) {
                *bias += off;
            }
            found.examples.push((found.features.len() as u32, back));
        }
        found
    }

    /// Trains for one stage, and gives the mean loss of its last tenth.
    pub fn train(&mut self, corpus: &Corpus, schedule: &Schedule, seed: u64) -> f64 {
        let steps = schedule.examples / BATCH;
        for shard in &mut self.shards {
            shard.missed.fill(0.0);
        }
        let (mut loss, mut seen) = (0.0, 0);
        for step in 0..steps {
            let done = step as f32 / steps as f32;
            let rate = schedule.rate * (1.0 - (1.0 - DECAY) * done);
            let all: Vec<Gradients> = (0..PARTS)
                .into_par_iter()
                .map(|part| {
                    let seed = seed ^ (step * PARTS + part) as u64 ^ 0x5eed_0000_0000;
                    self.gradients(corpus, Random::new(seed).next(), BATCH / PARTS)
                })
                .collect();
            let bits = self.bits;
            self.shards
                .par_iter_mut()
                .enumerate()
                .for_each(|(at, shard)| {
                    for gradients in &all {
                        shard.update(at, gradients, rate, done > 0.5, bits);
                    }
                });
            self.update_output(&all, rate);
            if step * 10 >= steps * 9 {
                loss += all.iter().map(|gradients| gradients.loss).sum::<f64>();
                seen += BATCH;
            }
        }
        loss / seen.max(1) as f64
    }

    fn update_output(&mut self, all: &[Gradients], rate: f32) {
        for (at, (line, squares)) in self
            .output
            .iter_mut()
            .zip(&mut self.output_squares)
            .enumerate()
        {
            for label in 0..self.labels {
                let sum: f32 = all
                    .iter()
                    .map(|gradients| gradients.output[at][label])
                    .sum();
                let gradient = sum / BATCH as f32;
                squares[label] += gradient * gradient;
                if gradient != 0.0 {
                    line[label] -= 0.3 * rate * gradient / squares[label].sqrt();
                }
            }
        }
        for (label, bias) in self.bias[..self.labels].iter_mut().enumerate() {
            let sum: f32 = all.iter().map(|gradients| gradients.bias[label]).sum();
            *bias -= rate * sum / BATCH as f32;
        }
    }

    /// The `most` rows that the loss would miss most, in order.
    pub fn most_missed(&self, most: usize) -> Vec<u32> {
        let missed = |row: u32| {
            let row = row as usize;
            self.shards[row % SHARDS].missed[row / SHARDS]
        };
        let mut order: Vec<u32> = (0..self.rows() as u32).collect();
        order.sort_by(|&a, &b| missed(b).total_cmp(&missed(a)).then(a.cmp(&b)));
        order.truncate(most);
        order.sort_unstable();
        order
    }

    /// Keeps these rows only.
    pub fn keep(&mut self, kept: &[u32]) {
        let mut shards: [Shard; SHARDS] = Default::default();
        for (at, &row) in kept.iter().enumerate() {
            let from = &self.shards[row as usize % SHARDS];
            let place = row as usize / SHARDS;
            let to = &mut shards[at % SHARDS];
            to.rows.push(from.rows[place]);
            to.exact.push(from.exact[place]);
            to.squares.push(from.squares[place]);
            to.missed.push(0.0);
        }
        self.shards = shards;
    }

    /// Forgets part of the squares, so that the next stage moves again.
    pub fn loosen(&mut self) {
        let of_rows = self.shards.iter_mut().flat_map(|shard| &mut shard.squares);
        let of_output = self.output_squares.iter_mut().flatten();
        of_rows
            .chain(of_output)
            .for_each(|square| *square *= LOOSENED);
    }

    /// Computes with rounded rows from now on; with 0 bits, with exact ones.
    pub fn quantise(&mut self, bits: u32) {
        self.bits = bits;
        for shard in &mut self.shards {
            for (row, exact) in shard.rows.iter_mut().zip(&shard.exact) {
                *row = round(exact, bits);
            }
        }
    }
}

impl Shard {
    fn update(&mut self, at: usize, gradients: &Gradients, rate: f32, judge: bool, bits: u32) {
        let mut from = 0;
        for (end, back) in &gradients.examples {
            for feature in &gradients.features[from..*end as usize] {
                let row = (feature >> 2) as usize;
                if row % SHARDS != at {
                    continue;
                }
                let gradient = &back[(feature & 3) as usize];
                let place = row / SHARDS;
                let exact = &mut self.exact[place];
                if judge {
                    let change: f32 = exact.iter().zip(gradient).map(|(a, b)| a * b).sum();
                    self.missed[place] += change * change;
                }
                let square = gradient.iter().map(|x| x * x).sum::<f32>() / DIMENSION as f32;
                self.squares[place] += square;
                let step = rate / (self.squares[place] + 1e-8).sqrt();
                for (number, gradient) in exact.iter_mut().zip(gradient) {
                    *number -= step * gradient;
                }
                self.rows[place] = round(exact, bits);
            }
            from = *end as usize;
        }
    }
}

fn round(row: &Row, bits: u32) -> Row {
    match bits {
        0 => *row,
        bits => quantise::rounded(row, bits),
    }
}

fn softmax(mut logits: [f32; WIDE]) -> [f32; WIDE] {
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    for logit in &mut logits {
        *logit = exp(*logit - most);
        sum += *logit;
    }
    logits.iter_mut().for_each(|value| *value /= sum);
    logits
}

/// e^x for x of at most 0, to six digits: unlike the library's, it is made of vector instructions.
fn exp(x: f32) -> f32 {
    /// 2^t for t in [0, 1): the Taylor series.
    const TERMS: [f32; 6] = [
        0.000_154_6,
        0.001_333_4,
        0.009_618_1,
        0.055_504_1,
        0.240_226_5,
        std::f32::consts::LN_2,
    ];
    let power = x.max(-87.0) * std::f32::consts::LOG2_E;
    let whole = power.floor();
    let part = TERMS
        .iter()
        .fold(0.0, |sum, term| (sum + term) * (power - whole));
    (1.0 + part) * f32::from_bits(((whole as i32 + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exp() {
        for at in 0..1000 {
            let x = -(at as f32) / 20.0;
            assert!((exp(x) - x.exp()).abs() <= 2e-5 * x.exp(), "{x}");
        }
    }

    #[test]
    fn two_languages_are_learnt() {
        let words = |list: &[&str]| -> Vec<(String, u32)> {
            let mut words: Vec<_> = list.iter().map(|word| ((*word).to_owned(), 3)).collect();
            words.sort();
            words
        };
        let german = ["und", "nicht", "schule", "zwischen", "durch", "strasse"];
        let italian = ["della", "questo", "scuola", "ragazzi", "quello", "giorno"];
        let languages = [words(&german), words(&italian)];
        let mut corpus = Corpus::new(&languages, 5, 1000);
        let mut model = Model::new(corpus.hashes.len(), 2, &mut Random::new(1));
        let schedule = Schedule::new(20 * BATCH, 0.3);
        model.train(&corpus, &schedule, 1);
        let kept = model.most_missed(60);
        model.keep(&kept);
        corpus.keep(&kept);
        model.quantise(3);
        let loss = model.train(&corpus, &schedule, 2);
        assert_eq!(model.rows(), 60);
        assert!(loss < 0.3, "{loss}");
    }
}
