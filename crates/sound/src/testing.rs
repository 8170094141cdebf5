//! What tests share.

use std::path::{Path, PathBuf};

/// White noise of -1 to 1, the same for the same seed.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32) / (1_u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// A sine of amplitude 1.
pub(crate) fn sine(len: usize, hertz: f64, rate: u32) -> Vec<f32> {
    let angle = |at: usize| std::f64::consts::TAU * hertz * at as f64 / f64::from(rate);
    (0..len).map(|at| angle(at).sin() as f32).collect()
}

/// A file of the fixtures.
pub(crate) fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/sound");
    folder.join(name)
}

/// A folder under target that a script fetches. Where it is not, that is said: all tests of a machine run, also the ignored
/// ones.
pub(crate) fn fetched(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target")
        .join(name);
    if !folder.is_dir() {
        println!("nothing was compared: there is no target/{name}");
        return None;
    }
    Some(folder)
}

/// The samples of a plain WAV file of 16 bits and one channel, and its rate.
pub(crate) fn wav(path: &Path) -> (Vec<f32>, u32) {
    let file = std::fs::read(path).expect("the file");
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("a word"));
    assert_eq!((&file[..4], &file[8..12]), (&b"RIFF"[..], &b"WAVE"[..]));
    let (mut at, mut rate) = (12, 0);
    loop {
        let len = word(at + 4) as usize;
        match &file[at..at + 4] {
            b"fmt " => {
                assert_eq!(word(at + 8), 0x1_0001, "PCM of one channel");
                assert_eq!(word(at + 20) >> 16, 16, "16 bits");
                rate = word(at + 12);
            }
            b"data" => {
                let data = &file[at + 8..(at + 8 + len).min(file.len())];
                let pairs = data.chunks_exact(2);
                let samples = pairs.map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0);
                return (samples.collect(), rate);
            }
            _ => {}
        }
        at += 8 + len + len % 2;
    }
}
