//! Behavioural tests: small inputs whose answers are known without labelled data (CheckList; Ribeiro et al. 2020, "Beyond
//! Accuracy: Behavioral Testing of NLP Models with CheckList").
//!
//! A file has one case a line, as JSON:
//!
//! ```json
//! {"capability": "negation", "input": "This is not good.", "labels": ["negative"]}
//! {"capability": "typos", "input": "I love this phone", "same": "I love this phoen"}
//! {"capability": "emphasis", "input": "I like it", "changed": "I really like it", "more": "positive"}
//! ```
//!
//! `labels` are those of which any is right; `same` is an input to which the answer must be the same; and with `changed`
//! the label `more` may not become less probable. For tasks that read files, `path` stands instead of `input`, and names a
//! file from the folder that the cases are in; so do `same` and `changed`.

use serde::{Deserialize, Serialize};

use super::Observation;
use super::metrics::Share;
use crate::error::{Code, Error, Result, excerpt};

/// By how much a probability may move against the direction that a case asks for (Ribeiro et al. 2020, section 2.1).
const TOLERANCE: f64 = 0.1;

/// How many failed cases of a group are named.
const NAMED: usize = 3;

/// The three kinds of test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BehaviourKind {
    /// A simple input has one of some labels (MFT).
    MinimumFunctionality,
    /// A change that means nothing changes nothing (INV).
    Invariance,
    /// A change moves a label's probability the right way (DIR).
    Direction,
}

impl BehaviourKind {
    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            BehaviourKind::MinimumFunctionality => "minimum functionality",
            BehaviourKind::Invariance => "invariance",
            BehaviourKind::Direction => "direction",
        }
    }
}

/// What must be true of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    /// Any of these labels.
    Labels(Vec<usize>),
    /// The answer to the changed input.
    Same,
    /// The label at least as probable for the changed input.
    More(usize),
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BehaviourCase {
    /// What is tested, for example `negation`.
    pub capability: String,
    /// The input: a text; for tasks that read files, the path of one, from the folder that the cases are in.
    pub input: String,
    /// The changed input; nothing where a case has one input only.
    pub changed: Option<String>,
    /// Its line in the file, from 1.
    pub line: usize,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    capability: String,
    #[serde(alias = "path")]
    input: String,
    #[serde(default)]
    labels: Vec<String>,
    same: Option<String>,
    changed: Option<String>,
    more: Option<String>,
}

impl BehaviourCase {
    /// Reads a file of cases for a task with these labels. Empty lines are passed over.
    ///
    /// # Errors
    /// [`Code::InvalidData`]: the line, and what is wrong with it.
    pub fn read(name: &str, text: &str, labels: &[String]) -> Result<Vec<BehaviourCase>> {
        let lines = (1..).zip(text.lines());
        let cases: Vec<BehaviourCase> = lines
            .filter(|(_, text)| !text.trim().is_empty())
            .map(|(line, text)| {
                Self::of(text, line, labels).map_err(|what| {
                    Error::new(Code::InvalidData, format!("{name}, line {line}: {what}"))
                })
            })
            .collect::<Result<_>>()?;
        if cases.is_empty() {
            return Err(Error::new(
                Code::InvalidData,
                format!("{name} has no cases"),
            ));
        }
        Ok(cases)
    }

    fn of(
        text: &str,
        line: usize,
        labels: &[String],
    ) -> std::result::Result<BehaviourCase, String> {
        let case: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let place = |label: &String| {
            let found = labels.iter().position(|known| known == label);
            found.ok_or_else(|| format!("the task has no label \"{label}\""))
        };
        let (expected, changed) = match (&case.labels[..], case.same, case.changed, case.more) {
            ([_, ..], None, None, None) => {
                let places = case
                    .labels
                    .iter()
                    .map(place)
                    .collect::<std::result::Result<_, _>>()?;
                (Expected::Labels(places), None)
            }
            ([], Some(same), None, None) => (Expected::Same, Some(same)),
            ([], None, Some(changed), Some(more)) => (Expected::More(place(&more)?), Some(changed)),
            _ => {
                return Err(
                    "a case has \"labels\", or \"same\", or \"changed\" with \"more\"".to_owned(),
                );
            }
        };
        Ok(BehaviourCase {
            capability: case.capability,
            input: case.input,
            changed,
            line,
            expected,
        })
    }

    fn kind(&self) -> BehaviourKind {
        match self.expected {
            Expected::Labels(_) => BehaviourKind::MinimumFunctionality,
            Expected::Same => BehaviourKind::Invariance,
            Expected::More(_) => BehaviourKind::Direction,
        }
    }

    /// Whether the case passes; nothing where the limits refuse an input.
    fn passes(&self, seen: &Observation, changed: Option<&Observation>) -> Option<bool> {
        let (_, best) = seen.best()?;
        if let Expected::Labels(labels) = &self.expected {
            return Some(labels.contains(&best.label()));
        }
        let (_, other) = changed?.best()?;
        Some(match self.expected {
            Expected::More(label) => {
                let of = |p: &super::Prediction| p.probabilities.get(label).copied().unwrap_or(0.0);
                of(other) >= of(best) - TOLERANCE
            }
            _ => other.label() == best.label(),
        })
    }
}

/// How a task does on the cases of one capability and kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Behaviour {
    /// What is tested.
    pub capability: String,
    /// How.
    pub kind: BehaviourKind,
    /// Cases with an input that the task's limits refuse: they neither pass nor fail.
    pub refused: u64,
    /// Passed, of the other cases.
    pub passed: Share,
    /// Cases whose input is answered locally at the default risk, of the same.
    pub answered: Share,
    /// Failed cases among these: wrong, and said to be sure.
    pub failed_though_answered: u64,
    /// The inputs of the first failed cases.
    pub failed: Vec<String>,
}

/// Judges the cases by what was seen of their inputs, and of their changed inputs, in the order of the cases. `thresholds`
/// are those of the default risk; nothing where it is not certified.
pub fn behaviour(
    cases: &[BehaviourCase],
    seen: &[(Observation, Option<Observation>)],
    thresholds: Option<&[f64]>,
) -> Vec<Behaviour> {
    let mut groups: Vec<(&str, BehaviourKind, Vec<Judged>)> = Vec::new();
    for (case, (input, changed)) in cases.iter().zip(seen) {
        let judged = Judged {
            input: &case.input,
            passes: case.passes(input, changed.as_ref()),
            answered: thresholds.is_some_and(|at| input.answered(at).is_some()),
        };
        let (capability, kind) = (case.capability.as_str(), case.kind());
        match groups
            .iter_mut()
            .find(|group| (group.0, group.1) == (capability, kind))
        {
            Some(group) => group.2.push(judged),
            None => groups.push((capability, kind, vec![judged])),
        }
    }
    let mut found: Vec<Behaviour> = groups
        .into_iter()
        .map(|(capability, kind, judged)| figures(capability, kind, &judged))
        .collect();
    found.sort_by(|a, b| (a.kind, &a.capability).cmp(&(b.kind, &b.capability)));
    found
}

/// One case, judged.
struct Judged<'a> {
    input: &'a str,
    passes: Option<bool>,
    answered: bool,
}

fn figures(capability: &str, kind: BehaviourKind, cases: &[Judged]) -> Behaviour {
    let count = |of: &dyn Fn(&Judged) -> bool| cases.iter().filter(|case| of(case)).count() as u64;
    let judged = count(&|case| case.passes.is_some());
    let failed = |case: &&Judged| case.passes == Some(false);
    Behaviour {
        capability: capability.to_owned(),
        kind,
        refused: count(&|case| case.passes.is_none()),
        passed: Share::of(count(&|case| case.passes == Some(true)), judged),
        answered: Share::of(
            count(&|case| case.passes.is_some() && case.answered),
            judged,
        ),
        failed_though_answered: count(&|case| failed(&case) && case.answered),
        failed: cases
            .iter()
            .filter(failed)
            .take(NAMED)
            .map(|case| excerpt(case.input, 80))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::Prediction;

    fn labels() -> Vec<String> {
        vec!["negative".into(), "positive".into()]
    }

    fn read(text: &str) -> Result<Vec<BehaviourCase>> {
        BehaviourCase::read("cases.jsonl", text, &labels())
    }

    /// An input that is positive with this probability; nothing where it is refused.
    fn seen(positive: Option<f64>) -> Observation {
        Observation {
            truth: None,
            slice: None,
            tiers: vec![positive.map(|p| Prediction {
                probabilities: vec![1.0 - p, p],
                confidence: p.max(1.0 - p),
                ood: None,
                in_distribution: true,
                milliseconds: 0.0,
            })],
            remote: None,
        }
    }

    const CASES: &str = r#"
{"capability": "negation", "input": "not good", "labels": ["negative"]}
{"capability": "negation", "input": "not bad", "labels": ["positive", "negative"]}
{"capability": "typos", "input": "good", "same": "godo"}
{"capability": "emphasis", "input": "good", "changed": "very good", "more": "positive"}
"#;

    #[test]
    fn cases_are_judged_by_kind() {
        let cases = read(CASES).unwrap();
        assert_eq!(cases.len(), 4);
        assert_eq!(cases[3].line, 5);
        let answers = [
            (seen(Some(0.95)), None),
            (seen(Some(0.95)), None),
            (seen(Some(0.8)), Some(seen(Some(0.4)))),
            (seen(Some(0.8)), Some(seen(Some(0.71)))),
        ];
        let found = behaviour(&cases, &answers, Some(&[0.9]));
        let line = |b: &Behaviour| {
            (
                b.capability.clone(),
                b.passed.value,
                b.passed.n,
                b.failed_though_answered,
            )
        };
        assert_eq!(
            found.iter().map(line).collect::<Vec<_>>(),
            [
                ("negation".into(), 0.5, 2, 1),
                ("typos".into(), 0.0, 1, 0),
                ("emphasis".into(), 1.0, 1, 0),
            ]
        );
        assert_eq!(found[0].failed, ["not good"]);
        assert_eq!(found[0].answered.value, 1.0);
        assert_eq!(found[1].answered.value, 0.0);
    }

    #[test]
    fn more_may_not_become_less() {
        let cases = read(CASES).unwrap();
        let judge = |from: f64, to: f64| {
            let answers = [(seen(Some(from)), Some(seen(Some(to))))];
            behaviour(&cases[3..], &answers, None)[0].passed.value
        };
        assert_eq!(judge(0.8, 0.9), 1.0);
        assert_eq!(judge(0.8, 0.69), 0.0);
    }

    #[test]
    fn what_the_limits_refuse_neither_passes_nor_fails() {
        let cases = read(CASES).unwrap();
        let answers = [
            (seen(None), None),
            (seen(Some(0.1)), None),
            (seen(Some(0.9)), Some(seen(None))),
        ];
        let found = behaviour(&cases[..3], &answers, None);
        assert_eq!((found[0].refused, found[0].passed.n), (1, 1));
        assert_eq!((found[1].refused, found[1].passed.n), (1, 0));
    }

    #[test]
    fn what_is_no_case_is_refused_by_its_line() {
        for (line, what) in [
            (
                r#"{"capability": "a", "input": "x", "labels": ["odd"]}"#,
                "\"odd\"",
            ),
            (r#"{"capability": "a", "input": "x"}"#, "\"labels\""),
            (
                r#"{"capability": "a", "input": "x", "labels": []}"#,
                "\"labels\"",
            ),
            (
                r#"{"capability": "a", "input": "x", "changed": "y"}"#,
                "\"more\"",
            ),
            (
                r#"{"capability": "a", "input": "x", "same": "y", "labels": ["positive"]}"#,
                "\"same\"",
            ),
            (
                r#"{"capability": "a", "input": "x", "lables": ["positive"]}"#,
                "lables",
            ),
            ("{", "EOF"),
        ] {
            let error = read(&format!("\n{line}\n")).unwrap_err();
            assert_eq!(error.code(), Code::InvalidData);
            let message = error.to_string();
            assert!(
                message.contains("line 2") && message.contains(what),
                "{message}"
            );
        }
        assert!(read("\n\n").unwrap_err().to_string().contains("no cases"));
    }
}
