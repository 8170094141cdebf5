use proptest::prelude::*;

use super::*;

fn all() -> Redactor {
    Redactor::new(&RedactOptions::default()).unwrap()
}

/// One text by itself.
fn redact(redactor: &Redactor, text: &str) -> (String, Redacted) {
    let (mut texts, redacted) = redactor.redact(&[text], &[]);
    (texts.remove(0), redacted)
}

/// What is found in a text, as (kind, value).
fn found(text: &str) -> Vec<(String, String)> {
    let found = all().find(text, &[]);
    found
        .into_iter()
        .map(|f| (f.name.clone(), text[f.start..f.end].to_owned()))
        .collect()
}

fn only(text: &str, name: &str, value: &str) {
    assert_eq!(found(text), [(name.to_owned(), value.to_owned())], "{text}");
}

#[test]
fn each_kind_is_found_as_people_write_it() {
    only(
        "write to ann.o'hara+x@mail.example.co.uk, please",
        "EMAIL",
        "ann.o'hara+x@mail.example.co.uk",
    );
    only("<jörg@müller.example>.", "EMAIL", "jörg@müller.example");
    for iban in [
        "DE89 3704 0044 0532 0130 00",
        "GB82WEST12345698765432",
        "fr14 2004 1010 0505 0001 3M02 606",
    ] {
        only(&format!("pay to {iban} now"), "IBAN", iban);
    }
    for card in [
        "4111 1111 1111 1111",
        "5555555555554444",
        "3782-822463-10005",
    ] {
        only(&format!("card {card}, thanks"), "CARD", card);
    }
    only("see http://10.0.0.1:8080/x", "IP", "10.0.0.1");
    only("Fax:321-726-2209", "PHONE", "321-726-2209");
    for ip in ["192.168.0.1", "2001:db8::8a2e:370:7334", "::1"] {
        only(&format!("from {ip}."), "IP", ip);
    }
    for phone in [
        "+49 30 901820",
        "+1 (415) 555-2671",
        "0049 30 901820",
        "(415) 555-2671",
        "415-555-2671",
        "(541)665-0400",
        "1(800)234-8190",
        "1-888-763-2497",
        "1 (308) 650-5905",
        "321-726-2209 x1377",
        "1-308-650-5905 ext. 121",
        "030 / 901 820",
        "020 7946 0958",
        "+442079460958",
        "01 23 45 67 89",
    ] {
        only(&format!("call {phone} today"), "PHONE", phone);
    }
}

#[test]
fn what_only_looks_like_it_stays() {
    for text in [
        "the year 2024-05-06 and 06.05.2024 at 10:30:15",
        "DE89 3704 0044 0532 0130 01 fails its check",
        "4111 1111 1111 1112 fails its check; 0000 0000 0000 0000 too",
        "version 1.2.3.4.5 or 999.1.1.1 of std::vec::Vec",
        "it costs $1,284.50 or 12.000 units, order 1234567890",
        "000.000.00 in all, 12:321-726-2209",
        "me@localhost, a@b, user@, @handle",
        "ratio 3:4:5, 50 60 70, isbn 978-3-16-148410-0",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn the_same_value_gets_the_same_placeholder_and_comes_back() {
    let text = "From a@b.example to c@d.example and again a@b.example, [EMAIL_1] was there before";
    let (out, redacted) = redact(&all(), text);
    assert_eq!(
        out,
        "From [EMAIL_2] to [EMAIL_3] and again [EMAIL_2], [EMAIL_1] was there before"
    );
    assert_eq!(redacted.restore(&out), text);
    assert_eq!(redacted.counts(), BTreeMap::from([("email".to_owned(), 2)]));
    assert_eq!(
        redacted.restore("Hi [EMAIL_3], [EMAIL_9] [x]"),
        "Hi c@d.example, [EMAIL_9] [x]"
    );
}

#[test]
fn letters_are_those_of_any_script() {
    for (text, value) in [
        ("„jörg@müller.example“", "jörg@müller.example"),
        ("name\u{a0}анна@почта.example\u{a0}", "анна@почта.example"),
        ("a@b@c.example", "b@c.example"),
        ("x@y.example-. More", "x@y.example"),
        ("x@y.exam-ple.c", "x@y.exam-ple.c"),
    ] {
        only(text, "EMAIL", value);
    }
    for text in [
        "x@y",
        "x@y-.example",
        "@y.example",
        "x@.example",
        "x@y..example",
    ] {
        assert!(found(text).is_empty(), "{text}");
    }
    // The ä is a letter, so that its number is none.
    only("ä123 0171 234 5678", "PHONE", "0171 234 5678");
    assert!(found("ä0171 234 5678").is_empty());
    assert!(found("äDE89 3704 0044 0532 0130 00").is_empty());
}

#[test]
fn a_callers_patterns_come_first_and_are_checked() {
    let options = |name: &str, pattern: &str| RedactOptions {
        patterns: BTreeMap::from([(name.to_owned(), pattern.to_owned())]),
        ..RedactOptions::default()
    };
    let redactor = Redactor::new(&options("CUSTOMER", r"C-\d{4}")).unwrap();
    assert_eq!(
        redact(&redactor, "C-1234 at x@y.example").0,
        "[CUSTOMER_1] at [EMAIL_1]"
    );
    let (texts, _) = redactor.redact(&["C-1234", "C-5678 and C-1234"], &[]);
    assert_eq!(texts, ["[CUSTOMER_1]", "[CUSTOMER_2] and [CUSTOMER_1]"]);
    for (name, pattern) in [
        ("customer", "x"),
        ("", "x"),
        ("A", "("),
        ("A", r"\w{1000}{1000}"),
        ("A", r"\p{L}"),
        ("A", "(?i)jörg"),
        ("A", "(?s-m:x)(?mi:é)"),
    ] {
        let error = Redactor::new(&options(name, pattern)).unwrap_err();
        assert_eq!(error.code(), Code::InvalidOption, "{name} {pattern}");
    }
    let none = Redactor::new(&RedactOptions {
        kinds: Vec::new(),
        ..RedactOptions::default()
    })
    .unwrap();
    assert_eq!(redact(&none, "a@b.example").0, "a@b.example");
}

proptest! {
    /// Whatever the text, what was taken out comes back where it was, in one piece or cut anywhere.
    #[test]
    fn redaction_is_undone(
        parts in prop::collection::vec(
            prop_oneof![
                Just("a@b.example".to_owned()),
                Just("+49 30 901820".to_owned()),
                Just("4111111111111111".to_owned()),
                Just("[PHONE_1]".to_owned()),
                Just("[".to_owned()),
                Just("]".to_owned()),
                "\\PC{0,12}",
            ],
            0..12,
        ),
        cut in 1usize..9,
    ) {
        let text = parts.join(" ");
        let (out, redacted) = redact(&all(), &text);
        prop_assert_eq!(redacted.restore(&out), text.clone());
        let mut restorer = Restorer::new(&redacted);
        let chars: Vec<char> = out.chars().collect();
        let mut back = String::new();
        for piece in chars.chunks(cut) {
            back.push_str(&restorer.push(&piece.iter().collect::<String>()));
        }
        back.push_str(&restorer.finish());
        prop_assert_eq!(back, text);
    }
}
