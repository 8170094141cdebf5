//! One try: a request is sent and its reply read, whole or piece by piece, within its times.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;

use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::{Stream, StreamExt, stream};
use sse_stream::SseByteStream;

use super::egress::HttpRequest;
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::provider::{Finish, Framing, Provider, Said, provider};
use super::transport::{Body, Clock, Transport, TransportError};
use super::{MAX_REPLY_BYTES, MAX_STREAM_BYTES};
use crate::error::Code;

/// The most bytes of an error's body that are read.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// Where pieces of generated text go.
pub trait Deliver {
    /// Takes in a piece; comes back when the next is wanted.
    fn deliver(&mut self, text: &str) -> impl Future<Output = Result<(), TransportError>>;
}

/// For replies that are wanted whole.
pub struct Nowhere;

impl Deliver for Nowhere {
    async fn deliver(&mut self, _: &str) -> Result<(), TransportError> {
        Ok(())
    }
}

/// Sends a request and reads what comes back.
///
/// # Errors
/// The failure of this one try.
pub async fn exchange<T: Transport>(
    endpoint: &Endpoint,
    request: &HttpRequest,
    stream: bool,
    transport: &T,
    clock: &impl Clock,
    deliver: &mut impl Deliver,
) -> Result<Said, Failure> {
    let provider = provider(endpoint.provider);
    let pieces = stream && provider.framing() != Framing::Whole;
    let watch = Watch {
        endpoint,
        transport,
        clock,
        ends: Cell::new(clock.now_ms() + f64::from(endpoint.timeout_ms)),
    };
    // A server that does not stream sends its headers only with the answer.
    let connect_ms = if pieces {
        endpoint.connect_ms
    } else {
        endpoint.first_byte_ms
    };
    let (head, body) = watch
        .within(connect_ms, "begin to answer", transport.open(request))
        .await?
        .map_err(|e| Failure::transport(endpoint, e))?;
    let reader = Reader {
        watch: &watch,
        body: RefCell::new(body),
        read: Cell::new(0),
    };
    if !(200..300).contains(&head.status) {
        let body = reader.rest(MAX_ERROR_BYTES, true).await?;
        return Err(Failure::status(
            &head,
            &String::from_utf8_lossy(&body),
            clock.wall_ms(),
        ));
    }
    // Some servers answer whole although pieces were asked for.
    let whole = head.header("content-type").is_some_and(|t| {
        t.contains("html") || t.contains("json") && provider.framing() == Framing::Events
    });
    if !pieces || whole {
        let body = reader.rest(MAX_REPLY_BYTES, false).await?;
        let said = provider.whole(&String::from_utf8_lossy(&body))?;
        if stream && said.refusal.is_none() {
            watch.deliver(deliver, &said.text).await?;
        }
        return Ok(said);
    }
    let mut said = Said::default();
    match provider.framing() {
        Framing::Events => {
            let mut events = pin!(SseByteStream::new(reader.parts()));
            while let Some(event) = events.next().await {
                let event = match event {
                    Ok(event) => event,
                    // The reply is whole; what may still have come is no loss.
                    Err(_) if said.finish != Finish::Unfinished && !transport.aborted() => break,
                    Err(error) => return Err(broken(error)),
                };
                let Some(data) = event.data.filter(|data| !data.is_empty()) else {
                    continue;
                };
                let name = event.event.as_deref();
                if watch
                    .take(provider, name, &data, &mut said, deliver)
                    .await?
                {
                    break;
                }
            }
        }
        _ => {
            let mut line = Vec::new();
            let mut parts = pin!(reader.parts());
            'parts: while let Some(part) = parts.next().await {
                for &byte in &part.map_err(|e| e.0)? {
                    if byte != b'\n' {
                        line.push(byte);
                        continue;
                    }
                    let text = String::from_utf8_lossy(&line).trim().to_owned();
                    line.clear();
                    if !text.is_empty()
                        && watch
                            .take(provider, None, &text, &mut said, deliver)
                            .await?
                    {
                        break 'parts;
                    }
                }
            }
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            if !text.is_empty() {
                watch
                    .take(provider, None, &text, &mut said, deliver)
                    .await?;
            }
        }
    }
    if said.finish == Finish::Unfinished {
        return Err(Failure {
            retry: true,
            unhealthy: true,
            ..Failure::transport(
                endpoint,
                TransportError::Unreachable("the stream ended before the reply did".into()),
            )
        });
    }
    Ok(said)
}

/// The failure behind what ended a stream of events.
fn broken(error: sse_stream::Error) -> Failure {
    match error {
        sse_stream::Error::Body(error) => match error.downcast::<Stopped>() {
            Ok(stopped) => stopped.0,
            Err(other) => Failure::bad_reply(format!("the stream broke: {other}")),
        },
        other => Failure::bad_reply(format!("the stream is no stream of events: {other}")),
    }
}

/// The times of one try.
struct Watch<'a, T, C> {
    endpoint: &'a Endpoint,
    transport: &'a T,
    clock: &'a C,
    /// When the try is over, in the clock's milliseconds.
    ends: Cell<f64>,
}

impl<T: Transport, C: Clock> Watch<'_, T, C> {
    /// Waits for something, but at most `ms`, and not beyond the end of the try.
    async fn within<F: Future>(&self, ms: u32, what: &str, work: F) -> Result<F::Output, Failure> {
        let left = (self.ends.get() - self.clock.now_ms()).max(0.0);
        let (wait, ms, what) = if f64::from(ms) <= left {
            (f64::from(ms), ms, what)
        } else {
            (left, self.endpoint.timeout_ms, "finish its answer")
        };
        match select(pin!(work), pin!(self.transport.sleep(wait))).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right(_) if self.transport.aborted() => {
                Err(Failure::transport(self.endpoint, TransportError::Aborted))
            }
            Either::Right(_) => Err(Failure::timeout(self.endpoint, what, ms)),
        }
    }

    /// Takes in one event; true when the reply is complete.
    async fn take(
        &self,
        provider: &dyn Provider,
        name: Option<&str>,
        data: &str,
        said: &mut Said,
        deliver: &mut impl Deliver,
    ) -> Result<bool, Failure> {
        let new = provider.event(name, data, said)?;
        if said.text.len() > MAX_REPLY_BYTES {
            return Err(Failure::too_large(self.endpoint));
        }
        if !new.is_empty() {
            self.deliver(deliver, &new).await?;
        }
        // After the reason to stop comes the count of tokens, and `[DONE]`, which some servers leave out.
        Ok(data == "[DONE]")
    }

    /// Hands a piece on. The time in which nobody takes it does not count.
    async fn deliver(&self, deliver: &mut impl Deliver, text: &str) -> Result<(), Failure> {
        let from = self.clock.now_ms();
        let delivered = deliver.deliver(text).await;
        self.ends.set(self.ends.get() + self.clock.now_ms() - from);
        delivered.map_err(|e| Failure::transport(self.endpoint, e))
    }
}

/// A body that is read within the times and not beyond its limit.
struct Reader<'a, T: Transport, C> {
    watch: &'a Watch<'a, T, C>,
    body: RefCell<T::Body>,
    read: Cell<usize>,
}

impl<T: Transport, C: Clock> Reader<'_, T, C> {
    // Nobody else borrows the body: one part is waited for at a time.
    #[allow(clippy::await_holding_refcell_ref)]
    async fn part(&self, most: usize) -> Result<Option<Vec<u8>>, Failure> {
        let ms = self.watch.endpoint.first_byte_ms;
        let mut body = self.body.borrow_mut();
        let part = self
            .watch
            .within(ms, "go on with its answer", body.next())
            .await?;
        let part = part.map_err(|e| Failure::transport(self.watch.endpoint, e))?;
        if let Some(part) = &part {
            self.read.set(self.read.get() + part.len());
            if self.read.get() > most {
                return Err(Failure::too_large(self.watch.endpoint));
            }
        }
        Ok(part)
    }

    /// Everything, up to `most` bytes; of more, the beginning where `cut` allows it.
    async fn rest(&self, most: usize, cut: bool) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        loop {
            match self.part(most).await {
                Ok(Some(part)) => bytes.extend_from_slice(&part),
                Ok(None) => return Ok(bytes),
                Err(failure) if cut && failure.error.code() == Code::RemoteBadResponse => {
                    return Ok(bytes);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// The parts as a stream.
    fn parts(&self) -> impl Stream<Item = Result<Bytes, Stopped>> {
        stream::unfold(false, async move |over| {
            if over {
                return None;
            }
            match self.part(MAX_STREAM_BYTES).await {
                Ok(Some(part)) => Some((Ok(Bytes::from(part)), false)),
                Ok(None) => None,
                Err(failure) => Some((Err(Stopped(failure)), true)),
            }
        })
    }
}

/// A failure on its way through the parser of events.
#[derive(Debug)]
struct Stopped(Failure);

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.error.fmt(f)
    }
}

impl std::error::Error for Stopped {}
