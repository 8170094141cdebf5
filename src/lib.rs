//! Small task models first, a remote LLM only when they are not enough.
//!
//! smallfirst answers well-defined tasks (so far: classification of text and of files) with small
//! ONNX models on the device, and asks a remote LLM only for what those models cannot answer with
//! enough confidence. The same code runs in a browser, as WebAssembly in the npm package
//! `smallfirst`, and natively, in the command line `smallfirst`.
//!
//! # A tour
//!
//! - [`task`]: what can be asked, and the [`Answer`](task::Answer) that says where it ran and why.
//! - [`bundle`]: what is shipped: a manifest and the files it names, with their hashes.
//! - [`engine`]: how a model runs.
//! - [`text`], [`bytes`]: inputs to tensors.
//! - [`calibrate`]: scores to a calibrated confidence.
//! - [`monitor`]: whether live inputs still look like the calibration data.
//! - [`route`]: who answers, and the reason.
//! - [`remote`]: asking a remote LLM.
//! - [`learn`]: the remote's answers as examples that answer near-repeats.
//! - [`runtime`]: one call's path through all of these.
//! - `browser` (wasm32 only): the same for JavaScript.
//!
//! ```
//! use smallfirst::route::{Verdict, judge};
//! // A local answer is trusted from its threshold on.
//! assert_eq!(judge(0.97, Some(0.93), true), Verdict::Trust);
//! ```
//!
//! # Limits and untrusted input
//!
//! Models, manifests, inputs and remote replies are all treated as untrusted: sizes are bounded,
//! hashes are verified, outputs must be finite, replies are held against the task's schema, and what
//! fails any of it becomes an [`Error`] with a stable [`Code`]. A model is not sandboxed further: it
//! can use memory and time within the bounds the manifest's limits set.

mod attempt;
pub mod bundle;
pub mod bytes;
pub mod calibrate;
#[cfg(feature = "cli")]
pub mod data;
pub mod engine;
pub mod error;
#[cfg(feature = "cli")]
pub mod evaluate;
pub mod host;
pub mod monitor;
pub mod neighbours;
pub mod remote;
pub mod route;
pub mod runtime;
pub mod task;
pub mod text;
#[cfg(feature = "cli")]
pub mod train;

#[cfg(target_arch = "wasm32")]
pub mod browser;

pub use error::{Code, Error, Result};

#[cfg(all(test, not(target_arch = "wasm32")))]
mod fresh;
#[cfg(test)]
mod testing;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod types;
