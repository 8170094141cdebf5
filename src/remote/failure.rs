//! What went wrong with one try, whether trying again makes sense, and how long to wait.

use std::time::UNIX_EPOCH;

use serde_json::{Map, Value};

use super::endpoint::Endpoint;
use super::host::{Head, TransportError};
use crate::error::{Code, Error, excerpt};

/// The longest wait that a server may ask for and get, in milliseconds. What it asks beyond keeps
/// the endpoint out of use instead.
pub const LONGEST_WAIT_MS: f64 = 60_000.0;

/// The failure of one try.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What it is to the caller.
    pub error: Error,
    /// Whether the same request may succeed a little later.
    pub retry: bool,
    /// How long the server asks to wait, in milliseconds.
    pub wait_ms: Option<f64>,
    /// Whether it tells against the endpoint's health.
    pub unhealthy: bool,
    /// Whether the server may have done the work, so that it may be billed.
    pub maybe_billed: bool,
}

impl Failure {
    /// A reply that is not what was asked for. The work was done.
    pub fn bad_reply(message: impl Into<String>) -> Self {
        Failure {
            error: Error::new(Code::RemoteBadResponse, message),
            retry: false,
            wait_ms: None,
            unhealthy: false,
            maybe_billed: true,
        }
    }

    /// The remote declined.
    pub fn refused(message: impl Into<String>) -> Self {
        Failure {
            error: Error::new(Code::RemoteRefused, message),
            ..Failure::bad_reply("")
        }
    }

    /// A request that was never sent.
    pub fn unsent(error: Error) -> Self {
        Failure {
            error,
            retry: false,
            wait_ms: None,
            unhealthy: false,
            maybe_billed: false,
        }
    }

    /// It took too long.
    pub fn timeout(endpoint: &Endpoint, what: &str, ms: u32) -> Self {
        Failure {
            error: Error::new(
                Code::RemoteTimeout,
                format!(
                    "{} did not {what} within {ms} ms; raise the endpoint's timeouts or use a faster model",
                    endpoint.name()
                ),
            ),
            retry: true,
            wait_ms: None,
            unhealthy: true,
            maybe_billed: true,
        }
    }

    /// There was no response, or not the whole of it.
    pub fn transport(endpoint: &Endpoint, error: TransportError) -> Self {
        let name = endpoint.name();
        match error {
            TransportError::Unreachable(why) => Failure {
                error: Error::new(
                    Code::RemoteUnreachable,
                    format!(
                        "{name} could not be reached ({why}); check the address, CORS and the network"
                    ),
                ),
                retry: true,
                wait_ms: None,
                unhealthy: true,
                maybe_billed: true,
            },
            TransportError::Aborted => Failure::unsent(Error::aborted()),
            TransportError::Headers(why) => Failure::unsent(Error::new(
                Code::InvalidOption,
                format!("remote.headers gave no headers ({why})"),
            )),
            TransportError::Page(why) => Failure {
                maybe_billed: true,
                ..Failure::unsent(Error::new(
                    Code::RemoteUnreachable,
                    format!("{name} failed: {}", excerpt(&why, 200)),
                ))
            },
        }
    }

    /// More bytes than are read.
    pub fn too_large(endpoint: &Endpoint) -> Self {
        Failure::bad_reply(format!(
            "{} answered with more than {} bytes",
            endpoint.name(),
            super::MAX_REPLY_BYTES
        ))
    }

    /// A reply that its server gave up.
    pub fn broke_off() -> Self {
        Failure {
            error: Error::new(
                Code::RemoteStatus,
                "the remote says that it failed before its reply was finished; the remote has a problem of its own, try later",
            ),
            retry: true,
            unhealthy: true,
            ..Failure::bad_reply("")
        }
    }

    /// An error that arrives inside a good status: what it is by the status that it names.
    pub fn inside(head: &Head, body: &Value) -> Self {
        let said = Completion::of(body.clone());
        let named = Head {
            status: said.status(),
            headers: head.headers.clone(),
        };
        let mut failure = Failure::of(
            &named,
            &said,
            0.0,
            "with an error inside a good reply, as if with",
        );
        // The request was taken, and perhaps worked on.
        failure.maybe_billed = true;
        failure
    }

    /// An HTTP status that is no success.
    ///
    /// Whether to retry follows what the official SDKs do (openai 6.49, @anthropic-ai/sdk 1.13):
    /// `x-should-retry` where the server says so, and else for 408, 409, 429 and 500 and above; but never
    /// for a quota that waiting does not restore. The wait comes from `retry-after-ms`, `retry-after` (seconds or a
    /// date), or Google's `RetryInfo`.
    pub fn status(head: &Head, body: &str, wall_ms: f64) -> Self {
        let body = serde_json::from_str(body).unwrap_or_default();
        Failure::of(head, &Completion::of(body), wall_ms, "with")
    }

    fn of(head: &Head, said: &Completion, wall_ms: f64, how: &str) -> Self {
        let status = head.status;
        let exhausted = said.exhausted();
        let retry = match head.header("x-should-retry") {
            Some("true") => true,
            Some("false") => false,
            _ => matches!(status, 408 | 409 | 429 | 500..) && !exhausted,
        };
        let advice = match status {
            401 | 403 => "; check what remote.headers sends, or the proxy's key",
            404 => "; check remote.baseUrl and remote.model",
            429 if exhausted => "; the quota is used up",
            429 => "; the remote's rate limit is reached, try later",
            500.. => "; the remote has a problem of its own, try later",
            _ => "",
        };
        let message = match &said.message {
            Some(message) => format!(": \"{}\"", excerpt(message, 200)),
            None => String::new(),
        };
        Failure {
            error: Error::new(
                Code::RemoteStatus,
                format!("the remote answered {how} HTTP status {status}{message}{advice}"),
            ),
            retry,
            wait_ms: asked_wait(head, wall_ms).or(said.retry_delay_ms),
            unhealthy: matches!(status, 408 | 429 | 500..),
            // A request that was turned away costs nothing; one that broke the server may.
            maybe_billed: status >= 500,
        }
    }
}

/// What the body of an error says, in the shapes of all providers.
#[derive(Default)]
struct Completion {
    message: Option<String>,
    /// All words that name the error, in lower case.
    code: String,
    /// The number that names it.
    number: Option<u16>,
    retry_delay_ms: Option<f64>,
}

impl Completion {
    fn of(body: Value) -> Self {
        // Gemini without `alt=sse` puts it into a list.
        let body = match body {
            Value::Array(list) => list.into_iter().next().unwrap_or_default(),
            other => other,
        };
        let Value::Object(body) = body else {
            return Completion::default();
        };
        // AWS names the message at the top, in either case.
        let mut body: Map<String, Value> = body
            .into_iter()
            .map(|(key, value)| (key.to_lowercase(), value))
            .collect();
        let mut inner = |path: &[&str]| {
            let found = path
                .iter()
                .try_fold(&mut body, |at, key| match at.get_mut(*key)? {
                    Value::Object(map) => Some(map),
                    Value::Array(list) => list.first_mut()?.as_object_mut(),
                    _ => None,
                })?;
            found.remove("error").filter(|error| !error.is_null())
        };
        let error = inner(&[])
            .or_else(|| inner(&["response"]))
            .or_else(|| inner(&["choices"]));
        let object = match error {
            Some(Value::String(message)) => {
                return Completion {
                    message: Some(message),
                    ..Completion::default()
                };
            }
            Some(Value::Object(object)) => object,
            _ => body,
        };
        let field = |name: &str| object.get(name);
        let text = |name: &str| field(name).and_then(Value::as_str);
        let number = |name: &str| {
            let value = field(name)?;
            let number = value
                .as_u64()
                .or_else(|| value.as_str()?.trim().parse().ok())?;
            u16::try_from(number)
                .ok()
                .filter(|status| (400..600).contains(status))
        };
        let details = field("details").cloned().unwrap_or_default();
        let words = ["code", "type", "status", "errorcode", "__type"]
            .into_iter()
            .filter_map(text);
        Completion {
            retry_delay_ms: retry_delay(&details),
            code: words
                .map(str::to_lowercase)
                .chain([details.to_string()])
                .collect::<Vec<_>>()
                .join(" "),
            number: ["code", "status", "status_code", "http_status"]
                .into_iter()
                .find_map(number),
            message: text("message").map(str::to_owned),
        }
    }

    /// The HTTP status that an error names, or that its words stand for (as the APIs of OpenAI, Anthropic, Google and AWS
    /// pair them); 500 where neither is known.
    fn status(&self) -> u16 {
        const WORDS: [(&str, u16); 20] = [
            ("insufficient_quota", 429),
            ("billing", 402),
            ("rate_limit", 429),
            ("ratelimit", 429),
            ("too_many", 429),
            ("throttl", 429),
            ("resource_exhausted", 429),
            ("overloaded", 529),
            ("unavailable", 503),
            ("timeout", 504),
            ("deadline_exceeded", 504),
            ("authentication", 401),
            ("unauth", 401),
            ("api_key", 401),
            ("permission", 403),
            ("forbidden", 403),
            ("not_found", 404),
            ("notfound", 404),
            ("invalid", 400),
            ("bad_request", 400),
        ];
        let known = || WORDS.iter().find(|(word, _)| self.code.contains(word));
        self.number.or_else(|| Some(known()?.1)).unwrap_or(500)
    }

    /// Whether waiting a little does not help: OpenAI's and Anthropic's words for a spent budget.
    fn exhausted(&self) -> bool {
        [
            "insufficient_quota",
            "billing_error",
            "enforced_spend_limit_reached",
        ]
        .iter()
        .any(|word| self.code.contains(word))
    }
}

/// Google's `RetryInfo`: `{"@type": "…RetryInfo", "retryDelay": "46s"}`.
fn retry_delay(details: &Value) -> Option<f64> {
    let delay = details
        .as_array()?
        .iter()
        .find_map(|d| d.get("retryDelay"))?;
    let seconds: f64 = delay.as_str()?.strip_suffix('s')?.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds * 1000.0)
}

/// The wait that the headers ask for.
fn asked_wait(head: &Head, wall_ms: f64) -> Option<f64> {
    let number = |name: &str| -> Option<f64> {
        let value: f64 = head.header(name)?.trim().parse().ok()?;
        (value.is_finite() && value >= 0.0).then_some(value)
    };
    if let Some(ms) = number("retry-after-ms") {
        return Some(ms);
    }
    if let Some(seconds) = number("retry-after") {
        return Some(seconds * 1000.0);
    }
    let date = httpdate::parse_http_date(head.header("retry-after")?).ok()?;
    let at = date.duration_since(UNIX_EPOCH).ok()?.as_millis() as f64;
    Some((at - wall_ms).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, headers: &[(&str, &str)], body: &str) -> Failure {
        let headers = headers.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        let head = Head {
            status: code,
            headers: headers.collect(),
        };
        // 2026-11-24 00:00:00 UTC
        Failure::status(&head, body, 1_795_478_400_000.0)
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for code in [408, 409, 429, 500, 502, 503, 504, 529] {
            assert!(status(code, &[], "").retry, "{code}");
        }
        for code in [302, 400, 401, 402, 403, 404, 413, 422, 431] {
            assert!(!status(code, &[], "").retry, "{code}");
        }
        assert!(!status(500, &[("x-should-retry", "false")], "").retry);
        assert!(status(400, &[("x-should-retry", "true")], "").retry);
        for spent in [
            r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"limit","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
        ] {
            assert!(!status(429, &[], spent).retry, "{spent}");
        }
    }

    #[test]
    fn the_wait_is_read_wherever_it_is() {
        let wait = |headers: &[(&str, &str)], body| status(429, headers, body).wait_ms;
        assert_eq!(wait(&[("retry-after", "2")], ""), Some(2000.0));
        assert_eq!(
            wait(&[("retry-after", "7"), ("retry-after-ms", "150")], ""),
            Some(150.0)
        );
        assert_eq!(
            wait(&[("retry-after", "Tue, 24 Nov 2026 00:00:30 GMT")], ""),
            Some(30_000.0)
        );
        assert_eq!(
            wait(&[("retry-after", "Mon, 23 Nov 2026 00:00:30 GMT")], ""),
            Some(0.0)
        );
        for nonsense in ["-1", "NaN", "soon", ""] {
            assert_eq!(wait(&[("retry-after", nonsense)], ""), None, "{nonsense}");
        }
        let google = r#"{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[
            {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"46s"}]}}"#;
        assert_eq!(wait(&[], google), Some(46_000.0));
    }

    #[test]
    fn the_message_is_found_in_every_shape() {
        for body in [
            r#"{"error":{"message":"boo","type":"x","code":null}}"#,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"boo"},"request_id":"r"}"#,
            r#"{"error":"boo"}"#,
            r#"{"message":"boo"}"#,
            r#"{"ErrorCode":"X","Message":"boo"}"#,
        ] {
            let failure = status(400, &[], body);
            assert!(
                failure.error.to_string().contains("boo"),
                "{body}: {}",
                failure.error
            );
        }
        for none in ["", "<h1>oops</h1>", "[1]", "{}", r#"{"error":7}"#] {
            assert!(
                status(500, &[], none).error.to_string().contains("500"),
                "{none}"
            );
        }
    }
}
