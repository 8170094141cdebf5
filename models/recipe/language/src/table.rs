//! The table as a file; the format is in `src/text/ngram_table.rs`, which reads it.

use crate::model::{DAMPING, DIMENSION, Model};
use crate::quantise::{codes, step_code};

/// The table of a trained model whose rows belong to n-grams with these hashes.
pub fn write(model: &Model, hashes: &[u64], longest: usize) -> Vec<u8> {
    let bits = model.bits();
    let log = (hashes.len() as f64 * 1.1).log2().round().max(1.0) as u32;
    let mut order: Vec<usize> = (0..hashes.len()).collect();
    order.sort_by_key(|&row| hashes[row]);
    let mut out = b"SFNG".to_vec();
    out.extend([1, DIMENSION as u8, bits as u8, longest as u8, log as u8]);
    out.extend([0; 3]);
    out.extend((hashes.len() as u32).to_le_bytes());
    out.extend(DAMPING.to_le_bytes());
    let mut index = Bits::default();
    let mut buckets = order
        .iter()
        .map(|&row| hashes[row] >> (64 - log))
        .peekable();
    for bucket in 0..1_u64 << log {
        while buckets.next_if_eq(&bucket).is_some() {
            index.push(1, 1);
        }
        index.push(0, 1);
    }
    out.extend(index.bytes);
    out.extend(order.iter().map(|&row| hashes[row] as u8));
    let steps: Vec<u8> = order
        .iter()
        .map(|&row| step_code(model.exact(row), bits))
        .collect();
    out.extend(&steps);
    for (&row, &step) in order.iter().zip(&steps) {
        let mut packed = Bits::default();
        for code in codes(model.exact(row), step, bits) {
            packed.push(code, bits);
        }
        out.extend(packed.bytes);
    }
    out
}

/// A string of bits, low ones first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: u8, bits: u32) {
        for at in 0..bits {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> at) & 1) << (self.count % 8);
            }
            self.count += 1;
        }
    }
}
