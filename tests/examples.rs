//! `examples/rust`, run as its README says; those in JavaScript are run by `tests/e2e/examples.spec.ts`.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::Path;
use std::process::Command;

/// The code blocks of a page in a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let after = page.split(fence.as_str()).skip(1);
    after
        .filter_map(|rest| rest.split("\n```").next())
        .map(str::to_owned)
        .collect()
}

/// Whether `text` is `pattern`, in which `…` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('…') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            after.is_empty() || rest.char_indices().any(|(at, _)| fits(after, &rest[at..]))
        }),
    }
}

#[test]
fn the_rust_example_prints_what_its_page_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("examples/rust/README.md")).unwrap();
    let (commands, printed) = (blocks(&page, "sh"), blocks(&page, "text"));
    assert_eq!((commands.len(), printed.len()), (2, 2));
    // cargo builds examples with the tests, beside the programs.
    let programs = Path::new(env!("CARGO_BIN_EXE_smallfirst"));
    let program = programs
        .with_file_name("examples")
        .join(format!("ask{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.exists(),
        "{} is missing: run `cargo build --example ask`",
        program.display()
    );
    for (command, printed) in commands.iter().zip(&printed) {
        let words = command.strip_prefix("cargo run --example ask -- ").unwrap();
        let (folder, text) = words.split_once(' ').unwrap();
        let output = Command::new(&program)
            .args([folder, text.trim_matches('"')])
            .current_dir(root)
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(
            fits(printed, said.trim_end()),
            "{command}\nthe page says\n{printed}\nit prints\n{said}"
        );
        assert_eq!(
            output.status.success(),
            !printed.contains("input_too_short")
        );
    }
}
