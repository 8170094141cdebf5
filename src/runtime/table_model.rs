//! Models of tables: a row's columns in, by the names of the model's inputs, and numbers out.

use std::sync::{Mutex, PoisonError};

use super::numbers::{failed, unfit, values};
use crate::bundle::{Column, ColumnKind, Given};
use crate::engine::Session;
use crate::engine::tensors::{Data, Length, Port, Tensor, Type};
use crate::error::{Code, Error, Result, excerpt};
use crate::task::kind::{Runs, Values};
use crate::task::{Input, Table};

/// A model of tables that can be run.
pub(super) struct LoadedTable {
    name: String,
    session: Mutex<Session>,
    columns: Vec<Column>,
    inputs: Vec<Fed>,
}

/// What an input is given: these columns, side by side.
struct Fed {
    ty: Type,
    columns: Vec<usize>,
}

impl LoadedTable {
    pub(super) fn load(name: &str, file: Vec<u8>, columns: &[Column]) -> Result<Self> {
        let session = Session::load(name, file)?;
        let ports = session.inputs();
        for column in columns {
            if !ports.iter().any(|port| port.name == column.input()) {
                let there: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
                let why = format!(
                    "has no input \"{}\" for the column \"{}\"; it has {}",
                    excerpt(column.input(), 60),
                    excerpt(&column.name, 60),
                    excerpt(&there.join(", "), 150)
                );
                return Err(unfit(name, &why));
            }
        }
        let inputs = ports.iter().map(|port| fed(name, port, columns));
        let inputs = inputs.collect::<Result<_>>()?;
        Ok(LoadedTable {
            name: name.to_owned(),
            session: Mutex::new(session),
            columns: columns.to_vec(),
            inputs,
        })
    }

    /// All outputs of floats for a row.
    fn values(&self, input: Input<'_>) -> Result<Vec<Values>> {
        let Input::Table(row) = input else {
            let given = input.kind().as_str();
            let why = format!("{} does not read {given}", self.name);
            return Err(Error::new(Code::InputKind, why));
        };
        let feeds = self.inputs.iter().map(|fed| self.feed(fed, row).map(Some));
        let feeds = feeds.collect::<Result<Vec<_>>>()?;
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(feeds)?;
        values(&self.name, &session, outputs)
    }

    /// The scores of a row's labels: the output that is called after probabilities, or the only one.
    pub(super) fn scores(&self, input: Input<'_>) -> Result<Vec<f32>> {
        let mut values = self.values(input)?;
        let named = values.iter().position(|v| v.name.contains("prob"));
        match (named, values.len()) {
            (Some(at), _) => Ok(values.swap_remove(at).numbers),
            (None, 1) => Ok(values.swap_remove(0).numbers),
            (None, count) => Err(failed(
                &self.name,
                &format!(
                    "gives {count} outputs of numbers, and none is called after probabilities"
                ),
            )),
        }
    }

    fn feed(&self, fed: &Fed, row: &Table) -> Result<Tensor> {
        let shape = vec![1, fed.columns.len()];
        let codes = fed.ty != Type::Text;
        let given = fed.columns.iter().map(|&at| {
            let column = &self.columns[at];
            Ok((column, column.given(row, codes)?))
        });
        let given: Vec<(&Column, Given<'_>)> = given.collect::<Result<_>>()?;
        if !codes {
            let texts = given.into_iter().map(|(column, given)| match given {
                Given::Text(text) => Ok(text.to_owned()),
                Given::Number(_) => Err(self.unfit_value(column)),
            });
            let texts = texts.collect::<Result<_>>()?;
            return Ok(Tensor {
                shape,
                data: Data::Text(texts),
            });
        }
        let numbers = given.into_iter().map(|(column, given)| match given {
            Given::Number(number) if !fed.ty.is_float() && number.fract() != 0.0 => {
                let name = excerpt(&column.name, 60);
                Err(Error::new(
                    Code::InputKind,
                    format!("the column \"{name}\" must be a whole number, and is {number}"),
                ))
            }
            Given::Number(number) => Ok(number),
            Given::Text(_) => Err(self.unfit_value(column)),
        });
        let numbers: Vec<f64> = numbers.collect::<Result<_>>()?;
        let data = Data::of_numbers(&numbers, fed.ty);
        let data =
            data.ok_or_else(|| failed(&self.name, "a number is none of the model's type"))?;
        Ok(Tensor { shape, data })
    }

    /// That what the manifest says of a column is not for the model's input.
    fn unfit_value(&self, column: &Column) -> Error {
        let name = excerpt(&column.name, 60);
        unfit(
            &self.name,
            &format!(
                "is given what stands in for a value of the column \"{name}\", which is not of its input's type"
            ),
        )
    }

    /// It, as a kind of task asks it.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked(self)
    }
}

/// The columns of an input, if they are as many as it takes, and of its type.
fn fed(name: &str, port: &Port, columns: &[Column]) -> Result<Fed> {
    let told = |why: &str| {
        unfit(
            name,
            &format!("has the input \"{}\", {why}", excerpt(&port.name, 60)),
        )
    };
    let ty = port.ty.unwrap_or(Type::F32);
    let own = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.input() == port.name);
    let own: Vec<usize> = own.map(|(at, _)| at).collect();
    if own.is_empty() {
        return Err(told("which no column goes into"));
    }
    match port.shape.as_deref() {
        None | Some([_, Length::Named(_) | Length::Any]) => {}
        Some([_, Length::Known(width)]) if *width == own.len() => {}
        Some([_, Length::Known(width)]) => {
            return Err(told(&format!(
                "which takes {width} columns, and is given {}",
                own.len()
            )));
        }
        Some(_) => return Err(told("which is no row of columns")),
    }
    for &at in &own {
        let column = &columns[at];
        let of_texts = column.kind == ColumnKind::Category;
        if (ty == Type::Text) != of_texts && (ty == Type::Text || column.categories.is_none()) {
            let why = format!(
                "which takes {}, and is given the column \"{}\" of {}",
                ty.name(),
                excerpt(&column.name, 60),
                match of_texts {
                    true => "categories that are not listed",
                    false => "numbers",
                }
            );
            return Err(told(&why));
        }
    }
    Ok(Fed { ty, columns: own })
}

/// A loaded model, as a kind of task asks it.
pub(super) struct Asked<'m>(&'m LoadedTable);

impl Runs for Asked<'_> {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn run(&mut self, input: Input<'_>) -> Result<Vec<Values>> {
        self.0.values(input)
    }

    fn gives_probabilities(&self) -> bool {
        false
    }
}
