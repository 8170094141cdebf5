//! What a remote is worth for a task, as `evaluate` prints and writes it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use smallfirst::evaluate::Measured;
use smallfirst::host::Clock;
use smallfirst::remote::{
    FEWEST_ROWS, PROFILE_VERSION, RemoteProfile, profile_figures, remote_profile,
};
use smallfirst::runtime::Runtime;

use crate::folder::{Folder, Stopwatch};

/// Prints what routing by the remote's profile changes; nothing where the remote was not asked.
pub fn print(measured: &Measured) {
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
