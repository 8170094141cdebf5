//! A single model, without a bundle: for pages that bring their own pre- and postprocessing, and for benchmarks.

use js_sys::{
    Array, BigInt64Array, Float32Array, Int32Array, Object, Reflect, Uint8Array, Uint32Array,
};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use super::convert;
use crate::engine;
use crate::error::{Code, Error, Result};

/// A model that is ready to run.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Model {
    model: engine::Model,
}

#[wasm_bindgen]
impl Model {
    /// Reads a prepared file, or in builds for ONNX an ONNX file. `name` is used in errors only.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub fn load(name: &str, file: &Uint8Array) -> std::result::Result<Model, JsValue> {
        let model = engine::Model::open(name, file.to_vec());
        let model = model.map_err(|e| convert::error_to_js(&e))?;
        Ok(Model { model })
    }

    /// Runs it on `[{ name?, dims, data }]`, with `data` a `Float32Array`, `Int32Array` or `BigInt64Array`; an input
    /// without a name is the next in order. Gives `[{ dims, data }]`, the model's first output as a `Float32Array`.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub fn run(&self, inputs: &Array) -> std::result::Result<Array, JsValue> {
        self.infer(inputs).map_err(|e| convert::error_to_js(&e))
    }

    fn infer(&self, inputs: &Array) -> Result<Array> {
        let wrong = |why: &str| Error::new(Code::InvalidOption, format!("run: {why}"));
        let wanted = self.model.inputs();
        let mut given: Vec<Option<engine::Array>> = wanted.iter().map(|_| None).collect();
        for (at, input) in inputs.iter().enumerate() {
            let get = |key: &str| Reflect::get(&input, &JsValue::from_str(key)).unwrap_or_default();
            let place = match get("name").as_string() {
                Some(name) => wanted.iter().position(|w| w.name == name),
                None => Some(at),
            };
            let place = place.and_then(|place| given.get_mut(place));
            let place = place.ok_or_else(|| wrong("there is no input of that name or number"))?;
            let dims: Vec<usize> = Array::from(&get("dims"))
                .iter()
                .map(|d| d.as_f64().unwrap_or(0.0) as usize)
                .collect();
            *place = Some(engine::Array {
                shape: dims,
                data: numbers(&get("data")).ok_or_else(|| {
                    wrong("data must be a Float32Array, an Int32Array or a BigInt64Array")
                })?,
            });
        }
        let given: Option<Vec<engine::Array>> = given.into_iter().collect();
        let given = given.ok_or_else(|| wrong("an input is missing"))?;
        let output = self.model.infer(given)?;
        let data = match &output.data {
            engine::Data::F32(values) => Float32Array::from(values.as_slice()),
            engine::Data::I64(values) => {
                let floats: Vec<f32> = values.iter().map(|&v| v as f32).collect();
                Float32Array::from(floats.as_slice())
            }
        };
        let dims: Vec<u32> = output.shape.iter().map(|&d| d as u32).collect();
        let result = Object::new();
        for (key, value) in [
            (
                "dims",
                Array::from(&Uint32Array::from(dims.as_slice())).into(),
            ),
            ("data", JsValue::from(data)),
        ] {
            // Setting a property of a fresh object cannot fail.
            let _ = Reflect::set(&result, &JsValue::from_str(key), &value);
        }
        Ok(Array::of1(&result))
    }
}

fn numbers(data: &JsValue) -> Option<engine::Data> {
    if let Some(floats) = data.dyn_ref::<Float32Array>() {
        return Some(engine::Data::F32(floats.to_vec()));
    }
    if let Some(ints) = data.dyn_ref::<Int32Array>() {
        return Some(engine::Data::I64(
            ints.to_vec().into_iter().map(i64::from).collect(),
        ));
    }
    let longs = data.dyn_ref::<BigInt64Array>()?;
    Some(engine::Data::I64(longs.to_vec()))
}
