//! What can be wrong with a sound, a processor or a detector.

use std::fmt;

/// Why something was refused. The text is for people; programs look at the variant.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// There are no samples.
    Empty,
    /// The rate is 0 or above 768 kHz.
    Rate(u32),
    /// The two rates are further apart than a factor of 256.
    Ratio {
        /// The sound's rate.
        from: u32,
        /// The rate that was asked for.
        to: u32,
    },
    /// There is no channel, there are too many, or they are not of one length.
    Channels(usize),
    /// A sample is infinite or no number.
    NotFinite {
        /// Which one, counted within its channel or its piece.
        at: usize,
    },
    /// The sound is longer than four hours.
    TooLong,
    /// The memory for the result cannot be had.
    Memory,
    /// An option has an unusable value.
    Option {
        /// Its name.
        name: &'static str,
        /// What it must be.
        why: String,
    },
    /// A `preprocessor_config.json` cannot be read, or asks for what is not known here.
    Config(String),
    /// The model failed, or gave what is no probability.
    Model(String),
    /// A file of sound cannot be read.
    Decode(String),
}

/// What nearly everything here gives.
pub type Result<T> = std::result::Result<T, Fault>;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Empty => f.write_str("the sound is empty"),
            Fault::Rate(rate) => {
                write!(f, "a rate of {rate} Hz is not between 1 and 768000 Hz")
            }
            Fault::Ratio { from, to } => {
                write!(
                    f,
                    "{from} Hz and {to} Hz are more than a factor of 256 apart"
                )
            }
            Fault::Channels(channels) => write!(
                f,
                "{channels} channels: a sound has 1 to 64 of them, all of one length"
            ),
            Fault::NotFinite { at } => write!(f, "sample {at} is infinite or no number"),
            Fault::TooLong => f.write_str("the sound is longer than four hours"),
            Fault::Memory => f.write_str("there is not enough memory for the result"),
            Fault::Option { name, why } => write!(f, "`{name}` {why}"),
            Fault::Config(why) => write!(f, "the processor's configuration: {why}"),
            Fault::Model(why) => write!(f, "the voice model: {why}"),
            Fault::Decode(why) => write!(f, "the file of sound: {why}"),
        }
    }
}

impl std::error::Error for Fault {}

/// An empty vector with room for `len`, or the fault that there is none.
pub(crate) fn room<T>(len: usize) -> Result<Vec<T>> {
    let mut made = Vec::new();
    made.try_reserve_exact(len).map_err(|_| Fault::Memory)?;
    Ok(made)
}
