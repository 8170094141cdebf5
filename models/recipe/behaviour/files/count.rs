use std::collections::BTreeMap;
use std::io::{self, BufRead};

/// How often each word occurs.
fn count(input: impl BufRead) -> io::Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for line in input.lines() {
        for word in line?.split_whitespace() {
            *counts.entry(word.to_lowercase()).or_insert(0) += 1;
        }
    }
    Ok(counts)
}

fn main() -> io::Result<()> {
    let counts = count(io::stdin().lock())?;
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    for (word, n) in sorted.iter().take(20) {
        println!("{n:>6} {word}");
    }
    Ok(())
}
