//! Pre-tokenizers with regular expressions that the library has not built in.

use serde_json::{Value, json};
use tokenizers::pipeline::{
    PipelinePreTokenizer, PipelineTokenizer, PreTokenizer, PreTokenizerScratch, Span, split_matches,
};
use tokenizers::{Result, SplitDelimiterBehavior};

use super::canonical::CANONICAL;
use super::expression::Expression;

/// The steps of a pre-tokenizer, each of which divides what the one before it gave.
pub(super) struct Splits(Vec<Step>);

enum Step {
    /// One of the library, in a tokenizer of its own: it reads them in no other way.
    Known(Box<PipelineTokenizer>),
    Split {
        expression: Expression,
        behavior: SplitDelimiterBehavior,
        inverted: bool,
    },
}

impl Splits {
    /// Reads the pre-tokenizer of a file in the newest format.
    ///
    /// # Errors
    /// What of it is not known.
    pub(super) fn new(json: &str) -> Result<Self> {
        let file: Value = serde_json::from_str(json)?;
        let pre = &file["pre_tokenizer"];
        let alone = std::slice::from_ref(pre);
        let members = pre["pretokenizers"].as_array().map_or(alone, Vec::as_slice);
        let steps: Result<Vec<Step>> = members.iter().map(step).collect();
        Ok(Splits(steps?))
    }

    pub(super) fn pre_tokenize(
        &self,
        text: &str,
        scratch: &mut PreTokenizerScratch,
        out: &mut Vec<Span>,
    ) -> Result<()> {
        let whole = |text: &str| -> Result<Span> {
            Ok(Span {
                start: 0,
                end: u32::try_from(text.len())?,
            })
        };
        let mut spans = vec![whole(text)?];
        for step in &self.0 {
            let mut divided = Vec::with_capacity(spans.len());
            for span in &spans {
                let part = &text[span.range()];
                let from = divided.len();
                step.divide(part, scratch, &mut divided)?;
                for inner in &mut divided[from..] {
                    inner.start += span.start;
                    inner.end += span.start;
                }
            }
            spans = divided;
        }
        out.append(&mut spans);
        Ok(())
    }
}

impl Step {
    fn divide(
        &self,
        text: &str,
        scratch: &mut PreTokenizerScratch,
        out: &mut Vec<Span>,
    ) -> Result<()> {
        match self {
            Step::Known(known) => known.get_pre_tokenizer().pre_tokenize(text, scratch, out),
            Step::Split {
                expression,
                behavior,
                inverted,
            } => {
                let parts = expression.parts(text);
                let mut parts = parts.map_err(|_| "its regular expression takes too long")?;
                for (_, found) in &mut parts {
                    *found ^= *inverted;
                }
                split_matches(out, parts, *behavior);
                Ok(())
            }
        }
    }
}

fn step(member: &Value) -> Result<Step> {
    let known = known(member)?;
    let built_in = match known.get_pre_tokenizer() {
        PipelinePreTokenizer::Split(split) => split.grammar().is_some(),
        _ => true,
    };
    let Some(written) = member["pattern"]["Regex"].as_str().filter(|_| !built_in) else {
        return Ok(Step::Known(Box::new(known)));
    };
    let expression = Expression::new(written)
        .map_err(|what| format!("its regular expression has {what}, which is not known"))?;
    let behavior = match member["behavior"].as_str().unwrap_or("Isolated") {
        "Removed" => SplitDelimiterBehavior::Removed,
        "Isolated" => SplitDelimiterBehavior::Isolated,
        "MergedWithPrevious" => SplitDelimiterBehavior::MergedWithPrevious,
        "MergedWithNext" => SplitDelimiterBehavior::MergedWithNext,
        "Contiguous" => SplitDelimiterBehavior::Contiguous,
        other => return Err(format!("the behavior {other} is not known").into()),
    };
    Ok(Step::Split {
        expression,
        behavior,
        inverted: member["invert"] == true,
    })
}

/// A tokenizer with this pre-tokenizer.
fn known(member: &Value) -> Result<PipelineTokenizer> {
    let file = json!({
        "pre_tokenizer": member,
        "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"},
    });
    let file = file.to_string();
    tokenizers::from_json(&format!("{CANONICAL}{}", file.trim_start_matches('{')))
}
