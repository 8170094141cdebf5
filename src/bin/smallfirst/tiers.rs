//! Further tiers of a task, for `train` and `import`.

use anyhow::{Context, Result, bail};

use crate::draft::BundleDraft;

/// What a further tier is called: after the task, and after what it reads.
pub fn name(task: &str, reads: &str) -> String {
    format!("{task}-{reads}")
}

/// Refuses a task that the bundle has not, or has with other labels.
pub fn check<'a>(
    draft: &BundleDraft,
    task: &str,
    labels: impl Iterator<Item = &'a str>,
) -> Result<()> {
    let entry = draft.manifest.tasks.get(task);
    let entry =
        entry.with_context(|| format!("the bundle has no task \"{task}\" to add a tier to"))?;
    let known: Vec<&str> = entry.labels.iter().map(|l| l.id.as_str()).collect();
    if known != labels.collect::<Vec<_>>() {
        bail!(
            "the task \"{task}\" has other labels, or in another order: {}",
            known.join(", ")
        );
    }
    Ok(())
}

/// Adds a tier to those the task has.
pub fn add(draft: &mut BundleDraft, task: &str, tier: &str) {
    let Some(entry) = draft.manifest.tasks.get_mut(task) else {
        return;
    };
    if !entry.tiers.iter().any(|known| known == tier) {
        entry.tiers.push(tier.to_owned());
    }
    // What was certified and measured was another cascade.
    entry.guarantee = None;
    entry.evaluation = None;
}
