//! Where personal data of each kind is in a text.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use iban::Iban;
use regex_lite::Regex;

use super::PersonalData;

/// Where data of a kind is: from and to, in bytes. Names are those that the tagger found.
pub(super) fn places(kind: PersonalData, text: &str, names: &[String]) -> Vec<(usize, usize)> {
    let Some(pattern) = pattern(kind) else {
        return match kind {
            PersonalData::Email => emails(text),
            _ => names.iter().flat_map(|name| alone(text, name)).collect(),
        };
    };
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(candidate) = pattern.find_at(text, from) {
        let (start, end) = (candidate.start(), candidate.end());
        from = end;
        // For the patterns, only ASCII letters make words: to them, the 1 of "é1" begins one.
        let letter = text[..start].chars().next_back();
        if candidate
            .as_str()
            .starts_with(|c: char| c.is_ascii_alphanumeric())
            && letter.is_some_and(|c| !c.is_ascii() && c.is_alphanumeric())
        {
            from = start + 1;
            continue;
        }
        found.extend(confirmed(kind, text, start, end));
    }
    found
}

/// E-mail addresses: what may stand in a name before an at sign, and two or more labels of a domain after it
/// (RFC 5321 without its quoted names and literal addresses; letters and digits of any script, RFC 6531).
fn emails(text: &str) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, _) in text.match_indices('@') {
        let before = &text[found.last().map_or(0, |last| last.1).min(at)..at];
        let local = |c: char| c.is_alphanumeric() || "._%+'=-".contains(c);
        let start = at - (before.len() - before.trim_end_matches(local).len());
        let mut end = at + 1;
        let mut labels = 0;
        for label in text[end..].split('.') {
            let own = label
                .find(|c: char| !c.is_alphanumeric() && c != '-')
                .unwrap_or(label.len());
            let own = label[..own].trim_end_matches('-');
            if !own.starts_with(char::is_alphanumeric) {
                break;
            }
            end += usize::from(labels > 0) + own.len();
            labels += 1;
            if own.len() < label.len() {
                break;
            }
        }
        if start < at && labels > 1 {
            found.push((start, end));
        }
    }
    found
}

/// Where a name stands alone, not within a longer word.
fn alone(text: &str, name: &str) -> Vec<(usize, usize)> {
    text.match_indices(name)
        .map(|(start, name)| (start, start + name.len()))
        .filter(|&(start, end)| {
            !joined(text[..start].chars().next_back()) && !joined(text[end..].chars().next())
        })
        .collect()
}

/// Whether a neighbour belongs to the same word.
fn joined(neighbour: Option<char>) -> bool {
    neighbour.is_some_and(char::is_alphanumeric)
}

pub(super) fn compiled(pattern: &str) -> Regex {
    // All patterns here are constants, and a test compiles each.
    Regex::new(pattern).unwrap_or_else(|_| unreachable!("a constant pattern is broken"))
}

/// Candidates of a kind, where it has a pattern. What a pattern cannot say, [`confirmed`] checks.
fn pattern(kind: PersonalData) -> Option<&'static Regex> {
    static IBAN: LazyLock<Regex> =
        LazyLock::new(|| compiled(r"(?i)\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{1,4}){3,8}"));
    static CARD: LazyLock<Regex> = LazyLock::new(|| compiled(r"[0-9](?:[ -]?[0-9]){11,18}"));
    static IP: LazyLock<Regex> = LazyLock::new(|| {
        compiled(
            r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|(?i)[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\.[0-9]{1,3}){0,3}",
        )
    });
    static PHONE: LazyLock<Regex> = LazyLock::new(|| {
        compiled(
            r"(?:\+|\b00)[ ]?[1-9][ .\-/()\u{a0}]{0,3}(?:[0-9][ .\-/()\u{a0}]{0,3}){6,14}|\(?\b[0-9]{1,5}(?:(?:[ .\-/\u{a0}]{1,3}|[ .\-/\u{a0}]{0,2}[()][ .\-/\u{a0}]{0,3})\(?[0-9]{2,5}){1,4}",
        )
    });
    Some(match kind {
        PersonalData::Iban => &IBAN,
        PersonalData::Card => &CARD,
        PersonalData::Ip => &IP,
        PersonalData::Phone => &PHONE,
        PersonalData::Email | PersonalData::Name => return None,
    })
}

/// The part of a candidate that is what it looks like.
fn confirmed(kind: PersonalData, text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    let value = &text[start..end];
    match kind {
        PersonalData::Email | PersonalData::Name => Some((start, end)),
        PersonalData::Iban => {
            if joined(before) {
                return None;
            }
            // The pattern may have taken a following word along: the longest part that checks is the number.
            let ends = (15..=value.len())
                .rev()
                .filter(|&n| value.is_char_boundary(n));
            ends.filter(|&n| !value[n..].starts_with(char::is_alphanumeric))
                .find(|&n| {
                    let plain = value[..n].replace([' ', '-'], "").to_uppercase();
                    plain.parse::<Iban>().is_ok()
                })
                .map(|n| (start, start + n))
        }
        PersonalData::Card => {
            let digits: String = value.chars().filter(char::is_ascii_digit).collect();
            let sound = !joined(before) && !joined(after) && luhn::valid(&digits);
            // A run of one digit passes the check and is no card; and cards begin with 2 to 6 (ISO/IEC 7812).
            let plain = digits.bytes().any(|b| Some(b) != digits.bytes().next());
            (sound && plain && matches!(digits.as_bytes()[0], b'2'..=b'6')).then_some((start, end))
        }
        PersonalData::Ip => {
            let v4 = value.parse::<Ipv4Addr>().is_ok();
            // Of a version 4 address, a colon is the beginning of the port.
            let edge = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == ':' && !v4);
            // "1.2.3.4.5" is a version, not an address; a full stop may follow, a digit after it not.
            let behind = || text[..start].chars().rev();
            let dotted = |rest: &mut dyn Iterator<Item = char>| {
                rest.next() == Some('.') && rest.next().is_some_and(|c| c.is_ascii_digit())
            };
            if edge(before)
                || edge(after)
                || dotted(&mut text[end..].chars())
                || dotted(&mut behind())
            {
                return None;
            }
            let v6 = value
                .parse::<Ipv6Addr>()
                .is_ok_and(|ip| !ip.is_unspecified());
            (v4 || v6).then_some((start, end))
        }
        PersonalData::Phone => {
            let n = phone(value, &text[..start], after)?;
            static EXTENSION: LazyLock<Regex> =
                LazyLock::new(|| compiled(r"^,? ?(?i:x|ext|extension)\.?:? ?[0-9]{1,6}\b"));
            let rest = &text[start + n..];
            let extension = EXTENSION.find(rest).map_or(0, |m| m.end());
            let more = match joined(rest[extension..].chars().next()) {
                true => 0,
                false => extension,
            };
            Some((start, start + n + more))
        }
    }
}

/// The length of the number in a candidate, without the separators behind it.
fn phone(value: &str, text_before: &str, after: Option<char>) -> Option<usize> {
    let trimmed = value.trim_end_matches(|c: char| !c.is_ascii_digit());
    let after = if trimmed.len() < value.len() {
        None
    } else {
        after
    };
    let mut behind = text_before.chars().rev();
    let before = behind.next();
    let digit_before = behind.next().is_some_and(|c| c.is_ascii_digit());
    let joined = match before {
        // Part of a longer number, a date, a time or a path of numbers.
        Some('/' | '-' | ':' | '.' | ',') => digit_before,
        Some(c) => c.is_alphanumeric() || matches!(c, '=' | '_' | '$' | '€' | '£' | '%'),
        None => false,
    };
    let goes_on =
        |c: char| c.is_alphanumeric() && !matches!(c, 'x' | 'X') || matches!(c, '%' | '_' | ':');
    if joined || after.is_some_and(goes_on) {
        return None;
    }
    let digits = trimmed.bytes().filter(u8::is_ascii_digit).count();
    let exit_code = trimmed.strip_prefix("00").map(str::trim_start);
    let international = trimmed.starts_with('+')
        || exit_code.is_some_and(|rest| rest.starts_with(|c| ('1'..='9').contains(&c)));
    if international {
        return (8..=15).contains(&digits).then_some(trimmed.len());
    }
    let groups: Vec<&str> = trimmed
        .split(|c: char| !c.is_ascii_digit())
        .filter(|g| !g.is_empty())
        .collect();
    let sizes: Vec<usize> = groups.iter().map(|g| g.len()).collect();
    // Dates and times in digits: 2024-05-06, 06.05.2024.
    let date = groups.len() == 3
        && (matches!(sizes[..], [4, 2, 2])
            || matches!(sizes[..], [2, 2, 4])
            || matches!(sizes[..], [2, 2, 2]));
    if date {
        return None;
    }
    // With or without the 1 of the trunk, or of the country.
    let area = match sizes[..] {
        [3, 3, 4] => groups.first(),
        [1, 3, 3, 4] if groups[0] == "1" => groups.get(1),
        _ => None,
    };
    let north_american = area.is_some_and(|area| !area.starts_with(['0', '1']));
    let trunk = groups[0].len() > 1 && groups[0].starts_with('0') && !groups[0].starts_with("00");
    // Everywhere else a national number begins with its trunk prefix, or an area code in brackets.
    let national = (9..=12).contains(&digits) && (trunk || trimmed.starts_with('('));
    (north_american || national).then_some(trimmed.len())
}
