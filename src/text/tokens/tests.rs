//! Tokenizers of every kind on texts of every kind.

mod encoded;
#[cfg(feature = "expressions")]
mod expression;

use super::canonical::{METASPACE, RUNS};
use super::*;
use serde_json::json;

fn json() -> String {
    let json = serde_json::json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "padding": null, "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100,
                  "vocab": {"[UNK]": 0, "hello": 1, "wor": 2, "##ld": 3, "!": 4, "cafe": 5}}
    });
    json.to_string()
}

fn tiny() -> TextTokenizer {
    TextTokenizer::load("tiny", json().as_bytes()).unwrap()
}

#[test]
fn words_are_normalised_and_split_and_nothing_is_cut() {
    assert_eq!(
        tiny().ids("Hello wOrld! Café xyz", false).unwrap(),
        [1, 2, 3, 4, 5, 0]
    );
}

#[test]
fn odd_texts_give_tokens_or_nothing() {
    assert!(tiny().ids("", false).unwrap().is_empty());
    assert!(tiny().ids(" \n\t\u{0} ", false).unwrap().is_empty());
    let long = "x".repeat(100_000);
    assert_eq!(tiny().ids(&long, false).unwrap(), [0]);
}

#[test]
fn tokens_are_found_in_the_text() {
    let text = " Hello,\u{a0}wOrld!caf\u{e9}";
    let place = |part: &str| text.find(part).map(|at| (at, at + part.len())).unwrap();
    assert_eq!(
        tiny().places("Hello wOrld!Caf\u{e9}", false).unwrap(),
        [
            (1, (0, 5)),
            (2, (6, 11)),
            (3, (6, 11)),
            (4, (11, 12)),
            (5, (12, 17))
        ]
    );
    assert_eq!(
        tiny().places(text, false).unwrap(),
        [
            (1, place("Hello")),
            (0, place(",")),
            (2, place("wOrld")),
            (3, place("wOrld")),
            (4, place("!")),
            (5, place("caf\u{e9}")),
        ]
    );
    assert!(tiny().places("", true).unwrap().is_empty());
}

#[test]
fn special_tokens_have_no_place() {
    let mut json: Value = serde_json::from_str(&json()).unwrap();
    json["post_processor"] = serde_json::json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "!", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                   {"SpecialToken": {"id": "!", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"!": {"id": "!", "ids": [4], "tokens": ["!"]}}
    });
    let tokenizer = TextTokenizer::load("around", json.to_string().as_bytes()).unwrap();
    assert_eq!(tokenizer.ids("hello", true).unwrap(), [4, 1, 4]);
    assert!(tokenizer.ids(" ", true).unwrap().is_empty());
    assert_eq!(
        tokenizer.places("! hello", true).unwrap(),
        [(4, (0, 0)), (4, (0, 1)), (1, (2, 7)), (4, (0, 0))]
    );
}

/// A text that spells a special token, with tokenizers of every kind of model.
#[test]
fn special_tokens_in_a_text_are_text() {
    let special = |tokens: &[(&str, u32)]| -> Value {
        let one = |&(content, id): &(&str, u32)| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": true})
        };
        tokens.iter().map(one).collect()
    };
    let around = |begins: (&str, u32), ends: (&str, u32)| -> Value {
        let token = |(name, id): (&str, u32)| {
            (
                name.to_owned(),
                json!({"id": name, "ids": [id], "tokens": [name]}),
            )
        };
        json!({
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": begins.0, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": ends.0, "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": Value::Object([token(begins), token(ends)].into_iter().collect()),
        })
    };
    let split = json!({"type": "WhitespaceSplit"});
    let metaspace = json!({"type": "Metaspace", "replacement": METASPACE, "prepend_scheme": "always", "split": true});
    let models = [
        (
            json!({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                   "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "[": 4, "##S": 5}}),
            split.clone(),
        ),
        (
            json!({"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3}}),
            split.clone(),
        ),
        (
            json!({"type": "BPE", "dropout": null, "unk_token": "[UNK]", "continuing_subword_prefix": null,
                   "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": true,
                   "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "[": 4, "S": 5}, "merges": []}),
            split,
        ),
        (
            json!({"type": "Unigram", "unk_id": 0, "byte_fallback": false,
                   "vocab": [["[UNK]", 0.0], ["[CLS]", 0.0], ["[SEP]", 0.0], ["a", -1.0], [METASPACE, -2.0], ["[", -3.0]]}),
            metaspace,
        ),
    ];
    for (model, pre) in models {
        let json = json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "decoder": null,
            "added_tokens": special(&[("[UNK]", 0), ("[CLS]", 1), ("[SEP]", 2)]),
            "pre_tokenizer": pre, "post_processor": around(("[CLS]", 1), ("[SEP]", 2)), "model": model,
        })
        .to_string();
        let canonical = TextTokenizer::canonical(&json).unwrap();
        for json in [json, canonical] {
            let tokenizer = TextTokenizer::load("t.json", json.as_bytes()).unwrap();
            for text in [
                "a [SEP] a",
                "[SEP]",
                "[CLS]a[SEP]",
                "a \u{fdd0}[SEP] a",
                "[UNK] [SEP]",
            ] {
                let plain = tokenizer.ids(text, false).unwrap();
                assert!(
                    !plain.contains(&1) && !plain.contains(&2),
                    "{text}: {plain:?} of {}",
                    model["type"]
                );
                let whole = tokenizer.ids(text, true).unwrap();
                assert_eq!(
                    whole,
                    [&[1], &plain[..], &[2]].concat(),
                    "{text} of {}",
                    model["type"]
                );
            }
            assert!(tokenizer.ids("a", false).unwrap().contains(&3));
        }
    }
}

#[test]
fn the_canonical_form_is_the_same_tokenizer() {
    let canonical = TextTokenizer::canonical(&json()).unwrap();
    assert!(canonical.starts_with(CANONICAL));
    assert_eq!(TextTokenizer::canonical(&canonical).unwrap(), canonical);
    let tokenizer = TextTokenizer::load("t.json", canonical.as_bytes()).unwrap();
    for text in ["Hello, wOrld! caf\u{e9}", "", "x y hello"] {
        for special in [false, true] {
            let ids = tokenizer.ids(text, special).unwrap();
            assert_eq!(ids, tiny().ids(text, special).unwrap(), "{text}");
        }
    }
    assert!(TextTokenizer::canonical("[]").is_err());
}

/// A tokenizer of characters that replaces by a regular expression first.
fn replacing(pattern: &str, content: &str) -> Result<TextTokenizer> {
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}
        ]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true},
        "post_processor": null, "decoder": null,
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false,
                  "vocab": [["<unk>", 0.0], ["\u{2581}", -1.0], ["a", -1.0], ["b", -1.0]]}
    });
    TextTokenizer::load("t.json", json.to_string().as_bytes())
}

#[test]
fn runs_of_spaces_become_one_without_regular_expressions() {
    for content in [" ", "\u{2581}"] {
        let tokenizer = replacing(" {2,}", content).unwrap();
        for n in (1..=300).chain([511, 4_095, 65_535, 1_000_001]) {
            let text = format!("a{}b ab", " ".repeat(n));
            assert_eq!(
                tokenizer.ids(&text, false).unwrap(),
                [1, 2, 1, 3, 1, 2, 3],
                "{n}"
            );
        }
    }
    for run in 1..=1_usize << 16 {
        assert_eq!(RUNS.iter().fold(run, |k, n| k / n + k % n), 1, "{run}");
    }
    let error = replacing("[ab]+", " ").unwrap_err();
    assert_eq!(error.code(), Code::ModelInvalid);
    assert!(error.to_string().contains("not built in"), "{error}");
}

#[test]
fn what_is_no_tokenizer_is_refused() {
    for bad in ["", "{}", "[]", "<html>", r#"{"model": {"type": "Nope"}}"#] {
        let error = TextTokenizer::load("t.json", bad.as_bytes()).unwrap_err();
        assert_eq!(error.code(), Code::ModelInvalid, "{bad}");
        assert!(error.to_string().starts_with("t.json"), "{error}");
    }
}
