//! Addresses of Internet hosts.

use core::net::Ipv6Addr;

use super::view::{Class, View};

/// The most characters of an address of version 6, with a port.
const LONGEST: usize = 48;

/// Words that stand before a version of a program, which may look like an address of version 4.
const VERSION: &[&str] = &[
    "v", "ver", "version", "versión", "versione", "versie", "rev", "release", "build", "firmware",
];

/// Where addresses are.
pub(super) fn find(view: &View) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < view.len() {
        let run = (at..view.len()).take_while(|&i| six(view, i)).count();
        let place = version_6(view, at, at + run);
        let end = place.map_or(at + run, |place| place.1);
        if place.is_none() {
            // What is none as a whole may have one of version 4 in it, which may go on behind it.
            found.extend((at..end).filter_map(|i| Some((i, version_4(view, i)?))));
        }
        found.extend(place);
        at = end.max(at + 1);
    }
    found
}

/// Whether a token can be part of an address of version 6.
fn six(view: &View, at: usize) -> bool {
    let c = view.get(at).c;
    c.is_ascii_hexdigit() || c == ':'
}

/// The address of version 6 in a run of hexadecimal digits and colons.
fn version_6(view: &View, start: usize, end: usize) -> Option<(usize, usize)> {
    let run: String = (start..end)
        .take(LONGEST + 1)
        .map(|i| view.get(i).c)
        .collect();
    if run.len() > LONGEST || run.matches(':').count() < 2 {
        return None;
    }
    // Of the colons at its ends, one may belong to the sentence: "IP:::1", "from 2001:db8::1:".
    let extra = |colons: usize| usize::from(colons == 1 || colons == 3);
    let before = extra(run.len() - run.trim_start_matches(':').len());
    let behind = extra(run.len() - run.trim_end_matches(':').len());
    let (mut from, to) = (start + before, end - behind);
    let mut text = &run[before..run.len() - behind];
    if before == 0 && view.before(from).is_word() || behind == 0 && view.get(to).is_word() {
        return None;
    }
    // The end as version 4 writes it.
    let last = text.rfind(':')? + 1;
    if view.get(to).c == '.'
        && behind == 0
        && let Some(end) = version_4(view, from + last)
    {
        let mapped = format!("{}0:1", &text[..last]);
        return sound(&mapped).then_some((from, end));
    }
    if sound(text) {
        return Some((from, to));
    }
    // A port behind all eight groups, or a word such as "add:" before them.
    let (head, _) = text.rsplit_once(':')?;
    if sound(head) && head.matches(':').count() == 7 {
        return Some((from, from + head.len()));
    }
    let word = text.find(':')? + 1;
    from += word;
    text = &text[word..];
    (sound(text) && !text.contains("::")).then_some((from, to))
}

/// Whether an address is one that hosts have, not a range of an array or a path of names.
fn sound(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    let number = text.bytes().any(|b| b.is_ascii_digit());
    let colons = text.matches(':').count();
    text.parse::<Ipv6Addr>().is_ok_and(|ip| {
        ip.is_loopback() || !ip.is_unspecified() && digits > 3 && (number || colons > 3)
    })
}

/// Where an address of version 4 ends that begins here. Zeros may lead its numbers.
fn version_4(view: &View, start: usize) -> Option<usize> {
    if !view.begins_group(start) {
        return None;
    }
    let before = view.before(start);
    // "1.2.3.4.5" is a version.
    if before.c == '.' && start > 1 && view.get(start - 2).class == Class::Digit {
        return None;
    }
    let word = view.word_before(start, 3);
    let word = word.as_ref().map_or("", |(word, _)| word);
    if VERSION.contains(&word) || before.class == Class::Letter && !word.starts_with("ip") {
        return None;
    }
    let mut at = start;
    for part in 0..4 {
        if part > 0 {
            if view.get(at).c != '.' {
                return None;
            }
            at += 1;
        }
        let mut value = 0;
        let digits = (at..at + 4)
            .map_while(|i| view.get(i).c.to_digit(10))
            .inspect(|digit| value = value * 10 + digit)
            .count();
        if !(1..=3).contains(&digits) || value > 255 {
            return None;
        }
        at += digits;
    }
    let dotted = view.get(at).c == '.' && view.get(at + 1).class == Class::Digit;
    (!dotted && !view.get(at).is_word()).then_some(at)
}
