//! The `index` file of a block, version 2; version 1 is read too.
//!
//! ```text
//! header    magic u32 BAAAD700 | version u8
//! symbols   len u32 | number u32 | (text length uvarint, text)* sorted | CRC
//! series    each at a multiple of 16, which divided by 16 is its id:
//!           len uvarint | labels uvarint | (name symbol uvarint, value symbol uvarint)*
//!           | chunks uvarint | first chunk: min varint, max - min uvarint, reference uvarint
//!           | next chunks: min - previous max uvarint, max - min uvarint, reference - previous varint
//!           | CRC of all but the length
//! postings  each at a multiple of 4: len u32 | number u32 | series id u32 * rising | CRC
//! table     len u32 | number u32 | (2 u8, name, value, offset of the postings uvarint)* sorted | CRC
//! TOC       6 × u64: symbols, series, label indices, label offset table, postings, table | CRC
//! ```
//!
//! The empty name and value stand for all series. Label indices are not in use any more: empty when
//! written, not looked at when read. In version 1 symbols are referred to by their offset in the
//! file, series ids are not divided by 16, and the table is in no order.

mod postings;
mod reader;
mod series;
mod symbols;
mod table;
mod writer;

pub(super) use postings::{intersect, subtract, unite};
pub(super) use reader::{IndexReader, Window};
pub(super) use series::SeriesEntry;
pub(super) use writer::IndexWriter;

use obsq_encoding::{ByteReader, DecodeError, checked_frame};

use super::file::ReadFile;
use crate::Error;

/// Name of the file in a block's directory.
pub(crate) const INDEX_FILE: &str = "index";
const MAGIC: u32 = 0xbaaa_d700;
const HEADER_BYTES: usize = 5;
const TOC_BYTES: usize = 6 * 8 + 4;
const SERIES_ALIGNMENT: u64 = 16;
/// Sections are read whole; no larger ones are believed.
const MAX_SECTION_BYTES: u64 = 4 << 30;

/// How an index refers to its symbols and series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// Where the sections begin; 0 = there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Toc {
    symbols: u64,
    series: u64,
    label_indices: u64,
    label_table: u64,
    postings: u64,
    table: u64,
}

impl Toc {
    fn put(&self, out: &mut Vec<u8>) {
        let from = out.len();
        for offset in [
            self.symbols,
            self.series,
            self.label_indices,
            self.label_table,
            self.postings,
            self.table,
        ] {
            out.extend_from_slice(&offset.to_be_bytes());
        }
        obsq_encoding::put_crc32c(out, from);
    }

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = ByteReader::new(checked_frame(bytes)?);
        Ok(Self {
            symbols: reader.u64()?,
            series: reader.u64()?,
            label_indices: reader.u64()?,
            label_table: reader.u64()?,
            postings: reader.u64()?,
            table: reader.u64()?,
        })
    }
}

/// Checks header and table of contents, and returns what they say.
fn read_frame(file: &ReadFile) -> Result<(Version, Toc), Error> {
    let header = file.read(0, HEADER_BYTES)?;
    let mut reader = ByteReader::new(&header);
    let magic = reader.u32().map_err(file.corrupt(0))?;
    if magic != MAGIC {
        return Err(file.corrupt(0)(DecodeError::BadMagic(magic)));
    }
    let version = match reader.u8().map_err(file.corrupt(4))? {
        1 => Version::V1,
        2 => Version::V2,
        other => {
            return Err(Error::Version {
                path: file.path().to_owned(),
                found: u64::from(other),
            });
        }
    };
    let at = file.size().saturating_sub(TOC_BYTES as u64);
    let toc = Toc::parse(&file.read(at, TOC_BYTES)?).map_err(file.corrupt(at))?;
    Ok((version, toc))
}

/// Reads a section `len u32 | body | CRC` and returns its body.
fn read_section(file: &ReadFile, offset: u64) -> Result<Vec<u8>, Error> {
    let corrupt = file.corrupt(offset);
    let head = file.read(offset, 4)?;
    let length = u64::from(ByteReader::new(&head).u32().map_err(&corrupt)?);
    if length + 8 > file.size().min(MAX_SECTION_BYTES) {
        return Err(corrupt(DecodeError::UnexpectedEnd));
    }
    let mut section = file.read(offset + 4, length as usize + 4)?;
    checked_frame(&section).map_err(&corrupt)?;
    section.truncate(length as usize);
    Ok(section)
}
