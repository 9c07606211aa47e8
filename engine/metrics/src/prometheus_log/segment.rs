//! Segments of Prometheus' log: pages of fragments, and records across them.
//!
//! ```text
//! segment   page of 32 KiB*, the last one may be shorter
//! page      fragment*, then zeros
//! fragment  flags u8 (0x08 snappy, 0x10 zstd, low bits: 1 whole, 2 first, 3 middle, 4 last) |
//!           len u16 | CRC32C u32 of the data | data; integers are big-endian
//! ```

use std::io::Read as _;
use std::path::{Path, PathBuf};

use obsq_wal::{Vfs, VfsFile};

use crate::Error;

const PAGE_BYTES: usize = 32 << 10;
const HEADER_BYTES: usize = 7;
/// The bits that say which part of a record a fragment is; 0 for the empty rest of a page.
const KIND: u8 = 7;
const EMPTY: u8 = 0;
const SNAPPY: u8 = 0x08;
const ZSTD: u8 = 0x10;
/// Most bytes of one record, packed or not: more than any Prometheus writes.
const MAX_RECORD_BYTES: usize = 256 << 20;

/// Reads one segment from front to back.
#[derive(Debug)]
pub(super) struct Segment {
    file: Box<dyn VfsFile>,
    path: PathBuf,
    size: u64,
    page: Vec<u8>,
    /// Where in the page the next fragment begins.
    at: usize,
    next_page: u64,
    /// The fragments of a record that is not whole yet.
    packed: Option<Vec<u8>>,
    /// Stretches that are no fragments, and records that cannot be unpacked.
    damaged: u64,
}

impl Segment {
    pub(super) fn open(vfs: &dyn Vfs, path: &Path) -> Result<Self, Error> {
        let file = vfs.open(path).map_err(obsq_wal::Error::io("open", path))?;
        let size = file.size().map_err(obsq_wal::Error::io("read", path))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            size,
            page: Vec::new(),
            at: 0,
            next_page: 0,
            packed: None,
            damaged: 0,
        })
    }

    /// Returns how often something could not be read.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Returns the next whole record, unpacked; `None` at the end. After damage it goes on with the
    /// next page, because a fragment begins with every page.
    pub(super) fn next_record(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            let rest = self.page.get(self.at..).unwrap_or_default();
            if rest.first().is_none_or(|flags| (flags & KIND) == EMPTY) {
                if rest.iter().any(|byte| *byte != 0) {
                    self.lose();
                }
                if !self.read_page()? {
                    return Ok(None);
                }
                continue;
            }
            let Some((flags, data)) = fragment(rest) else {
                self.lose();
                continue;
            };
            let (length, data) = (HEADER_BYTES + data.len(), data.to_vec());
            self.at += length;
            if let Some(packed) = self.join(flags, data) {
                match unpack(flags, packed) {
                    Some(record) => return Ok(Some(record)),
                    None => self.damaged += 1,
                }
            }
        }
    }

    /// Gives up the rest of the page.
    fn lose(&mut self) {
        // At the end of the last page a writer may be at work, or have been stopped.
        if self.next_page * (PAGE_BYTES as u64) < self.size {
            self.damaged += 1;
        }
        self.packed = None;
        self.at = self.page.len();
    }

    fn read_page(&mut self) -> Result<bool, Error> {
        let start = self.next_page * PAGE_BYTES as u64;
        let length = self.size.saturating_sub(start).min(PAGE_BYTES as u64);
        self.page.resize(length as usize, 0);
        self.at = 0;
        if length == 0 {
            return Ok(false);
        }
        self.next_page += 1;
        let read = self.file.read_exact_at(&mut self.page, start);
        read.map_err(obsq_wal::Error::io("read", &self.path))?;
        Ok(true)
    }

    /// Adds a fragment; returns the record when it is whole.
    fn join(&mut self, flags: u8, data: Vec<u8>) -> Option<Vec<u8>> {
        match (flags & KIND, self.packed.take()) {
            (1, _) => Some(data),
            (2, _) => {
                self.packed = Some(data);
                None
            }
            (kind @ (3 | 4), Some(mut packed)) if packed.len() + data.len() <= MAX_RECORD_BYTES => {
                packed.extend_from_slice(&data);
                if kind == 4 {
                    return Some(packed);
                }
                self.packed = Some(packed);
                None
            }
            // What it belongs to was lost.
            _ => None,
        }
    }
}

/// Returns flags and data of the fragment at the start of `rest`, when its CRC holds.
fn fragment(rest: &[u8]) -> Option<(u8, &[u8])> {
    let header = rest.get(..HEADER_BYTES)?;
    let length = usize::from(u16::from_be_bytes([header[1], header[2]]));
    let crc = u32::from_be_bytes([header[3], header[4], header[5], header[6]]);
    let data = rest.get(HEADER_BYTES..HEADER_BYTES + length)?;
    (crc32c::crc32c(data) == crc).then_some((header[0], data))
}

fn unpack(flags: u8, packed: Vec<u8>) -> Option<Vec<u8>> {
    if flags & SNAPPY != 0 {
        let length = snap::raw::decompress_len(&packed).ok()?;
        if length > MAX_RECORD_BYTES {
            return None;
        }
        return snap::raw::Decoder::new().decompress_vec(&packed).ok();
    }
    if flags & ZSTD != 0 {
        let reader = zstd::stream::read::Decoder::with_buffer(packed.as_slice()).ok()?;
        let mut record = Vec::new();
        let mut capped = reader.take(MAX_RECORD_BYTES as u64 + 1);
        capped.read_to_end(&mut record).ok()?;
        return (record.len() <= MAX_RECORD_BYTES).then_some(record);
    }
    Some(packed)
}
