//! Answers of the kinds that have models: what is many numbers becomes a typed array.

use js_sys::{Float32Array, Int8Array, Reflect, Uint8Array};
use wasm_bindgen::JsValue;

use super::convert;
use crate::error::{Code, Error, Result};
use crate::task::Answer;
use crate::task::kind::{KindOutput, Vectors};

/// An answer as a plain JavaScript object.
pub(super) fn to_js(mut answer: Answer<KindOutput>) -> Result<JsValue> {
    let numbers = match &mut answer.output {
        KindOutput::Vectors(vectors) => Some(std::mem::replace(
            &mut vectors.data,
            Vectors::U8(Vec::new()),
        )),
        _ => None,
    };
    let object = convert::to_js(&answer)?;
    let Some(numbers) = numbers else {
        return Ok(object);
    };
    let array: JsValue = match numbers {
        Vectors::F32(numbers) => Float32Array::from(&numbers[..]).into(),
        Vectors::I8(numbers) => Int8Array::from(&numbers[..]).into(),
        Vectors::U8(numbers) => Uint8Array::from(&numbers[..]).into(),
    };
    let put = || {
        let output = Reflect::get(&object, &JsValue::from_str("output"))?;
        Reflect::set(&output, &JsValue::from_str("data"), &array)
    };
    match put() {
        Ok(_) => Ok(object),
        Err(thrown) => Err(Error::new(Code::Internal, convert::describe(&thrown))),
    }
}
