use super::regex::Regex;
use crate::op::Context;

fn longest(pattern: &str, text: &str) -> Option<usize> {
    let text: Vec<char> = text.chars().collect();
    let regex = Regex::new(pattern).unwrap();
    regex
        .longest(&text, 0, &mut Context::new(1 << 20, 1 << 30))
        .unwrap()
}

#[test]
fn the_longest_match_counts() {
    assert_eq!(longest("a|ab|abc", "abcd"), Some(3));
    assert_eq!(longest("a*?", "aaa"), Some(3));
    assert_eq!(longest("(a|b){2,3}c?", "abac"), Some(4));
    assert_eq!(longest("(a|b){3}", "ab"), None);
}

#[test]
fn classes_and_places() {
    assert_eq!(longest("[a-c\\]\\-]+", "a]-cd"), Some(4));
    assert_eq!(longest("[]x]+", "]x"), Some(2));
    assert_eq!(longest("\\w+\\b", "foo_1 bar"), Some(5));
    assert_eq!(longest("\\w+", "é"), None);
    assert_eq!(longest(".", "\n"), None);
    assert_eq!(longest("^$", ""), Some(0));
}

#[test]
fn what_is_not_supported_is_refused() {
    for pattern in [
        "(?i)a",
        "(?P<n>a)",
        "\\p{L}",
        "[[:alpha:]]",
        "a{2",
        "a{1001}",
        "a**",
        "*",
        "(a",
        "a)",
        "[a",
        "\\1",
        "[b-a]",
    ] {
        assert!(Regex::new(pattern).is_err(), "{pattern}");
    }
    assert!(Regex::new(&"(".repeat(100_000)).is_err());
    assert!(Regex::new("((((((){999}){999}){999}){999}){999}){999}").is_err());
    assert!(Regex::new("((((a{999}){999}){999}){999}){999}").is_err());
}

#[test]
fn no_pattern_takes_forever() {
    let text = vec!['a'; 5000];
    let regex = Regex::new("(a*)*(a*)*b").unwrap();
    let mut context = Context::new(10_000_000, 1 << 30);
    assert_eq!(regex.longest(&text, 0, &mut context).unwrap(), None);
    assert!(regex.find(&text, 0, &mut context).is_err());
}
