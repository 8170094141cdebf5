//! What is kept from text to text.

use tokenizers::pipeline::{PipelineModelScratch, PipelineToken, PreTokenizerScratch};

/// The words that were divided before, and room for what is divided.
pub(super) struct Scratch {
    pub(super) model: PipelineModelScratch,
    pub(super) split: PreTokenizerScratch,
    pub(super) ids: Vec<PipelineToken>,
}
