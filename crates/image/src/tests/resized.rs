//! Resizing beside Pillow's.

use serde::Deserialize;

use super::{fixture, gradient, json, photo, png};
use crate::fault::Fault;
use crate::pixels::Pixels;
use crate::resample::{Filter, resize};

#[derive(Deserialize)]
struct Case {
    source: String,
    width: u32,
    height: u32,
    filter: Filter,
    from: usize,
    bytes: usize,
}

#[test]
fn resizing_is_pillows_to_the_bit() {
    let (photo, gradient) = (photo(), gradient(61, 37));
    let cases: Vec<Case> = json("resized.json");
    assert_eq!(cases.len(), 36);
    let files = fixture("resized.bin");
    for case in cases {
        let from = if case.source == "photo" {
            &photo
        } else {
            &gradient
        };
        let ours = resize(from, case.width, case.height, case.filter).unwrap();
        let pillows = png(&files[case.from..][..case.bytes]);
        let pairs = ours.rgba().iter().zip(pillows.rgba());
        let most = pairs.map(|(a, b)| a.abs_diff(*b)).max();
        let told = format!(
            "{} to {} x {}, {:?}",
            case.source, case.width, case.height, case.filter
        );
        assert_eq!(most, Some(0), "{told}");
    }
}

#[test]
fn an_image_of_the_right_size_is_as_it_was() {
    let image = gradient(31, 17);
    for code in 0..6 {
        let filter = Filter::of_pillow(code).unwrap();
        assert_eq!(resize(&image, 31, 17, filter).unwrap(), image);
    }
    assert_eq!(Filter::of_pillow(6), None);
}

#[test]
fn linear_sees_two_pixels_however_small_the_image_gets() {
    let rgba = (0..9u8)
        .flat_map(|x| [x * 28, x * x, 255 - x, 255])
        .collect();
    let image = Pixels::new(9, 1, rgba).unwrap();
    let small = resize(&image, 3, 1, Filter::Linear).unwrap();
    // The middle of each third is on a pixel.
    let reds: Vec<u8> = small.rgba().iter().step_by(4).copied().collect();
    assert_eq!(reds, [28, 112, 196]);
}

#[test]
fn sizes_have_bounds() {
    let image = gradient(4, 4);
    assert_eq!(resize(&image, 0, 4, Filter::Box), Err(Fault::Empty));
    let large = resize(&image, 20_000, 20_000, Filter::Box);
    assert!(matches!(large, Err(Fault::TooLarge { .. })));
    // Neither size is too large, but the one between the passes is.
    let tall = Pixels::new(1, 60_000, vec![0; 240_000]).unwrap();
    let wide = resize(&tall, 60_000, 1, Filter::Bilinear);
    assert!(matches!(wide, Err(Fault::TooLarge { .. })));
}
