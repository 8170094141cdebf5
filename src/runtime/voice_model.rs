//! Models that hear a sound window by window: silero's, in the forms that there are of them. What differs is how the state is
//! parted, whether the rate is an input, and whether a window has some of the samples before it in front.

use std::sync::{Mutex, PoisonError};

use smallfirst_sound::{SoundProcessor, VoiceState};

use super::numbers::{failed, floats, unfit};
use crate::engine::Session;
use crate::engine::tensors::{Length, Port, Tensor, Type, count};
use crate::error::{Code, Result, excerpt};
use crate::task::kind::Hears;

/// The most numbers of a state.
const MAX_STATE: usize = 1 << 16;

/// A voice detector that can be run.
pub(super) struct LoadedVoice {
    name: String,
    session: Mutex<Session>,
    rate: u32,
    inputs: Vec<Role>,
    /// Which output is the probability.
    probability: usize,
    /// How many numbers the state has.
    state: usize,
    /// Whether a window has the samples before it in front.
    context: bool,
}

/// What an input is given.
enum Role {
    Window(Type),
    Rate(Type, Vec<usize>),
    State(State),
}

/// A part of the state.
struct State {
    ty: Type,
    shape: Vec<usize>,
    /// Where it begins among all of the state's numbers, and how many it has.
    at: usize,
    len: usize,
    /// The output that it is after a window.
    output: usize,
}

impl LoadedVoice {
    pub(super) fn new(name: &str, session: Session, processor: &SoundProcessor) -> Result<Self> {
        let rate = match *processor {
            SoundProcessor::Samples {
                rate: rate @ (8_000 | 16_000),
                normalise: false,
            } => rate,
            _ => {
                let why = "keeps a state, and such a model hears samples as they are, at a rate of 8000 or 16000";
                return Err(unfit(name, why));
            }
        };
        let mut inputs = Vec::new();
        let (mut state, mut windows, mut rates) = (0, Vec::new(), 0);
        for port in session.inputs() {
            let ty = port.ty.unwrap_or(Type::F32);
            inputs.push(match port.name.as_str() {
                "sr" => {
                    rates += 1;
                    Role::Rate(ty, known(port).unwrap_or_default())
                }
                "state" | "h" | "c" if ty.is_float() => {
                    let part = part(name, &session, port, state)?;
                    state += part.len;
                    Role::State(part)
                }
                _ if ty.is_float() => {
                    windows.push(port.clone());
                    Role::Window(ty)
                }
                other => {
                    let why = format!(
                        "has the input \"{}\" of {}, and a voice detector takes a window, `sr` and `state`, or `h` and `c`",
                        excerpt(other, 60),
                        ty.name()
                    );
                    return Err(unfit(name, &why));
                }
            });
        }
        let [window] = &windows[..] else {
            let why = format!(
                "has {} inputs for windows; a voice detector has one",
                windows.len()
            );
            return Err(unfit(name, &why));
        };
        if state == 0 {
            return Err(unfit(
                name,
                "has no state (`state`, or `h` and `c`), and a voice detector has one",
            ));
        }
        if rates == 0 && rate != 16_000 {
            return Err(unfit(name, "has no input `sr`, so it hears at 16000 alone"));
        }
        // Version 4, whose state is parted in two of two layers, takes new samples only.
        let version4 = inputs.iter().any(|role| match role {
            Role::State(part) => part.shape[0] == 2 && part.len < state,
            _ => false,
        });
        let context = match (window.shape.as_deref(), rate) {
            (Some([_, Length::Known(576)]), 16_000) | (Some([_, Length::Known(288)]), 8_000) => {
                true
            }
            (Some([_, Length::Known(512)]), 16_000) | (Some([_, Length::Known(256)]), 8_000) => {
                false
            }
            (Some([_, Length::Known(other)]), _) => {
                let why = format!(
                    "takes windows of {other} samples, which no version of silero does at {rate} Hz"
                );
                return Err(unfit(name, &why));
            }
            _ => !version4,
        };
        let kept = |at: usize| {
            let of_state = |role: &Role| matches!(role, Role::State(part) if part.output == at);
            inputs.iter().any(of_state)
        };
        let free: Vec<usize> = (0..session.outputs().len())
            .filter(|&at| !kept(at))
            .collect();
        let [probability] = free[..] else {
            let why = format!(
                "has {} outputs beside its state, and a voice detector has one",
                free.len()
            );
            return Err(unfit(name, &why));
        };
        Ok(LoadedVoice {
            name: name.to_owned(),
            session: Mutex::new(session),
            rate,
            inputs,
            probability,
            state,
            context,
        })
    }

    /// It, as a kind of task asks it.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked(self)
    }
}

/// A part of the state, with the output that it is after a window.
fn part(name: &str, session: &Session, port: &Port, at: usize) -> Result<State> {
    let told = |why: &str| unfit(name, &format!("has the state \"{}\", {why}", port.name));
    let shape = known(port).filter(|shape| !shape.is_empty());
    let shape = shape.ok_or_else(|| told("and does not say how long it is"))?;
    let len = count(&shape)
        .ok()
        .filter(|len| (1..=MAX_STATE).contains(len));
    let len = len.ok_or_else(|| told("which is too large"))?;
    let after = [format!("{}N", port.name), format!("{}n", port.name)];
    let output = session
        .outputs()
        .iter()
        .position(|output| after.contains(&output.name));
    Ok(State {
        ty: port.ty.unwrap_or(Type::F32),
        shape,
        at,
        len,
        output: output.ok_or_else(|| told("and no output of it after a window"))?,
    })
}

/// The lengths of an input, where those that may differ are of one sound.
fn known(port: &Port) -> Option<Vec<usize>> {
    let length = |length: &Length| match length {
        Length::Known(n) => *n,
        Length::Named(_) | Length::Any => 1,
    };
    Some(port.shape.as_ref()?.iter().map(length).collect())
}

/// A loaded model, as a kind of task asks it.
pub(super) struct Asked<'m>(&'m LoadedVoice);

impl Hears for Asked<'_> {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn rate(&self) -> u32 {
        self.0.rate
    }

    fn hear(&mut self, window: &[f32], state: &mut VoiceState) -> Result<f32> {
        let model = self.0;
        state.0.resize(model.state, 0.0);
        let window = match model.context {
            true => window,
            // An eighth of the new samples is in front of them.
            false => &window[window.len() / 9..],
        };
        let feeds = model.inputs.iter().map(|role| {
            Some(match role {
                Role::Window(ty) => floats(vec![1, window.len()], window.to_vec(), *ty),
                Role::Rate(ty, shape) if ty.is_float() => {
                    floats(shape.clone(), vec![model.rate as f32], *ty)
                }
                Role::Rate(_, shape) => Tensor::i64(shape.clone(), vec![i64::from(model.rate)]),
                Role::State(part) => {
                    let numbers = state.0[part.at..part.at + part.len].to_vec();
                    floats(part.shape.clone(), numbers, part.ty)
                }
            })
        });
        let mut session = model.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(feeds.collect())?;
        let numbers = |at: usize| {
            outputs[at]
                .floats()
                .map_err(|why| failed(&model.name, &why.0))
        };
        for role in &model.inputs {
            let Role::State(part) = role else { continue };
            let after = numbers(part.output)?;
            if after.len() != part.len || after.iter().any(|v| !v.is_finite()) {
                return Err(failed(
                    &model.name,
                    "its state is of another length, or not finite",
                ));
            }
            state.0[part.at..part.at + part.len].copy_from_slice(&after);
        }
        match numbers(model.probability)?[..] {
            [one] if (0.0..=1.0).contains(&one) => Ok(one),
            _ => Err(crate::error::Error::new(
                Code::ModelOutput,
                format!("{} gave no probability for a window", model.name),
            )),
        }
    }
}
