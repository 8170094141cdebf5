//! Texts beside the right ones.

/// How many characters are to be inserted, deleted or exchanged to make one text of another (Levenshtein).
pub fn edits(text: &str, right: &str) -> usize {
    let text: Vec<char> = text.chars().collect();
    let mut row: Vec<usize> = (0..=text.len()).collect();
    for (i, wanted) in right.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, given) in text.iter().enumerate() {
            let exchanged = before + usize::from(*given != wanted);
            before = row[j + 1];
            row[j + 1] = exchanged.min(before + 1).min(row[j] + 1);
        }
    }
    row[text.len()]
}

/// Edits for each character of the right texts, all texts together; 0 where there is nothing to read and nothing was read. May be
/// above 1.
pub fn character_error_rate<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> f64 {
    let (mut wrong, mut all) = (0, 0);
    for (text, right) in pairs {
        wrong += edits(text, right);
        all += right.chars().count();
    }
    match (wrong, all) {
        (0, _) => 0.0,
        (_, all) => wrong as f64 / all.max(1) as f64,
    }
}
