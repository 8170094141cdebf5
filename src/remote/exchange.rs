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
use super::host::{Body, Head, Host, TransportError};
use super::provider::finish::Finish;
use super::provider::reading::{self, Shape, Step};
use super::provider::{Completion, Framing, Provider, provider};
use super::{MAX_REPLY_BYTES, MAX_STREAM_BYTES};
use crate::error::Code;

/// The most bytes of an error's body that are read.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// How long the count of tokens and the end of the connection are waited for after the end of a reply.
const AFTER_FINISH_MS: u32 = 2000;

/// Where pieces of generated text go.
pub trait Deliver {
    /// Takes in a piece; comes back when the next is wanted.
    fn deliver(&mut self, text: &str) -> impl Future<Output = Result<(), TransportError>>;
}

/// For replies that are wanted whole.
pub struct DiscardSink;

impl Deliver for DiscardSink {
    async fn deliver(&mut self, _: &str) -> Result<(), TransportError> {
        Ok(())
    }
}

/// Sends a request and reads what comes back.
///
/// # Errors
/// The failure of this one try.
pub async fn exchange<H: Host>(
    endpoint: &Endpoint,
    request: &HttpRequest,
    stream: bool,
    host: &H,
    deliver: &mut impl Deliver,
) -> Result<Completion, Failure> {
    let provider = provider(endpoint.provider);
    let pieces = stream && provider.framing() != Framing::Whole;
    let watch = Deadline {
        endpoint,
        host,
        ends: Cell::new(host.now_ms() + f64::from(endpoint.timeout_ms)),
    };
    // A server that does not stream sends its headers only with the answer.
    let connect_ms = if pieces {
        endpoint.connect_ms
    } else {
        endpoint.first_byte_ms
    };
    let (head, body) = watch
        .within(connect_ms, "begin to answer", host.open(request))
        .await?
        .map_err(|e| Failure::transport(endpoint, e))?;
    let reader = Reader {
        watch: &watch,
        body: RefCell::new(body),
        provider,
        read: Cell::new(0),
        over: Cell::new(false),
        finished: Cell::new(false),
    };
    if !(200..300).contains(&head.status) {
        let body = reader.rest(Vec::new(), MAX_ERROR_BYTES, true).await?;
        return Err(Failure::status(
            &head,
            &String::from_utf8_lossy(&body),
            host.wall_ms(),
        ));
    }
    let beginning = reader.beginning().await?;
    let mut said = Completion {
        handed_over: stream,
        ..Completion::default()
    };
    match Shape::of(&beginning) {
        Some(Shape::Events) => {
            let mut events = pin!(SseByteStream::new(reader.parts(beginning, b"\n\n")));
            while let Some(event) = events.next().await {
                let event = match event {
                    Ok(event) => event,
                    // The reply is whole; what may still have come is no loss.
                    Err(_) if said.finish != Finish::Unfinished && !host.aborted() => break,
                    Err(error) => return Err(broken(error)),
                };
                let Some(data) = event.data.filter(|data| !data.is_empty()) else {
                    continue;
                };
                let name = event.event.as_deref();
                let took = reader.take(&head, name, &data, &mut said, deliver);
                if took.await? {
                    break;
                }
            }
        }
        Some(Shape::Json) if pieces && provider.framing() == Framing::Lines => {
            let mut line = Vec::new();
            let mut parts = pin!(reader.parts(beginning, b"\n"));
            'parts: while let Some(part) = parts.next().await {
                for &byte in &part.map_err(|e| e.0)? {
                    if byte != b'\n' {
                        line.push(byte);
                        continue;
                    }
                    let text = String::from_utf8_lossy(&line).trim().to_owned();
                    line.clear();
                    if !text.is_empty()
                        && reader.take(&head, None, &text, &mut said, deliver).await?
                    {
                        break 'parts;
                    }
                }
            }
        }
        _ => {
            let body = reader.rest(beginning, MAX_REPLY_BYTES, false).await?;
            let said = reading::whole(provider, &head, &String::from_utf8_lossy(&body))?;
            if stream && said.refusal.is_none() {
                watch.deliver(deliver, &said.text).await?;
            }
            return Ok(said);
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
    reading::ended(said)
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
struct Deadline<'a, H> {
    endpoint: &'a Endpoint,
    host: &'a H,
    /// When the try is over, in the clock's milliseconds.
    ends: Cell<f64>,
}

impl<H: Host> Deadline<'_, H> {
    /// Waits for something, but at most `ms`, and not beyond the end of the try.
    async fn within<F: Future>(&self, ms: u32, what: &str, work: F) -> Result<F::Output, Failure> {
        let left = (self.ends.get() - self.host.now_ms()).max(0.0);
        let (wait, ms, what) = if f64::from(ms) <= left {
            (f64::from(ms), ms, what)
        } else {
            (left, self.endpoint.timeout_ms, "finish its answer")
        };
        match select(pin!(work), pin!(self.host.sleep(wait))).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right(_) if self.host.aborted() => {
                Err(Failure::transport(self.endpoint, TransportError::Aborted))
            }
            Either::Right(_) => Err(Failure::timeout(self.endpoint, what, ms)),
        }
    }

    /// Hands a piece on. The time in which nobody takes it does not count.
    async fn deliver(&self, deliver: &mut impl Deliver, text: &str) -> Result<(), Failure> {
        let from = self.host.now_ms();
        let delivered = deliver.deliver(text).await;
        self.ends.set(self.ends.get() + self.host.now_ms() - from);
        delivered.map_err(|e| Failure::transport(self.endpoint, e))
    }
}

/// A body that is read within the times and not beyond its limit.
struct Reader<'a, H: Host> {
    watch: &'a Deadline<'a, H>,
    body: RefCell<H::Body>,
    provider: &'a dyn Provider,
    read: Cell<usize>,
    /// Whether the body is at its end.
    over: Cell<bool>,
    /// Whether the reply is finished, so that nothing of it is still to come.
    finished: Cell<bool>,
}

impl<H: Host> Reader<'_, H> {
    // Nobody else borrows the body: one part is waited for at a time.
    #[allow(clippy::await_holding_refcell_ref)]
    async fn part(&self, most: usize) -> Result<Option<Vec<u8>>, Failure> {
        let mut ms = self.watch.endpoint.first_byte_ms;
        if self.finished.get() {
            ms = ms.min(AFTER_FINISH_MS);
        }
        let mut body = self.body.borrow_mut();
        let part = self
            .watch
            .within(ms, "go on with its answer", body.next())
            .await?;
        let part = part.map_err(|e| Failure::transport(self.watch.endpoint, e))?;
        self.over.set(part.is_none());
        if let Some(part) = &part {
            self.read.set(self.read.get() + part.len());
            if self.read.get() > most {
                return Err(Failure::too_large(self.watch.endpoint));
            }
        }
        Ok(part)
    }

    /// As many parts as it takes to see how the body is written, without the white space before it: nobody needs it, and in
    /// small parts it would be gone through again with each.
    async fn beginning(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while Shape::of(&bytes).is_none()
            && let Some(part) = self.part(MAX_REPLY_BYTES).await?
        {
            bytes.extend_from_slice(&part);
            let before = bytes.len() - Shape::begun(&bytes).len();
            bytes.drain(..before);
        }
        Ok(bytes)
    }

    /// Everything from `bytes` on, up to `most` bytes; of more, the beginning where `cut` allows it.
    async fn rest(&self, mut bytes: Vec<u8>, most: usize, cut: bool) -> Result<Vec<u8>, Failure> {
        while !self.over.get() {
            match self.part(most).await {
                Ok(part) => bytes.extend_from_slice(&part.unwrap_or_default()),
                Err(failure) if cut && failure.error.code() == Code::RemoteBadResponse => {
                    return Ok(bytes);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(bytes)
    }

    /// The parts as a stream, from `beginning` on; and `end`, which some servers leave out.
    fn parts(
        &self,
        beginning: Vec<u8>,
        end: &'static [u8],
    ) -> impl Stream<Item = Result<Bytes, Stopped>> {
        stream::unfold(Some(beginning), move |beginning| async move {
            let failed = match beginning {
                None => return None,
                Some(bytes) if !bytes.is_empty() => {
                    return Some((Ok(Bytes::from(bytes)), Some(Vec::new())));
                }
                Some(_) if self.over.get() => return Some((Ok(Bytes::from_static(end)), None)),
                Some(_) => match self.part(MAX_STREAM_BYTES).await {
                    Ok(Some(part)) => return Some((Ok(Bytes::from(part)), Some(Vec::new()))),
                    Ok(None) => return Some((Ok(Bytes::from_static(end)), None)),
                    Err(failure) => failure,
                },
            };
            Some((Err(Stopped(failed)), None))
        })
    }

    /// Takes in one event; true when the stream says that it is over.
    async fn take(
        &self,
        head: &Head,
        name: Option<&str>,
        data: &str,
        said: &mut Completion,
        deliver: &mut impl Deliver,
    ) -> Result<bool, Failure> {
        let new = match reading::event(self.provider, head, name, data, said) {
            Ok(Step::Text(new)) => new,
            Ok(Step::End) => return Ok(true),
            // The connection ended within this event.
            Err(failure) if self.over.get() && failure.error.code() == Code::RemoteBadResponse => {
                return Ok(true);
            }
            Err(failure) => return Err(failure),
        };
        self.finished.set(said.finish != Finish::Unfinished);
        if said.text.len().max(said.arguments.len()) > MAX_REPLY_BYTES {
            return Err(Failure::too_large(self.watch.endpoint));
        }
        if !new.is_empty() {
            self.watch.deliver(deliver, &new).await?;
        }
        // After the reason to stop come the count of tokens, and `[DONE]`, which some servers leave out.
        Ok(false)
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
