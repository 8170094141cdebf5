//! Where tokens are, pairs, masks and names.

use serde_json::{Value, json};

use super::{json as bert, tiny};
use crate::error::Code;
use crate::text::tokens::{Encoded, Part, TextTokenizer};

fn special(content: &str, id: u32) -> Value {
    json!({"id": id, "content": content, "single_word": false, "lstrip": content == "<mask>", "rstrip": false,
           "normalized": false, "special": true})
}

fn loaded(json: &Value) -> TextTokenizer {
    TextTokenizer::load("t.json", json.to_string().as_bytes()).unwrap()
}

/// The parts of a text that its tokens are at.
fn spelt<'t>(encoded: &Encoded, text: &'t str) -> Vec<&'t str> {
    let places = encoded.places.iter();
    places.map(|place| &text[place.start..place.end]).collect()
}

/// With the roles of BERT: `[CLS]` 6, `[SEP]` 7, `[MASK]` 8.
fn classes() -> TextTokenizer {
    let mut json: Value = serde_json::from_str(&bert()).unwrap();
    for (name, id) in [("[CLS]", 6), ("[SEP]", 7), ("[MASK]", 8)] {
        json["model"]["vocab"][name] = id.into();
    }
    json["added_tokens"] = json!([
        special("[UNK]", 0),
        special("[CLS]", 6),
        special("[SEP]", 7),
        special("[MASK]", 8)
    ]);
    json["post_processor"] =
        json!({"type": "BertProcessing", "sep": ["[SEP]", 7], "cls": ["[CLS]", 6]});
    json["decoder"] = json!({"type": "WordPiece", "prefix": "##", "cleanup": true});
    loaded(&json)
}

/// Byte pairs of bytes, as RoBERTa has them.
fn bytes(trims: bool, spaced: bool) -> TextTokenizer {
    let mut vocab = serde_json::Map::new();
    for byte in 0..=255_u32 {
        let printed = matches!(byte, 33..=126 | 161..=172 | 174..=255);
        let unprinted = (0..byte).filter(|b| !matches!(b, 33..=126 | 161..=172 | 174..=255));
        let code = if printed {
            byte
        } else {
            256 + unprinted.count() as u32
        };
        vocab.insert(char::from_u32(code).unwrap().to_string(), byte.into());
    }
    for (id, token) in (256..).zip(["hi", "\u{120}hi", "<s>", "</s>", "<mask>"]) {
        vocab.insert(token.to_owned(), id.into());
    }
    loaded(&json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [special("<s>", 258), special("</s>", 259), special("<mask>", 260)],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": spaced, "trim_offsets": true, "use_regex": true},
        "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 259], "cls": ["<s>", 258],
                           "trim_offsets": trims, "add_prefix_space": spaced},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
                  "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                  "vocab": vocab, "merges": ["h i", "\u{120} hi"]}
    }))
}

/// Characters with bytes for those that it has not, after `before`.
fn characters(fallback: bool, normalizer: &Value, before: &Value) -> TextTokenizer {
    let mut vocab = json!({"<unk>": 0, "a": 1, "b": 2, "ab": 3, "\u{2581}": 4, "\u{2581}ab": 5});
    if fallback {
        for byte in 0..=255_u32 {
            vocab[format!("<0x{byte:02X}>")] = (byte + 10).into();
        }
    }
    loaded(&json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": normalizer, "added_tokens": [],
        "pre_tokenizer": before, "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": fallback, "ignore_merges": false,
                  "vocab": vocab, "merges": ["a b", "\u{2581} ab"]}
    }))
}

#[test]
fn pieces_of_words_have_places_of_their_own() {
    let text = " Hello,\u{a0}wO\u{301}rld! \u{0}Cafe\u{301} xyz";
    let encoded = tiny().encoded(text, None, false).unwrap();
    assert_eq!(encoded.ids, tiny().ids(text, false).unwrap());
    let parts = ["Hello", ",", "wO\u{301}r", "ld", "!", "Cafe", "xyz"];
    // As Python's tokenizers has it, a mark that is left out is at no token's place if it ends one.
    assert_eq!(spelt(&encoded, text), parts);
    assert_eq!(encoded.coarse, 0);
    let text = "world caf\u{e9} world";
    let words = tiny().encoded(text, None, false).unwrap();
    assert_eq!(spelt(&words, text), ["wor", "ld", "caf\u{e9}", "wor", "ld"]);
    assert_eq!(words.starts_word, [true, false, true, true, false]);
}

#[test]
fn a_pair_has_types_and_parts() {
    let encoded = classes().encoded("world", Some("hello!"), true).unwrap();
    assert_eq!(encoded.ids, [6, 2, 3, 7, 1, 4, 7]);
    assert_eq!(encoded.type_ids, [0, 0, 0, 0, 1, 1, 1]);
    let parts: Vec<_> = encoded
        .places
        .iter()
        .map(|p| (p.part, p.start, p.end))
        .collect();
    let (first, second) = (Some(Part::First), Some(Part::Second));
    let none = (None, 0, 0);
    assert_eq!(
        parts,
        [
            none,
            (first, 0, 3),
            (first, 3, 5),
            none,
            (second, 0, 5),
            (second, 5, 6),
            none
        ]
    );
    let plain = classes().encoded("world", Some("hello!"), false).unwrap();
    assert_eq!(plain.ids, [2, 3, 1, 4]);
    assert_eq!(plain.type_ids, [0, 0, 1, 1]);
    let encoded = bytes(true, false).encoded("hi", Some(" hi"), true).unwrap();
    assert_eq!(encoded.ids, [258, 256, 259, 259, 257, 259]);
    assert_eq!(encoded.type_ids, [0; 6]);
}

#[test]
fn bytes_are_at_their_characters_and_spaces_come_off() {
    let text = "hi hi \u{e9} hi";
    let spaces = bytes(false, false).encoded(text, None, false).unwrap();
    assert_eq!(
        spelt(&spaces, text),
        ["hi", " hi", " ", "\u{e9}", "\u{e9}", " hi"]
    );
    let trimmed = bytes(true, false).encoded(text, None, false).unwrap();
    assert_eq!(trimmed.ids, spaces.ids);
    assert_eq!(
        spelt(&trimmed, text),
        ["hi", "hi", "", "\u{e9}", "\u{e9}", "hi"]
    );
    assert_eq!(trimmed.starts_word, [true, true, true, true, true, true]);
    // The space that is put before the text is not in it.
    for text in ["hi hi", " hi hi"] {
        let spaced = bytes(true, true).encoded(text, None, false).unwrap();
        assert_eq!(spaced.ids, [257, 257], "{text}");
        assert_eq!(spaced.ids, bytes(true, true).ids(text, false).unwrap());
        let first = if text.starts_with(' ') { " hi" } else { "hi" };
        assert_eq!(spelt(&spaced, text), [first, "hi"]);
    }
}

#[test]
fn unknown_characters_are_at_their_places() {
    let before = json!({"type": "WhitespaceSplit"});
    let text = "ab\u{e9}\u{e8}ab \u{4e2d} a\u{1f600}";
    let unknown = characters(false, &Value::Null, &before)
        .encoded(text, None, false)
        .unwrap();
    assert_eq!(
        spelt(&unknown, text),
        ["ab", "\u{e9}\u{e8}", "ab", "\u{4e2d}", "a", "\u{1f600}"]
    );
    let bytes = characters(true, &Value::Null, &before)
        .encoded(text, None, false)
        .unwrap();
    assert_eq!(
        spelt(&bytes, text)[..6],
        ["ab", "\u{e9}", "\u{e9}", "\u{e8}", "\u{e8}", "ab"]
    );
    assert_eq!(unknown.coarse + bytes.coarse, 0);
}

#[test]
fn normalised_characters_are_traced() {
    let steps = json!({"type": "Sequence", "normalizers": [
        {"type": "Strip", "strip_left": true, "strip_right": true}, {"type": "NFKC"}, {"type": "Lowercase"},
        {"type": "Replace", "pattern": {"String": "bb"}, "content": "a"},
        {"type": "Prepend", "prepend": "\u{2581}"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"},
    ]});
    let tokenizer = characters(false, &steps, &Value::Null);
    let text = "\n \u{ff21}B Bb\u{3000}\u{212b}a";
    let encoded = tokenizer.encoded(text, None, false).unwrap();
    // Of what is replaced, Python's tokenizers keeps the last character.
    assert_eq!(
        spelt(&encoded, text),
        ["\u{ff21}B", " ", "b", "\u{3000}", "\u{212b}", "a"]
    );
    assert_eq!(encoded.ids, tokenizer.ids(text, false).unwrap());
    // Marks in another order than the normal form's, and more of them than are told.
    for marks in [
        "\u{301}\u{316}".to_owned(),
        "\u{301}\u{316}".repeat(100),
        "\u{316}".repeat(100_000),
    ] {
        let text = format!("ab A{marks}b");
        let encoded = tokenizer.encoded(&text, None, false).unwrap();
        let last = encoded.places.last().unwrap();
        assert_eq!(&text[last.end - 1..], "b");
    }
}

#[test]
fn only_the_mask_is_a_token_of_a_text() {
    let tokenizer = classes();
    let text = "hello [MASK]! [SEP] [CLS]";
    let masked = tokenizer.encoded_with_mask(text, "[MASK]", true).unwrap();
    assert_eq!(masked.ids[..4], [6, 1, 8, 4]);
    assert_eq!(
        &text[masked.places[2].start..masked.places[2].end],
        "[MASK]"
    );
    assert_eq!(
        masked.ids.iter().filter(|&&id| id == 7 || id == 6).count(),
        2
    );
    assert!(!tokenizer.ids(text, true).unwrap().contains(&8));
    assert!(
        !tokenizer
            .encoded(text, None, true)
            .unwrap()
            .ids
            .contains(&8)
    );
    // RoBERTa's takes the space before it.
    let tokenizer = bytes(true, false);
    let masked = tokenizer
        .encoded_with_mask("hi <mask> hi", "<mask>", true)
        .unwrap();
    assert_eq!(masked.ids, [258, 256, 260, 257, 259]);
    let error = tokenizer
        .encoded_with_mask("hi", "[MASK]", true)
        .unwrap_err();
    assert_eq!(error.code(), Code::ModelInvalid);
    assert!(
        error.to_string().contains("has no special token"),
        "{error}"
    );
}

#[test]
fn tokens_have_names_and_ids() {
    let tokenizer = classes();
    assert_eq!(tokenizer.token(3).as_deref(), Some("##ld"));
    assert_eq!(tokenizer.id_of("##ld"), Some(3));
    assert_eq!(tokenizer.id_of("[SEP]"), Some(7));
    assert_eq!(
        (
            tokenizer.token(-1),
            tokenizer.token(9),
            tokenizer.id_of("ld")
        ),
        (None, None, None)
    );
    assert_eq!(tokenizer.vocabulary(), 9);
    let ids = tokenizer.ids("hello world!", true).unwrap();
    assert_eq!(tokenizer.decode(&ids, true).unwrap(), "hello world!");
    assert_eq!(
        tokenizer.decode(&ids, false).unwrap(),
        "[CLS] hello world! [SEP]"
    );
    let specials = tokenizer.specials();
    assert_eq!(
        (specials.begins, specials.separates, specials.mask),
        (Some(6), Some(7), Some(8))
    );
    assert_eq!((specials.pads, specials.unknown), (None, Some(0)));
    let tokenizer = bytes(true, true);
    let ids = tokenizer.ids("hi \u{e9}", true).unwrap();
    assert_eq!(tokenizer.decode(&ids, true).unwrap(), " hi \u{e9}");
    assert_eq!(tokenizer.vocabulary(), 261);
}

/// Tokens that no text can spell have the names and ids that they had, and so do those that are added after them.
#[test]
fn renamed_tokens_keep_their_names_and_ids() {
    let mut added = special("new", 4);
    added["special"] = false.into();
    let tokenizer = loaded(&json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "decoder": null,
        "added_tokens": [special("[UNK]", 0), special("[MASK]", 1), special("[SEP]", 2), added],
        "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null,
        "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "[MASK]": 1, "[SEP]": 2, "a": 3}}
    }));
    assert_eq!(
        tokenizer.ids("a [SEP] [MASK] new", false).unwrap(),
        [3, 0, 0, 4]
    );
    let masked = tokenizer
        .encoded_with_mask("a [SEP] [MASK] new", "[MASK]", false)
        .unwrap();
    assert_eq!(masked.ids, [3, 0, 1, 4]);
    assert_eq!(
        (tokenizer.id_of("[MASK]"), tokenizer.id_of("new")),
        (Some(1), Some(4))
    );
    assert_eq!(tokenizer.token(2).as_deref(), Some("[SEP]"));
    assert_eq!(tokenizer.decode(&[3, 2, 1], true).unwrap(), "a");
    assert_eq!(
        tokenizer.decode(&[3, 2, 1], false).unwrap(),
        "a [SEP] [MASK]"
    );
    assert_eq!(tokenizer.vocabulary(), 5);
}

/// Any text has the ids it had, at places between its characters.
#[test]
fn no_text_has_a_place_in_a_character() {
    let normalizer = json!({"type": "Sequence", "normalizers": [{"type": "Nmt"}, {"type": "NFKC"}, {"type": "StripAccents"}]});
    let metaspace = json!({"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true});
    let tokenizers = [
        tiny(),
        classes(),
        bytes(true, true),
        bytes(false, false),
        characters(true, &normalizer, &metaspace),
        characters(false, &json!({"type": "NFD"}), &Value::Null),
    ];
    let parts: Vec<char> = "aAbBhi \u{a0}\n\u{0}\u{2581}<[]>#!\u{e9}\u{301}\u{316}\u{345}\u{4e2d}\u{ac01}\u{1100}\u{1161}\u{fb01}\u{130}\u{1f600}\u{fdd0}\u{feff}"
        .chars()
        .collect();
    let mut state: u64 = 7;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..3_000 {
        let text: String = (0..next(12)).map(|_| parts[next(parts.len())]).collect();
        for tokenizer in &tokenizers {
            let encoded = tokenizer.encoded(&text, None, false).unwrap();
            assert_eq!(
                encoded.ids,
                tokenizer.ids(&text, false).unwrap(),
                "{text:?}"
            );
            for place in &encoded.places {
                assert!(
                    text.get(place.start..place.end).is_some(),
                    "{text:?}: {place:?}"
                );
            }
        }
    }
}
