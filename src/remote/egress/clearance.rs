//! What of a question may leave the device: personal data is taken out of every part of it, the page sees all of it as
//! it would leave, and only then is there something that a request can be made of.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::prompt::{Payload, Prompt, Role, Turn};
use super::{Egress, Privacy};
use crate::error::{Code, Error, Result, excerpt};
use crate::remote::attachment::Attachment;
use crate::remote::endpoint::Endpoint;
use crate::remote::host::{Consent, ConsentRequest, Host, Message, TransportError};
use crate::remote::redact::{Named, Redacted, Redactor};
use crate::task::Label;

/// How much of a reply goes back when it is to be mended, in characters.
const QUOTED: usize = 2000;

/// A question, cleared for some endpoints.
#[derive(Debug)]
pub(in crate::remote) struct Clearance<'r> {
    /// As the caller said it, for models on this device.
    here: Payload,
    /// As it leaves.
    away: std::result::Result<Away<'r>, Error>,
}

#[derive(Debug)]
struct Away<'r> {
    payload: Payload,
    redactor: Option<&'r Redactor>,
    redacted: Redacted,
}

/// What a clearance is given for.
pub(in crate::remote) struct Request<'a> {
    /// What the question says.
    pub payload: Payload,
    /// What of it nobody can take personal data out of.
    pub opaque: Option<&'static str>,
    /// The people's names in it and what else is somebody's, or why nobody could look for them.
    pub names: Result<Vec<Named>>,
    /// The endpoints it may go to; those on this device need no clearance.
    pub endpoints: &'a [&'a Endpoint],
}

impl<'r> Clearance<'r> {
    /// Takes personal data out where that is wanted, and asks the page. What may not leave can still be said to a model
    /// on this device.
    ///
    /// # Errors
    /// [`Code::EgressDenied`] when it may not leave and every endpoint is elsewhere, or [`Code::Aborted`].
    pub async fn new(
        request: Request<'_>,
        privacy: &Privacy,
        redactor: &'r Redactor,
        host: &impl Host,
    ) -> Result<Self> {
        let away: Vec<&Endpoint> = request
            .endpoints
            .iter()
            .copied()
            .filter(|e| !e.is_on_device())
            .collect();
        let here = request.payload.clone();
        if away.is_empty() {
            let never = Error::new(Code::EgressDenied, "no endpoint is elsewhere");
            return Ok(Clearance {
                here,
                away: Err(never),
            });
        }
        let all_away = away.len() == request.endpoints.len();
        match clear(request, &away, privacy, redactor, host).await {
            Err(error) if all_away || error.code() != Code::EgressDenied => Err(error),
            away => Ok(Clearance { here, away }),
        }
    }

    /// Why nothing of it may leave, if that is so.
    pub fn denied(&self) -> Option<&Error> {
        self.away.as_ref().err()
    }

    /// The conversation with an endpoint, as far as it was cleared for it.
    ///
    /// # Errors
    /// [`Code::EgressDenied`].
    pub fn conversation<'c>(&'c self, endpoint: &'c Endpoint) -> Result<Conversation<'c>> {
        let original = self.here.labels.as_deref();
        if endpoint.is_on_device() {
            return Ok(Conversation {
                endpoint,
                payload: self.here.clone(),
                original,
                redactor: None,
                redacted: Redacted::default(),
            });
        }
        let away = self.away.as_ref().map_err(Clone::clone)?;
        Ok(Conversation {
            endpoint,
            payload: away.payload.clone(),
            original,
            redactor: away.redactor,
            redacted: away.redacted.clone(),
        })
    }
}

/// What is said to one endpoint, and to no other.
#[derive(Debug)]
pub(in crate::remote) struct Conversation<'c> {
    endpoint: &'c Endpoint,
    payload: Payload,
    /// The labels as the caller knows them, in the order of those that are sent.
    original: Option<&'c [Label]>,
    redactor: Option<&'c Redactor>,
    redacted: Redacted,
}

impl<'c> Conversation<'c> {
    /// Who is spoken to.
    pub fn endpoint(&self) -> &'c Endpoint {
        self.endpoint
    }

    /// What the endpoint is told.
    pub fn prompt(&self, stream: bool) -> Prompt {
        Prompt::of(self.payload.clone(), stream)
    }

    /// How many bytes all its words have.
    pub fn bytes(&self) -> usize {
        self.payload.bytes()
    }

    /// The image or the sound that goes with it.
    pub fn attachment(&self) -> Option<&Attachment> {
        self.payload.attachment.as_ref()
    }

    /// What was taken out of it.
    pub fn redacted(&self) -> &Redacted {
        &self.redacted
    }

    /// The labels as they are sent: a reply names one of these.
    pub fn labels(&self) -> &[Label] {
        self.payload.labels.as_deref().unwrap_or_default()
    }

    /// The caller's label that was sent as `id`.
    pub fn original(&self, id: &str) -> Option<&Label> {
        let at = self.labels().iter().position(|label| label.id == id)?;
        self.original?.get(at)
    }

    /// Adds the endpoint's own reply, and what was wrong with it.
    pub fn ask_again(&mut self, reply: &str, wrong: &str) {
        // An empty turn is refused by some servers.
        let reply = if reply.is_empty() { "{}" } else { reply };
        let said = excerpt(reply, QUOTED);
        let asked = format!(
            "That is not valid: {}. Answer again, with nothing but the JSON object that was asked for.",
            excerpt(wrong, 300)
        );
        for (role, text) in [(Role::Assistant, said), (Role::User, asked)] {
            let text = match self.redactor {
                Some(redactor) => redactor.redact_one(&mut self.redacted, &text),
                None => text,
            };
            self.payload.turns.push(Turn { role, text });
        }
    }

    /// Further fields of a request, which the page's developer wrote.
    pub fn extra(&self) -> Map<String, Value> {
        without_personal_data(&self.endpoint.extra_body, self.redactor, &self.redacted)
    }
}

/// Fields whose strings went through the same redaction as the words.
fn without_personal_data(
    fields: &Map<String, Value>,
    redactor: Option<&Redactor>,
    redacted: &Redacted,
) -> Map<String, Value> {
    let mut fields = fields.clone();
    if let Some(redactor) = redactor {
        let mut redacted = redacted.clone();
        for field in fields.values_mut() {
            strings(field, &mut |text| {
                *text = redactor.redact_one(&mut redacted, text);
            });
        }
    }
    fields
}

/// Changes every string value.
pub(in crate::remote) fn strings(value: &mut Value, change: &mut dyn FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| strings(item, change)),
        Value::Object(fields) => {
            fields.values_mut().for_each(|field| strings(field, change));
        }
        _ => {}
    }
}

async fn clear<'r>(
    request: Request<'_>,
    endpoints: &[&Endpoint],
    privacy: &Privacy,
    redactor: &'r Redactor,
    host: &impl Host,
) -> Result<Away<'r>> {
    let Request {
        payload,
        opaque,
        names,
        ..
    } = request;
    let egress = privacy.of(&payload.task);
    let task = payload.task.clone();
    let redacts = privacy.redacts(&task);
    if let Some(what) = opaque.filter(|_| redacts) {
        return Err(denied(format!(
            "personal data cannot be taken out of {what}, so nothing is sent; set the task's egress to \"allow\" or \"ask\" without privacy.redact, if that may leave"
        )));
    }
    let names = names.map_err(|error| {
        denied(format!(
            "names could not be looked for, so nothing is sent: {error}"
        ))
    })?;
    let mut away = Away {
        payload,
        redactor: redacts.then_some(redactor),
        redacted: Redacted::default(),
    };
    away.redact(&names)?;
    let ask = egress == Egress::Ask;
    if ask || privacy.before_remote {
        let outgoing = away.shown(task, endpoints, ask);
        let consent = consent(&outgoing, host).await?;
        if away.replace(consent)? {
            away.redact(&names)?;
        }
    }
    Ok(away)
}

impl Away<'_> {
    /// Takes personal data out of all its words. What is a placeholder already stays one.
    fn redact(&mut self, names: &[Named]) -> Result<()> {
        let Some(redactor) = self.redactor else {
            return Ok(());
        };
        let mut words = Vec::new();
        self.payload.change(|word| words.push(std::mem::take(word)));
        let views: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut cleared = redactor
            .redact_more(&mut self.redacted, &views, names)
            .into_iter();
        self.payload
            .change(|word| *word = cleared.next().unwrap_or_default());
        let labels = self.payload.labels.iter().flatten();
        let mut seen = BTreeSet::new();
        for label in labels {
            if !seen.insert(label.id.as_str()) {
                return Err(denied(format!(
                    "without personal data, two labels of the task are the same (\"{}\"), so the remote could not tell them apart; give them ids without personal data",
                    excerpt(&label.id, 60)
                )));
            }
        }
        Ok(())
    }

    /// All of it, as the page is to see it.
    fn shown(&self, task: String, endpoints: &[&Endpoint], ask: bool) -> ConsentRequest {
        let payload = &self.payload;
        let extra = endpoints
            .iter()
            .filter(|e| !e.extra_body.is_empty())
            .map(|e| {
                let fields = without_personal_data(&e.extra_body, self.redactor, &self.redacted);
                (e.name().to_owned(), fields)
            });
        ConsentRequest {
            task,
            endpoints: endpoints.iter().map(|e| e.name().to_owned()).collect(),
            instruction: payload.instruction.clone(),
            system: payload.system(),
            messages: payload
                .turns
                .iter()
                .map(|turn| Message {
                    role: turn.role,
                    content: turn.text.clone(),
                })
                .collect(),
            labels: payload.labels.clone(),
            text: payload
                .turns
                .last()
                .map_or(String::new(), |t| t.text.clone()),
            extra_body: extra.collect(),
            redactions: self.redacted.counts(),
            attachment: payload.attachment.clone(),
            ask,
        }
    }

    /// Puts in what the page wants to be sent instead. True when that changed anything.
    fn replace(&mut self, consent: Consent) -> Result<bool> {
        let Consent {
            text,
            system,
            messages,
            ..
        } = consent;
        let changed = text.is_some() || system.is_some() || messages.is_some();
        let turns = &mut self.payload.turns;
        if let Some(messages) = messages {
            let alike = messages.len() == turns.len()
                && messages.iter().zip(&*turns).all(|(m, t)| m.role == t.role);
            if !alike || text.is_some() {
                return Err(denied(format!(
                    "privacy.beforeRemote returned messages that are not those it was shown; return the {} messages with their roles and other contents, and no text besides",
                    turns.len()
                )));
            }
            for (turn, message) in turns.iter_mut().zip(messages) {
                turn.text = message.content;
            }
        } else if let Some(text) = text {
            // Whoever changes one of several may believe that it is all that leaves.
            let [only] = &mut turns[..] else {
                return Err(denied(format!(
                    "privacy.beforeRemote returned a text in place of {} messages; return {{ messages }}, with what each is to say",
                    turns.len()
                )));
            };
            only.text = text;
        }
        if let Some(system) = system {
            if self.payload.labels.is_some() || self.payload.schema.is_some() {
                return Err(denied(
                    "privacy.beforeRemote returned other rules for an answer in JSON, whose rules are made of its instruction and labels; return none".into(),
                ));
            }
            self.payload.rules = system;
        }
        Ok(changed)
    }
}

/// Asks the page.
async fn consent(outgoing: &ConsentRequest, host: &impl Host) -> Result<Consent> {
    let consent = match host.consent(outgoing).await {
        Ok(consent) => consent,
        Err(TransportError::Aborted) => {
            return Err(Error::aborted());
        }
        // Who cannot be asked has not agreed.
        Err(TransportError::Page(why)) => {
            return Err(denied(format!(
                "the page could not be asked whether this may leave the device: {}",
                excerpt(&why, 200)
            )));
        }
        Err(_) => {
            return Err(denied(
                "the page could not be asked whether this may leave the device".into(),
            ));
        }
    };
    if consent.allow {
        return Ok(consent);
    }
    let why = consent.why.map(|why| format!(": {}", excerpt(&why, 200)));
    Err(denied(format!(
        "the page did not allow this to leave the device{}",
        why.unwrap_or_default()
    )))
}

fn denied(why: String) -> Error {
    Error::new(Code::EgressDenied, why)
}
