//! The kernels' benchmarks, for `cargo xtask bench`.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::engine::kernels::bench::{Bench, cases};

/// What can be measured: `[{ name, flops }]`, with the operations of one call.
#[wasm_bindgen(js_name = kernelCases)]
#[must_use]
pub fn kernel_cases() -> Array {
    let case = |case: crate::engine::kernels::bench::Case| {
        let object = Object::new();
        for (key, value) in [
            ("name", JsValue::from_str(case.name)),
            ("flops", case.flops.into()),
        ] {
            // Setting a property of a fresh object cannot fail.
            let _ = Reflect::set(&object, &JsValue::from_str(key), &value);
        }
        object
    };
    cases().into_iter().map(case).collect()
}

/// One of them, ready to run.
#[wasm_bindgen]
pub struct KernelBench {
    bench: Bench,
}

#[wasm_bindgen]
impl KernelBench {
    /// The case of this number.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(case: usize) -> Self {
        KernelBench {
            bench: Bench::new(case),
        }
    }

    /// Runs it so many times. The sum keeps the work from being optimised away.
    pub fn run(&mut self, times: u32) -> f32 {
        self.bench.run(times)
    }
}
