//! Indices of texts, for pages.

use serde::Deserialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::AbortSignal;

use super::convert;
use super::runtime::WasmRuntime;
use crate::error::{Code, Error, Result, excerpt};
use crate::search::SearchRow;

/// What is asked of an index.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "camelCase")]
enum Wanted {
    Put { rows: Vec<PageRow> },
    Remove { ids: Vec<String> },
    Search { query: String, limit: f64 },
    Count,
    Clear,
}

/// A text as the page gives it: its data is JSON.
#[derive(Deserialize)]
struct PageRow {
    id: String,
    text: String,
    data: Option<String>,
}

impl PageRow {
    fn read(self) -> Result<SearchRow> {
        let data = match &self.data {
            None => serde_json::Value::Null,
            Some(json) => serde_json::from_str(json).map_err(|why| {
                let id = excerpt(&self.id, 60);
                Error::new(Code::InvalidOption, format!("the data of \"{id}\": {why}"))
            })?,
        };
        Ok(SearchRow {
            id: self.id,
            text: self.text,
            data,
        })
    }
}

#[wasm_bindgen(js_class = Runtime)]
impl WasmRuntime {
    /// Asks something of the index `name`, whose vectors `task` makes: `{ op: "put", rows }`, `{ op: "remove", ids }` and
    /// `{ op: "count" }` give how many texts there are then, `{ op: "search", query, limit }` an array of `SearchHit`, and
    /// `{ op: "clear" }` nothing.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    #[wasm_bindgen(js_name = index)]
    pub async fn index(
        &self,
        name: String,
        task: String,
        wanted: JsValue,
        signal: AbortSignal,
    ) -> std::result::Result<JsValue, JsValue> {
        let done = self.of_index(&name, &task, wanted, signal).await;
        done.map_err(|e| convert::error_to_js(&e))
    }
}

impl WasmRuntime {
    async fn of_index(
        &self,
        name: &str,
        task: &str,
        wanted: JsValue,
        signal: AbortSignal,
    ) -> Result<JsValue> {
        let wanted: Wanted = serde_wasm_bindgen::from_value(wanted)
            .map_err(|why| Error::new(Code::InvalidOption, format!("index: {why}")))?;
        let host = self.host(signal, None);
        let runtime = &self.runtime;
        let count = match wanted {
            Wanted::Put { rows } => {
                let rows = rows.into_iter().map(PageRow::read).collect::<Result<_>>()?;
                runtime.index_put(name, task, rows, &host).await?
            }
            Wanted::Remove { ids } => runtime.index_remove(name, task, &ids, &host).await?,
            Wanted::Search { query, limit } => {
                // What is no whole number is none of the limits.
                let limit = if limit.fract() == 0.0 {
                    limit as usize
                } else {
                    0
                };
                let hits = runtime.index_search(name, task, &query, limit, &host);
                return convert::to_js(&hits.await?);
            }
            Wanted::Count => runtime.index_count(name, task, &host).await?,
            Wanted::Clear => {
                runtime.index_clear(name, &host).await?;
                return Ok(JsValue::UNDEFINED);
            }
        };
        Ok(JsValue::from_f64(count as f64))
    }
}
