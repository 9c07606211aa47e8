//! The postings offset table: where the postings of a label pair lie.
//!
//! Of a version 2 table every name and every 32nd value is kept in memory, the rest is read when it
//! is asked for.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use obsq_encoding::{ByteReader, DecodeError};

use super::super::file::ReadFile;
use super::{Version, read_section};
use crate::Error;

const GROUP: usize = 32;
/// So many groups are read in one piece.
const GROUPS_PER_READ: usize = 512;

/// Postings offsets by name and value.
#[derive(Debug)]
pub(super) enum PostingsTable {
    /// Version 2.
    Sorted(BTreeMap<Box<str>, Values>),
    /// Version 1, whose table has no order.
    Whole(BTreeMap<Box<str>, BTreeMap<Box<str>, u64>>),
}

/// The values of one name: every 32nd with its place in the file.
#[derive(Debug, Default)]
pub(super) struct Values {
    groups: Vec<(Box<str>, u64)>,
    /// Behind the last value.
    end: u64,
    number: usize,
}

struct Entry<'a> {
    name: &'a str,
    value: &'a str,
    postings: u64,
}

fn read_entry<'a>(reader: &mut ByteReader<'a>) -> Result<Entry<'a>, DecodeError> {
    if reader.uvarint()? != 2 {
        return Err(DecodeError::Inconsistent(
            "postings of something else than a label pair",
        ));
    }
    Ok(Entry {
        name: reader.uvarint_str()?,
        value: reader.uvarint_str()?,
        postings: reader.uvarint()?,
    })
}

impl PostingsTable {
    pub(super) fn read(file: &ReadFile, offset: u64, version: Version) -> Result<Self, Error> {
        if offset == 0 {
            return Ok(Self::Sorted(BTreeMap::new()));
        }
        let section = read_section(file, offset)?;
        let parsed = match version {
            Version::V1 => Self::parse_whole(&section),
            // Behind the section's length.
            Version::V2 => Self::parse_sorted(&section, offset + 4),
        };
        parsed.map_err(file.corrupt(offset))
    }

    fn parse_sorted(section: &[u8], base: u64) -> Result<Self, DecodeError> {
        let mut reader = ByteReader::new(section);
        let number = reader.u32()?;
        let mut names: BTreeMap<Box<str>, Values> = BTreeMap::new();
        let mut open: Option<(&str, Values)> = None;
        for _ in 0..number {
            let at = base + reader.position() as u64;
            let entry = read_entry(&mut reader)?;
            if let Some((name, values)) = open.take_if(|(name, _)| *name != entry.name) {
                names.insert(Box::from(name), values);
            }
            let (_, values) = open.get_or_insert_with(|| (entry.name, Values::default()));
            if values.number % GROUP == 0 {
                values.groups.push((Box::from(entry.value), at));
            }
            values.number += 1;
            values.end = base + reader.position() as u64;
        }
        if let Some((name, values)) = open {
            names.insert(Box::from(name), values);
        }
        Ok(Self::Sorted(names))
    }

    fn parse_whole(section: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = ByteReader::new(section);
        let number = reader.u32()?;
        let mut names: BTreeMap<Box<str>, BTreeMap<Box<str>, u64>> = BTreeMap::new();
        for _ in 0..number {
            let entry = read_entry(&mut reader)?;
            names
                .entry(Box::from(entry.name))
                .or_default()
                .insert(Box::from(entry.value), entry.postings);
        }
        Ok(Self::Whole(names))
    }

    /// Returns the names of all labels, sorted, the empty one left out.
    pub(super) fn names(&self) -> Vec<String> {
        let names: Vec<&str> = match self {
            Self::Sorted(names) => names.keys().map(AsRef::as_ref).collect(),
            Self::Whole(names) => names.keys().map(AsRef::as_ref).collect(),
        };
        let names = names.into_iter().filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    }

    /// Returns where the postings of `name` and `value` lie.
    pub(super) fn find(
        &self,
        file: &ReadFile,
        name: &str,
        value: &str,
    ) -> Result<Option<u64>, Error> {
        let mut found = None;
        self.visit(file, name, value, &mut |other, postings| {
            if other == value {
                found = Some(postings);
            }
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// Calls `visit` with the values of `name` that are not below `from` and where their postings
    /// lie, in order, until it breaks.
    pub(super) fn visit(
        &self,
        file: &ReadFile,
        name: &str,
        from: &str,
        visit: &mut dyn FnMut(&str, u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        match self {
            Self::Sorted(names) => match names.get(name) {
                Some(values) => values.visit(file, from, visit),
                None => Ok(()),
            },
            Self::Whole(names) => {
                let values = names.get(name).into_iter().flatten();
                for (value, postings) in values.skip_while(|(value, _)| ***value < *from) {
                    if visit(value, *postings).is_break() {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        let values = |values: &Values| {
            let texts: usize = values.groups.iter().map(|(value, _)| value.len()).sum();
            texts + values.groups.len() * size_of::<(Box<str>, u64)>()
        };
        match self {
            Self::Sorted(names) => names.iter().map(|(n, v)| n.len() + 64 + values(v)).sum(),
            Self::Whole(names) => names
                .iter()
                .flat_map(|(name, values)| values.keys().map(|value| name.len() + value.len() + 64))
                .sum(),
        }
    }
}

impl Values {
    fn visit(
        &self,
        file: &ReadFile,
        from: &str,
        visit: &mut dyn FnMut(&str, u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let above = self.groups.partition_point(|(value, _)| **value <= *from);
        let mut first = above.saturating_sub(1);
        // The first read is a single group, as most visits end there.
        let mut number = 1;
        while let Some((_, start)) = self.groups.get(first) {
            let end = self
                .groups
                .get(first + number)
                .map_or(self.end, |(_, offset)| *offset);
            let bytes = file.read(*start, (end - start) as usize)?;
            let mut reader = ByteReader::new(&bytes);
            while !reader.is_empty() {
                let entry = read_entry(&mut reader).map_err(file.corrupt(*start))?;
                if entry.value >= from && visit(entry.value, entry.postings).is_break() {
                    return Ok(());
                }
            }
            first += number;
            number = GROUPS_PER_READ;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(mut section: Vec<u8>) {
            let _sorted = PostingsTable::parse_sorted(&section, 4);
            let _whole = PostingsTable::parse_whole(&section);
            // With a plausible number in front more of it is looked at.
            section.splice(0..0, [0, 0, 0, 3]);
            let _sorted = PostingsTable::parse_sorted(&section, 4);
            let _whole = PostingsTable::parse_whole(&section);
        }
    }
}
