//! Who may name what: only `src/engine` names tract, only `src/browser` names the browser, and the
//! rooms depend on each other in one direction.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, lowest first. A room may use those before it. `error` and `task` are one layer: an
/// error tells what was attempted, and an attempt is part of an answer.
const ORDER: &[&[&str]] = &[
    &["error", "task"],
    &["bundle", "data"],
    &["engine"],
    &["text", "bytes"],
    &["calibrate"],
    &["monitor", "train", "evaluate"],
    &["route"],
    &["remote"],
    &["learn"],
    &["runtime"],
    &["browser", "bin"],
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// The room a file belongs to, and its lines of code (no comments).
fn rooms() -> Vec<(String, PathBuf, Vec<String>)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&src)
        .into_iter()
        .map(|path| {
            let first = path
                .strip_prefix(&src)
                .unwrap()
                .iter()
                .next()
                .unwrap()
                .to_string_lossy();
            let room = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let code = text
                .lines()
                .filter(|l| !l.trim_start().starts_with("//"))
                .map(str::to_owned);
            (room, path, code.collect())
        })
        .collect()
}

#[test]
fn only_the_engine_names_tract_and_only_the_browser_names_the_browser() {
    for (room, path, code) in rooms() {
        for line in code {
            // `r#"…"#` manifests and messages may speak of tract; code paths may not.
            assert!(
                room == "engine" || !line.contains("tract_"),
                "{} names tract: {line}",
                path.display()
            );
            for word in [
                "web_sys",
                "js_sys",
                "wasm_bindgen",
                "serde_wasm_bindgen",
                "console_error_panic_hook",
            ] {
                assert!(
                    room == "browser" || !line.contains(word),
                    "{} names {word}: {line}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn rooms_depend_on_lower_rooms_only() {
    let layer = |room: &str| ORDER.iter().position(|layer| layer.contains(&room));
    let mut arrows = 0;
    for (room, path, code) in rooms() {
        // The crate's own root, and what only tests use, stand outside the order.
        let Some(own) = layer(&room) else {
            assert!(
                ["lib", "fresh", "testing", "types"].contains(&room.as_str()),
                "{room} has no place"
            );
            continue;
        };
        if path.ends_with("tests.rs") {
            continue;
        }
        for line in &code {
            for used in line.split("crate::").skip(1) {
                let used: String = used
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                let Some(other) = layer(&used) else { continue };
                arrows += 1;
                assert!(
                    other <= own,
                    "{} ({room}) uses {used}, which is above it: {line}",
                    path.display()
                );
            }
        }
    }
    assert!(
        arrows > 20,
        "only {arrows} arrows were seen: the test looks at the wrong thing"
    );
}

#[test]
fn the_core_asks_no_clock_and_no_network() {
    for (room, path, code) in rooms() {
        // Tests may measure.
        let test = path
            .iter()
            .any(|part| part == "tests" || part == "tests.rs");
        if matches!(room.as_str(), "browser" | "bin" | "fresh") || test {
            continue;
        }
        for line in code {
            for word in ["SystemTime", "Instant", "std::net", "std::fs"] {
                assert!(
                    !line.contains(word),
                    "{} uses {word}: {line}",
                    path.display()
                );
            }
        }
    }
}
