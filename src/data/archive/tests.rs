use std::cell::Cell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use super::*;

/// Small enough that a test can go beyond each.
const SMALL: Limits = Limits {
    total: 1 << 20,
    model: 256 << 10,
    entries: 50,
    header: 4 << 10,
};

type Tar = Builder<GzEncoder<Vec<u8>>>;

fn packed(fill: impl FnOnce(&mut Tar)) -> Vec<u8> {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    fill(&mut tar);
    tar.into_inner().unwrap().finish().unwrap()
}

/// An entry under any name, also one that the builder would refuse.
fn add(tar: &mut Tar, kind: EntryType, name: &str, bytes: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append(&header, bytes).unwrap();
}

fn file(tar: &mut Tar, name: &str, bytes: &[u8]) {
    add(tar, EntryType::Regular, name, bytes);
}

fn refused(packed: &[u8]) -> String {
    let error = model("model.tar.gz", packed, &SMALL).unwrap_err();
    assert_eq!(error.code(), Code::InvalidData);
    let message = error.to_string();
    assert!(message.starts_with("model.tar.gz: "), "{message}");
    assert!(message.len() < 4000, "{} bytes", message.len());
    message
}

/// Counts what is read of it.
struct Counted<R>(R, Rc<Cell<usize>>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(buffer)?;
        self.1.set(self.1.get() + n);
        Ok(n)
    }
}

#[test]
fn the_model_is_found_under_short_and_long_names() {
    let long = format!("{}/model.onnx", "folder".repeat(30));
    for name in ["model.onnx", "./model.onnx", "a/b/model.ONNX", &long] {
        let packed = packed(|tar| {
            file(tar, "code/inference.py", b"print()");
            let mut header = Header::new_gnu();
            header.set_size(3);
            tar.append_data(&mut header, name, &b"abc"[..]).unwrap();
        });
        let found = model("m", &packed[..], &SMALL).unwrap();
        assert_eq!(found.onnx, b"abc", "{name}");
        assert!(found.name.ends_with(name.trim_start_matches("./")));
        assert!(found.ignored.is_empty());
    }
    // As Python's tarfile and other writers of PAX do.
    let packed = packed(|tar| {
        let records = [("path", long.as_bytes()), ("mtime", b"1.5"), ("size", b"3")];
        tar.append_pax_extensions(records).unwrap();
        file(tar, "short.onnx", b"abc");
    });
    assert_eq!(model("m", &packed[..], &SMALL).unwrap().name, long);
}

#[test]
fn what_unpacks_to_too_much_is_left_while_it_is_read() {
    let zeros = vec![0; 8 << 20];
    for name in ["data.bin", "model.onnx"] {
        let packed = packed(|tar| file(tar, name, &zeros));
        assert!(packed.len() < 20_000);
        let message = refused(&packed);
        assert!(
            message.contains("the most is") || message.contains("more than"),
            "{message}"
        );
    }
    // Reading ends at the bound, wherever the end of the archive is.
    let read = Rc::new(Cell::new(0));
    let endless = GzEncoderOfZeros::new();
    let error = model("m", Counted(endless, read.clone()), &SMALL).unwrap_err();
    assert!(error.to_string().contains("1048576"), "{error}");
    assert!(read.get() < 100_000, "{} bytes were read", read.get());
}

/// A tar.gz without end: a file said to have a terabyte, and zeros.
struct GzEncoderOfZeros {
    gzip: GzEncoder<Vec<u8>>,
    at: usize,
}

impl GzEncoderOfZeros {
    fn new() -> Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..4].copy_from_slice(b"data");
        header.set_size(1 << 40);
        header.set_cksum();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(header.as_bytes()).unwrap();
        GzEncoderOfZeros { gzip, at: 0 }
    }
}

impl Read for GzEncoderOfZeros {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.gzip.get_ref().len() < self.at + buffer.len() {
            self.gzip.write_all(&[0; 1 << 16])?;
            self.gzip.flush()?;
        }
        let made = &self.gzip.get_ref()[self.at..];
        buffer.copy_from_slice(&made[..buffer.len()]);
        self.at += buffer.len();
        Ok(buffer.len())
    }
}

#[test]
fn a_header_that_extends_another_is_bounded_whatever_its_kind() {
    for kind in [
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
    ] {
        let packed = packed(|tar| {
            add(tar, kind, "long", &vec![b'a'; 512 << 10]);
            file(tar, "model.onnx", b"abc");
        });
        let message = refused(&packed);
        assert!(
            message.contains("entry 1 is a header of 524288 bytes"),
            "{message}"
        );
    }
    // Many that extend nothing are entries like others.
    let packed = packed(|tar| {
        for _ in 0..60 {
            add(tar, EntryType::GNULongName, "long", b"name");
        }
    });
    assert!(refused(&packed).contains("more than 50 entries"));
}

#[test]
fn a_second_model_ends_it_with_both_names() {
    let read = Rc::new(Cell::new(0));
    // What cannot be compressed: how much of it was read is how much was unpacked.
    let mut state = 1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    let noise: Vec<u8> = (0..200_000).map(|_| next()).collect();
    let packed = packed(|tar| {
        file(tar, "first.onnx", b"abc");
        file(tar, "second.onnx", &noise);
        file(tar, "third.onnx", &noise);
    });
    let error = model("m", Counted(&packed[..], read.clone()), &SMALL).unwrap_err();
    let message = error.to_string();
    for word in [
        "two .onnx files",
        "first.onnx",
        "second.onnx",
        "import the one",
    ] {
        assert!(message.contains(word), "{message}");
    }
    assert!(
        read.get() < packed.len() / 2,
        "{} of {}",
        read.get(),
        packed.len()
    );
}

#[test]
fn entries_outside_links_and_parts_are_refused_by_name() {
    for name in [
        "../model.onnx",
        "a/../../b.txt",
        "/etc/model.onnx",
        "..\\model.onnx",
        "C:\\model.onnx",
        "\\model.onnx",
    ] {
        let message = refused(&packed(|tar| file(tar, name, b"abc")));
        assert!(
            message.contains("outside") && message.contains(name),
            "{message}"
        );
    }
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Fifo,
        EntryType::Char,
    ] {
        let message = refused(&packed(|tar| add(tar, kind, "model.onnx", b"")));
        assert!(message.contains("a link or a device"), "{message}");
        let packed = packed(|tar| {
            add(tar, kind, "other", b"");
            file(tar, "model.onnx", b"abc");
        });
        let found = model("m", &packed[..], &SMALL).unwrap();
        assert_eq!(found.ignored, ["other: a link or a device"]);
    }
    let sparse = packed(|tar| add(tar, EntryType::GNUSparse, "model.onnx", b"abc"));
    assert!(refused(&sparse).contains("--sparse"));
    for record in [("GNU.sparse.major", "1"), ("size", "4"), ("size", "x")] {
        let packed = packed(|tar| {
            tar.append_pax_extensions([(record.0, record.1.as_bytes())])
                .unwrap();
            file(tar, "model.onnx", b"abc");
        });
        assert!(refused(&packed).contains("--sparse"), "{record:?}");
    }
}

#[test]
fn what_macos_adds_is_no_second_model() {
    let packed = packed(|tar| {
        file(tar, "./._model.onnx", b"attributes");
        file(tar, "./model.onnx", b"abc");
    });
    let found = model("m", &packed[..], &SMALL).unwrap();
    assert_eq!(found.onnx, b"abc");
    assert!(found.ignored[0].contains("macOS"), "{:?}", found.ignored);
}

#[test]
fn an_archive_without_a_model_lists_some_of_what_it_has() {
    let message = refused(&packed(|tar| {
        for at in 0..40 {
            file(tar, &format!("{at}-{}", "n".repeat(90)), b"x");
        }
    }));
    assert!(
        message.contains("and 20 more") && message.contains("skl2onnx"),
        "{message}"
    );
    assert!(refused(&packed(|_| {})).contains("but nothing"));
}

#[test]
fn damage_anywhere_is_an_error_and_no_panic() {
    let whole = packed(|tar| {
        tar.append_pax_extensions([("path", &b"long.onnx"[..])])
            .unwrap();
        file(tar, "model.onnx", &[7; 600]);
    });
    assert!(model("m", &whole[..], &SMALL).is_ok());
    for cut in 0..whole.len() - 9 {
        // Of the blocks of zeros at the end some may be missing.
        if let Err(error) = model("m", &whole[..cut], &SMALL) {
            assert_eq!(error.code(), Code::InvalidData);
        }
    }
    assert!(model("m", &whole[..whole.len() / 2], &SMALL).is_err());
    // Damage behind the checksum of gzip, which is there to be got past.
    let mut tar = Vec::new();
    GzDecoder::new(&whole[..]).read_to_end(&mut tar).unwrap();
    for at in 0..tar.len() {
        let mut tar = tar.clone();
        tar[at] ^= 0x5a;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
        gzip.write_all(&tar).unwrap();
        let _ = model("m", &gzip.finish().unwrap()[..], &SMALL);
    }
    for bad in [&b""[..], b"<html>", b"\x1f\x8b"] {
        assert!(model("m", bad, &SMALL).is_err());
    }
}
