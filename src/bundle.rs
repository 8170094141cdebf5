//! What is shipped: one manifest, and the files it names with their hashes.
//!
//! A bundle is a folder with a `manifest.json` (format version 1, JSON Schema in
//! `src/bundle/manifest.schema.json`). The manifest is small and read at once; everything else is
//! fetched when a task first needs it and is held against the manifest's size and SHA-256.

mod columns;
mod correctness;
mod design_effects;
#[cfg(feature = "onnx")]
pub mod folder;
mod guarantee;
mod manifest;
mod platt;
mod sight;
mod source;
#[cfg(feature = "cli")]
mod typescript;
mod validate;
mod verify;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

#[cfg(feature = "onnx")]
pub(crate) use columns::Given;
pub use columns::{Column, ColumnKind, Fill};
pub use correctness::{Correctness, CorrectnessFeature, CorrectnessTerm, LabelTerm, OutOfFold};
pub use design_effects::DesignEffects;
pub use guarantee::{
    AgainstRemote, Certificate, Counts, ExcessCertificate, FinalRows, Guarantee, Reference,
};
pub use manifest::{
    Addend, Encoder, Extract, FORMAT, FORMAT_VERSION, Features, FileEntry, Head, LanguageLimit,
    Limits, Manifest, ModelOutput, Ood, OodMethod, PromptTemplate, SmallWeights, Tagger, TaskEntry,
    TaskModel, Tokenizer, TokenizerKind,
};
pub use platt::Platt;
#[cfg(feature = "cli")]
pub(crate) use platt::logit;
pub use sight::{Ocr, Recogniser};
#[cfg(feature = "onnx")]
pub(crate) use sight::{boxes, detector};
pub use source::{Progress, ProgressStatus, Source};
#[cfg(feature = "cli")]
pub use typescript::typescript;
pub use validate::{MAX_FILE_BYTES, check_path};
#[cfg(feature = "onnx")]
pub(crate) use validate::{image as image_processor, sound as sound_processor};
#[cfg(feature = "training")]
pub(crate) use verify::hex;
pub use verify::{verify, verify_hash};

use crate::error::{Code, Error, Result};
use crate::task::{AnswerGuarantee, AskedRisk, GuaranteeKind, InputKind, Label, TaskKind};

/// How many digits of a hash name the models of a task.
const MODELS_DIGITS: usize = 16;

/// The most bytes a manifest may have.
pub const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// The most bytes that a bundle's files may have together where nobody says.
pub const MAX_BUNDLE_BYTES: u64 = 256 << 20;

/// How many of a task's tiers are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tiers {
    /// What every call runs. A further tier is fetched when the first is not sure enough.
    First,
    /// What a call may run.
    All,
}

/// A validated manifest.
#[derive(Debug, Clone)]
pub struct Bundle {
    manifest: Manifest,
    json: Box<[u8]>,
}

#[cfg(feature = "training")]
impl Manifest {
    /// Gives it the revision of what it says: its JSON then. It is checked as a page would check it.
    ///
    /// # Errors
    /// As [`Bundle::parse`].
    pub fn written(&mut self) -> Result<Vec<u8>> {
        let wrong = |e: serde_json::Error| Error::new(Code::Internal, e.to_string());
        self.revision = String::new();
        let digest = Sha256::digest(serde_json::to_vec(&self).map_err(wrong)?);
        self.revision = hex(&digest)[..12].to_owned();
        let mut json = serde_json::to_string_pretty(&self).map_err(wrong)?;
        json.push('\n');
        Bundle::parse(json.as_bytes())?;
        Ok(json.into_bytes())
    }
}

/// What a bundle can do for one task, for callers and for display.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TaskInfo {
    /// The task's identifier.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// Its kind.
    pub kind: TaskKind,
    /// What it reads.
    pub input: InputKind,
    /// What it does, in one sentence; also what the remote is told.
    pub instruction: String,
    /// The labels it can give; none for a task that writes text.
    pub labels: Vec<Label>,
    /// What a call must give in `variables`, for a task that writes text.
    pub variables: Vec<String>,
    /// Whether this device itself can answer a task that writes text, with the input's own sentences.
    pub extracts: bool,
    /// What it accepts.
    pub limits: Limits,
    /// The local models, cheapest first.
    pub tiers: Vec<TierInfo>,
    /// The path of its model card inside the bundle.
    pub card: Option<String>,
    /// The risk that counts when a call asks for none; `null` when nothing is certified for it.
    pub risk: Option<f64>,
    /// The error rates that calibration tried, in rising order, and what each needs.
    pub risks: Vec<RiskInfo>,
    /// What calibration tried against a remote, in rising order of the excess; `null` where its answers were not known.
    pub against_remote: Option<AgainstRemoteInfo>,
}

/// What calibration found against one remote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct AgainstRemoteInfo {
    /// The remote's model.
    pub model: String,
    /// One for each excess; `risk` is the excess.
    pub risks: Vec<RiskInfo>,
}

/// What calibration found for one risk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RiskInfo {
    /// The error rate allowed among locally answered inputs.
    pub risk: f64,
    /// Whether thresholds are certified for it. Where not, every call at this risk escalates.
    pub certified: bool,
    /// The share of the calibration rows that was answered locally.
    pub coverage: f64,
}

/// A task's model card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// The task.
    pub task: String,
    /// The card: Markdown with Hugging Face's metadata in front.
    pub markdown: String,
    /// The measured evaluation, as `smallfirst evaluate` wrote it; `null` when there is none.
    #[cfg_attr(test, ts(type = "unknown"))]
    pub evaluation: Option<serde_json::Value>,
}

/// One local model of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TierInfo {
    /// The head's name.
    pub name: String,
    /// The confidence from which its answers are trusted when a call asks for no risk; `null` when
    /// they never are.
    pub threshold: Option<f64>,
    /// Bytes of all files it needs, shared ones included.
    #[cfg_attr(test, ts(type = "number"))]
    pub bytes: u64,
    /// Whether it is in memory now.
    pub loaded: bool,
}

/// What the tiers of a task must reach at some risk.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// The risk that counts; nothing when neither the call nor the task states one.
    pub asked: Option<AskedRisk>,
    /// What the certificate promises that the values come from; nothing when none supports them.
    pub certified: Option<AnswerGuarantee>,
    /// One a tier, in the tiers' order; nothing for a tier that is never trusted.
    pub values: Vec<Option<f64>>,
}

impl Bundle {
    /// Reads and validates a `manifest.json`.
    ///
    /// # Errors
    /// [`Code::NotABundle`] when it is no smallfirst manifest, [`Code::BundleVersion`] when it is of
    /// another format version, [`Code::BundleInvalid`] when it breaks a rule of the format.
    pub fn parse(json: &[u8]) -> Result<Self> {
        Bundle::parse_pinned(json, None)
    }

    /// As [`Bundle::parse`], after holding the bytes against the SHA-256 (hexadecimal) that the
    /// caller pinned, if one is.
    ///
    /// # Errors
    /// As [`Bundle::parse`], and [`Code::HashMismatch`].
    pub fn parse_pinned(json: &[u8], pinned: Option<&str>) -> Result<Self> {
        if let Some(pinned) = pinned {
            verify::verify_manifest(&verify::sha256(json), pinned)?;
        }
        let manifest = manifest::parse(json)?;
        validate::validate(&manifest)?;
        Ok(Bundle {
            manifest,
            json: json.into(),
        })
    }

    /// The SHA-256 (hexadecimal) of the manifest's bytes, by which this very bundle can be asked for again.
    pub fn sha256(&self) -> String {
        verify::sha256(&self.json)
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The task called `id`.
    ///
    /// # Errors
    /// [`Code::UnknownTask`], with the tasks there are.
    pub fn task(&self, id: &str) -> Result<&TaskEntry> {
        self.manifest.tasks.get(id).ok_or_else(|| {
            let known: Vec<&str> = self.manifest.tasks.keys().map(String::as_str).collect();
            Error::new(
                Code::UnknownTask,
                format!(
                    "the bundle \"{}\" has no task \"{}\"; it has: {}",
                    self.manifest.name,
                    crate::error::excerpt(id, 60),
                    known.join(", ")
                ),
            )
        })
    }

    /// The paths of every file that the head or model `name` needs.
    pub fn files_of_head(&self, name: &str) -> BTreeSet<&str> {
        let mut files = BTreeSet::new();
        if let Some(model) = self.manifest.models.get(name) {
            files.insert(model.file.as_str());
            files.extend(self.file_of_features(&model.features));
            files.extend(model.ocr.iter().flat_map(Ocr::files));
        }
        let Some(head) = self.manifest.heads.get(name) else {
            return files;
        };
        files.insert(head.file.as_str());
        let encoder = head
            .encoder
            .as_ref()
            .and_then(|e| self.manifest.encoders.get(e));
        if let Some(encoder) = encoder {
            files.insert(encoder.file.as_str());
        }
        let ood = head.ood.as_ref().and_then(|ood| ood.file.as_ref());
        files.extend(ood.map(String::as_str));
        let addend = head.addend.as_ref();
        files.extend(addend.map(|addend| addend.file.as_str()));
        let all_features = head
            .features
            .iter()
            .chain(encoder.map(|e| &e.features))
            .chain(addend.map(|a| &a.features));
        files.extend(all_features.filter_map(|features| self.file_of_features(features)));
        files
    }

    fn file_of_features<'a>(&'a self, features: &'a Features) -> Option<&'a str> {
        match features {
            Features::Tokens { tokenizer, .. } | Features::HashedTokens { tokenizer, .. } => {
                let tokenizer = self.manifest.tokenizers.get(tokenizer);
                tokenizer.map(|tokenizer| tokenizer.file.as_str())
            }
            Features::Ngrams { file } | Features::HashedCharacters { file } => Some(file),
            Features::ByteWindows { .. }
            | Features::Image { .. }
            | Features::Sound { .. }
            | Features::Table { .. } => None,
        }
    }

    /// The heads that a task runs: its tiers', and those of the task that tells its input's language.
    pub fn heads_of<'a>(
        &'a self,
        task: &'a TaskEntry,
        tiers: Tiers,
    ) -> impl Iterator<Item = &'a str> {
        let languages = task.limits.languages.as_ref();
        let detector = languages.and_then(|languages| self.manifest.tasks.get(&languages.task));
        let most = match tiers {
            Tiers::First => 1,
            Tiers::All => usize::MAX,
        };
        let heads = [Some(task), detector].into_iter().flatten();
        heads.flat_map(move |task| task.tiers.iter().take(most).map(String::as_str))
    }

    /// The encoder that first tiers read: others may be made for one task, and be fetched only for it. Else the first.
    pub fn usual_encoder(&self) -> Option<(&String, &Encoder)> {
        let manifest = &self.manifest;
        let mut first = manifest
            .tasks
            .values()
            .filter_map(|task| task.tiers.first());
        let read = first.find_map(|tier| manifest.heads.get(tier)?.encoder.as_ref());
        match read.and_then(|name| manifest.encoders.get_key_value(name)) {
            Some(found) => Some(found),
            None => manifest.encoders.iter().next(),
        }
    }

    /// The hash of what a task was calibrated with: its entry in the manifest, its heads, and the contents of their files.
    pub fn calibration_sha256(&self, task: &str) -> Option<String> {
        let entry = self.manifest.tasks.get(task)?;
        // As the manifest has it: to write the types anew would take more code than the modules have to spare.
        let json: serde_json::Value = serde_json::from_slice(&self.json).ok()?;
        let named = |kind: &str, name: &str| json.get(kind)?.get(name).map(ToString::to_string);
        let heads = self.heads_of(entry, Tiers::All);
        let heads = heads.flat_map(|tier| [named("heads", tier), named("models", tier)]);
        let heads = heads.filter(Option::is_some);
        let files = self.files_of_task(entry, Tiers::All).into_iter();
        let files = files.map(|path| named("files", path));
        let parts = [named("tasks", task)].into_iter().chain(heads).chain(files);
        let whole: String = parts.flatten().collect();
        Some(verify::sha256(whole.as_bytes()))
    }

    /// The paths of every file that a task needs on this device: those of its heads, and of the encoder that it picks
    /// sentences with. `filesOf` in pkg/src/preload.ts says the same of first tiers before this code is there.
    pub fn files_of_task<'a>(&'a self, task: &'a TaskEntry, tiers: Tiers) -> BTreeSet<&'a str> {
        let mut files: BTreeSet<&str> = self
            .heads_of(task, tiers)
            .flat_map(|head| self.files_of_head(head))
            .collect();
        let encoder = task.extract.as_ref().map(|extract| &extract.encoder);
        if let Some(encoder) = encoder.and_then(|name| self.manifest.encoders.get(name)) {
            files.insert(&encoder.file);
            files.extend(self.file_of_features(&encoder.features));
        }
        files
    }

    /// What the bundle can do. `loaded` tells which heads are in memory.
    pub fn tasks(&self, loaded: impl Fn(&str) -> bool) -> Vec<TaskInfo> {
        self.manifest
            .tasks
            .iter()
            .map(|(id, task)| TaskInfo {
                id: id.clone(),
                title: task.title.clone(),
                kind: task.kind,
                input: task.input,
                instruction: task.instruction.clone(),
                labels: task.labels.clone(),
                variables: task
                    .prompt
                    .iter()
                    .flat_map(PromptTemplate::variables)
                    .collect(),
                extracts: task.extract.is_some(),
                limits: task.limits.clone(),
                tiers: task
                    .tiers
                    .iter()
                    .zip(self.thresholds(task, None).values)
                    .map(|(name, threshold)| TierInfo {
                        name: name.clone(),
                        threshold,
                        bytes: self
                            .files_of_head(name)
                            .iter()
                            .filter_map(|path| self.manifest.files.get(*path))
                            .map(|entry| entry.bytes)
                            .sum(),
                        loaded: loaded(name),
                    })
                    .collect(),
                card: task.card.clone(),
                risk: self.thresholds(task, None).certified.map(|c| c.risk),
                risks: task.guarantee.iter().flat_map(risks).collect(),
                against_remote: task.guarantee.as_ref().and_then(against_remote),
            })
            .collect()
    }

    /// Names the local models of a task and what makes a confidence of their numbers. What was prepared counts as the file it
    /// was prepared from.
    pub fn models_of(&self, task: &TaskEntry) -> String {
        let mut digest = Sha256::new();
        for name in &task.tiers {
            for path in self.files_of_head(name) {
                let entry = self.manifest.files.get(path);
                digest.update(entry.map_or("", FileEntry::source_sha256));
            }
            if let Some(head) = self.manifest.heads.get(name) {
                digest.update(head.temperature.to_le_bytes());
                for number in head.correctness.iter().flat_map(Correctness::numbers) {
                    digest.update(number.to_le_bytes());
                }
            }
        }
        for label in &task.labels {
            digest.update(&label.id);
            digest.update([0]);
        }
        let mut name = verify::hex(&digest.finalize());
        name.truncate(MODELS_DIGITS);
        name
    }

    /// What the tiers of `task` must reach for a call that asks for a risk, or at the task's own when it asks for none.
    ///
    /// A certificate for a smaller risk serves a larger one too, so the largest that is not above
    /// the risk asked for is taken. Without a guarantee, the heads' stated thresholds count for
    /// calls that ask for no risk.
    pub fn thresholds(&self, task: &TaskEntry, asked: Option<AskedRisk>) -> Thresholds {
        // Risks come as decimal fractions of callers; rounding must not lose the equal one.
        const SLACK: f64 = 1e-9;
        let none = || vec![None; task.tiers.len()];
        let Some(guarantee) = &task.guarantee else {
            let stated = |name| self.manifest.heads.get(name).and_then(|h| h.threshold);
            return Thresholds {
                asked,
                certified: None,
                values: match asked {
                    Some(_) => none(),
                    None => task.tiers.iter().map(stated).collect(),
                },
            };
        };
        let asked = asked.unwrap_or(AskedRisk::absolute(guarantee.default_risk));
        let certificates: Vec<(f64, Option<&Vec<f64>>)> = match asked.kind {
            GuaranteeKind::Absolute => guarantee
                .certificates
                .iter()
                .map(|c| (c.risk, c.thresholds.as_ref()))
                .collect(),
            GuaranteeKind::AgainstRemote => guarantee
                .against_remote
                .iter()
                .flat_map(|against| &against.certificates)
                .map(|c| (c.excess, c.thresholds.as_ref()))
                .collect(),
        };
        let certified = certificates
            .into_iter()
            .rev()
            .filter(|(risk, _)| *risk <= asked.risk + SLACK)
            .find_map(|(risk, thresholds)| Some((risk, thresholds?)));
        Thresholds {
            asked: Some(asked),
            certified: certified.map(|(risk, _)| AnswerGuarantee {
                kind: asked.kind,
                risk,
                loss: guarantee.loss,
                delta: guarantee.delta,
                out_of_scope_share: match asked.kind {
                    GuaranteeKind::Absolute => guarantee.out_of_scope_share,
                    GuaranteeKind::AgainstRemote => None,
                },
            }),
            values: certified.map_or_else(none, |(_, thresholds)| {
                thresholds.iter().copied().map(Some).collect()
            }),
        }
    }
}

fn risk_info(risk: f64, certified: bool, n: u64, rows: u64) -> RiskInfo {
    RiskInfo {
        risk,
        certified,
        coverage: n as f64 / rows.max(1) as f64,
    }
}

fn risks(guarantee: &Guarantee) -> impl Iterator<Item = RiskInfo> {
    let certificates = guarantee.certificates.iter();
    certificates.map(|c| risk_info(c.risk, c.thresholds.is_some(), c.n, guarantee.rows))
}

fn against_remote(guarantee: &Guarantee) -> Option<AgainstRemoteInfo> {
    let against = guarantee.against_remote.as_ref()?;
    let certificates = against.certificates.iter();
    let info =
        |c: &ExcessCertificate| risk_info(c.excess, c.thresholds.is_some(), c.n, guarantee.rows);
    Some(AgainstRemoteInfo {
        model: against.model.clone(),
        risks: certificates.map(info).collect(),
    })
}

#[cfg(test)]
mod tests;
