//! Spans of a text that a token classifier labels (Tjong Kim Sang and De Meulder 2003): names, places, personal data. A span is where it
//! stands in the text, so that it can be marked or taken out.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::forward::{Forward, Place, Tokens, misshapen, named};
use super::numbers::softmax;
use super::schema::object_of;
use crate::error::{Code, Error, Result, excerpt};
use crate::task::{Label, json_of, label_lines, unknown_label};

/// What is outside of every entity.
pub const OUTSIDE: &str = "O";

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
    /// Its probability, 0 to 1: the mean of its tokens'; `null` where a remote answered.
    pub score: Option<f64>,
    /// The part, as it stands in the text.
    pub text: String,
    /// Its tokens, as the tokenizer puts them together: in lower case where that is all it knows. The part itself where a remote
    /// answered.
    pub word: String,
    /// Where it begins in the text, in UTF-16 units, as JavaScript counts.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
    /// The number of its first token, special ones counted; `null` where a remote answered.
    pub token: Option<u32>,
}

/// A labelled part of a text, in UTF-16 units, as outputs have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Its label.
    pub label: String,
    /// Where it begins.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
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
            score: Some(score),
            text: text.get(start..end).unwrap_or_default().to_owned(),
            word: model.words(tokens.ids.get(first.first..=last.last).unwrap_or_default())?,
            start: utf16.at(start),
            end: utf16.at(end),
            token: Some(first.first as u32),
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

/// The kinds of entity that a model's labels are of, in their order.
pub fn entity_labels(labels: &[Label]) -> Vec<Label> {
    let mut kinds: Vec<Label> = Vec::new();
    for label in labels.iter().filter(|label| label.id != OUTSIDE) {
        let id = tag(&label.id).1;
        if !kinds.iter().any(|kind| kind.id == id) {
            kinds.push(Label {
                id: id.to_owned(),
                title: label.title.clone(),
            });
        }
    }
    kinds
}

/// What a remote is told of the shape of its answer.
pub(super) fn rules(labels: &[Label]) -> String {
    let shape = "Answer with JSON only: {\"entities\": [{\"label\": …, \"text\": …}]}, with every entity in the order of the text, each \
                 copied letter by letter, or none. The labels are exactly these:";
    label_lines(shape, &entity_labels(labels))
}

/// The JSON schema of a remote's answer. Places are not asked for: they follow from the text.
pub(super) fn schema(labels: &[Label]) -> Value {
    let ids: Vec<String> = entity_labels(labels)
        .into_iter()
        .map(|kind| kind.id)
        .collect();
    let entity = object_of(&[
        ("label", json!({ "type": "string", "enum": ids })),
        ("text", json!({ "type": "string" })),
    ]);
    object_of(&[("entities", json!({ "type": "array", "items": entity }))])
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    entities: Vec<Named>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    label: String,
    text: String,
}

/// Reads a remote's answer: each entity is looked for behind the one before it, and must stand there, or somewhere that no other
/// entity has taken.
pub(super) fn read(reply: &str, text: &str, labels: &[Label]) -> Result<TokensOutput> {
    let reply: Reply = json_of(reply)?;
    let kinds = entity_labels(labels);
    let mut taken: Vec<(usize, usize, String)> = Vec::new();
    let mut behind = 0;
    for named in reply.entities {
        if !kinds.iter().any(|kind| kind.id == named.label) {
            return Err(unknown_label(&named.label));
        }
        let place = free_place(text, &named.text, behind, &taken).ok_or_else(|| {
            Error::new(
                Code::RemoteBadResponse,
                format!(
                    "the remote named an entity that does not stand in the text: \"{}\"",
                    excerpt(&named.text, 80)
                ),
            )
        })?;
        behind = place.1;
        taken.push((place.0, place.1, named.label));
    }
    taken.sort();
    let mut utf16 = Utf16::new(text);
    let entities = taken.into_iter().map(|(from, to, label)| {
        let part = text.get(from..to).unwrap_or_default();
        Entity {
            label,
            score: None,
            text: part.to_owned(),
            word: part.to_owned(),
            start: utf16.at(from),
            end: utf16.at(to),
            token: None,
        }
    });
    Ok(TokensOutput {
        entities: entities.collect(),
    })
}

/// Where a part stands: the first place from `behind` on, or else from the beginning, that no entity has.
fn free_place(
    text: &str,
    part: &str,
    behind: usize,
    taken: &[(usize, usize, String)],
) -> Option<(usize, usize)> {
    if part.is_empty() {
        return None;
    }
    let from = |start: usize| {
        let found = text.get(start..).unwrap_or_default().match_indices(part);
        found
            .map(|(at, _)| (start + at, start + at + part.len()))
            .find(|(from, to)| taken.iter().all(|(f, t, _)| to <= f || t <= from))
    };
    from(behind).or_else(|| from(0))
}

/// How many entities are given, how many there are, and how many are both: the same label at the same place.
pub(super) fn hits(output: &TokensOutput, truth: &[Span]) -> (usize, usize, usize) {
    let given: BTreeSet<(&str, u32, u32)> = output
        .entities
        .iter()
        .map(|e| (e.label.as_str(), e.start, e.end))
        .collect();
    let there: BTreeSet<(&str, u32, u32)> = truth
        .iter()
        .map(|span| (span.label.as_str(), span.start, span.end))
        .collect();
    let both = given.intersection(&there).count();
    (both, given.len(), there.len())
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
        assert_eq!((entities[0].start, entities[0].token), (3, Some(2)));
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
