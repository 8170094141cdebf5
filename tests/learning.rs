//! What learning from a remote's answers keeps of its promise, on real mails in random orders, by the command that anyone
//! may run on data of their own.
#![cfg(not(target_arch = "wasm32"))]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[test]
#[ignore = "needs SMALLFIRST_DATA, which `cargo xtask test` makes"]
fn answers_by_example_grow_and_stay_within_the_risk() {
    let data = PathBuf::from(std::env::var_os("SMALLFIRST_DATA").expect("SMALLFIRST_DATA"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = root.join("target/learning.json");
    let status = Command::new(env!("CARGO_BIN_EXE_smallfirst"))
        .arg("simulate")
        .arg(root.join("models"))
        .args(["--task", "is-spam", "--instruction", "Is this mail spam?"])
        .args(["--risk", "0.05", "--rounds", "8", "--json"])
        .arg(&out)
        .arg("--data")
        .arg(data.join("spam.jsonl"))
        .status()
        .unwrap();
    assert!(status.success());
    let rounds: Vec<Value> = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    let mut broken = 0;
    for round in &rounds {
        let of = |part: &Value, what: &str| part[what].as_f64().unwrap();
        let parts = round["parts"].as_array().unwrap();
        let (first, last) = (&parts[0], parts.last().unwrap());
        let coverage = |part: &Value| of(part, "learned") / of(part, "inputs");
        let (begin, end) = (coverage(first), coverage(last));
        assert!(begin < 0.5 * end && end > 0.6, "from {begin} to {end}");
        assert_eq!(round["distrusted"], false);
        let total = &round["total"];
        let error = of(total, "learnedWrong") / of(total, "learned");
        broken += usize::from(error > 0.05);
    }
    // Each round may break it with a chance of 0.05: three of eight would be one case in two hundred.
    assert!(broken < 3, "{broken} of {} rounds", rounds.len());
}
