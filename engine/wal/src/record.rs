//! Records: how payloads lie in a file.
//!
//! ```text
//! file header (32 bytes): magic u32, version u16, kind u16, first seq u64, previous seq u64,
//!                         crc32c(the 24 bytes before) u32, zero u32
//! record:                 magic u32, payload length u32, seq u64, crc32c(the 16 bytes before) u32,
//!                         crc32c(payload) u32, payload, zeros up to a multiple of 8
//! ```
//!
//! Integers are little-endian. The record magic holds bytes that no UTF-8 text holds.

/// First bytes of a file of records.
const FILE_MAGIC: [u8; 4] = *b"\xFFoqf";
/// First bytes of a record.
pub(crate) const RECORD_MAGIC: [u8; 4] = *b"\xFFoq\xFE";
/// Length of the file header.
pub(crate) const FILE_HEADER_BYTES: usize = 32;
/// Length of a record's header.
pub(crate) const RECORD_HEADER_BYTES: usize = 24;
/// The newest version of the file header and of record framing.
pub(crate) const VERSION: u16 = 1;
/// Longest payload of one record.
pub const MAX_PAYLOAD_BYTES: usize = 256 << 20;

/// What a file of records holds; written in its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileKind(pub u16);

impl FileKind {
    /// A segment of the write-ahead log.
    pub const SEGMENT: Self = Self(1);
}

/// No record has a larger number: at a million a second it takes 140,000 years to get there.
pub const MAX_SEQ: u64 = 1 << 62;

/// The header of a file of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) version: u16,
    pub(crate) kind: FileKind,
    /// Sequence number of the first record in the file.
    pub(crate) first_seq: u64,
    /// The last record that was good before this file; what lies between was never acknowledged.
    pub(crate) previous_seq: u64,
}

impl FileHeader {
    pub(crate) fn encode(self) -> [u8; FILE_HEADER_BYTES] {
        let mut bytes = [0; FILE_HEADER_BYTES];
        bytes[..4].copy_from_slice(&FILE_MAGIC);
        bytes[4..6].copy_from_slice(&self.version.to_le_bytes());
        bytes[6..8].copy_from_slice(&self.kind.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.first_seq.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.previous_seq.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..24]);
        bytes[24..28].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Returns the header, or `None` when the bytes are none or damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..FILE_HEADER_BYTES)?;
        let sound =
            bytes.starts_with(&FILE_MAGIC) && u32_at(bytes, 24)? == crc32c::crc32c(&bytes[..24]);
        let header = sound.then_some(Self {
            version: u16_at(bytes, 4)?,
            kind: FileKind(u16_at(bytes, 6)?),
            first_seq: u64_at(bytes, 8)?,
            previous_seq: u64_at(bytes, 16)?,
        });
        header.filter(|header| header.first_seq.max(header.previous_seq) <= MAX_SEQ)
    }
}

/// The header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) len: usize,
    pub(crate) seq: u64,
    pub(crate) payload_crc: u32,
}

impl RecordHeader {
    /// Returns the header, or `None` when the bytes are none or damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..RECORD_HEADER_BYTES)?;
        let sound =
            bytes.starts_with(&RECORD_MAGIC) && u32_at(bytes, 16)? == crc32c::crc32c(&bytes[..16]);
        let len = u32_at(bytes, 4)? as usize;
        let seq = u64_at(bytes, 8)?;
        (sound && len <= MAX_PAYLOAD_BYTES && seq <= MAX_SEQ).then_some(Self {
            len,
            seq,
            payload_crc: u32_at(bytes, 20)?,
        })
    }

    /// Returns the length of the whole record with its padding.
    pub(crate) fn record_bytes(self) -> usize {
        (RECORD_HEADER_BYTES + self.len).next_multiple_of(8)
    }
}

/// A record that is being filled. Its payload is appended in place behind room for the header, so
/// that it is encoded once and never copied on the way to the queue.
#[derive(Debug)]
pub struct Record {
    bytes: Vec<u8>,
}

impl Default for Record {
    fn default() -> Self {
        Self::with_capacity(1 << 12)
    }
}

impl Record {
    /// Returns an empty record with room for `payload_bytes`.
    pub fn with_capacity(payload_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(RECORD_HEADER_BYTES + payload_bytes + 8);
        bytes.resize(RECORD_HEADER_BYTES, 0);
        Self { bytes }
    }

    /// Returns the buffer to append the payload to; what it holds already must stay.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Returns the payload appended so far.
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(RECORD_HEADER_BYTES..).unwrap_or(&[])
    }

    /// Removes the payload.
    pub fn clear(&mut self) {
        self.bytes.truncate(RECORD_HEADER_BYTES);
    }

    /// Writes all of the header but the sequence number, and the padding.
    pub(crate) fn seal(&mut self) {
        let (len, crc) = (self.payload().len(), crc32c::crc32c(self.payload()));
        self.bytes[..4].copy_from_slice(&RECORD_MAGIC);
        self.bytes[4..8].copy_from_slice(&(len as u32).to_le_bytes());
        self.bytes[20..24].copy_from_slice(&crc.to_le_bytes());
        let padded = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(padded, 0);
    }

    /// Writes the sequence number into a sealed record.
    pub(crate) fn number(&mut self, seq: u64) {
        self.bytes[8..16].copy_from_slice(&seq.to_le_bytes());
        let crc = crc32c::crc32c(&self.bytes[..16]);
        self.bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    }

    /// Returns header, payload and padding.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_and_any_flipped_bit_is_noticed() {
        let header = FileHeader {
            version: VERSION,
            kind: FileKind::SEGMENT,
            first_seq: 7,
            previous_seq: 5,
        };
        assert_eq!(FileHeader::decode(&header.encode()), Some(header));
        let mut record = Record::default();
        record.buffer().extend_from_slice(b"payload");
        record.seal();
        record.number(9);
        let decoded = RecordHeader::decode(record.bytes()).unwrap();
        assert_eq!((decoded.len, decoded.seq), (7, 9));
        assert_eq!(decoded.record_bytes(), record.bytes().len());
        for bit in 0..20 * 8 {
            let mut damaged = record.bytes().to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::decode(&damaged), None, "bit {bit}");
        }
    }

    #[test]
    fn the_magic_is_no_text() {
        assert!(std::str::from_utf8(&RECORD_MAGIC).is_err());
        assert!(std::str::from_utf8(&FILE_MAGIC).is_err());
    }
}
