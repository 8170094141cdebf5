//! What libFuzzer calls: the target that `SMALLFIRST_FUZZ` names.

#![no_main]

use std::sync::OnceLock;

mod targets;

static READ: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let read = READ.get_or_init(|| {
        // libFuzzer's own hook ends the process at every panic, also at those of a library that the reader makes an error of.
        std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
        let name = std::env::var("SMALLFIRST_FUZZ").unwrap_or_default();
        targets::named(&name).read
    });
    if std::panic::catch_unwind(|| read(data)).is_err() {
        std::process::abort();
    }
});
