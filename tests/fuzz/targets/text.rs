//! An input, through everything that makes tensors of texts: the tokenizer that ships and small ones of the other kinds,
//! n-grams, sentences, names.

use std::sync::OnceLock;

use smallfirst::text::{
    NgramTable, NgramVocabulary, Tag, TextTokenizer, buckets, central, names, sentences,
};

use super::{Target, tokenizer};

/// A text is tensors of the promised shape.
pub const TEXT: Target = Target {
    name: "text",
    read,
    choice: 0,
    seeds,
    most: 1 << 10,
    words: &[
        "\u{2581}",
        "[CLS]",
        "</s>",
        "don't",
        "\u{301}",
        "\u{4e2d}",
        "\u{1f468}\u{200d}\u{1f469}",
        "e.g. ",
        "\r\n",
    ],
};

struct Readers {
    tokenizers: Vec<TextTokenizer>,
    ngrams: NgramVocabulary,
    characters: NgramTable,
}

fn readers() -> &'static Readers {
    static READERS: OnceLock<Readers> = OnceLock::new();
    READERS.get_or_init(|| {
        let shipped: &[u8] = include_bytes!("../../../models/static-text/tokenizer.json");
        let ngrams = r#"{"unigrams": ["a", "e", " "], "bigrams": ["th", "n "], "trigrams": ["the"], "quadgrams": [" der"]}"#;
        let characters = include_bytes!("../../../models/language/ngrams.sfng");
        let small = tokenizer::small();
        let all = small.iter().map(|json| json.as_bytes()).chain([shipped]);
        Readers {
            tokenizers: all
                .map(|json| TextTokenizer::load("t", json).expect("it is a tokenizer"))
                .collect(),
            ngrams: NgramVocabulary::load("n", ngrams.as_bytes()).expect("it is a vocabulary"),
            characters: NgramTable::load("n", characters).expect("it ships"),
        }
    })
}

fn read(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let readers = readers();
    for tokenizer in &readers.tokenizers {
        let ids = tokenizer.ids(&text, true).expect("a sound tokenizer");
        let found = buckets(&text, &ids, 1 << 16, 0);
        assert!(found.len() <= 2 * ids.len());
        assert!(found.is_sorted_by(|a, b| a < b));
        // Of a character come at most two cues, and two more are of the text as a whole.
        let found = buckets(&text, &ids, 1 << 16, 1);
        assert!(found.len() <= 2 * (2 * ids.len() + 2 * text.chars().count() + 2));
        assert!(found.is_sorted_by(|a, b| a < b));
        let Ok(places) = tokenizer.places(&text, true) else {
            continue;
        };
        for &(_, (start, end)) in &places {
            assert!(text.get(start..end).is_some(), "{start}..{end}");
        }
        // As a tagger might label them: every third begins a name, every fourth goes on.
        let tags = (0..).zip(&places).map(|(at, &(_, place))| match at % 12 {
            0 | 3 | 6 | 9 => (place, Tag::Begins),
            1 | 4 | 8 => (place, Tag::Goes),
            _ => (place, Tag::Other),
        });
        for name in names(&text, &tags.collect::<Vec<_>>()) {
            assert!(!name.is_empty());
        }
    }
    if let Some(frequencies) = readers.ngrams.frequencies(&text) {
        assert!(frequencies.iter().all(|f| (0.0..=1.0).contains(f)));
    }
    if let Some(vector) = readers.characters.embed(&text) {
        assert!(vector.iter().all(|value| value.is_finite()));
    }
    let sentences = sentences(&text);
    let vectors: Vec<Vec<f32>> = sentences
        .iter()
        .map(|s| vec![s.len() as f32, s.chars().count() as f32 - 3.0])
        .collect();
    assert_eq!(central(&vectors, 3).len(), sentences.len().min(3));
}

fn seeds() -> Vec<Vec<u8>> {
    [
        "Hello, wOrld! caf\u{e9} don't; 3.5 mm \u{2014} e.g. so.\n\nDr. Ann Lee met Bo-Anders and M\u{fc}ller.",
        "\u{4e2d}\u{6587}\u{53e5}\u{5b50}\u{3002}\u{65e5}\u{672c}\u{8a9e} \u{c548}\u{b155}",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "a\u{301}\u{301}\u{301}\u{301}  \u{a0}\u{200b}\t\r\n\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "[CLS] [MASK] <s> </s> ##x !!!! ???? ....",
        "((((((((((\"\"\"\"'''' ]]]]]]]]]]]",
        "http://a.example/?q=1&x=2 ann@mail.example 192.0.2.1",
        "1234567890123456789012345678901234567890",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
