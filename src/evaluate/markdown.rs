//! Names in Markdown. They come from data, and whoever shows a card may show it as HTML.
//!
//! Escaping each character of meaning would not do: renderers look for addresses in what was unescaped already. In a code
//! span nothing has a meaning but the backtick that ends it, and, in a table, the bar that ends the cell. So a name that is
//! more than words goes into code spans, and its bars between them.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// A name within a line of text or a cell of a table. It stays as it is where it is made of words, and is in code spans
/// otherwise; characters that are not shown become spaces.
pub(crate) fn name(name: &str) -> String {
    let name = shown(name);
    if is_words(&name) {
        return name;
    }
    code(&name)
}

/// A name in code spans, whatever it is made of.
pub(crate) fn code(name: &str) -> String {
    let parts: Vec<String> = shown(name).split('|').map(span).collect();
    parts.join("&#124;")
}

/// A name without characters that are not shown: controls, line ends, and those that change the direction of what
/// follows.
pub(crate) fn shown(name: &str) -> String {
    name.chars()
        .map(|c| if is_shown(c) { c } else { ' ' })
        .collect()
}

/// Whether a character is one that is seen, or a space.
pub(crate) fn is_shown(c: char) -> bool {
    !matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    )
}

/// Whether a name has no character with a meaning, and nothing that could be taken for an address.
fn is_words(name: &str) -> bool {
    let mut before = None;
    name.starts_with(char::is_alphanumeric)
        && name
            .chars()
            .zip(name.chars().skip(1).map(Some).chain([None]))
            .all(|(c, next)| {
                let inside = before.is_some_and(char::is_alphanumeric)
                    && next.is_some_and(char::is_alphanumeric);
                before = Some(c);
                match c {
                    ' ' | '-' | ',' | '\'' | '(' | ')' | '%' | '?' => true,
                    // Inside a word it is not emphasis; a point there may be an address.
                    '_' => inside,
                    '.' => next.is_none_or(|next| next == ' ' || next.is_ascii_digit()),
                    c => c.is_alphanumeric(),
                }
            })
}

/// A code span, or nothing where there is nothing to show. It is fenced by more backticks than there are in a row.
fn span(content: &str) -> String {
    let content = content.trim();
    if content.is_empty() {
        return String::new();
    }
    let longest = content.split(|c| c != '`').map(str::len).max();
    let fence = "`".repeat(longest.unwrap_or(0) + 1);
    // Backticks at an end would belong to the fence; of a space at both ends one is taken away again.
    let space = if content.starts_with('`') || content.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{space}{content}{space}{fence}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    use super::*;
    use crate::evaluate::report::Report;
    use crate::evaluate::report::tests::measured;
    use crate::evaluate::{Observation, card};

    /// What a name is to look like where it is shown.
    fn text_of(name: &str) -> String {
        let name = shown(name);
        let parts: Vec<&str> = name.split('|').map(str::trim).collect();
        parts.join("|").trim().to_owned()
    }

    /// The cells of all tables, row by row; fails on whatever is no text, code or table.
    fn cells(markdown: &str) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        let mut outside = String::new();
        let mut metadata = false;
        // Of smart punctuation the text would be another.
        let options = Options::all() - Options::ENABLE_SMART_PUNCTUATION;
        for event in Parser::new_ext(markdown, options) {
            match event {
                Event::Start(Tag::MetadataBlock(_)) => metadata = true,
                Event::End(TagEnd::MetadataBlock(_)) => metadata = false,
                Event::Text(_) if metadata => {}
                Event::Start(Tag::TableRow | Tag::TableHead) => rows.push(Vec::new()),
                Event::Start(Tag::TableCell) => {
                    let row: &mut Vec<String> = rows.last_mut().unwrap();
                    row.push(String::new());
                }
                Event::End(TagEnd::Table) => outside.clear(),
                Event::Text(text) => {
                    outside += &text;
                    if let Some(cell) = rows.last_mut().and_then(|row| row.last_mut()) {
                        *cell += &text;
                    }
                }
                Event::Code(text) => {
                    outside.push(' ');
                    if let Some(cell) = rows.last_mut().and_then(|row| row.last_mut()) {
                        *cell += &text;
                    }
                }
                Event::Start(Tag::Paragraph | Tag::Table(_) | Tag::Heading { .. })
                | Event::End(_)
                | Event::SoftBreak => outside.push(' '),
                other => panic!("{other:?} in {markdown}"),
            }
            // What renderers make links of by themselves.
            for address in ["://", "www.", "@", "mailto:"] {
                assert!(!outside.contains(address), "{address} in {markdown}");
            }
        }
        rows
    }

    fn hostile() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("[a](https://evil.example/?q=1)".to_owned()),
            Just("![a](//evil.example/x.png)".to_owned()),
            Just("<img src=x onerror=alert(1)>".to_owned()),
            Just("https://evil.example".to_owned()),
            Just("www.evil.example".to_owned()),
            Just("a@evil.example".to_owned()),
            Just("<https://evil.example>".to_owned()),
            Just("| a | b |\n| --- | --- |\n".to_owned()),
            Just("\u{202e}gpj.exe".to_owned()),
            Just("&lt;b&gt;&#91;&vert;".to_owned()),
            Just("[^1]: [[wiki]] $x$ ~~a~~ **b** __c__ :smile:".to_owned()),
            "[\\\\`|]{1,6}",
            "[\\\\`*_{}\\[\\]()#+.!|<>~&:@/$^=\"'\\n\\r\\t\\x00\\x1b a-zé0-9-]{0,12}",
            "\\PC{0,6}",
            any::<String>().prop_map(|s| s.chars().take(12).collect()),
        ];
        proptest::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn a_name_is_the_text_of_its_cell_and_nothing_else(one in hostile(), other in hostile()) {
            for write in [name, code] {
                let (a, b) = (write(&one), write(&other));
                let table = format!("| a | b | c |\n| --- | --- | --- |\n| {a} | {b} | 1 |\n| {b} | 2 | {a} |\n");
                let found = cells(&table);
                prop_assert_eq!(found.len(), 3, "{}", &table);
                let (a, b) = (text_of(&one), text_of(&other));
                let trimmed = |row: &Vec<String>| row.iter().map(|c| c.trim().to_owned()).collect::<Vec<_>>();
                prop_assert_eq!(trimmed(&found[1]), [a.clone(), b.clone(), "1".into()], "{}", &table);
                prop_assert_eq!(trimmed(&found[2]), [b, "2".into(), a], "{}", &table);
                let line = format!("Most frequent: {} taken for {} (1).\n", write(&one), write(&other));
                cells(&line);
            }
        }

        #[test]
        fn a_card_of_any_names_has_the_tables_of_a_card_and_no_links(
            names in proptest::collection::vec(hostile(), 8)
        ) {
            let ordinary = cells(&card::render(&Report::new(&measured()), &card::About::default()));
            let mut m = measured();
            m.task.clone_from(&names[0]);
            m.title = format!("T {}", names[1]);
            m.dataset.clone_from(&names[2]);
            m.labels = vec![format!("0{}", names[3]), format!("1{}", names[4])];
            m.tiers[0].0.clone_from(&names[5]);
            let rename = |row: &mut Observation| {
                let slice = row.slice.take();
                row.slice = slice.map(|slice| match slice.as_str() {
                    "easy" => format!("a{}", names[6]),
                    "hard" => format!("b{}", names[7]),
                    other => other.into(),
                });
            };
            m.rows.iter_mut().for_each(rename);
            let found = cells(&card::render(&Report::new(&m), &card::About::default()));
            let widths = |rows: &[Vec<String>]| rows.iter().map(Vec::len).collect::<Vec<_>>();
            prop_assert_eq!(widths(&found), widths(&ordinary));
        }
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for plain in [
            "spam",
            "zh_Hans",
            "not-spam",
            "more than 3.5 words",
            "Größe (cm)",
            "日本語",
        ] {
            assert_eq!(name(plain), plain);
        }
        for (odd, written) in [
            ("a|b", "`a`&#124;`b`"),
            ("sci.med", "`sci.med`"),
            ("`", "`` ` ``"),
            ("_x_", "`_x_`"),
            ("a\nb", "a b"),
            ("|", "&#124;"),
        ] {
            assert_eq!(name(odd), written);
        }
    }
}
