//! A prepared model: steps in order, and the file that holds them.
//!
//! # The file
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | `SFM` and the format's version: the lowest that describes it, see [`VERSIONS`] |
//! | 4 | the length of the header, little endian |
//! | header | the [`Program`] as JSON, filled with spaces so that the weights begin at a multiple of 64 |
//! | rest | the weights, each at a multiple of 64 from their beginning, little endian, as the kernels read them |
//!
//! Loading parses the header and checks it; the weights stay where they are in the file's own bytes. Those that are stored
//! in fewer bits become floats then, but for tables of which rows are picked.

use serde::{Deserialize, Serialize};

use super::array::{Elements, Fault, View, count};
use super::dim::Dim;
use super::kernels::{self, Narrow};
use super::op::{Conv, Epilogue, MatMul, Op, Right, Windows};
use super::tensor::Element;

/// How a prepared file begins; the next byte is its version.
pub const MAGIC: [u8; 3] = *b"SFM";

/// The versions that are understood. In version 1 a packed weight is one piece; since version 2 it is in
/// several where its rows are more than [`kernels::PIECE`]; since version 3 floats may be in fewer bits.
const VERSIONS: std::ops::RangeInclusive<u8> = 1..=3;

/// The most bytes that a file's byte becomes: integers of 4 bits are floats then.
const WIDER: u64 = 8;

/// Where weights may begin.
#[cfg(feature = "training")]
const ALIGN: usize = 64;

const UNALIGNED: Fault = "a weight is not aligned";

/// The most bytes of a header. A thousand steps take about a hundredth of it.
const MAX_HEADER: usize = 32 << 20;

/// The most steps, values and weights that a program may have.
const MAX_PARTS: usize = 1 << 16;

/// An input of a program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// Its name in the model it was made of.
    pub name: String,
    /// Its elements.
    pub element: Element,
    /// Its lengths: numbers or single symbols.
    pub dims: Vec<Dim>,
}

/// A weight's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// Its elements.
    pub kind: WeightKind,
    /// Its lengths, as the operators see them; packed weights have one.
    pub shape: Vec<usize>,
    /// Its first byte, from the beginning of the weights.
    pub at: usize,
}

/// The elements of a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WeightKind {
    /// 32-bit floats.
    F32,
    /// 64-bit integers.
    I64,
    /// Bytes.
    I8,
    /// 32-bit integers.
    I32,
    /// Floats as halves.
    F16,
    /// Floats as scaled integers of 8 bits (`crates/kernels/src/narrow.rs`).
    Q8,
    /// The same, of 4 bits.
    Q4,
}

/// One operator and what it is given. Its result is the next value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The operator.
    pub op: Op,
    /// From 0 on the values (first the inputs, then the results of the steps); below 0 the weights, -1 the first.
    pub of: Vec<i32>,
}

/// What is computed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// How many symbols the lengths have.
    pub symbols: u32,
    /// What it is given.
    pub inputs: Vec<InputSpec>,
    /// The weights.
    pub weights: Vec<Weight>,
    /// The steps, each after those whose results it needs.
    pub steps: Vec<Step>,
    /// The value that comes out.
    pub output: u32,
}

/// A program with its weights, checked.
pub(crate) struct Prepared {
    pub program: Program,
    /// The values nobody needs after each step.
    pub last: Vec<Vec<u32>>,
    /// The steps that are done together with the one after them, as convolutions.
    pub pairs: Vec<Option<Conv>>,
    blob: Blob,
}

/// The file's bytes and where its weights begin.
struct Blob {
    bytes: Vec<u8>,
    start: usize,
}

impl WeightKind {
    /// The bytes of an element, as the operators see it.
    pub(super) fn size(self) -> usize {
        match self {
            WeightKind::I64 => 8,
            WeightKind::I8 => 1,
            _ => 4,
        }
    }

    /// How it is stored, for floats in fewer bits.
    pub(super) fn narrow(self) -> Option<Narrow> {
        match self {
            WeightKind::F16 => Some(Narrow::F16),
            WeightKind::Q8 => Some(Narrow::Q8),
            WeightKind::Q4 => Some(Narrow::Q4),
            _ => None,
        }
    }
}

impl Weight {
    /// What is packed lies in panels, where neighbours are of as many columns.
    fn lanes(&self) -> usize {
        if self.shape.len() == 1 {
            kernels::NR
        } else {
            1
        }
    }

    /// The bytes it has in the file.
    fn stored(&self) -> Result<usize, Fault> {
        let len = count(&self.shape)?;
        Ok(match self.kind.narrow() {
            Some(form) => form.len(len, self.lanes()),
            None => len * self.kind.size(),
        })
    }
}

impl Program {
    /// The lowest version that describes it.
    fn version(&self) -> u8 {
        if self.weights.iter().any(|w| w.kind.narrow().is_some()) {
            return 3;
        }
        let pieces = self
            .steps
            .iter()
            .any(|step| self.packed_rows(step) > kernels::PIECE);
        if pieces { 2 } else { 1 }
    }

    /// The rows of a step's packed weight, 0 where it has none.
    fn packed_rows(&self, step: &Step) -> usize {
        match &step.op {
            Op::MatMul(MatMul {
                right: Right::Packed { k, .. },
                ..
            }) => *k,
            Op::Conv(conv) if !conv.depthwise => {
                let of = step.of.get(1).and_then(|of| of.checked_neg());
                let at = of.and_then(|of| usize::try_from(of).ok()?.checked_sub(1));
                let weight = at.and_then(|at| self.weights.get(at));
                let len = weight.and_then(|weight| count(&weight.shape).ok());
                let columns = conv.outputs.checked_next_multiple_of(kernels::NR);
                len.zip(columns)
                    .map_or(0, |(len, columns)| len / columns.max(1))
            }
            _ => 0,
        }
    }
}

#[cfg(feature = "training")]
impl Program {
    /// The file of a program whose weights are these bytes.
    #[must_use]
    pub fn to_file(&self, weights: &[u8]) -> Vec<u8> {
        let mut header = serde_json::to_vec(self).unwrap_or_default();
        header.resize((header.len() + 8).next_multiple_of(ALIGN) - 8, b' ');
        let mut file = MAGIC.to_vec();
        file.push(self.version());
        file.extend((header.len() as u32).to_le_bytes());
        file.extend(header);
        file.extend(weights);
        file
    }

    /// Adds a weight's bytes and gives its number as an operand.
    pub(crate) fn add_weight(
        &mut self,
        blob: &mut Vec<u8>,
        kind: WeightKind,
        shape: Vec<usize>,
        bytes: impl IntoIterator<Item = u8>,
    ) -> i32 {
        blob.resize(blob.len().next_multiple_of(ALIGN), 0);
        let at = blob.len();
        blob.extend(bytes);
        self.weights.push(Weight { kind, shape, at });
        -(self.weights.len() as i32)
    }
}

impl Prepared {
    /// Reads a prepared file and keeps it.
    pub(crate) fn load(bytes: Vec<u8>) -> Result<Prepared, String> {
        let head = bytes.first_chunk::<8>().ok_or("it is cut short")?;
        if head[..3] != MAGIC || !VERSIONS.contains(&head[3]) {
            return Err("it is no prepared model of a version that is known here".into());
        }
        let version = head[3];
        let len = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        if len > MAX_HEADER {
            return Err(format!(
                "its header has {len} bytes, and the most is {MAX_HEADER}"
            ));
        }
        let start = len.checked_add(8).filter(|&end| end <= bytes.len());
        let start = start.ok_or("it is cut short")?;
        let program: Program =
            serde_json::from_slice(&bytes[8..start]).map_err(|e| format!("its header: {e}"))?;
        if version < program.version() {
            return Err("it was prepared by an earlier version".into());
        }
        let blob = Blob::new(bytes, start);
        let last = last_uses(&program);
        let mut prepared = Prepared {
            pairs: pairs(&program, &last),
            last,
            program,
            blob,
        };
        prepared.check()?;
        prepared.widen()?;
        Ok(prepared)
    }

    /// Makes floats of the weights that are stored in fewer bits, in bytes that take the file's place. Tables of which
    /// rows are picked stay: an input needs few rows of them.
    fn widen(&mut self) -> Result<(), Fault> {
        let Program { weights, steps, .. } = &self.program;
        let mut wide: Vec<Option<Narrow>> = vec![None; weights.len()];
        for step in steps {
            let table = usize::from(matches!(step.op, Op::Rows { .. }));
            for of in step.of.iter().skip(table).filter(|&&of| of < 0) {
                let at = of.unsigned_abs() as usize - 1;
                wide[at] = weights[at].kind.narrow();
            }
        }
        if wide.iter().all(Option::is_none) {
            return Ok(());
        }
        // Weights that share their bytes could make much of a small file.
        let most = WIDER.saturating_mul(self.blob.bytes.len() as u64);
        let mut end = 0u64;
        let mut places = Vec::new();
        for (weight, wide) in weights.iter().zip(&wide) {
            places.push(end as usize);
            let bytes = match wide {
                Some(_) => count(&weight.shape)? * 4,
                None => weight.stored()?,
            };
            end = (end + bytes as u64).next_multiple_of(8);
            if end > most || usize::try_from(end).is_err() {
                return Err("weights share their bytes");
            }
        }
        let mut blob = Blob::zeros(end as usize);
        for (at, (&place, wide)) in places.iter().zip(&wide).enumerate() {
            let from = self.stored(at)?;
            let to = &mut blob.bytes[blob.start + place..];
            let weight = &self.program.weights[at];
            match wide {
                Some(form) => {
                    let to = &mut to[..count(&weight.shape)? * 4];
                    let to = bytemuck::try_cast_slice_mut(to).map_err(|_| UNALIGNED)?;
                    kernels::widen(*form, weight.lanes(), from, 0, to);
                }
                None => to[..from.len()].copy_from_slice(from),
            }
        }
        for ((weight, place), wide) in self.program.weights.iter_mut().zip(places).zip(wide) {
            weight.at = place;
            if wide.is_some() {
                weight.kind = WeightKind::F32;
            }
        }
        self.blob = blob;
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        let Program {
            symbols,
            inputs,
            weights,
            steps,
            output,
        } = &self.program;
        if steps.len().max(weights.len()).max(inputs.len()) > MAX_PARTS || *symbols > 64 {
            return Err("it has too many parts");
        }
        let known = |dim: &Dim| match dim {
            Dim::Number(n) => *n >= 0,
            Dim::Symbol(s) => s < symbols,
            _ => false,
        };
        if !inputs.iter().all(|given| given.dims.iter().all(known)) {
            return Err("an input's length is neither a number nor a symbol");
        }
        for at in 0..weights.len() {
            self.weight(at)?;
        }
        for (at, step) in steps.iter().enumerate() {
            let before = inputs.len() + at;
            let there = |&of: &i32| match usize::try_from(of) {
                Ok(value) => value < before,
                Err(_) => (of.unsigned_abs() as usize) <= weights.len(),
            };
            if !step.of.iter().all(there) || step.of.len() != operands(step)? {
                return Err("a step lacks an operand");
            }
        }
        if *output as usize >= inputs.len() + steps.len() {
            return Err("there is no such output");
        }
        Ok(())
    }

    /// A weight's bytes.
    fn stored(&self, at: usize) -> Result<&[u8], Fault> {
        let weight = self.program.weights.get(at);
        let weight = weight.ok_or("there is no such weight")?;
        let bytes = weight.stored()?;
        let from = self.blob.start.checked_add(weight.at);
        let range = from.and_then(|from| Some(from..from.checked_add(bytes)?));
        range
            .and_then(|range| self.blob.bytes.get(range))
            .ok_or("a weight is not in the file")
    }

    /// One of the weights.
    pub(crate) fn weight(&self, at: usize) -> Result<View<'_>, Fault> {
        let bytes = self.stored(at)?;
        let weight = &self.program.weights[at];
        let unaligned = |_| UNALIGNED;
        Ok(View {
            shape: weight.shape.as_slice().into(),
            data: match weight.kind {
                WeightKind::F32 => {
                    Elements::F32(bytemuck::try_cast_slice(bytes).map_err(unaligned)?)
                }
                WeightKind::I64 => {
                    Elements::I64(bytemuck::try_cast_slice(bytes).map_err(unaligned)?)
                }
                WeightKind::I32 => {
                    Elements::I32(bytemuck::try_cast_slice(bytes).map_err(unaligned)?)
                }
                WeightKind::I8 => Elements::I8(bytemuck::cast_slice(bytes)),
                WeightKind::F16 => Elements::Narrow(Narrow::F16, bytes),
                WeightKind::Q8 => Elements::Narrow(Narrow::Q8, bytes),
                WeightKind::Q4 => Elements::Narrow(Narrow::Q4, bytes),
            },
        })
    }
}

impl Blob {
    /// So many, to be filled.
    fn zeros(len: usize) -> Blob {
        let bytes = vec![0; len + 8];
        let start = bytes.as_ptr().align_offset(8).min(8);
        Blob { bytes, start }
    }

    /// Keeps the bytes where they are, unless no allocation would begin where the weights need it.
    fn new(mut bytes: Vec<u8>, start: usize) -> Blob {
        let off = (bytes.as_ptr() as usize + start) % 8;
        if off == 0 {
            return Blob { bytes, start };
        }
        let shift = 8 - off;
        let len = bytes.len();
        bytes.resize(len + shift, 0);
        // It may have moved, and then it may need another shift; what is left over is never read.
        let off = (bytes.as_ptr() as usize + start) % 8;
        let shift = (8 - off) % 8;
        if len + shift > bytes.len() {
            bytes.resize(len + shift, 0);
        }
        bytes.copy_within(start..len, start + shift);
        Blob {
            bytes,
            start: start + shift,
        }
    }
}

/// How many operands a step takes.
fn operands(step: &Step) -> Result<usize, Fault> {
    let added = |epilogue: &Epilogue| usize::from(epilogue.bias) + usize::from(epilogue.residual);
    Ok(match &step.op {
        Op::MatMul(MatMul {
            right, epilogue, ..
        }) => match right {
            Right::Int8 { .. } => 4 + added(epilogue),
            _ => 2 + added(epilogue),
        },
        Op::Conv(Conv { epilogue, .. }) => 2 + added(epilogue),
        Op::Attention(attention) => {
            usize::from(attention.mask) + if attention.together { 1 } else { 3 }
        }
        Op::LayerNorm { residual, .. } => 3 + usize::from(*residual),
        Op::Rows { scaled } => 2 + usize::from(*scaled),
        Op::Select => 3,
        Op::Binary(_) | Op::Compare(_) | Op::Gather { .. } | Op::RmsNorm { .. } => 2,
        Op::Range { .. } | Op::Length(_) => 0,
        Op::Concat { .. } if step.of.is_empty() => return Err("a step has no operands"),
        Op::Concat { .. } => step.of.len(),
        _ => 1,
    })
}

/// After which step each value is not needed any more.
fn last_uses(program: &Program) -> Vec<Vec<u32>> {
    let values = program.inputs.len() + program.steps.len();
    let mut last: Vec<Vec<u32>> = vec![Vec::new(); program.steps.len()];
    let mut seen = vec![false; values];
    if let Some(seen) = seen.get_mut(program.output as usize) {
        *seen = true;
    }
    for (at, step) in program.steps.iter().enumerate().rev() {
        for value in step.of.iter().filter_map(|&of| usize::try_from(of).ok()) {
            if seen.get(value) == Some(&false) {
                seen[value] = true;
                last[at].push(value as u32);
            }
        }
        // A result that nobody reads.
        let own = program.inputs.len() + at;
        if seen.get(own) == Some(&false) {
            seen[own] = true;
            last[at].push(own as u32);
        }
    }
    last
}

/// The steps that are convolutions which only the next one, their pair, needs.
fn pairs(program: &Program, last: &[Vec<u32>]) -> Vec<Option<Conv>> {
    let pair = |at: usize| {
        let value = program.inputs.len() + at;
        let next = program.steps.get(at + 1)?;
        let given = |of: &i32| usize::try_from(*of) == Ok(value);
        let own = next.of.iter().position(given) == Some(0) && !next.of[1..].iter().any(given);
        let first = convolution(&program.steps[at].op)?;
        let Op::Conv(second) = &next.op else {
            return None;
        };
        let alone = own && last[at + 1].contains(&(value as u32));
        (alone && first.fuses_with(second)).then_some(first)
    };
    (0..program.steps.len()).map(pair).collect()
}

/// An operator as a convolution, where it is one: also a product with all pixels of an image.
fn convolution(op: &Op) -> Option<Conv> {
    match op {
        Op::Conv(conv) => Some(conv.clone()),
        Op::MatMul(MatMul {
            left,
            right: Right::Packed { n, .. },
            result,
            scale,
            epilogue,
        }) => {
            let pixels = left.len() == 4 && left.starts_with(result.as_str()) && result.len() == 3;
            let windows = Windows {
                kernel: [1; 2],
                stride: [1; 2],
                dilation: [1; 2],
                before: [0; 2],
                after: [0; 2],
            };
            (pixels && n.len() == 1 && *scale == 1.0).then(|| Conv {
                windows,
                outputs: n[0],
                depthwise: false,
                epilogue: *epilogue,
            })
        }
        _ => None,
    }
}
