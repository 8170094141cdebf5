//! People's names do not leave where texts are redacted, when the bundle has a tagger.

use super::*;
use crate::engine::testing::rows;

/// A bundle with a tagger that knows "ann" and "bo" as first names and "lee" as what goes on with one.
fn setup() -> Setup {
    let mut setup = Setup::new(Mode::OnlyRemote);
    let words = ["[UNK]", "ann", "bo", "lee", "wrote", "to", ".", "x", "##a"];
    let vocabulary: BTreeMap<&str, usize> = words.iter().copied().zip(0..).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocabulary}
    });
    let scores: Vec<Vec<f32>> = words
        .iter()
        .map(|word| match *word {
            "ann" | "bo" => vec![0.0, 5.0, 1.0],
            "lee" => vec![0.0, 1.0, 5.0],
            _ => vec![5.0, 0.0, 1.0],
        })
        .collect();
    setup.files.insert("tagger.onnx".into(), rows(&scores));
    setup
        .files
        .insert("tokenizer.json".into(), tokenizer.to_string().into_bytes());
    let mut manifest = manifest(&setup.files);
    manifest["tokenizers"] = json!({"words": {"kind": "hf-tokenizer", "file": "tokenizer.json"}});
    manifest["tagger"] = json!({"file": "tagger.onnx", "tokenizer": "words", "person": "PER",
                                "labels": ["O", "B-PER", "I-PER"], "maxTokens": 32});
    for task in ["language", "mood"] {
        manifest["tasks"][task]["limits"]["maxBytes"] = json!(10_000);
    }
    setup.manifest = manifest;
    setup.privacy = json!({"redact": {}});
    setup
}

fn sent(setup: Setup, text: &str) -> String {
    let remote = Remote::answering("up");
    let answer = run(&setup.runtime(), "mood", text, &remote).unwrap();
    assert_eq!(answer.ran_on, RanOn::Remote);
    answer.sent[0].body.clone()
}

#[test]
fn names_are_replaced_wherever_they_stand() {
    let body = sent(setup(), "Ann Lee wrote to Bo. Annas x. ann lee, Bo!");
    assert!(
        body.contains("[NAME_1] wrote to [NAME_2]. Annas x. [NAME_3], [NAME_2]!"),
        "{body}"
    );
}

#[test]
fn names_are_found_in_texts_longer_than_the_tagger_reads() {
    let text = format!(
        "{} Ann Lee {} Bo",
        "x wrote ".repeat(13),
        "to x ".repeat(60)
    );
    let body = sent(setup(), &text);
    assert!(
        !body.contains("Ann") && !body.contains("Lee") && !body.contains("Bo"),
        "{body}"
    );
}

#[test]
fn names_stay_where_nobody_wants_them_out() {
    let mut only_mail = setup();
    only_mail.privacy = json!({"redact": {"kinds": ["email"]}});
    assert!(sent(only_mail, "Ann Lee wrote").contains("Ann Lee"));
    let mut nothing = setup();
    nothing.privacy = json!({});
    assert!(sent(nothing, "Ann Lee wrote").contains("Ann Lee"));
}

#[test]
fn what_the_tagger_could_not_look_at_does_not_leave() {
    let mut setup = setup();
    setup.files.insert("tagger.onnx".into(), b"broken".to_vec());
    let hash = Sha256::digest(b"broken");
    let hash: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    setup.manifest["files"]["tagger.onnx"] = json!({"bytes": 6, "sha256": hash, "license": "MIT"});
    let remote = Remote::answering("up");
    let error = run(&setup.runtime(), "mood", "Ann Lee wrote", &remote).unwrap_err();
    assert_eq!(error.code(), Code::EgressDenied);
    assert!(error.to_string().contains("names could not be looked for"));
    assert_eq!(remote.asked(), 0);
}

#[test]
fn a_tagger_must_make_sense() {
    let broken = [
        ("/tagger/file", json!("gone.onnx")),
        ("/tagger/tokenizer", json!("gone")),
        ("/tagger/person", json!("LOC")),
        ("/tagger/maxTokens", json!(8)),
    ];
    for (at, value) in broken {
        let mut manifest = setup().manifest;
        *manifest.pointer_mut(at).unwrap() = value;
        let error = Bundle::parse(manifest.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.code(), Code::BundleInvalid, "{at}");
    }
}
