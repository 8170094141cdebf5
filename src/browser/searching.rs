//! Indices of texts, for pages.

use serde::Deserialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::AbortSignal;

use super::convert;
use super::runtime::WasmRuntime;
use crate::error::{Code, Error, Result};
use crate::search::SearchRow;

/// What is asked of an index, and what it is asked with.
#[derive(Deserialize)]
struct Wanted {
    op: String,
    #[serde(default)]
    rows: Vec<PageRow>,
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    query: String,
    #[serde(default)]
    limit: f64,
}

/// A text as the page gives it.
#[derive(Deserialize)]
struct PageRow {
    id: String,
    text: String,
    #[serde(default)]
    data: serde_json::Value,
}

#[wasm_bindgen(js_class = Runtime)]
impl WasmRuntime {
    /// Asks something of the index `name`, whose vectors `task` makes, as JSON: `{ op: "put", rows }`, `{ op: "remove", ids }` and
    /// `{ op: "count" }` give how many texts there are then, `{ op: "search", query, limit }` an array of `SearchHit`, and
    /// `{ op: "clear" }` nothing.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub async fn index(
        &self,
        name: String,
        task: String,
        wanted: String,
        signal: AbortSignal,
    ) -> std::result::Result<JsValue, JsValue> {
        let done = self.of_index(&name, &task, &wanted, signal).await;
        done.map_err(|e| convert::error_to_js(&e))
    }
}

impl WasmRuntime {
    async fn of_index(
        &self,
        name: &str,
        task: &str,
        wanted: &str,
        signal: AbortSignal,
    ) -> Result<JsValue> {
        let wanted: Wanted = serde_json::from_str(wanted)
            .map_err(|why| Error::new(Code::InvalidOption, format!("index: {why}")))?;
        let host = self.host(signal, None);
        let runtime = &self.runtime;
        let count = match wanted.op.as_str() {
            "put" => {
                let rows = wanted.rows.into_iter().map(|row| SearchRow {
                    id: row.id,
                    text: row.text,
                    data: row.data,
                });
                runtime.index_put(name, task, rows.collect(), &host).await?
            }
            "remove" => runtime.index_remove(name, task, &wanted.ids, &host).await?,
            "search" => {
                // What is no whole number is none of the limits.
                let limit = match wanted.limit.fract() == 0.0 {
                    true => wanted.limit as usize,
                    false => 0,
                };
                let hits = runtime.index_search(name, task, &wanted.query, limit, &host);
                return convert::to_js(&hits.await?);
            }
            "clear" => {
                runtime.index_clear(name, &host).await?;
                return Ok(JsValue::UNDEFINED);
            }
            _ => runtime.index_count(name, task, &host).await?,
        };
        Ok(JsValue::from_f64(count as f64))
    }
}
