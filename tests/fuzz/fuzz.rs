//! What libFuzzer calls: the target that `SMALLFIRST_FUZZ` names.

#![no_main]

use std::sync::OnceLock;

mod targets;

static READ: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let read = READ.get_or_init(|| {
        let name = std::env::var("SMALLFIRST_FUZZ").unwrap_or_default();
        targets::named(&name).read
    });
    read(data);
});
