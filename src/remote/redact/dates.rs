//! Dates and times, which look like telephone numbers.

use super::view::{Class, View};

/// Where dates and times are: a day, a month and a year, or the other way round, with one sign between them; hours and
/// minutes. They are no numbers to call, nor parts of one.
pub(super) fn dates(view: &View) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < view.len() {
        let end = date(view, at).or_else(|| time(view, at));
        let end = end.or_else(|| month(view, at));
        found.extend(end.map(|end| (at, end)));
        at = end.unwrap_or(at + 1);
    }
    found
}

fn date(view: &View, start: usize) -> Option<usize> {
    let part = |token: usize| "-./".contains(view.get(token).c);
    let continued = start > 1 && part(start - 1) && view.get(start - 2).class == Class::Digit;
    if !view.begins_group(start) || continued {
        return None;
    }
    let mut at = start;
    let mut values = [0; 3];
    let mut sizes = [0; 3];
    for n in 0..3 {
        if n > 0 {
            let signs = [at, start + sizes[0]].map(|at| view.get(at).c);
            if !part(at) || signs[0] != signs[1] {
                return None;
            }
            at += 1;
        }
        while let Some(digit) = view.get(at).c.to_digit(10).filter(|_| sizes[n] < 5) {
            values[n] = values[n] * 10 + digit;
            sizes[n] += 1;
            at += 1;
        }
    }
    let day = |n: usize| (1..=2).contains(&sizes[n]) && (1..=31).contains(&values[n]);
    let month = |n: usize| day(n) && values[n] <= 12;
    let year = |n: usize| match sizes[n] {
        4 => (1000..3000).contains(&values[n]),
        2 => true,
        _ => false,
    };
    let days = |a: usize, b: usize| day(a) && month(b) || month(a) && day(b);
    let sound = days(0, 1) && year(2) || days(1, 2) && year(0) && sizes[0] == 4;
    let goes_on = part(at) && view.get(at + 1).class == Class::Digit;
    (sound && !goes_on && view.get(at).class != Class::Digit).then_some(at)
}

/// A month and a year by themselves, as cards have them.
fn month(view: &View, start: usize) -> Option<usize> {
    let digits = |at: usize| {
        (at..at + 3)
            .take_while(|&i| view.get(i).class == Class::Digit)
            .count()
    };
    let end = start + 5;
    let form = digits(start) == 2 && view.get(start + 2).c == '/' && digits(start + 3) == 2;
    let first = [view.get(start).c, view.get(start + 1).c];
    let month = matches!(first, ['0', '1'..='9'] | ['1', '0'..='2']);
    let begins = matches!(
        view.before(start).class,
        Class::Blank | Class::Line | Class::Gap
    );
    let blank = usize::from(view.get(end).class == Class::Blank);
    let goes_on = view.get(end + blank).class == Class::Digit
        || "-./".contains(view.get(end).c) && view.get(end + 1).class == Class::Digit;
    (form && month && begins && !goes_on).then_some(end)
}

fn time(view: &View, start: usize) -> Option<usize> {
    let before = view.before(start);
    let continued = before.is_word() || matches!(before.c, ':' | '.' | ',' | '+');
    if !view.begins_group(start) || continued {
        return None;
    }
    let pair = |at: usize, most: u8| {
        let two = [view.get(at).c, view.get(at + 1).c];
        let sound =
            two[0].is_ascii_digit() && two[0] <= char::from(most) && two[1].is_ascii_digit();
        (sound && view.get(at + 2).class != Class::Digit).then_some(at + 2)
    };
    let mut at = pair(start, b'2')?;
    let mut parts = 1;
    while parts < 3
        && view.get(at).c == ':'
        && let Some(end) = pair(at + 1, b'5')
    {
        at = end;
        parts += 1;
    }
    (parts > 1 && view.get(at).c != ':').then_some(at)
}
