//! Each claim of docs/threats.md names the tests that show it, and those exist.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::Path;

/// The texts between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Whether a file has a test of that name.
fn has(source: &str, path: &str, name: &str) -> bool {
    if path.ends_with(".rs") {
        source.contains(&format!("fn {name}("))
    } else {
        // A title may be a template, whose fixed part is named.
        source.contains(&format!("test(\"{name}")) || source.contains(&format!("test(`{name}"))
    }
}

#[test]
fn every_claim_is_shown_by_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/threats.md")).unwrap();
    let mut claims = 0;
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let shown = cells[cells.len() - 1];
        if shown.trim() == "shown by" || line.starts_with("| ---") {
            continue;
        }
        let names = quoted(shown);
        assert!(
            !names.is_empty() && names.len().is_multiple_of(2),
            "a claim names no test: {line}"
        );
        for pair in names.chunks(2) {
            let (path, name) = (pair[0], pair[1]);
            let source = fs::read_to_string(root.join(path))
                .unwrap_or_else(|e| panic!("{path}: {e}: {line}"));
            assert!(
                has(&source, path, name),
                "{path} has no test {name}: {line}"
            );
        }
        claims += 1;
    }
    assert!(claims > 30, "only {claims} claims were read");
}
