//! The pages of a column, unpacked within bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::codec::{self, Unpacked};
use super::delta;
use super::thrift::{STRUCT, Thrift};

/// How a message begins that says that a bound was met.
pub(super) const OVER: &str = "a column ";

/// The bytes of a value that the reader keeps of a dictionary, beside those of the page.
const VALUE_BYTES: usize = 32;

/// A file of which headers of pages are read only when they end within it.
///
/// The library passes over a field that it does not know by reading on, also behind the end of the file, where there is
/// nothing to stop it: lists within lists of such fields take it hours.
pub(super) struct CheckedHeaders(pub Bytes);

impl Length for CheckedHeaders {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

impl ChunkReader for CheckedHeaders {
    type T = <Bytes as ChunkReader>::T;

    /// What is read from a place on without a length is a header.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let from = usize::try_from(start).ok();
        let header = from.and_then(|from| self.0.get(from..));
        header
            .and_then(|header| Thrift::new(header).skip(STRUCT, 0))
            .ok_or_else(|| over("has a page whose header is damaged".into()))?;
        self.0.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.0.get_bytes(start, length)
    }
}

/// Pages that are handed on only when what they say of themselves can be.
pub(super) struct Pages {
    /// The pages as they are in the file.
    pub packed: SerializedPageReader<CheckedHeaders>,
    pub compression: Compression,
    /// How many rows the group has: of a flat column, no page has more values.
    pub rows: usize,
    /// Whether a row may have no value.
    pub optional: bool,
    /// The fewest bytes of a value in a dictionary.
    pub width: usize,
    /// The most bytes of a page.
    pub most: usize,
    /// The most bytes of all pages of the file.
    pub total: usize,
    /// What all pages so far have.
    pub unpacked: Arc<AtomicUsize>,
}

fn over(what: String) -> ParquetError {
    ParquetError::General(format!("{OVER}{what}"))
}

impl Pages {
    fn checked(&self, page: Page) -> Result<Page> {
        let page = self.unpack(page)?;
        match &page {
            Page::DictionaryPage {
                buf, num_values, ..
            } => {
                let values = *num_values as usize;
                if values > buf.len() / self.width {
                    return Err(over(format!(
                        "has a dictionary that says it has {values} values, in {} bytes; the file is damaged",
                        buf.len()
                    )));
                }
                self.count(values.saturating_mul(VALUE_BYTES))?;
            }
            page => {
                let values = page.num_values() as usize;
                if values > self.rows {
                    return Err(over(format!(
                        "has a page that says it has {values} values, in a group of {} rows; the file is damaged",
                        self.rows
                    )));
                }
                self.check_delta(page)?;
            }
        }
        Ok(page)
    }

    /// Adds to what was unpacked.
    fn count(&self, bytes: usize) -> Result<()> {
        let before = self.unpacked.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.total {
            return Err(over(format!(
                "unpacks to more than {} bytes with those before it, which is the most that is read; split the file",
                self.total
            )));
        }
        Ok(())
    }

    fn unpack(&self, mut page: Page) -> Result<Page> {
        match &mut page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
                *buf = self.decompress(std::mem::take(buf), 0)?;
            }
            Page::DataPageV2 {
                buf,
                def_levels_byte_len,
                rep_levels_byte_len,
                is_compressed,
                ..
            } => {
                let levels = (*def_levels_byte_len as usize) + (*rep_levels_byte_len as usize);
                let packed = std::mem::take(buf);
                *buf = match std::mem::take(is_compressed) {
                    true => self.decompress(packed, levels)?,
                    false => self.plain(packed)?,
                };
            }
        }
        Ok(page)
    }

    fn plain(&self, buf: Bytes) -> Result<Bytes> {
        self.fits(buf.len())?;
        self.count(buf.len())?;
        Ok(buf)
    }

    fn fits(&self, bytes: usize) -> Result<()> {
        if bytes > self.most {
            return Err(over(format!(
                "has a page that unpacks to more than {} bytes, which is the most that is read; write it with smaller \
                 pages",
                self.most
            )));
        }
        Ok(())
    }

    /// Unpacks what comes after the first `levels` bytes.
    fn decompress(&self, buf: Bytes, levels: usize) -> Result<Bytes> {
        if self.compression == Compression::UNCOMPRESSED {
            return self.plain(buf);
        }
        let damaged =
            |what: &str| ParquetError::General(format!("a page cannot be unpacked: {what}"));
        if levels > buf.len() {
            return Err(damaged("it is cut short"));
        }
        let (levels, packed) = buf.split_at(levels);
        let mut out = levels.to_vec();
        // A page without values has nothing to unpack.
        if !packed.is_empty() {
            match codec::unpack(self.compression, packed, self.most, &mut out) {
                Ok(()) => {}
                Err(Unpacked::TooMuch) => self.fits(usize::MAX)?,
                Err(Unpacked::Damaged(what)) => return Err(damaged(&what)),
                Err(Unpacked::Unknown) => {
                    return Err(ParquetError::General(format!(
                        "it is compressed with {}; what is read is {}",
                        self.compression,
                        codec::READ
                    )));
                }
            }
        }
        self.plain(Bytes::from(out))
    }

    /// Delta encodings state once more how many values they have, and room is made for them.
    fn check_delta(&self, page: &Page) -> Result<()> {
        if !delta::is_delta(page.encoding()) {
            return Ok(());
        }
        let damaged = || ParquetError::General("a page of delta encoding is damaged".into());
        let values = self.values(page).ok_or_else(damaged)?;
        let stated = delta::stated(page.encoding(), values).ok_or_else(damaged)?;
        if stated > self.rows as u64 {
            return Err(over(format!(
                "has a page that says it has {stated} values, in a group of {} rows; the file is damaged",
                self.rows
            )));
        }
        Ok(())
    }

    /// The values of a page, without the levels before them.
    fn values<'a>(&self, page: &'a Page) -> Option<&'a [u8]> {
        match page {
            Page::DataPageV2 {
                buf,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => buf.get((*def_levels_byte_len as usize) + (*rep_levels_byte_len as usize)..),
            Page::DataPage {
                buf,
                def_level_encoding,
                ..
            } if self.optional => {
                // Of a flat column there are only definition levels: their length, then they.
                let (len, rest) = buf.split_first_chunk::<4>()?;
                let levels = u32::from_le_bytes(*len) as usize;
                (*def_level_encoding == Encoding::RLE).then(|| rest.get(levels..))?
            }
            page => Some(page.buffer()),
        }
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.packed.get_next_page()?;
        page.map(|page| self.checked(page)).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.packed.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.packed.skip_next_page()
    }
}
