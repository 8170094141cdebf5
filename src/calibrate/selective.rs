//! The risk-coverage curve: how often answers are wrong where only the surest are given.

/// Error rates of selective answering.
#[derive(Debug, Clone, PartialEq)]
pub struct Selective {
    /// The error rate among the `i + 1` rows with the highest scores.
    pub risks: Vec<f64>,
    /// The area under them: their mean (AURC; Geifman, Uziel and El-Yaniv 2019).
    pub aurc: f64,
    /// What of it a perfect order would avoid (E-AURC; the same).
    pub eaurc: f64,
}

/// The risk-coverage curve of pairs of a score and whether the answer is right. Rows of one score count as being in any
/// order: each has the mean error of all of them, so that the order of the file decides nothing.
pub fn selective(rows: impl IntoIterator<Item = (f64, bool)>) -> Selective {
    let losses = rows.into_iter();
    selective_loss(losses.map(|(score, right)| (score, f64::from(u8::from(!right)))))
}

/// The same of pairs of a score and a loss from 0 to 1, whose means are the risks.
pub fn selective_loss(rows: impl IntoIterator<Item = (f64, f64)>) -> Selective {
    let mut sorted: Vec<(f64, f64)> = rows.into_iter().collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let losses = sorted
        .chunk_by(|a, b| a.0 == b.0)
        .flat_map(|tied| {
            let sum: f64 = tied.iter().map(|(_, loss)| loss).sum();
            std::iter::repeat_n(sum / tied.len() as f64, tied.len())
        })
        .collect();
    let risks = running_means(losses);
    let aurc = mean(&risks);
    // The best order has every right answer first.
    let mut best: Vec<f64> = sorted.iter().map(|(_, loss)| *loss).collect();
    best.sort_by(f64::total_cmp);
    Selective {
        eaurc: aurc - mean(&running_means(best)),
        risks,
        aurc,
    }
}

/// Of every beginning of the losses, the mean.
fn running_means(mut losses: Vec<f64>) -> Vec<f64> {
    let mut sum = 0.0;
    for (at, loss) in losses.iter_mut().enumerate() {
        sum += *loss;
        *loss = sum / (at + 1) as f64;
    }
    losses
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn areas_by_hand() {
        // Surest first: right, wrong, right. Risks 0, 1/2, 1/3; the best order 0, 0, 1/3.
        let found = selective([(0.9, true), (0.5, true), (0.7, false)]);
        close(found.aurc, (0.5 + 1.0 / 3.0) / 3.0);
        close(found.eaurc, 0.5 / 3.0);
        let perfect = selective([(0.9, true), (0.5, false), (0.7, true)]);
        close(perfect.eaurc, 0.0);
        assert_eq!(selective([]).aurc, 0.0);
    }

    #[test]
    fn the_order_of_equal_scores_decides_nothing() {
        let rows = [
            (0.9, true),
            (0.5, true),
            (0.5, false),
            (0.5, true),
            (0.1, false),
        ];
        let mut other = rows;
        other.reverse();
        let found = selective(rows);
        assert_eq!(found, selective(other));
        let wrong = 1.0 / 3.0;
        let risks = [
            0.0,
            wrong / 2.0,
            2.0 * wrong / 3.0,
            3.0 * wrong / 4.0,
            2.0 / 5.0,
        ];
        for (risk, by_hand) in found.risks.iter().zip(risks) {
            close(*risk, by_hand);
        }
        close(found.aurc, risks.iter().sum::<f64>() / 5.0);
    }
}
