//! The codecs of pages. Each unpacks no more than it is allowed to, whatever the page says it has.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use lz4_flex::block::DecompressError;
use parquet::basic::Compression;

/// What is read, in words.
pub(super) const READ: &str = "none, snappy, gzip, zstd, lz4_raw, lz4 and brotli";

/// The most that a byte of LZ4 unpacks to.
const LZ4_MOST: usize = 255;

/// The bytes of a brotli decoder's buffer.
const BUFFER: usize = 4 << 10;

/// How a frame of LZ4 begins.
const LZ4_FRAME: [u8; 4] = 0x184d_2204_u32.to_le_bytes();

/// Why a page is not unpacked.
#[derive(Debug)]
pub(super) enum Unpacked {
    /// It has more than is allowed.
    TooMuch,
    Damaged(String),
    Unknown,
}

fn damaged(e: impl ToString) -> Unpacked {
    Unpacked::Damaged(e.to_string())
}

/// Adds what `packed` holds to `out`, which has `most` bytes in the end at the most.
pub(super) fn unpack(
    compression: Compression,
    packed: &[u8],
    most: usize,
    out: &mut Vec<u8>,
) -> Result<(), Unpacked> {
    match compression {
        Compression::SNAPPY => {
            let len = snap::raw::decompress_len(packed).map_err(damaged)?;
            if out.len().saturating_add(len) > most {
                return Err(Unpacked::TooMuch);
            }
            let found = snap::raw::Decoder::new().decompress_vec(packed);
            out.extend(found.map_err(damaged)?);
            Ok(())
        }
        Compression::GZIP(_) => stream(MultiGzDecoder::new(packed), most, out),
        Compression::BROTLI(_) => {
            let decoder = brotli_decompressor::Decompressor::new(packed, BUFFER);
            stream(decoder, most, out)
        }
        Compression::ZSTD(_) => zstd(packed, most, out),
        Compression::LZ4_RAW => lz4(packed, most, out),
        Compression::LZ4 => old_lz4(packed, most, out),
        _ => Err(Unpacked::Unknown),
    }
}

/// Reads to the end, or to the first byte that is too much.
fn stream(reader: impl Read, most: usize, out: &mut Vec<u8>) -> Result<(), Unpacked> {
    let left = most.saturating_sub(out.len());
    let read = reader.take(left as u64 + 1).read_to_end(out);
    match read {
        Ok(read) if read > left => Err(Unpacked::TooMuch),
        Ok(_) => Ok(()),
        Err(e) => Err(damaged(e)),
    }
}

/// All frames of Zstandard, one after the other.
fn zstd(mut packed: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), Unpacked> {
    while !packed.is_empty() {
        let decoder = ruzstd::decoding::StreamingDecoder::new(&mut packed).map_err(damaged)?;
        stream(decoder, most, out)?;
    }
    Ok(())
}

/// One block of LZ4. It does not say what it unpacks to, but that is bounded by its length.
fn lz4(packed: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), Unpacked> {
    let before = out.len();
    let left = most.saturating_sub(before);
    let room = packed.len().saturating_mul(LZ4_MOST).min(left);
    out.resize(before + room, 0);
    let found = lz4_flex::block::decompress_into(packed, &mut out[before..]);
    let found = found.map_err(|e| match e {
        DecompressError::OutputTooSmall { .. } if room == left => Unpacked::TooMuch,
        e => damaged(e),
    });
    out.truncate(before + *found.as_ref().unwrap_or(&0));
    out.shrink_to_fit();
    found.map(|_| ())
}

/// What was called LZ4 before it was agreed on: Hadoop's blocks, each after the lengths of what it unpacks to and of
/// itself; a frame; or a block alone. As Arrow does it, each is tried.
fn old_lz4(packed: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), Unpacked> {
    if packed.starts_with(&LZ4_FRAME) {
        return stream(lz4_flex::frame::FrameDecoder::new(packed), most, out);
    }
    let before = out.len();
    match hadoop(packed, most, out) {
        Some(read) => read,
        None => {
            out.truncate(before);
            lz4(packed, most, out)
        }
    }
}

/// Nothing where this is something else.
fn hadoop(mut packed: &[u8], most: usize, out: &mut Vec<u8>) -> Option<Result<(), Unpacked>> {
    while !packed.is_empty() {
        let (len, rest) = packed.split_first_chunk::<4>()?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let (block, rest) = rest.split_at_checked(u32::from_be_bytes(*size) as usize)?;
        let before = out.len();
        match lz4(block, most, out) {
            Ok(()) if out.len() - before == u32::from_be_bytes(*len) as usize => {}
            Err(Unpacked::TooMuch) => return Some(Err(Unpacked::TooMuch)),
            _ => return None,
        }
        packed = rest;
    }
    Some(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(compression: Compression, packed: &[u8], most: usize) -> Result<Vec<u8>, Unpacked> {
        let mut out = b"levels".to_vec();
        unpack(compression, packed, most, &mut out).map(|()| out)
    }

    fn hadoop_blocks(parts: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for part in parts {
            let block = lz4_flex::block::compress(part);
            out.extend((part.len() as u32).to_be_bytes());
            out.extend((block.len() as u32).to_be_bytes());
            out.extend(block);
        }
        out
    }

    #[test]
    fn every_form_of_lz4_is_read_and_bounded() {
        let text = b"some text, some text, some text, some text".repeat(20);
        let raw = lz4_flex::block::compress(&text);
        let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
        std::io::Write::write_all(&mut frame, &text).unwrap();
        let frame = frame.finish().unwrap();
        let blocks = hadoop_blocks(&[&text[..100], &text[100..]]);
        let whole = [b"levels", &text[..]].concat();
        for (compression, packed) in [
            (Compression::LZ4_RAW, &raw),
            (Compression::LZ4, &raw),
            (Compression::LZ4, &frame),
            (Compression::LZ4, &blocks),
        ] {
            assert_eq!(unpacked(compression, packed, whole.len()).unwrap(), whole);
            let least = unpacked(compression, packed, whole.len() - 1);
            assert!(matches!(least, Err(Unpacked::TooMuch)), "{least:?}");
            assert!(unpacked(compression, &packed[..packed.len() / 2], 1 << 20).is_err());
        }
    }

    #[test]
    fn frames_of_zstd_are_read_one_after_the_other_and_bounded_together() {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let frame = |text: &[u8]| ruzstd::encoding::compress_to_vec(text, level);
        let frames = [frame(b"one and "), frame(b"two")].concat();
        let whole = b"levelsone and two";
        let zstd = Compression::ZSTD(Default::default());
        assert_eq!(unpacked(zstd, &frames, whole.len()).unwrap(), whole);
        let least = unpacked(zstd, &frames, whole.len() - 1);
        assert!(matches!(least, Err(Unpacked::TooMuch)), "{least:?}");
    }

    #[test]
    fn a_bomb_takes_no_more_room_than_is_allowed() {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let zeros = vec![0; 8 << 20];
        for (compression, packed) in [
            (Compression::LZ4_RAW, lz4_flex::block::compress(&zeros)),
            (
                Compression::ZSTD(Default::default()),
                ruzstd::encoding::compress_to_vec(&zeros[..], level),
            ),
        ] {
            assert!(packed.len() < 64 << 10, "{}", packed.len());
            let mut out = Vec::new();
            let read = unpack(compression, &packed, 10_000, &mut out);
            assert!(matches!(read, Err(Unpacked::TooMuch)), "{read:?}");
            assert!(out.len() <= 10_001 && out.capacity() <= 64 << 10);
        }
    }
}
