//! What is read of descriptions, what is refused, and what a manifest holds.

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::processor::{Data, Geometry, ImageProcessor, Size};
use crate::tests::gradient;
use crate::{CLASSES, Pixels};

fn refused(config: Value) -> String {
    match ImageProcessor::of_config(&config) {
        Err(Fault::Config(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn vit(key: &str, value: Value) -> Value {
    json!({ "image_processor_type": "ViTImageProcessor", key: value })
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    assert_eq!(
        refused(vit("do_thumbnail", json!(true))),
        "do_thumbnail: true is not supported"
    );
    assert_eq!(
        refused(vit("keep_aspect_ratio", json!(true))),
        "keep_aspect_ratio: true is not supported"
    );
    assert_eq!(
        refused(vit("auto_map", json!({}))),
        "auto_map: {} is not supported"
    );
    assert_eq!(
        refused(vit("do_pad", json!(true))),
        "do_pad without a pad_size"
    );
    assert_eq!(
        refused(vit("size", json!({ "largest": 4 }))),
        "size: largest is not known"
    );
    assert_eq!(refused(vit("size", json!(0))), "size: 0 is no length");
    assert_eq!(
        refused(vit("resample", json!(6))),
        "resample: 6 is no filter of Pillow's"
    );
    assert_eq!(
        refused(vit("image_mean", json!(["a"]))),
        "image_mean: no numbers"
    );
    assert_eq!(
        refused(vit("image_std", json!([0, 1, 1]))),
        "a scale, mean or deviation that is not finite, or a deviation of zero"
    );
    assert_eq!(
        refused(vit("image_mean", json!([1, 1]))),
        "2 means or deviations for 3 channels"
    );
    assert_eq!(
        refused(vit("data_format", json!("channels_last"))),
        "data_format: only channels_first is supported"
    );
    assert_eq!(
        refused(json!({})),
        "the processor's description names no image_processor_type"
    );
    let class = "processors of the class Swin2SRImageProcessor are not supported";
    assert_eq!(
        refused(json!({ "image_processor_type": "Swin2SRImageProcessor" })),
        class
    );
    let large = ImageProcessor::of_config(&vit("size", json!(100_000)));
    assert!(matches!(large, Err(Fault::TooLarge { .. })));
    // What is off asks for nothing.
    ImageProcessor::of_config(&vit("do_thumbnail", json!(false))).unwrap();
}

#[test]
fn every_class_has_a_processor_without_any_field() {
    for class in CLASSES {
        for name in [
            class.to_owned(),
            format!("{class}Fast"),
            class.replace("ImageProcessor", "FeatureExtractor"),
        ] {
            let made = ImageProcessor::of_config(&json!({ "image_processor_type": name })).unwrap();
            made.process(&gradient(70, 50)).unwrap();
        }
    }
}

#[test]
fn a_manifest_holds_a_processor() {
    let written = json!({
        "resize": { "to": { "shortest": { "edge": 12, "atMost": 20 } }, "filter": "bicubic" },
        "crop": { "height": 12, "width": 12 },
        "pad": { "to": { "multiple": 8 }, "gray": 114, "centered": true },
        "scale": 0.5,
        "mean": [1.0, 2.0, 3.0],
        "std": [2.0],
        "channels": "bgr",
        "layout": "nhwc",
        "element": "f32",
    });
    let processor: ImageProcessor = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(&processor).unwrap(), written);
    let made = processor.process(&gradient(40, 30)).unwrap();
    assert_eq!(made.shape, [1, 16, 16, 3]);
    let Data::F32(values) = made.data else {
        panic!()
    };
    // (114 * 0.5 - mean) / 2.
    assert_eq!(values[..3], [28.0, 27.5, 27.0]);
    let plain: ImageProcessor = serde_json::from_value(json!({})).unwrap();
    assert_eq!(plain, ImageProcessor::default());
    serde_json::from_value::<ImageProcessor>(json!({ "resise": null })).unwrap_err();
    serde_json::from_value::<ImageProcessor>(
        json!({ "crop": { "height": 1, "width": 2, "depth": 3 } }),
    )
    .unwrap_err();
}

#[test]
fn channels_axes_and_elements() {
    let image = Pixels::new(2, 1, vec![10, 20, 30, 0, 40, 50, 60, 255]).unwrap();
    let made = |json: Value| {
        let processor: ImageProcessor = serde_json::from_value(json).unwrap();
        match processor.process(&image).unwrap().data {
            Data::U8(bytes) => bytes,
            Data::F32(floats) => floats.into_iter().map(|x| x as u8).collect(),
        }
    };
    assert_eq!(made(json!({})), [10, 40, 20, 50, 30, 60]);
    assert_eq!(
        made(json!({ "element": "u8", "layout": "nhwc" })),
        [10, 20, 30, 40, 50, 60]
    );
    assert_eq!(
        made(json!({ "element": "u8", "layout": "nhwc", "channels": "bgr" })),
        [30, 20, 10, 60, 50, 40]
    );
    assert_eq!(
        made(json!({ "element": "u8", "channels": "gray" })),
        [18, 48]
    );
    let scaled: ImageProcessor =
        serde_json::from_value(json!({ "element": "u8", "scale": 2 })).unwrap();
    assert!(matches!(scaled.process(&image), Err(Fault::Config(_))));
}

#[test]
fn places_in_the_tensor_are_places_in_the_image() {
    let letterbox: ImageProcessor = serde_json::from_value(json!({
        "resize": { "to": { "within": { "height": 64, "width": 64 } }, "filter": "linear" },
        "pad": { "to": { "size": { "height": 64, "width": 64 } }, "gray": 114, "centered": true },
    }))
    .unwrap();
    let geometry = letterbox.process(&gradient(128, 32)).unwrap().geometry;
    let size = |height, width| Size { height, width };
    let expected = Geometry {
        original: size(32, 128),
        input: size(64, 64),
        scale: [0.5, 0.5],
        offset: [0.0, 24.0],
    };
    assert_eq!(geometry, expected);
    assert_eq!(geometry.to_original(32.0, 32.0), [64.0, 16.0]);
    assert_eq!(geometry.to_original_of_parts(1.0, 0.625), [128.0, 32.0]);
    let cropped = ImageProcessor {
        crop: Some(size(10, 10)),
        ..ImageProcessor::default()
    };
    let geometry = cropped.process(&gradient(31, 21)).unwrap().geometry;
    assert_eq!(geometry.offset, [-10.0, -5.0]);
    let small = ImageProcessor {
        crop: Some(size(40, 40)),
        ..ImageProcessor::default()
    };
    assert_eq!(
        small.process(&gradient(31, 21)).unwrap().geometry.offset,
        [5.0, 10.0]
    );
}

#[test]
fn an_image_larger_than_its_padding_is_refused() {
    let pads: ImageProcessor =
        serde_json::from_value(json!({ "pad": { "to": { "size": { "height": 8, "width": 8 } } } }))
            .unwrap();
    assert!(matches!(
        pads.process(&gradient(9, 8)),
        Err(Fault::Config(_))
    ));
    // An image may be as large as this, a tensor not.
    let large = vit("size", json!({ "height": 1, "width": 20_000_000 }));
    let large = ImageProcessor::of_config(&large).unwrap();
    assert!(matches!(
        large.process(&gradient(9, 8)),
        Err(Fault::TooLarge { .. })
    ));
    // The shorter edge would be nothing.
    let thin: ImageProcessor = serde_json::from_value(
        json!({ "resize": { "to": { "within": { "height": 8, "width": 8 } }, "filter": "box" } }),
    )
    .unwrap();
    assert_eq!(
        thin.process(&Pixels::new(100, 1, vec![0; 400]).unwrap()),
        Err(Fault::Empty)
    );
}
