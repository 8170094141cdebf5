//! Certificates against a remote.

use anyhow::{Result, bail};
use smallfirst::bundle::AgainstRemote;
use smallfirst::calibrate::{Against, Compared, Decision};

use super::args::CalibrateArgs;
use super::rows::RemoteRight;

/// Certifies each excess, and prints what came of it. Rows that are out of scope come last; the remote counts as right about them,
/// since a local answer to them is wrong and nobody knows what the remote would say.
pub(super) fn certify_against(
    args: &CalibrateArgs,
    delta: f64,
    labels: usize,
    (tune, cal): (&[Decision], &[Decision]),
    right: &RemoteRight,
) -> Result<AgainstRemote> {
    let sound = |excess: &f64| *excess > 0.0 && *excess < 1.0;
    if !args.excess.iter().all(sound) || !(0.0..1.0).contains(&args.label_errors) {
        bail!("--excess must be above 0 and below 1, --label-errors from 0 to below 1");
    }
    let tune = compared(tune, &right.tune);
    let against = Against {
        tune: &tune,
        tiers: tune.first().map_or(0, |row| row.decision.tiers.len()),
        labels,
        delta,
        label_errors: args.label_errors,
    };
    if against.visible() <= 0.0 {
        bail!(
            "--label-errors {}: with so many wrong labels nothing can be learned from {labels} labels",
            args.label_errors
        );
    }
    let cal = compared(cal, &right.cal);
    let mut excesses = args.excess.clone();
    excesses.sort_by(f64::total_cmp);
    excesses.dedup();
    let certificates: Vec<_> = excesses
        .into_iter()
        .map(|excess| against.certify(&cal, excess))
        .collect();
    let model = args.remote.model()?;
    let remote_wrong = right.cal.iter().filter(|right| !**right).count();
    println!(
        "against {model}, which has {remote_wrong} of {} wrong{}:",
        right.cal.len(),
        match args.label_errors {
            0.0 => String::new(),
            share => format!(", with up to {} % of the labels wrong", 100.0 * share),
        }
    );
    for certificate in &certificates {
        let excess = 100.0 * certificate.excess;
        match &certificate.thresholds {
            None => println!("  excess {excess:>4} %: not certified, every input escalates"),
            Some(thresholds) => println!(
                "  excess {excess:>4} %: threshold {:.4}, answers {:.1} % of the rows, {} of {} wrong, the remote {}, p {:.3}",
                thresholds.first().copied().unwrap_or_default(),
                100.0 * certificate.n as f64 / cal.len() as f64,
                certificate.errors,
                certificate.n,
                certificate.remote_errors,
                certificate.p_value.unwrap_or(1.0),
            ),
        }
    }
    Ok(AgainstRemote {
        model: model.to_owned(),
        label_errors: args.label_errors,
        certificates,
    })
}

fn compared(rows: &[Decision], right: &[bool]) -> Vec<Compared> {
    let right = right.iter().copied().chain(std::iter::repeat(true));
    let rows = rows.iter().cloned().zip(right);
    rows.map(|(decision, remote_right)| Compared {
        decision,
        remote_right,
    })
    .collect()
}
