//! Whatever a manifest or a folder asks for ends with a tensor or a refusal.

use serde_json::{Value, json};

use crate::Pixels;
use crate::config::CLASSES;
use crate::processor::{Data, ImageProcessor};
use crate::tests::gradient;

/// Numbers that are made of a seed, always the same.
struct Random(u64);

impl Random {
    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        of[(self.0 >> 33) as usize % of.len()].clone()
    }

    fn length(&mut self) -> u64 {
        self.pick(&[
            0,
            1,
            2,
            3,
            7,
            16,
            33,
            64,
            100,
            5_000,
            100_000_000,
            4_294_967_295,
        ])
    }

    fn size(&mut self) -> Value {
        json!({ "height": self.length(), "width": self.length() })
    }

    fn number(&mut self) -> Value {
        self.pick(&[
            json!(0),
            json!(0.5),
            json!(-3),
            json!(1e300),
            json!(1e-300),
            json!(255),
        ])
    }
}

fn images() -> Vec<Pixels> {
    let one = Pixels::new(1, 1, vec![9; 4]).unwrap();
    let thin = Pixels::new(1, 50, vec![9; 200]).unwrap();
    vec![one, thin, gradient(33, 7)]
}

/// Processes and tells whether there is a tensor, which is then as long as its shape.
fn runs(processor: &ImageProcessor, image: &Pixels) -> bool {
    let Ok(made) = processor.process(image) else {
        return false;
    };
    let length = match made.data {
        Data::F32(values) => values.len(),
        Data::U8(values) => values.len(),
    };
    assert_eq!(length, made.shape.iter().product::<usize>());
    true
}

#[test]
fn manifests_end() {
    let mut random = Random(7);
    let mut made = 0;
    for _ in 0..1_000 {
        let r = &mut random;
        let to = match r.pick(&[0, 1, 2, 3, 4, 5]) {
            0 => json!({ "exact": r.size() }),
            1 => json!({ "shortest": { "edge": r.length(), "atMost": r.length() } }),
            2 => {
                json!({ "detection": { "edge": r.length(), "atMost": r.length(), "multiple": r.length() } })
            }
            3 => json!({ "within": r.size() }),
            4 => json!({ "multiple": r.length() }),
            _ => {
                json!({ "limit": { "side": r.length(), "of": "longest", "multiple": r.length() } })
            }
        };
        let pads = [
            json!({ "size": r.size() }),
            json!({ "multiple": r.length() }),
        ];
        let pad = r.pick(&pads);
        let mut manifest = json!({
            "resize": { "to": to, "filter": r.pick(&["nearest", "box", "lanczos", "linear"]) },
            "crop": r.size(),
            "pad": { "to": pad, "gray": 114, "centered": r.pick(&[true, false]) },
            "scale": r.number(),
            "mean": [r.number()],
            "std": [r.number()],
            "channels": r.pick(&["rgb", "bgr", "gray"]),
            "layout": r.pick(&["nchw", "nhwc"]),
        });
        for key in ["resize", "crop", "pad", "scale", "mean", "std"] {
            if r.pick(&[true, false]) {
                manifest.as_object_mut().unwrap().remove(key);
            }
        }
        let processor: ImageProcessor = serde_json::from_value(manifest).unwrap();
        made += images()
            .iter()
            .filter(|image| runs(&processor, image))
            .count();
    }
    assert!(made > 100, "{made}");
}

#[test]
fn descriptions_end() {
    let mut random = Random(8);
    for _ in 0..1_000 {
        let r = &mut random;
        let size = match r.pick(&[0, 1, 2]) {
            0 => r.size(),
            1 => json!({ "shortest_edge": r.length(), "longest_edge": r.length() }),
            _ => json!(r.length()),
        };
        let description = json!({
            "image_processor_type": r.pick(&CLASSES),
            "size": size,
            "crop_size": r.size(),
            "do_center_crop": r.pick(&[json!(true), json!(false), json!(null), json!(3)]),
            "crop_pct": r.number(),
            "rescale_factor": r.number(),
            "image_std": [r.number(), r.number(), r.number()],
        });
        if let Ok(processor) = ImageProcessor::of_config(&description) {
            images().iter().for_each(|image| {
                runs(&processor, image);
            });
        }
    }
}
