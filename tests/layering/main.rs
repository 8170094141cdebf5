//! Who may name what: only `src/engine/onnx` names tract, only `src/browser` names the browser, the rooms depend on each other
//! in one direction, and files do not import from each other in circles.
#![cfg(not(target_arch = "wasm32"))]

mod imports;

use std::fs;
use std::path::{Path, PathBuf};

use imports::Imports;

/// The rooms, lowest first. A room may use those before it.
const ORDER: &[&[&str]] = &[
    &["attempt", "hash"],
    &["error", "host"],
    &["task"],
    &["bundle", "data"],
    &["engine"],
    &["text", "bytes"],
    &["calibrate"],
    &["monitor", "train", "evaluate"],
    &["route"],
    &["remote"],
    &["neighbours"],
    &["search"],
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

fn identifiers(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

#[test]
fn only_the_onnx_room_names_tract_and_only_the_browser_names_the_browser() {
    for (room, path, code) in rooms() {
        let reads_onnx = path.to_string_lossy().replace('\\', "/");
        let reads_onnx = reads_onnx.contains("/src/engine/onnx");
        for line in code {
            // `r#"…"#` manifests and messages may speak of tract; code paths may not.
            assert!(
                reads_onnx || !identifiers(&line).any(|word| word.starts_with("tract_")),
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

#[test]
fn no_files_import_from_each_other_in_circles() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // Packages of their own, and what only tests use.
    let others = ["bin", "fresh", "testing", "types"];
    let library = Imports::of(&src.join("lib.rs"), &src, &others);
    let cli = src.join("bin").join("smallfirst");
    let cli = Imports::of(&cli.join("main.rs"), &cli, &[]);
    for (name, imports, least) in [("src", library, 400), ("src/bin/smallfirst", cli, 30)] {
        let arrows: usize = imports.edges.values().map(|to| to.len()).sum();
        assert!(arrows >= least, "{name}: only {arrows} imports were seen");
        let shown: Vec<String> = imports
            .circles()
            .iter()
            .map(|circle| {
                let files = circle.iter().map(|module| module.join("/"));
                files.collect::<Vec<_>>().join(", ")
            })
            .collect();
        assert!(shown.is_empty(), "{name}: circles of imports: {shown:#?}");
    }
}

#[test]
fn a_circle_of_imports_is_seen() {
    let folder = std::env::temp_dir().join(format!("smallfirst-circles-{}", std::process::id()));
    fs::create_dir_all(folder.join("a")).unwrap();
    for (file, code) in [
        ("lib.rs", "mod a; mod b; mod c;"),
        (
            "a.rs",
            "mod inner; pub use inner::Thing; pub fn a() { crate::b::b(); }",
        ),
        ("a/inner.rs", "pub struct Thing;"),
        ("b.rs", "pub fn b() { println!(\"{:?}\", crate::c::c()); }"),
        (
            "c.rs",
            "use crate::a; pub fn c() { a::a() } pub fn d(_: super::a::Thing) {}",
        ),
    ] {
        fs::write(folder.join(file), code).unwrap();
    }
    let imports = Imports::of(&folder.join("lib.rs"), &folder, &[]);
    fs::remove_dir_all(&folder).unwrap();
    let circles = imports.circles();
    let named: Vec<String> = circles.concat().iter().map(|m| m.join("/")).collect();
    assert_eq!(
        (circles.len(), named),
        (1, vec!["a".into(), "b".into(), "c".into()])
    );
    // A type that is handed on counts where it is made.
    let c = &imports.edges[&vec!["c".to_owned()]];
    assert!(c.contains(&vec!["a".to_owned(), "inner".to_owned()]));
}
