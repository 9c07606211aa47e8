//! Integers and texts as they lie in log records, checkpoints and companions.
//!
//! `uvarint` is LEB128, `varint` the same after zig-zag, floats are their bits big-endian, texts
//! have a `uvarint` length in front.

use obsq_encoding::ByteReader;
pub(crate) use obsq_encoding::{put_uvarint, put_varint};

/// Appends a float, 8 bytes.
pub(crate) fn put_f64(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_bits().to_be_bytes());
}

/// Appends bytes with their length in front.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uvarint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a text with its length in front.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

/// Reads what the functions above wrote. Every method returns `None` for bytes that cannot be such.
#[derive(Debug)]
pub(crate) struct Bytes<'a>(ByteReader<'a>);

impl<'a> Bytes<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(ByteReader::new(bytes))
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.0.u8().ok()
    }

    pub(crate) fn uvarint(&mut self) -> Option<u64> {
        self.0.uvarint().ok()
    }

    pub(crate) fn varint(&mut self) -> Option<i64> {
        self.0.varint().ok()
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.0.uvarint32().ok()
    }

    /// Reads a count of things that take at least one byte each, so that no count makes a reader
    /// reserve more than the input is long.
    pub(crate) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.uvarint()?).ok()?;
        (count <= self.0.remaining()).then_some(count)
    }

    pub(crate) fn f64(&mut self) -> Option<f64> {
        self.0.f64().ok()
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        self.0.uvarint_bytes().ok()
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        self.0.uvarint_str().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn everything_round_trips(
            unsigned: u64,
            signed: i64,
            float: u64,
            text in "\\PC{0,20}",
        ) {
            let mut out = Vec::new();
            put_uvarint(&mut out, unsigned);
            put_varint(&mut out, signed);
            put_f64(&mut out, f64::from_bits(float));
            put_text(&mut out, &text);
            let mut bytes = Bytes::new(&out);
            prop_assert_eq!(bytes.uvarint(), Some(unsigned));
            prop_assert_eq!(bytes.varint(), Some(signed));
            prop_assert_eq!(bytes.f64().map(f64::to_bits), Some(float));
            prop_assert_eq!(bytes.text(), Some(text.as_str()));
            prop_assert!(bytes.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_panic(input in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut bytes = Bytes::new(&input);
            let _ = (bytes.count(), bytes.uvarint(), bytes.text(), bytes.f64(), bytes.varint());
        }
    }
}
