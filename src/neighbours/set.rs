//! What is in memory of a subject: the examples of the latest look, and what was found of them.

use super::examples::{Example, Examples};
use super::leave_one_out::{ThresholdEstimate, certify_leave_one_out};
use super::looks::{Look, Voters, has_place, place};
use super::store::Entry;

/// The examples that vote on a subject.
#[derive(Debug)]
pub struct Set {
    /// The labels that the subject was asked with.
    pub labels: Vec<String>,
    pub entry: Entry,
    pub voters: Examples,
    /// Whether the voters are those that the look's rulings are of. An example that was tested may be lost since, because the
    /// browser lost it or a script altered it. A ruling says nothing about the vote of the others, so it ends, and so does the
    /// look: a second test of it would spend its share twice. The next look tests what there is then.
    whole: bool,
    /// Whether others have gone on to another look. What was found of these voters holds for them still.
    pub stale: bool,
    /// The voters' answers by the others, once they were needed.
    answers: Option<Vec<(f64, bool)>>,
}

impl Set {
    /// The voters among `examples`, by the entry's look; none where there is no look yet.
    pub fn new(labels: Vec<String>, mut entry: Entry, examples: Vec<Example>) -> Self {
        let mut set = Set {
            labels,
            voters: Examples::default(),
            whole: false,
            stale: false,
            answers: None,
            entry: Entry::default(),
        };
        if let Some(look) = &mut entry.look {
            let settled = look.voters.as_ref();
            let votes = |example: &Example| {
                (look.from..look.upto).contains(&example.number)
                    && settled.is_none_or(|voters| voters.include(example.number))
            };
            set.voters = examples.into_iter().filter(votes).collect();
            set.whole = match &look.voters {
                Some(voters) => voters.are(&set.voters),
                None => {
                    look.voters = Voters::of(look, &set.voters);
                    look.voters.is_some()
                }
            };
        }
        set.entry = entry;
        set
    }

    /// What was found for a risk, where it still holds.
    pub fn ruling(&self, risk: f64) -> Option<ThresholdEstimate> {
        let look = self.entry.look.as_ref().filter(|_| self.whole)?;
        look.ruling(risk)
    }

    /// The look, where a risk is to be tested at it.
    pub fn untested(&self, risk: f64) -> Option<Look> {
        let look = self.entry.look.as_ref()?;
        let open = self.whole && !self.stale && has_place(&self.entry.risks, risk);
        (open && look.ruling(risk).is_none()).then(|| look.clone())
    }

    /// Tests a risk that has its place; nothing where it has none, or where the look is over.
    pub fn test(&mut self, risk: f64) -> Option<ThresholdEstimate> {
        let look = self.untested(risk)?;
        let delta = look.delta(place(&self.entry.risks, risk)?);
        let voters = &self.voters;
        let answers = self.answers.get_or_insert_with(|| voters.leave_one_out());
        Some(certify_leave_one_out(answers.clone(), risk, delta))
    }

    /// Takes over what is stored now. Where that is of another look, or of other examples, this set is stale.
    pub fn adopt(&mut self, stored: Option<&Entry>) {
        let Some(stored) = stored else {
            self.stale = true;
            return;
        };
        let same = match (&self.entry.look, &stored.look) {
            (Some(own), Some(other)) => own.is(other),
            (None, None) => true,
            _ => false,
        };
        if !same || stored.total < self.entry.total {
            self.stale = true;
            self.entry.distrusted |= stored.distrusted;
            return;
        }
        let own = self.entry.look.take().and_then(|look| look.voters);
        self.entry = stored.clone();
        if let Some(look) = &mut self.entry.look {
            look.voters = look.voters.take().or(own);
        }
    }
}
