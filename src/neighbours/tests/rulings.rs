//! Rulings are made once, are stored with the examples, and hold for the examples that they were made on.

use super::*;

fn learner() -> Learner {
    Learner::new(LearnOptions::default()).unwrap()
}

async fn ask(learner: &Learner, risk: f64, world: &World) -> Suggestion {
    let (vector, _) = point(&mut Random::new(9));
    let subject = subject();
    let advice = learner.suggest(&subject, &vector, Some(risk), world);
    advice.await.unwrap()
}

fn index(world: &World) -> String {
    world.stored.borrow()["learned"].clone()
}

/// Alters what is stored under the key that ends so, and gives what was there.
fn alter(world: &World, end: &str, change: impl Fn(&str) -> String) -> String {
    let mut stored = world.stored.borrow_mut();
    let (_, value) = stored
        .iter_mut()
        .find(|(key, _)| key.ends_with(end))
        .unwrap();
    let altered = change(value);
    assert_ne!(&altered, value);
    std::mem::replace(value, altered)
}

#[test]
fn a_ruling_is_made_once_and_later_loads_reuse_it() {
    let world = world();
    world.block_on(async {
        let first = learner();
        teach(&first, 100, 1, &world).await;
        let ruled = ask(&first, 0.05, &world).await;
        assert!(ruled.trusted && ruled.learned.examples == 100);
        let stored = index(&world);
        // Nothing is tested again, however many examples wait.
        assert_eq!(ask(&learner(), 0.05, &world).await, ruled);
        assert_eq!(index(&world), stored);
        for seed in 2..5 {
            teach(&learner(), 33, seed, &world).await;
            assert_eq!(ask(&first, 0.05, &world).await, ruled);
            assert_eq!(ask(&learner(), 0.05, &world).await, ruled);
        }
        // What is stored counts, whoever found it.
        alter(&world, "learned", |index| {
            index.replace("\"wrong\":0", "\"wrong\":1")
        });
        assert_eq!(ask(&learner(), 0.05, &world).await.learned.wrong, 1);
        teach(&learner(), 1, 5, &world).await;
        let next = ask(&learner(), 0.05, &world).await.learned;
        assert_eq!((next.examples, next.wrong), (200, 0));
    });
}

#[test]
fn tabs_that_test_at_once_come_to_one_ruling() {
    let world = world();
    let (one, two) = (learner(), learner());
    world.block_on(teach(&one, 100, 1, &world));
    let asks: Vec<std::pin::Pin<Box<dyn Future<Output = Suggestion> + '_>>> = vec![
        Box::pin(ask(&one, 0.05, &world)),
        Box::pin(ask(&two, 0.05, &world)),
    ];
    let found = world.run(asks);
    assert_eq!(found[0], found[1]);
    assert_eq!(index(&world).matches("\"threshold\"").count(), 1);
    assert!(index(&world).contains("\"risks\":[0.05]"));
}

#[test]
fn a_tab_that_knows_more_examples_of_a_look_leaves_out_those_that_were_not_tested() {
    let world = world();
    world.block_on(async {
        teach(&learner(), 100, 1, &world).await;
        // One piece is not there yet when the first tab looks.
        let piece = alter(&world, "/1", |_| "[]".into());
        let first = ask(&learner(), 0.2, &world).await;
        assert_eq!(first.learned.examples, 68);
        alter(&world, "/1", |_| piece.clone());
        let second = learner();
        assert_eq!(ask(&second, 0.2, &world).await, first);
        assert_eq!(ask(&second, 0.3, &world).await.learned.examples, 68);
    });
}

#[test]
fn a_ruling_ends_with_an_example_that_it_rests_on() {
    let world = world();
    world.block_on(async {
        teach(&learner(), 100, 1, &world).await;
        assert!(ask(&learner(), 0.05, &world).await.trusted);
        let whole = alter(&world, "/2", |piece| {
            piece.replacen("\"label\":\"a\"", "\"label\":\"b\"", 1)
        });
        for risk in [0.05, 0.2] {
            assert_eq!(ask(&learner(), risk, &world).await.threshold, None);
        }
        alter(&world, "/2", |_| whole.clone());
        assert!(ask(&learner(), 0.05, &world).await.trusted);
        alter(&world, "/2", |_| "[]".into());
        assert_eq!(ask(&learner(), 0.05, &world).await.threshold, None);
        // The next look rules on what there is.
        teach(&learner(), 100, 2, &world).await;
        let next = ask(&learner(), 0.05, &world).await;
        assert!(next.trusted && next.learned.examples == 168);
    });
}

#[test]
fn an_older_or_damaged_look_is_read_without_rulings_and_no_example_is_lost() {
    type Damage = (&'static str, &'static str);
    let damages: [Damage; 7] = [
        ("\"version\":1", "\"version\":0"),
        ("\"look\":{", "\"look\":[],\"was\":{"),
        ("\"look\":{", "\"was\":{"),
        ("\"risks\":[0.05]", "\"risks\":7"),
        ("\"upto\":100", "\"upto\":999"),
        ("\"wrong\":0", "\"wrong\":900"),
        ("\"bound\":", "\"bound\":1"),
    ];
    for (from, to) in damages {
        let world = world();
        world.block_on(async {
            teach(&learner(), 130, 1, &world).await;
            let ruled = ask(&learner(), 0.05, &world).await;
            alter(&world, "learned", |index| index.replace(from, to));
            assert_eq!(learner().report(&world).await[0].examples, 130, "{to}");
            // The same examples at the same share: the same ruling.
            assert_eq!(ask(&learner(), 0.05, &world).await, ruled, "{to}");
        });
    }
}

#[test]
fn examples_of_before_looks_were_stored_are_looked_at_as_they_are_due() {
    let world = world();
    world.block_on(async {
        teach(&learner(), 450, 1, &world).await;
        alter(&world, "learned", |index| {
            let look = index.find(",\"risks\"").unwrap();
            index[..look].to_owned() + "}}"
        });
        assert_eq!(learner().report(&world).await[0].examples, 450);
        let advice = ask(&learner(), 0.05, &world).await;
        assert!(advice.trusted && advice.learned.examples == 400);
    });
}

#[test]
fn later_risks_have_their_shares_of_what_is_left_and_there_are_only_so_many() {
    let world = world();
    world.block_on(async {
        teach(&learner(), 400, 1, &world).await;
        let risks: Vec<f64> = (0..8).map(|at| 0.1 + 0.05 * f64::from(at)).collect();
        let mut bounds = Vec::new();
        for &risk in &risks {
            // Each load knows the places of those before it.
            let advice = ask(&learner(), risk, &world).await;
            assert!(advice.trusted, "{risk}");
            bounds.push(advice.learned.bound);
        }
        // Without an error among as many, the bound rests on the share alone.
        assert!(bounds.is_sorted(), "{bounds:?}");
        let ninth = learner();
        assert_eq!(ask(&ninth, 0.9, &world).await.threshold, None);
        assert!(ask(&ninth, 0.1, &world).await.trusted);
        teach(&ninth, 400, 2, &world).await;
        assert_eq!(ask(&learner(), 0.9, &world).await.threshold, None);
    });
}

#[test]
fn what_waits_for_the_next_look_does_not_vote() {
    let world = world();
    let learner = Learner::new(LearnOptions {
        examples: 150,
        ..LearnOptions::default()
    });
    let learner = learner.unwrap();
    world.block_on(async {
        teach(&learner, 100, 1, &world).await;
        let before = ask(&learner, 0.05, &world).await;
        // All the same, unlike those before, and soon more than the store was made for if the first were not let go.
        let mut other = vec![0_i8; 16];
        other[7] = 127;
        for come in 101..=700 {
            let subject = subject();
            let take = learner.take(&subject, other.clone(), "b", "", 5.0, &world);
            take.await;
            let advice = learner.suggest(&subject, &other, Some(0.05), &world);
            assert_eq!(advice.await.unwrap().trusted, come >= 200, "{come}");
            if come < 200 {
                assert_eq!(ask(&learner, 0.05, &world).await, before);
            }
        }
        let report = learner.report(&world).await;
        assert_eq!((report[0].examples, report[0].total), (200, 700));
    });
}
