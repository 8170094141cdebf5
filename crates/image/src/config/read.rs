//! Fields of a description, each asked for once: what nobody asked for is refused.

use serde_json::{Map, Value};

use super::Wanted;
use crate::fault::{Result, config};
use crate::processor::Size;

/// What says nothing about how one image of 8-bit colours becomes a tensor: who wrote it, how annotations are read, which
/// framework's tensors are made, on which device. All images here are converted to RGB.
const BESIDE: [&str; 21] = [
    "_name_or_path",
    "_processor_class",
    "_valid_processor_keys",
    "default_to_square",
    "device",
    "disable_grouping",
    "do_convert_annotations",
    "do_convert_rgb",
    "do_reduce_labels",
    "feature_extractor_type",
    "format",
    "image_processor_type",
    "input_data_format",
    "model_type",
    "num_labels",
    "processor_class",
    "reduce_labels",
    "return_segmentation_masks",
    "return_tensors",
    "torch_dtype",
    "transformers_version",
];

/// The fields of a description.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(map: &'a Map<String, Value>) -> Self {
        Fields {
            map,
            asked: Vec::new(),
        }
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Value> {
        self.asked.push(key);
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn switch(&mut self, key: &'static str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(on)) => Ok(Some(*on)),
            Some(_) => config(format!("{key}: neither true nor false")),
        }
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<&'a str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => config(format!("{key}: no text")),
        }
    }

    pub(super) fn number(&mut self, key: &'static str) -> Result<Option<u32>> {
        self.get(key).map(|value| whole(key, value)).transpose()
    }

    pub(super) fn float(&mut self, key: &'static str) -> Result<Option<f64>> {
        match self.get(key).map(Value::as_f64) {
            Some(None) => config(format!("{key}: no number")),
            Some(number) => Ok(number),
            None => Ok(None),
        }
    }

    /// One number or several.
    pub(super) fn floats(&mut self, key: &'static str) -> Result<Option<Vec<f64>>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let numbers: Option<Vec<f64>> = match value {
            Value::Array(values) => values.iter().map(Value::as_f64).collect(),
            value => value.as_f64().map(|x| vec![x]),
        };
        match numbers {
            Some(numbers) if !numbers.is_empty() => Ok(Some(numbers)),
            _ => config(format!("{key}: no numbers")),
        }
    }

    /// A size: one number, two (the height, then the width), or by names.
    pub(super) fn size(&mut self, key: &'static str, square: bool) -> Result<Option<Wanted>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let mut wanted = Wanted::default();
        match value {
            Value::Object(map) => {
                let mut most = [None; 2];
                for (name, value) in map {
                    let field = match name.as_str() {
                        "height" => &mut wanted.height,
                        "width" => &mut wanted.width,
                        "shortest_edge" => &mut wanted.shortest,
                        "longest_edge" => &mut wanted.longest,
                        "max_height" => &mut most[0],
                        "max_width" => &mut most[1],
                        _ => return config(format!("{key}: {name} is not known")),
                    };
                    if !value.is_null() {
                        *field = Some(whole(key, value)?);
                    }
                }
                if let [Some(height), Some(width)] = most {
                    wanted.most = Some(Size { height, width });
                }
            }
            Value::Array(values) if values.len() == 2 => {
                wanted.height = Some(whole(key, &values[0])?);
                wanted.width = Some(whole(key, &values[1])?);
            }
            value => {
                let edge = Some(whole(key, value)?);
                match square {
                    true => (wanted.height, wanted.width) = (edge, edge),
                    false => wanted.shortest = edge,
                }
            }
        }
        Ok(Some(wanted))
    }

    /// Refuses what nobody asked for, unless it says that something is off.
    pub(super) fn finish(self) -> Result<()> {
        for (key, value) in self.map {
            let off = matches!(value, Value::Null | Value::Bool(false));
            if !off && !self.asked.contains(&key.as_str()) && !BESIDE.contains(&key.as_str()) {
                return config(format!("{key}: {value} is not supported"));
            }
        }
        Ok(())
    }
}

fn whole(key: &str, value: &Value) -> Result<u32> {
    match value.as_u64().and_then(|n| u32::try_from(n).ok()) {
        Some(n) if n > 0 || key == "resample" => Ok(n),
        _ => config(format!("{key}: {value} is no length")),
    }
}
