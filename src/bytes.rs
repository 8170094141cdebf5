//! Bytes of a file to tensors.

mod windows;

pub use windows::Windows;
