//! Chunks that the head holds, in memory or in a file of the head.

use std::sync::Arc;

use obsq_encoding::{EncodedChunk, Encoding, decode_samples};
use obsq_model::Sample;

use super::file::HeadFile;
use crate::boundary::damaged;
use obsq_source::Error;

/// Where a chunk's bytes are.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Memory(Arc<[u8]>),
    File {
        file: Arc<HeadFile>,
        offset: u64,
        len: u32,
    },
}

/// A chunk that will not grow any more.
#[derive(Debug, Clone)]
pub(crate) struct HeadChunk {
    pub(crate) min_ts_ms: i64,
    pub(crate) max_ts_ms: i64,
    pub(crate) samples: u16,
    pub(crate) encoding: Encoding,
    pub(crate) place: Place,
}

impl HeadChunk {
    /// Returns the chunk kept in memory.
    pub(crate) fn in_memory(chunk: EncodedChunk) -> Self {
        Self {
            min_ts_ms: chunk.min_ts_ms,
            max_ts_ms: chunk.max_ts_ms,
            samples: chunk.samples,
            encoding: chunk.encoding,
            place: Place::Memory(chunk.bytes.into()),
        }
    }

    /// Returns the chunk's data; reads it from its file and checks its CRC.
    pub(crate) fn bytes(&self) -> Result<Arc<[u8]>, Error> {
        match &self.place {
            Place::Memory(bytes) => Ok(Arc::clone(bytes)),
            Place::File { file, offset, len } => file.read(*offset, *len),
        }
    }

    /// Returns the chunk's samples as they were stored.
    pub(crate) fn decode(&self) -> Result<Vec<Sample>, Error> {
        let bytes = self.bytes()?;
        decode_samples(self.encoding, &bytes).map_err(damaged("a chunk of the head"))
    }

    /// Returns the chunk with its data.
    pub(crate) fn encoded(&self) -> Result<EncodedChunk, Error> {
        Ok(EncodedChunk {
            encoding: self.encoding,
            min_ts_ms: self.min_ts_ms,
            max_ts_ms: self.max_ts_ms,
            samples: self.samples,
            bytes: self.bytes()?.to_vec(),
        })
    }

    pub(crate) fn covers(&self, ts_ms: i64) -> bool {
        self.min_ts_ms <= ts_ms && ts_ms <= self.max_ts_ms
    }

    /// Returns the memory that the chunk's data takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        match &self.place {
            Place::Memory(bytes) => bytes.len(),
            Place::File { .. } => 0,
        }
    }
}
