//! E-mail addresses.

use super::view::{Class, View};

/// The most characters of a name before the at sign. RFC 5321 has 64 bytes.
const LOCAL: usize = 128;

/// The most characters of a domain.
const DOMAIN: usize = 255;

/// Where addresses are: what may stand in a name before an at sign, and two or more labels of a domain after it, or an
/// address in brackets (RFC 5321; letters and digits of any script, RFC 6531).
pub(super) fn find(view: &View) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for at in 0..view.len() {
        if view.get(at).c != '@' {
            continue;
        }
        let floor = found.last().map_or(0, |last| last.1);
        let local = quoted(view, at, floor).or_else(|| local(view, at, floor));
        let domain = literal(view, at + 1).or_else(|| domain(view, at + 1));
        found.extend(local.zip(domain));
    }
    found
}

/// Where the name before an at sign begins.
fn local(view: &View, at: usize, floor: usize) -> Option<usize> {
    let floor = floor.max(at.saturating_sub(LOCAL));
    let ascii = at > 0 && view.get(at - 1).c.is_ascii();
    let mut start = at;
    while start > floor {
        let token = view.get(start - 1);
        let part = match token.class {
            Class::Digit | Class::Letter => true,
            // Where words have no blanks between them, the sentence goes on before the address.
            Class::Unspaced => !ascii,
            // An encoded comma separates nothing.
            _ if token.c == ',' => token.end - token.start == 3 && token.c.is_ascii(),
            _ => ".!#$%&'*+-/=?^_`{|}~".contains(token.c),
        };
        if !part {
            break;
        }
        start -= 1;
    }
    // The path and the query of an address are no part of the name, though their signs may be.
    let mut key = None;
    let mut name = start;
    for i in start..at {
        match view.get(i).c {
            '/' => (name, key) = (i + 1, None),
            '?' | '&' => key = Some(i + 1),
            '=' if key.is_some_and(|key| key < i) => (name, key) = (i + 1, None),
            _ => {}
        }
    }
    let may_begin = |i: &usize| view.get(*i).class != Class::Sign || "_+".contains(view.get(*i).c);
    (name..at).find(may_begin)
}

/// Where a name in quotes begins.
fn quoted(view: &View, at: usize, floor: usize) -> Option<usize> {
    if at == 0 || view.get(at - 1).c != '"' {
        return None;
    }
    let floor = floor.max(at.saturating_sub(LOCAL));
    let mut inside = (floor..at - 1).rev();
    let start = inside.find(|&i| {
        let token = view.get(i);
        token.c == '"' || matches!(token.class, Class::Line | Class::Gap)
    })?;
    (view.get(start).c == '"' && start + 2 < at).then_some(start)
}

/// Where an address in brackets ends.
fn literal(view: &View, from: usize) -> Option<usize> {
    if view.get(from).c != '[' {
        return None;
    }
    let part = |i: &usize| {
        let c = view.get(*i).c;
        c.is_ascii_alphanumeric() || c == '.' || c == ':'
    };
    let end = from + 1 + (from + 1..from + 48).take_while(part).count();
    (view.get(end).c == ']' && end > from + 3).then_some(end + 1)
}

/// Where a domain ends.
fn domain(view: &View, from: usize) -> Option<usize> {
    let ascii = view.get(from).c.is_ascii();
    let alphanumeric = |i: usize| match view.get(i).class {
        Class::Unspaced => !ascii,
        _ => view.get(i).is_word(),
    };
    let mut end = None;
    let mut labels = 0;
    let mut label = from;
    while label < from + DOMAIN && alphanumeric(label) {
        let mut next = label;
        let mut last = label;
        let mut number = true;
        while next < from + DOMAIN && (alphanumeric(next) || view.get(next).c == '-') {
            if view.get(next).c != '-' {
                last = next;
            }
            number &= view.get(next).class == Class::Digit;
            next += 1;
        }
        labels += 1;
        // No domain ends with a number (RFC 3696, section 2).
        if labels > 1 && !number {
            end = Some(last + 1);
        }
        if last + 1 < next || view.get(next).c != '.' {
            break;
        }
        label = next + 1;
    }
    end
}
