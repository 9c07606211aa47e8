//! `chunks/000001` and so on: the chunks of a block.
//!
//! ```text
//! segment  magic u32 85BD40DD | version u8 1 | 0 0 0 | chunk*          at most 512 MiB
//! chunk    len uvarint | encoding u8 | data of len bytes | CRC32C of encoding and data
//! ```
//!
//! A chunk's reference is `(segment number - 1) << 32 | offset`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_encoding::{
    ByteReader, DecodeError, EncodedChunk, Encoding, MAX_VARINT_BYTES, check_crc32c, put_crc32c,
    put_uvarint,
};
use obsq_wal::Vfs;

use super::file::{FileWriter, ReadFile};
use super::meta::FileMeta;
use crate::Error;

/// Name of the directory in a block's directory.
pub(crate) const CHUNKS_DIRECTORY: &str = "chunks";
const MAGIC: u32 = 0x85bd_40dd;
const VERSION: u8 = 1;
const HEADER: [u8; 8] = [0x85, 0xbd, 0x40, 0xdd, VERSION, 0, 0, 0];
const MAX_SEGMENT_BYTES: u64 = 512 << 20;
/// Neighbouring chunks are read in one piece up to this size.
const MAX_READ_BYTES: u64 = 1 << 20;
/// A chunk that the index does not say the length of is read with this many bytes at first.
const FIRST_READ_BYTES: usize = 2048;

/// Where a chunk lies and which times it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRef {
    /// Time of the first sample.
    pub min_ts_ms: i64,
    /// Time of the last sample.
    pub max_ts_ms: i64,
    /// Segment and offset.
    pub reference: u64,
}

impl ChunkRef {
    /// Fails when the first or the last time read from the chunk lies outside of what the index
    /// says: its samples could be out of order with those of its neighbours.
    pub(super) fn check_times(
        self,
        first: Option<i64>,
        last: Option<i64>,
    ) -> Result<(), DecodeError> {
        let within = |ts_ms| (self.min_ts_ms..=self.max_ts_ms).contains(&ts_ms);
        if first.is_none_or(within) && last.is_none_or(within) {
            Ok(())
        } else {
            Err(DecodeError::TimeOrder)
        }
    }

    fn segment(self) -> usize {
        (self.reference >> 32) as usize
    }

    fn offset(self) -> u64 {
        self.reference & u64::from(u32::MAX)
    }
}

/// Takes place, encoding and data of a chunk.
pub type ChunkVisitor<'a> = dyn FnMut(ChunkRef, Encoding, &[u8]) -> Result<(), DecodeError> + 'a;

/// Writes chunks, cutting segments.
#[derive(Debug)]
pub(super) struct SegmentWriter {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    open: Option<FileWriter>,
    finished: Vec<FileMeta>,
    max_segment_bytes: u64,
    frame: Vec<u8>,
}

impl SegmentWriter {
    pub(super) fn create(vfs: &Arc<dyn Vfs>, block_directory: &Path) -> Result<Self, Error> {
        let directory = block_directory.join(CHUNKS_DIRECTORY);
        vfs.create_dir(&directory)
            .map_err(obsq_wal::Error::io("create", &directory))?;
        Ok(Self {
            vfs: Arc::clone(vfs),
            directory,
            open: None,
            finished: Vec::new(),
            max_segment_bytes: MAX_SEGMENT_BYTES,
            frame: Vec::new(),
        })
    }

    #[cfg(test)]
    pub(super) fn set_max_segment_bytes(&mut self, bytes: u64) {
        self.max_segment_bytes = bytes;
    }

    /// Appends a chunk and returns its reference.
    pub(super) fn push(&mut self, chunk: &EncodedChunk) -> Result<u64, Error> {
        self.frame.clear();
        put_uvarint(&mut self.frame, chunk.bytes.len() as u64);
        let from = self.frame.len();
        self.frame.push(chunk.encoding.to_byte());
        self.frame.extend_from_slice(&chunk.bytes);
        put_crc32c(&mut self.frame, from);
        if let Some(open) = &self.open
            && open.position() + self.frame.len() as u64 > self.max_segment_bytes
        {
            self.finish_segment()?;
        }
        let segment = self.finished.len() as u64;
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                let path = self.directory.join(segment_name(segment));
                let file = none.insert(FileWriter::create(self.vfs.as_ref(), path)?);
                file.write(&HEADER)?;
                file
            }
        };
        let reference = segment << 32 | open.position();
        open.write(&self.frame)?;
        Ok(reference)
    }

    fn finish_segment(&mut self) -> Result<(), Error> {
        if let Some(open) = self.open.take() {
            let name = segment_name(self.finished.len() as u64);
            let meta = open.finish(&format!("{CHUNKS_DIRECTORY}/{name}"))?;
            self.finished.push(meta);
        }
        Ok(())
    }

    /// Ends the last segment; all content and names are on the disk when this returns.
    pub(super) fn finish(mut self) -> Result<Vec<FileMeta>, Error> {
        self.finish_segment()?;
        self.vfs
            .sync_dir(&self.directory)
            .map_err(obsq_wal::Error::io("sync", &self.directory))?;
        Ok(self.finished)
    }
}

fn segment_name(segment: u64) -> String {
    format!("{:06}", segment + 1)
}

/// Reads chunks.
#[derive(Debug)]
pub(super) struct SegmentReader {
    segments: Vec<ReadFile>,
}

impl SegmentReader {
    /// Opens all segments of the block and checks their headers.
    pub(super) fn open(vfs: &dyn Vfs, block_directory: &Path) -> Result<Self, Error> {
        let directory = block_directory.join(CHUNKS_DIRECTORY);
        let names = vfs
            .list(&directory)
            .map_err(obsq_wal::Error::io("list", &directory))?;
        let mut numbered: Vec<(u64, String)> = names
            .into_iter()
            .filter_map(|name| Some((name.parse().ok()?, name)))
            .collect();
        numbered.sort_unstable();
        let mut segments = Vec::with_capacity(numbered.len());
        for (_, name) in numbered {
            let file = ReadFile::open(vfs, directory.join(name))?;
            check_header(&file)?;
            segments.push(file);
        }
        Ok(Self { segments })
    }

    /// Returns the length of all segments.
    pub(super) fn size_bytes(&self) -> u64 {
        self.segments.iter().map(ReadFile::size).sum()
    }

    /// Calls `visit` with each chunk's encoding and data, in order. Chunks that lie side by side
    /// are read in one piece. The CRC of each is checked.
    pub(super) fn read(
        &self,
        chunks: &[ChunkRef],
        visit: &mut ChunkVisitor<'_>,
    ) -> Result<(), Error> {
        let mut rest = chunks;
        while let Some((first, others)) = rest.split_first() {
            let near = others
                .iter()
                .take_while(|chunk| {
                    chunk.segment() == first.segment()
                        && chunk.reference > first.reference
                        && chunk.reference - first.reference < MAX_READ_BYTES
                })
                .count();
            let (run, tail) = rest.split_at(near + 1);
            self.read_run(run, visit)?;
            rest = tail;
        }
        Ok(())
    }

    fn read_run(&self, run: &[ChunkRef], visit: &mut ChunkVisitor<'_>) -> Result<(), Error> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return Ok(());
        };
        let file = self.segment(*first)?;
        let start = first.offset();
        let length = (last.offset() - start) as usize + FIRST_READ_BYTES;
        file.with_bytes(start, length, |bytes| {
            Self::visit_run(file, run, bytes, visit)
        })?
    }

    /// Visits the chunks of a run, with which `bytes` begin.
    fn visit_run(
        file: &ReadFile,
        run: &[ChunkRef],
        bytes: &[u8],
        visit: &mut ChunkVisitor<'_>,
    ) -> Result<(), Error> {
        let start = run.first().map_or(0, |first| first.offset());
        for chunk in run {
            let corrupt = file.corrupt(chunk.offset());
            let frame = bytes
                .get((chunk.offset() - start) as usize..)
                .unwrap_or_default();
            let length = frame_bytes(frame).map_err(&corrupt)?;
            let longer;
            let frame = if length > frame.len() {
                longer = file.read(chunk.offset(), length)?;
                &longer
            } else {
                frame
            };
            let (encoding, data) = parse_frame(frame).map_err(&corrupt)?;
            visit(*chunk, encoding, data).map_err(&corrupt)?;
        }
        Ok(())
    }

    fn segment(&self, chunk: ChunkRef) -> Result<&ReadFile, Error> {
        self.segments.get(chunk.segment()).ok_or_else(|| {
            let path = self
                .segments
                .first()
                .map_or(Path::new(CHUNKS_DIRECTORY), ReadFile::path);
            Error::corrupt(path, chunk.reference)(DecodeError::UnexpectedEnd)
        })
    }
}

fn check_header(file: &ReadFile) -> Result<(), Error> {
    let header = file.read(0, HEADER.len())?;
    let mut reader = ByteReader::new(&header);
    let (magic, version) = (
        reader.u32().map_err(file.corrupt(0))?,
        reader.u8().map_err(file.corrupt(0))?,
    );
    if magic != MAGIC {
        return Err(file.corrupt(0)(DecodeError::BadMagic(magic)));
    }
    if version != VERSION {
        return Err(Error::Version {
            path: file.path().to_owned(),
            found: u64::from(version),
        });
    }
    Ok(())
}

/// Returns the length of the frame that starts with `bytes`, its CRC included.
fn frame_bytes(bytes: &[u8]) -> Result<usize, DecodeError> {
    let mut reader = ByteReader::new(&bytes[..bytes.len().min(MAX_VARINT_BYTES)]);
    let length = reader.uvarint()?;
    if length > MAX_SEGMENT_BYTES {
        return Err(DecodeError::UnexpectedEnd);
    }
    Ok(reader.position() + 1 + length as usize + 4)
}

fn parse_frame(bytes: &[u8]) -> Result<(Encoding, &[u8]), DecodeError> {
    let mut reader = ByteReader::new(bytes);
    let length = reader.uvarint()? as usize;
    let summed = reader.bytes(1 + length)?;
    check_crc32c(summed, reader.u32()?)?;
    let (encoding, data) = summed.split_first().ok_or(DecodeError::UnexpectedEnd)?;
    Ok((Encoding::from_byte(*encoding)?, data))
}
