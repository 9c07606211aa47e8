//! Companions: what blocks cannot hold, in files of their own beside them.
//!
//! Files of records (see `obsq-wal`), written whole when their content has changed:
//!
//! ```text
//! exemplars: record 1: version byte (1); then per record: count, then per exemplar:
//!            labels of the series, time varint, value f64, labels
//! metadata:  record 1: version byte (1); then per record: count, then per entry:
//!            family text, type byte, unit text, help text
//! ```

use std::path::Path;

use obsq_source::Error;
use obsq_wal::{FileKind, FramedWriter, Record, Vfs, read_framed};

use crate::boundary::from_wal;
use crate::bytes::{Bytes, put_uvarint};
use crate::exemplars::ExemplarStore;
use crate::metadata::MetadataStore;
use crate::record::{
    put_exemplar, put_labels, put_metadata, take_exemplar, take_labels, take_metadata,
};

const EXEMPLARS: (&str, FileKind) = ("exemplars", FileKind(3));
const METADATA: (&str, FileKind) = ("metadata", FileKind(4));
const VERSION: u8 = 1;
/// Entries in one record.
const ENTRIES_PER_RECORD: usize = 256;

/// Writes the exemplars to the tenant's directory.
pub(crate) fn write_exemplars(
    vfs: &dyn Vfs,
    directory: &Path,
    store: &ExemplarStore,
) -> Result<(), Error> {
    let mut entries = Vec::new();
    store.for_each(|labels, exemplar| {
        let mut entry = Vec::new();
        put_labels(&mut entry, labels);
        put_exemplar(&mut entry, exemplar);
        entries.push(entry);
    });
    write(vfs, directory, EXEMPLARS, &entries)
}

/// Writes the metadata to the tenant's directory.
pub(crate) fn write_metadata(
    vfs: &dyn Vfs,
    directory: &Path,
    store: &MetadataStore,
) -> Result<(), Error> {
    let entry = |known: obsq_source::MetricMetadataEntry| {
        let mut entry = Vec::new();
        put_metadata(&mut entry, &known.metric, &known.metadata);
        entry
    };
    let entries: Vec<_> = store.entries(None).into_iter().map(entry).collect();
    write(vfs, directory, METADATA, &entries)
}

/// Reads what was written to the tenant's directory, past damage. Returns how many files are damaged.
pub(crate) fn read_companions(
    vfs: &dyn Vfs,
    directory: &Path,
    exemplars: &mut ExemplarStore,
    metadata: &mut MetadataStore,
) -> Result<u64, Error> {
    let exemplars_damaged = read(vfs, directory, EXEMPLARS, |bytes| {
        let labels = take_labels(bytes)?;
        exemplars.add(&labels, take_exemplar(bytes)?);
        Some(())
    })?;
    let metadata_damaged = read(vfs, directory, METADATA, |bytes| {
        let (family, entry) = take_metadata(bytes)?;
        metadata.add(&family, entry);
        Some(())
    })?;
    Ok(u64::from(exemplars_damaged) + u64::from(metadata_damaged))
}

fn write(
    vfs: &dyn Vfs,
    directory: &Path,
    (name, kind): (&str, FileKind),
    entries: &[Vec<u8>],
) -> Result<(), Error> {
    vfs.create_dir_all(directory)
        .map_err(crate::boundary::io("create", directory))?;
    let path = directory.join(name);
    let mut writer = FramedWriter::create(vfs, &path, kind).map_err(from_wal)?;
    let mut record = Record::default();
    record.buffer().push(VERSION);
    writer.push(record).map_err(from_wal)?;
    for entries in entries.chunks(ENTRIES_PER_RECORD) {
        let mut record = Record::default();
        put_uvarint(record.buffer(), entries.len() as u64);
        for entry in entries {
            record.buffer().extend_from_slice(entry);
        }
        writer.push(record).map_err(from_wal)?;
    }
    writer.commit().map_err(from_wal)
}

/// Reads the entries of a file, if there is one, and says whether it is damaged.
fn read(
    vfs: &dyn Vfs,
    directory: &Path,
    (name, kind): (&str, FileKind),
    mut take: impl FnMut(&mut Bytes<'_>) -> Option<()>,
) -> Result<bool, Error> {
    let names = vfs
        .list(directory)
        .map_err(crate::boundary::io("list", directory))?;
    if !names.iter().any(|known| known == name) {
        return Ok(false);
    }
    let path = directory.join(name);
    let mut unreadable = 0_u32;
    let damage = read_framed(vfs, &path, kind, |payload| {
        // The first record is the version; entries never are one byte long.
        if payload.len() == 1 {
            return;
        }
        let mut bytes = Bytes::new(payload);
        let count = bytes.count().unwrap_or(0);
        let read = (0..count).all(|_index| take(&mut bytes).is_some());
        unreadable += u32::from(!read);
    });
    match damage {
        Ok(damage) if damage == obsq_wal::Damage::default() && unreadable == 0 => Ok(false),
        Ok(damage) => {
            tracing::error!(path = %path.display(), ?damage, unreadable, "a companion is damaged, its good parts were read");
            Ok(true)
        }
        Err(error @ obsq_wal::Error::Corrupt { .. }) => {
            tracing::error!(path = %path.display(), %error, "a companion cannot be read");
            Ok(true)
        }
        Err(error) => Err(from_wal(error)),
    }
}
