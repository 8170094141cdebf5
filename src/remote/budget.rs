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
    pub fn read(stored: Option<&str>) -> Self {
        let Some(json) = stored else {
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
mod tests;
