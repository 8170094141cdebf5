//! `inspect`: what a bundle can do.

use std::path::Path;

use anyhow::Result;
use smallfirst::task::TaskKind;

use crate::folder::open;

/// Prints what a bundle can do.
pub fn inspect(folder: &Path) -> Result<()> {
    for task in open(folder)?.tasks() {
        println!("{}: {}", task.id, task.instruction);
        let limits = &task.limits;
        if task.kind == TaskKind::Generate {
            println!("  writes text; see its prompt in manifest.json");
            continue;
        }
        println!(
            "  reads {}, {} to {} bytes; {} labels",
            task.input.as_str(),
            limits.min_bytes,
            limits.max_bytes,
            task.labels.len()
        );
        for tier in task.tiers {
            let threshold = tier.threshold.map_or("never trusted".to_owned(), |t| {
                format!("trusted from {t:.4}")
            });
            println!("  tier {}: {} bytes, {threshold}", tier.name, tier.bytes);
        }
        for risk in task.risks {
            let percent = 100.0 * risk.risk;
            let default = if task.risk == Some(risk.risk) {
                " (default)"
            } else {
                ""
            };
            if risk.certified {
                println!(
                    "  risk {percent} %{default}: {:.1} % answered locally in calibration",
                    100.0 * risk.coverage
                );
            } else {
                println!("  risk {percent} %: not certified");
            }
        }
    }
    Ok(())
}
