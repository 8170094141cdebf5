//! An archive that a training service left. The first byte says whether what follows is packed already: most of what there
//! is to get wrong lies in the tar inside.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use smallfirst::data::archive::{Limits, model};

use super::Target;

/// An archive is one model, or there is an error that says what is wrong.
pub const ARCHIVE: Target = Target {
    name: "archive",
    read,
    choice: 1,
    seeds,
    most: 16 << 10,
    words: &[
        "ustar\0",
        "ustar  \0",
        "model.onnx",
        "../x.onnx",
        "././@LongLink",
        "path=",
        "size=",
        "0000644\0",
        "00000000010\0",
    ],
};

const LIMITS: Limits = Limits {
    total: 4 << 20,
    model: 1 << 20,
    entries: 1000,
    header: 16 << 10,
};

fn read(data: &[u8]) {
    let [packed, rest @ ..] = data else { return };
    let bytes = if *packed % 2 == 0 {
        rest.to_vec()
    } else {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(rest).expect("in memory");
        gzip.finish().expect("in memory")
    };
    // In pieces, as a file is read.
    let pieces = bytes
        .chunks(1000)
        .fold(Box::new(std::io::empty()) as Box<dyn Read>, |all, piece| {
            Box::new(all.chain(piece))
        });
    let one = model("a.tar.gz", &bytes[..], &LIMITS);
    if let Ok(unpacked) = &one {
        assert!(unpacked.onnx.len() as u64 <= LIMITS.model);
        assert!(unpacked.name.len() as u64 <= LIMITS.header);
    }
    if bytes.len() < 20_000 {
        assert_eq!(one.ok(), model("a.tar.gz", pieces, &LIMITS).ok());
    }
}

/// A tar of these names and sizes, of the older format and the newer ones.
fn tar(entries: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, kind, content) in entries {
        let mut header = [0u8; 512];
        let name = &name.as_bytes()[..name.len().min(100)];
        header[..name.len()].copy_from_slice(name);
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = *kind;
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend(header);
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.extend([0; 1024]);
    out
}

fn seeds() -> Vec<Vec<u8>> {
    let one = tar(&[("model.onnx", b'0', b"onnx")]);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&one).expect("in memory");
    let packed = gzip.finish().expect("in memory");
    let all = [
        one,
        tar(&[
            ("a/", b'5', b""),
            ("a/README", b'0', b"text"),
            ("a/model.onnx", b'0', b"onnx"),
            ("._model.onnx", b'0', b"x"),
        ]),
        tar(&[
            ("././@LongLink", b'L', b"a/long/name/model.onnx\0"),
            ("short", b'0', b"onnx"),
        ]),
        tar(&[
            ("pax", b'x', b"19 path=model.onnx\n11 size=4\n"),
            ("short", b'0', b"onnx"),
        ]),
        tar(&[
            ("pax", b'g', b"11 size=4\n"),
            ("x", b'1', b""),
            ("../model.onnx", b'0', b"onnx"),
        ]),
        tar(&[("a.onnx", b'0', b"1"), ("b.onnx", b'0', b"2")]),
    ];
    let mut seeds: Vec<Vec<u8>> = all.iter().map(|tar| [b"\x01", &tar[..]].concat()).collect();
    seeds.push([b"\x00", &packed[..]].concat());
    seeds
}
