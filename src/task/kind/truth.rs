//! What is right, as labelled rows say it, and what an output costs beside it: a loss in [0, 1], whose mean a certificate bounds.

#[cfg(feature = "cli")]
use serde::Deserialize;
use serde::Serialize;

use super::entities::Span;
use super::numbers::f1;
use super::output::KindOutput;
use super::{answering, entities, labels};
use crate::error::{Code, Error, Result};
#[cfg(feature = "cli")]
use crate::task::{Input, Label};
use crate::task::{Loss, TaskKind};

/// What is right for one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// One label.
    Label(String),
    /// The labels that hold.
    Labels(Vec<String>),
    /// The entities of the text.
    Spans(Vec<Span>),
    /// Answers, each of which is right.
    Answers(Vec<String>),
    /// A word for each gap.
    Words(Vec<String>),
}

impl Truth {
    /// Reads what a row of labelled data says: JSON, or a word where one is enough.
    ///
    /// # Errors
    /// What is wrong with it: a label that there is none of, a span that does not lie in the text.
    #[cfg(feature = "cli")]
    pub fn read(
        kind: TaskKind,
        labels: &[Label],
        input: Input<'_>,
        said: &str,
    ) -> std::result::Result<Truth, String> {
        let words = || match serde_json::from_str(said) {
            Ok(Given::One(word)) => vec![word],
            Ok(Given::Several(words) | Given::Squad { text: words }) => words,
            Err(_) => vec![said.to_owned()],
        };
        Ok(match kind {
            TaskKind::MultiLabel => {
                let given = words();
                let odd = given
                    .iter()
                    .find(|id| !labels.iter().any(|label| label.id == **id));
                match odd {
                    Some(odd) => return Err(format!("the task has no label \"{odd}\"")),
                    None => Truth::Labels(given),
                }
            }
            TaskKind::TokenClassification => {
                let spans: Vec<GivenSpan> = serde_json::from_str(said).map_err(|error| {
                    format!(
                        "the label is a list of spans, [{{\"label\", \"start\", \"end\"}}], in UTF-16 units as answers have them: {error}"
                    )
                })?;
                let Input::Text(text) = input else {
                    return Err("spans are of a text".to_owned());
                };
                let units: Vec<u16> = text.encode_utf16().collect();
                let kinds = entities::entity_labels(labels);
                let checked = spans.into_iter().map(|span| span.checked(&units, &kinds));
                Truth::Spans(checked.collect::<std::result::Result<_, _>>()?)
            }
            TaskKind::QuestionAnswering => Truth::Answers(words()),
            TaskKind::FillMask => Truth::Words(words()),
            TaskKind::ZeroShotClassification => Truth::Label(said.to_owned()),
            other => {
                return Err(format!(
                    "{} has no right answer to be held against",
                    other.as_str()
                ));
            }
        })
    }
}

/// One word, or several, as data sets write them.
#[cfg(feature = "cli")]
#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    One(String),
    Several(Vec<String>),
    /// As SQuAD has them.
    Squad {
        text: Vec<String>,
    },
}

/// A span of a labelled row.
#[cfg(feature = "cli")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenSpan {
    label: String,
    start: u32,
    end: u32,
    #[serde(default)]
    text: Option<String>,
}

#[cfg(feature = "cli")]
impl GivenSpan {
    /// It, where it lies in the text and is what the row says that it is.
    fn checked(self, units: &[u16], labels: &[Label]) -> std::result::Result<Span, String> {
        let GivenSpan {
            label,
            start,
            end,
            text,
        } = self;
        if !labels.iter().any(|known| known.id == label) {
            let known: Vec<&str> = labels.iter().map(|known| known.id.as_str()).collect();
            let known = known.join(", ");
            return Err(format!("there is no label \"{label}\"; there are {known}"));
        }
        let part = units.get(start as usize..end as usize);
        let part = part.filter(|part| !part.is_empty());
        let part = part.and_then(|part| String::from_utf16(part).ok());
        let part = part.ok_or_else(|| {
            format!(
                "the span {start} to {end} does not lie in the text, which has {} UTF-16 units",
                units.len()
            )
        })?;
        match text.filter(|text| *text != part) {
            Some(text) => Err(format!(
                "the span {start} to {end} is \"{part}\" and not \"{text}\"; places are counted in UTF-16 units, as JavaScript does"
            )),
            None => Ok(Span { label, start, end }),
        }
    }
}

/// The losses that a kind's outputs can have, the usual one first; none for what has no right answer.
pub fn losses(kind: TaskKind) -> &'static [Loss] {
    match kind {
        TaskKind::MultiLabel => &[Loss::F1, Loss::Exact],
        TaskKind::TokenClassification => &[Loss::F1, Loss::Miss, Loss::Exact],
        TaskKind::QuestionAnswering => &[Loss::F1, Loss::Exact],
        TaskKind::ZeroShotClassification | TaskKind::FillMask => &[Loss::Exact],
        _ => &[],
    }
}

/// What an output costs: 0 where it is perfect, 1 where it is worthless.
///
/// # Errors
/// [`Code::Internal`] when the output, what is right and the loss do not go together.
pub fn loss(output: &KindOutput, truth: &Truth, loss: Loss) -> Result<f64> {
    let wrong = |right: bool| f64::from(u8::from(!right));
    Ok(match (output, truth, loss) {
        (KindOutput::Labels(output), Truth::Labels(right), Loss::F1) => {
            1.0 - labels::agreement(output, right)
        }
        (KindOutput::Labels(output), Truth::Labels(right), Loss::Exact) => {
            wrong(labels::agreement(output, right) >= 1.0)
        }
        (KindOutput::Tokens(output), Truth::Spans(right), loss) => {
            let (both, given, there) = entities::hits(output, right);
            match loss {
                Loss::F1 => 1.0 - f1(both, given, there),
                // Where there is nothing, nothing is missed.
                Loss::Miss if there == 0 => 0.0,
                Loss::Miss => 1.0 - both as f64 / there as f64,
                Loss::Exact => wrong(both == given && both == there),
            }
        }
        (KindOutput::Question(output), Truth::Answers(right), Loss::F1) => {
            1.0 - answering::agreement(&output.best.answer, right).0
        }
        (KindOutput::Question(output), Truth::Answers(right), Loss::Exact) => {
            wrong(answering::agreement(&output.best.answer, right).1)
        }
        (KindOutput::Label(output), Truth::Label(right), Loss::Exact) => {
            wrong(output.label == *right)
        }
        (KindOutput::Mask(output), Truth::Words(right), Loss::Exact) => {
            let best = output.masks.iter().map(|words| words.first());
            let words = best.map(|best| best.map_or("", |best| best.text.trim()));
            wrong(words.eq(right.iter().map(|word| word.trim())))
        }
        _ => {
            let why = "the output, what is right and the loss are of different kinds";
            return Err(Error::new(Code::Internal, why));
        }
    })
}

/// How outputs agree with what is right, over many rows: the usual figures of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Agreement {
    /// Rows.
    pub rows: usize,
    /// Of these, wholly right.
    pub exact: usize,
    /// The sum of what one output agrees with: the F1 of its labels, spans or words.
    pub f1: f64,
    /// Parts that were given and are right, over all rows.
    pub hits: usize,
    /// Parts that were given.
    pub given: usize,
    /// Parts that there are.
    pub there: usize,
}

impl Agreement {
    /// Counts one output.
    ///
    /// # Errors
    /// As [`loss`].
    pub fn count(&mut self, output: &KindOutput, truth: &Truth) -> Result<()> {
        self.rows += 1;
        let exact = loss(output, truth, Loss::Exact)?;
        self.exact += usize::from(exact == 0.0);
        match (output, truth) {
            (KindOutput::Tokens(output), Truth::Spans(right)) => {
                let (both, given, there) = entities::hits(output, right);
                self.parts(both, given, there);
                self.f1 += f1(both, given, there);
            }
            (KindOutput::Labels(output), Truth::Labels(right)) => {
                let given = output.labels.len();
                let both = output.labels.iter().filter(|l| right.contains(&l.label));
                self.parts(both.count(), given, right.len());
                self.f1 += labels::agreement(output, right);
            }
            (KindOutput::Question(output), Truth::Answers(right)) => {
                self.f1 += answering::agreement(&output.best.answer, right).0;
            }
            _ => self.f1 += 1.0 - exact,
        }
        Ok(())
    }

    fn parts(&mut self, both: usize, given: usize, there: usize) {
        self.hits += both;
        self.given += given;
        self.there += there;
    }

    /// The share of what was given that is right.
    pub fn precision(&self) -> f64 {
        self.hits as f64 / self.given.max(1) as f64
    }

    /// The share of what there is that was given.
    pub fn recall(&self) -> f64 {
        self.hits as f64 / self.there.max(1) as f64
    }

    /// The F1 of all parts together.
    pub fn micro_f1(&self) -> f64 {
        f1(self.hits, self.given, self.there)
    }
}

#[cfg(test)]
mod tests;
