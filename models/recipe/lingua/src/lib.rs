//! Empty: this crate exists so that cargo fetches the pinned language data named in Cargo.toml.
