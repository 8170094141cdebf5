//! The error rate that may be asked for: above 0 and below 1.

use std::fmt;

use serde::de::{Deserializer, Unexpected, Visitor};

use crate::error::{Code, Error, Result};

/// What a risk must be, for messages.
const WANTED: &str = "a number above 0 and below 1, for example 0.05";

/// Whether a number is an error rate that can be asked for.
fn is_risk(number: f64) -> bool {
    number > 0.0 && number < 1.0
}

/// Holds the risk of an option against what it may be.
///
/// # Errors
/// [`Code::InvalidOption`].
pub(crate) fn check(option: &str, risk: Option<f64>) -> Result<()> {
    match risk {
        Some(risk) if !is_risk(risk) => Err(Error::new(
            Code::InvalidOption,
            format!("{option} must be {WANTED}, not {risk}"),
        )),
        _ => Ok(()),
    }
}

/// Reads the option `risk`, for `#[serde(deserialize_with)]`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<f64, D::Error> {
    deserializer.deserialize_f64(RiskVisitor)
}

/// Reads an option `risk` that may be absent.
pub(crate) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<f64>, D::Error> {
    use serde::de::Deserialize;

    struct Given(f64);
    impl<'de> Deserialize<'de> for Given {
        fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
            deserialize(d).map(Given)
        }
    }
    Ok(Option::<Given>::deserialize(deserializer)?.map(|Given(risk)| risk))
}

struct RiskVisitor;

impl Visitor<'_> for RiskVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WANTED)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> std::result::Result<f64, E> {
        match is_risk(number) {
            true => Ok(number),
            false => Err(E::invalid_value(Unexpected::Float(number), &self)),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> std::result::Result<f64, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> std::result::Result<f64, E> {
        self.visit_f64(number as f64)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    struct Options {
        #[serde(default, deserialize_with = "optional")]
        risk: Option<f64>,
    }

    #[test]
    fn a_risk_that_is_none_is_refused_in_the_same_words() {
        let read = |options| serde_json::from_value::<Options>(options).map(|read| read.risk);
        assert_eq!(read(json!({})).unwrap(), None);
        assert_eq!(read(json!({ "risk": null })).unwrap(), None);
        assert_eq!(read(json!({ "risk": 0.05 })).unwrap(), Some(0.05));
        for none in [json!("0.05"), json!(0), json!(1), json!(-0.1), json!([])] {
            let told = read(json!({ "risk": none })).unwrap_err().to_string();
            assert!(told.ends_with(WANTED), "{told}");
        }
        for none in [0.0, 1.0, f64::NAN, f64::INFINITY] {
            let told = check("risk", Some(none)).unwrap_err().to_string();
            assert!(told.contains(WANTED), "{told}");
        }
        assert!(check("risk", None).is_ok() && check("risk", Some(0.999)).is_ok());
    }
}
