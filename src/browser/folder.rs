//! Folders without a manifest, as Hugging Face's tools write them: what is in them is found by asking for it.

use wasm_bindgen::JsValue;
use web_sys::{RequestInit, Response};

use super::convert;
#[cfg(feature = "onnx")]
use super::fetch::{self, BodyError};
use super::source::{Ahead, WebSource};
use crate::bundle::Bundle;
#[cfg(feature = "onnx")]
use crate::bundle::folder::{self, Descriptions, Dtype};
use crate::error::{Code, Error, Result};
use crate::runtime::options::RuntimeOptions;

/// Says that the other engine is needed where there is such a folder, and else what was wrong in the first place.
#[cfg(not(feature = "onnx"))]
pub(super) async fn open(
    options: &RuntimeOptions,
    _: u64,
    _: JsValue,
    ahead: Ahead,
    error: Error,
) -> Result<(Bundle, WebSource)> {
    let place = Place::of(&options.bundle, ahead);
    match place.get("config.json", "GET").await {
        Ok(Some(_)) => Err(Error::new(
            Code::NeedsOnnx,
            format!(
                "{} has no manifest; its model runs in the other engine: leave `engine` out, or set it to \"onnx\"",
                place.base
            ),
        )),
        _ => Err(error),
    }
}

/// Where a folder is.
struct Place {
    base: String,
    query: String,
    ahead: Ahead,
}

impl Place {
    /// Of the manifest that there is none of.
    fn of(manifest: &str, ahead: Ahead) -> Place {
        let (base, query) = WebSource::place(manifest);
        Place { base, query, ahead }
    }

    /// The response for a file of the folder; nothing where there is none. Servers of apps answer with the app's page instead.
    async fn get(&self, path: &str, method: &str) -> Result<Option<Response>> {
        let url = format!("{}{path}{}", self.base, self.query);
        let init = RequestInit::new();
        init.set_method(method);
        let response = self.ahead.get(&url, &init).await;
        let response = response.map_err(|thrown| {
            Error::new(
                Code::BundleUnreachable,
                format!(
                    "{url} could not be fetched ({}); check the address and the network",
                    convert::describe(&thrown)
                ),
            )
        })?;
        let ty = response.headers().get("content-type").ok().flatten();
        let page = ty.is_some_and(|ty| ty.starts_with("text/html"));
        Ok((response.status() == 200 && !page).then_some(response))
    }
}

/// Opens the folder beside a manifest that there is none of; `error` says so.
#[cfg(feature = "onnx")]
pub(super) async fn open(
    options: &RuntimeOptions,
    max_bytes: u64,
    listener: JsValue,
    ahead: Ahead,
    error: Error,
) -> Result<(Bundle, WebSource)> {
    let place = Place::of(&options.bundle, ahead);
    let wanted = options.folder.clone().unwrap_or_default();
    let Some(config) = place.read(folder::DESCRIPTIONS[0]).await? else {
        return Err(error);
    };
    let mut descriptions = Descriptions::new();
    descriptions.insert(folder::DESCRIPTIONS[0].to_owned(), config);
    let others = folder::DESCRIPTIONS[1..]
        .iter()
        .map(|name| place.read(name));
    let others = futures_util::future::try_join_all(others).await?;
    for (name, found) in folder::DESCRIPTIONS[1..].iter().zip(others) {
        if let Some(found) = found {
            descriptions.insert((*name).to_owned(), found);
        }
    }
    let asked = folder::asked(&descriptions, wanted.task.as_deref())?;
    let weights = match folder::weights(&descriptions)? {
        Some(stated) => stated,
        None => place.weights(wanted.dtype).await?,
    };
    let name = place.base.trim_end_matches('/');
    let name = name.rsplit('/').next().unwrap_or_default();
    let manifest = folder::manifest(name, &descriptions, &weights, asked)?;
    let bundle = folder::bundle(&manifest)?;
    let Place { base, query, ahead } = place;
    Ok((
        bundle,
        WebSource::unlisted(base, query, max_bytes, listener, ahead).await,
    ))
}

#[cfg(feature = "onnx")]
impl Place {
    /// One of the descriptions, where there is one.
    async fn read(&self, name: &str) -> Result<Option<serde_json::Value>> {
        let Some(response) = self.get(name, "GET").await? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let most = folder::MAX_DESCRIPTION_BYTES;
        let read = fetch::body(&response, fetch::SERVER_MS, most, &mut bytes, |_, _| {}).await;
        match read {
            Ok(()) => folder::description(name, &bytes).map(Some),
            Err(BodyError::TooLarge) => Err(Error::new(
                Code::FileSize,
                format!("{name} has more than {most} bytes"),
            )),
            Err(BodyError::Broken(thrown)) => Err(Error::new(
                Code::BundleUnreachable,
                format!("{name} broke off: {}", convert::describe(&thrown)),
            )),
        }
    }

    /// The path of the weights that are wanted.
    async fn weights(&self, wanted: Option<Dtype>) -> Result<String> {
        let paths = Dtype::paths(wanted);
        for path in &paths {
            if self.get(path, "HEAD").await?.is_some() {
                return Ok(path.clone());
            }
        }
        Err(Error::new(
            Code::FileMissing,
            format!(
                "{} has none of {}; export the model to ONNX, or say which weights there are (dtype)",
                self.base,
                paths.join(", ")
            ),
        ))
    }
}
