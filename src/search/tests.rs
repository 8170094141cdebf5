use serde_json::{Value, json};

use super::*;
use crate::testing::{Random, Script, World};

fn world() -> World {
    World::new(1, |_, _| Script::reply(200, ""))
}

fn maker(model: &str) -> Maker {
    Maker {
        task: "vectors".into(),
        model: model.into(),
    }
}

fn row(id: &str, text: &str) -> SearchRow {
    SearchRow {
        id: id.into(),
        text: text.into(),
        data: Value::Null,
    }
}

/// A vector with one number for each letter that is in a text.
fn vector(text: &str) -> Vec<f32> {
    ('a'..='z')
        .map(|c| text.matches(c).count() as f32)
        .collect()
}

fn rows(texts: &[(&str, &str)]) -> Vec<(SearchRow, Vec<f32>)> {
    texts
        .iter()
        .map(|(id, text)| (row(id, text), vector(text)))
        .collect()
}

async fn found(indices: &SearchIndices, query: &str, limit: usize, world: &World) -> Vec<String> {
    let hits = indices
        .search("notes", &maker("m"), &vector(query), limit, world)
        .await;
    hits.unwrap().into_iter().map(|hit| hit.id).collect()
}

#[test]
fn texts_are_found_replaced_and_taken_out_and_the_next_page_has_them() {
    let world = world();
    world.block_on(async {
        let page = SearchIndices::default();
        assert!(found(&page, "abc", 3, &world).await.is_empty());
        let texts = [("1", "abab"), ("2", "xyz"), ("3", "abcd"), ("4", "abcd")];
        let put = page.put("notes", &maker("m"), rows(&texts), &world).await;
        assert_eq!(put.unwrap(), 4);
        // Of equally near ones, the first by identifier.
        assert_eq!(found(&page, "abcd", 3, &world).await, ["3", "4", "1"]);
        assert_eq!(found(&page, "abcd", 1, &world).await, ["3"]);
        assert_eq!(found(&page, "abcd", 99, &world).await.len(), 4);
        let mut again = rows(&[("3", "xyzz")]);
        again[0].0.data = json!({"page": 7});
        assert_eq!(
            page.put("notes", &maker("m"), again, &world).await.unwrap(),
            4
        );
        let next = SearchIndices::default();
        for page in [&page, &next] {
            let hits = page
                .search("notes", &maker("m"), &vector("xyzz"), 2, &world)
                .await;
            let hits = hits.unwrap();
            assert_eq!((hits[0].id.as_str(), hits[1].id.as_str()), ("3", "2"));
            assert_eq!(
                (&hits[0].data, hits[0].text.as_str()),
                (&json!({"page": 7}), "xyzz")
            );
            assert!((hits[0].score - 1.0).abs() < 1e-6, "{}", hits[0].score);
        }
        let gone = ["3".to_owned(), "none".to_owned()];
        assert_eq!(
            next.remove("notes", &maker("m"), &gone, &world)
                .await
                .unwrap(),
            3
        );
        // The other tab hears of it.
        assert_eq!(page.count("notes", &maker("m"), &world).await.unwrap(), 3);
        assert_eq!(found(&page, "xyz", 9, &world).await, ["2", "1", "4"]);
        // Other names share nothing.
        assert_eq!(page.count("other", &maker("m"), &world).await.unwrap(), 0);
    });
}

#[test]
fn many_texts_in_many_pieces_are_what_one_list_would_be() {
    let world = world();
    let mut random = Random::new(3);
    let mut list: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    world.block_on(async {
        // Two tabs that take turns, and pages that come later.
        let tabs = [SearchIndices::default(), SearchIndices::default()];
        for step in 0..60 {
            let tab = &tabs[step % 2];
            let count = (random.next() % 40) as usize;
            let mut batch = BTreeMap::new();
            for _ in 0..count {
                let id = format!("t{}", random.next() % 700);
                let vector: Vec<f32> = (0..24).map(|_| random.uniform() as f32 - 0.5).collect();
                batch.insert(id, vector);
            }
            let put = batch
                .iter()
                .map(|(id, v)| (row(id, id), v.clone()))
                .collect();
            tab.put("notes", &maker("m"), put, &world).await.unwrap();
            list.append(&mut batch);
            let gone: Vec<String> = (0..random.next() % 12)
                .map(|_| format!("t{}", random.next() % 700))
                .collect();
            let left = tab
                .remove("notes", &maker("m"), &gone, &world)
                .await
                .unwrap();
            gone.iter().for_each(|id| drop(list.remove(id)));
            assert_eq!(left, list.len());
            let query: Vec<f32> = (0..24).map(|_| random.uniform() as f32 - 0.5).collect();
            let page = SearchIndices::default();
            for tab in [&tabs[(step + 1) % 2], &page] {
                let hits = tab.search("notes", &maker("m"), &query, 10, &world).await;
                let found: Vec<String> = hits.unwrap().into_iter().map(|hit| hit.id).collect();
                assert_eq!(found, nearest(&list, &query), "{step}");
            }
        }
        assert!(list.len() > 300);
        let pieces = world
            .stored
            .borrow()
            .keys()
            .filter(|key| key.starts_with("search/notes/"))
            .count();
        assert!((5..=16).contains(&pieces), "{pieces}");
    });
}

/// By a sort of all.
fn nearest(list: &BTreeMap<String, Vec<f32>>, query: &[f32]) -> Vec<String> {
    let query = quantise(query).unwrap();
    let cosine = |vector: &[f32]| {
        let vector = quantise(vector).unwrap();
        let dot = |a: &[i8], b: &[i8]| -> i32 {
            a.iter()
                .zip(b)
                .map(|(&a, &b)| i32::from(a) * i32::from(b))
                .sum()
        };
        let per = |v: &[i8]| 1.0 / (dot(v, v) as f32).sqrt();
        dot(&vector, &query) as f32 * per(&vector) * per(&query)
    };
    let mut all: Vec<(f32, &String)> = list.iter().map(|(id, v)| (cosine(v), id)).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    all.into_iter().take(10).map(|(_, id)| id.clone()).collect()
}

#[test]
fn vectors_of_another_model_are_refused_until_the_index_is_cleared() {
    let world = world();
    world.block_on(async {
        let (page, other) = (SearchIndices::default(), SearchIndices::default());
        let texts = rows(&[("1", "abab")]);
        page.put("notes", &maker("m"), texts.clone(), &world)
            .await
            .unwrap();
        let refused = [
            page.put("notes", &maker("n"), texts.clone(), &world)
                .await
                .map(drop),
            other.count("notes", &maker("n"), &world).await.map(drop),
            other
                .search("notes", &maker("n"), &vector("a"), 1, &world)
                .await
                .map(drop),
            other
                .remove("notes", &maker("n"), &["1".into()], &world)
                .await
                .map(drop),
        ];
        for refused in refused {
            let error = refused.unwrap_err();
            assert_eq!(error.code(), Code::InvalidOption);
            assert!(error.to_string().contains("clear()"), "{error}");
        }
        other.clear("notes", &world).await;
        // A tab that had read what was there does not take the new piece for the old one.
        let texts = rows(&[("2", "xyz")]);
        other
            .put("notes", &maker("m"), texts, &world)
            .await
            .unwrap();
        assert_eq!(found(&page, "abab", 9, &world).await, ["2"]);
        page.clear("notes", &world).await;
        assert_eq!(other.count("notes", &maker("n"), &world).await.unwrap(), 0);
        let texts = rows(&[("3", "a")]);
        other
            .put("notes", &maker("n"), texts, &world)
            .await
            .unwrap();
    });
}

#[test]
fn what_cannot_be_put_is_refused_by_name_and_nothing_is_written() {
    let world = world();
    world.block_on(async {
        let page = SearchIndices::default();
        page.put("notes", &maker("m"), rows(&[("1", "a")]), &world)
            .await
            .unwrap();
        let before = world.stored.borrow().clone();
        let long = "x".repeat(MOST_TEXT_BYTES + 1);
        let mut large = rows(&[("2", "b")]);
        large[0].0.data = json!("x".repeat(MOST_DATA_BYTES));
        let mut uneven = rows(&[("2", "b"), ("3", "c")]);
        uneven[1].1.pop();
        for (wrong, why) in [
            (rows(&[("2", "b"), ("2", "c")]), "given twice"),
            (rows(&[("", "b")]), "an id has"),
            (rows(&[("2", &long)]), "the text of \"2\""),
            (large, "the data of \"2\""),
            (uneven, "\"3\" has no direction"),
            (rows(&[("2", "123")]), "\"2\" has no direction"),
        ] {
            let error = page
                .put("notes", &maker("m"), wrong, &world)
                .await
                .unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        // Another length, of the same model.
        let short = vec![(row("2", "b"), vec![1.0, 2.0])];
        assert!(page.put("notes", &maker("m"), short, &world).await.is_err());
        assert_eq!(*world.stored.borrow(), before);
        for name in ["", "a/b", "é", &"x".repeat(65)] {
            assert!(SearchIndices::check_name(name).is_err(), "{name}");
        }
        assert!(SearchIndices::check_name("My-notes_2.0").is_ok());
    });
}

#[test]
fn what_a_script_of_the_site_wrote_there_is_left_out() {
    let world = world();
    world.block_on(async {
        let page = SearchIndices::default();
        let texts: Vec<(String, String)> =
            (0..100).map(|n| (format!("{n:03}"), "ab".into())).collect();
        let texts: Vec<(&str, &str)> = texts
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        page.put("notes", &maker("m"), rows(&texts), &world)
            .await
            .unwrap();
        let whole = world.stored.borrow().clone();
        let counted = async |key: &str, value: &str| {
            *world.stored.borrow_mut() = whole.clone();
            world.stored.borrow_mut().insert(key.into(), value.into());
            let page = SearchIndices::default();
            let count = page.count("notes", &maker("m"), &world).await.unwrap();
            let hits = found(&page, "ab", 200, &world).await;
            assert_eq!(hits.len(), count);
            count
        };
        assert_eq!(counted("search/notes/0", "rubbish").await, 36);
        assert_eq!(counted("search/notes/1", "[{}]").await, 64);
        let row =
            |id: &str, vector: &str| json!([{"id": id, "text": "t", "vector": vector}]).to_string();
        for vector in ["", "0", "zz", &"7f".repeat(25), &"7".repeat(51)] {
            assert_eq!(
                counted("search/notes/1", &row("n", vector)).await,
                64,
                "{vector}"
            );
        }
        assert_eq!(
            counted("search/notes/1", &row("n", &"7f".repeat(26))).await,
            65
        );
        // The same text in two pieces counts once.
        assert_eq!(
            counted("search/notes/1", &row("000", &"7f".repeat(26))).await,
            64
        );
        for head in ["rubbish", "{}", r#"{"version":9}"#] {
            assert_eq!(counted("search/notes", head).await, 0);
        }
    });
}

/// A browser whose storage is full after so many writes: it says nothing of it.
struct Full(World, std::cell::Cell<usize>);

impl Storage for Full {
    async fn update(&self, key: &str, change: &mut dyn FnMut(Option<String>) -> Option<String>) {
        let before = self.0.stored.borrow().get(key).cloned();
        let after = change(before.clone());
        if after != before {
            let Some(left) = self.1.get().checked_sub(1) else {
                return;
            };
            self.1.set(left);
            let mut stored = self.0.stored.borrow_mut();
            after.map(|after| stored.insert(key.to_owned(), after));
        }
    }
}

#[test]
fn what_a_full_storage_does_not_keep_is_told_and_not_found() {
    let world = world();
    world.block_on(async {
        for writes in 0..9 {
            let full = Full(super::tests::world(), std::cell::Cell::new(writes));
            let page = SearchIndices::default();
            let put = async |id: &str, text: &str| {
                let rows = rows(&[(id, text)]);
                page.put("notes", &maker("m"), rows, &full).await
            };
            let told = [
                put("1", "abab").await,
                put("2", "xyz").await,
                put("1", "xyz").await,
            ];
            let codes: Vec<Option<Code>> = told
                .iter()
                .map(|told| told.as_ref().err().map(Error::code))
                .collect();
            // A head, and for each text its piece and the count of changes.
            let whole = (writes.saturating_sub(1) / 2).min(3);
            for (at, code) in codes.iter().enumerate() {
                let wanted = (at >= whole).then_some(Code::NotStored);
                assert_eq!(*code, wanted, "{writes} {at}");
            }
            // The next page has what this one has.
            let next = SearchIndices::default();
            let count = async |page: &SearchIndices| {
                let hits = page
                    .search("notes", &maker("m"), &vector("abxyz"), 9, &full)
                    .await;
                hits.unwrap()
                    .into_iter()
                    .map(|hit| (hit.id, hit.text))
                    .collect::<Vec<_>>()
            };
            assert_eq!(count(&page).await, count(&next).await, "{writes}");
        }
    });
}
