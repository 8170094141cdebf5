//! The labelled rows and files that the bundle's tasks are trained, calibrated and measured with.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use super::smallfirst;
use crate::root;
use crate::run::{command, run};
use crate::tools::{self, Stamp};

/// The labelled data: fetched by the recipe, and dealt out to splits by `smallfirst split`, which keeps
/// near-copies together. `optimised` says which build does it, so that no second one is made.
pub fn data(optimised: bool) -> Result<PathBuf> {
    let folder = root().join("target/data");
    let python = tools::python()?;
    tools::node()?;
    run(command(python)
        .arg("models/recipe/data.py")
        .arg("--out")
        .arg(&folder))?;
    // What deals the rows decides which are where, so other code deals anew.
    let mut dealt_by = fs::read(folder.join(".complete"))?;
    for code in [
        "models/recipe/mails.py",
        "src/data/split.rs",
        "src/data/duplicates.rs",
    ] {
        dealt_by.extend(fs::read(root().join(code))?);
    }
    let stamp = Stamp::new(&folder.join(".dealt"), &dealt_by);
    if stamp.is_fresh() {
        return Ok(folder);
    }
    // Hard ham is rare: a guarantee for it alone needs a large calibration part. Of the remarks as of the tweets, as
    // many go to the calibration as to the test part: a promise is for inputs like the calibration rows. Of mails of other
    // kinds there are few, so more of them are trained on; to the other parts go as many of each as of the corpus.
    for (task, shares) in [
        ("spam", "40,10,30,20"),
        ("mails", "70,5,15,10"),
        ("tweets", "50,10,20,20"),
        ("remarks", "70,6,12,12"),
    ] {
        let from = format!("target/data/{task}.jsonl");
        let args = [
            "split",
            "--data",
            &from,
            "--slice",
            "slice",
            "--shares",
            shares,
            "--out",
            "target/data",
        ];
        smallfirst(optimised, &args)?;
    }
    run(command(tools::python()?)
        .arg("models/recipe/mails.py")
        .arg(&folder))?;
    for (part, of) in [
        (
            "train",
            &["tweets.train", "remarks.train", "emoji.train"][..],
        ),
        ("tune", &["tweets.tune", "remarks.tune"]),
        ("cal", &["tweets.cal", "remarks.cal"]),
        ("test", &["tweets.test", "remarks.test"]),
    ] {
        let mut rows = String::new();
        for name in of {
            rows += &fs::read_to_string(folder.join(format!("{name}.jsonl")))?;
        }
        fs::write(folder.join(format!("sentiment.{part}.jsonl")), rows)?;
    }
    stamp.set()?;
    Ok(folder)
}

/// Texts of kinds that the test rows of the language task have few or none of.
pub(super) fn beyond() -> Result<()> {
    run(command(tools::python()?)
        .arg("models/recipe/beyond.py")
        .arg("--out")
        .arg(root().join("target/data")))
}

/// The files that the file-type task is calibrated and measured with. Tests do without them: they come from some 480 MB
/// of packages.
pub(super) fn files() -> Result<()> {
    run(command(tools::python()?)
        .arg("models/recipe/files.py")
        .arg("--out")
        .arg(root().join("target/data")))
}
