//! Filters on the mel scale: triangles over the bins of a power spectrum.

/// How frequencies become mels, and how a filter is shaped and weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Linear below 1 kHz, logarithmic above; triangles over Hz, each of the same area.
    Slaney,
    /// Kaldi's, logarithmic; triangles over mels, each of the same height.
    Kaldi,
}

/// A filter: the first bin that it weighs, and the weights from there on.
#[derive(Debug, Clone)]
struct Filter {
    first: usize,
    weights: Vec<f64>,
}

/// Filters from a lowest to a highest frequency.
#[derive(Debug, Clone)]
pub(crate) struct Mels(Vec<Filter>);

impl Mels {
    /// For the spectrum of frames of `length` samples at `rate`.
    pub(crate) fn new(
        scale: Scale,
        count: usize,
        length: usize,
        rate: u32,
        (low, high): (f64, f64),
    ) -> Mels {
        let (low, high) = (scale.mel(low), scale.mel(high));
        let corner = |at: usize| {
            let mel = low + (high - low) * at as f64 / (count + 1) as f64;
            match scale {
                Scale::Slaney => scale.hertz(mel),
                Scale::Kaldi => mel,
            }
        };
        let place = |bin: usize| {
            let hertz = bin as f64 * f64::from(rate) / length as f64;
            match scale {
                Scale::Slaney => hertz,
                Scale::Kaldi => scale.mel(hertz),
            }
        };
        let places: Vec<f64> = (0..=length / 2).map(place).collect();
        let filter = |at: usize| {
            let (left, middle, right) = (corner(at), corner(at + 1), corner(at + 2));
            let height = match scale {
                Scale::Slaney => 2.0 / (right - left),
                Scale::Kaldi => 1.0,
            };
            let weight = |place: f64| {
                let (up, down) = (
                    (place - left) / (middle - left),
                    (right - place) / (right - middle),
                );
                up.min(down).max(0.0) * height
            };
            let inside = |place: &f64| weight(*place) > 0.0;
            let first = places.iter().position(inside).unwrap_or(0);
            let weights = places[first..].iter().take_while(|place| inside(place));
            let weights = weights.map(|place| weight(*place)).collect();
            Filter { first, weights }
        };
        Mels((0..count).map(filter).collect())
    }

    /// The weighted sums of a spectrum, one a filter.
    pub(crate) fn of<'a>(&'a self, power: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        self.0.iter().map(|filter| {
            let bins = filter.weights.iter().zip(&power[filter.first..]);
            bins.map(|(weight, power)| weight * power).sum()
        })
    }
}

impl Scale {
    fn mel(self, hertz: f64) -> f64 {
        match self {
            Scale::Kaldi => 1127.0 * (1.0 + hertz / 700.0).ln(),
            Scale::Slaney if hertz < 1000.0 => 3.0 * hertz / 200.0,
            Scale::Slaney => 15.0 + (hertz / 1000.0).ln() * 27.0 / 6.4_f64.ln(),
        }
    }

    fn hertz(self, mel: f64) -> f64 {
        match self {
            Scale::Kaldi => 700.0 * ((mel / 1127.0).exp() - 1.0),
            Scale::Slaney if mel < 15.0 => 200.0 * mel / 3.0,
            Scale::Slaney => 1000.0 * ((mel - 15.0) * 6.4_f64.ln() / 27.0).exp(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hertz_and_mels_are_each_other_s_inverse() {
        for scale in [Scale::Slaney, Scale::Kaldi] {
            for hertz in [0.0, 20.0, 999.0, 1000.0, 4321.0, 8000.0] {
                assert!((scale.hertz(scale.mel(hertz)) - hertz).abs() < 1e-9);
            }
        }
        assert_eq!(Scale::Slaney.mel(1000.0), 15.0);
        assert!((Scale::Kaldi.mel(1000.0) - 999.99).abs() < 0.01);
    }

    #[test]
    fn neighbours_of_kaldi_s_filters_add_to_one() {
        let mels = Mels::new(Scale::Kaldi, 23, 512, 16_000, (20.0, 8000.0));
        let mut power = vec![0.0; 257];
        power[64] = 2.0;
        let sums: Vec<f64> = mels.of(&power).collect();
        assert!((sums.iter().sum::<f64>() - 2.0).abs() < 1e-9);
        assert!(sums.iter().filter(|sum| **sum > 0.0).count() <= 2);
    }
}
