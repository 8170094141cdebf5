//! Reads `preprocessor_config.json`, the form in which models on Hugging Face say what they take.
//!
//! Every key is honoured, known to change nothing, or refused by its name.

use serde_json::{Map, Value};

use crate::processor::SoundProcessor;
use crate::{Fault, Result};

/// Of the file itself, or of what other code does with the features.
const NO_MATTER: [&str; 8] = [
    "_commit_hash",
    "auto_map",
    "feature_extractor_class",
    "feature_extractor_type",
    "image_processor_type",
    "processor_class",
    "return_attention_mask",
    "transformers_version",
];

pub(crate) fn read(json: &str) -> Result<SoundProcessor> {
    let parsed: Value =
        serde_json::from_str(json).map_err(|why| fault(format!("it is no JSON: {why}")))?;
    let Value::Object(keys) = parsed else {
        return Err(fault("it is no object"));
    };
    let mut config = Config(keys);
    let kind = match config.0.get("feature_extractor_type") {
        Some(Value::String(kind)) => kind.clone(),
        Some(_) => return Err(fault("`feature_extractor_type` must be a text")),
        // Files of before 2021 do not say; those of wav2vec2 have this.
        None if config.0.contains_key("do_normalize") && !config.0.contains_key("num_mel_bins") => {
            "Wav2Vec2FeatureExtractor".into()
        }
        None => return Err(fault("it has no `feature_extractor_type`")),
    };
    let rate = config.whole("sampling_rate", 16_000)?;
    let rate = u32::try_from(rate).map_err(|_| fault("`sampling_rate` is too large"))?;
    config.only("padding_side", &Value::from("right"))?;
    config.zero("padding_value")?;
    let processor = match kind.as_str() {
        "Wav2Vec2FeatureExtractor" => {
            config.only("feature_size", &Value::from(1))?;
            SoundProcessor::Samples {
                rate,
                normalise: config.flag("do_normalize", true)?,
            }
        }
        "WhisperFeatureExtractor" => {
            let processor = SoundProcessor::Whisper {
                rate,
                mels: config.whole("feature_size", 80)?,
                fft: config.whole("n_fft", 400)?,
                hop: config.whole("hop_length", 160)?,
                seconds: config.whole("chunk_length", 30)? as u32,
            };
            config.zero("dither")?;
            config.only("do_normalize", &Value::from(false))?;
            // These follow from the others; old files have the table of filters, too.
            for follows in ["n_samples", "nb_max_frames", "mel_filters"] {
                config.0.remove(follows);
            }
            processor
        }
        "ASTFeatureExtractor" => {
            config.only("feature_size", &Value::from(1))?;
            let normal = (
                config.number("mean", -4.267_739_3)?,
                config.number("std", 4.568_997_4)?,
            );
            let normalise = config.flag("do_normalize", true)?;
            SoundProcessor::FilterBank {
                rate,
                mels: config.whole("num_mel_bins", 128)?,
                frames: config.whole("max_length", 1024)?,
                normal: normalise.then_some(normal),
            }
        }
        other => return Err(fault(format!("`{other}` is not known"))),
    };
    config.nothing_left()?;
    Ok(processor)
}

/// The keys that were not asked for yet.
struct Config(Map<String, Value>);

impl Config {
    fn take<T>(
        &mut self,
        key: &str,
        default: T,
        must: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T> {
        match self.0.remove(key) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => read(&value).ok_or_else(|| fault(format!("`{key}` must be {must}"))),
        }
    }

    fn whole(&mut self, key: &str, default: usize) -> Result<usize> {
        let small = |value: &Value| u32::try_from(value.as_u64()?).ok();
        self.take(key, default, "a whole number", |value| {
            Some(small(value)? as usize)
        })
    }

    fn number(&mut self, key: &str, default: f32) -> Result<f32> {
        self.take(key, default, "a number", |value| {
            Some(value.as_f64()? as f32)
        })
    }

    fn flag(&mut self, key: &str, default: bool) -> Result<bool> {
        self.take(key, default, "true or false", Value::as_bool)
    }

    /// A key that may have one value only.
    fn only(&mut self, key: &str, one: &Value) -> Result<()> {
        self.take(key, (), &format!("{one}"), |value| {
            (value == one).then_some(())
        })
    }

    fn zero(&mut self, key: &str) -> Result<()> {
        self.take(key, (), "0", |value| {
            (value.as_f64() == Some(0.0)).then_some(())
        })
    }

    fn nothing_left(&self) -> Result<()> {
        let mut unknown = self
            .0
            .iter()
            .filter(|(key, value)| !NO_MATTER.contains(&key.as_str()) && !value.is_null());
        match unknown.next() {
            None => Ok(()),
            Some((key, _)) => Err(fault(format!("`{key}` is not known"))),
        }
    }
}

fn fault(why: impl Into<String>) -> Fault {
    Fault::Config(why.into())
}
