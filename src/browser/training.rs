//! Training of a page's own tasks.

use js_sys::{Object, Reflect, Uint8Array};
use serde::Deserialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::AbortSignal;

use super::convert;
use super::runtime::WasmRuntime;
use super::scope::sleep;
use crate::error::{Code, Error, Result};
use crate::runtime::{Example, Examples, TrainedBundle};

/// What is learnt from, as the page gives it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Rows { rows: Vec<Example> },
    Table { name: String, text: String },
}

#[wasm_bindgen(js_class = Runtime)]
impl WasmRuntime {
    /// Trains a task on labelled texts, as JSON: `{ rows: [{ text, label }] }`, or `{ name, text }` for a table. Gives
    /// `{ report, files }`: a `TrainingReport`, and the bytes of each file of the bundle by its path.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub async fn train(
        &self,
        task: String,
        examples: String,
        options: JsValue,
        signal: AbortSignal,
    ) -> std::result::Result<JsValue, JsValue> {
        let done = self.trained(&task, &examples, options, &signal).await;
        let done = done.and_then(|trained| to_js(&trained));
        done.map_err(|e| convert::error_to_js(&e))
    }
}

impl WasmRuntime {
    async fn trained(
        &self,
        task: &str,
        examples: &str,
        options: JsValue,
        signal: &AbortSignal,
    ) -> Result<TrainedBundle> {
        let options = convert::options(options, "train")?;
        let given: Given = serde_json::from_str(examples)
            .map_err(|why| Error::new(Code::InvalidOption, format!("train: {why}")))?;
        let examples = match given {
            Given::Rows { rows } => Examples::Rows(rows),
            Given::Table { name, text } => Examples::Table(name, text.into_bytes()),
        };
        let between = async || {
            // Messages that wait, an abort among them, get their turn.
            sleep(0.0).await;
            match signal.aborted() {
                true => Err(Error::aborted()),
                false => Ok(()),
            }
        };
        self.runtime.train(task, examples, &options, between).await
    }
}

fn to_js(trained: &TrainedBundle) -> Result<JsValue> {
    let made = Object::new();
    let files = Object::new();
    let set = |object: &Object, name: &str, value: &JsValue| {
        Reflect::set(object, &JsValue::from_str(name), value)
            .map(|_| ())
            .map_err(|thrown| Error::new(Code::Internal, convert::describe(&thrown)))
    };
    for (path, bytes) in &trained.files {
        set(&files, path, &Uint8Array::from(&bytes[..]))?;
    }
    set(&made, "report", &convert::to_js(&trained.report)?)?;
    set(&made, "files", &files)?;
    Ok(made.into())
}
