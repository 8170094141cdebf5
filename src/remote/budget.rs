//! How much may be spent, and what was. Pure: the book is one value that whoever keeps it changes in one piece, so
//! that all tabs of a site share it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};

/// What may be spent. What is absent is not limited.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Budget {
    /// Requests a minute.
    pub requests_per_minute: Option<u32>,
    /// Requests a day (UTC).
    pub requests_per_day: Option<u32>,
    /// Tokens a minute, of requests and replies together.
    pub tokens_per_minute: Option<u32>,
    /// Tokens a day (UTC).
    pub tokens_per_day: Option<u32>,
    /// US dollars a day (UTC), by the endpoints' prices.
    pub cost_per_day: Option<f64>,
    /// Requests under way at the same time. A call waits for its turn.
    pub concurrency: Option<u32>,
}

impl Budget {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// [`Code::InvalidOption`].
    pub fn validate(&self) -> Result<()> {
        let cost = self.cost_per_day.is_none_or(|c| c.is_finite() && c >= 0.0);
        if !cost || self.concurrency == Some(0) {
            return Err(Error::new(
                Code::InvalidOption,
                "budget: costPerDay must be 0 or more, and concurrency at least 1",
            ));
        }
        Ok(())
    }
}

/// A sum of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", default)]
pub struct Spent {
    /// Requests that were sent, retries included.
    #[cfg_attr(test, ts(type = "number"))]
    pub requests: u64,
    /// Tokens of requests. Where a server did not say, they are estimated.
    #[cfg_attr(test, ts(type = "number"))]
    pub input_tokens: u64,
    /// Tokens of replies, likewise.
    #[cfg_attr(test, ts(type = "number"))]
    pub output_tokens: u64,
    /// US dollars, by the endpoints' prices.
    pub cost_usd: f64,
}

impl Spent {
    pub(super) fn add(&mut self, other: &Spent) {
        self.requests += other.requests;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cost_usd += other.cost_usd;
    }

    fn tokens(&self) -> f64 {
        (self.input_tokens + self.output_tokens) as f64
    }

    /// Whether it may have come about: nothing below zero, and nothing so large that sums would end.
    fn is_sound(&self) -> bool {
        let counts = [self.requests, self.input_tokens, self.output_tokens];
        counts.iter().all(|&count| count <= MOST_COUNTED as u64)
            && (0.0..=MOST_COUNTED).contains(&self.cost_usd)
    }
}

/// The most of anything that a book counts. Sums of a thousand times as much are still exact.
const MOST_COUNTED: f64 = 1e12;

/// The most requests that a book holds as under way.
const MOST_LEASES: usize = 10_000;

/// The longest text that a book is read from.
const MOST_BOOK_BYTES: usize = 4 << 20;

/// What was spent, and what answers without a remote saved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct UsageReport {
    /// Today (UTC).
    pub today: Spent,
    /// Since the book was begun.
    pub total: Spent,
    /// What remote answers would have cost, estimated from the inputs' lengths, where a local or kept answer was given
    /// instead.
    pub saved: Spent,
    /// Requests under way, in all tabs.
    pub in_flight: u32,
}

/// A request that is under way, with what it may cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Lease {
    /// From then on it counts as ended with what it may have cost: its tab is gone.
    until: f64,
    estimate: Spent,
}

/// What was spent, in the form in which it is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Book {
    minute: i64,
    this_minute: Spent,
    last_minute: Spent,
    day: i64,
    today: Spent,
    total: Spent,
    saved: Spent,
    leases: BTreeMap<String, Lease>,
    /// When a book before this one could not be read; infinite until that is known.
    #[serde(default)]
    lost: Option<f64>,
}

/// Why a request may not be sent now.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// As many as may be are under way; one of them will end.
    Busy,
    /// A limit is reached, in these words.
    Spent(&'static str),
    /// What counts towards a limit, in these words, could not be read, and may have reached it.
    Lost(&'static str),
}

impl Refusal {
    /// The error that it is to the caller.
    pub fn into_error(self) -> Error {
        let what = match self {
            Refusal::Busy => "concurrency",
            Refusal::Spent(what) => what,
            Refusal::Lost(what) => {
                return Error::new(
                    Code::OverBudget,
                    format!(
                        "what was spent could not be read, so the budget's {what} counts as reached until its time is over"
                    ),
                );
            }
        };
        Error::new(
            Code::OverBudget,
            format!(
                "the budget's {what} is reached, so no remote is asked; it is free again later"
            ),
        )
    }
}

/// How a request ended, for its bill.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bill {
    /// It was turned away, or never sent.
    Nothing,
    /// It was sent and cost this.
    Exactly(Spent),
    /// It was sent, and nobody knows what it cost: the estimate counts.
    Unknown,
}

const MINUTE_MS: f64 = 60_000.0;
pub(super) const DAY_MS: f64 = 86_400_000.0;

/// The last moment that JavaScript's dates know.
const MOST_MS: f64 = 8.64e15;

impl Book {
    /// Reads a kept book; where nothing was kept, it is begun. A book that is damaged is begun anew, too, but must not
    /// mean that all may be spent once more: the limits of the current minute and day then count as reached.
    pub fn read(kept: Option<&str>) -> Self {
        let Some(json) = kept else {
            return Book::default();
        };
        let book = Some(json).filter(|json| json.len() <= MOST_BOOK_BYTES);
        let book = book.and_then(|json| serde_json::from_str(json).ok());
        book.filter(Book::is_sound).unwrap_or(Book {
            lost: Some(f64::INFINITY),
            ..Book::default()
        })
    }

    /// Whether everything in it may have come about.
    fn is_sound(&self) -> bool {
        let sums = [
            &self.this_minute,
            &self.last_minute,
            &self.today,
            &self.total,
            &self.saved,
        ];
        let leases = self.leases.values();
        let time = |ms: f64| (0.0..=MOST_MS).contains(&ms);
        sums.into_iter().all(Spent::is_sound)
            && self.leases.len() <= MOST_LEASES
            && leases
                .into_iter()
                .all(|lease| time(lease.until) && lease.estimate.is_sound())
            && self.lost.is_none_or(time)
            && time(self.minute as f64 * MINUTE_MS)
            && time(self.day as f64 * DAY_MS)
    }

    /// The form in which it is kept.
    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Moves on to `now` (milliseconds since 1970).
    fn turn(&mut self, now: f64) {
        // A clock that was set back must not keep it for ever, either.
        self.lost = self.lost.map(|at| at.min(now));
        let minute = (now / MINUTE_MS).floor() as i64;
        if minute != self.minute {
            let follows = minute == self.minute + 1;
            self.last_minute = if follows {
                self.this_minute
            } else {
                Spent::default()
            };
            self.this_minute = Spent::default();
            self.minute = minute;
        }
        let day = (now / DAY_MS).floor() as i64;
        if day != self.day {
            self.today = Spent::default();
            self.day = day;
        }
        let over: Vec<String> = self
            .leases
            .iter()
            // A clock that was set back must not keep a lease for ever.
            .filter(|(_, l)| l.until <= now || l.until > now + DAY_MS)
            .map(|(id, _)| id.clone())
            .collect();
        for id in over {
            self.close(&id, Bill::Unknown);
        }
    }

    fn close(&mut self, id: &str, bill: Bill) {
        let Some(lease) = self.leases.remove(id) else {
            return;
        };
        let spent = match bill {
            Bill::Nothing => return,
            Bill::Exactly(spent) => spent,
            Bill::Unknown => lease.estimate,
        };
        for sum in [&mut self.this_minute, &mut self.today, &mut self.total] {
            sum.add(&spent);
        }
    }

    /// Asks to send a request that may cost `estimate`, under a name of its own. It counts from now on, and at
    /// the latest at `until` as spent.
    ///
    /// # Errors
    /// What limit is reached.
    pub fn admit(
        &mut self,
        budget: &Budget,
        id: &str,
        estimate: Spent,
        now: f64,
        until: f64,
    ) -> std::result::Result<(), Refusal> {
        self.turn(now);
        let mut open = Spent::default();
        for lease in self.leases.values() {
            open.add(&lease.estimate);
        }
        // A sliding window, estimated from two fixed ones: the last minute counts for the share of it that lies less
        // than a minute back.
        let share = 1.0 - (now / MINUTE_MS).fract();
        let in_minute = |of: fn(&Spent) -> f64| {
            of(&self.last_minute) * share + of(&self.this_minute) + of(&open)
        };
        let in_day = |of: fn(&Spent) -> f64| of(&self.today) + of(&open);
        let requests: fn(&Spent) -> f64 = |s| s.requests as f64;
        let over = |limit: Option<f64>, spent: f64, more: f64| {
            // Rounding must not eat the last request of a whole number.
            limit.is_some_and(|limit| spent + more > limit + 1e-9)
        };
        let lost = |since: f64| self.lost.is_some_and(|at| at >= since);
        let a_day = [
            ("requestsPerDay", budget.requests_per_day.is_some()),
            ("tokensPerDay", budget.tokens_per_day.is_some()),
            ("costPerDay", budget.cost_per_day.is_some()),
        ];
        let a_minute = [
            ("requestsPerMinute", budget.requests_per_minute.is_some()),
            ("tokensPerMinute", budget.tokens_per_minute.is_some()),
        ];
        // The sliding window reaches back into the minute before this one.
        for (limits, since) in [
            (&a_day[..], self.day as f64 * DAY_MS),
            (&a_minute[..], (self.minute - 1) as f64 * MINUTE_MS),
        ] {
            let limit = limits.iter().find(|(_, set)| *set);
            if let Some((what, _)) = limit.filter(|_| lost(since)) {
                return Err(Refusal::Lost(what));
            }
        }
        let tokens = estimate.tokens();
        if over(
            budget.requests_per_day.map(f64::from),
            in_day(requests),
            1.0,
        ) {
            return Err(Refusal::Spent("requestsPerDay"));
        }
        if over(
            budget.tokens_per_day.map(f64::from),
            in_day(Spent::tokens),
            tokens,
        ) {
            return Err(Refusal::Spent("tokensPerDay"));
        }
        if over(
            budget.cost_per_day,
            in_day(|s| s.cost_usd),
            estimate.cost_usd,
        ) {
            return Err(Refusal::Spent("costPerDay"));
        }
        if over(
            budget.requests_per_minute.map(f64::from),
            in_minute(requests),
            1.0,
        ) {
            return Err(Refusal::Spent("requestsPerMinute"));
        }
        if over(
            budget.tokens_per_minute.map(f64::from),
            in_minute(Spent::tokens),
            tokens,
        ) {
            return Err(Refusal::Spent("tokensPerMinute"));
        }
        if budget
            .concurrency
            .is_some_and(|most| self.leases.len() >= most as usize)
        {
            return Err(Refusal::Busy);
        }
        let estimate = Spent {
            requests: 1,
            ..estimate
        };
        self.leases.insert(id.to_owned(), Lease { until, estimate });
        Ok(())
    }

    /// Takes in how an admitted request ended. A second time, and for one that was never admitted, nothing happens.
    pub fn settle(&mut self, id: &str, bill: Bill, now: f64) {
        self.turn(now);
        self.close(id, bill);
    }

    /// Takes in what answers without a remote saved.
    pub fn save(&mut self, saved: Spent, now: f64) {
        self.turn(now);
        self.saved.add(&saved);
    }

    /// What it says at `now`.
    pub fn report(&mut self, now: f64) -> UsageReport {
        self.turn(now);
        UsageReport {
            today: self.today,
            total: self.total,
            saved: self.saved,
            in_flight: u32::try_from(self.leases.len()).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
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
        let mut kept: Option<String> = None;
        let mut sent = [0, 0];
        for turn in 0..40 {
            let mut book = Book::read(kept.as_deref());
            if spend(&mut book, &budget, cost(1, 0.0), f64::from(turn)).is_ok() {
                sent[turn as usize % 2] += 1;
            }
            kept = Some(book.write());
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
        let kept = [
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
        for kept in &kept {
            for (budget, what, later) in &limits {
                let mut kept = kept.clone();
                let mut spend_at = |now: f64| {
                    let mut book = Book::read(Some(&kept));
                    let spent = spend(&mut book, budget, cost(1, 0.0), now);
                    kept = book.write();
                    spent
                };
                assert_eq!(spend_at(noon), Err(Refusal::Lost(what)), "{what}");
                // It is remembered, in the next tab too.
                assert_eq!(spend_at(noon + 1.0), Err(Refusal::Lost(what)));
                assert_eq!(spend_at(noon + later), Ok(()), "{what}");
                assert_eq!(spend_at(noon + later + 1.0), Ok(()));
            }
            // Nothing is limited: nothing is refused.
            let mut book = Book::read(Some(kept));
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
}
