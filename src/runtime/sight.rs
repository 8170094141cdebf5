//! Models of images: what they read, and the kinds of task that ask them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use smallfirst_image::ocr::{Detector, Dictionary};
use smallfirst_image::{ImageProcessor, Pixels, Processed};

use super::outputs::values;
use crate::bundle::{self, Features, TaskModel};
use crate::engine::Session;
use crate::engine::tensors::{Data, Length, Tensor, Type, count};
use crate::error::{Code, Error, Result, excerpt};
use crate::task::kind::{Boxes, KindOptions, Made, Reading, Sees, Sight, Values, see};
use crate::task::{Label, Pooling};

/// The field of an ONNX file's metadata that has the characters which a model can read.
const CHARACTERS: &str = "character";

/// The most bytes of a file of characters: those of all scripts together take less than a megabyte.
const MAX_DICTIONARY_BYTES: usize = 16 << 20;

/// The most elements of a mask: as many as a tensor of an image has pixels.
const MAX_MASK: usize = 1 << 24;

/// The models of a task that reads images, ready to be run.
pub(super) struct LoadedSight {
    model: Eye,
    processor: ImageProcessor,
    does: Use,
}

/// What is made of what the model gives.
enum Use {
    Objects(Boxes),
    Vectors(Option<Pooling>, bool),
    Text(Box<Text>),
}

struct Text {
    detector: Detector,
    reading: Reading,
    reads: Eye,
}

/// The second model of a task, and a file of the characters that it reads.
pub(super) struct Second {
    pub(super) file: Vec<u8>,
    pub(super) dictionary: Option<Vec<u8>>,
}

impl LoadedSight {
    pub(super) fn load(entry: &TaskModel, file: Vec<u8>, second: Option<Second>) -> Result<Self> {
        let invalid = |why: String| Error::new(Code::BundleInvalid, why);
        let Features::Image { processor } = &entry.features else {
            return Err(Error::new(
                Code::Internal,
                format!("{} passed validation and reads no images", entry.file),
            ));
        };
        let processor = bundle::image_processor(processor).map_err(invalid)?;
        let model = Eye::load(&entry.file, file)?;
        let does = match (&entry.boxes, &entry.ocr, second) {
            (Some(boxes), _, _) => Use::Objects(bundle::boxes(boxes).map_err(invalid)?),
            (_, Some(ocr), Some(second)) => {
                let reads = Eye::load(&ocr.recogniser.file, second.file)?;
                let reading = Reading {
                    dictionary: dictionary(ocr, second.dictionary, &reads)?,
                    height: ocr.recogniser.height,
                };
                Use::Text(Box::new(Text {
                    detector: bundle::detector(ocr, processor.clone()),
                    reading,
                    reads,
                }))
            }
            _ => Use::Vectors(entry.pooling, entry.normalize),
        };
        Ok(LoadedSight {
            model,
            processor,
            does,
        })
    }

    /// Does the task.
    pub(super) fn see(
        &self,
        pixels: &Pixels,
        labels: &[Label],
        options: &KindOptions,
    ) -> Result<Made> {
        let mut model = self.model.looking();
        let processor = &self.processor;
        match &self.does {
            Use::Objects(boxes) => {
                let model = &mut model;
                let sight = Sight::Objects {
                    processor,
                    boxes,
                    model,
                };
                see(pixels, labels, options, sight)
            }
            Use::Vectors(pooling, normalize) => {
                let sight = Sight::Vectors {
                    processor,
                    usual: (*pooling, *normalize),
                    model: &mut model,
                };
                see(pixels, labels, options, sight)
            }
            Use::Text(text) => {
                let sight = Sight::Text {
                    detector: &text.detector,
                    finds: &mut model,
                    reading: &text.reading,
                    reads: &mut text.reads.looking(),
                };
                see(pixels, labels, options, sight)
            }
        }
    }
}

/// The characters that a model can read: those of a file, or of its own metadata.
fn dictionary(ocr: &bundle::Ocr, file: Option<Vec<u8>>, reads: &Eye) -> Result<Dictionary> {
    let path = ocr.recogniser.dictionary.as_deref();
    let invalid = |why: &str| Error::new(Code::ModelInvalid, why);
    if let (Some(path), Some(file)) = (path, file) {
        if file.len() > MAX_DICTIONARY_BYTES {
            let why = format!("{path} has more than {MAX_DICTIONARY_BYTES} bytes");
            return Err(invalid(&why));
        }
        let lines = String::from_utf8(file).map_err(|_| {
            invalid(&format!(
                "{path} is no UTF-8; it has a character on each line"
            ))
        })?;
        return Ok(Dictionary::of_lines(&lines));
    }
    let session = reads.session.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = session.metadata(CHARACTERS).ok_or_else(|| {
        invalid(&format!(
            "{} does not say which characters it reads: its metadata has no \"{CHARACTERS}\"; name a file of them under \
             ocr.recogniser.dictionary",
            reads.name
        ))
    })?;
    Ok(Dictionary::of_lines(lines))
}

/// One model.
struct Eye {
    name: String,
    session: Mutex<Session>,
    inputs: Vec<(Role, Type)>,
}

/// What an input is.
enum Role {
    Pixels,
    /// Ones: that each pixel is of the image. With its lengths where the model states them.
    Mask(Vec<Option<usize>>),
}

impl Eye {
    fn load(name: &str, file: Vec<u8>) -> Result<Eye> {
        let session = Session::load(name, file)?;
        let ports = session.inputs();
        let mut inputs = Vec::with_capacity(ports.len());
        for port in ports {
            let length = |length: &Length| match length {
                Length::Known(n) => Some(*n),
                _ => None,
            };
            let role = match port.name.as_str() {
                "pixel_mask" => {
                    let lengths = port.shape.iter().flatten().map(length);
                    Role::Mask(lengths.collect())
                }
                // A model of one input reads pixels, whatever it calls them.
                _ if ports.len() == 1 => Role::Pixels,
                "pixel_values" | "images" | "image" => Role::Pixels,
                other => {
                    return Err(Error::new(
                        Code::ModelInvalid,
                        format!(
                            "{name} has the input \"{}\", and a model of images is given pixel_values and pixel_mask",
                            excerpt(other, 60)
                        ),
                    ));
                }
            };
            inputs.push((role, port.ty.unwrap_or(Type::F32)));
        }
        if !inputs.iter().any(|(role, _)| matches!(role, Role::Pixels)) {
            return Err(Error::new(
                Code::ModelInvalid,
                format!("{name} has no input for an image, such as pixel_values"),
            ));
        }
        Ok(Eye {
            name: name.to_owned(),
            session: Mutex::new(session),
            inputs,
        })
    }

    /// It, as a kind of task asks it.
    fn looking(&self) -> Looking<'_> {
        Looking {
            eye: self,
            session: self.session.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn failed(&self, why: &str) -> Error {
        let why = format!("{}: {}", self.name, excerpt(why, 300));
        Error::new(Code::ModelOutput, why)
    }

    /// A tensor of the input's type.
    fn tensor(&self, shape: Vec<usize>, data: Data, ty: Type) -> Result<Tensor> {
        let tensor = Tensor::new(shape, data).map_err(|why| self.failed(&why.0))?;
        if tensor.ty() == ty {
            return Ok(tensor);
        }
        let numbers = tensor.floats().map_err(|why| self.failed(&why.0))?;
        let numbers: Vec<f64> = numbers.iter().map(|&n| f64::from(n)).collect();
        let data = Data::of_numbers(&numbers, ty).ok_or_else(|| {
            self.failed(&format!(
                "it reads {}, and the image's numbers are none; its processor scales them",
                ty.name()
            ))
        })?;
        Tensor::new(tensor.shape.clone(), data).map_err(|why| self.failed(&why.0))
    }
}

/// A loaded model, as a kind of task asks it.
struct Looking<'m> {
    eye: &'m Eye,
    session: MutexGuard<'m, Session>,
}

impl Sees for Looking<'_> {
    fn name(&self) -> &str {
        &self.eye.name
    }

    fn run(&mut self, image: Processed) -> Result<Vec<Values>> {
        let eye = self.eye;
        let size = [image.geometry.input.height, image.geometry.input.width].map(|n| n as usize);
        let mut pixels = Some(match image.data {
            smallfirst_image::Data::F32(values) => Data::F32(values),
            smallfirst_image::Data::U8(values) => Data::U8(values),
        });
        let mut feeds = Vec::with_capacity(eye.inputs.len());
        for (role, ty) in &eye.inputs {
            let tensor = match role {
                Role::Pixels => {
                    let data = pixels.take();
                    let data = data.ok_or_else(|| eye.failed("it has two inputs for an image"))?;
                    eye.tensor(image.shape.clone(), data, *ty)?
                }
                Role::Mask(lengths) => {
                    let known = |at: usize| lengths.get(at).copied().flatten();
                    let shape = [1, size[0], size[1]];
                    let shape: Vec<usize> =
                        (0..3).map(|at| known(at).unwrap_or(shape[at])).collect();
                    let ones = count(&shape).ok().filter(|&ones| ones <= MAX_MASK);
                    let ones = ones.ok_or_else(|| eye.failed("its pixel_mask is too large"))?;
                    eye.tensor(shape, Data::I64(vec![1; ones]), *ty)?
                }
            };
            feeds.push(Some(tensor));
        }
        let outputs = self.session.run(feeds)?;
        values(&eye.name, self.session.outputs(), outputs)
    }
}
