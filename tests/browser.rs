//! The core as wasm, in a real browser's worker: the same models and the same code as natively,
//! and the parts of `src/browser` that need no server. Run by `cargo xtask test`.
#![cfg(target_arch = "wasm32")]

use js_sys::{Object, Reflect, Uint8Array};
use smallfirst::browser::WasmRuntime;
use smallfirst::bundle::{Bundle, FileEntry, Source, verify};
use smallfirst::host::FixedClock;
use smallfirst::remote::{OfflineHost, RemoteOptions};
use smallfirst::route::Mode;
use smallfirst::runtime::{Call, Runtime};
use smallfirst::task::{Input, Reason};
use smallfirst::{Code, Error, Result};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::AbortSignal;

wasm_bindgen_test_configure!(run_in_dedicated_worker);

const MANIFEST: &[u8] = include_bytes!("../models/manifest.json");

/// The default bundle, compiled in.
struct Embedded;

impl Source for Embedded {
    async fn read(&self, path: &str, entry: &FileEntry) -> Result<Vec<u8>> {
        let bytes: &[u8] = match path {
            "language/head.sfm" => include_bytes!("../models/language/head.sfm"),
            "language/ngrams.sfng" => include_bytes!("../models/language/ngrams.sfng"),
            "file-type/head.sfm" => include_bytes!("../models/file-type/head.sfm"),
            "spam/head.sfm" => include_bytes!("../models/spam/head.sfm"),
            "spam/ngrams.sfm" => include_bytes!("../models/spam/ngrams.sfm"),
            "spam/ood.sfm" => include_bytes!("../models/spam/ood.sfm"),
            "sentiment/head.sfm" => include_bytes!("../models/sentiment/head.sfm"),
            "sentiment/ngrams.sfm" => include_bytes!("../models/sentiment/ngrams.sfm"),
            "static-text/encoder.sfm" => include_bytes!("../models/static-text/encoder.sfm"),
            "static-text/tokenizer.json" => include_bytes!("../models/static-text/tokenizer.json"),
            _ => return Err(Error::new(Code::FileMissing, path)),
        };
        verify(path, entry, bytes)?;
        Ok(bytes.to_vec())
    }
}

fn runtime() -> Runtime<Embedded> {
    Runtime::new(
        Bundle::parse(MANIFEST).unwrap(),
        Embedded,
        Mode::OnlyLocal,
        RemoteOptions::default(),
    )
    .unwrap()
}

#[wasm_bindgen_test]
async fn every_task_answers() {
    let runtime = runtime();
    let cases: [(&str, Input, &str); 4] = [
        (
            "language",
            Input::Text("Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig."),
            "deu",
        ),
        (
            "sentiment",
            Input::Text("I love this, what a wonderful day! Thank you so much"),
            "positive",
        ),
        (
            "spam",
            Input::Text(concat!(
                "Lower your mortgage payment today\n",
                "\n",
                "Dear homeowner,\n",
                "\n",
                "Interest rates are at their lowest point in years, and you have been selected to receive a free quote with no obligation. Thousands of families have already saved hundreds of dollars every month. Bad credit is no problem. Click the link below, fill in the short form, and one of our lenders will call you within 24 hours.\n",
                "\n",
                "http://www.example.com/quote\n",
                "\n",
                "This offer is limited. To be removed from our mailing list, reply with the word remove in the subject line.\n",
            )),
            "spam",
        ),
        (
            "file-type",
            Input::Bytes(include_bytes!("../src/engine.rs")),
            "rust",
        ),
    ];
    for (task, input, label) in cases {
        let answer = runtime
            .run(&Call::new(task, input), &OfflineHost(FixedClock))
            .await
            .unwrap();
        assert_eq!(answer.output.label, label, "{task}: {answer:?}");
        assert_eq!(answer.reason, Reason::Confident, "{task}: {answer:?}");
        assert!(answer.guaranteed, "{task}: {answer:?}");
    }
}

#[wasm_bindgen_test]
async fn bad_inputs_give_codes_and_the_runtime_goes_on() {
    let runtime = runtime();
    let long = "word ".repeat(2_000_000);
    for (task, text, code) in [
        ("language", "", Code::EmptyInput),
        ("nope", "text", Code::UnknownTask),
        ("spam", long.as_str(), Code::InputTooLong),
        ("file-type", "text", Code::InputKind),
    ] {
        let error = runtime
            .run(
                &Call::new(task, Input::Text(text)),
                &OfflineHost(FixedClock),
            )
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{task}");
    }
    let call = Call::new(
        "sentiment",
        Input::Text("I love this, what a wonderful day!"),
    );
    assert!(runtime.run(&call, &OfflineHost(FixedClock)).await.is_ok());
}

fn object(entries: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (key, value) in entries {
        Reflect::set(&object, &JsValue::from_str(key), value).unwrap();
    }
    object.into()
}

fn text(value: &JsValue, key: &str) -> String {
    Reflect::get(value, &JsValue::from_str(key))
        .unwrap()
        .as_string()
        .unwrap_or_default()
}

/// A data: address of a manifest, so that an engine can be made without a server.
fn manifest_url(json: &[u8]) -> JsValue {
    let encoded: String = js_sys::encode_uri_component(std::str::from_utf8(json).unwrap()).into();
    JsValue::from_str(&format!("data:application/json,{encoded}"))
}

async fn engine() -> WasmRuntime {
    let options = object(&[("bundle", manifest_url(MANIFEST))]);
    match WasmRuntime::create(options, JsValue::UNDEFINED).await {
        Ok(engine) => engine,
        Err(error) => panic!("{}", text(&error, "message")),
    }
}

fn signal() -> AbortSignal {
    web_sys::AbortController::new().unwrap().signal()
}

#[wasm_bindgen_test]
async fn an_engine_is_made_or_says_why_not() {
    let engine = engine().await;
    assert_eq!(js_sys::Array::from(&engine.tasks().unwrap()).length(), 7);
    let other = br#"{"format": "smallfirst-bundle", "version": 9}"#;
    for (options, code) in [
        (object(&[("bundle", manifest_url(b"[]"))]), "not_a_bundle"),
        (object(&[("bundle", manifest_url(other))]), "bundle_version"),
        (
            object(&[("bundle", manifest_url(MANIFEST)), ("mod", "x".into())]),
            "invalid_option",
        ),
        (
            object(&[("bundle", manifest_url(MANIFEST)), ("mode", "maybe".into())]),
            "invalid_option",
        ),
        (object(&[]), "invalid_option"),
        (JsValue::from_str("x"), "invalid_option"),
        (
            object(&[
                ("bundle", manifest_url(MANIFEST)),
                ("manifestSha256", "00".into()),
            ]),
            "hash_mismatch",
        ),
        (
            object(&[
                ("bundle", manifest_url(MANIFEST)),
                ("maxBundleBytes", 1000.into()),
            ]),
            "file_size",
        ),
    ] {
        let error = WasmRuntime::create(options, JsValue::UNDEFINED)
            .await
            .expect_err(code);
        assert!(error.is_instance_of::<js_sys::Error>());
        assert_eq!(text(&error, "code"), code, "{}", text(&error, "message"));
    }
}

#[wasm_bindgen_test]
async fn an_engine_takes_in_what_another_answered() {
    let engine = engine().await;
    for reason in ["confident", "unsupported_language"] {
        let attempt = object(&[
            ("on", "local".into()),
            ("tier", "language".into()),
            ("outcome", "answered".into()),
            ("ms", 1.into()),
            ("confidence", 0.9.into()),
        ]);
        let answer = object(&[
            ("reason", reason.into()),
            ("guaranteed", true.into()),
            ("risk", 0.05.into()),
            ("attempts", js_sys::Array::of1(&attempt).into()),
            ("task", "language".into()),
        ]);
        let adopted = engine.adopt("language".into(), answer, 10.0, signal());
        assert!(adopted.await.unwrap().is_object(), "{reason}");
    }
    let none = engine.adopt("language".into(), JsValue::UNDEFINED, 10.0, signal());
    assert_eq!(text(&none.await.unwrap_err(), "code"), "internal");
    let drift = engine.drift("language".into(), signal()).await.unwrap();
    let drift = js_sys::Array::from(&drift).get(0);
    let observed = Reflect::get(&drift, &JsValue::from_str("observed")).unwrap();
    assert_eq!(observed.as_f64(), Some(1.0));
    let ended = engine.guarantee_ended("language".into(), signal()).await;
    assert!(!ended.unwrap());
    assert_eq!(engine.manifest_sha256().len(), 64);

    // And one that comes after it goes on from there.
    let changes = engine.changes().unwrap();
    assert_eq!(js_sys::Array::from(&changes).length(), 1);
    assert_eq!(js_sys::Array::from(&engine.changes().unwrap()).length(), 0);
    let next = self::engine().await;
    next.resume(changes);
    next.resume(JsValue::from_str("nonsense"));
    let drift = next.drift("language".into(), signal()).await.unwrap();
    let drift = js_sys::Array::from(&drift).get(0);
    let observed = Reflect::get(&drift, &JsValue::from_str("observed")).unwrap();
    assert_eq!(observed.as_f64(), Some(1.0));
}

#[wasm_bindgen_test]
async fn values_that_are_no_inputs_are_refused() {
    let engine = engine().await;
    let lone = js_sys::JsString::from_char_code1(0xd800);
    for (input, code) in [
        (JsValue::from(lone), "invalid_text"),
        (JsValue::from_str(""), "empty_input"),
        (JsValue::from(Uint8Array::new_with_length(0)), "empty_input"),
        (JsValue::from(Uint8Array::new_with_length(9)), "input_kind"),
        (JsValue::from(1), "input_kind"),
        (JsValue::NULL, "input_kind"),
    ] {
        let error = engine
            .run("sentiment".into(), input, JsValue::UNDEFINED, signal())
            .await
            .expect_err(code);
        assert_eq!(text(&error, "code"), code);
    }
    let options = object(&[("topk", 3.into())]);
    let error = engine
        .run("sentiment".into(), "hello".into(), options, signal())
        .await
        .expect_err("an unknown option");
    assert_eq!(text(&error, "code"), "invalid_option");
}
