//! A `tokenizer.json` of any kind, up to the first zero byte; then the text it is given.

use serde_json::{Value, json};
use smallfirst::text::TextTokenizer;

use super::Target;

/// A file is a tokenizer whose tokens lie in the text, or there is a typed error.
pub const TOKENIZER: Target = Target {
    name: "tokenizer",
    read,
    choice: 0,
    seeds,
    most: 8 << 10,
    words: &[
        "\"type\":\"BPE\"",
        "\"type\":\"WordPiece\"",
        "\"type\":\"Unigram\"",
        "\"type\":\"WordLevel\"",
        "\"type\":\"Sequence\"",
        "\"type\":\"Replace\"",
        "\"type\":\"Prepend\"",
        "\"type\":\"NFKD\"",
        "\"type\":\"Lowercase\"",
        "\"type\":\"BertNormalizer\"",
        "\"type\":\"Precompiled\"",
        "\"type\":\"ByteLevel\"",
        "\"type\":\"Metaspace\"",
        "\"type\":\"Split\"",
        "\"type\":\"Punctuation\"",
        "\"type\":\"Digits\"",
        "\"type\":\"UnicodeScripts\"",
        "\"type\":\"TemplateProcessing\"",
        "\"pattern\":{\"String\":\"",
        "\"pattern\":{\"Regex\":\" {2,}\"}",
        "\"vocab\":{\"",
        "\"merges\":[[\"",
        "\"normalizers\":[{",
        "\"pretokenizers\":[{",
        "\"added_tokens\":[{\"id\":0,\"content\":\"",
        "\"byte_fallback\":true",
        "\"fuse_unk\":true",
        "\"ignore_merges\":true",
        "\"max_input_chars_per_word\":",
    ],
};

const SAMPLE: &str = "Hello, wOrld! caf\u{e9}  don't \u{4e2d} 3.5\n\u{1f642}aaaaaaaa";

fn read(data: &[u8]) {
    let mut parts = data.splitn(2, |&byte| byte == 0);
    let json = parts.next().unwrap_or_default();
    let Ok(tokenizer) = TextTokenizer::load("t", json) else {
        return;
    };
    let text = parts.next().map(String::from_utf8_lossy);
    let text = text.as_deref().unwrap_or(SAMPLE);
    for special in [false, true] {
        let _ = tokenizer.ids(text, special);
    }
    let Ok(places) = tokenizer.places(text, true) else {
        return;
    };
    for (_, (start, end)) in places {
        assert!(text.get(start..end).is_some(), "{start}..{end}");
    }
    // What is brought into the newest format is the same tokenizer.
    let canonical = str::from_utf8(json).map(TextTokenizer::canonical);
    let Ok(Ok(canonical)) = canonical else {
        return;
    };
    let again = TextTokenizer::load("t", canonical.as_bytes()).expect("it was converted");
    let both = [&tokenizer, &again].map(|t| t.ids(text, true).ok());
    assert!(both[0] == both[1] || !distinct(&canonical), "{both:?}");
}

/// Whether no two tokens have the same id. Of those that have, the library gives either, otherwise each time a file is loaded.
fn distinct(json: &str) -> bool {
    let file: Value = serde_json::from_str(json).expect("it was converted");
    let mut ids: Vec<u64> = Vec::new();
    if let Some(vocab) = file["model"]["vocab"].as_object() {
        ids.extend(vocab.values().filter_map(Value::as_u64));
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    ids.len() == all
}

/// A small tokenizer of each kind of model.
pub fn small() -> Vec<String> {
    let letters = "abcdefghijklmnopqrstuvwxyz";
    let mut pieces: Vec<String> = vec!["[UNK]".into()];
    pieces.extend(letters.chars().map(String::from));
    let mut wordpieces = pieces.clone();
    wordpieces.extend(letters.chars().map(|c| format!("##{c}")));
    wordpieces.extend(["hello", "##ld", "wor", "!", ","].map(String::from));
    let ids = |pieces: &[String]| -> Value {
        let numbered = pieces.iter().enumerate();
        numbered
            .map(|(id, piece)| (piece.clone(), json!(id)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let mut bytes = pieces.clone();
    let merges = [
        ["a", "a"],
        ["aa", "aa"],
        ["h", "e"],
        ["l", "l"],
        ["\u{120}", "h"],
        ["he", "ll"],
        ["a", "b"],
        ["ab", "ab"],
    ];
    // A letter for each byte, as GPT-2 has them: printable ones for themselves, the others from 256 on.
    let printable = |byte: &u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let others = (0..256)
        .filter(|byte| !printable(byte))
        .zip(256..)
        .map(|(_, letter)| letter);
    let all = (0..256)
        .filter(printable)
        .chain(others)
        .filter_map(char::from_u32);
    bytes.extend(all.filter(|c| !letters.contains(*c)).map(String::from));
    bytes.extend(merges.iter().map(|pair| pair.concat()));
    let scored: Vec<Value> = pieces
        .iter()
        .map(String::as_str)
        .chain(["\u{2581}", "\u{2581}he", "llo", "aa", "aaaa", "ab"])
        .zip(1..)
        .map(|(piece, n)| json!([piece, -f64::from(n) / 4.0]))
        .collect();
    let added = json!([{"id": 0, "content": "[UNK]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}]);
    let whole = |model: Value, normalizer: Value, pre: Value, post: Value| {
        json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": normalizer,
            "pre_tokenizer": pre, "post_processor": post, "decoder": null, "model": model})
        .to_string()
    };
    vec![
        whole(
            json!({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": ids(&wordpieces)}),
            json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}),
            json!({"type": "BertPreTokenizer"}),
            json!({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[UNK]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"[UNK]": {"id": "[UNK]", "ids": [0], "tokens": ["[UNK]"]}}}),
        ),
        whole(
            json!({"type": "BPE", "dropout": null, "unk_token": "[UNK]", "continuing_subword_prefix": null, "end_of_word_suffix": null,
                "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": ids(&bytes), "merges": merges}),
            Value::Null,
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}),
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}),
        ),
        // Without a pre-tokenizer the whole text is one word.
        whole(
            json!({"type": "BPE", "dropout": null, "unk_token": "[UNK]", "continuing_subword_prefix": null, "end_of_word_suffix": null,
                "fuse_unk": true, "byte_fallback": false, "ignore_merges": false, "vocab": ids(&bytes), "merges": merges}),
            json!({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}),
            Value::Null,
            Value::Null,
        ),
        whole(
            json!({"type": "Unigram", "unk_id": 0, "vocab": scored, "byte_fallback": false}),
            json!({"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u{2581}"}]}),
            json!({"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true}),
            Value::Null,
        ),
        whole(
            json!({"type": "WordLevel", "unk_token": "[UNK]", "vocab": ids(&wordpieces)}),
            json!({"type": "Sequence", "normalizers": [{"type": "Strip", "strip_left": true, "strip_right": true}, {"type": "Nmt"}, {"type": "NFD"}]}),
            json!({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Isolated"}, {"type": "Digits", "individual_digits": true}]}),
            Value::Null,
        ),
    ]
}

fn seeds() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    for json in small() {
        all.push(json.clone().into_bytes());
        all.push([json.as_bytes(), b"\0hello aaaa a"].concat());
        let canonical = TextTokenizer::canonical(&json).expect("it is a tokenizer");
        all.push(canonical.into_bytes());
    }
    all
}
