//! What so many errors among so many answers say of the true error rate. Exact, no approximation.

use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF};

/// `P(Bin(n, risk) <= errors)`: the chance of so few errors if the true rate were `risk`.
pub fn p_value(n: u64, errors: u64, risk: f64) -> f64 {
    match Binomial::new(risk, n) {
        Ok(binomial) if n > 0 => binomial.cdf(errors),
        _ => 1.0,
    }
}

/// The exact (Clopper-Pearson) upper bound of an error rate at confidence `1 - delta`.
pub fn upper_bound(n: u64, errors: u64, delta: f64) -> f64 {
    if errors >= n {
        return 1.0;
    }
    match Beta::new(errors as f64 + 1.0, (n - errors) as f64) {
        Ok(beta) => beta.inverse_cdf(1.0 - delta),
        Err(_) => 1.0,
    }
}
