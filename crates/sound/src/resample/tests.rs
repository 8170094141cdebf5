//! What goes through the filter, what does not, and that pieces are as good as the whole.

use std::f64::consts::{PI, TAU};

use super::*;
use crate::testing::{noise, sine};

const PAIRS: [(u32, u32); 13] = [
    (8_000, 16_000),
    (11_025, 16_000),
    (22_050, 16_000),
    (32_000, 16_000),
    (44_100, 16_000),
    (48_000, 16_000),
    (96_000, 16_000),
    (192_000, 16_000),
    (16_000, 8_000),
    (44_100, 8_000),
    (16_000, 44_100),
    (48_000, 44_100),
    // Rows of these are too many to be kept.
    (44_101, 16_000),
];

/// The height of a sine of a frequency that is in the samples, and the root mean square of what else is.
fn parts(samples: &[f32], hertz: f64, rate: u32) -> (f64, f64) {
    // Whole turns, so that sine and cosine are at right angles.
    let (mut sines, mut cosines, mut squares) = (0.0, 0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let angle = TAU * hertz * at as f64 / f64::from(rate);
        sines += f64::from(*sample) * angle.sin();
        cosines += f64::from(*sample) * angle.cos();
        squares += f64::from(*sample).powi(2);
    }
    let count = samples.len() as f64;
    let height = 2.0 * sines.hypot(cosines) / count;
    let rest = (squares / count - height * height / 2.0).max(0.0);
    (height, rest.sqrt())
}

fn decibels(share: f64) -> f64 {
    20.0 * share.max(1e-12).log10()
}

/// A tone's samples at the new rate, without half a filter at both ends, cut to whole turns of every multiple of 10 Hz.
fn middle(hertz: f64, from: u32, to: u32) -> Vec<f32> {
    let new = resample(&sine(from as usize / 2, hertz, from), from, to).unwrap();
    let (edge, turn) = (200.max(200 * to / from) as usize, to as usize / 10);
    let len = (new.len() - 2 * edge) / turn * turn;
    new[edge..edge + len].to_vec()
}

#[test]
fn tones_up_to_nine_tenths_pass() {
    let (mut ripple, mut images) = (0.0_f64, f64::NEG_INFINITY);
    for (from, to) in PAIRS {
        let nyquist = f64::from(from.min(to)) / 2.0;
        for share in [0.02, 0.1, 0.3, 0.5, 0.7, 0.8, 0.85, 0.88, 0.9] {
            let hertz = (nyquist * share / 10.0).floor() * 10.0;
            let (height, rest) = parts(&middle(hertz, from, to), hertz, to);
            ripple = ripple.max(decibels(height).abs());
            images = images.max(decibels(rest * 2.0_f64.sqrt()));
        }
    }
    println!("passed within {ripple:.4} dB, all else below {images:.1} dB");
    assert!(ripple < 0.01 && images < -70.0);
}

#[test]
fn tones_above_the_new_nyquist_do_not_come_back() {
    let mut loudest = f64::NEG_INFINITY;
    for (from, to) in PAIRS.into_iter().filter(|(from, to)| from > to) {
        let (low, high) = (f64::from(to) / 2.0, f64::from(from) / 2.0);
        for share in [0.0, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.99] {
            let hertz = ((low + (high - low) * share) / 10.0).ceil() * 10.0;
            let (_, rest) = parts(&middle(hertz, from, to), 0.0, to);
            loudest = loudest.max(decibels(rest * 2.0_f64.sqrt()));
        }
    }
    println!("loudest alias {loudest:.1} dB");
    assert!(loudest < -70.0);
}

#[test]
fn a_sweep_is_itself_up_to_nine_tenths_and_gone_beyond() {
    for (from, to) in [(48_000, 16_000), (44_100, 16_000), (96_000, 16_000)] {
        // From 0 to the old Nyquist frequency in two seconds.
        let slope = f64::from(from) / 4.0;
        let chirp =
            |at: usize, rate: u32| (PI * slope * (at as f64 / f64::from(rate)).powi(2)).sin();
        let old: Vec<f32> = (0..2 * from as usize)
            .map(|at| chirp(at, from) as f32)
            .collect();
        let new = resample(&old, from, to).unwrap();
        let (mut off, mut left) = (0.0_f64, 0.0_f64);
        for (at, sample) in new[..new.len() - 100].iter().enumerate().skip(100) {
            let hertz = slope * at as f64 / f64::from(to);
            let nyquist = f64::from(to) / 2.0;
            // A filter of a finite time sees some of what is before and after.
            let near = slope * 60.0 / f64::from(to);
            if hertz < nyquist * 0.9 - near {
                off = off.max((f64::from(*sample) - chirp(at, to)).abs());
            } else if hertz > nyquist + near {
                left = left.max(f64::from(*sample).abs());
            }
        }
        println!(
            "{from} to {to}: off by {:.1} dB, {:.1} dB left",
            decibels(off),
            decibels(left)
        );
        assert!(off < 0.001 && decibels(left) < -70.0);
    }
}

#[test]
fn pieces_give_what_the_whole_gives() {
    for (from, to) in PAIRS
        .into_iter()
        .chain([(16_000, 16_000), (12_345, 16_000)])
    {
        let old = noise(from as usize / 5 + 17, u64::from(from));
        let whole = resample(&old, from, to).unwrap();
        let expected = (old.len() as u64 * u64::from(to)).div_ceil(u64::from(from));
        assert_eq!(whole.len() as u64, expected, "{from} to {to}");
        let mut resampler = Resampler::new(from, to).unwrap();
        for round in 0..2 {
            let mut new = Vec::new();
            let mut rest = old.as_slice();
            for size in [1, 0, 7, 128, 1000, 3].into_iter().cycle() {
                let (piece, after) = rest.split_at(rest.len().min(size + round));
                resampler.push(piece, &mut new).unwrap();
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            resampler.finish(&mut new);
            assert_eq!(new, whole, "{from} to {to}, round {round}");
        }
    }
}

#[test]
fn a_constant_stays_and_the_same_rate_changes_nothing() {
    for (from, to) in PAIRS {
        let new = resample(&vec![0.5; from as usize / 4], from, to).unwrap();
        let edge = 110 * to.max(from) as usize / from as usize;
        let middle = &new[edge..new.len() - edge];
        assert!(middle.iter().all(|sample| (sample - 0.5).abs() < 1e-5));
    }
    let old = noise(1000, 3);
    assert_eq!(resample(&old, 16_000, 16_000).unwrap(), old);
}

#[test]
fn short_sounds_have_their_length() {
    for len in [0, 1, 2, 5, 100] {
        assert_eq!(
            resample(&vec![1.0; len], 8_000, 16_000).unwrap().len(),
            2 * len
        );
        let new = resample(&vec![1.0; len], 768_000, 16_000).unwrap();
        assert_eq!(new.len(), len.div_ceil(48));
    }
}

#[test]
fn what_cannot_be_resampled_is_refused() {
    let refused = |from, to| Resampler::new(from, to).err();
    assert_eq!(refused(0, 16_000), Some(Fault::Rate(0)));
    assert_eq!(refused(16_000, 768_001), Some(Fault::Rate(768_001)));
    let (from, to) = (60, 16_000);
    assert_eq!(refused(from, to), Some(Fault::Ratio { from, to }));
    assert_eq!(refused(768_000, 3_000), None);
    let mut resampler = Resampler::new(8_000, 16_000).unwrap();
    let mut new = Vec::new();
    let refused = resampler.push(&[0.0, f32::NAN], &mut new);
    assert_eq!(refused, Err(Fault::NotFinite { at: 1 }));
    resampler.finish(&mut new);
    assert!(new.is_empty());
}

/// How far from soxr and from scipy: `sound.py resample target/voices target/sound` writes what they give.
#[test]
#[ignore = "needs target/sound, which tests/reference/sound.py makes"]
fn recordings_are_near_what_others_give() {
    let Some(folder) = crate::testing::fetched("sound") else {
        return;
    };
    let listed = std::fs::read_to_string(folder.join("resample.json")).expect("sound.py resample");
    let listed: Vec<serde_json::Value> = serde_json::from_str(&listed).unwrap();
    let read = |name: String| -> Vec<f32> {
        let file = std::fs::read(folder.join(name)).unwrap();
        let words = file.chunks_exact(4);
        words
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect()
    };
    let square = |samples: &[f32]| samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
    let mut worst = std::collections::BTreeMap::<(&str, &str, u64), f64>::new();
    for case in &listed {
        let text = |key: &str| case[key].as_str().unwrap();
        let (name, band, rate) = (text("name"), text("band"), case["rate"].as_u64().unwrap());
        let ours = resample(&read(format!("{name}.in")), rate as u32, 16_000).unwrap();
        for other in ["soxr-HQ", "soxr-VHQ", "scipy"] {
            let theirs = read(format!("{name}.{other}"));
            assert!(ours.len().abs_diff(theirs.len()) <= 2, "{name} {other}");
            // Without the ends, where each sees another sound before and after.
            let off: Vec<f32> = ours.iter().zip(&theirs).map(|(a, b)| a - b).collect();
            let off = &off[200..off.len() - 200];
            let share = (square(off) / square(&ours)).sqrt();
            let kept = worst.entry((band, other, rate)).or_default();
            *kept = kept.max(share);
        }
    }
    for ((band, other, rate), share) in worst {
        let off = decibels(share);
        println!(
            "{band}, {other:8}, {rate:6} to 16000: differs by {off:.1} dB of the sound at most"
        );
        let most = match (band, other) {
            // scipy's default filter is short, so it is neither flat nor steep.
            (_, "scipy") | ("all", _) => -25.0,
            _ => -70.0,
        };
        assert!(off < most);
    }
}
