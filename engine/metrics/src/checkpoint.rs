//! Checkpoints: what the heads of all tenants hold, so that older log segments can go.
//!
//! A file of records (see `obsq-wal`) named `checkpoint` beside the segments:
//!
//! ```text
//! record 1: version byte (1), number of the last log record that is wholly contained
//! tenant:   kind 1, number, name text, late before varint, published until varint, next series id;
//!           repeated before each series record
//! series:   kind 2, tenant number, count, then per series:
//!           id, labels, last log record, newest time + 1 or 0 (see below), kind of the newest,
//!           open chunk 0|1 chunk, full chunks count chunk*, late chunks count chunk*, late run
//! chunk:    encoding byte, min time varint, max - min uvarint, samples uvarint,
//!           0 bytes | 1 file number, offset, length
//! ```
//!
//! The series are written one by one while writes go on. Each remembers the last log record that it
//! has seen, so that replay does not insert anything twice.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_encoding::{ChunkBuilder, EncodedChunk, Encoding};
use obsq_model::Tenant;
use obsq_source::Error;
use obsq_wal::{Damage, FileKind, FramedWriter, MAX_SEQ, Record, Vfs, read_framed};

use crate::boundary::from_wal;
use crate::bytes::{Bytes, put_bytes, put_text, put_uvarint, put_varint};
use crate::head::{
    ChunkFiles, Head, HeadChunk, Horizon, Kind, Late, Place, Series, SeriesState, hash_of,
};
use crate::record::{put_labels, take_labels};
use crate::samples::{put_run, take_run};
use crate::tenant::TenantStore;

const FILE_KIND: FileKind = FileKind(2);
const VERSION: u8 = 1;
const KIND_TENANT: u8 = 1;
const KIND_SERIES: u8 = 2;
/// Series written in one record.
const SERIES_PER_RECORD: usize = 64;

/// Returns the path of the checkpoint among the segments in `wal_directory`.
pub(crate) fn checkpoint_path(wal_directory: &Path) -> PathBuf {
    wal_directory.join("checkpoint")
}

/// Writes a checkpoint that holds every log record up to `through_seq`, which must all be inserted
/// into `tenants` or be so once their append lock was free.
pub(crate) fn write_checkpoint(
    vfs: &dyn Vfs,
    wal_directory: &Path,
    tenants: &[Arc<TenantStore>],
    through_seq: u64,
) -> Result<(), Error> {
    let path = checkpoint_path(wal_directory);
    let mut writer = FramedWriter::create(vfs, &path, FILE_KIND).map_err(from_wal)?;
    let mut record = Record::default();
    record.buffer().push(VERSION);
    put_uvarint(record.buffer(), through_seq);
    writer.push(record).map_err(from_wal)?;
    for tenant in tenants {
        write_tenant(tenant, &mut writer)?;
    }
    writer.commit().map_err(from_wal)
}

fn write_tenant(tenant: &TenantStore, writer: &mut FramedWriter<'_>) -> Result<(), Error> {
    let head = &tenant.head;
    head.settle();
    // Chunks in files that fail this sync are written into the checkpoint itself.
    head.files.sync_all();
    let all: Vec<Arc<Series>> = head.index.read().iter().cloned().collect();
    let horizon = head.horizon();
    let next_id = head.index.read().next_id();
    let mut lots = all.chunks(SERIES_PER_RECORD);
    // At least once, and again before each lot of series, so that none depends on one record alone.
    let mut lot = lots.next().unwrap_or_default();
    loop {
        writer
            .push(tenant_record(tenant, horizon, next_id))
            .map_err(from_wal)?;
        writer.push(series_record(tenant, lot)?).map_err(from_wal)?;
        let Some(next) = lots.next() else { break };
        lot = next;
    }
    head.files.sync_referred()
}

fn tenant_record(tenant: &TenantStore, horizon: Horizon, next_id: u32) -> Record {
    let mut record = Record::default();
    let out = record.buffer();
    out.push(KIND_TENANT);
    put_uvarint(out, u64::from(tenant.number()));
    put_text(out, tenant.name.as_str());
    put_varint(out, horizon.late_before_ms);
    put_varint(out, horizon.published_until_ms);
    put_uvarint(out, u64::from(next_id));
    record
}

fn series_record(tenant: &TenantStore, series: &[Arc<Series>]) -> Result<Record, Error> {
    let mut record = Record::default();
    let out = record.buffer();
    out.push(KIND_SERIES);
    put_uvarint(out, u64::from(tenant.number()));
    put_uvarint(out, series.len() as u64);
    for series in series {
        put_series(out, series)?;
    }
    Ok(record)
}

fn put_series(out: &mut Vec<u8>, series: &Series) -> Result<(), Error> {
    let state = series.state.lock();
    put_uvarint(out, u64::from(series.id));
    put_labels(out, &series.labels);
    put_uvarint(out, state.last_seq);
    out.push(u8::from(state.newest_ms.is_some()));
    put_varint(out, state.newest_ms.unwrap_or(0));
    out.push(state.newest_kind.to_byte());
    out.push(u8::from(!state.open.is_empty()));
    if let Some(open) = state.open.snapshot() {
        put_chunk(out, &HeadChunk::in_memory(open))?;
    }
    put_uvarint(out, state.full.len() as u64);
    for chunk in &state.full {
        put_chunk(out, chunk)?;
    }
    let none = Late::default();
    let late = state.late.as_deref().unwrap_or(&none);
    let open = late.open.snapshot().map(HeadChunk::in_memory);
    put_uvarint(out, (late.all_chunks().count() + open.iter().len()) as u64);
    for chunk in late.all_chunks().chain(&open) {
        put_chunk(out, chunk)?;
    }
    put_run(out, &late.buffer, &mut 0);
    Ok(())
}

fn put_chunk(out: &mut Vec<u8>, chunk: &HeadChunk) -> Result<(), Error> {
    out.push(chunk.encoding.to_byte());
    put_varint(out, chunk.min_ts_ms);
    put_uvarint(out, chunk.max_ts_ms.wrapping_sub(chunk.min_ts_ms) as u64);
    put_uvarint(out, u64::from(chunk.samples));
    match &chunk.place {
        Place::File { file, offset, len } if !file.is_doubtful() => {
            out.push(1);
            put_uvarint(out, file.number());
            put_uvarint(out, *offset);
            put_uvarint(out, u64::from(*len));
        }
        _ => {
            out.push(0);
            put_bytes(out, &chunk.bytes()?);
        }
    }
    Ok(())
}

/// What a checkpoint says besides the series.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CheckpointInfo {
    /// The last log record that is wholly contained; 0 without a checkpoint.
    pub(crate) through_seq: u64,
    /// Whether a part could not be read.
    pub(crate) damaged: bool,
}

/// Reads the checkpoint, if there is one, into tenants that `tenant` finds or creates by name and
/// number. Damaged parts are passed over and reported.
pub(crate) fn read_checkpoint(
    vfs: &dyn Vfs,
    wal_directory: &Path,
    mut tenant: impl FnMut(&Tenant, u32) -> Option<Arc<TenantStore>>,
) -> Result<CheckpointInfo, Error> {
    let path = checkpoint_path(wal_directory);
    let mut info = CheckpointInfo::default();
    let names = vfs.list(wal_directory);
    let names = names.map_err(crate::boundary::io("list", wal_directory))?;
    if !names.iter().any(|name| name == "checkpoint") {
        return Ok(info);
    }
    let mut tenants: Vec<Arc<TenantStore>> = Vec::new();
    let mut first = true;
    let mut unreadable = 0_u32;
    let read = read_framed(vfs, &path, FILE_KIND, |payload| {
        let mut bytes = Bytes::new(payload);
        let read = if first && payload.first() == Some(&VERSION) && payload.len() <= 11 {
            first = false;
            take_header(&mut bytes).map(|seq| info.through_seq = seq)
        } else {
            take_record(&mut bytes, &mut tenants, &mut tenant)
        };
        unreadable += u32::from(read.is_none());
    });
    let damage = match read {
        // A file of another kind has nothing to give, which is no reason to do without the log.
        Err(obsq_wal::Error::Corrupt { .. }) => {
            unreadable += 1;
            Damage::default()
        }
        read => read.map_err(from_wal)?,
    };
    info.damaged = unreadable > 0 || damage != Damage::default();
    if info.damaged {
        tracing::error!(path = %path.display(), ?damage, unreadable, "the checkpoint is damaged, its good parts were read");
    }
    Ok(info)
}

fn take_header(bytes: &mut Bytes<'_>) -> Option<u64> {
    let _version = bytes.byte()?;
    bytes.uvarint().filter(|seq| *seq <= MAX_SEQ)
}

fn take_record(
    bytes: &mut Bytes<'_>,
    tenants: &mut Vec<Arc<TenantStore>>,
    tenant: &mut impl FnMut(&Tenant, u32) -> Option<Arc<TenantStore>>,
) -> Option<()> {
    let kind = bytes.byte()?;
    let number = bytes.u32()?;
    if kind == KIND_TENANT {
        let name = Tenant::parse(bytes.text()?).ok()?;
        let found = tenant(&name, number)?;
        found.head.set_horizon(Horizon {
            late_before_ms: bytes.varint()?,
            published_until_ms: bytes.varint()?,
        });
        found.head.index.write().reserve_ids(bytes.u32()?);
        if tenants.last().is_none_or(|last| last.name != name) {
            tenants.push(found);
        }
        return Some(());
    }
    if kind != KIND_SERIES {
        return None;
    }
    let tenant = tenants.iter().find(|tenant| tenant.number() == number)?;
    for _index in 0..bytes.count()? {
        take_series(bytes, &tenant.head)?;
    }
    Some(())
}

fn take_series(bytes: &mut Bytes<'_>, head: &Head) -> Option<()> {
    let files = &head.files;
    let (id, labels) = (bytes.u32()?, take_labels(bytes)?);
    let last_seq = bytes.uvarint().filter(|seq| *seq <= MAX_SEQ)?;
    let has_newest = bytes.byte()? == 1;
    let newest_ms = bytes.varint().map(|newest| has_newest.then_some(newest))?;
    let mut state = SeriesState {
        last_seq,
        newest_ms,
        newest_kind: Kind::from_byte(bytes.byte()?)?,
        ..SeriesState::default()
    };
    if bytes.byte()? == 1 {
        let open = take_chunk(bytes, files)?;
        match open.encoded() {
            Ok(open) => state.open = ChunkBuilder::resume(&open).ok()?,
            Err(_damaged) => return None,
        }
    }
    state.full = take_chunks(bytes, files)?;
    let mut late = Late::default();
    late.chunks = take_chunks(bytes, files)?;
    late.set_buffer(take_run(bytes, &mut 0)?.into_vec());
    state.late = (!late.is_empty()).then(|| Box::new(late));
    let mut index = head.index.write();
    if index.by_id(id).is_none() {
        index.insert(id, hash_of(&labels), labels, state);
    }
    Some(())
}

fn take_chunks(bytes: &mut Bytes<'_>, files: &ChunkFiles) -> Option<Vec<HeadChunk>> {
    let count = bytes.count()?;
    (0..count).map(|_index| take_chunk(bytes, files)).collect()
}

fn take_chunk(bytes: &mut Bytes<'_>, files: &ChunkFiles) -> Option<HeadChunk> {
    let encoding = Encoding::from_byte(bytes.byte()?).ok()?;
    let min_ts_ms = bytes.varint()?;
    let max_ts_ms = min_ts_ms.wrapping_add(bytes.uvarint()? as i64);
    let samples = u16::try_from(bytes.uvarint()?).ok()?;
    if bytes.byte()? == 0 {
        return Some(HeadChunk::in_memory(EncodedChunk {
            encoding,
            min_ts_ms,
            max_ts_ms,
            samples,
            bytes: bytes.bytes()?.to_vec(),
        }));
    }
    Some(HeadChunk {
        min_ts_ms,
        max_ts_ms,
        samples,
        encoding,
        place: Place::File {
            file: files.restore(bytes.uvarint()?),
            offset: bytes.uvarint()?,
            len: bytes.u32()?,
        },
    })
}
