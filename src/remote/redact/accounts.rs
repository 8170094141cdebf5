//! Account and card numbers: what has check digits.

use arrayvec::{ArrayString, ArrayVec};
use iban::Iban;

use super::phone;
use super::view::{Class, Token, View};

/// The longest account number.
const IBAN_LONGEST: usize = 34;

/// The shortest one.
const IBAN_SHORTEST: usize = 15;

/// The longest card number (ISO/IEC 7812).
const CARD_LONGEST: usize = 19;

/// The shortest one.
const CARD_SHORTEST: usize = 12;

/// The most signs between two characters of a number.
const SEPARATORS: usize = 3;

/// Where account numbers (ISO 13616) are: two letters, two check digits, and what the country's numbers look like. All of
/// it together is no accident, so whatever stands beside it is not looked at.
pub(super) fn ibans(view: &View) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for start in 0..view.len() {
        let country = view.get(start).c.is_ascii_alphabetic();
        if country && found.last().is_none_or(|last| last.1 <= start) {
            found.extend(iban(view, start).map(|end| (start, end)));
        }
    }
    found
}

fn iban(view: &View, start: usize) -> Option<usize> {
    let mut text = ArrayString::<IBAN_LONGEST>::new();
    let mut rest = 0u32;
    let mut at = start;
    let mut end = None;
    loop {
        let token = view.get(at);
        let length = text.len();
        let fits = match length {
            0 | 1 => token.c.is_ascii_alphabetic(),
            2 | 3 => token.class == Class::Digit,
            _ => token.c.is_ascii_alphanumeric() && length < IBAN_LONGEST,
        };
        if !fits {
            return end;
        }
        text.push(token.c.to_ascii_uppercase());
        at += 1;
        if text.len() > 4 {
            rest = modulo(rest, token.c);
        }
        if text.len() >= IBAN_SHORTEST {
            // The check is over the number with its first four characters moved to its end.
            let check = text[..4].chars().fold(rest, modulo);
            if check == 1 && text.parse::<Iban>().is_ok() {
                end = Some(at);
            }
        }
        // The country's letters and the check digits stand together.
        let signs = if text.len() < 4 { 0 } else { SEPARATORS };
        at += (0..signs)
            .take_while(|i| separator(view.get(at + i)))
            .count();
    }
}

/// The remainder of a number by 97 with another character behind it; letters count as 10 to 35.
fn modulo(rest: u32, c: char) -> u32 {
    let value = c.to_digit(36).unwrap_or(0);
    let shift = if value > 9 { 100 } else { 10 };
    (rest * shift + value) % 97
}

fn separator(token: Token) -> bool {
    matches!(token.class, Class::Blank | Class::Line) || "-./_".contains(token.c)
}

/// Where card numbers are: groups of digits that begin as an issuer's numbers do, have as many digits, and pass the Luhn
/// check. Other digits may stand before and behind it where the groups are those of a card.
pub(super) fn cards(view: &View) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while at < view.len() {
        if !view.begins_group(at) || is_called(view, at) {
            at += 1;
            continue;
        }
        let Some((issuer, place)) = card(view, at) else {
            at += 1;
            continue;
        };
        // A better known one may begin within.
        let within = (at + 1..place.1).filter(|&start| view.begins_group(start));
        let better = within
            .filter_map(|start| card(view, start))
            .find(|other| other.0 > issuer);
        let place = better.map_or(place, |other| other.1);
        found.push(place);
        at = place.1;
    }
    found
}

/// Whether digits are those of an international telephone number that has its plus sign: by chance, one in ten passes the
/// check of cards, too.
fn is_called(view: &View, start: usize) -> bool {
    let plus = (1..=3).filter_map(|back| start.checked_sub(back));
    let mut plus = plus.take_while(|&at| view.get(at).class != Class::Digit);
    let plus = plus.find(|&at| view.get(at).c == '+');
    plus.is_some_and(|at| phone::international(view, at).is_some_and(|n| n.valid))
}

/// How well a number's beginning is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Issuer {
    /// Of many, with numbers of several lengths.
    Wide,
    /// With numbers of one length.
    Known,
}

fn card(view: &View, start: usize) -> Option<(Issuer, (usize, usize))> {
    let mut digits = ArrayString::<CARD_LONGEST>::new();
    let mut groups = ArrayVec::<usize, CARD_LONGEST>::new();
    let mut best = None;
    let mut at = start;
    let signs_before = (1..=SEPARATORS.min(start))
        .take_while(|back| separator(view.get(start - back)))
        .count();
    let alone_before = view.before(start - signs_before).class != Class::Digit;
    loop {
        let group = (at..at + CARD_LONGEST + 1)
            .take_while(|&i| view.get(i).class == Class::Digit)
            .count();
        if group == 0 || digits.len() + group > CARD_LONGEST {
            return best;
        }
        for i in at..at + group {
            digits.push(view.get(i).c);
        }
        groups.push(group);
        at += group;
        let signs = (0..SEPARATORS)
            .take_while(|i| separator(view.get(at + i)))
            .count();
        let goes_on = signs > 0 && view.get(at + signs).class == Class::Digit;
        let length = digits.len();
        if length >= CARD_SHORTEST {
            let alone = alone_before && !goes_on;
            let known = issuer(&digits, &groups);
            if let Some(issuer) = known
                && (grouped(&groups) || alone && issuer == Issuer::Known)
                && luhn::valid(&digits)
            {
                best = Some((issuer, (start, at)));
            }
        }
        if !goes_on {
            return best;
        }
        at += signs;
    }
}

/// Whether the groups are those in which cards and people write such numbers.
fn grouped(groups: &[usize]) -> bool {
    let fours = groups.iter().rev().skip(1).all(|&group| group == 4);
    fours && groups.last().is_some_and(|&last| last < 5)
        || matches!(
            groups,
            [_] | [4, 3, 3, 3] | [4, 6, 4 | 5] | [8, 8] | [6, 10 | 13] | [4, 12] | [4, 4, 8]
        )
}

/// Who issues numbers of this length with this beginning, as the networks publish it. Visa's numbers of 13 digits are long out
/// of use, and articles have such numbers, too: they count in their groups only.
fn issuer(digits: &str, groups: &[usize]) -> Option<Issuer> {
    let head: u32 = digits[..6].parse().ok()?;
    let two = head / 10_000;
    let three = head / 1_000;
    let four = head / 100;
    let length = digits.len();
    let any = digits.bytes().any(|b| b != digits.as_bytes()[0]);
    let issuer = match length {
        _ if !any => return None,
        // Visa; Mastercard; Discover; JCB; Mir; RuPay; Troy; UzCard and Humo.
        16 if two / 10 == 4
            || matches!(two, 51..=55 | 35 | 60 | 64 | 65 | 81 | 82)
            || matches!(four, 2200..=2204 | 2221..=2720 | 9792 | 8600 | 9860 | 1946) =>
        {
            Issuer::Known
        }
        // American Express.
        15 if matches!(two, 34 | 37) => Issuer::Known,
        // Diners Club.
        14 if matches!(two, 36 | 38 | 39) || matches!(three, 300..=305 | 309) => Issuer::Known,
        13 if two / 10 == 4 && groups == [4, 3, 3, 3] => Issuer::Wide,
        // Visa; JCB, Discover, Mir, UnionPay, Diners Club, and Maestro.
        16..=19
            if matches!(two, 35 | 36 | 38 | 39 | 50 | 56..=69 | 81)
                || matches!(four, 2200..=2204)
                || length == 19 && two / 10 == 4 =>
        {
            Issuer::Wide
        }
        12..=15 if matches!(four, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763) => {
            Issuer::Wide
        }
        _ => return None,
    };
    Some(issuer)
}
