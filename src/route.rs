//! The decision where a call is answered, and its reason. Pure: no clock, no network, no models.
//!
//! A call goes through [`plan`] once, before anything is run; then each local tier's confidence goes
//! through [`judge`]. [`explain`] puts the outcome into words.

use serde::{Deserialize, Serialize};

use crate::calibrate::accepts;
use crate::task::{AnswerGuarantee, AskedRisk, Doubt, GuaranteeKind, Learned, Loss, Reason};

/// Who may answer, and who is asked first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// This device alone. Nothing is ever sent.
    OnlyLocal,
    /// This device, and the remote where that is not enough.
    #[default]
    PreferLocal,
    /// The remote, and this device where that fails.
    PreferRemote,
    /// The remote alone.
    OnlyRemote,
}

/// Something about a call that keeps a local answer from being trusted, known before a head runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// There can be no local answer.
    Hard(Reason),
    /// There can be one, but it may only be given for want of a better one.
    Soft(Reason),
}

impl Obstacle {
    /// The reason it stands for.
    pub fn reason(self) -> Reason {
        match self {
            Obstacle::Hard(reason) | Obstacle::Soft(reason) => reason,
        }
    }
}

/// What to do with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Run the local tiers; trust the first whose confidence reaches its threshold.
    Local,
    /// Run the local tiers and give the best answer as degraded.
    LocalDegraded(Reason),
    /// Ask the remote.
    Remote {
        /// Why.
        reason: Reason,
        /// Whether the local tiers may answer, degraded, when it fails.
        local_if_failed: bool,
    },
    /// Nobody may answer.
    Refuse(Reason),
}

/// Decides what to do, from the mode and what stands in a local answer's way.
pub fn plan(mode: Mode, obstacle: Option<Obstacle>) -> Plan {
    let local_possible = !matches!(obstacle, Some(Obstacle::Hard(_)));
    match (mode, obstacle) {
        (Mode::OnlyRemote, _) => Plan::Remote {
            reason: Reason::Mode,
            local_if_failed: false,
        },
        (Mode::PreferRemote, _) => Plan::Remote {
            reason: Reason::Mode,
            local_if_failed: local_possible,
        },
        (Mode::OnlyLocal | Mode::PreferLocal, None) => Plan::Local,
        (Mode::PreferLocal, Some(obstacle)) => Plan::Remote {
            reason: obstacle.reason(),
            local_if_failed: local_possible,
        },
        (Mode::OnlyLocal, Some(Obstacle::Soft(reason))) => Plan::LocalDegraded(reason),
        (Mode::OnlyLocal, Some(Obstacle::Hard(reason))) => Plan::Refuse(reason),
    }
}

/// What one tier's confidence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Answer with it.
    Trust,
    /// It is not enough, for this reason.
    Distrust(Reason),
}

/// Holds a confidence against its threshold. A threshold of `None` is one that no evidence
/// supports, so nothing meets it; an input unlike the training data meets none either.
pub fn judge(confidence: f64, threshold: Option<f64>, in_distribution: bool) -> Verdict {
    match threshold {
        None => Verdict::Distrust(Reason::Uncertified),
        Some(_) if !in_distribution => Verdict::Distrust(Reason::OutOfDistribution),
        Some(threshold) if accepts(confidence, in_distribution, threshold) => Verdict::Trust,
        Some(_) => Verdict::Distrust(Reason::LowConfidence),
    }
}

/// The facts [`explain`] words.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The reason.
    pub reason: Reason,
    /// The local confidence and its threshold, where a tier ran.
    pub confidence: Option<f64>,
    /// The threshold, where there is one.
    pub threshold: Option<f64>,
    /// The promise that was asked for, where one was.
    pub asked: Option<AskedRisk>,
    /// The promise of the certificate that supports the answer, where one does.
    pub guarantee: Option<AnswerGuarantee>,
    /// Why the remote did not answer, where it should have.
    pub remote_problem: Option<&'a str>,
    /// Whether the remote answered.
    pub remote_answered: bool,
    /// What speaks against the local answer.
    pub doubts: &'a [Doubt],
    /// What speaks for an answer by example.
    pub learned: Option<&'a Learned>,
    /// How likely the remote is right, where that was held against the local confidence.
    pub remote_accuracy: Option<f64>,
}

impl<'a> Facts<'a> {
    /// What there is to say of an answer that nobody calibrated.
    pub fn uncalibrated(
        reason: Reason,
        remote_problem: Option<&'a str>,
        remote_answered: bool,
    ) -> Facts<'a> {
        Facts {
            reason,
            confidence: None,
            threshold: None,
            asked: None,
            guarantee: None,
            remote_problem,
            remote_answered,
            doubts: &[],
            learned: None,
            remote_accuracy: None,
        }
    }
}

/// Whether a remote that is right with probability `remote`, by its profile, is worth asking where the best local answer is
/// right with probability `local`: only where the difference is more than `worth`. Where no such number is known, it is asked.
pub fn remote_may_help(remote: Option<f64>, local: f64, worth: f64) -> bool {
    remote.is_none_or(|remote| remote > local + worth)
}

/// What lowers a confidence, in words.
fn because(doubts: &[Doubt]) -> String {
    let words = doubts.iter().map(|doubt| match doubt {
        Doubt::CloseLabels => "another label is almost as likely",
        Doubt::ShortInput => "the input is short",
        Doubt::LongInput => "the input is long",
        Doubt::ConfusedLabel => "the label is often confused with others",
    });
    match words.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        words => format!(" ({words})"),
    }
}

/// The outcome as one English sentence.
pub fn explain(facts: &Facts) -> String {
    let percent = |p: Option<f64>| p.map_or("?".to_owned(), |p| format!("{:.1} %", p * 100.0));
    let why = match facts.reason {
        Reason::Confident => {
            let promise = match (facts.guarantee, facts.asked) {
                (Some(promise), Some(asked)) => {
                    let (share, loss) = (percent(Some(asked.risk)), promise.loss);
                    match asked.kind {
                        GuaranteeKind::Absolute if loss.is_some_and(|l| l != Loss::Exact) => {
                            format!(
                                ", calibrated so that {} is at most {share}",
                                loss.map_or("", Loss::in_words)
                            )
                        }
                        GuaranteeKind::Absolute => {
                            format!(
                                ", calibrated so that at most {share} of such answers are wrong"
                            )
                        }
                        GuaranteeKind::AgainstRemote => format!(
                            ", calibrated so that at most {share} more of such answers are wrong than the remote's would be"
                        ),
                    }
                }
                _ => ", without a promise of how often such answers are wrong".to_owned(),
            };
            return format!(
                "The local model is {} sure, which meets its threshold of {}{promise}.",
                percent(facts.confidence),
                percent(facts.threshold)
            );
        }
        Reason::LowConfidence => format!(
            "The local model is {} sure, below its threshold of {}{}",
            percent(facts.confidence),
            percent(facts.threshold),
            because(facts.doubts)
        ),
        Reason::Uncertified => match facts.asked {
            Some(asked) => format!(
                "No threshold of this task is certified for a risk of {}{}, and no local answer is trusted",
                percent(Some(asked.risk)),
                match asked.kind {
                    GuaranteeKind::Absolute => "",
                    GuaranteeKind::AgainstRemote => " above the remote's",
                }
            ),
            None => "No threshold of this task is certified, and no local answer is trusted".into(),
        },
        Reason::OutOfDistribution => {
            "The input is unlike what the local model was trained on".into()
        }
        Reason::Mode => "The mode asks for the remote".into(),
        Reason::UnknownTask => "The bundle has no such task".into(),
        Reason::InputTooShort => "The input holds too little for the local model".into(),
        Reason::InputTooLong => "The input is over the local model's limit".into(),
        Reason::UnsupportedLanguage => {
            "The text is in a language the local model was not trained on".into()
        }
        Reason::ModelUnavailable => "No local model of this task could be loaded or run".into(),
        Reason::RemoteFailed => "The remote was asked first".into(),
        Reason::RemoteOnly => "The task writes text, which no local model here can".into(),
        Reason::Learned => {
            let Some(learned) = facts.learned else {
                return "The answer is what the remote said of similar inputs.".into();
            };
            return format!(
                "The remote gave the same answer to {} of the 5 most similar inputs (similarity up to {:.2}); so answered, {} of {} earlier inputs got another answer than the remote's, at most {} in the long run, within the risk of {}.",
                learned.agreeing,
                learned.nearest,
                learned.wrong,
                learned.tested,
                percent(Some(learned.bound)),
                percent(Some(learned.risk)),
            );
        }
        Reason::RemoteUnlikelyToHelp => {
            let against = match facts.threshold {
                Some(_) => format!("below its threshold of {}", percent(facts.threshold)),
                None => "and no threshold is certified".to_owned(),
            };
            let found = match facts.remote_accuracy {
                Some(_) => format!(
                    "the remote is right about {} of such inputs",
                    percent(facts.remote_accuracy)
                ),
                None => {
                    "audits found that the remote is not worth asking about such inputs".to_owned()
                }
            };
            return format!(
                "The local model is {} sure, {against}{}; {found}, so the local answer is given.",
                percent(facts.confidence),
                because(facts.doubts)
            );
        }
        Reason::LocalOnly => {
            return "Only this device answers tasks of this kind, and nothing certifies the answer."
                .into();
        }
        Reason::Extracted => {
            return "The answer is made of the input's own sentences, chosen on this device."
                .into();
        }
    };
    let then = match (facts.remote_answered, facts.remote_problem) {
        (true, _) => ", so the remote answered.".to_owned(),
        (false, Some(problem)) => {
            format!("; the remote could not answer ({problem}), so this is the best local answer.")
        }
        (false, None) => {
            "; the mode keeps it on this device, so this is the best local answer.".to_owned()
        }
    };
    why + &then
}

#[cfg(test)]
mod tests;
