//! Start timestamps inside the chunks of encodings 4, 5 and 6.
//!
//! A byte in the chunk's header says what there is: the high bit that the first sample has a start
//! timestamp, the low seven bits the index of the first sample whose start timestamp is another
//! one than before; from that sample on each has a field. Index 127 has fields in any case, because
//! a later change could not be announced.
//!
//! ```text
//! sample 0        ts - start varint, if the high bit is set
//! sample n        previous ts - start varbit, where n is the index in the header
//! samples behind  change of (previous ts - start) varbit
//! ```

use crate::varbit::{put_varbit_int, varbit_int};
use crate::varint::put_varint;
use crate::{BitReader, BitWriter, DecodeError};

/// Where the header byte lies, in all three encodings.
const HEADER: usize = 2;
const KNOWN: u8 = 0x80;
const LAST_INDEX: u16 = 0x7f;

/// Appends the start timestamps of one chunk.
#[derive(Debug, Clone, Default)]
pub(crate) struct StartEncoder {
    start_ms: i64,
    /// Time of the sample before minus its start.
    age: i64,
    first_change: u16,
}

impl StartEncoder {
    /// Appends what sample `index` needs behind its value.
    pub(crate) fn push(
        &mut self,
        out: &mut BitWriter,
        index: u16,
        (ts_ms, previous_ts_ms): (i64, i64),
        start_ms: i64,
    ) {
        let age = previous_ts_ms.wrapping_sub(start_ms);
        if index == 0 {
            if start_ms != 0 {
                let mut bytes = Vec::with_capacity(10);
                put_varint(&mut bytes, ts_ms.wrapping_sub(start_ms));
                out.bytes(&bytes);
                out.as_bytes_mut()[HEADER] = KNOWN;
            }
        } else if self.first_change > 0 {
            put_varbit_int(out, age.wrapping_sub(self.age));
        } else if start_ms != self.start_ms || index == LAST_INDEX {
            put_varbit_int(out, age);
            self.first_change = index;
            out.as_bytes_mut()[HEADER] |= index.to_be_bytes()[1];
        }
        self.age = age;
        self.start_ms = start_ms;
    }
}

/// Reads the start timestamps of one chunk.
#[derive(Debug, Clone)]
pub(crate) struct StartDecoder {
    start_ms: i64,
    age: i64,
    first_known: bool,
    first_change: u16,
}

impl StartDecoder {
    pub(crate) fn new(header: u8) -> Self {
        Self {
            start_ms: 0,
            age: 0,
            first_known: header & KNOWN != 0,
            first_change: u16::from(header & !KNOWN),
        }
    }

    /// Says whether the first sample has a field.
    pub(crate) fn is_first_known(&self) -> bool {
        self.first_known
    }

    /// Takes the first sample's start timestamp from who read its field.
    pub(crate) fn set_first(&mut self, start_ms: i64) {
        self.start_ms = start_ms;
    }

    /// Returns the start timestamp that all samples before [`StartDecoder::first_with_field`] have.
    pub(crate) fn start_ms(&self) -> i64 {
        self.start_ms
    }

    /// Returns the index of the first sample behind the first that has a field, at most `samples`.
    pub(crate) fn first_with_field(&self, samples: u16) -> u16 {
        match self.first_change {
            0 => samples,
            index => index.min(samples),
        }
    }

    /// Returns the start timestamp of sample `index`, 0 when unknown.
    #[inline]
    pub(crate) fn read(
        &mut self,
        reader: &mut BitReader<'_>,
        index: u16,
        (ts_ms, previous_ts_ms): (i64, i64),
    ) -> Result<i64, DecodeError> {
        if index == 0 {
            if self.first_known {
                self.start_ms = ts_ms.wrapping_sub(reader.varint()?);
            }
        } else if self.first_change > 0 && index >= self.first_change {
            let field = varbit_int(reader);
            self.age = if index == self.first_change {
                field
            } else {
                self.age.wrapping_add(field)
            };
            self.start_ms = previous_ts_ms.wrapping_sub(self.age);
        }
        Ok(self.start_ms)
    }
}
