//! Tests beside what other libraries make of the same: `tests/reference/pillow.py` and `ocr.py` wrote it down.

mod config;
mod detect;
mod hostile;
mod ocr;
mod pixels;
mod processed;
mod resized;
mod score;

use std::path::PathBuf;

use serde::de::DeserializeOwned;

use crate::pixels::Pixels;

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures/image")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn json<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&fixture(name)).unwrap()
}

/// The pixels of a PNG.
fn png(file: &[u8]) -> Pixels {
    let image = image::load_from_memory(file).unwrap().into_rgba8();
    Pixels::new(image.width(), image.height(), image.into_raw()).unwrap()
}

fn photo() -> Pixels {
    png(&fixture("photo.png"))
}

/// The same with rows as columns.
fn tall(pixels: &Pixels) -> Pixels {
    let (w, h) = (pixels.width() as usize, pixels.height() as usize);
    let places = (0..w).flat_map(|x| (0..h).map(move |y| y * w + x));
    let rgba = places.flat_map(|at| pixels.rgba()[4 * at..][..4].to_vec());
    Pixels::new(pixels.height(), pixels.width(), rgba.collect()).unwrap()
}

/// Colours and alpha that the script makes, too.
fn gradient(width: u32, height: u32) -> Pixels {
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let pixel = |(x, y): (u32, u32)| {
        let channels = [
            x * 255 / (width - 1),
            y * 255 / (height - 1),
            x * y * 7 % 256,
            (x * 3 + y * 5) % 256,
        ];
        channels.map(|c| c as u8)
    };
    Pixels::new(width, height, places.flat_map(pixel).collect()).unwrap()
}
