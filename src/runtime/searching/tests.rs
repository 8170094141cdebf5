use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::bundle::Bundle;
use crate::engine::testing::rows;
use crate::remote::RemoteOptions;
use crate::route::Mode;
use crate::testing::{Folder, Script, World};

const WORDS: [&str; 5] = ["[UNK]", "cat", "kitten", "car", "truck"];

/// Animals lie in one direction, and vehicles in another.
fn runtime(pooling: Value, weight: f32) -> Runtime<Folder> {
    let vocab: BTreeMap<&str, usize> = WORDS.iter().copied().zip(0..).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocab}
    });
    let table = [
        vec![0.1, 0.1],
        vec![weight, 0.1],
        vec![0.9, 0.2],
        vec![0.0, 1.0],
        vec![0.1, 0.9],
    ];
    let files = BTreeMap::from([
        (
            "tokenizer.json".to_owned(),
            tokenizer.to_string().into_bytes(),
        ),
        ("model.onnx".to_owned(), rows(&table)),
    ]);
    let entry = |bytes: &Vec<u8>| {
        let hash = Sha256::digest(bytes);
        let hash: String = hash.iter().map(|b| format!("{b:02x}")).collect();
        json!({"bytes": bytes.len(), "sha256": hash, "license": "MIT"})
    };
    let entries: BTreeMap<&String, Value> = files.iter().map(|(p, b)| (p, entry(b))).collect();
    let limits = json!({"minBytes": 1, "maxBytes": 100});
    let mut model =
        json!({"file": "model.onnx", "features": {"kind": "tokens", "tokenizer": "words"}});
    if !pooling.is_null() {
        model["pooling"] = pooling;
    }
    let manifest = json!({
        "format": "smallfirst-bundle", "version": 1, "name": "test", "revision": "1", "files": entries,
        "tokenizers": {"words": {"kind": "hf-tokenizer", "file": "tokenizer.json"}},
        "models": {"meaning": model},
        "tasks": {
            "vectors": {"kind": "feature-extraction", "input": "text", "title": "Vectors", "instruction": "Make vectors.",
                        "limits": limits, "tiers": ["meaning"]},
            "names": {"kind": "token-classification", "input": "text", "title": "Names", "instruction": "Find names.",
                      "labels": [{"id": "O"}, {"id": "PER"}], "limits": limits, "tiers": ["meaning"]},
        },
    });
    let bundle = Bundle::parse(manifest.to_string().as_bytes()).unwrap();
    Runtime::new(
        bundle,
        Folder(files),
        Mode::OnlyLocal,
        RemoteOptions::default(),
    )
    .unwrap()
}

fn row(id: &str, text: &str) -> SearchRow {
    SearchRow {
        id: id.into(),
        text: text.into(),
        data: Value::Null,
    }
}

#[test]
fn texts_are_found_by_what_they_mean() {
    let runtime = runtime(json!("mean"), 1.0);
    let world = World::new(1, |_, _| Script::reply(200, ""));
    world.block_on(async {
        let texts = vec![
            row("a", "kitten kitten"),
            row("b", "truck"),
            row("c", "car car car"),
        ];
        let put = runtime.index_put("pets", "vectors", texts, &world).await;
        assert_eq!(put.unwrap(), 3);
        let find = async |query: &str| {
            let hits = runtime
                .index_search("pets", "vectors", query, 2, &world)
                .await;
            hits.unwrap()
                .into_iter()
                .map(|hit| hit.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(find("cat").await, ["a", "b"]);
        assert_eq!(find("car").await, ["c", "b"]);
        let left = runtime
            .index_remove("pets", "vectors", &["a".into()], &world)
            .await;
        assert_eq!(left.unwrap(), 2);
        assert_eq!(find("cat").await[0], "b");
        runtime.index_clear("pets", &world).await.unwrap();
        assert_eq!(
            runtime
                .index_count("pets", "vectors", &world)
                .await
                .unwrap(),
            0
        );
    });
}

#[test]
fn what_cannot_be_put_or_asked_is_told_and_nothing_is_put() {
    let world = World::new(1, |_, _| Script::reply(200, ""));
    let pooled = runtime(json!("mean"), 1.0);
    world.block_on(async {
        for (name, task, text, limit, code, why) in [
            ("pets", "vectors", "", 1, Code::EmptyInput, "\"x\""),
            (
                "pets",
                "vectors",
                &"cat ".repeat(50)[..],
                1,
                Code::InputTooLong,
                "\"x\"",
            ),
            (
                "pets",
                "names",
                "cat",
                1,
                Code::InvalidOption,
                "no vectors of texts",
            ),
            ("pets", "none", "cat", 1, Code::UnknownTask, "none"),
            (
                "my pets",
                "vectors",
                "cat",
                1,
                Code::InvalidOption,
                "no name of an index",
            ),
            ("pets", "vectors", "cat", 0, Code::InvalidOption, "limit"),
            ("pets", "vectors", "cat", 1001, Code::InvalidOption, "limit"),
        ] {
            let texts = vec![row("y", "car"), row("x", text)];
            let put = pooled.index_put(name, task, texts, &world).await;
            let asked = pooled.index_search(name, task, text, limit, &world).await;
            let limited = !(1..=1000).contains(&limit);
            let error = match limited {
                true => asked.unwrap_err(),
                false => put.unwrap_err(),
            };
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(why), "{error}");
        }
        pooled.index_clear("pets", &world).await.unwrap();
        // A vector for each token is none of the text.
        let unpooled = runtime(Value::Null, 1.0);
        let put = unpooled
            .index_put("pets", "vectors", vec![row("a", "cat")], &world)
            .await;
        let error = put.unwrap_err();
        assert!(error.to_string().contains("each token"), "{error}");
        // Another model's vectors are not compared with these.
        let texts = vec![row("a", "cat")];
        pooled
            .index_put("pets", "vectors", texts, &world)
            .await
            .unwrap();
        let other = runtime(json!("mean"), 2.0);
        let error = other
            .index_search("pets", "vectors", "cat", 1, &world)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("another model"), "{error}");
        let other = runtime(json!("max"), 1.0);
        assert!(other.index_count("pets", "vectors", &world).await.is_err());
    });
}
