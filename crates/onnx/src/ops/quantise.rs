//! Integers with scales.

use crate::fault::Result;
use crate::op::{Decl, Op};

pub(super) fn make(_name: &str, _decl: &Decl<'_>) -> Result<Option<Op>> {
    Ok(None)
}
