//! Out-of-distribution scores: of every method that is to be compared, and what came of it.

use anyhow::Result;
use smallfirst::bundle::OodMethod;
use smallfirst::calibrate::{self, OodScorer, OodScores, OodTrial, RawRow, TierRule};
use smallfirst::engine::{Element, Shape};
use smallfirst::runtime::Runtime;

use super::args::{CalibrateArgs, OodChoice};
use crate::draft::BundleDraft;
use crate::folder::Folder;
use crate::rows::for_all;

/// The scores of every method that is to be compared, tier by tier.
pub(super) fn ood_scores(
    args: &CalibrateArgs,
    draft: &BundleDraft,
    runtime: &Runtime<Folder>,
    names: &[String],
    rules: &[TierRule],
    rows: &[RawRow],
) -> Result<Vec<OodScores>> {
    let methods: &[OodMethod] = match args.ood {
        OodChoice::None => &[],
        // Without examples of what is out of scope there is nothing to choose by.
        OodChoice::Auto if args.out_of_scope.is_none() => &[],
        OodChoice::Auto => &[
            OodMethod::Msp,
            OodMethod::Energy,
            OodMethod::Mahalanobis,
            OodMethod::Knn,
        ],
        OodChoice::Msp => &[OodMethod::Msp],
        OodChoice::Energy => &[OodMethod::Energy],
        OodChoice::Mahalanobis => &[OodMethod::Mahalanobis],
        OodChoice::Knn => &[OodMethod::Knn],
    };
    let manifest = runtime.bundle().manifest();
    let mut all = Vec::new();
    for (tier, (name, rule)) in names.iter().zip(rules).enumerate() {
        let encoder = manifest
            .heads
            .get(name)
            .and_then(|head| head.encoder.as_ref());
        let width = encoder
            .and_then(|e| manifest.encoders.get(e))
            .map_or(0, |e| e.dimension as usize);
        let mut of_tier = OodScores::new();
        for &method in methods {
            let stashed = file_name(name, method);
            let model = match &stashed {
                None => None,
                Some(stashed) => match draft.stashed(stashed).filter(|_| width > 0) {
                    Some(onnx) => Some((stashed.as_str(), onnx)),
                    // An imported head: nobody knows its training vectors.
                    None => continue,
                },
            };
            let scorer = OodScorer::load(method, model, (Element::F32, Shape::Row(width)))?;
            let scores = for_all(rows, "out-of-distribution", |row| {
                let Some(Some(raw)) = row.tiers.get(tier) else {
                    return Ok(None);
                };
                let (logits, temperature) = (&raw.logits, rule.temperature);
                let calibrated = calibrate::calibrate(logits, temperature);
                let vector = raw.vector.as_deref();
                Ok(Some(scorer.score(
                    logits,
                    temperature,
                    &calibrated,
                    vector,
                )?))
            })?;
            of_tier.insert(method, scores);
        }
        all.push(of_tier);
    }
    Ok(all)
}

/// Where `train` left the model of a method, for those that have one.
pub(super) fn file_name(head: &str, method: OodMethod) -> Option<String> {
    match method {
        OodMethod::Mahalanobis => Some(format!("{head}.mahalanobis.onnx")),
        OodMethod::Knn => Some(format!("{head}.knn.onnx")),
        _ => None,
    }
}

/// Says which methods were tried, and what was taken.
pub(super) fn print_ood(names: &[String], trials: &[Vec<OodTrial>]) {
    let word = |method: OodMethod| format!("{method:?}").to_lowercase();
    for (name, trials) in names.iter().zip(trials) {
        if trials.is_empty() {
            continue;
        }
        println!("{name}: out-of-distribution scores on the tuning rows");
        for trial in trials {
            println!(
                "  {:<12} AUROC {}, passes {:.1} % of what is out of scope when 95 % of the rest pass",
                word(trial.method),
                trial.auroc.map_or("-".into(), |a| format!("{a:.3}")),
                100.0 * trial.missed_at_95
            );
        }
        let taken = trials
            .iter()
            .find_map(|trial| Some((trial.method, trial.taken?)));
        match taken {
            Some((method, (threshold, keep))) => println!(
                "  taken: {}, threshold {threshold}, which {:.0} % of the in-scope rows pass",
                word(method),
                100.0 * keep
            ),
            None => println!("  none lets more be answered than the confidence alone"),
        }
    }
}
