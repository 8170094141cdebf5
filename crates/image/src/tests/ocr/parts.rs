//! The parts by themselves.

use crate::fault::Fault;
use crate::ocr::{
    Detector, Dictionary, LINE_HEIGHT, TextBox, line_input, reading_order, reading_rows,
};
use crate::pixels::Pixels;
use crate::processor::{Data, Geometry, Size};
use crate::tests::gradient;

fn upright(x0: f32, y0: f32, x1: f32, y1: f32) -> TextBox {
    TextBox {
        corners: [[x0, y0], [x1, y0], [x1, y1], [x0, y1]],
        score: 1.0,
    }
}

#[test]
fn characters_are_read_step_by_step() {
    let dictionary = Dictionary::of_lines("a\nb\n");
    let steps = |picked: &[usize]| -> Vec<f32> {
        let one_of = |&class: &usize| (0..4).map(move |c| if c == class { 0.7 } else { 0.1 });
        picked.iter().flat_map(one_of).collect()
    };
    let read = |picked: &[usize]| {
        dictionary
            .read((&steps(picked), &[1, picked.len(), 4]))
            .unwrap()
    };
    assert_eq!(read(&[0, 1, 1, 0, 1, 2, 3, 2, 0]).text, "aab b");
    assert!((read(&[1, 2]).confidence - 0.7).abs() < 1e-6);
    assert_eq!(
        (read(&[0, 0]).text.as_str(), read(&[0, 0]).confidence),
        ("", 0.0)
    );
    assert!(matches!(
        dictionary.read((&[0.0; 5], &[1, 1, 5])),
        Err(Fault::Output(_))
    ));
    assert!(matches!(
        dictionary.read((&[0.0; 5], &[1, 2, 4])),
        Err(Fault::Output(_))
    ));
    assert_eq!(Dictionary::of_lines("a\r\nb"), dictionary);
}

/// A map with text of 0.9 where a rule says so.
fn map(width: usize, height: usize, text: impl Fn(f32, f32) -> bool) -> (Vec<f32>, Geometry) {
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x as f32, y as f32)));
    let map = places
        .map(|(x, y)| if text(x, y) { 0.9 } else { 0.05 })
        .collect();
    (
        map,
        Geometry::of(Size {
            height: height as u32,
            width: width as u32,
        }),
    )
}

#[test]
fn regions_become_boxes() {
    let (values, geometry) = map(96, 64, |x, y| {
        (10.0..=50.0).contains(&x) && (20.0..=30.0).contains(&y) || x == 80.0
    });
    let boxes = Detector::default()
        .boxes((&values, &[1, 1, 64, 96]), &geometry)
        .unwrap();
    assert_eq!(boxes.len(), 1);
    // 40 x 10 through a circumference of 100, times 1.4, is 5.6 at each side, so 6.
    let [a, b, c, d] = boxes[0].corners;
    assert_eq!(
        (a, b, c, d),
        ([4.0, 14.0], [56.0, 14.0], [56.0, 36.0], [4.0, 36.0])
    );
    assert!((boxes[0].score - 0.9).abs() < 1e-6);
    assert!(matches!(
        Detector::default().boxes((&values, &[1, 1, 96, 64]), &geometry),
        Err(Fault::Output(_))
    ));
    let strict = Detector {
        box_threshold: 0.95,
        ..Detector::default()
    };
    assert!(
        strict
            .boxes((&values, &[1, 1, 64, 96]), &geometry)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_slanted_region_becomes_a_slanted_box() {
    let (sin, cos) = (0.3f32).sin_cos();
    let (values, geometry) = map(128, 128, |x, y| {
        let (x, y) = (x - 64.0, y - 64.0);
        (x * cos + y * sin).abs() <= 40.0 && (y * cos - x * sin).abs() <= 8.0
    });
    let boxes = Detector::default()
        .boxes((&values, &[1, 1, 128, 128]), &geometry)
        .unwrap();
    let [a, b, c, _] = boxes[0].corners;
    assert!(
        ((b[1] - a[1]).atan2(b[0] - a[0]) - 0.3).abs() < 0.03,
        "{:?}",
        boxes[0]
    );
    // 80 x 16 through 192, times 1.4, is 9.3.
    assert!(((b[0] - a[0]).hypot(b[1] - a[1]) - 98.7).abs() < 3.0);
    assert!(((c[0] - b[0]).hypot(c[1] - b[1]) - 34.7).abs() < 3.0);
}

#[test]
fn maps_of_noise_and_of_nothing_but_text_end() {
    let noise = |x: f32, y: f32| {
        ((x * 12.9898 + y * 78.233).sin() * 43_758.547)
            .fract()
            .abs()
            > 0.6
    };
    for (values, geometry) in [
        map(320, 320, noise),
        map(320, 320, |_, _| true),
        map(320, 320, |_, _| false),
    ] {
        for found in Detector::default()
            .boxes((&values, &[1, 1, 320, 320]), &geometry)
            .unwrap()
        {
            assert!(
                found
                    .corners
                    .iter()
                    .flatten()
                    .all(|&x| (0.0..=319.0).contains(&x))
            );
        }
    }
    let strange = vec![f32::NAN; 64 * 64];
    let geometry = Geometry::of(Size {
        height: 64,
        width: 64,
    });
    assert!(
        Detector::default()
            .boxes((&strange, &[1, 1, 64, 64]), &geometry)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn lines_are_read_by_rows() {
    let boxes = [
        upright(50.0, 32.0, 90.0, 52.0),
        upright(50.0, 3.0, 90.0, 22.0),
        upright(0.0, 30.0, 40.0, 50.0),
        upright(0.0, 0.0, 40.0, 20.0),
    ];
    assert_eq!(reading_order(&boxes), [3, 1, 2, 0]);
    assert_eq!(reading_rows(&boxes), [[3, 1], [2, 0]]);
    assert!(reading_order(&[]).is_empty());
}

#[test]
fn a_straight_box_is_cut_as_it_is() {
    let image = gradient(40, 30);
    let cut = upright(5.0, 7.0, 25.0, 17.0).cut(&image).unwrap();
    assert_eq!((cut.width(), cut.height()), (20, 10));
    for y in 0..10 {
        for x in 0..20 {
            let there = &image.rgba()[4 * ((y + 7) * 40 + x + 5)..][..3];
            assert_eq!(cut.rgba()[4 * (y * 20 + x)..][..3], *there, "{x} {y}");
        }
    }
    // The image's edges go on.
    let beyond = upright(-10.0, -10.0, 0.0, -4.0).cut(&image).unwrap();
    assert!(
        beyond
            .rgba()
            .chunks_exact(4)
            .all(|p| p[..3] == image.rgba()[..3])
    );
    let large = upright(0.0, 0.0, 1e6, 1e6).cut(&image);
    assert!(matches!(large, Err(Fault::TooLarge { .. })));
}

#[test]
fn a_high_box_is_turned_to_the_left() {
    let image = gradient(40, 30);
    let cut = upright(3.0, 2.0, 13.0, 22.0).cut(&image).unwrap();
    assert_eq!((cut.width(), cut.height()), (20, 10));
    // The upper right corner is the upper left one now.
    assert_eq!(cut.rgba()[..3], image.rgba()[4 * (2 * 40 + 12)..][..3]);
}

#[test]
fn a_box_in_perspective_keeps_its_corners() {
    let image = gradient(64, 64);
    let corners = [[10.0, 10.0], [50.0, 4.0], [58.0, 40.0], [4.0, 30.0]];
    let cut = TextBox {
        corners,
        score: 1.0,
    }
    .cut(&image)
    .unwrap();
    assert_eq!(cut.rgba()[..3], image.rgba()[4 * (10 * 64 + 10)..][..3]);
    // Red grows to the right and green downwards, in the image and in the line.
    let at = |x: u32, y: u32| cut.rgba()[4 * (y * cut.width() + x) as usize..][..2].to_vec();
    let (right, down) = (at(cut.width() - 1, 0), at(0, cut.height() - 1));
    assert!(right[0] > 180 && down[1] > 100, "{right:?} {down:?}");
}

#[test]
fn a_lines_input_is_of_one_height() {
    let made = line_input(&gradient(96, 24), LINE_HEIGHT).unwrap();
    assert_eq!(made.shape, [1, 3, 48, 320]);
    let Data::F32(values) = made.data else {
        panic!()
    };
    assert!(values[192..320].iter().all(|&x| x == 0.0));
    assert!(values[..192].iter().all(|&x| (-1.0..=1.0).contains(&x)));
    assert_eq!(
        line_input(&gradient(400, 20), LINE_HEIGHT).unwrap().shape,
        [1, 3, 48, 960]
    );
    // The second version's models are lower.
    assert_eq!(
        line_input(&gradient(400, 20), 32).unwrap().shape,
        [1, 3, 32, 640]
    );
    // Very long lines are squeezed.
    let long = Pixels::new(100_000, 2, vec![9; 800_000]).unwrap();
    assert_eq!(
        line_input(&long, LINE_HEIGHT).unwrap().shape,
        [1, 3, 48, 3200]
    );
}

#[test]
fn a_detectors_input_is_of_multiples() {
    let size = |width, height| {
        let made = Detector::default()
            .prepare(&Pixels::new(width, height, vec![0; (4 * width * height) as usize]).unwrap());
        let shape = made.unwrap().shape;
        (shape[3], shape[2])
    };
    assert_eq!(size(200, 100), (192, 96));
    assert_eq!(size(1920, 1080), (960, 544));
    // 80 / 32 is 2.5, which Python rounds to 2.
    assert_eq!(size(80, 112), (64, 128));
    assert_eq!(size(3, 2000), (32, 960));
    // 800 / 8 * 2 rows, of which most are black.
    assert_eq!(size(800, 20), (800, 192));
}
