//! The linker of the wasm modules: rust-lld, with some registrations left out.
//!
//! tract registers its named model transforms before `main`, among them those that read and write NNEF. Nothing in a
//! module calls them by name, but a constructor is always kept, and with it all that it refers to: a parser, a loader
//! and a writer of NNEF, and a deserialiser for every transform's options. So those constructors are struck out of the
//! list in the compiled object (its "linking" section), and the linker then collects what they alone referred to.
//! https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md describes the section.

use std::borrow::Cow;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wasm_encoder::{CustomSection, Encode, Module, RawSection};
use wasmparser::{BinaryReader, KnownCustom, Linking, Parser, Payload, SymbolInfo};

use crate::run::{command, output, run};
use crate::tools::rustlib;

/// What rustc says first to a linker of this kind.
pub const FIRST: &str = "-flavor";

/// The options that make rustc link with this program.
pub fn options() -> Result<Vec<OsString>> {
    let mut linker = OsString::from("linker=");
    linker.push(env::current_exe()?);
    Ok(vec![
        "-C".into(),
        linker,
        "-C".into(),
        "linker-flavor=wasm-ld".into(),
    ])
}

/// Links as rust-lld does.
pub fn link(args: Vec<OsString>) -> Result<()> {
    for arg in &args {
        let path = Path::new(arg);
        if path.extension().is_some_and(|e| e == "o") {
            let object =
                fs::read(path).with_context(|| format!("{} is missing", path.display()))?;
            if let Some(object) = without_registrations(&object)? {
                fs::write(path, object)?;
            }
        }
    }
    run(command(lld()?).args(args))
}

/// The linker that comes with rustc.
fn lld() -> Result<PathBuf> {
    let about = output(command("rustc").arg("-vV")).context("rustc is missing")?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    let tools = rustlib(host.context("rustc does not say what it runs on")?)?.join("bin");
    Ok(tools.join(format!("rust-lld{}", env::consts::EXE_SUFFIX)))
}

/// Whether a constructor registers what no page can reach. Names may be mangled either way: both contain the parts of the
/// path, each behind its length.
fn unreachable(constructor: &str) -> bool {
    const TRANSFORMS: [&str; 3] = ["9transform", "8batchify", "4nhwc"];
    constructor.contains("10tract_nnef")
        || constructor.contains("10tract_core")
            && TRANSFORMS.iter().any(|module| constructor.contains(module))
}

/// The subsection that lists constructors.
const INIT_FUNCS: u8 = 6;

/// The object without unreachable constructors, if it has any.
fn without_registrations(object: &[u8]) -> Result<Option<Vec<u8>>> {
    if !object.starts_with(b"\0asm") {
        return Ok(None);
    }
    let mut module = Module::new();
    let mut struck = 0;
    for payload in Parser::new(0).parse_all(object) {
        let payload = payload?;
        if let Payload::CustomSection(section) = &payload
            && let KnownCustom::Linking(linking) = section.as_known()
        {
            let mut names = Vec::new();
            for part in linking.subsections() {
                if let Linking::SymbolTable(symbols) = part? {
                    for symbol in symbols {
                        names.push(match symbol? {
                            SymbolInfo::Func { name, .. } => name.unwrap_or_default(),
                            _ => "",
                        });
                    }
                }
            }
            let unreachable =
                |symbol: u32| names.get(symbol as usize).is_some_and(|n| unreachable(n));
            let mut data = Vec::new();
            let mut reader = BinaryReader::new(section.data(), section.data_offset());
            reader.read_var_u32()?.encode(&mut data);
            while !reader.eof() {
                let id = reader.read_u8()?;
                let length = reader.read_var_u32()? as usize;
                let mut body = reader.read_bytes(length)?.to_vec();
                if id == INIT_FUNCS {
                    let mut list = BinaryReader::new(&body, 0);
                    let mut remaining = Vec::new();
                    for _ in 0..list.read_var_u32()? {
                        let constructor = (list.read_var_u32()?, list.read_var_u32()?);
                        match unreachable(constructor.1) {
                            true => struck += 1,
                            false => remaining.push(constructor),
                        }
                    }
                    body = Vec::new();
                    remaining.len().encode(&mut body);
                    for (priority, symbol) in remaining {
                        priority.encode(&mut body);
                        symbol.encode(&mut body);
                    }
                }
                data.push(id);
                body.encode(&mut data);
            }
            module.section(&CustomSection {
                name: Cow::Borrowed(section.name()),
                data: Cow::Owned(data),
            });
        } else if let Some((id, range)) = payload.as_section() {
            module.section(&RawSection {
                id,
                data: &object[range],
            });
        }
    }
    eprintln!("left out {struck} registrations");
    Ok((struck > 0).then(|| module.finish()))
}
