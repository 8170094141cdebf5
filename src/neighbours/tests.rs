use super::*;
use crate::error::Code;
use crate::monitor::MonitorKind;
use crate::testing::{Random, Script, World};

mod rulings;
mod streams;

fn world() -> World {
    World::new(1, |_, _| Script::reply(200, ""))
}

fn subject() -> QuestionKey {
    let labels = ["a", "b"].map(|id| Label {
        id: id.into(),
        title: None,
    });
    QuestionKey::new("kind", "Which kind?", &labels, "hash")
}

/// A point of one of two clusters, and the cluster's label.
fn point(random: &mut Random) -> (Vec<i8>, &'static str) {
    let cluster = random.next() % 2;
    let mut vector: Vec<f32> = (0..16).map(|_| random.uniform() as f32 * 0.1).collect();
    vector[cluster as usize] += 1.0;
    (quantise(&vector).unwrap(), ["a", "b"][cluster as usize])
}

async fn teach(learner: &Learner, n: usize, seed: u64, world: &World) {
    let mut random = Random::new(seed);
    for _ in 0..n {
        let (vector, label) = point(&mut random);
        learner
            .take(&subject(), vector, label, "text", 5.0, world)
            .await;
    }
}

#[test]
fn enough_examples_answer_what_nearly_repeats_them_and_nothing_else() {
    let world = world();
    let learner = Learner::new(LearnOptions::default()).unwrap();
    world.block_on(async {
        let (vector, label) = point(&mut Random::new(9));
        let advice = learner.suggest(&subject(), &vector, None, &world).await;
        assert_eq!(advice, None);
        teach(&learner, 99, 1, &world).await;
        let advice = learner.suggest(&subject(), &vector, None, &world).await;
        assert_eq!(advice, None);
        teach(&learner, 301, 2, &world).await;
        let advice = learner.suggest(&subject(), &vector, None, &world).await;
        let advice = advice.unwrap();
        assert!(advice.trusted && advice.label == label, "{advice:?}");
        assert!(advice.learned.bound <= 0.05 && advice.learned.wrong == 0);
        // Something else altogether.
        let mut other = vec![0_i8; 16];
        other[7] = 127;
        let advice = learner.suggest(&subject(), &other, None, &world).await;
        assert!(!advice.unwrap().trusted);
        // At a risk that so few examples cannot speak for.
        let subject = subject();
        let strict = learner.suggest(&subject, &vector, Some(0.001), &world);
        assert!(!strict.await.unwrap().trusted);
    });
}

#[test]
fn what_was_learned_outlives_the_worker_and_can_be_taken_away_and_forgotten() {
    let world = world();
    let options = LearnOptions {
        examples: 150,
        ..LearnOptions::default()
    };
    world.block_on(async {
        let first = Learner::new(options.clone()).unwrap();
        teach(&first, 250, 1, &world).await;
        let second = Learner::new(options).unwrap();
        let report = second.report(&world).await;
        // 150 vote, and fifty wait.
        assert_eq!((report[0].examples, report[0].total), (200, 250));
        let (vector, _) = point(&mut Random::new(9));
        let before = first.suggest(&subject(), &vector, None, &world).await;
        let after = second.suggest(&subject(), &vector, None, &world).await;
        assert_eq!(before, after);
        assert!(after.unwrap().trusted);
        let rows = second.export(Some("kind"), |_| None, &world).await;
        assert_eq!((rows.len(), rows[0].input.as_deref()), (200, Some("text")));
        assert!(
            second
                .export(Some("other"), |_| None, &world)
                .await
                .is_empty()
        );
        second.forget(None, &world).await;
        assert!(second.export(None, |_| None, &world).await.is_empty());
        assert_eq!(
            second.suggest(&subject(), &vector, None, &world).await,
            None
        );
        // Only the empty index is left.
        let stored = world.stored.borrow();
        assert_eq!(stored.keys().collect::<Vec<_>>(), ["learned"]);
    });
}

#[test]
fn two_tabs_lose_nothing_of_each_other() {
    let world = world();
    let tab = || Learner::new(LearnOptions::default()).unwrap();
    let (one, two) = (tab(), tab());
    world.run(vec![
        Box::pin(teach(&one, 100, 1, &world)),
        Box::pin(teach(&two, 100, 2, &world)),
    ]);
    let report = world.block_on(one.report(&world));
    assert_eq!((report[0].examples, report[0].total), (200, 200));
}

#[test]
fn a_damaged_piece_is_lost_alone_and_what_does_not_belong_is_left_out() {
    let world = world();
    let learner = || Learner::new(LearnOptions::default()).unwrap();
    world.block_on(async {
        teach(&learner(), 128, 1, &world).await;
        let place = |stored: &BTreeMap<String, String>, piece: &str| {
            let key = stored.keys().find(|key| key.ends_with(piece));
            key.unwrap().clone()
        };
        {
            let mut stored = world.stored.borrow_mut();
            let (first, second) = (place(&stored, "/0"), place(&stored, "/1"));
            stored.insert(first, "[{".into());
            let renamed = stored[&second].replace("\"label\":\"a\"", "\"label\":\"z\"");
            stored.insert(second, renamed);
        }
        let learner = learner();
        assert_eq!(learner.export(None, |_| None, &world).await.len(), 96);
        let (vector, _) = point(&mut Random::new(9));
        let advice = learner.suggest(&subject(), &vector, None, &world).await;
        let examples = advice.unwrap().learned.examples;
        assert!((36..68).contains(&examples), "{examples}");
    });
}

#[test]
fn distrusted_examples_answer_nothing_until_they_are_forgotten() {
    let world = world();
    let learner = Learner::new(LearnOptions::default()).unwrap();
    world.block_on(async {
        teach(&learner, 400, 1, &world).await;
        let (vector, _) = point(&mut Random::new(9));
        let trusted = async || {
            let advice = learner.suggest(&subject(), &vector, None, &world).await;
            advice.unwrap().trusted
        };
        assert!(trusted().await);
        let wrong = async || learner.check(&subject(), 0.05, false, &world).await;
        let mut checks = 1;
        let alarm = loop {
            match wrong().await {
                Some(alarm) => break alarm,
                None => assert!(trusted().await && checks < 20),
            }
            checks += 1;
        };
        assert_eq!((alarm.len(), alarm[0].observed), (1, checks));
        assert!(alarm[0].alarmed && alarm[0].watched == MonitorKind::Examples);
        assert!(!trusted().await);
        assert!(learner.report(&world).await[0].distrusted);
        // It is raised once.
        assert_eq!(wrong().await, None);
        learner.forget(Some("kind"), &world).await;
        teach(&learner, 400, 2, &world).await;
        assert!(trusted().await);
    });
}

#[test]
fn checks_go_on_from_page_to_page_and_tab_to_tab_and_end_with_the_examples() {
    let world = world();
    let page = || Learner::new(LearnOptions::default()).unwrap();
    world.block_on(async {
        teach(&page(), 400, 1, &world).await;
        let (vector, _) = point(&mut Random::new(9));
        let tab = page();
        let trusted = async |learner: &Learner| {
            let advice = learner.suggest(&subject(), &vector, None, &world).await;
            advice.unwrap().trusted
        };
        assert!(trusted(&tab).await);
        // No page sees more than one check; and a check of an answer at another risk is another's.
        let mut alarm = None;
        for _ in 0..20 {
            tab.check(&subject(), 0.2, true, &world).await;
            alarm = page().check(&subject(), 0.05, false, &world).await;
            if alarm.is_some() {
                break;
            }
        }
        let alarmed: Vec<_> = alarm.unwrap().iter().map(|d| (d.risk, d.alarmed)).collect();
        assert_eq!(alarmed, [(Some(0.2), false), (Some(0.05), true)]);
        assert!(!trusted(&page()).await);
        // A tab that did not see it raised learns of it with its next check.
        tab.check(&subject(), 0.2, true, &world).await;
        assert!(!trusted(&tab).await);
        assert_eq!(tab.checks("kind", &world).await.unwrap().len(), 2);
        assert_eq!(tab.checks("other", &world).await, None);
        // What a script of the site wrote there is no monitor's state, and the examples are not lost with it.
        let stored = world.stored.borrow()["learned"].clone();
        let mut index: serde_json::Value = serde_json::from_str(&stored).unwrap();
        let entry = index.as_object_mut().unwrap().values_mut().next().unwrap();
        let total = entry["total"].clone();
        for rubbish in [
            serde_json::json!([[1.0], [-1.0, 2.0], "x"]),
            serde_json::json!([[0.5, 0.5], []]),
            serde_json::json!(7),
        ] {
            let mut index = index.clone();
            let entry = index.as_object_mut().unwrap().values_mut().next().unwrap();
            entry["checks"] = rubbish;
            world
                .stored
                .borrow_mut()
                .insert("learned".into(), index.to_string());
            assert_eq!(page().checks("kind", &world).await, Some(Vec::new()));
            let report = page().report(&world).await;
            assert_eq!(serde_json::json!(report[0].total), total);
        }
        page().forget(Some("kind"), &world).await;
        assert_eq!(page().checks("kind", &world).await, None);
        teach(&page(), 400, 2, &world).await;
        assert_eq!(page().checks("kind", &world).await, Some(Vec::new()));
        assert!(trusted(&page()).await);
    });
}

#[test]
fn another_question_has_other_examples() {
    let labels = [Label {
        id: "a".into(),
        title: None,
    }];
    let keys = [
        QuestionKey::new("t", "i", &labels, "e"),
        QuestionKey::new("t2", "i", &labels, "e"),
        QuestionKey::new("t", "i2", &labels, "e"),
        QuestionKey::new("t", "i", &labels, "e2"),
        QuestionKey::new("t", "i", &[], "e"),
        QuestionKey::new("ti", "", &labels, "e"),
    ];
    let mut different: Vec<_> = keys.iter().map(|s| &s.key).collect();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), keys.len());
}

#[test]
fn options_are_checked() {
    let bad = [
        LearnOptions {
            examples: 10,
            ..LearnOptions::default()
        },
        LearnOptions {
            audit: 1.5,
            ..LearnOptions::default()
        },
        LearnOptions {
            audit: f64::NAN,
            ..LearnOptions::default()
        },
        LearnOptions {
            risk: 0.0,
            ..LearnOptions::default()
        },
    ];
    for options in bad {
        assert_eq!(
            Learner::new(options).unwrap_err().code(),
            Code::InvalidOption
        );
    }
}

#[test]
fn what_others_wrote_into_the_store_is_left_out() {
    let bundled = |_: &str| Some(vec!["a".to_owned(), "b".to_owned()]);
    let changes: [(&str, &str, &str); 9] = [
        ("/1", "\"label\":\"a\"", "\"label\":\"<img onerror>\""),
        ("/1", "\"at\":5.0", "\"at\":-5.0"),
        ("/1", "\"at\":5.0", "\"at\":1e300"),
        ("/1", "\"input\":\"text\"", "\"input\":\"LONG\""),
        ("/1", "\"label\":\"", "\"label\":\"LONG"),
        ("/1", "\"vector\":[", "\"vector\":[],\"x\":["),
        // Numbers of another place, and of a time to come.
        ("/1", "\"number\":", "\"number\":1"),
        ("/1", "\"number\":", "\"number\":99999"),
        ("/1", "\"number\":", "\"number\":-"),
    ];
    for (piece, from, to) in changes {
        let world = world();
        let learner = || Learner::new(LearnOptions::default()).unwrap();
        world.block_on(async {
            teach(&learner(), 96, 1, &world).await;
            {
                let mut stored = world.stored.borrow_mut();
                let key = stored.keys().find(|key| key.ends_with(piece)).unwrap();
                let key = key.clone();
                let to = to.replace("LONG", &"x".repeat(MOST_INPUT_BYTES + 1));
                let altered = stored[&key].replace(from, &to);
                assert_ne!(altered, stored[&key], "{from}");
                stored.insert(key, altered);
            }
            let rows = learner().export(None, bundled, &world).await;
            assert!((64..96).contains(&rows.len()), "{from}: {}", rows.len());
            for row in rows {
                assert!(["a", "b"].contains(&row.label.as_str()));
                assert_eq!((row.input.as_deref(), row.at), (Some("text"), 5.0));
            }
        });
    }
}

#[test]
fn an_index_that_others_wrote_neither_holds_nor_misleads() {
    let task = "\"task\":\"kind\"";
    let long = format!("\"task\":\"{}\"", "x".repeat(MOST_NAME_BYTES + 1));
    let changes: [(&str, &str); 6] = [
        ("\"pieces\":", "\"pieces\":1844674407370955"),
        ("\"total\":140", "\"total\":18446744073709551615"),
        ("\"total\":140", "\"total\":-1"),
        (task, &long),
        (task, "\"task\":\"another\""),
        ("{\"", "{\"x"),
    ];
    for (from, to) in changes {
        let world = world();
        let learner = || Learner::new(LearnOptions::default()).unwrap();
        world.block_on(async {
            teach(&learner(), 140, 1, &world).await;
            {
                let mut stored = world.stored.borrow_mut();
                let altered = stored["learned"].replacen(from, to, 1);
                assert_ne!(altered, stored["learned"], "{from}");
                stored.insert("learned".into(), altered);
            }
            let (vector, _) = point(&mut Random::new(9));
            let fresh = learner();
            let advice = fresh.suggest(&subject(), &vector, None, &world).await;
            assert_eq!(advice, None, "{to}");
            // It begins anew.
            teach(&fresh, 1, 3, &world).await;
            let report = learner().report(&world).await;
            let own: Vec<_> = report.iter().filter(|t| t.task == "kind").collect();
            assert_eq!((own.len(), own[0].total), (1, 1), "{to}: {report:?}");
        });
    }
}

#[test]
fn what_could_not_be_read_again_is_not_kept() {
    let world = world();
    let learner = Learner::new(LearnOptions::default()).unwrap();
    let long = "x".repeat(MOST_NAME_BYTES + 1);
    world.block_on(async {
        for (subject, label) in [
            (subject(), long.as_str()),
            (QuestionKey::new(&long, "Which?", &[], "hash"), "a"),
        ] {
            learner
                .take(&subject, vec![1, 2], label, "text", 5.0, &world)
                .await;
        }
        assert!(learner.report(&world).await.is_empty());
    });
}
