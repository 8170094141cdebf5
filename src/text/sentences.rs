//! A text's sentences, and those of them that say most of what it says.

use unicode_segmentation::UnicodeSegmentation;

/// The sentences of a text (Unicode Annex 29), without the white space around them. Abbreviations may divide one.
pub fn sentences(text: &str) -> Vec<&str> {
    text.split_sentence_bounds()
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
