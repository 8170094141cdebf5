//! Regular expressions of tokenizers.

use serde_json::{Value, json};
use tokenizers::pipeline::{PreTokenizer, PreTokenizerScratch};
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{SplitDelimiterBehavior, utils::byte_level::GPT2_REGEX_STR};

use crate::error::Code;
use crate::text::tokens::TextTokenizer;
use crate::text::tokens::expression::Expression;

const CL100K: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const O200K: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The matches of an expression in a text.
fn found<'t>(expression: &str, text: &'t str) -> Vec<&'t str> {
    let parts = Expression::new(expression).unwrap().parts(text).unwrap();
    let matches = parts.iter().filter(|(_, found)| *found);
    matches
        .map(|&((start, end), _)| &text[start..end])
        .collect()
}

#[test]
fn parts_are_tried_in_their_order_and_go_back() {
    assert_eq!(found("a|ab|b", "abb"), ["a", "b", "b"]);
    assert_eq!(found("(?:a|ab)c?", "abc"), ["a"]);
    assert_eq!(found("(a|ab)c", "abc"), ["abc"]);
    assert_eq!(found("a+a", "aaa"), ["aaa"]);
    assert_eq!(found("a++a|b", "aaab"), ["b"]);
    assert_eq!(found("(?>a|ab)c|b", "abc"), ["b"]);
    assert_eq!(found("a+?", "aaa"), ["a", "a", "a"]);
    assert_eq!(found("a{2}|a", "aaaaa"), ["aa", "aa", "a"]);
    assert_eq!(found("a{1,3}", "aaaaa"), ["aaa", "aa"]);
    assert_eq!(found("a{2,}", "a aaa"), ["aaa"]);
    assert_eq!(found(r"\s+(?!\S)|\s+", "a   b  "), ["  ", " ", "  "]);
    assert_eq!(found("a(?=b)", "aab"), ["a"]);
    assert_eq!(found("(ab?)*c", "aababcab"), ["aababc"]);
    assert_eq!(found("x*", "axxb"), ["xx"]);
}

#[test]
fn sets_are_those_of_unicode() {
    assert_eq!(found(r"\p{L}+", "a\u{e9}\u{4e2d}1"), ["a\u{e9}\u{4e2d}"]);
    assert_eq!(found(r"[^\s\p{L}\p{N}]+", "a!? b"), ["!?"]);
    assert_eq!(found(r"\P{N}|\p{^L}", "1a"), ["1", "a"]);
    assert_eq!(found(r"[-\w]+", "a-b_c d"), ["a-b_c", "d"]);
    assert_eq!(
        found(r"[a-c\u0300-\u036F\x{41}]+", "abcA\u{301}d"),
        ["abcA\u{301}"]
    );
    assert_eq!(
        found("(?i:'S|k)", "'s \u{212a}K 's"),
        ["'s", "\u{212a}", "K", "'s"]
    );
    assert_eq!(
        found(r" ?[^(\s|[.,!])]+", "a b(c, d|e"),
        ["a", " b", "c", " d", "e"]
    );
    assert_eq!(found(r"[\]\\^]+|\.", r"a]\^."), [r"]\^", "."]);
}

#[test]
fn what_is_not_known_is_refused() {
    for bad in [
        "^a",
        "a$",
        r"\ba",
        "(?<=a)b",
        "(?<n>a)",
        r"(a)\1",
        "(?i)a",
        "[a&&b]",
        "[[:alpha:]]",
        "a{1,3}+",
        "a**",
        "a)",
        "(a",
        "[a",
        r"\p{Han}",
        r"\K",
        "a{100}",
        "*a",
        "[]a]",
        "[z-a]",
    ] {
        assert!(Expression::new(bad).is_err(), "{bad}");
    }
    let deep = format!("{}a{}", "(".repeat(20), ")".repeat(20));
    assert!(Expression::new(&deep).is_err());
    let wide = format!("{}a{}", "(".repeat(10), "{64})".repeat(10));
    assert!(Expression::new(&wide).is_err());
}

/// An expression may take longer than its text is worth; then it is an error, not a wait.
#[test]
fn no_text_holds_a_worker() {
    let text = "a".repeat(100_000);
    assert!(Expression::new("(a|a)*b").unwrap().parts(&text).is_err());
    assert!(Expression::new("(a?)*b").unwrap().parts("aaa").is_err());
    assert!(Expression::new("(a*)*b|a").unwrap().parts(&text).is_err());
    let parts = Expression::new(CL100K).unwrap().parts(&text).unwrap();
    assert_eq!(parts, [((0, text.len()), true)]);
    for text in [
        " ".repeat(100_000),
        "\u{301}".repeat(100_000),
        "a\n".repeat(100_000),
    ] {
        assert!(Expression::new(CL100K).unwrap().parts(&text).is_ok());
    }
}

/// The expressions that the library has built in divide texts as it does. Only that a long s is an s, as it is in Python's
/// tokenizers, the library's do not know.
#[test]
fn known_expressions_divide_as_the_built_in_ones_do() {
    let parts: Vec<char> =
        "aZ\u{e9}\u{4e2d}\u{301}\u{1c5}12\u{bd}'sTvE!?/ \u{a0}\t\r\n\n\u{1f600}_-"
            .chars()
            .collect();
    let mut state: u64 = 11;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut scratch = PreTokenizerScratch::default();
    for written in [GPT2_REGEX_STR, CL100K, O200K] {
        let expression = Expression::new(written).unwrap();
        let pattern = SplitPattern::Regex(written.to_owned());
        let built_in = Split::native(pattern, SplitDelimiterBehavior::Isolated, false).unwrap();
        assert!(built_in.grammar().is_some());
        for _ in 0..4_000 {
            let text: String = (0..next(24)).map(|_| parts[next(parts.len())]).collect();
            let mut spans = Vec::new();
            built_in
                .pre_tokenize(&text, &mut scratch, &mut spans)
                .unwrap();
            let theirs: Vec<_> = spans
                .iter()
                .map(|span| (span.range().start, span.range().end))
                .collect();
            let ours: Vec<_> = expression
                .parts(&text)
                .unwrap()
                .into_iter()
                .map(|(part, _)| part)
                .collect();
            assert_eq!(ours, theirs, "{text:?} by {written}");
        }
    }
}

/// A tokenizer of bytes whose words an expression gives.
fn dividing(split: &Value, normalizer: &Value) -> Result<TextTokenizer, crate::error::Error> {
    let vocab: serde_json::Map<_, _> = (0..)
        .zip(["<unk>", "a", "b", "aa", "1", " ", "!", "'", "s"])
        .map(|(id, token): (u32, &str)| (token.to_owned(), id.into()))
        .collect();
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": normalizer, "added_tokens": [],
        "pre_tokenizer": split, "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                  "vocab": vocab, "merges": ["a a"]}
    });
    TextTokenizer::load("t.json", file.to_string().as_bytes())
}

#[test]
fn words_are_divided_by_a_tokenizers_own_expressions() {
    let clip = r"'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
    let split =
        json!({"type": "Split", "pattern": {"Regex": clip}, "behavior": "Removed", "invert": true});
    let spaces = json!({"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "});
    let tokenizer = dividing(&split, &spaces).unwrap();
    let text = "aab \u{a0}\n11's!\ta";
    let encoded = tokenizer.encoded(text, None, false).unwrap();
    assert_eq!(encoded.ids, [3, 2, 4, 4, 7, 8, 6, 1]);
    assert_eq!(encoded.ids, tokenizer.ids(text, false).unwrap());
    assert_eq!(tokenizer.decode(&[3, 2], false).unwrap(), "aa b");
    // One after another, with those of the library.
    let both = json!({"type": "Sequence", "pretokenizers": [
        {"type": "WhitespaceSplit"},
        {"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Isolated", "invert": false},
        {"type": "Split", "pattern": {"String": "b"}, "behavior": "Removed", "invert": false},
    ]});
    let tokenizer = dividing(&both, &Value::Null).unwrap();
    assert_eq!(tokenizer.ids("aab a", false).unwrap(), [1, 1, 1]);
    let error = dividing(
        &json!({"type": "Split", "pattern": {"Regex": "^a"}, "behavior": "Removed", "invert": false}),
        &Value::Null,
    );
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::ModelInvalid);
    assert!(error.to_string().contains("not known"), "{error}");
}

#[test]
fn sets_are_replaced_one_by_one() {
    let splits = json!({"type": "WhitespaceSplit"});
    for (expression, content, text, ids) in [
        ("[!']", "a", "!b'", vec![1, 2, 1]),
        ("[!a]", "a", "!b", vec![1, 2]),
        (r"[\u200B\u00AD]", "", "a\u{200b}\u{ad}a", vec![3]),
        (r"\p{Zs}", " ", "a\u{3000}a", vec![1, 1]),
    ] {
        let step = json!({"type": "Replace", "pattern": {"Regex": expression}, "content": content});
        let tokenizer = dividing(&splits, &step).unwrap();
        assert_eq!(tokenizer.ids(text, false).unwrap(), ids, "{expression}");
        assert_eq!(tokenizer.encoded(text, None, false).unwrap().ids, ids);
    }
    for (expression, content) in [
        (r"\p{L}", "a"),
        ("[ab]", "ab"),
        ("[ab]+", "c"),
        ("a|b", "c"),
    ] {
        let step = json!({"type": "Replace", "pattern": {"Regex": expression}, "content": content});
        assert!(dividing(&splits, &step).is_err(), "{expression}");
    }
}
