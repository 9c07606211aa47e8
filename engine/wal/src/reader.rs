//! Reading records back, past any damage.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::record::{
    FILE_HEADER_BYTES, FileHeader, RECORD_HEADER_BYTES, RECORD_MAGIC, RecordHeader, VERSION,
};
use crate::vfs::{Vfs, VfsFile};
use crate::{Error, FileKind};

/// Bytes read from the file at once.
const WINDOW_BYTES: usize = 1 << 20;

/// Sequence numbers that should be in a file but are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// First missing number.
    pub first: u64,
    /// Last missing number.
    pub last: u64,
}

/// What a reader met besides good records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// Missing records that good ones follow.
    pub gaps: Vec<Gap>,
    /// Stretches of bytes, other than zeros, that belong to no good record.
    pub bad_stretches: usize,
}

impl Damage {
    /// Returns how many records are missing.
    pub fn missing_records(&self) -> u64 {
        self.gaps.iter().map(|gap| gap.last - gap.first + 1).sum()
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        self.gaps.extend(other.gaps);
        self.bad_stretches += other.bad_stretches;
    }
}

/// Reads the records of one file in order of their sequence numbers.
///
/// After a header that does not hold, or a payload whose CRC does not, it looks byte by byte for
/// the next record magic whose header CRC holds and whose number is larger than the last: damage
/// costs the records it touches and no other. Runs of zeros, such as preallocated room, are no
/// damage. Memory: one window, or one record if that is longer.
#[derive(Debug)]
pub struct RecordReader {
    path: PathBuf,
    file: Box<dyn VfsFile>,
    size: u64,
    /// File offset of the first byte in `window`.
    base: u64,
    window: Vec<u8>,
    /// Position in `window`.
    at: usize,
    last_seq: u64,
    expected_seq: Option<u64>,
    damage: Damage,
}

impl RecordReader {
    /// Opens `path` for the records that follow number `last_seq`; older ones are skipped. Fails
    /// with [`Error::Version`] for a newer format and [`Error::Corrupt`] for a file of another kind;
    /// a damaged file header is only damage.
    pub fn open(vfs: &dyn Vfs, path: &Path, kind: FileKind, last_seq: u64) -> Result<Self, Error> {
        let file = vfs.open(path).map_err(Error::io("open", path))?;
        let size = file.size().map_err(Error::io("read", path))?;
        let mut reader = Self {
            path: path.to_owned(),
            file,
            size,
            base: 0,
            window: Vec::new(),
            at: 0,
            last_seq,
            expected_seq: None,
            damage: Damage::default(),
        };
        reader.read_file_header(kind)?;
        Ok(reader)
    }

    /// Returns the number of the first record in `path`, or `None` when its header is damaged.
    pub(crate) fn first_seq(vfs: &dyn Vfs, path: &Path) -> Result<Option<u64>, Error> {
        let file = vfs.open(path).map_err(Error::io("open", path))?;
        let mut bytes = [0; FILE_HEADER_BYTES];
        if file.size().map_err(Error::io("read", path))? < bytes.len() as u64 {
            return Ok(None);
        }
        file.read_exact_at(&mut bytes, 0)
            .map_err(Error::io("read", path))?;
        let header = FileHeader::decode(&bytes);
        Ok(header
            .filter(|header| header.kind == FileKind::SEGMENT)
            .map(|header| header.first_seq))
    }

    fn read_file_header(&mut self, kind: FileKind) -> Result<(), Error> {
        self.fill(FILE_HEADER_BYTES)?;
        let Some(header) = FileHeader::decode(self.rest()) else {
            self.damage.bad_stretches += usize::from(self.rest().iter().any(|byte| *byte != 0));
            return Ok(());
        };
        if header.version > VERSION {
            return Err(Error::Version {
                path: self.path.clone(),
                found: header.version,
                known: VERSION,
            });
        }
        if header.kind != kind {
            return Err(Error::Corrupt {
                path: self.path.clone(),
                offset: 6,
            });
        }
        self.note_gap(self.last_seq + 1, header.previous_seq);
        self.last_seq = self.last_seq.max(header.first_seq.saturating_sub(1));
        self.expected_seq = Some(header.first_seq);
        self.at = FILE_HEADER_BYTES;
        Ok(())
    }

    /// Returns the next record's number and payload, or `None` at the end.
    pub fn next_record(&mut self) -> Result<Option<(u64, &[u8])>, Error> {
        let mut stretch_counted = false;
        loop {
            self.fill(RECORD_HEADER_BYTES)?;
            if let Some(header) = RecordHeader::decode(self.rest()) {
                self.fill(header.record_bytes())?;
                let known = header.seq <= self.last_seq;
                if known && self.expected_seq == Some(header.seq) {
                    self.accept(header);
                    continue;
                }
                if !known && self.payload_holds(header) {
                    let (seq, payload) = self.accept(header);
                    return Ok(Some((seq, &self.window[payload])));
                }
            }
            let dirty = self.skip_to_magic()?;
            self.damage.bad_stretches += usize::from(dirty && !stretch_counted);
            stretch_counted |= dirty;
            if self.rest().is_empty() {
                return Ok(None);
            }
        }
    }

    /// Forgets what was read ahead, so that what was written meanwhile is seen.
    pub(crate) fn refresh(&mut self) -> Result<(), Error> {
        self.window.truncate(self.at);
        self.size = self.file.size().map_err(Error::io("read", &self.path))?;
        Ok(())
    }

    /// Returns the largest number read so far.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Returns the damage met so far.
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    /// Moves past the record at the position and returns where its payload is.
    fn accept(&mut self, header: RecordHeader) -> (u64, Range<usize>) {
        if let Some(expected) = self.expected_seq {
            self.note_gap(
                expected.max(self.last_seq + 1),
                header.seq.saturating_sub(1),
            );
        }
        self.last_seq = self.last_seq.max(header.seq);
        self.expected_seq = Some(header.seq + 1);
        let payload = self.at + RECORD_HEADER_BYTES;
        self.at = (self.at + header.record_bytes()).min(self.window.len());
        (header.seq, payload..payload + header.len)
    }

    fn payload_holds(&self, header: RecordHeader) -> bool {
        self.rest()
            .get(RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + header.len)
            .is_some_and(|payload| crc32c::crc32c(payload) == header.payload_crc)
    }

    fn note_gap(&mut self, first: u64, last: u64) {
        if first <= last {
            self.damage.gaps.push(Gap { first, last });
        }
    }

    fn rest(&self) -> &[u8] {
        &self.window[self.at..]
    }

    /// Moves to the next magic behind the current byte, or to the end of the file. Says whether
    /// anything but zeros was passed.
    fn skip_to_magic(&mut self) -> Result<bool, Error> {
        let mut dirty = false;
        let mut from = 1;
        loop {
            let rest = self.rest();
            let found = rest
                .get(from..)
                .and_then(|rest| memchr::memmem::find(rest, &RECORD_MAGIC));
            let at_end = self.base + self.window.len() as u64 >= self.size;
            let passed = match found {
                Some(found) => from + found,
                None if at_end => rest.len(),
                None => rest.len().saturating_sub(RECORD_MAGIC.len() - 1).max(from),
            };
            let passed = passed.min(rest.len());
            dirty |= rest[..passed].iter().any(|byte| *byte != 0);
            self.at += passed;
            if found.is_some() || at_end {
                return Ok(dirty);
            }
            from = 0;
            self.fill(WINDOW_BYTES)?;
        }
    }

    /// Makes at least `wanted` bytes available behind the position, or all that the file has.
    fn fill(&mut self, wanted: usize) -> Result<(), Error> {
        if self.window.len() - self.at >= wanted {
            return Ok(());
        }
        let end = self.base + self.window.len() as u64;
        let missing = (wanted - (self.window.len() - self.at)).max(WINDOW_BYTES) as u64;
        let more = missing.min(self.size.saturating_sub(end)) as usize;
        if more == 0 {
            return Ok(());
        }
        self.window.drain(..self.at);
        self.base += self.at as u64;
        self.at = 0;
        let kept = self.window.len();
        self.window.resize(kept + more, 0);
        self.file
            .read_exact_at(&mut self.window[kept..], end)
            .map_err(Error::io("read", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::vfs::DiskVfs;
    use proptest::prelude::*;

    fn file_of(payloads: &[Vec<u8>]) -> (Vec<u8>, Vec<Range<usize>>) {
        let header = FileHeader {
            version: VERSION,
            kind: FileKind::SEGMENT,
            first_seq: 1,
            previous_seq: 0,
        };
        let mut bytes = header.encode().to_vec();
        let mut places = Vec::new();
        for (index, payload) in payloads.iter().enumerate() {
            let mut record = Record::default();
            record.buffer().extend_from_slice(payload);
            record.seal();
            record.number(index as u64 + 1);
            places.push(bytes.len()..bytes.len() + record.bytes().len());
            bytes.extend_from_slice(record.bytes());
        }
        (bytes, places)
    }

    fn read(bytes: &[u8]) -> (Vec<(u64, Vec<u8>)>, Damage) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1");
        std::fs::write(&path, bytes).unwrap();
        let mut reader = RecordReader::open(&DiskVfs, &path, FileKind::SEGMENT, 0).unwrap();
        let mut records = Vec::new();
        while let Some((seq, payload)) = reader.next_record().unwrap() {
            records.push((seq, payload.to_vec()));
        }
        (records, reader.damage().clone())
    }

    #[test]
    fn zeros_behind_the_last_record_are_no_damage_but_records_behind_zeros_are_found() {
        let (mut bytes, places) = file_of(&[vec![1; 10], vec![2; 20], vec![3; 30]]);
        bytes.resize(bytes.len() + 3 * WINDOW_BYTES, 0);
        assert_eq!(read(&bytes).1, Damage::default());
        bytes[places[1].clone()].fill(0);
        let (records, damage) = read(&bytes);
        assert_eq!(records.iter().map(|r| r.0).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(damage.gaps, [Gap { first: 2, last: 2 }]);
    }

    #[test]
    fn a_repeated_tail_is_not_read_twice() {
        let (mut bytes, places) = file_of(&[vec![1; 100], vec![2; 100]]);
        bytes.extend_from_slice(&[0; 40]);
        let tail = bytes[places[1].clone()].to_vec();
        bytes.extend_from_slice(&tail);
        assert_eq!(read(&bytes).0.len(), 2);
    }

    #[test]
    fn a_newer_format_is_refused_and_a_damaged_file_header_is_not() {
        let (bytes, _places) = file_of(&[vec![1; 10]]);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1");
        let newer = FileHeader {
            version: VERSION + 1,
            ..FileHeader::decode(&bytes).unwrap()
        };
        std::fs::write(&path, newer.encode()).unwrap();
        let opened = RecordReader::open(&DiskVfs, &path, FileKind::SEGMENT, 0);
        assert!(matches!(opened, Err(Error::Version { found: 2, .. })));
        let mut damaged = bytes;
        damaged[5] ^= 0xFF;
        assert_eq!(read(&damaged).0.len(), 1);
    }

    #[test]
    fn a_record_longer_than_the_window_is_read() {
        let (bytes, _places) = file_of(&[vec![7; 3 * WINDOW_BYTES + 5], vec![8; 5]]);
        let (records, damage) = read(&bytes);
        assert_eq!(records[0].1.len(), 3 * WINDOW_BYTES + 5);
        assert_eq!((records.len(), damage), (2, Damage::default()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn damage_costs_only_the_records_it_touches(
            lengths in proptest::collection::vec(0_usize..200, 1..12),
            at in 0.0..1.0_f64,
            damage in proptest::collection::vec(any::<u8>(), 1..300),
            tail in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let payloads: Vec<_> = lengths.iter().map(|len| vec![*len as u8; *len]).collect();
            let (mut bytes, places) = file_of(&payloads);
            let clean = bytes.clone();
            let start = (at * bytes.len() as f64) as usize;
            let end = (start + damage.len()).min(bytes.len());
            bytes[start..end].copy_from_slice(&damage[..end - start]);
            let untouched: Vec<_> = (0..payloads.len())
                .filter(|index| bytes[places[*index].clone()] == clean[places[*index].clone()])
                .map(|index| (index as u64 + 1, payloads[index].clone()))
                .collect();
            bytes.extend_from_slice(&tail);
            let (records, _damage) = read(&bytes);
            for record in &untouched {
                prop_assert!(records.contains(record), "lost {}", record.0);
            }
            for record in &records {
                prop_assert_eq!(&record.1, &payloads[record.0 as usize - 1]);
            }
        }

        #[test]
        fn bytes_cut_out_or_put_in_hide_nothing_behind_them(
            count in 2_usize..10,
            victim in 0_usize..9,
            cut in 1_usize..60,
            put in any::<bool>(),
        ) {
            let payloads: Vec<_> = (0..count).map(|index| vec![index as u8; 50]).collect();
            let (mut bytes, places) = file_of(&payloads);
            let place = places[victim % count].clone();
            if put {
                let filler = vec![0xAB; cut];
                bytes.splice(place.start + 10..place.start + 10, filler);
            } else {
                bytes.drain(place.start + 5..place.start + 5 + cut);
            }
            let (records, _damage) = read(&bytes);
            prop_assert!(records.len() >= count - 1);
        }
    }
}
