//! Chunks of downsampled data (encoding 0xff).
//!
//! ```text
//! 5 × (len uvarint | encoding u8 | data of len bytes), in the order of `Aggregate`; an absent one
//! is just the length 0
//! ```

use crate::xor::decode_xor;
use crate::{ByteReader, DecodeError, Encoding};

/// What the values of a downsampled chunk are, per interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// Number of raw samples.
    Count,
    /// Sum of the raw samples.
    Sum,
    /// Smallest raw sample.
    Min,
    /// Largest raw sample.
    Max,
    /// The last raw sample, resets added up, so that rates can be computed.
    Counter,
}

/// A downsampled chunk, split into its five parts.
#[derive(Debug, Clone, Copy)]
pub struct AggrChunk<'a> {
    parts: [Option<(Encoding, &'a [u8])>; 5],
}

impl<'a> AggrChunk<'a> {
    /// Splits the data of a chunk with [`Encoding::Aggr`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = ByteReader::new(bytes);
        let mut parts = [None; 5];
        for part in &mut parts {
            let length = reader.uvarint()?;
            if length == 0 {
                continue;
            }
            let length = usize::try_from(length).map_err(|_range| DecodeError::UnexpectedEnd)?;
            let encoding = Encoding::from_byte(reader.u8()?)?;
            *part = Some((encoding, reader.bytes(length)?));
        }
        Ok(Self { parts })
    }

    /// Returns encoding and data of one part; `None` when it is absent.
    pub fn part(&self, aggregate: Aggregate) -> Option<(Encoding, &'a [u8])> {
        self.parts[aggregate as usize]
    }

    /// Appends times and values of one part to the columns; nothing when it is absent.
    ///
    /// The counter part may repeat its last time: the last raw value follows the aggregated one.
    pub fn decode_part(
        &self,
        aggregate: Aggregate,
        times: &mut Vec<i64>,
        values: &mut Vec<f64>,
    ) -> Result<(), DecodeError> {
        let before = times.len();
        let result = match self.part(aggregate) {
            None => Ok(()),
            Some((Encoding::Xor, bytes)) => decode_xor(bytes, times, values),
            Some((other, _)) => Err(DecodeError::UnknownEncoding(other.to_byte())),
        };
        if result.is_err() {
            times.truncate(before);
            values.truncate(before);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode_chunks;
    use crate::varint::put_uvarint;
    use obsq_model::Sample;
    use proptest::prelude::*;

    #[test]
    fn parts_are_found_in_their_order_and_absent_ones_are_empty() {
        let samples = [Sample::float(10, 1.5), Sample::float(20, 2.5)];
        let part = encode_chunks(&samples).remove(0).bytes;
        let mut bytes = vec![0, 0];
        put_uvarint(&mut bytes, part.len() as u64);
        bytes.push(1);
        bytes.extend_from_slice(&part);
        bytes.extend_from_slice(&[0, 0]);
        let chunk = AggrChunk::parse(&bytes).unwrap();
        let (mut times, mut values) = (Vec::new(), Vec::new());
        chunk
            .decode_part(Aggregate::Sum, &mut times, &mut values)
            .unwrap();
        assert!(times.is_empty());
        chunk
            .decode_part(Aggregate::Min, &mut times, &mut values)
            .unwrap();
        assert_eq!((times, values), (vec![10, 20], vec![1.5, 2.5]));
        assert_eq!(
            AggrChunk::parse(&bytes[..8]).map(|_| ()),
            Err(DecodeError::UnexpectedEnd)
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            if let Ok(chunk) = AggrChunk::parse(&bytes) {
                let (mut times, mut values) = (Vec::new(), Vec::new());
                let _result = chunk.decode_part(Aggregate::Max, &mut times, &mut values);
            }
        }
    }
}
