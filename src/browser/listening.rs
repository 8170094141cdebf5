//! Sounds that go on, for pages: each has a number, by which its pieces come.

use js_sys::Float32Array;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use super::convert;
use super::runtime::WasmRuntime;
use super::sound::whole;
use crate::error::{Code, Error, Result};
use crate::runtime::options::RunOptions;
use crate::task::kind::SpeechEvent;

/// The most sounds that are listened to at once.
const MOST: usize = 64;

/// The most samples of a piece.
const MOST_SAMPLES: u32 = 1 << 24;

#[wasm_bindgen(js_class = Runtime)]
impl WasmRuntime {
    /// Begins to listen to a sound of so many samples a second, under a number that is the caller's.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub async fn listen(
        &self,
        number: u32,
        task: String,
        rate: f64,
        options: JsValue,
    ) -> std::result::Result<(), JsValue> {
        let begun = self.begin(number, &task, rate, options).await;
        begun.map_err(|e| convert::error_to_js(&e))
    }

    /// Hears a piece, a `Float32Array`: an array of `SpeechEvent`. `null` is the end of the sound.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub fn hear(&self, number: u32, piece: &JsValue) -> std::result::Result<JsValue, JsValue> {
        let events = self.heard(number, piece);
        let events = events.and_then(|events| convert::to_js(&events));
        events.map_err(|e| convert::error_to_js(&e))
    }

    /// Listens to a sound no more. One that is over is forgotten already.
    pub fn hush(&self, number: u32) {
        self.sounds.borrow_mut().remove(&number);
    }
}

impl WasmRuntime {
    async fn begin(&self, number: u32, task: &str, rate: f64, options: JsValue) -> Result<()> {
        let options: RunOptions = convert::options(options, "stream")?;
        let options = options.kind_options();
        let listening = self.runtime.listen(task, whole(rate)?, &options).await?;
        let mut sounds = self.sounds.borrow_mut();
        if sounds.len() >= MOST {
            return Err(Error::new(
                Code::InvalidOption,
                format!("{MOST} sounds are listened to already; end one of them"),
            ));
        }
        sounds.insert(number, listening);
        Ok(())
    }

    fn heard(&self, number: u32, piece: &JsValue) -> Result<Vec<SpeechEvent>> {
        // Taken out while it is heard: what fails is over, unless nothing of the piece was heard.
        let found = self.sounds.borrow_mut().remove(&number);
        let mut listening = found.ok_or_else(|| {
            Error::new(
                Code::InvalidOption,
                "there is no such sound: it is over, or the worker that heard it has died; begin with a new one",
            )
        })?;
        if piece.is_null() {
            return listening.finish();
        }
        let samples = piece.dyn_ref::<Float32Array>().ok_or_else(|| {
            Error::new(
                Code::InputKind,
                "a piece of a sound must be a Float32Array of samples",
            )
        });
        let events = samples.and_then(|samples| match samples.length() {
            0..=MOST_SAMPLES => listening.push(&samples.to_vec()),
            more => Err(Error::new(
                Code::InputTooLong,
                format!("a piece has {more} samples; the most are {MOST_SAMPLES}"),
            )),
        });
        let goes_on = match &events {
            Ok(_) => true,
            Err(why) => matches!(why.code(), Code::InputKind | Code::InputTooLong),
        };
        if goes_on {
            self.sounds.borrow_mut().insert(number, listening);
        }
        events
    }
}
