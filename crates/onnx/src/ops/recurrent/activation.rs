//! The functions of recurrent cells.

use smallfirst_kernels::{self as kernels, Activation, Unary};

use crate::fault::{Result, fault};
use crate::op::Decl;

/// A function, with the numbers that it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Function {
    Relu,
    Tanh,
    Sigmoid,
    Affine(f32, f32),
    LeakyRelu(f32),
    ThresholdedRelu(f32),
    ScaledTanh(f32, f32),
    HardSigmoid(f32, f32),
    Elu(f32),
    Softsign,
    Softplus,
}

impl Function {
    pub(super) fn apply(self, x: &mut [f32]) {
        let mut each = |f: &dyn Fn(f32) -> f32| x.iter_mut().for_each(|x| *x = f(*x));
        match self {
            Function::Relu => kernels::activate(x, Activation::Relu),
            Function::Tanh => kernels::activate(x, Activation::Tanh),
            Function::Sigmoid => kernels::activate(x, Activation::Sigmoid),
            Function::Softplus => kernels::unary(Unary::Softplus, x),
            Function::Affine(a, b) => each(&|x| a * x + b),
            Function::LeakyRelu(a) => each(&|x| if x < 0.0 { a * x } else { x }),
            Function::ThresholdedRelu(a) => each(&|x| if x >= a { x } else { 0.0 }),
            Function::ScaledTanh(a, b) => each(&|x| a * (b * x).tanh()),
            Function::HardSigmoid(a, b) => each(&|x| (a * x + b).clamp(0.0, 1.0)),
            Function::Elu(a) => each(&|x| if x < 0.0 { a * x.exp_m1() } else { x }),
            Function::Softsign => each(&|x| x / (1.0 + x.abs())),
        }
    }
}

/// The functions that the attributes name, or else these for each direction.
pub(super) fn functions(
    decl: &Decl<'_>,
    defaults: &[Function],
    directions: usize,
) -> Result<Vec<Function>> {
    let alphas = decl.floats("activation_alpha")?.unwrap_or_default();
    let betas = decl.floats("activation_beta")?.unwrap_or_default();
    let Some(names) = decl.texts("activations")?.filter(|names| !names.is_empty()) else {
        // None of the functions that are there by default has numbers.
        return Ok(defaults.repeat(directions));
    };
    if names.len() != defaults.len() * directions {
        return fault(format!("it names {} functions", names.len()));
    }
    let (mut alpha, mut beta) = (
        Given::new("activation_alpha", &alphas, names.len()),
        Given::new("activation_beta", &betas, names.len()),
    );
    let mut all = Vec::new();
    for (at, name) in names.iter().enumerate() {
        all.push(match name.to_lowercase().as_str() {
            "relu" => Function::Relu,
            "tanh" => Function::Tanh,
            "sigmoid" => Function::Sigmoid,
            "softsign" => Function::Softsign,
            "softplus" => Function::Softplus,
            "affine" => Function::Affine(alpha.of(at, None)?, beta.of(at, None)?),
            "scaledtanh" => Function::ScaledTanh(alpha.of(at, None)?, beta.of(at, None)?),
            "leakyrelu" => Function::LeakyRelu(alpha.of(at, Some(0.01))?),
            // What it is by default, runtimes do not agree on.
            "thresholdedrelu" => Function::ThresholdedRelu(alpha.of(at, None)?),
            "hardsigmoid" => {
                Function::HardSigmoid(alpha.of(at, Some(0.2))?, beta.of(at, Some(0.5))?)
            }
            "elu" => Function::Elu(alpha.of(at, Some(1.0))?),
            _ => return fault(format!("its activation {name} is not supported")),
        });
    }
    alpha.end()?;
    beta.end()?;
    Ok(all)
}

/// Numbers that go to the functions that take one. ONNX does not say whether the others have places too: where it matters, the
/// node is refused.
struct Given<'a> {
    name: &'a str,
    all: &'a [f32],
    /// Whether there is one for each function.
    full: bool,
    used: usize,
    /// Whether both readings gave the same so far.
    agreed: bool,
}

impl<'a> Given<'a> {
    fn new(name: &'a str, all: &'a [f32], functions: usize) -> Self {
        Given {
            name,
            all,
            full: all.len() == functions,
            used: 0,
            agreed: true,
        }
    }

    fn of(&mut self, at: usize, default: Option<f32>) -> Result<f32> {
        let own = self.all.get(self.used).copied();
        self.used += 1;
        if self.full && self.all.get(at).copied() != own {
            self.agreed = false;
        }
        match own.or(default) {
            Some(v) => Ok(v),
            None => fault(format!("its attribute {} has too few numbers", self.name)),
        }
    }

    fn end(&self) -> Result<()> {
        if (self.all.len() > self.used && !self.full) || !self.agreed {
            return fault(format!(
                "it is not clear which functions the numbers of its attribute {} are for",
                self.name
            ));
        }
        Ok(())
    }
}
