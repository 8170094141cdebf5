//! A model out of the archive that a training service leaves: a tar packed with gzip.
//!
//! Gzip makes a thousand bytes of one, and a tar may state any size. So all that is unpacked is counted while it is
//! read, and each part that is kept in memory has a bound of its own ([`Limits`]). Nothing is ever written under a
//! name that an archive gives.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::GzDecoder;
use tar::{EntryType, PaxExtensions};

use crate::error::{Code, Error, Result, excerpt};

/// What an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes that all of it may unpack to.
    pub total: u64,
    /// The most bytes of the model.
    pub model: u64,
    /// The most entries, headers that extend others included.
    pub entries: usize,
    /// The most bytes of a header that extends another: a long name, or PAX records.
    pub header: u64,
}

impl Default for Limits {
    /// A model is as large as a file of a bundle may be, 1 GiB; beside it is room for as much again.
    fn default() -> Self {
        Limits {
            total: 2 << 30,
            model: 1 << 30,
            entries: 10_000,
            header: 64 << 10,
        }
    }
}

/// The model of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// Its name in the archive.
    pub name: String,
    /// The file.
    pub onnx: Vec<u8>,
    /// What the archive holds besides and why it was not looked at, an entry a line: links, devices, and the files that
    /// macOS puts beside others.
    pub ignored: Vec<String>,
}

/// How many names an error lists.
const LISTED: usize = 20;

/// The longest name that is printed, in characters.
const MAX_SHOWN: usize = 120;

/// The one `.onnx` file of a `.tar.gz`. `name` is used in errors.
///
/// # Errors
/// [`Code::InvalidData`] when it is no such archive or is damaged, holds no model or a second one, has an entry that lies
/// outside of it, or goes beyond one of the `limits`; the message says which, where, and what to do.
pub fn model(name: &str, packed: impl Read, limits: &Limits) -> Result<Unpacked> {
    let wrong = |what: String| Error::new(Code::InvalidData, format!("{name}: {what}"));
    let unpacked = Bounded {
        inner: GzDecoder::new(packed),
        left: limits.total,
        most: limits.total,
    };
    let mut archive = tar::Archive::new(unpacked);
    let damaged = |e: io::Error| wrong(cause(&e));
    // Raw entries: the reader would take in what extends a header whole, however long it is.
    let entries = archive.entries().map_err(damaged)?.raw(true);
    let mut found: Option<(String, Vec<u8>)> = None;
    let mut names = Vec::new();
    let mut ignored = Vec::new();
    let mut extended = Extended::default();
    for (at, entry) in entries.enumerate() {
        let mut entry = entry.map_err(damaged)?;
        if at >= limits.entries {
            return Err(wrong(format!(
                "it has more than {} entries; pack the model alone",
                limits.entries
            )));
        }
        let kind = entry.header().entry_type();
        let size = entry.size();
        if extends(kind) {
            if size > limits.header {
                return Err(wrong(format!(
                    "entry {} is a header of {size} bytes; the most is {}",
                    at + 1,
                    limits.header
                )));
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(damaged)?;
            extended.read(kind, &bytes).map_err(wrong)?;
            continue;
        }
        let extended = std::mem::take(&mut extended);
        let inner = match extended.path {
            Some(path) => path,
            None => String::from_utf8_lossy(&entry.path_bytes()).into_owned(),
        };
        let shown = excerpt(&inner, MAX_SHOWN);
        if outside(&inner) {
            return Err(wrong(format!(
                "the entry \"{shown}\" lies outside of the archive; pack the model's folder anew"
            )));
        }
        if extended.size.is_some_and(|stated| stated != size) || extended.sparse {
            return Err(wrong(format!(
                "the entry \"{shown}\" is stored in parts or with two sizes; pack it without --sparse"
            )));
        }
        let is_model = inner.to_ascii_lowercase().ends_with(".onnx");
        match kind {
            EntryType::Directory => continue,
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::GNUSparse => {
                return Err(wrong(format!(
                    "the entry \"{shown}\" is stored in parts; pack it without --sparse"
                )));
            }
            _ if is_model => {
                return Err(wrong(format!(
                    "the entry \"{shown}\" is a link or a device, not a file; pack the model itself (tar --dereference)"
                )));
            }
            _ => {
                ignored.push(format!("{shown}: a link or a device"));
                continue;
            }
        }
        // macOS writes what else it knows of a file beside it, under the file's name.
        if file_name(&inner).starts_with("._") {
            ignored.push(format!("{shown}: an attribute file of macOS"));
            continue;
        }
        if !is_model {
            names.push(shown);
            continue;
        }
        if let Some((first, _)) = &found {
            return Err(wrong(format!(
                "it holds two .onnx files, \"{}\" and \"{shown}\"; unpack it and import the one you mean",
                excerpt(first, MAX_SHOWN)
            )));
        }
        if size > limits.model {
            return Err(wrong(format!(
                "{shown} has {size} bytes; the most is {}",
                limits.model
            )));
        }
        let mut onnx = Vec::new();
        entry.read_to_end(&mut onnx).map_err(damaged)?;
        if onnx.len() as u64 != size {
            return Err(wrong(format!(
                "it is cut short in {shown}; fetch or pack it again"
            )));
        }
        found = Some((inner, onnx));
    }
    match found {
        Some((name, onnx)) => Ok(Unpacked {
            name,
            onnx,
            ignored,
        }),
        None => Err(wrong(format!(
            "it holds no .onnx file but {}; export the model as ONNX (skl2onnx for scikit-learn, torch.onnx.export \
             for PyTorch) and pack that",
            listed(&names)
        ))),
    }
}

/// What the headers before an entry say of it.
#[derive(Default)]
struct Extended {
    path: Option<String>,
    size: Option<u64>,
    sparse: bool,
}

impl Extended {
    fn read(&mut self, kind: EntryType, bytes: &[u8]) -> std::result::Result<(), String> {
        if kind.is_gnu_longname() {
            let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
            self.path = Some(String::from_utf8_lossy(&bytes[..end]).into_owned());
        } else if kind.is_pax_local_extensions() {
            for record in PaxExtensions::new(bytes) {
                let record =
                    record.map_err(|_| "it has a PAX record that cannot be read".to_owned())?;
                let value = record.value_bytes();
                match record.key().unwrap_or_default() {
                    "path" => self.path = Some(String::from_utf8_lossy(value).into_owned()),
                    "size" => {
                        let stated = record.value().ok().and_then(|v| v.parse().ok());
                        self.size = Some(stated.unwrap_or(u64::MAX));
                    }
                    key if key.starts_with("GNU.sparse") => self.sparse = true,
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Whether an entry only says something of those after it.
fn extends(kind: EntryType) -> bool {
    kind.is_gnu_longname()
        || kind.is_gnu_longlink()
        || kind.is_pax_local_extensions()
        || kind.is_pax_global_extensions()
}

/// Whether a path would leave the folder that it is unpacked in, on any system.
fn outside(path: &str) -> bool {
    let drive = path.as_bytes().get(1) == Some(&b':');
    path.starts_with(['/', '\\']) || drive || path.split(['/', '\\']).any(|part| part == "..")
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn listed(names: &[String]) -> Cow<'static, str> {
    match names {
        [] => "nothing".into(),
        names if names.len() <= LISTED => names.join(", ").into(),
        names => format!(
            "{} and {} more",
            names[..LISTED].join(", "),
            names.len() - LISTED
        )
        .into(),
    }
}

/// What a reader's error means to whoever packed the archive.
fn cause(e: &io::Error) -> String {
    match e.get_ref().and_then(|e| e.downcast_ref::<TooMuch>()) {
        Some(too_much) => too_much.to_string(),
        None => format!(
            "it is no .tar.gz archive, or is damaged ({})",
            excerpt(&e.to_string(), 200)
        ),
    }
}

/// More came out than may.
#[derive(Debug, thiserror::Error)]
#[error("it unpacks to more than {most} bytes; pack the model alone")]
struct TooMuch {
    most: u64,
}

/// A reader that ends with an error where its bound does.
struct Bounded<R> {
    inner: R,
    left: u64,
    most: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        match self.left.checked_sub(n as u64) {
            Some(left) => {
                self.left = left;
                Ok(n)
            }
            None => Err(io::Error::other(TooMuch { most: self.most })),
        }
    }
}

#[cfg(test)]
mod tests;
