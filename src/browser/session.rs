//! A model by itself, for pages that bring their own pre- and postprocessing (`smallfirst/model`).

use std::collections::BTreeMap;

use js_sys::{
    Array, BigInt64Array, BigUint64Array, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Object, Reflect, Uint8Array, Uint16Array, Uint32Array,
};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use super::convert;
use crate::engine::tensors::{Data, Length, Port, Tensor, Type, count};
use crate::engine::{self};
use crate::error::{Code, Error, Result, excerpt};

/// A model that is ready to run.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Session {
    session: engine::Session,
}

type OrError<T> = std::result::Result<T, JsValue>;

/// The bytes of a model, in the module's memory: read there once, however often they are asked about.
#[wasm_bindgen]
#[derive(Debug)]
pub struct ModelFile {
    name: String,
    bytes: Vec<u8>,
}

#[wasm_bindgen]
impl ModelFile {
    /// `name` is used in errors only.
    #[wasm_bindgen(constructor)]
    pub fn new(name: &str, file: &Uint8Array) -> ModelFile {
        ModelFile {
            name: name.to_owned(),
            bytes: file.to_vec(),
        }
    }

    /// The names of the files beside it that it has weights in.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub fn beside(&self) -> OrError<Array> {
        let files = engine::Model::beside(&self.name, &self.bytes).map_err(js)?;
        Ok(files.iter().map(|file| JsValue::from_str(file)).collect())
    }
}

#[wasm_bindgen]
impl Session {
    /// Reads an ONNX file or a prepared one. `beside` has the bytes of the files that [`ModelFile::beside`] names.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub fn load(file: ModelFile, beside: &Object) -> OrError<Session> {
        let ModelFile { name, mut bytes } = file;
        let files: BTreeMap<String, Vec<u8>> = Object::entries(beside)
            .iter()
            .filter_map(|entry| {
                let entry = Array::from(&entry);
                let bytes: Uint8Array = entry.get(1).dyn_into().ok()?;
                Some((entry.get(0).as_string()?, bytes.to_vec()))
            })
            .collect();
        if !files.is_empty() {
            bytes = engine::Model::whole(&name, &bytes, &files).map_err(js)?;
        }
        let session = engine::Session::load(&name, bytes).map_err(js)?;
        Ok(Session { session })
    }

    /// What it takes and gives: `{ inputs, outputs }`, each a list of `{ name, type, dims }`. A length is a number, a name, or
    /// `null`; `type` and `dims` are `null` where the file does not say.
    #[must_use]
    pub fn ports(&self) -> Object {
        object([
            ("inputs", described(self.session.inputs())),
            ("outputs", described(self.session.outputs())),
        ])
    }

    /// From now on, an output of a run is an input of the next one where that is not given.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub fn keep(&mut self, output: &str, input: &str) -> OrError<()> {
        self.session.keep(output, input).map_err(js)
    }

    /// Forgets what was kept.
    pub fn reset(&mut self) {
        self.session.reset();
    }

    /// Runs it on `{ name: { data, dims, type? } }` and gives the outputs of these names, all where there are none, in the same
    /// form.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub fn run(&mut self, feeds: &Object, fetches: &Array) -> OrError<Object> {
        self.infer(feeds, fetches).map_err(js)
    }

    fn infer(&mut self, feeds: &Object, fetches: &Array) -> Result<Object> {
        let ports = self.session.inputs();
        let mut given: Vec<Option<Tensor>> = ports.iter().map(|_| None).collect();
        for entry in Object::entries(feeds).iter() {
            let entry = Array::from(&entry);
            let name = entry.get(0).as_string().unwrap_or_default();
            let at = ports.iter().position(|port| port.name == name);
            let at = at.ok_or_else(|| {
                let there: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
                wrong(&format!(
                    "there is no input \"{}\"; there are {}",
                    excerpt(&name, 60),
                    excerpt(&there.join(", "), 200)
                ))
            })?;
            given[at] = Some(tensor(&entry.get(1), &ports[at])?);
        }
        let wanted: Vec<usize> = match fetches.length() {
            0 => (0..self.session.outputs().len()).collect(),
            _ => fetches
                .iter()
                .map(|name| self.session.output(&name.as_string().unwrap_or_default()))
                .collect::<Result<_>>()?,
        };
        let outputs = self.session.run(given)?;
        let result = Object::new();
        for at in wanted {
            let name = JsValue::from_str(&self.session.outputs()[at].name);
            // Setting a property of a fresh object cannot fail.
            let _ = Reflect::set(&result, &name, &read(&outputs[at]));
        }
        Ok(result)
    }
}

fn js(error: Error) -> JsValue {
    convert::error_to_js(&error)
}

fn wrong(why: &str) -> Error {
    Error::new(Code::InvalidOption, format!("run: {why}"))
}

fn object<const N: usize>(entries: [(&str, JsValue); N]) -> Object {
    let object = Object::new();
    for (key, value) in entries {
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&object, &JsValue::from_str(key), &value);
    }
    object
}

fn described(ports: &[Port]) -> JsValue {
    let length = |length: &Length| match length {
        Length::Known(n) => JsValue::from(*n as u32),
        Length::Named(name) => JsValue::from_str(name),
        Length::Any => JsValue::NULL,
    };
    let port = |port: &Port| {
        let dims = port.shape.as_ref();
        let dims = dims.map(|dims| dims.iter().map(length).collect::<Array>().into());
        object([
            ("name", JsValue::from_str(&port.name)),
            (
                "type",
                port.ty
                    .map_or(JsValue::NULL, |ty| JsValue::from_str(ty.name())),
            ),
            ("dims", dims.unwrap_or(JsValue::NULL)),
        ])
    };
    ports.iter().map(port).collect::<Array>().into()
}

/// A tensor of JavaScript's, for an input.
fn tensor(value: &JsValue, port: &Port) -> Result<Tensor> {
    let get = |key: &str| Reflect::get(value, &JsValue::from_str(key)).unwrap_or_default();
    let told = |why: &str| wrong(&format!("the input {} {why}", excerpt(&port.name, 60)));
    let dims = get("dims");
    if !Array::is_array(&dims) {
        return Err(told("has no dims, a list of lengths"));
    }
    let length = |value: JsValue| {
        let n = value.as_f64().filter(|n| *n >= 0.0 && n.fract() == 0.0);
        n.map(|n| n as usize)
            .ok_or_else(|| told("has dims that are not whole numbers"))
    };
    let shape: Vec<usize> = Array::from(&dims)
        .iter()
        .map(length)
        .collect::<Result<_>>()?;
    let data = data(&get("data"), port.ty);
    let data = data.ok_or_else(|| {
        let ty = port.ty.map_or("its type", Type::name);
        told(&format!("needs data of {ty}, as a typed array, or a list"))
    })?;
    match count(&shape) {
        Ok(len) if len == data.len() => Ok(Tensor { shape, data }),
        _ => Err(told(&format!(
            "has {} numbers, which are not of the dims {shape:?}",
            data.len()
        ))),
    }
}

/// Elements of JavaScript's. What typed arrays leave open, the input's own type settles.
fn data(value: &JsValue, ty: Option<Type>) -> Option<Data> {
    macro_rules! typed {
        ($($array:ident => $kind:ident),*) => {
            $(if let Some(v) = value.dyn_ref::<$array>() {
                return Some(Data::$kind(v.to_vec()));
            })*
        };
    }
    typed!(
        Float32Array => F32, Float64Array => F64, BigInt64Array => I64, BigUint64Array => U64,
        Int32Array => I32, Uint32Array => U32, Int16Array => I16, Int8Array => I8
    );
    if let Some(v) = value.dyn_ref::<Uint8Array>() {
        return Some(match ty {
            Some(Type::Bool) => Data::Bool(v.to_vec().into_iter().map(|v| v != 0).collect()),
            _ => Data::U8(v.to_vec()),
        });
    }
    if let Some(v) = value.dyn_ref::<Uint16Array>() {
        let bits = v.to_vec();
        return Some(match ty {
            Some(Type::F16 | Type::BF16) => Data::half(&bits, ty == Some(Type::BF16)),
            _ => Data::U16(bits),
        });
    }
    if !Array::is_array(value) {
        return None;
    }
    let list = Array::from(value);
    if ty == Some(Type::Text) {
        return list
            .iter()
            .map(|v| v.as_string())
            .collect::<Option<_>>()
            .map(Data::Text);
    }
    if ty == Some(Type::I64) {
        // Also bigints, which are no floats.
        let whole = |v: JsValue| match v.as_f64() {
            Some(n) => (n.fract() == 0.0).then_some(n as i64),
            None => i64::try_from(v).ok(),
        };
        return list.iter().map(whole).collect::<Option<_>>().map(Data::I64);
    }
    let number = |v: JsValue| v.as_f64().or_else(|| v.as_bool().map(f64::from));
    let numbers: Vec<f64> = list.iter().map(number).collect::<Option<_>>()?;
    Data::of_numbers(&numbers, ty.unwrap_or(Type::F32))
}

/// A tensor for JavaScript.
fn read(tensor: &Tensor) -> JsValue {
    let data: JsValue = match &tensor.data {
        Data::F32(v) => Float32Array::from(v.as_slice()).into(),
        Data::F64(v) => Float64Array::from(v.as_slice()).into(),
        Data::I64(v) => BigInt64Array::from(v.as_slice()).into(),
        Data::U64(v) => BigUint64Array::from(v.as_slice()).into(),
        Data::I32(v) => Int32Array::from(v.as_slice()).into(),
        Data::U32(v) => Uint32Array::from(v.as_slice()).into(),
        Data::I16(v) => Int16Array::from(v.as_slice()).into(),
        Data::U16(v) => Uint16Array::from(v.as_slice()).into(),
        Data::I8(v) => Int8Array::from(v.as_slice()).into(),
        Data::U8(v) => Uint8Array::from(v.as_slice()).into(),
        Data::Bool(v) => {
            let bytes: Vec<u8> = v.iter().map(|&v| u8::from(v)).collect();
            Uint8Array::from(bytes.as_slice()).into()
        }
        Data::F16(_) | Data::BF16(_) => Uint16Array::from(tensor.data.bits().as_slice()).into(),
        Data::Text(v) => v
            .iter()
            .map(|v| JsValue::from_str(v))
            .collect::<Array>()
            .into(),
    };
    let dims = tensor.shape.iter().map(|&d| JsValue::from(d as u32));
    object([
        ("type", JsValue::from_str(tensor.ty().name())),
        ("dims", dims.collect::<Array>().into()),
        ("data", data),
    ])
    .into()
}
