//! A text's sentences, and those of them that say most of what it says.

use unicode_segmentation::UnicodeSegmentation;

/// So many characters side by side that are neither letters nor digits end a sentence, whatever follows. After a full stop, each
/// of them makes the rules look ahead, as far as the next letter.
const MOST_BETWEEN: usize = 64;

/// The sentences of a text (Unicode Annex 29), without the white space around them. Abbreviations may divide one.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut between = 0;
    let ends = |c: char| {
        between = if c.is_alphanumeric() { 0 } else { between + 1 };
        between % MOST_BETWEEN == MOST_BETWEEN - 1
    };
    text.split_inclusive(ends)
        .flat_map(str::split_sentence_bounds)
        .map(str::trim)
        .filter(|sentence| sentence.chars().any(char::is_alphanumeric))
        .collect()
}

/// The places of the `count` vectors that are nearest to the mean of all by cosine, in rising order. Of two
/// that are equally near, the earlier is taken. Radev, Jing, Stys and Tam, "Centroid-based summarization of
/// multiple documents" (2004).
pub fn central(vectors: &[Vec<f32>], count: usize) -> Vec<usize> {
    let unit = |vector: &[f32]| -> Vec<f32> {
        let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
        vector
            .iter()
            .map(|v| v / norm.max(f32::MIN_POSITIVE))
            .collect()
    };
    let units: Vec<Vec<f32>> = vectors.iter().map(|v| unit(v)).collect();
    let width = units.first().map_or(0, Vec::len);
    let mut mean = vec![0.0f32; width];
    for vector in &units {
        for (sum, value) in mean.iter_mut().zip(vector) {
            *sum += value;
        }
    }
    let nearness: Vec<f32> = units
        .iter()
        .map(|v| v.iter().zip(&mean).map(|(a, b)| a * b).sum())
        .collect();
    let mut order: Vec<usize> = (0..units.len()).collect();
    order.sort_by(|&a, &b| nearness[b].total_cmp(&nearness[a]));
    order.truncate(count);
    order.sort_unstable();
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_readers_say() {
        assert_eq!(
            sentences("It rained. \"Really?\" she asked!\n\nYes -- 3.5 mm fell. … "),
            [
                "It rained.",
                "\"Really?\"",
                "she asked!",
                "Yes -- 3.5 mm fell."
            ]
        );
        assert!(sentences(" \n… !").is_empty());
    }

    #[test]
    fn what_follows_a_full_stop_is_gone_through_once() {
        for between in [" ", ")", "\u{201d} ", "\u{301})", ". ", ".)"] {
            let long = between.repeat((1 << 20) / between.len());
            let text = format!("One.{long}two{}. Three.", &long[..between.len()]);
            let found = sentences(&text);
            assert!(found[0].starts_with("One."), "{between:?}");
            assert_eq!(found.last(), Some(&"Three."), "{between:?}");
        }
    }

    #[test]
    fn the_central_ones_are_chosen_in_order() {
        let vectors = [
            vec![1.0, 0.1],
            vec![0.0, -1.0],
            vec![9.0, 0.0],
            vec![0.9, 0.2],
        ];
        assert_eq!(central(&vectors, 2), [0, 2]);
        assert_eq!(central(&vectors, 9), [0, 1, 2, 3]);
        assert_eq!(central(&[vec![0.0, 0.0]], 1), [0]);
        assert!(central(&[], 3).is_empty());
    }
}
