//! What JavaScript sees: one class, `Runtime`.

use js_sys::{Function, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::AbortSignal;

use super::convert::{self, OwnedInput};
use super::folder;
use super::host::{Hooks, Memory, PageHost};
#[cfg(feature = "onnx")]
use super::kinds;
use super::source::{Ahead, WebSource};
use crate::bundle::{Bundle, Tiers};
use crate::error::{Code, Error, Result};
use crate::runtime::options::{GenerateOptions, RunOptions, RuntimeOptions};
use crate::runtime::{Adopted, Adoption, AuditOutcome, Monitors, Runtime};

/// A bundle, ready to be asked.
#[wasm_bindgen(js_name = Runtime)]
pub struct WasmRuntime {
    pub(super) runtime: Runtime<WebSource>,
    #[cfg(feature = "onnx")]
    pub(super) sounds: std::cell::RefCell<super::sound::Sounds>,
    hooks: Hooks,
    memory: Memory,
    drift: Option<Function>,
}

impl std::fmt::Debug for WasmRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.runtime.fmt(f)
    }
}

#[wasm_bindgen(js_class = Runtime)]
impl WasmRuntime {
    /// Fetches the manifest and makes an engine. Models are fetched when first needed.
    /// `hooks` may have `headers(endpoint)`, `consent(outgoing)`, `page(endpoint, body, signal)`, `sent(requests)`,
    /// `update(key, change)`, `fetch(url)`, `progress(event)` and `drift(event)`, and `files`, which says where the bundle's
    /// files are kept: an object with `open()`, `file(address, sha256)`, `manifest(address)` and `manifests`.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub async fn create(
        options: JsValue,
        hooks: JsValue,
    ) -> std::result::Result<WasmRuntime, JsValue> {
        WasmRuntime::open(options, &hooks)
            .await
            .map_err(|e| convert::error_to_js(&e))
    }

    /// What the bundle can do: an array of `TaskInfo`.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub fn tasks(&self) -> std::result::Result<JsValue, JsValue> {
        convert::to_js(&self.runtime.tasks()).map_err(|e| convert::error_to_js(&e))
    }

    /// Whether the bundle has a task.
    pub fn knows(&self, task: &str) -> bool {
        self.runtime.bundle().task(task).is_ok()
    }

    /// Answers one call: an `Answer`.
    ///
    /// # Errors
    /// An `Error` with a `code`, and `attempts`.
    pub async fn run(
        &self,
        task: String,
        input: JsValue,
        options: JsValue,
        signal: AbortSignal,
    ) -> std::result::Result<JsValue, JsValue> {
        let answer = self.answer(&task, &input, options, signal).await;
        self.runtime.source().flush();
        answer.map_err(|e| convert::error_to_js(&e))
    }

    /// Writes text: an `Answer` of `TextOutput`. Pieces go to `deliver(text)`, whose promise is kept when the next is
    /// wanted.
    ///
    /// # Errors
    /// An `Error` with a `code`, and `attempts`.
    pub async fn generate(
        &self,
        task: String,
        input: JsValue,
        options: JsValue,
        signal: AbortSignal,
        deliver: Function,
    ) -> std::result::Result<JsValue, JsValue> {
        let answer = self.text(&task, &input, options, signal, deliver).await;
        self.runtime.source().flush();
        answer.map_err(|e| convert::error_to_js(&e))
    }

    /// What was spent on remotes and what was saved: a `UsageReport`.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub async fn usage(&self, signal: AbortSignal) -> std::result::Result<JsValue, JsValue> {
        let host = self.host(signal, None);
        let report = self.runtime.usage(&host).await;
        convert::to_js(&report).map_err(|e| convert::error_to_js(&e))
    }

    /// The monitors that have changed since this was last asked: an array for [`WasmRuntime::resume`] of a later engine.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub fn changes(&self) -> std::result::Result<JsValue, JsValue> {
        convert::to_js(&self.runtime.take_monitors()).map_err(|e| convert::error_to_js(&e))
    }

    /// Goes on with the monitors of an earlier engine of this very bundle. What is none is left out.
    pub fn resume(&self, monitors: JsValue) {
        let monitors: Vec<Monitors> = serde_wasm_bindgen::from_value(monitors).unwrap_or_default();
        self.runtime.resume_monitors(&monitors);
    }

    /// Forgets the remotes' answers that are kept.
    #[wasm_bindgen(js_name = clearAnswerCache)]
    pub async fn clear_answer_cache(&self, signal: AbortSignal) {
        let host = self.host(signal, None);
        self.runtime.clear_answer_cache(&host).await;
    }

    /// The tasks there are examples of: an array of `LearnedTask`.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub async fn learned(&self, signal: AbortSignal) -> std::result::Result<JsValue, JsValue> {
        let host = self.host(signal, None);
        let tasks = self.runtime.learned(&host).await;
        convert::to_js(&tasks).map_err(|e| convert::error_to_js(&e))
    }

    /// The examples of one task, or of all (`undefined`): an array of `LearnedExample`.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub async fn examples(
        &self,
        task: Option<String>,
        signal: AbortSignal,
    ) -> std::result::Result<JsValue, JsValue> {
        let host = self.host(signal, None);
        let examples = self.runtime.examples(task.as_deref(), &host).await;
        convert::to_js(&examples).map_err(|e| convert::error_to_js(&e))
    }

    /// Forgets the examples of one task, or of all (`undefined`).
    #[wasm_bindgen(js_name = forgetExamples)]
    pub async fn forget_examples(&self, task: Option<String>, signal: AbortSignal) {
        let host = self.host(signal, None);
        self.runtime.forget_examples(task.as_deref(), &host).await;
    }

    /// The model card of a task: a `Card`.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub async fn card(&self, task: String) -> std::result::Result<JsValue, JsValue> {
        let card = self.runtime.card(&task).await;
        card.and_then(|card| convert::to_js(&card))
            .map_err(|e| convert::error_to_js(&e))
    }

    /// How the monitors of a task stand: an array of `Drift`.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub async fn drift(
        &self,
        task: String,
        signal: AbortSignal,
    ) -> std::result::Result<JsValue, JsValue> {
        let host = self.host(signal, None);
        let drift = self.runtime.drift(&task, &host).await;
        self.tell_alarms();
        drift
            .and_then(|drift| convert::to_js(&drift))
            .map_err(|e| convert::error_to_js(&e))
    }

    /// Takes in that the answer that was drawn with the number `audit` was found right or wrong; the right label, where that
    /// was found, is held against that of the `local` answer beside a remote's. False where it does not count.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    #[wasm_bindgen(js_name = reportOutcome)]
    pub async fn report_outcome(
        &self,
        task: String,
        audit: f64,
        correct: bool,
        label: Option<String>,
        local: Option<String>,
        signal: AbortSignal,
    ) -> std::result::Result<bool, JsValue> {
        let host = self.host(signal, None);
        let outcome = AuditOutcome {
            correct,
            label: label.as_deref(),
            local: local.as_deref(),
        };
        let reported = self
            .runtime
            .report_outcome(&task, audit as u64, &outcome, &host);
        let counts = reported.await;
        self.tell_alarms();
        counts.map_err(|e| convert::error_to_js(&e))
    }

    /// Takes in what an engine beside this one answered (an `Answer`) to an input of so many bytes: an `Adoption`. `null`
    /// where the input is to be run here, as `Runtime::adopt` says.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub async fn adopt(
        &self,
        task: String,
        answer: JsValue,
        bytes: f64,
        signal: AbortSignal,
    ) -> std::result::Result<JsValue, JsValue> {
        let adopted = self.take_over(&task, answer, bytes as usize, signal).await;
        self.tell_alarms();
        adopted
            .and_then(|adoption| convert::to_js(&adoption))
            .map_err(|e| convert::error_to_js(&e))
    }

    /// Whether an alarm has ended the task's guarantee, which engines beside this one do not know.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    #[wasm_bindgen(js_name = guaranteeEnded)]
    pub async fn guarantee_ended(
        &self,
        task: String,
        signal: AbortSignal,
    ) -> std::result::Result<bool, JsValue> {
        let host = self.host(signal, None);
        let ended = self.runtime.guarantee_ended(&task, &host).await;
        self.tell_alarms();
        ended.map_err(|e| convert::error_to_js(&e))
    }

    /// Whether monitors have seen something that was not written yet.
    pub fn unwritten(&self) -> bool {
        self.runtime.has_unwritten()
    }

    /// Writes what monitors have seen where later pages find it.
    pub async fn keep(&self, signal: AbortSignal) {
        let host = self.host(signal, None);
        self.runtime.keep_monitors(&host).await;
        self.tell_alarms();
    }

    /// The manifest's SHA-256, by which engines beside this one get the same bundle.
    #[wasm_bindgen(js_name = manifestSha256)]
    pub fn manifest_sha256(&self) -> String {
        self.runtime.bundle().sha256()
    }

    /// Loads the models of some tasks (an array of strings), or of all (`undefined`): those of all tiers, or of the first.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub async fn preload(
        &self,
        tasks: JsValue,
        #[wasm_bindgen(js_name = firstTier)] first_tier: bool,
        signal: AbortSignal,
    ) -> std::result::Result<(), JsValue> {
        let tiers = match first_tier {
            true => Tiers::First,
            false => Tiers::All,
        };
        self.load(tasks, tiers, &signal)
            .await
            .map_err(|e| convert::error_to_js(&e))
    }
}

impl WasmRuntime {
    async fn open(options: JsValue, hooks: &JsValue) -> Result<WasmRuntime> {
        let options: RuntimeOptions = convert::options(options, "createSmallFirst")?;
        let max_bytes = options.max_bundle_bytes()?;
        let ahead = Ahead::new(function(hooks, "fetch"));
        let opened = WebSource::open(
            &options.bundle,
            options.manifest_sha256.as_deref(),
            max_bytes,
            hook(hooks, "files"),
            hook(hooks, "progress"),
            ahead.clone(),
        )
        .await;
        let (bundle, source) = match opened {
            Err(error) if error.code() == Code::FileMissing => {
                let error = Error::new(Code::NotABundle, error.to_string());
                if options.manifest_sha256.is_some() {
                    return Err(error);
                }
                // A folder as Hugging Face's tools write it has no manifest.
                folder::open(&options, max_bytes, hook(hooks, "progress"), ahead, error).await?
            }
            opened => opened?,
        };
        if !cfg!(feature = "onnx") {
            without_onnx(&bundle)?;
        }
        Ok(WasmRuntime {
            runtime: Runtime::new(
                bundle,
                source,
                options.mode.unwrap_or_default(),
                options.remote.unwrap_or_default(),
            )?
            .with_risk(options.risk, options.excess_risk)?
            .with_worth(options.worth)?
            .with_watching(options.audit_share, options.on_drift.unwrap_or_default())?
            .with_learning(options.learn)?,
            hooks: Hooks {
                headers: function(hooks, "headers"),
                consent: function(hooks, "consent"),
                page: function(hooks, "page"),
                sent: function(hooks, "sent"),
                update: function(hooks, "update"),
            },
            #[cfg(feature = "onnx")]
            sounds: std::cell::RefCell::default(),
            memory: Memory::default(),
            drift: hook(hooks, "drift").dyn_into().ok(),
        })
    }

    async fn answer(
        &self,
        task: &str,
        input: &JsValue,
        options: JsValue,
        signal: AbortSignal,
    ) -> Result<JsValue> {
        let options: RunOptions = convert::options(options, "run")?;
        let input = convert::input(input)?;
        let input = input.as_input();
        #[cfg(feature = "onnx")]
        if self
            .runtime
            .bundle()
            .task(task)
            .is_ok_and(|t| t.kind.has_models())
        {
            let call = options.kind_call(task, input)?;
            let host = self.host(signal, None);
            return kinds::to_js(self.runtime.perform(&call, &host).await?);
        }
        let call = options.call(task, input);
        let host = self.host(signal, None);
        let answer = self.runtime.run(&call, &host).await;
        self.tell_alarms();
        convert::to_js(&answer?)
    }

    async fn text(
        &self,
        task: &str,
        input: &JsValue,
        options: JsValue,
        signal: AbortSignal,
        deliver: Function,
    ) -> Result<JsValue> {
        let options: GenerateOptions = convert::options(options, "generate")?;
        let OwnedInput::Text(input) = convert::input(input)? else {
            return Err(Error::new(
                Code::InputKind,
                "generate reads text, it was given bytes",
            ));
        };
        let call = options.call(task, &input);
        let host = self.host(signal, Some(deliver));
        let answer = self.runtime.generate(&call, &host).await?;
        convert::to_js(&answer)
    }

    async fn take_over(
        &self,
        task: &str,
        answer: JsValue,
        bytes: usize,
        signal: AbortSignal,
    ) -> Result<Option<Adoption>> {
        let answer: Adopted = serde_wasm_bindgen::from_value(answer)
            .map_err(|e| Error::new(Code::Internal, format!("this is no answer: {e}")))?;
        let host = self.host(signal, None);
        self.runtime.adopt(task, &answer, bytes, &host).await
    }

    pub(super) fn host(&self, signal: AbortSignal, deliver: Option<Function>) -> PageHost<'_> {
        PageHost {
            runtime: &self.runtime,
            signal,
            hooks: self.hooks.clone(),
            memory: Memory::clone(&self.memory),
            deliver,
        }
    }

    /// Gives the alarms that were raised to the page. What its callback throws is its own affair.
    fn tell_alarms(&self) {
        for alarm in self.runtime.take_alarms() {
            if let (Some(drift), Ok(alarm)) = (&self.drift, convert::to_js(&alarm)) {
                let _ = drift.call1(&JsValue::NULL, &alarm);
            }
        }
    }

    async fn load(&self, tasks: JsValue, tiers: Tiers, signal: &AbortSignal) -> Result<()> {
        let tasks: Option<Vec<String>> = serde_wasm_bindgen::from_value(tasks)
            .map_err(|_| Error::new(Code::InvalidOption, "preload takes a list of task names"))?;
        let between = async || {
            if signal.aborted() {
                return Err(Error::aborted());
            }
            Ok(())
        };
        self.runtime
            .preload(tasks.as_deref(), tiers, between)
            .await?;
        self.runtime.source().settled().await;
        Ok(())
    }
}

/// Refuses a bundle with models that this build does not run, before one of them is needed.
fn without_onnx(bundle: &Bundle) -> Result<()> {
    let manifest = bundle.manifest();
    let mut paths = manifest.files.keys();
    let what = match paths.find(|path| path.ends_with(".onnx")) {
        Some(path) => format!("ONNX models ({path}) and this engine runs prepared ones"),
        // Its files may be prepared, but what reads their outputs is there as well.
        None => match manifest.models.keys().next() {
            Some(model) => {
                format!("a model (\"{model}\") of a kind that this engine does not have")
            }
            None => return Ok(()),
        },
    };
    let why = format!("the bundle has {what}; leave `engine` out, or set it to \"onnx\"");
    Err(Error::new(Code::NeedsOnnx, why))
}

fn function(hooks: &JsValue, name: &str) -> Option<Function> {
    hook(hooks, name).dyn_into().ok()
}

fn hook(hooks: &JsValue, name: &str) -> JsValue {
    Reflect::get(hooks, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
}
