//! `tombstones`: which samples of which series are deleted.
//!
//! ```text
//! magic u32 0130BA30 | version u8 1 | (series id uvarint, min varint, max varint)*
//! | CRC of everything behind the version
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use obsq_encoding::{ByteReader, DecodeError, check_crc32c, crc32c, put_uvarint, put_varint};
use obsq_model::TimeRange;
use obsq_wal::{Vfs, read_file};

use crate::Error;

pub(crate) const TOMBSTONES_FILE: &str = "tombstones";
const MAGIC: u32 = 0x0130_ba30;
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 5;
const MAX_BYTES: u64 = 1 << 30;

/// Deleted ranges by series id, per series sorted and apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tombstones {
    ranges: BTreeMap<u32, Vec<TimeRange>>,
}

impl Tombstones {
    /// Returns the deleted ranges of a series, both ends inclusive.
    pub(crate) fn get(&self, series: u32) -> &[TimeRange] {
        self.ranges.get(&series).map_or(&[], Vec::as_slice)
    }

    /// Returns the ids of the series that have any.
    pub(crate) fn series(&self) -> impl Iterator<Item = u32> {
        self.ranges.keys().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Adds a range, joining it with those that it touches.
    pub(crate) fn add(&mut self, series: u32, range: TimeRange) {
        let ranges = self.ranges.entry(series).or_default();
        let touches = |other: &TimeRange| {
            other.start_ms <= range.end_ms.saturating_add(1)
                && range.start_ms <= other.end_ms.saturating_add(1)
        };
        let first =
            ranges.partition_point(|other| !touches(other) && other.end_ms < range.start_ms);
        let count = ranges[first..]
            .iter()
            .take_while(|other| touches(other))
            .count();
        let mut joined = range;
        for other in ranges.drain(first..first + count) {
            joined.start_ms = joined.start_ms.min(other.start_ms);
            joined.end_ms = joined.end_ms.max(other.end_ms);
        }
        ranges.insert(first, joined);
    }

    /// Reads the file of the block in `directory`; no file means no tombstones.
    pub(crate) fn read(vfs: &dyn Vfs, directory: &Path) -> Result<Self, Error> {
        let names = vfs
            .list(directory)
            .map_err(obsq_wal::Error::io("list", directory))?;
        if !names.iter().any(|name| name == TOMBSTONES_FILE) {
            return Ok(Self::default());
        }
        let path = directory.join(TOMBSTONES_FILE);
        let bytes = read_file(vfs, &path, MAX_BYTES)?;
        Self::parse(&bytes).map_err(Error::corrupt(&path, 0))
    }

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = ByteReader::new(bytes);
        let magic = reader.u32()?;
        if magic != MAGIC {
            return Err(DecodeError::BadMagic(magic));
        }
        if reader.u8()? != VERSION {
            return Err(DecodeError::Inconsistent("unknown version of tombstones"));
        }
        let (body, stored) = reader
            .rest()
            .split_last_chunk::<4>()
            .ok_or(DecodeError::UnexpectedEnd)?;
        check_crc32c(body, u32::from_be_bytes(*stored))?;
        let mut reader = ByteReader::new(body);
        let mut tombstones = Self::default();
        while !reader.is_empty() {
            let series = reader.uvarint32()?;
            let range = TimeRange::new(reader.varint()?, reader.varint()?);
            tombstones.add(series, range);
        }
        Ok(tombstones)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&MAGIC.to_be_bytes());
        bytes.push(VERSION);
        for (series, ranges) in &self.ranges {
            for range in ranges {
                put_uvarint(&mut bytes, u64::from(*series));
                put_varint(&mut bytes, range.start_ms);
                put_varint(&mut bytes, range.end_ms);
            }
        }
        let crc = crc32c(&bytes[HEADER_BYTES..]);
        bytes.extend_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// Writes the file of the block in `directory` anew; it changes at once, and durably.
    pub(crate) fn write(&self, vfs: &dyn Vfs, directory: &Path) -> Result<(), Error> {
        write_file(vfs, directory, TOMBSTONES_FILE, &self.to_bytes())
    }
}

/// Replaces a file by way of `<name>.tmp`.
pub(super) fn write_file(
    vfs: &dyn Vfs,
    directory: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<(), Error> {
    let path = directory.join(name);
    let temporary = directory.join(format!("{name}.tmp"));
    let failed = || obsq_wal::Error::io("write", &path);
    let file = vfs.create(&temporary).map_err(failed())?;
    file.write_all_at(bytes, 0).map_err(failed())?;
    file.sync().map_err(failed())?;
    vfs.rename(&temporary, &path).map_err(failed())?;
    vfs.sync_dir(directory).map_err(failed())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn ranges_that_touch_are_joined() {
        let mut tombstones = Tombstones::default();
        for (start, end) in [(10, 20), (30, 40), (21, 25), (0, 5), (50, 60), (26, 49)] {
            tombstones.add(1, TimeRange::new(start, end));
        }
        let expected = [TimeRange::new(0, 5), TimeRange::new(10, 60)];
        assert_eq!(tombstones.get(1), expected);
        assert!(tombstones.get(2).is_empty());
    }

    #[test]
    fn damaged_tombstones_are_noticed() {
        let mut tombstones = Tombstones::default();
        tombstones.add(7, TimeRange::new(-5, 1000));
        let bytes = tombstones.to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(Tombstones::parse(&broken).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_tombstones_never_panic(ranges in vec((0_u32..4, any::<i64>(), any::<i64>()), 0..20)) {
            let mut tombstones = Tombstones::default();
            for (series, start, end) in ranges {
                tombstones.add(series, TimeRange::new(start, end));
            }
            prop_assert!(Tombstones::parse(&tombstones.to_bytes()).is_ok());
        }

        #[test]
        fn any_tombstones_round_trip(ranges in vec((0_u32..4, -100_i64..100, 0_i64..30), 0..30)) {
            let mut tombstones = Tombstones::default();
            for (series, start, length) in &ranges {
                tombstones.add(*series, TimeRange::new(*start, start + length));
            }
            for (series, at) in (0..4).flat_map(|series| (-110..140).map(move |at| (series, at))) {
                let expected = ranges.iter().any(|(s, start, length)| {
                    *s == series && (*start..=start + length).contains(&at)
                });
                let found = tombstones.get(series).iter().any(|range| range.contains(at));
                prop_assert_eq!(found, expected);
            }
            prop_assert_eq!(Tombstones::parse(&tombstones.to_bytes()), Ok(tombstones));
        }
    }
}
