//! From a model's probabilities to a text (connectionist temporal classification, Graves et al. 2006).

use crate::fault::{Result, output};

/// The characters that a model can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dictionary {
    characters: Vec<String>,
}

/// A line as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its text.
    pub text: String,
    /// The mean of the probabilities of its characters; 0 where nothing was read.
    pub confidence: f32,
}

impl Dictionary {
    /// Of a character (or several for one place) on each line, as PaddleOCR's files and the field `character` in the metadata of exports
    /// have it. The blank before them and the space behind them are not written there.
    pub fn of_lines(lines: &str) -> Dictionary {
        let lines = lines.strip_suffix('\n').unwrap_or(lines);
        let characters = lines
            .split('\n')
            .map(|line| line.trim_end_matches('\r').to_owned());
        Dictionary {
            characters: characters.collect(),
        }
    }

    /// The text of probabilities `[1, steps, characters]`: of each step the most probable character, without those that are the same as
    /// one step before, and without blanks.
    ///
    /// # Errors
    /// When they are not for these characters, with or without a space at the end.
    pub fn read(&self, (values, shape): (&[f32], &[usize])) -> Result<Line> {
        let known = self.characters.len();
        let (steps, classes) = match *shape {
            [1, steps, classes] if classes == known + 1 || classes == known + 2 => (steps, classes),
            _ => {
                return output(format!(
                    "probabilities of the shape {shape:?} are not of {known} characters"
                ));
            }
        };
        if steps.checked_mul(classes) != Some(values.len()) {
            return output(format!(
                "{} probabilities are not of the shape {shape:?}",
                values.len()
            ));
        }
        let (mut text, mut sum, mut n, mut last) = (String::new(), 0.0f64, 0usize, 0);
        for step in values.chunks_exact(classes) {
            let mut best = (0, f32::NEG_INFINITY);
            for (class, &probability) in step.iter().enumerate() {
                if probability > best.1 {
                    best = (class, probability);
                }
            }
            if best.0 != 0 && best.0 != last {
                text.push_str(self.characters.get(best.0 - 1).map_or(" ", String::as_str));
                sum += f64::from(best.1);
                n += 1;
            }
            last = best.0;
        }
        Ok(Line {
            text,
            confidence: (sum / n.max(1) as f64) as f32,
        })
    }
}
