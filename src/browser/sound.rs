//! Sounds and rows of tables as pages have them.

use std::collections::BTreeMap;

use js_sys::{Array, Float32Array, Object, Reflect};
use smallfirst_sound::Sound;
use wasm_bindgen::{JsCast, JsValue};

use crate::error::{Code, Error, Result};
use crate::runtime::Listening;
use crate::task::sound::of_sound;
use crate::task::{Cell, Table, not_a_cell};

/// The most bytes of a sound's samples that are copied into wasm memory at once. Longer ones are heard in pieces.
const MAX_SOUND_BYTES: u64 = 256 << 20;

/// The sounds that go on, by their numbers.
pub(super) type Sounds = BTreeMap<u32, Listening>;

/// The samples and the rate of a sound of `{ rate, channels }` with a `Float32Array` for each channel; nothing where it is none.
pub(super) fn sound(value: &JsValue) -> Result<Option<(Vec<f32>, u32)>> {
    let part = |name: &str| Reflect::get(value, &JsValue::from_str(name)).ok();
    let rate = part("rate").and_then(|rate| rate.as_f64());
    let channels = part("channels").and_then(|channels| channels.dyn_into::<Array>().ok());
    let (Some(rate), Some(channels)) = (rate, channels) else {
        return Ok(None);
    };
    let channels: Option<Vec<Float32Array>> = channels
        .iter()
        .map(|channel| channel.dyn_into().ok())
        .collect();
    let channels = channels.ok_or_else(|| {
        Error::new(
            Code::InputKind,
            "the channels of a sound must be Float32Arrays of samples",
        )
    })?;
    let bytes: u64 = channels.iter().map(|c| 4 * u64::from(c.length())).sum();
    if bytes > MAX_SOUND_BYTES {
        return Err(Error::new(
            Code::InputTooLong,
            format!(
                "the sound's samples have {bytes} bytes; the most at once are {MAX_SOUND_BYTES}; give it in pieces (stream)"
            ),
        ));
    }
    let channels = channels.iter().map(Float32Array::to_vec).collect();
    let sound = Sound::new(whole(rate)?, channels).map_err(|why| of_sound(&why))?;
    Ok(Some((sound.mixed().into_owned(), sound.rate())))
}

/// A rate that is a whole number.
pub(super) fn whole(rate: f64) -> Result<u32> {
    let fits = rate.fract() == 0.0 && (1.0..=f64::from(smallfirst_sound::MAX_RATE)).contains(&rate);
    match fits {
        true => Ok(rate as u32),
        false => Err(Error::new(
            Code::InputKind,
            format!("{rate} is no rate: it must be a whole number of samples a second"),
        )),
    }
}

/// A row of `{ row }`, an object of numbers, strings and nulls; nothing where it is none.
pub(super) fn table(value: &JsValue) -> Result<Option<Table>> {
    let row = Reflect::get(value, &JsValue::from_str("row")).ok();
    let Some(row) = row.and_then(|row| row.dyn_into::<Object>().ok()) else {
        return Ok(None);
    };
    let entries = Object::entries(&row);
    let cells = entries.iter().map(|entry| {
        let entry = Array::from(&entry);
        let (name, value) = (entry.get(0).as_string().unwrap_or_default(), entry.get(1));
        let cell = if value.is_null() {
            Cell::Null
        } else if let Some(number) = value.as_f64() {
            Cell::Number(number)
        } else if let Some(text) = value.as_string() {
            Cell::Text(text)
        } else {
            let what = match value.is_undefined() {
                true => "undefined",
                false => "something else",
            };
            return Err(not_a_cell(&name, what));
        };
        Ok((name, cell))
    });
    let cells = cells.collect::<Result<Vec<_>>>()?;
    Table::new(cells).map(Some)
}
