//! Small task models first, a remote LLM only when they are not enough.
//!
//! smallfirst answers well-defined tasks (so far: classification of text and of files) with small
//! ONNX models on the device, and asks a remote LLM only for what those models cannot answer with
//! enough confidence. The same code runs in a browser, as WebAssembly in the npm package
//! `smallfirst`, and natively, in the command line `smallfirst`.
//!
//! # Open a bundle and ask it
//!
//! The crate does no I/O: a [`bundle::Source`] gives it the bundle's files, a [`remote::Host`] the network, the page,
//! storage and time. Here there is none of these but a folder.
//!
//! ```
//! use smallfirst::bundle::{Bundle, FileEntry, Source, verify};
//! use smallfirst::host::FixedClock;
//! use smallfirst::remote::{OfflineHost, RemoteOptions};
//! use smallfirst::route::Mode;
//! use smallfirst::runtime::{Call, Runtime};
//! use smallfirst::task::{Input, Reason};
//! use smallfirst::{Code, Error, Result};
//!
//! /// Where the bundle's files are.
//! struct Folder(&'static str);
//!
//! impl Source for Folder {
//!     async fn read(&self, path: &str, entry: &FileEntry) -> Result<Vec<u8>> {
//!         let missing = |e: std::io::Error| Error::new(Code::FileMissing, e.to_string());
//!         let bytes = std::fs::read(format!("{}/{path}", self.0)).map_err(missing)?;
//!         verify(path, entry, &bytes)?;
//!         Ok(bytes)
//!     }
//! }
//!
//! # fn main() -> Result<()> {
//! let bundle = Bundle::parse(&std::fs::read("models/manifest.json").expect("a manifest"))?;
//! let runtime = Runtime::new(bundle, Folder("models"), Mode::OnlyLocal, RemoteOptions::default())?;
//! let text = "Entschuldigen Sie bitte, können Sie mir sagen, wie ich von hier zum Bahnhof komme?";
//! let call = Call::new("language", Input::Text(text));
//! let answer = pollster::block_on(runtime.run(&call, &OfflineHost(FixedClock)))?;
//! assert_eq!(answer.output.label, "deu");
//! assert_eq!(answer.reason, Reason::Confident);
//! assert!(answer.guaranteed);
//! # Ok(())
//! # }
//! ```
//!
//! # A tour
//!
//! In the order in which a call meets them; `ARCHITECTURE.md` walks one call through the files.
//!
//! - [`bundle`]: what is shipped: a manifest and the files it names, with their hashes.
//! - [`task`]: what can be asked, and the [`Answer`](task::Answer) that says where it ran and why.
//! - [`runtime`]: one call's path through everything below.
//! - [`text`], [`bytes`]: inputs to tensors.
//! - [`engine`]: how a model runs.
//! - [`calibrate`]: logits to a calibrated confidence, the certified thresholds, and the rule that accepts an answer.
//! - [`route`]: who answers, and the reason.
//! - [`neighbours`]: the remote's answers as examples that answer near-repeats.
//! - [`remote`]: asking a remote LLM, and everything that may leave the device.
//! - [`monitor`]: whether live inputs still look like the calibration data.
//! - [`host`]: time and storage, which the caller brings.
//! - [`data`], [`train`] (feature `training`), `evaluate` (feature `cli`): labelled rows, training of heads, and reports.
//! - `browser` (wasm32 only): the same for JavaScript.
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
#[cfg(feature = "training")]
pub mod data;
pub mod engine;
pub mod error;
#[cfg(feature = "cli")]
pub mod evaluate;
mod hash;
pub mod host;
pub mod monitor;
pub mod neighbours;
pub mod remote;
pub mod route;
pub mod runtime;
#[cfg(feature = "onnx")]
pub mod search;
pub mod task;
pub mod text;
#[cfg(feature = "training")]
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
