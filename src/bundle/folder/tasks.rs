//! What a model is for: its class says so, and transformers' names of tasks.

use super::config::Config;
use crate::error::{Code, Error, Result, excerpt};
use crate::task::TaskKind;

/// A task that is asked of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Whether it reads images.
    pub(super) of_images: bool,
    /// Whether it reads sounds.
    pub(super) of_sounds: bool,
    /// Its name, as transformers has it.
    pub task: &'static str,
    /// Its kind.
    pub kind: TaskKind,
    /// What it does.
    pub(super) instruction: &'static str,
}

/// A task as transformers names it, the kind it is here, and the ends of the names of model classes that are made for it.
struct Known {
    task: &'static str,
    aliases: &'static [&'static str],
    kind: TaskKind,
    classes: &'static [&'static str],
    instruction: &'static str,
}

impl Known {
    fn of_sounds(&self) -> bool {
        self.task.starts_with("audio-") || self.kind == TaskKind::VoiceActivityDetection
    }
}

/// What a class of texts is called, and one of sounds.
const OF_EITHER: &str = "ForSequenceClassification";

const KNOWN: [Known; 12] = [
    Known {
        task: "text-classification",
        aliases: &["sentiment-analysis"],
        kind: TaskKind::Classify,
        classes: &["ForSequenceClassification"],
        instruction: "Choose the label of the text.",
    },
    Known {
        task: "token-classification",
        aliases: &["ner"],
        kind: TaskKind::TokenClassification,
        classes: &["ForTokenClassification"],
        instruction: "Label the parts of the text.",
    },
    Known {
        task: "question-answering",
        aliases: &[],
        kind: TaskKind::QuestionAnswering,
        classes: &["ForQuestionAnswering"],
        instruction: "Answer the question with a part of the text.",
    },
    Known {
        task: "fill-mask",
        aliases: &[],
        kind: TaskKind::FillMask,
        classes: &["ForMaskedLM", "ForPreTraining"],
        instruction: "Fill the gaps in the text.",
    },
    Known {
        task: "zero-shot-classification",
        aliases: &[],
        kind: TaskKind::ZeroShotClassification,
        // Of natural-language inference; the labels tell.
        classes: &["ForSequenceClassification"],
        instruction: "Choose one of the labels for the text.",
    },
    Known {
        task: "image-classification",
        aliases: &[],
        kind: TaskKind::Classify,
        classes: &["ForImageClassification"],
        instruction: "Choose the label of the image.",
    },
    Known {
        task: "object-detection",
        aliases: &[],
        kind: TaskKind::ObjectDetection,
        classes: &["ForObjectDetection"],
        instruction: "Find the objects in the image.",
    },
    Known {
        task: "image-to-text",
        aliases: &["ocr"],
        kind: TaskKind::Ocr,
        // No class of transformers' is of two models: `ocr` in config.json names them.
        classes: &[],
        instruction: "Read the text in the image.",
    },
    Known {
        task: "image-feature-extraction",
        aliases: &[],
        kind: TaskKind::FeatureExtraction,
        classes: &["Model"],
        instruction: "Make a vector of the image.",
    },
    Known {
        task: "audio-classification",
        aliases: &[],
        kind: TaskKind::Classify,
        classes: &["ForAudioClassification", "ForSequenceClassification"],
        instruction: "Choose the label of the sound.",
    },
    Known {
        task: "voice-activity-detection",
        aliases: &[],
        kind: TaskKind::VoiceActivityDetection,
        // Of no class that transformers has: the caller says that it is one.
        classes: &[],
        instruction: "Tell where somebody speaks in the sound.",
    },
    Known {
        task: "feature-extraction",
        aliases: &["embeddings", "sentence-similarity"],
        kind: TaskKind::FeatureExtraction,
        classes: &["Model"],
        instruction: "Make a vector of the text.",
    },
];

/// The task that is wanted, or the one that the model is made for.
pub(super) fn asked(config: &Config, wanted: Option<&str>) -> Result<Asked> {
    if config.has_decoder() {
        return Err(Error::new(
            Code::ModelInvalid,
            "config.json: is_encoder_decoder is true, and models that write text are not run here; give the task to a remote",
        ));
    }
    let class = config.class();
    // One class is called alike for texts and for sounds; what makes a tensor tells them apart.
    let of_class = |known: &&Known| {
        let fits = |end: &str| {
            let either = end == OF_EITHER && known.of_sounds() != config.reads_sounds();
            class.is_some_and(|class| class.ends_with(end)) && !either
        };
        let named = || known.classes.iter().any(|end| fits(end));
        match known.task {
            "image-to-text" => config.ocr().is_some(),
            // Classes that end in Model are for whatever there is a processor of.
            "image-feature-extraction" => config.is_of_images() && named(),
            _ => named(),
        }
    };
    let known = match wanted {
        Some(wanted) => {
            let named = |known: &&Known| known.task == wanted || known.aliases.contains(&wanted);
            let known = KNOWN.iter().find(named).ok_or_else(|| {
                let all: Vec<&str> = KNOWN.iter().map(|known| known.task).collect();
                Error::new(
                    Code::InvalidOption,
                    format!(
                        "there is no task \"{}\"; there are {}",
                        excerpt(wanted, 60),
                        all.join(", ")
                    ),
                )
            })?;
            // Vectors can be had of any model that gives them; who made it for something else may have left its head on.
            let fits = known.kind == TaskKind::FeatureExtraction || class.is_none();
            if !fits && !of_class(&known) {
                return Err(Error::new(
                    Code::InvalidOption,
                    format!(
                        "the model is a {}, which is not for {}",
                        excerpt(class.unwrap_or_default(), 60),
                        known.task
                    ),
                ));
            }
            known
        }
        None if config.is_of_sentences() => &KNOWN[KNOWN.len() - 1],
        None => KNOWN.iter().find(of_class).ok_or_else(|| {
            let said = match class {
                Some(class) => format!("config.json names the class {}", excerpt(class, 60)),
                None => "config.json names no class under architectures".to_owned(),
            };
            Error::new(
                Code::ModelInvalid,
                format!("{said}, which tells no task that runs here; say which is meant (task)"),
            )
        })?,
    };
    let several = known.kind == TaskKind::Classify && config.has_several_labels()?;
    Ok(Asked {
        of_images: known.task.starts_with("image-") || known.kind == TaskKind::ObjectDetection,
        of_sounds: known.of_sounds(),
        task: known.task,
        kind: match several {
            true => TaskKind::MultiLabel,
            false => known.kind,
        },
        instruction: known.instruction,
    })
}
