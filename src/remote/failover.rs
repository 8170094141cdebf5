//! One endpoint after the other until one answers; a hedge walks beside, and takes the next one.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::pin;

use futures_util::future::{Either, select};

use super::Reply;
use super::client::Remote;
use super::egress::clearance::Clearance;
use super::egress::departure::Door;
use super::exchange::{Deliver, DiscardSink};
use super::host::Host;
use super::question::{Question, ResponseFormat};
use super::trace::Trace;
use crate::error::{Code, Error, Result};

/// One question on its way through the endpoints.
pub(super) struct Failover<'a, H> {
    pub remote: &'a Remote,
    pub question: &'a Question<'a>,
    pub clearance: &'a Clearance<'a>,
    pub door: Door<'a, H>,
    /// Tokens of requests and replies and US dollars, over all tries.
    pub spent: Cell<(u64, u64, f64)>,
    /// The endpoints nobody has taken yet.
    order: RefCell<VecDeque<usize>>,
    several: bool,
}

impl<'a, H: Host> Failover<'a, H> {
    pub fn new(
        remote: &'a Remote,
        question: &'a Question<'a>,
        clearance: &'a Clearance<'a>,
        order: VecDeque<usize>,
        host: &'a H,
        trace: &'a Trace,
    ) -> Self {
        Failover {
            remote,
            question,
            clearance,
            door: Door {
                accounts: &remote.accounts,
                ledger: &remote.ledger,
                trace,
                host,
                task: question.task,
                text: matches!(question.wanted, ResponseFormat::Text { .. }),
                patience_ms: f64::from(remote.options.policy.deadline_ms),
                key: format!("{:016x}", (host.uniform() * 2f64.powi(53)) as u64),
                tries: Cell::new(0),
            },
            spent: Cell::new((0, 0, 0.0)),
            several: order.len() > 1,
            order: RefCell::new(order),
        }
    }

    /// Asks for text, piece by piece.
    pub async fn text(&self, deliver: &mut impl Deliver) -> Result<Reply> {
        self.walk(deliver, true).await
    }

    /// Asks for a whole answer, within the deadline.
    pub async fn answer(&self) -> Result<Reply> {
        let host = self.door.host;
        let work = async {
            let hedge = self.remote.options.policy.hedge_after_ms;
            let Some(after) = hedge.filter(|_| self.several) else {
                return self.walk(&mut DiscardSink, false).await;
            };
            let second = async {
                host.sleep(f64::from(after)).await;
                self.walk(&mut DiscardSink, false).await
            };
            let mut nowhere = DiscardSink;
            let first = self.walk(&mut nowhere, false);
            match select(pin!(first), pin!(second)).await {
                Either::Left((Err(error), second)) if !self.order.borrow().is_empty() => {
                    second.await.map_err(|_| error)
                }
                Either::Right((Err(error), first)) => first.await.map_err(|_| error),
                Either::Left((result, _)) | Either::Right((result, _)) => result,
            }
        };
        let deadline = self.remote.options.policy.deadline_ms;
        match select(pin!(work), pin!(host.sleep(f64::from(deadline)))).await {
            Either::Left((result, _)) => result,
            // The abort ends every wait, so the work ends by itself, in good order: what was under way is billed.
            Either::Right((_, work)) if host.aborted() => work.await,
            Either::Right(_) => Err(Error::new(
                Code::RemoteTimeout,
                format!(
                    "no remote answered within {deadline} ms; raise policy.deadlineMs or use a faster model"
                ),
            )),
        }
    }

    /// Tries the endpoints in order until one answers.
    async fn walk(&self, deliver: &mut impl Deliver, stream: bool) -> Result<Reply> {
        let mut last = Error::new(
            Code::RemoteUnreachable,
            "every endpoint is being asked already",
        );
        loop {
            let Some(at) = self.order.borrow_mut().pop_front() else {
                return Err(last);
            };
            match self.endpoint(at, deliver, stream).await {
                Ok(reply) => return Ok(reply),
                Err(error) if matches!(error.code(), Code::Aborted | Code::RemoteInterrupted) => {
                    return Err(error);
                }
                Err(error) => last = error,
            }
        }
    }
}
