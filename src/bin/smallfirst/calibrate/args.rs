//! The arguments of `calibrate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use smallfirst::task::Loss;

use crate::remote_answers::RemoteArgs;
use crate::rows::ColumnArgs;

#[derive(Args)]
pub struct CalibrateArgs {
    /// The folder that holds manifest.json
    pub(super) bundle: PathBuf,
    /// The task; may be left out where there is only one
    #[arg(long)]
    pub(super) task: Option<String>,
    /// Labelled rows that no head was trained on
    #[arg(long)]
    pub(super) data: PathBuf,
    /// Further rows for the choices that come before the test. Without it, these are made by the out-of-fold predictions that
    /// `train` left, and all rows of --data certify; where there are none, or an out-of-distribution score or a remote needs fresh
    /// rows, 30 % of --data are taken
    #[arg(long)]
    pub(super) tune: Option<PathBuf>,
    /// The test rows, after evaluate has written their report: they certify, too, for the certificate that ships. The other
    /// arguments are those of the calibration that was evaluated
    #[arg(long = "final", conflicts_with_all = ["remote_answers", "remote"])]
    pub(super) final_rows: Option<PathBuf>,
    /// Of the test rows, those that belong to no label
    #[arg(long, requires = "final_rows")]
    pub(super) final_out_of_scope: Option<PathBuf>,
    #[command(flatten)]
    pub(super) columns: ColumnArgs,
    /// Rows that belong to no label and must escalate: any local answer to them is an error
    #[arg(long)]
    pub(super) out_of_scope: Option<PathBuf>,
    /// Certify for every share of out-of-scope inputs up to this one, whatever their share among the rows
    #[arg(long, requires = "out_of_scope", conflicts_with = "per_slice")]
    pub(super) out_of_scope_share: Option<f64>,
    /// The error rates to certify
    #[arg(long, value_delimiter = ',', default_value = "0.01,0.02,0.05,0.1,0.2")]
    pub(super) risks: Vec<f64>,
    /// The chance, over calibration samples, that a certificate does not hold
    #[arg(long, default_value_t = 0.05)]
    pub(super) delta: f64,
    /// Make all risks one promise: with chance 1 - delta all certificates hold together, each being certified at delta divided by
    /// the number of risks
    #[arg(long)]
    pub(super) jointly: bool,
    /// The risk for calls that name none; by default 5 %, or the next that the tuning rows support
    #[arg(long)]
    pub(super) default_risk: Option<f64>,
    /// Certify each slice by itself: the worst one decides
    #[arg(long)]
    pub(super) per_slice: bool,
    /// How inputs unlike the training data are told; auto compares all on the tuning rows
    #[arg(long, value_enum, default_value_t = OodChoice::Auto)]
    pub(super) ood: OodChoice,
    /// Whether a head that turns probabilities and the input's length and label into the probability of being right is
    /// fitted; auto takes it where it orders the tuning rows better
    #[arg(long, value_enum, default_value_t = CorrectnessChoice::Auto)]
    pub(super) correctness: CorrectnessChoice,
    /// The shares of in-scope tuning rows that may pass the cut, to choose from
    #[arg(long, value_delimiter = ',', default_value = "0.9,0.95,0.99")]
    pub(super) ood_keep: Vec<f64>,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
    /// The remote's answers to the rows of --tune, in order
    #[arg(long, requires = "tune")]
    pub(super) tune_remote_answers: Option<PathBuf>,
    /// With a remote: how many more of the local answers may be wrong than of the remote's, as shares to certify
    #[arg(long, value_delimiter = ',', default_value = "0.01,0.02,0.05")]
    pub(super) excess: Vec<f64>,
    /// With a remote: the largest share of labels that may be wrong, at random
    #[arg(long, default_value_t = 0.0)]
    pub(super) label_errors: f64,
    /// For tasks that give something else than one label: what an answer costs; by default the first that the kind has. The risks
    /// are means of it
    #[arg(long, value_enum)]
    pub(super) loss: Option<LossChoice>,
    /// For such tasks: the options that calls are made with, as JSON, for example {"aggregation": "first"}. What is certified
    /// holds for calls with these options
    #[arg(long)]
    pub(super) options: Option<String>,
    /// Do not change the bundle
    #[arg(long)]
    pub(super) dry_run: bool,
}

impl CalibrateArgs {
    /// The chance that one certificate does not hold: with --jointly, all certificates share delta (Bonferroni's correction).
    pub(super) fn delta_of_each(&self, risks: &[f64]) -> f64 {
        let against = if self.remote.given() {
            self.excess.len()
        } else {
            0
        };
        match self.jointly {
            true => self.delta / (risks.len() + against).max(1) as f64,
            false => self.delta,
        }
    }

    /// Whether an out-of-distribution score may be chosen that looks at vectors. The vectors of training rows are no example of
    /// fresh ones: its own is each row's nearest neighbour.
    pub(super) fn looks_at_vectors(&self) -> bool {
        match self.ood {
            OodChoice::None | OodChoice::Msp | OodChoice::Energy => false,
            OodChoice::Mahalanobis | OodChoice::Knn => true,
            OodChoice::Auto => self.out_of_scope.is_some(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum LossChoice {
    /// Wholly right or wrong
    Exact,
    /// One minus the F1 of labels, spans or words
    F1,
    /// The share of entities that are not found
    Miss,
}

impl From<LossChoice> for Loss {
    fn from(choice: LossChoice) -> Self {
        match choice {
            LossChoice::Exact => Loss::Exact,
            LossChoice::F1 => Loss::F1,
            LossChoice::Miss => Loss::Miss,
        }
    }
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum OodChoice {
    Auto,
    None,
    Msp,
    Energy,
    Mahalanobis,
    Knn,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum CorrectnessChoice {
    Auto,
    None,
}
