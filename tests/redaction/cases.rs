//! Texts with and without personal data, made by a seeded generator.

/// Numbers that look drawn, and are the same on every machine (xorshift64*).
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Draw(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn between(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from + 1)
    }

    pub fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    fn chars(&mut self, from: &str, n: usize) -> String {
        let from: Vec<char> = from.chars().collect();
        (0..n).map(|_| from[self.below(from.len())]).collect()
    }

    fn digits(&mut self, n: usize) -> String {
        self.chars("0123456789", n)
    }
}

/// A text, and what is in it.
pub struct Case {
    pub kind: &'static str,
    /// The country, the brand, the form.
    pub group: String,
    pub before: String,
    pub value: String,
    pub after: String,
}

impl Case {
    pub fn text(&self) -> String {
        format!("{}{}{}", self.before, self.value, self.after)
    }
}

const BEFORE: &[&str] = &[
    "",
    "it is ",
    "(",
    "\"",
    "see 12 ",
    "2026 ",
    "a line\n",
    "so\u{a0}",
    "x: ",
    "来自",
    "- ",
    "* ",
    "am 06.05.2024 ",
    "10:30 ",
    "«",
    "[",
    "; ",
    "\u{feff}",
    "then,\t",
    "…",
];

const AFTER: &[&str] = &[
    "",
    " and so on",
    ".",
    ", thanks",
    ")",
    "\"",
    "\nthe next line",
    " 12/26",
    "?",
    "!",
    "的",
    "\u{200b}",
    " (2026)",
    "; and",
    "]",
    "»",
    "…",
    "\u{a0}",
    ": yes",
    " 06.05.2024",
];

/// Around a value, as it may stand in a text.
fn embed(draw: &mut Draw, kind: &'static str, group: &str, value: String) -> Case {
    Case {
        kind,
        group: group.to_owned(),
        before: draw.of(BEFORE).to_owned(),
        value,
        after: draw.of(AFTER).to_owned(),
    }
}

/// The same value with other characters for its digits, and between them.
fn rewritten(draw: &mut Draw, value: &str) -> String {
    let signs = |new: &str| value.replace([' ', '-'], new);
    let chars = |f: &dyn Fn(char) -> char| value.chars().map(f).collect::<String>();
    let digit = |zero: char, c: char| match c.to_digit(10) {
        Some(n) => char::from_u32(u32::from(zero) + n).unwrap_or(c),
        None => c,
    };
    match draw.below(16) {
        0 => signs("\u{a0}"),
        1 => signs("\u{2009}"),
        2 => signs("\u{2011}"),
        3 => signs("\u{2013}"),
        4 => signs("  "),
        5 => signs("\u{202f}"),
        6 => chars(&|c| match c {
            '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c),
            c => c,
        }),
        7 => value
            .chars()
            .flat_map(|c| [c, '\u{200b}'])
            .collect::<String>()
            .trim_end_matches('\u{200b}')
            .to_owned(),
        8 => chars(&|c| digit('٠', c)),
        9 => chars(&|c| digit('०', c)),
        _ => value.to_owned(),
    }
}

pub fn emails(draw: &mut Draw, n: usize) -> Vec<Case> {
    let locals = [
        "ann",
        "ann.lee",
        "a&b",
        "joe!work",
        "user~tag",
        "o'hara+news",
        "jörg",
        "анна",
        "x_1",
        "bounce-ann=a.example",
        "m%C3%BCller",
        "7",
    ];
    let domains = [
        "example.com",
        "mail.example.co.uk",
        "müller.example",
        "почта.example",
        "a-b.example",
        "x1.museum",
        "xn--mller-kva.example",
    ];
    let signs = ["@", "@", "@", "@", "＠", "%40", "\u{200b}@"];
    let made = (0..n).map(|_| {
        let local = format!("{}{}", draw.of(&locals), draw.below(100));
        let value = format!("{local}{}{}", draw.of(&signs), draw.of(&domains));
        // Where letters go on, so does the address.
        let mut case = embed(draw, "EMAIL", "", value);
        if !case.value.is_ascii() {
            case.before = case.before.replace("来自", "来自 ");
            case.after = case.after.replace('的', " 的");
        }
        case
    });
    made.collect()
}

pub fn addresses(draw: &mut Draw, n: usize) -> Vec<Case> {
    let made = (0..n).map(|i| {
        let octets: Vec<usize> = (0..4)
            .map(|at| draw.between(usize::from(at == 0), 255))
            .collect();
        let four = octets
            .iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join(".");
        let group = |draw: &mut Draw| format!("{:x}", draw.between(1, 0xffff));
        let (form, value, after) = match i % 7 {
            0 | 1 => ("4", four, ""),
            2 => (
                "4, leading zeros",
                octets
                    .iter()
                    .map(|n| format!("{n:03}"))
                    .collect::<Vec<_>>()
                    .join("."),
                "",
            ),
            3 => ("4, port", four, ":8080"),
            4 => (
                "6",
                format!(
                    "2001:db8:{}:{}:{}:{}:{}:{}",
                    group(draw),
                    group(draw),
                    group(draw),
                    group(draw),
                    group(draw),
                    group(draw)
                ),
                "",
            ),
            5 => (
                "6, shortened",
                format!("fe80::{}:{}", group(draw), group(draw)),
                "",
            ),
            _ => ("6, version 4 mapped", format!("::ffff:{four}"), ""),
        };
        let value = match draw.below(8) {
            0 => rewritten(draw, &value),
            _ => value,
        };
        let mut case = embed(draw, "IP", form, value);
        case.after.insert_str(0, after);
        case
    });
    made.collect()
}

/// Countries, and what is behind the check digits: n digits, a letters, c either.
const IBANS: &[(&str, &str)] = &[
    ("AE", "n19"),
    ("AT", "n16"),
    ("BE", "n12"),
    ("BG", "a4n6c8"),
    ("BR", "n23a1c1"),
    ("CH", "n5c12"),
    ("CY", "n8c16"),
    ("CZ", "n20"),
    ("DE", "n18"),
    ("DK", "n14"),
    ("EE", "n16"),
    ("ES", "n20"),
    ("FI", "n14"),
    ("FR", "n10c11n2"),
    ("GB", "a4n14"),
    ("GR", "n7c16"),
    ("HR", "n17"),
    ("HU", "n24"),
    ("IE", "a4n14"),
    ("IL", "n19"),
    ("IT", "a1n10c12"),
    ("LT", "n16"),
    ("LU", "n3c13"),
    ("LV", "a4c13"),
    ("MT", "a4n5c18"),
    ("NL", "a4n10"),
    ("NO", "n11"),
    ("PL", "n24"),
    ("PT", "n21"),
    ("RO", "a4c16"),
    ("SA", "n2c18"),
    ("SE", "n20"),
    ("SI", "n15"),
    ("SK", "n20"),
    ("TR", "n6c16"),
];

fn iban(draw: &mut Draw, (country, form): (&str, &str), wrong: usize) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut bban = String::new();
    let mut parts = form
        .split_inclusive(|c: char| c.is_ascii_digit())
        .collect::<Vec<_>>();
    // "n19" is one part: a letter and all digits behind it.
    let joined = parts.concat();
    parts.clear();
    let mut from = 0;
    for (at, c) in joined.char_indices().skip(1) {
        if c.is_ascii_alphabetic() {
            parts.push(&joined[from..at]);
            from = at;
        }
    }
    parts.push(&joined[from..]);
    for part in parts {
        let n: usize = part[1..].parse().unwrap();
        bban += &match &part[..1] {
            "n" => draw.digits(n),
            "a" => draw.chars(LETTERS, n),
            _ => draw.chars(&format!("0123456789{LETTERS}"), n),
        };
    }
    let rest = format!("{bban}{country}00").chars().fold(0, |rest, c| {
        let value = c.to_digit(36).unwrap() as usize;
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    });
    let check = (98 - rest + wrong) % 97;
    format!(
        "{country}{:02}{bban}",
        if check < 2 { check + 97 } else { check }
    )
}

fn in_groups(text: &str, sizes: &[usize], sign: &str) -> String {
    let mut rest: Vec<char> = text.chars().collect();
    let mut groups = Vec::new();
    for at in 0.. {
        let size = sizes[at.min(sizes.len() - 1)].min(rest.len());
        groups.push(rest.drain(..size).collect::<String>());
        if rest.is_empty() {
            break;
        }
    }
    groups.join(sign)
}

pub fn ibans(draw: &mut Draw, each: usize) -> Vec<Case> {
    let mut made = Vec::new();
    for &country in IBANS {
        for _ in 0..each {
            let plain = iban(draw, country, 0);
            let value = match draw.below(4) {
                0 => plain,
                1 => plain.to_lowercase(),
                2 => in_groups(&plain, &[4], "-"),
                _ => in_groups(&plain, &[4], " "),
            };
            let value = rewritten(draw, &value);
            made.push(embed(draw, "IBAN", country.0, value));
        }
    }
    made
}

/// Brands, how their numbers begin, and how long they are.
const CARDS: &[(&str, &[&str], &[usize])] = &[
    ("Visa", &["4"], &[16, 16, 16, 19]),
    (
        "Mastercard",
        &["51", "52", "53", "54", "55", "2221", "2345", "2720"],
        &[16],
    ),
    ("American Express", &["34", "37"], &[15]),
    ("Diners Club", &["300", "305", "36", "38", "39"], &[14]),
    ("Discover", &["6011", "644", "65"], &[16]),
    ("JCB", &["3528", "3589"], &[16]),
    ("UnionPay", &["62"], &[16, 17, 18, 19]),
    (
        "Maestro",
        &[
            "5018", "5020", "5038", "5893", "6304", "6759", "6761", "6763",
        ],
        &[12, 13, 14, 15, 16, 17, 18, 19],
    ),
    ("Mir", &["2200", "2204"], &[16]),
    ("RuPay", &["60", "65", "81", "82", "508"], &[16]),
    ("Troy", &["9792"], &[16]),
    ("Verve", &["506099", "650002"], &[16, 18, 19]),
    ("Elo", &["636368", "506699"], &[16]),
    ("Hipercard", &["606282"], &[16]),
    ("UzCard, Humo", &["8600", "9860"], &[16]),
];

fn card(draw: &mut Draw, head: &str, length: usize, wrong: usize) -> String {
    let mut number = format!("{head}{}", draw.digits(length - 1 - head.len()));
    let sum: usize = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, b)| match usize::from(b - b'0') {
            n if at % 2 == 1 => n,
            n if n > 4 => 2 * n - 9,
            n => 2 * n,
        })
        .sum();
    number += &((20 - sum % 10 + wrong) % 10).to_string();
    number
}

fn card_groups(length: usize) -> &'static [usize] {
    match length {
        14 | 15 => &[4, 6, 5],
        _ => &[4],
    }
}

pub fn cards(draw: &mut Draw, each: usize) -> Vec<Case> {
    let mut made = Vec::new();
    for (brand, heads, lengths) in CARDS {
        for _ in 0..each {
            let length = lengths[draw.below(lengths.len())];
            let head = draw.of(heads);
            let plain = card(draw, head, length, 0);
            let value = match draw.below(4) {
                0 => plain,
                1 => in_groups(&plain, card_groups(length), "-"),
                2 => in_groups(&plain, card_groups(length), "."),
                _ => in_groups(&plain, card_groups(length), " "),
            };
            let value = rewritten(draw, &value);
            let mut case = embed(draw, "CARD", brand, value);
            // Groups of four go on with "2026" as those of a longer number would.
            if length < 16 || length == 17 {
                case.before = case
                    .before
                    .replace("2026 ", "in 2026: ")
                    .replace("12 ", "12: ");
                case.after = case
                    .after
                    .replace(" 12/26", " (12/26)")
                    .replace(" 06.", ", 06.");
            }
            made.push(case);
        }
    }
    made
}

/// The forms in which a telephone number is written.
pub const FORMS: [&str; 5] = [
    "international",
    "00",
    "E.164",
    "national",
    "national, no groups",
];

/// Telephone numbers as `phones.tsv` has them: each in all forms.
pub fn phones(draw: &mut Draw, table: &str) -> Vec<(Case, &'static str)> {
    let mut made = Vec::new();
    for row in table.lines().filter(|line| !line.starts_with('#')) {
        let [region, e164, international, national] = row.split('\t').collect::<Vec<_>>()[..]
        else {
            panic!("a row of phones.tsv: {row}");
        };
        let bare: String = national.chars().filter(char::is_ascii_digit).collect();
        for form in FORMS {
            let value = match form {
                "international" => international.to_owned(),
                "00" => international.replace('+', "00"),
                "E.164" => e164.to_owned(),
                "national" => national.to_owned(),
                _ => bare.clone(),
            };
            let value = rewritten(draw, &value);
            made.push((embed(draw, "PHONE", region, value), form));
        }
    }
    made
}

/// What only looks like personal data.
pub fn others(draw: &mut Draw, each: usize) -> Vec<Case> {
    let mut made = Vec::new();
    for _ in 0..each {
        let (d, m, y) = (
            draw.between(1, 28),
            draw.between(1, 12),
            draw.between(1950, 2030),
        );
        let (h, min, s) = (draw.below(24), draw.below(60), draw.below(60));
        let hex = |draw: &mut Draw, n: usize| draw.chars("0123456789abcdef", n);
        let isbn = format!("978{}", draw.digits(9));
        let sum: usize = isbn
            .bytes()
            .enumerate()
            .map(|(at, b)| usize::from(b - b'0') * if at % 2 == 1 { 3 } else { 1 })
            .sum();
        let isbn = format!("{isbn}{}", (10 - sum % 10) % 10);
        let country = IBANS[draw.below(IBANS.len())];
        let all: Vec<(&str, String)> = vec![
            (
                "date",
                match draw.below(5) {
                    0 => format!("{y}-{m:02}-{d:02}"),
                    1 => format!("{d:02}.{m:02}.{y}"),
                    2 => format!("{m:02}/{d:02}/{y}"),
                    3 => format!("{d}.{m}.{y}"),
                    _ => format!("{d:02}-{m:02}-{y}"),
                },
            ),
            ("time", format!("{h:02}:{min:02}:{s:02}")),
            (
                "date and time",
                match draw.below(3) {
                    0 => format!("{y}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}+02:00"),
                    1 => format!("{y}{m:02}{d:02}{h:02}{min:02}{s:02}"),
                    _ => format!("{d:02}.{m:02}.{y} {h:02}:{min:02}"),
                },
            ),
            (
                "price",
                match draw.below(4) {
                    0 => format!(
                        "${},{}.{}",
                        draw.between(1, 999),
                        draw.between(100, 999),
                        draw.between(10, 99)
                    ),
                    1 => format!(
                        "{}.{},{} €",
                        draw.between(1, 999),
                        draw.between(100, 999),
                        draw.between(10, 99)
                    ),
                    2 => format!(
                        "{} {} {} EUR",
                        draw.between(1, 999),
                        draw.between(100, 999),
                        draw.between(100, 999)
                    ),
                    _ => format!("{}.{} USD", draw.between(1, 99_999), draw.between(10, 99)),
                },
            ),
            (
                "order number",
                match draw.below(4) {
                    0 => {
                        let n = draw.between(6, 14);
                        format!("{}{}", draw.between(1, 9), draw.digits(n - 1))
                    }
                    1 => format!("order {}", draw.digits(10)),
                    2 => format!("{}-{}-{}", draw.digits(3), draw.digits(7), draw.digits(7)),
                    _ => format!("INV-{y}-{}", draw.digits(6)),
                },
            ),
            (
                "version",
                match draw.below(3) {
                    0 => format!(
                        "{}.{}.{}",
                        draw.below(20),
                        draw.below(100),
                        draw.below(1000)
                    ),
                    1 => format!(
                        "v{}.{}.{}.{}",
                        draw.below(20),
                        draw.below(100),
                        draw.below(100),
                        draw.below(100)
                    ),
                    _ => format!(
                        "version {}.{}.{}.{}",
                        draw.below(20),
                        draw.below(100),
                        draw.below(100),
                        draw.below(100)
                    ),
                },
            ),
            (
                "ISBN",
                match draw.below(3) {
                    0 => isbn.clone(),
                    1 => in_groups(&isbn, &[3, 1, 2, 6, 1], "-"),
                    _ => format!("ISBN {}", draw.digits(10)),
                },
            ),
            (
                "article number",
                format!(
                    "{}{}",
                    draw.of(&["40", "50", "87", "30", "76", "54"]),
                    draw.digits(11)
                ),
            ),
            ("UUID", in_groups(&hex(draw, 32), &[8, 4, 4, 4, 12], "-")),
            ("hash", {
                let n = [32, 40, 64][draw.below(3)];
                hex(draw, n)
            }),
            (
                "coordinates",
                format!(
                    "{}{}.{}, {}.{}",
                    draw.of(&["", "+", "-"]),
                    draw.below(90),
                    draw.digits(6),
                    draw.below(180),
                    draw.digits(6)
                ),
            ),
            (
                "code",
                match draw.below(5) {
                    0 => format!("x[::{}] + y[{}::2]", draw.between(2, 9), draw.below(9)),
                    1 => format!("std::vec::Vec::with_capacity({})", draw.digits(6)),
                    2 => format!("@media (min-width: {}px)", draw.digits(3)),
                    3 => format!(
                        "left-pad@{}.{}.{}",
                        draw.below(9),
                        draw.below(9),
                        draw.below(9)
                    ),
                    _ => format!("0x{} & {}", hex(draw, 8), draw.digits(5)),
                },
            ),
            (
                "IBAN, wrong check digits",
                in_groups(
                    &{
                        let wrong = draw.between(1, 90);
                        iban(draw, country, wrong)
                    },
                    &[4],
                    " ",
                ),
            ),
            ("card, wrong check digit", {
                let wrong = draw.between(1, 9);
                in_groups(&card(draw, "4", 16, wrong), &[4], " ")
            }),
            (
                "telephone number of no region",
                match draw.below(3) {
                    0 => format!("+999 {} {}", draw.digits(3), draw.digits(6)),
                    1 => format!("+0{}", draw.digits(9)),
                    _ => format!("+{}", draw.digits(4)),
                },
            ),
            (
                "measures",
                format!(
                    "{} x {} x {} mm, {} %",
                    draw.between(1, 2000),
                    draw.between(1, 2000),
                    draw.between(1, 900),
                    draw.below(100)
                ),
            ),
            ("MAC address", in_groups(&hex(draw, 12), &[2], ":")),
            (
                "handle",
                format!(
                    "@{} a@b {}@localhost",
                    draw.chars("abcxyz", 5),
                    draw.chars("abc", 3)
                ),
            ),
        ];
        for (what, value) in all {
            made.push(Case {
                kind: "",
                group: what.to_owned(),
                before: draw
                    .of(&["", "it is ", "(", "a line\n", "so\u{a0}", "- "])
                    .to_owned(),
                value,
                after: draw
                    .of(&[
                        "",
                        " and so on",
                        ".",
                        ", thanks",
                        ")",
                        "\nthe next line",
                        "!",
                    ])
                    .to_owned(),
            });
        }
    }
    made
}
