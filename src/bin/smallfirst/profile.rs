//! What a remote is worth for a task, as `evaluate` prints and writes it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use smallfirst::calibrate::first_accepted;
use smallfirst::evaluate::Measured;
use smallfirst::host::Clock;
use smallfirst::remote::{
    FEWEST_ROWS, PROFILE_VERSION, RemoteProfile, profile_figures, remote_profile,
};
use smallfirst::runtime::Runtime;

use crate::folder::{Folder, Stopwatch};

/// Prints what routing by the remote's profile changes, and how local and remote answers compare where a certificate against
/// the remote is; nothing where the remote was not asked.
pub fn print(runtime: &Runtime<Folder>, task: &str, measured: &Measured) -> Result<()> {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let figures = profile_figures(&measured.rows, &measured.policies);
    if !figures.is_empty() {
        println!("with the remote's profile (by halves: each is routed by the other's)");
    }
    for figures in figures {
        println!(
            "  risk {:>4} %: escalated {} before, {} after; right in all {} before, {} after",
            100.0 * figures.risk,
            percent(figures.escalated_before),
            percent(figures.escalated_after),
            percent(figures.accuracy_before),
            percent(figures.accuracy_after),
        );
    }
    let guarantee = runtime.bundle().task(task)?.guarantee.as_ref();
    let against = guarantee.and_then(|guarantee| guarantee.against_remote.as_ref());
    for certificate in against.iter().flat_map(|against| &against.certificates) {
        let Some(thresholds) = &certificate.thresholds else {
            continue;
        };
        let (mut answered, mut wrong, mut remote_wrong) = (0, 0, 0);
        let compared = measured.rows.iter().filter(|row| row.remote.is_some());
        for row in compared.clone() {
            let Some((_, local)) = first_accepted(&row.tiers, thresholds) else {
                continue;
            };
            let remote = row.remote.and_then(|remote| remote.label);
            answered += 1;
            wrong += usize::from(!row.is_right(local.label()));
            remote_wrong += usize::from(!remote.is_some_and(|label| row.is_right(label)));
        }
        let all = compared.count();
        if all > 0 {
            println!(
                "  {} % above the remote: answers {} of {all} rows, {wrong} of {answered} wrong, the remote {remote_wrong}",
                100.0 * certificate.excess,
                percent(answered as f64 / all as f64),
            );
        }
    }
    Ok(())
}

/// Writes the task's part of a profile, which may have those of other tasks.
pub fn write(
    path: &Path,
    model: &str,
    runtime: &Runtime<Folder>,
    task: &str,
    measured: &Measured,
) -> Result<()> {
    let mut profile = match path.exists() {
        false => RemoteProfile {
            version: PROFILE_VERSION,
            model: model.to_owned(),
            tasks: BTreeMap::new(),
        },
        true => serde_json::from_slice(&fs::read(path)?)
            .with_context(|| format!("{} is no profile", path.display()))?,
    };
    if profile.model != model {
        bail!(
            "{} is a profile of the model \"{}\", not of \"{model}\"; give another file",
            path.display(),
            profile.model
        );
    }
    let bundle = runtime.bundle();
    let models = bundle.models_of(bundle.task(task)?);
    let now = Stopwatch::start().wall_ms().round();
    let Some(measured) = remote_profile(&measured.rows, &models, now) else {
        bail!(
            "a profile needs the remote's answers to at least {FEWEST_ROWS} labelled rows that a local model takes, too; name the remote with --remote or --remote-answers"
        );
    };
    println!(
        "the remote is right in {} of {} rows; wrote {}",
        measured.right,
        measured.rows,
        path.display()
    );
    profile.tasks.insert(task.to_owned(), measured);
    fs::write(path, serde_json::to_string_pretty(&profile)? + "\n")?;
    Ok(())
}
