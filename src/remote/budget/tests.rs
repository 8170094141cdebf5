use super::*;

fn cost(tokens: u64, usd: f64) -> Spent {
    Spent {
        requests: 1,
        input_tokens: tokens,
        output_tokens: 0,
        cost_usd: usd,
    }
}

/// Sends and settles one request.
fn spend(
    book: &mut Book,
    budget: &Budget,
    spent: Spent,
    now: f64,
) -> std::result::Result<(), Refusal> {
    book.admit(budget, "x", spent, now, now + 1000.0)?;
    book.settle("x", Bill::Exactly(spent), now);
    Ok(())
}

#[test]
fn each_limit_holds_and_comes_back() {
    let one = cost(100, 0.01);
    let cases: [(Budget, &str, f64); 5] = [
        (
            Budget {
                requests_per_minute: Some(3),
                ..Budget::default()
            },
            "requestsPerMinute",
            2.0 * MINUTE_MS,
        ),
        (
            Budget {
                tokens_per_minute: Some(300),
                ..Budget::default()
            },
            "tokensPerMinute",
            2.0 * MINUTE_MS,
        ),
        (
            Budget {
                requests_per_day: Some(3),
                ..Budget::default()
            },
            "requestsPerDay",
            DAY_MS,
        ),
        (
            Budget {
                tokens_per_day: Some(300),
                ..Budget::default()
            },
            "tokensPerDay",
            DAY_MS,
        ),
        (
            Budget {
                cost_per_day: Some(0.03),
                ..Budget::default()
            },
            "costPerDay",
            DAY_MS,
        ),
    ];
    for (budget, what, later) in cases {
        let mut book = Book::default();
        for _ in 0..3 {
            spend(&mut book, &budget, one, 0.0).unwrap();
        }
        assert_eq!(
            spend(&mut book, &budget, one, 1.0),
            Err(Refusal::Spent(what))
        );
        assert_eq!(spend(&mut book, &budget, one, later), Ok(()), "{what}");
    }
}

#[test]
fn the_minute_slides() {
    let budget = Budget {
        requests_per_minute: Some(10),
        ..Budget::default()
    };
    let mut book = Book::default();
    for _ in 0..10 {
        spend(&mut book, &budget, cost(1, 0.0), 59_000.0).unwrap();
    }
    assert!(
        spend(&mut book, &budget, cost(1, 0.0), 60_001.0).is_err(),
        "the border is no way around"
    );
    assert!(spend(&mut book, &budget, cost(1, 0.0), 90_000.0).is_ok());
}

#[test]
fn a_lease_counts_while_it_lasts_and_is_billed_once() {
    let budget = Budget {
        concurrency: Some(1),
        ..Budget::default()
    };
    let mut book = Book::default();
    book.admit(&budget, "a", cost(50, 0.0), 0.0, 1000.0)
        .unwrap();
    assert_eq!(
        book.admit(&budget, "b", cost(50, 0.0), 1.0, 1000.0),
        Err(Refusal::Busy)
    );
    book.settle("a", Bill::Exactly(cost(40, 0.0)), 2.0);
    book.settle("a", Bill::Exactly(cost(40, 0.0)), 3.0);
    assert_eq!(book.report(3.0).total.input_tokens, 40);
    // A tab that went away: its request is taken to have cost what it might.
    book.admit(&budget, "c", cost(50, 0.0), 4.0, 1000.0)
        .unwrap();
    assert_eq!(book.report(5.0).in_flight, 1);
    assert_eq!(book.report(1001.0).total.input_tokens, 90);
    book.settle("c", Bill::Exactly(cost(40, 0.0)), 1002.0);
    assert_eq!(book.report(1003.0).total.input_tokens, 90);
    book.admit(&budget, "d", cost(50, 0.0), 1004.0, 5000.0)
        .unwrap();
    book.settle("d", Bill::Nothing, 1005.0);
    assert_eq!(book.report(1006.0).total.requests, 2);
}

#[test]
fn two_tabs_share_one_book() {
    let budget = Budget {
        requests_per_day: Some(10),
        ..Budget::default()
    };
    let mut stored: Option<String> = None;
    let mut sent = [0, 0];
    for turn in 0..40 {
        let mut book = Book::read(stored.as_deref());
        if spend(&mut book, &budget, cost(1, 0.0), f64::from(turn)).is_ok() {
            sent[turn as usize % 2] += 1;
        }
        stored = Some(book.write());
    }
    assert_eq!(sent, [5, 5]);
}

#[test]
fn a_book_that_cannot_be_read_is_no_new_budget() {
    let noon = 20_000.5 * DAY_MS;
    let whole = {
        let mut book = Book::default();
        book.admit(&Budget::default(), "a", cost(7, 0.5), noon, noon + 1000.0)
            .unwrap();
        serde_json::to_value(&book).unwrap()
    };
    assert_eq!(Book::read(None), Book::default());
    assert_eq!(
        Book::read(Some(&whole.to_string())).report(noon).in_flight,
        1
    );
    let damaged = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut book = whole.clone();
        change(&mut book);
        book.to_string()
    };
    let books = [
        "{broken".to_owned(),
        "[]".to_owned(),
        format!("{{\"x\":\"{}\"}}", "x".repeat(MOST_BOOK_BYTES)),
        damaged(&|b| b["today"]["requests"] = (-1).into()),
        damaged(&|b| b["today"]["requests"] = u64::MAX.into()),
        damaged(&|b| b["thisMinute"]["costUsd"] = (-1e300).into()),
        damaged(&|b| b["total"]["costUsd"] = serde_json::Value::Null),
        damaged(&|b| b["minute"] = i64::MAX.into()),
        damaged(&|b| b["day"] = (-1).into()),
        damaged(&|b| b["leases"]["a"]["until"] = 1e300.into()),
        damaged(&|b| b["leases"]["a"]["estimate"]["inputTokens"] = u64::MAX.into()),
    ];
    let limits: [(Budget, &str, f64); 3] = [
        (
            Budget {
                cost_per_day: Some(9.0),
                requests_per_minute: Some(9),
                ..Budget::default()
            },
            "costPerDay",
            DAY_MS / 2.0,
        ),
        (
            Budget {
                tokens_per_minute: Some(9000),
                ..Budget::default()
            },
            "tokensPerMinute",
            2.0 * MINUTE_MS,
        ),
        (
            Budget {
                requests_per_day: Some(9),
                ..Budget::default()
            },
            "requestsPerDay",
            DAY_MS / 2.0,
        ),
    ];
    for stored in &books {
        for (budget, what, later) in &limits {
            let mut stored = stored.clone();
            let mut spend_at = |now: f64| {
                let mut book = Book::read(Some(&stored));
                let spent = spend(&mut book, budget, cost(1, 0.0), now);
                stored = book.write();
                spent
            };
            assert_eq!(spend_at(noon), Err(Refusal::Lost(what)), "{what}");
            // It is remembered, in the next tab too.
            assert_eq!(spend_at(noon + 1.0), Err(Refusal::Lost(what)));
            assert_eq!(spend_at(noon + later), Ok(()), "{what}");
            assert_eq!(spend_at(noon + later + 1.0), Ok(()));
        }
        // Nothing is limited: nothing is refused.
        let mut book = Book::read(Some(stored));
        assert_eq!(
            spend(&mut book, &Budget::default(), cost(1, 0.0), noon),
            Ok(())
        );
    }
}

#[test]
fn a_clock_that_is_set_back_frees_what_it_held() {
    let budget = Budget {
        concurrency: Some(1),
        ..Budget::default()
    };
    let mut book = Book::default();
    book.admit(&budget, "a", cost(1, 0.0), 1e12, 1e12 + 1000.0)
        .unwrap();
    assert_eq!(
        book.admit(&budget, "b", cost(1, 0.0), 5e11, 5e11 + 1000.0),
        Ok(())
    );
}
