//! The kinds of task beside choosing one label: what each gives, and how it is made of a model's numbers. A kind is one file (or
//! folder) of this folder; it asks the model by [`Forward`] alone, or by [`Sees`] where it reads images, so that it is tested
//! without one.
//!
//! To add a kind: a file here with its output and a function from `&mut dyn Forward` to that output and its confidence; a variant of
//! [`TaskKind`], of [`KindOutput`] and of [`perform`] (of [`see`] for images). For answers of remotes: a schema, rules and a reader in
//! the same file, and a line in each function of [`Form`]. For certificates: a [`Truth`], and what an output costs beside it. No other
//! kind changes.

mod answering;
mod detection;
mod edges;
mod entities;
mod form;
mod forward;
mod image_vectors;
mod labels;
mod mask;
mod numbers;
mod numeric;
mod ocr;
mod options;
mod output;
mod regression;
mod runs;
mod schema;
mod sees;
mod sight;
mod truth;
mod vectors;
mod voice;
mod zero_shot;

pub use answering::{FoundAnswer, QuestionOutput};
pub use detection::{Boxes, FoundObject, ObjectsOutput};
pub use edges::BoundingBox;
pub use entities::{Aggregation, Entity, OUTSIDE, Span, TokensOutput, entity_labels};
pub use form::{Form, is_for_remotes};
pub use forward::{Forward, Place, Tokens, Values};
pub use labels::{GivenLabel, LabelsOutput};
pub use mask::{Filling, MaskOutput};
pub use numeric::{Numeric, perform_numeric};
pub use ocr::{OcrOutput, Reading, TextLine};
pub use options::KindOptions;
pub use output::{KindOutput, Made};
pub use regression::RegressionOutput;
pub use runs::{Hears, Runs};
pub use sees::Sees;
pub use sight::{Sight, see};
pub use truth::{Agreement, Truth, loss, losses};
pub use vectors::{Precision, VectorOutput, Vectors};
pub use voice::{SpeechEvent, VoiceOutput, VoiceSegment, VoiceStream};

use output::made;

use super::{Input, Label, TaskKind};
use crate::error::{Code, Error, Result};

/// Has a model do a task of some kind.
///
/// # Errors
/// [`Code::InputKind`] or [`Code::InvalidOption`] when the kind has no use for what it is given, otherwise what failed.
pub fn perform(
    kind: TaskKind,
    labels: &[Label],
    input: Input<'_>,
    options: &KindOptions,
    model: &mut dyn Forward,
) -> Result<Made> {
    let takes: &[&str] = match kind {
        TaskKind::MultiLabel => &["topK", "threshold"],
        TaskKind::TokenClassification => &["aggregation"],
        TaskKind::QuestionAnswering => &["topK", "maxAnswerTokens"],
        TaskKind::FillMask => &["topK"],
        TaskKind::FeatureExtraction => &["pooling", "normalize", "precision"],
        TaskKind::ZeroShotClassification => &[
            "topK",
            "candidateLabels",
            "hypothesisTemplate",
            "multiLabel",
        ],
        TaskKind::ObjectDetection
        | TaskKind::Ocr
        | TaskKind::VoiceActivityDetection
        | TaskKind::Regression => {
            return Err(Error::new(
                Code::InputKind,
                format!("{} does not read texts", kind.as_str()),
            ));
        }
        TaskKind::Classify | TaskKind::Generate => {
            return Err(Error::new(
                Code::Internal,
                "labels and texts have paths of their own",
            ));
        }
    };
    options.check(kind, takes)?;
    let wrong = || {
        let (kind, given) = (kind.as_str(), input.kind().as_str());
        Error::new(Code::InputKind, format!("{kind} does not read {given}"))
    };
    let text = || match input {
        Input::Text(text) => Ok(text),
        _ => Err(wrong()),
    };
    let top = options.top_k.map(|k| k as usize);
    Ok(match kind {
        TaskKind::MultiLabel => {
            let (text, second) = match input {
                Input::Text(text) => (text, None),
                Input::Pair { text, second } => (text, Some(second)),
                _ => return Err(wrong()),
            };
            let threshold = options.threshold;
            let (output, sure) = labels::perform((text, second), labels, threshold, top, model)?;
            made(KindOutput::Labels(output), Some(sure))
        }
        TaskKind::TokenClassification => {
            let aggregation = options.aggregation.unwrap_or_default();
            let (output, sure) = entities::perform(text()?, labels, aggregation, model)?;
            made(KindOutput::Tokens(output), Some(sure))
        }
        TaskKind::FillMask => {
            let (output, sure) = mask::perform(text()?, top, model)?;
            made(KindOutput::Mask(output), Some(sure))
        }
        TaskKind::FeatureExtraction => {
            let wanted = vectors::Wanted {
                pooling: options.pooling,
                normalize: options.normalize,
                precision: options.precision.unwrap_or_default(),
            };
            let output = vectors::perform(text()?, wanted, model)?;
            made(KindOutput::Vectors(output), None)
        }
        TaskKind::ZeroShotClassification => {
            let asked = zero_shot::Asked {
                candidates: options.candidate_labels.as_deref().unwrap_or_default(),
                template: options.hypothesis_template.as_deref(),
                several: options.multi_label == Some(true),
                top,
            };
            let (output, sure) = zero_shot::perform(text()?, labels, &asked, model)?;
            made(KindOutput::Label(output), Some(sure))
        }
        TaskKind::QuestionAnswering => {
            let Input::Pair { text, second } = input else {
                return Err(wrong());
            };
            let most = options.max_answer_tokens.map(|most| most as usize);
            let output = answering::perform((text, second), top, most, model)?;
            let sure = output.best.score;
            made(KindOutput::Question(output), sure)
        }
        // The first match refused all others.
        _ => return Err(wrong()),
    })
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
