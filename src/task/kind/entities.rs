//! Spans of a text that a token classifier labels (Tjong Kim Sang and De Meulder 2003): names, places, personal data. A span is where it
//! stands in the text, so that it can be marked or taken out.

use serde::{Deserialize, Serialize};

use super::forward::{Forward, Place, Tokens, misshapen, named};
use super::numbers::softmax;
use crate::error::{Error, Result};
use crate::task::Label;

/// What is outside of every entity.
const OUTSIDE: &str = "O";

/// How tokens become entities, as transformers names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Aggregation {
    /// They do not: each token by itself.
    None,
    /// Tokens side by side of the same label.
    #[default]
    Simple,
    /// The same, and a word has the label of its first token.
    First,
    /// The same, and a word has the label that its tokens find likeliest together.
    Average,
    /// The same, and a word has the label of its surest token.
    Max,
}

/// The entities of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TokensOutput {
    /// In the order of the text.
    pub entities: Vec<Entity>,
}

/// A labelled part of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Entity {
    /// Its label, without `B-` and `I-` where tokens were put together.
    pub label: String,
    /// Its probability, 0 to 1: the mean of its tokens'.
    pub score: f64,
    /// The part, as it stands in the text.
    pub text: String,
    /// Its tokens, as the tokenizer puts them together: in lower case where that is all it knows.
    pub word: String,
    /// Where it begins in the text, in UTF-16 units, as JavaScript counts.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
    /// The number of its first token, special ones counted.
    pub token: u32,
}

/// A token, or a word, that some label was given to.
struct Labelled {
    /// Its first token, and its last.
    first: usize,
    last: usize,
    place: Place,
    label: usize,
    score: f64,
}

pub(super) fn perform(
    text: &str,
    labels: &[Label],
    aggregation: Aggregation,
    model: &mut dyn Forward,
) -> Result<(TokensOutput, f64)> {
    let tokens = model.tokens(text, None, false)?;
    let values = model.run(&tokens)?;
    let logits = named(model.name(), &values, &["logits"])?;
    if logits.numbers.len() != tokens.ids.len() * labels.len() {
        let wanted = format!("[1, {}, {}]", tokens.ids.len(), labels.len());
        return Err(misshapen(model.name(), logits, &wanted));
    }
    let rows = logits.numbers.chunks_exact(labels.len().max(1));
    let rows: Vec<Vec<f64>> = rows
        .map(|row| softmax(row.iter().map(|&v| f64::from(v))))
        .collect();
    let labelled = match aggregation {
        Aggregation::None | Aggregation::Simple => by_token(&tokens, &rows),
        word => by_word(&tokens, &rows, word),
    };
    // The whole is right where every token is.
    let confidence = rows
        .iter()
        .zip(&tokens.places)
        .filter(|(_, place)| place.is_some())
        .map(|(row, _)| row.iter().copied().fold(0.0, f64::max))
        .product();
    let name = |label: usize| labels[label].id.as_str();
    let mut utf16 = Utf16::new(text);
    let mut entities: Vec<Entity> = Vec::new();
    let mut entity = |label: &str, score: f64, (first, last): (&Labelled, &Labelled)| {
        let (start, end) = (first.place.start, last.place.end);
        Ok::<_, Error>(Entity {
            label: label.to_owned(),
            score,
            text: text.get(start..end).unwrap_or_default().to_owned(),
            word: model.words(tokens.ids.get(first.first..=last.last).unwrap_or_default())?,
            start: utf16.at(start),
            end: utf16.at(end),
            token: first.first as u32,
        })
    };
    if aggregation == Aggregation::None {
        for one in labelled.iter().filter(|one| name(one.label) != OUTSIDE) {
            entities.push(entity(name(one.label), one.score, (one, one))?);
        }
    } else {
        for group in groups(&labelled, &name) {
            let (Some(first), Some(last)) = (group.first(), group.last()) else {
                continue;
            };
            let score = group.iter().map(|one| one.score).sum::<f64>() / group.len() as f64;
            let label = tag(name(first.label)).1;
            entities.push(entity(label, score, (first, last))?);
        }
    }
    Ok((TokensOutput { entities }, confidence))
}

fn best(row: &[f64]) -> (usize, f64) {
    let best = row.iter().copied().enumerate();
    best.fold((0, f64::NEG_INFINITY), |a, b| if b.1 > a.1 { b } else { a })
}

fn by_token(tokens: &Tokens, rows: &[Vec<f64>]) -> Vec<Labelled> {
    let placed = tokens.places.iter().zip(rows).enumerate();
    placed
        .filter_map(|(at, (place, row))| {
            let (label, score) = best(row);
            Some(Labelled {
                first: at,
                last: at,
                place: (*place)?,
                label,
                score,
            })
        })
        .collect()
}

/// One label a word, however many tokens it has.
fn by_word(tokens: &Tokens, rows: &[Vec<f64>], aggregation: Aggregation) -> Vec<Labelled> {
    let mut words: Vec<(Labelled, Vec<usize>)> = Vec::new();
    for (at, place) in tokens.places.iter().enumerate() {
        let Some(place) = *place else { continue };
        let goes_on = !tokens.begins.get(at).copied().unwrap_or(true);
        match words.last_mut() {
            Some((word, of)) if goes_on => {
                (word.place.end, word.last) = (place.end, at);
                of.push(at);
            }
            _ => {
                let word = Labelled {
                    first: at,
                    last: at,
                    place,
                    label: 0,
                    score: 0.0,
                };
                words.push((word, vec![at]));
            }
        }
    }
    words
        .into_iter()
        .map(|(mut word, of)| {
            let of = || of.iter().map(|&at| rows[at].as_slice());
            (word.label, word.score) = match aggregation {
                Aggregation::Average => {
                    let mut mean = vec![0.0; of().next().map_or(0, <[f64]>::len)];
                    for row in of() {
                        mean.iter_mut().zip(row).for_each(|(sum, p)| *sum += p);
                    }
                    let many = of().count() as f64;
                    mean.iter_mut().for_each(|sum| *sum /= many);
                    best(&mean)
                }
                Aggregation::Max => {
                    let surest = of().map(best);
                    surest.fold((0, f64::NEG_INFINITY), |a, b| if b.1 > a.1 { b } else { a })
                }
                _ => of().next().map_or((0, 0.0), best),
            };
            word
        })
        .collect()
}

/// A label's tag in the schemes IOB2 and BIOES, and the kind of entity.
fn tag(label: &str) -> (char, &str) {
    match label.split_once('-') {
        Some((tag @ ("B" | "I" | "E" | "S"), kind)) => (tag.chars().next().unwrap_or('I'), kind),
        _ => ('I', label),
    }
}

/// The tokens side by side that are one entity.
fn groups<'l, 'n>(
    labelled: &'l [Labelled],
    name: &impl Fn(usize) -> &'n str,
) -> Vec<&'l [Labelled]> {
    let mut groups: Vec<(usize, usize)> = Vec::new();
    let mut open: Option<&str> = None;
    for (at, one) in labelled.iter().enumerate() {
        let label = name(one.label);
        if label == OUTSIDE {
            open = None;
            continue;
        }
        let (tag, kind) = tag(label);
        match groups.last_mut() {
            Some(group) if open == Some(kind) && !matches!(tag, 'B' | 'S') => group.1 = at + 1,
            _ => groups.push((at, at + 1)),
        }
        open = (!matches!(tag, 'E' | 'S')).then_some(kind);
    }
    groups
        .into_iter()
        .map(|(from, to)| &labelled[from..to])
        .collect()
}

/// Places in a text in UTF-16 units. Asking for places in rising order reads the text once.
pub(super) struct Utf16<'t> {
    text: &'t str,
    byte: usize,
    units: usize,
}

impl<'t> Utf16<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Utf16 {
            text,
            byte: 0,
            units: 0,
        }
    }

    /// The place of a byte.
    pub(super) fn at(&mut self, byte: usize) -> u32 {
        if byte < self.byte {
            (self.byte, self.units) = (0, 0);
        }
        let between = self.text.get(self.byte..byte).unwrap_or_default();
        self.units += between.chars().map(char::len_utf16).sum::<usize>();
        self.byte = byte;
        self.units as u32
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Played;
    use super::super::{Aggregation, KindOptions, KindOutput, perform};
    use super::*;
    use crate::task::{Input, TaskKind};

    fn labels() -> Vec<Label> {
        let ids = ["O", "B-PER", "I-PER", "B-LOC"];
        let label = |id: &str| Label {
            id: id.to_owned(),
            title: None,
        };
        ids.map(label).to_vec()
    }

    /// The entities in a text of which each word of so many letters a token has these labels.
    fn found(text: &str, letters: usize, best: &[usize], aggregation: Aggregation) -> Vec<Entity> {
        let mut model = Played::of(text, letters);
        model.gives_rows(best, 4);
        let options = KindOptions {
            aggregation: Some(aggregation),
            ..KindOptions::default()
        };
        let kind = TaskKind::TokenClassification;
        let made = perform(kind, &labels(), Input::Text(text), &options, &mut model).unwrap();
        assert!(made.confidence.is_some_and(|c| c > 0.0 && c <= 1.0));
        match made.output {
            KindOutput::Tokens(output) => output.entities,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn places_are_counted_as_javascript_counts_them() {
        // An emoji has two units, a combining mark one, and Hebrew runs the other way on the screen only.
        let text = "😀 Ann e\u{301} שרה";
        let entities = found(text, 9, &[0, 0, 1, 0, 1, 0], Aggregation::Simple);
        let units: Vec<u16> = text.encode_utf16().collect();
        let texts: Vec<String> = entities
            .iter()
            .map(|e| String::from_utf16(&units[e.start as usize..e.end as usize]).unwrap())
            .collect();
        assert_eq!(texts, ["Ann", "שרה"]);
        assert!(entities.iter().zip(&texts).all(|(e, text)| e.text == *text));
        assert_eq!((entities[0].start, entities[0].token), (3, 2));
    }

    #[test]
    fn tokens_become_entities_by_their_tags() {
        let spans = |best: &[usize], how| -> Vec<String> {
            let found = found("Ann Lee in Rome", 9, best, how);
            found
                .into_iter()
                .map(|e| format!("{} {}", e.label, e.text))
                .collect()
        };
        // The first and the last are special.
        let tags = [0, 1, 2, 0, 3, 0];
        assert_eq!(
            spans(&tags, Aggregation::Simple),
            ["PER Ann Lee", "LOC Rome"]
        );
        assert_eq!(
            spans(&tags, Aggregation::None),
            ["B-PER Ann", "I-PER Lee", "B-LOC Rome"]
        );
        // A second beginning is a second entity; a goes-on of another kind is one, too.
        assert_eq!(
            spans(&[0, 1, 1, 2, 3, 0], Aggregation::Simple),
            ["PER Ann", "PER Lee in", "LOC Rome"]
        );
        assert!(spans(&[1, 0, 0, 0, 0, 1], Aggregation::Simple).is_empty());
    }

    #[test]
    fn a_word_has_one_label_where_that_is_asked_for() {
        // Two letters a token: Gi|nn|y.
        let spans = |how| -> Vec<String> {
            let found = found("Ginny", 2, &[0, 1, 3, 3, 0], how);
            found
                .into_iter()
                .map(|e| format!("{} {}", e.label, e.text))
                .collect()
        };
        assert_eq!(spans(Aggregation::First), ["PER Ginny"]);
        assert_eq!(spans(Aggregation::Average), ["LOC Ginny"]);
        assert_eq!(spans(Aggregation::Simple), ["PER Gi", "LOC nn", "LOC y"]);
    }
}
