//! The report of a task whose answers are graded: how well outputs agree with what is right, and what each certified risk delivers.

use serde::Serialize;

use super::figures::percent;
use super::markdown::{code, name};
use crate::calibrate::{GradedRow, first_accepted, selective_loss};
use crate::error::Result;
use crate::task::kind::{Agreement, KindOutput, Truth};
use crate::task::{Loss, TaskKind};

/// How many points of the curve are kept.
const POINTS: usize = 50;

/// What was measured.
#[derive(Debug)]
pub struct KindMeasured {
    /// The task.
    pub task: String,
    /// Its name for people.
    pub title: String,
    /// Its kind.
    pub kind: TaskKind,
    /// The data's name.
    pub dataset: String,
    /// Names the models and rules.
    pub fingerprint: String,
    /// What an answer costs.
    pub loss: Loss,
    /// The rows, with confidences and losses of each tier.
    pub rows: Vec<GradedRow>,
    /// For each row, the first tier's output, where there is one, and what is right.
    pub outputs: Vec<(Option<KindOutput>, Truth)>,
    /// The risks of the certificates, with their thresholds, where there are any.
    pub certificates: Vec<(f64, Option<Vec<f64>>)>,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KindReport {
    /// The task.
    pub task: String,
    /// Its name for people.
    pub title: String,
    /// Its kind.
    pub kind: TaskKind,
    /// The data's name.
    pub dataset: String,
    /// Names the models and rules.
    pub fingerprint: String,
    /// What an answer costs.
    pub loss: Loss,
    /// Rows.
    pub n: usize,
    /// Of these, rows that no model took.
    pub refused: usize,
    /// How the first model's outputs agree with what is right.
    pub agreement: Agreement,
    /// The share of outputs that are wholly right.
    pub exact: f64,
    /// The mean F1 of outputs.
    pub mean_f1: f64,
    /// The share of given parts that are right.
    pub precision: f64,
    /// The share of right parts that were given.
    pub recall: f64,
    /// The F1 of all parts together.
    pub micro_f1: f64,
    /// The mean loss where every row is answered.
    pub mean_loss: f64,
    /// The area under the risk-coverage curve of the first model, and what of it a perfect order would avoid.
    pub aurc: f64,
    /// The second of them.
    pub eaurc: f64,
    /// What each certified risk delivers on these rows.
    pub policies: Vec<KindPolicy>,
    /// The risk-coverage curve of the first model.
    pub risk_coverage: Vec<KindPoint>,
}

/// What one risk delivers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KindPolicy {
    /// The mean loss that is allowed.
    pub risk: f64,
    /// Whether there are thresholds for it.
    pub certified: bool,
    /// The share of the rows that is answered here.
    pub coverage: f64,
    /// How many rows that are.
    pub answered: usize,
    /// The mean of their losses.
    pub mean_loss: f64,
}

/// A point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KindPoint {
    /// The share of the rows that is answered.
    pub coverage: f64,
    /// The mean of their losses.
    pub risk: f64,
}

impl KindReport {
    /// The report of what was measured.
    ///
    /// # Errors
    /// When outputs and what is right do not go together.
    pub fn new(measured: &KindMeasured) -> Result<Self> {
        let n = measured.rows.len();
        let mut agreement = Agreement::default();
        for (output, truth) in &measured.outputs {
            if let Some(output) = output {
                agreement.count(output, truth)?;
            }
        }
        let first = measured
            .rows
            .iter()
            .filter_map(|row| (*row.first()?)?.into());
        let first: Vec<(f64, f64)> = first
            .map(|tier: crate::calibrate::GradedTier| (tier.confidence, tier.loss))
            .collect();
        let refused = measured
            .rows
            .iter()
            .filter(|row| row.iter().all(Option::is_none))
            .count();
        let curve = selective_loss(first.iter().copied());
        let policies = measured.certificates.iter().map(|(risk, thresholds)| {
            let losses = thresholds.iter().flat_map(|thresholds| {
                let rows = measured.rows.iter();
                rows.filter_map(move |row| first_accepted(row, thresholds))
            });
            let losses: Vec<f64> = losses.map(|(_, tier)| tier.loss).collect();
            KindPolicy {
                risk: *risk,
                certified: thresholds.is_some(),
                coverage: losses.len() as f64 / n.max(1) as f64,
                answered: losses.len(),
                mean_loss: mean(&losses),
            }
        });
        let step = first.len().div_ceil(POINTS).max(1);
        let points = curve.risks.iter().enumerate().skip(step - 1).step_by(step);
        let losses: Vec<f64> = first.iter().map(|(_, loss)| *loss).collect();
        let rows = agreement.rows.max(1) as f64;
        Ok(KindReport {
            task: measured.task.clone(),
            title: measured.title.clone(),
            kind: measured.kind,
            dataset: measured.dataset.clone(),
            fingerprint: measured.fingerprint.clone(),
            loss: measured.loss,
            n,
            refused,
            agreement,
            exact: agreement.exact as f64 / rows,
            mean_f1: agreement.f1 / rows,
            precision: agreement.precision(),
            recall: agreement.recall(),
            micro_f1: agreement.micro_f1(),
            mean_loss: mean(&losses),
            aurc: curve.aurc,
            eaurc: curve.eaurc,
            policies: policies.collect(),
            risk_coverage: points
                .map(|(at, &risk)| KindPoint {
                    coverage: (at + 1) as f64 / n.max(1) as f64,
                    risk,
                })
                .collect(),
        })
    }

    /// The figures, by name.
    fn figures(&self) -> Vec<(&'static str, String)> {
        let mut figures = vec![("wholly right", percent(self.exact))];
        match self.kind {
            TaskKind::QuestionAnswering => {
                figures.push(("mean F1 of words", percent(self.mean_f1)))
            }
            TaskKind::TokenClassification | TaskKind::MultiLabel => {
                let what = match self.kind {
                    TaskKind::MultiLabel => {
                        ["precision of labels", "recall of labels", "F1 of labels"]
                    }
                    _ => ["precision of spans", "recall of spans", "F1 of spans"],
                };
                let values = [self.precision, self.recall, self.micro_f1];
                figures.extend(what.into_iter().zip(values.map(percent)));
                figures.push(("mean F1 of an input", percent(self.mean_f1)));
            }
            _ => {}
        }
        figures.push(("mean loss", percent(self.mean_loss)));
        figures.push((
            "AURC, E-AURC",
            format!("{:.4}, {:.4}", self.aurc, self.eaurc),
        ));
        figures
    }

    /// Whether a risk is exceeded on these rows.
    fn exceeded(&self) -> impl Iterator<Item = &KindPolicy> {
        let policies = self.policies.iter();
        policies.filter(|policy| policy.certified && policy.mean_loss > policy.risk)
    }

    /// The report in lines.
    pub fn text(&self) -> String {
        let mut out = format!(
            "{} ({}) on {}: {} rows, {} of them refused; a risk is {}\n\n",
            self.title,
            self.kind.as_str(),
            self.dataset,
            self.n,
            self.refused,
            self.loss.in_words()
        );
        for (figure, value) in self.figures() {
            out += &format!("{figure:24} {value}\n");
        }
        out += "\nrisk       answered here   mean loss\n";
        for policy in &self.policies {
            out += &match policy.certified {
                true => format!(
                    "{:<10} {:<15} {}\n",
                    percent(policy.risk),
                    percent(policy.coverage),
                    percent(policy.mean_loss)
                ),
                false => format!("{:<10} not certified\n", percent(policy.risk)),
            };
        }
        for policy in self.exceeded() {
            out += &format!(
                "\nOn these rows the mean loss exceeds the risk of {}: a certificate fails in a share of calibrations, or these rows \
                 are unlike those of the calibration.\n",
                percent(policy.risk)
            );
        }
        out
    }

    /// The model card.
    pub fn card(&self, license: &str, about: &str) -> String {
        let mut out = format!(
            "---\nlicense: {}\npipeline_tag: {}\n---\n\n",
            license.to_lowercase(),
            self.kind.as_str()
        );
        out += &match about.trim_start().starts_with("# ") {
            true => format!("{}\n\n", about.trim()),
            false => format!("# {}\n\n{}\n\n", name(&self.title), about.trim()),
        };
        out += &format!(
            "## Measured\n\n`smallfirst evaluate` on {}: {} labelled rows, {} of them refused.\n\n| figure | value |\n| --- | --- |\n",
            code(&self.dataset),
            self.n,
            self.refused
        );
        for (figure, value) in self.figures() {
            out += &format!("| {figure} | {value} |\n");
        }
        out += &format!(
            "\n## What each risk delivers\n\nA risk is {}.\n\n| risk | answered here | mean loss |\n| --- | --- | --- |\n",
            self.loss.in_words()
        );
        for policy in &self.policies {
            out += &match policy.certified {
                true => format!(
                    "| {} | {} | {} |\n",
                    percent(policy.risk),
                    percent(policy.coverage),
                    percent(policy.mean_loss)
                ),
                false => format!("| {} | not certified | |\n", percent(policy.risk)),
            };
        }
        out
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::GradedTier;
    use crate::task::kind::{GivenLabel, LabelsOutput};

    fn output(labels: &[&str]) -> KindOutput {
        let given = |label: &&str| GivenLabel {
            label: (*label).to_owned(),
            score: Some(0.9),
        };
        KindOutput::Labels(LabelsOutput {
            labels: labels.iter().map(given).collect(),
            scores: Vec::new(),
        })
    }

    fn truth(labels: &[&str]) -> Truth {
        Truth::Labels(labels.iter().map(|l| (*l).to_owned()).collect())
    }

    #[test]
    fn figures_by_hand() {
        let row = |confidence, loss| {
            vec![Some(GradedTier {
                confidence,
                in_distribution: true,
                loss,
            })]
        };
        // Right, half right (one of two labels: F1 2/3), nothing to find and nothing found, and one that no model took.
        let measured = KindMeasured {
            task: "topics".into(),
            title: "Topics".into(),
            kind: TaskKind::MultiLabel,
            dataset: "rows.jsonl".into(),
            fingerprint: "0".into(),
            loss: Loss::F1,
            rows: vec![
                row(0.9, 0.0),
                row(0.4, 1.0 / 3.0),
                row(0.8, 0.0),
                vec![None],
            ],
            outputs: vec![
                (Some(output(&["a"])), truth(&["a"])),
                (Some(output(&["a"])), truth(&["a", "b"])),
                (Some(output(&[])), truth(&[])),
                (None, truth(&["b"])),
            ],
            certificates: vec![
                (0.01, None),
                (0.05, Some(vec![0.7])),
                (0.1, Some(vec![0.3])),
            ],
        };
        let report = KindReport::new(&measured).unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        assert_eq!((report.n, report.refused), (4, 1));
        close(report.exact, 2.0 / 3.0);
        close(report.precision, 1.0);
        close(report.recall, 2.0 / 3.0);
        close(report.micro_f1, 0.8);
        close(report.mean_f1, (2.0 + 2.0 / 3.0) / 3.0);
        close(report.mean_loss, 1.0 / 9.0);
        let delivered: Vec<(bool, usize)> = report
            .policies
            .iter()
            .map(|p| (p.certified, p.answered))
            .collect();
        assert_eq!(delivered, [(false, 0), (true, 2), (true, 3)]);
        close(report.policies[2].mean_loss, 1.0 / 9.0);
        let text = report.text();
        assert!(text.contains("exceeds the risk of 10"), "{text}");
        assert!(!text.contains("exceeds the risk of 5"), "{text}");
        let card = report.card("MIT", "What it is for.");
        assert!(card.contains("| 1.0 % | not certified | |"), "{card}");
    }
}
