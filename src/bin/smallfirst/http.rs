//! The network of the command line: blocking HTTP.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use smallfirst::host::{Clock, Storage};
use smallfirst::remote::{
    self, FullBody, Head, HttpRequest, Network, Page, READ_HEADERS, TransportError,
};

use crate::folder::Stopwatch;

/// How long one request may take. The remote's own times are shorter.
const LONGEST: Duration = Duration::from_secs(300);

/// Blocking HTTP, and a memory for what is stored.
pub struct Http {
    agent: ureq::Agent,
    stored: Mutex<BTreeMap<String, String>>,
    clock: Stopwatch,
}

impl Http {
    pub fn new() -> Self {
        // A status is an answer to be read, not an error; and nobody else is to be asked.
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(LONGEST))
            .build();
        Http {
            agent: config.into(),
            stored: Mutex::default(),
            clock: Stopwatch::start(),
        }
    }
}

impl Clock for Http {
    fn now_ms(&self) -> f64 {
        self.clock.now_ms()
    }

    fn wall_ms(&self) -> f64 {
        self.clock.wall_ms()
    }

    fn uniform(&self) -> f64 {
        self.clock.uniform()
    }
}

impl Network for Http {
    type Body = FullBody;

    fn online(&self) -> bool {
        true
    }

    async fn open(&self, request: &HttpRequest) -> Result<(Head, FullBody), TransportError> {
        let broken = |e: ureq::Error| TransportError::Unreachable(e.to_string());
        let mut post = self.agent.post(request.url());
        for (name, value) in request.headers() {
            post = post.header(name, value);
        }
        let mut response = post.send(request.body()).map_err(broken)?;
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some((name.to_owned(), value.to_owned()))
        };
        let head = Head {
            status: response.status().as_u16(),
            headers: READ_HEADERS.into_iter().filter_map(header).collect(),
        };
        // One more than is wanted, so that too much is told from enough.
        let limit = remote::MAX_REPLY_BYTES as u64 + 1;
        let body = response.body_mut().with_config().limit(limit).read_to_vec();
        Ok((head, FullBody(Some(body.map_err(broken)?))))
    }

    async fn sleep(&self, ms: f64) {
        // The work it is held against is blocking, too: whoever waits here has nothing else to do.
        thread::sleep(Duration::from_secs_f64(ms.max(0.0) / 1000.0));
    }
}

impl Page for Http {}

impl Storage for Http {
    async fn update(&self, key: &str, change: &mut dyn FnMut(Option<String>) -> Option<String>) {
        let mut stored = self
            .stored
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = stored.remove(key);
        if let Some(after) = change(before) {
            stored.insert(key.to_owned(), after);
        }
    }
}
