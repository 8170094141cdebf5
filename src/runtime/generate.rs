//! The path of a call that wants text: the input's own sentences where the task allows it, else a remote's words.

use std::collections::BTreeMap;

use super::Runtime;
use super::limits::limit_violation;
use super::progress::{Progress, origin};
use super::unanswered::neither;
use crate::bundle::{Extract, Source, TaskEntry};
use crate::error::{Code, Error, Result};
use crate::remote::{Host, Question, Reply, ResponseFormat, Trace, Turn};
use crate::route::{self, Facts, Mode, Obstacle, Plan};
use crate::task::{
    Answer, Attempt, Input, InputKind, Outcome, RanOn, Reason, TaskKind, TextOutput,
};
use crate::text::{central, sentences};

/// What is asked of a task that writes text.
#[derive(Debug, Clone)]
pub struct TextCall<'a> {
    /// The task.
    pub task: &'a str,
    /// The input.
    pub input: &'a str,
    /// The mode; the runtime's own when absent.
    pub mode: Option<Mode>,
    /// For a task the bundle does not have: what to do, in one sentence.
    pub instruction: Option<String>,
    /// What stands for the names in double braces of the task's prompt.
    pub variables: BTreeMap<String, String>,
    /// What was said before, oldest first.
    pub history: Vec<Turn>,
}

impl<S: Source> Runtime<S> {
    /// Answers one call of a task that writes text. Pieces of it go to the host as they come.
    ///
    /// # Errors
    /// When there is no text: why, with everything that was tried in [`Error::attempts`].
    pub async fn generate(
        &self,
        call: &TextCall<'_>,
        host: &impl Host,
    ) -> Result<Answer<TextOutput>> {
        let answer = Path::new(self, call, host)?.walk().await?;
        if answer.ran_on != RanOn::Remote || answer.cached {
            let bytes = call.input.len();
            self.remote.saved(InputKind::Text, bytes, true, host).await;
        }
        Ok(answer)
    }
}

/// A call on its way.
pub(super) struct Path<'a, S, H> {
    runtime: &'a Runtime<S>,
    call: &'a TextCall<'a>,
    host: &'a H,
    task: Option<&'a TaskEntry>,
    mode: Mode,
    instruction: String,
    system: String,
    /// What is said, the input in its place.
    text: String,
    progress: Progress,
}

impl<'a, S: Source, H: Host> Path<'a, S, H> {
    /// Checks what no answer can be given without.
    pub(super) fn new(
        runtime: &'a Runtime<S>,
        call: &'a TextCall<'a>,
        host: &'a H,
    ) -> Result<Self> {
        if call.input.trim().is_empty() {
            return Err(Error::new(
                Code::EmptyInput,
                "the input is empty; there is nothing to work on",
            ));
        }
        let (task, instruction, system, template) =
            match (runtime.bundle.task(call.task), &call.instruction) {
                (Ok(entry), _) => match &entry.prompt {
                    Some(prompt) if entry.kind == TaskKind::Generate => (
                        Some(entry),
                        entry.instruction.clone(),
                        prompt.system.clone(),
                        prompt.user.as_str(),
                    ),
                    _ => {
                        return Err(Error::new(
                            Code::InvalidOption,
                            format!(
                                "the task \"{}\" chooses a label; call run, not generate",
                                call.task
                            ),
                        ));
                    }
                },
                (Err(_), Some(instruction)) => {
                    (None, instruction.clone(), instruction.clone(), "{{input}}")
                }
                (Err(unknown), None) => return Err(unknown),
            };
        Ok(Path {
            runtime,
            call,
            host,
            task,
            mode: call.mode.unwrap_or(runtime.mode),
            instruction,
            system: fill(&system, call)?,
            text: fill(template, call)?,
            progress: Progress::new(host),
        })
    }

    pub(super) async fn walk(mut self) -> Result<Answer<TextOutput>> {
        let obstacle = self.obstacle();
        match route::plan(self.mode, obstacle.as_ref().map(|(o, _)| *o)) {
            Plan::Local | Plan::LocalDegraded(_) => match self.extract().await {
                Ok(text) => self.give(text, Reason::Extracted, None).await,
                Err(error) if error.code() == Code::Aborted || self.mode == Mode::OnlyLocal => {
                    Err(error.with_attempts(self.progress.attempts))
                }
                // The encoder could not be had; a remote needs none.
                Err(local) => match self.remote().await {
                    Ok(reply) => Ok(self.answer(reply, Reason::ModelUnavailable)),
                    Err(error)
                        if matches!(error.code(), Code::Aborted | Code::RemoteInterrupted) =>
                    {
                        Err(error.with_attempts(self.progress.attempts))
                    }
                    Err(remote) => {
                        Err(neither(self.mode, local, remote).with_attempts(self.progress.attempts))
                    }
                },
            },
            Plan::Remote {
                reason,
                local_if_failed,
            } => match self.remote().await {
                Ok(reply) => Ok(self.answer(reply, reason)),
                Err(error)
                    if local_if_failed
                        && !matches!(error.code(), Code::Aborted | Code::RemoteInterrupted) =>
                {
                    match self.extract().await {
                        Ok(text) => self.give(text, Reason::RemoteFailed, Some(error)).await,
                        Err(_) => Err(error.with_attempts(self.progress.attempts)),
                    }
                }
                Err(error) => Err(error.with_attempts(self.progress.attempts)),
            },
            Plan::Refuse(_) => {
                let error = obstacle.map_or_else(
                    || Error::new(Code::Internal, "refused for no reason"),
                    |(_, error)| error,
                );
                Err(error.with_attempts(self.progress.attempts))
            }
        }
    }

    /// What keeps this device from answering by itself.
    fn obstacle(&self) -> Option<(Obstacle, Error)> {
        let hard = |reason, error| Some((Obstacle::Hard(reason), error));
        let Some(task) = self.task else {
            let error = self.runtime.bundle.task(self.call.task).err()?;
            return hard(Reason::UnknownTask, error);
        };
        if task.extract.is_none() {
            let error = Error::new(
                Code::EgressDenied,
                format!(
                    "the task \"{}\" writes text, which only a remote can, and the mode keeps the input on this device",
                    self.call.task
                ),
            );
            return hard(Reason::RemoteOnly, error);
        }
        let (reason, error) = limit_violation(task, Input::Text(self.call.input))?;
        hard(reason, error)
    }

    /// The input's own most central sentences.
    async fn extract(&mut self) -> Result<String> {
        let extract = self.task.and_then(|t| t.extract.as_ref());
        let (Some(task), Some(extract)) = (self.task, extract) else {
            return Err(Error::new(Code::Internal, "nothing to extract with"));
        };
        let from = self.host.now_ms();
        let chosen = self.chosen(task, extract).await;
        let ms = self.host.now_ms() - from;
        self.progress.timing.infer_ms += ms;
        let mut attempt = Attempt::new(RanOn::Local, &extract.encoder, Outcome::Answered, ms);
        if let Err(e) = &chosen {
            attempt.end(Outcome::Failed, e.code().as_str(), e.to_string());
        }
        self.progress.attempts.push(attempt);
        chosen
    }

    async fn chosen(&self, task: &TaskEntry, extract: &Extract) -> Result<String> {
        let encoder = self
            .runtime
            .models
            .encoder(&self.runtime.bundle, &extract.encoder)
            .await?;
        let mut found = sentences(self.call.input);
        let mut vectors = Vec::with_capacity(found.len());
        let mut fitting = Vec::with_capacity(found.len());
        for sentence in found.drain(..) {
            if self.host.aborted() {
                return Err(Error::aborted());
            }
            match encoder.run(Input::Text(sentence), &task.limits) {
                Ok(vector) => {
                    vectors.push(vector);
                    fitting.push(sentence);
                }
                // A sentence that the encoder cannot read is not chosen.
                Err(error) if matches!(error.code(), Code::InputTooShort | Code::InputTooLong) => {}
                Err(error) => return Err(error),
            }
        }
        if fitting.is_empty() {
            return Err(Error::new(
                Code::InputTooShort,
                "the text has no sentence to go by",
            ));
        }
        let chosen = central(&vectors, extract.sentences as usize);
        let chosen: Vec<&str> = chosen
            .into_iter()
            .filter_map(|at| fitting.get(at).copied())
            .collect();
        Ok(chosen.join(" "))
    }

    /// Asks the remotes, piece by piece.
    async fn remote(&mut self) -> Result<Reply> {
        let question = Question {
            bundled: self.task.is_some(),
            task: self.call.task,
            instruction: &self.instruction,
            input: Input::Text(self.call.input),
            wanted: ResponseFormat::Text {
                system: &self.system,
                text: &self.text,
                history: &self.call.history,
            },
        };
        let trace = Trace::default();
        let from = self.host.now_ms();
        let runtime = self.runtime;
        let asked = runtime.remote.stream(&question, runtime, self.host, &trace);
        let result = asked.await;
        self.progress.remote(trace, from, self.host);
        result
    }

    /// Gives a text of this device to the page, in one piece.
    async fn give(
        self,
        text: String,
        reason: Reason,
        failure: Option<Error>,
    ) -> Result<Answer<TextOutput>> {
        if self.host.delta(&text).await.is_err() {
            return Err(Error::aborted());
        }
        let extract = self.task.and_then(|t| t.extract.as_ref());
        let tier = extract.map_or_else(String::new, |e| e.encoder.clone());
        let problem = failure.map(|e| e.code().as_str());
        let output = TextOutput {
            text,
            truncated: false,
        };
        let facts = Facts::uncalibrated(reason, problem, false);
        let origin = (RanOn::Local, tier);
        Ok(Answer {
            degraded: reason != Reason::Extracted,
            ..self
                .progress
                .answer(self.call.task, output, origin, &facts, self.host)
        })
    }

    fn answer(self, reply: Reply, reason: Reason) -> Answer<TextOutput> {
        let origin = origin(&reply);
        let output = TextOutput {
            text: reply.text,
            truncated: reply.truncated,
        };
        let facts = Facts::uncalibrated(reason, None, true);
        Answer {
            confidence: reply.confidence,
            usage: reply.usage,
            cached: reply.cached,
            ..self
                .progress
                .answer(self.call.task, output, origin, &facts, self.host)
        }
    }
}

/// Puts the input and the call's variables into a template, in one pass: what they hold is never taken for
/// a part of the template.
fn fill(template: &str, call: &TextCall) -> Result<String> {
    let mut out = String::with_capacity(template.len() + call.input.len());
    let mut rest = template;
    while let Some(open) = rest.find("{{") {
        out.push_str(&rest[..open]);
        let after = &rest[open + 2..];
        let Some(close) = after.find("}}") else {
            out.push_str(&rest[open..]);
            return Ok(out);
        };
        match after[..close].trim() {
            "input" => out.push_str(call.input),
            name => match call.variables.get(name) {
                Some(value) => out.push_str(value),
                None => {
                    return Err(Error::new(
                        Code::InvalidOption,
                        format!(
                            "the task \"{}\" needs the variable \"{}\"; give it in options.variables",
                            call.task,
                            crate::error::excerpt(name, 40)
                        ),
                    ));
                }
            },
        }
        rest = &after[close + 2..];
    }
    out.push_str(rest);
    Ok(out)
}
