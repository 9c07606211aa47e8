//! Reading an index.

use std::ops::ControlFlow;
use std::sync::Arc;

use obsq_encoding::{ByteReader, DecodeError, check_crc32c};

use super::postings::parse_postings;
use super::series::{SeriesEntry, entry_body, entry_bytes, parse_body};
use super::symbols::Symbols;
use super::table::PostingsTable;
use super::{SERIES_ALIGNMENT, Toc, Version, read_frame, read_section};
use crate::Error;
use crate::block::file::ReadFile;

/// Postings of most labels come with the first read.
const FIRST_POSTINGS_BYTES: usize = 4096;
/// Series entries are read in windows of this size.
const WINDOW_BYTES: usize = 64 << 10;
/// Series that are in memory at once while the index is verified.
const VERIFIED_TOGETHER: usize = 256;

/// An index with its symbols and the names and some values of its postings table in memory.
#[derive(Debug)]
pub(in crate::block) struct IndexReader {
    file: ReadFile,
    version: Version,
    toc: Toc,
    symbols: Symbols,
    table: PostingsTable,
}

impl IndexReader {
    /// Checks that the file can be an index: its header and its table of contents.
    pub(in crate::block) fn check(file: &ReadFile) -> Result<(), Error> {
        read_frame(file).map(|_| ())
    }

    pub(in crate::block) fn open(file: ReadFile) -> Result<Self, Error> {
        let (version, toc) = read_frame(&file)?;
        let section = read_section(&file, toc.symbols)?;
        let symbols =
            Symbols::parse(section, toc.symbols, version).map_err(file.corrupt(toc.symbols))?;
        let table = PostingsTable::read(&file, toc.table, version)?;
        Ok(Self {
            file,
            version,
            toc,
            symbols,
            table,
        })
    }

    /// Returns the memory taken.
    pub(in crate::block) fn size_bytes(&self) -> usize {
        self.symbols.size_bytes() + self.table.size_bytes()
    }

    /// Returns the names of all labels, sorted.
    pub(in crate::block) fn label_names(&self) -> Vec<String> {
        self.table.names()
    }

    /// Returns where the postings of a label pair lie; empty name and value stand for all series.
    pub(in crate::block) fn find(&self, name: &str, value: &str) -> Result<Option<u64>, Error> {
        self.table.find(&self.file, name, value)
    }

    /// Calls `visit` with the values of label `name` from `from` on and the places of their
    /// postings, in order, until it breaks.
    pub(in crate::block) fn visit_values(
        &self,
        name: &str,
        from: &str,
        visit: &mut dyn FnMut(&str, u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.table.visit(&self.file, name, from, visit)
    }

    /// Reads the postings at `offset`.
    pub(in crate::block) fn postings(&self, offset: u64) -> Result<Arc<[u32]>, Error> {
        let corrupt = self.file.corrupt(offset);
        let mut bytes = self.file.read_up_to(offset, FIRST_POSTINGS_BYTES)?;
        let length = ByteReader::new(&bytes).u32().map_err(&corrupt)? as usize;
        if length + 8 > bytes.len() {
            bytes = self.file.read(offset, length + 8)?;
        }
        let mut reader = ByteReader::new(&bytes[4..]);
        let body = reader.bytes(length).map_err(&corrupt)?;
        let stored = reader.u32().map_err(&corrupt)?;
        check_crc32c(body, stored).map_err(&corrupt)?;
        parse_postings(body).map_err(&corrupt)
    }

    /// Reads the series of `ids`, which rise. Those who read on behind them do so with the same
    /// `window`.
    pub(in crate::block) fn series(
        &self,
        ids: &[u32],
        window: &mut Window,
    ) -> Result<Vec<SeriesEntry>, Error> {
        let mut series = Vec::with_capacity(ids.len());
        for (index, id) in ids.iter().enumerate() {
            let offset = self.offset_of(*id);
            let corrupt = self.file.corrupt(offset);
            // A lone entry is not worth a whole window.
            let next = ids.get(index + 1).map(|next| self.offset_of(*next));
            let is_dense = next.is_some_and(|next| next - offset < WINDOW_BYTES as u64 / 4);
            let bytes = window.at(&self.file, offset, is_dense)?;
            let longer;
            let body = if let Some(body) = entry_body(bytes).map_err(&corrupt)? {
                body
            } else {
                let length = entry_bytes(bytes).map_err(&corrupt)?;
                longer = self.file.read(offset, length)?;
                let body = entry_body(&longer).map_err(&corrupt)?;
                body.ok_or_else(|| corrupt(DecodeError::UnexpectedEnd))?
            };
            series.push(parse_body(body, *id, &self.symbols).map_err(&corrupt)?);
        }
        Ok(series)
    }

    fn offset_of(&self, id: u32) -> u64 {
        match self.version {
            Version::V1 => u64::from(id),
            Version::V2 => u64::from(id) * SERIES_ALIGNMENT,
        }
    }

    /// Checks every section's CRC and that every series can be read.
    pub(in crate::block) fn verify(&self) -> Result<(), Error> {
        for name in self.table.names() {
            let mut offsets = Vec::new();
            self.visit_values(&name, "", &mut |_, offset| {
                offsets.push(offset);
                ControlFlow::Continue(())
            })?;
            for offset in offsets {
                self.postings(offset)?;
            }
        }
        if let Some(all) = self.find("", "")? {
            let ids = self.postings(all)?;
            let mut window = Window::default();
            for ids in ids.chunks(VERIFIED_TOGETHER) {
                self.series(ids, &mut window)?;
            }
        }
        debug_assert!(self.toc.symbols > 0, "an index has symbols");
        Ok(())
    }
}

/// A part of the file that moves forward.
#[derive(Debug, Default)]
pub(in crate::block) struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// Returns bytes from `offset` on, at least as many as an entry's length field needs unless the
    /// file ends.
    fn at(&mut self, file: &ReadFile, offset: u64, is_dense: bool) -> Result<&[u8], Error> {
        const LENGTH_FIELD: u64 = 10;
        let end = self.start + self.bytes.len() as u64;
        if offset < self.start || offset + LENGTH_FIELD > end {
            let length = if is_dense {
                WINDOW_BYTES
            } else {
                WINDOW_BYTES / 64
            };
            self.bytes = file.read_up_to(offset, length)?;
            self.start = offset;
        }
        let from = (offset - self.start) as usize;
        Ok(self.bytes.get(from..).unwrap_or_default())
    }
}
