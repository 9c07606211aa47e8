//! Series entries.

use obsq_encoding::{ByteReader, DecodeError, check_crc32c, put_uvarint, put_varint};
use obsq_model::Labels;

use super::symbols::Symbols;
use crate::block::chunk_list::ChunkList;
use crate::block::segments::ChunkRef;

/// A series as the index holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::block) struct SeriesEntry {
    pub(in crate::block) id: u32,
    pub(in crate::block) labels: Labels,
    pub(in crate::block) chunks: ChunkList,
}

/// Appends number and places of chunks, which rise in time and reference.
pub(super) fn put_chunks(out: &mut Vec<u8>, chunks: &[ChunkRef]) {
    put_uvarint(out, chunks.len() as u64);
    let mut previous: Option<&ChunkRef> = None;
    for chunk in chunks {
        let length = chunk
            .max_ts_ms
            .wrapping_sub(chunk.min_ts_ms)
            .cast_unsigned();
        match previous {
            None => {
                put_varint(out, chunk.min_ts_ms);
                put_uvarint(out, length);
                put_uvarint(out, chunk.reference);
            }
            Some(previous) => {
                let gap = chunk.min_ts_ms.wrapping_sub(previous.max_ts_ms);
                put_uvarint(out, gap.cast_unsigned());
                put_uvarint(out, length);
                let step = chunk.reference.wrapping_sub(previous.reference);
                put_varint(out, step.cast_signed());
            }
        }
        previous = Some(chunk);
    }
}

/// Returns the body of the entry that starts with `bytes`; `None` when `bytes` end too early.
pub(super) fn entry_body(bytes: &[u8]) -> Result<Option<&[u8]>, DecodeError> {
    let mut reader = ByteReader::new(bytes);
    let Ok(length) = reader.uvarint() else {
        return Ok(None);
    };
    let length = usize::try_from(length).map_err(|_range| DecodeError::UnexpectedEnd)?;
    let Ok(body) = reader.bytes(length) else {
        return Ok(None);
    };
    let Ok(stored) = reader.u32() else {
        return Ok(None);
    };
    check_crc32c(body, stored)?;
    Ok(Some(body))
}

/// Returns how many bytes the entry that starts with `bytes` takes; the length field must be whole.
pub(super) fn entry_bytes(bytes: &[u8]) -> Result<usize, DecodeError> {
    let mut reader = ByteReader::new(bytes);
    let length = reader.uvarint()?;
    if length > u64::from(u32::MAX) {
        return Err(DecodeError::UnexpectedEnd);
    }
    Ok(reader.position() + length as usize + 4)
}

/// Reads labels and chunks.
pub(super) fn parse_body(
    body: &[u8],
    id: u32,
    symbols: &Symbols,
) -> Result<SeriesEntry, DecodeError> {
    let mut reader = ByteReader::new(body);
    let number = reader.uvarint()?;
    // A label takes at least two bytes.
    if number > reader.remaining() as u64 / 2 {
        return Err(DecodeError::UnexpectedEnd);
    }
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(number as usize);
    for _ in 0..number {
        let name = symbols.get(reader.uvarint32()?)?;
        let value = symbols.get(reader.uvarint32()?)?;
        if pairs.last().is_some_and(|(last, _)| *last >= name) {
            return Err(DecodeError::Inconsistent("labels of a series out of order"));
        }
        pairs.push((name, value));
    }
    let chunks = parse_chunks(&mut reader)?;
    // Some writers store labels with an empty value, which are no labels.
    let text_bytes = pairs.iter().map(|(n, v)| n.len() + v.len() + 3).sum();
    let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    Ok(SeriesEntry {
        id,
        labels: Labels::from_sorted_sized(text_bytes, pairs),
        chunks: chunks.into(),
    })
}

fn parse_chunks(reader: &mut ByteReader<'_>) -> Result<Vec<ChunkRef>, DecodeError> {
    let number = reader.uvarint()?;
    // A chunk takes at least three bytes.
    if number > reader.remaining() as u64 / 3 {
        return Err(DecodeError::UnexpectedEnd);
    }
    let mut chunks = Vec::with_capacity(number as usize);
    let mut previous: Option<ChunkRef> = None;
    for _ in 0..number {
        let (min_ts_ms, base) = match previous {
            None => (reader.varint()?, None),
            Some(previous) => {
                let gap = reader.uvarint()?;
                let min_ts_ms = previous.max_ts_ms.wrapping_add_unsigned(gap);
                (min_ts_ms, Some(previous.reference))
            }
        };
        let max_ts_ms = min_ts_ms.wrapping_add_unsigned(reader.uvarint()?);
        let reference = match base {
            None => reader.uvarint()?,
            Some(base) => base.wrapping_add_signed(reader.varint()?),
        };
        let chunk = ChunkRef {
            min_ts_ms,
            max_ts_ms,
            reference,
        };
        chunks.push(chunk);
        previous = Some(chunk);
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::index::Version;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn symbols() -> Symbols {
        Symbols::parse(b"\x00\x00\x00\x02\x01a\x01b".to_vec(), 5, Version::V2).unwrap()
    }

    fn entry(labels: &[u8], chunks: &[ChunkRef]) -> Vec<u8> {
        let mut body = labels.to_vec();
        put_chunks(&mut body, chunks);
        body
    }

    #[test]
    fn labels_out_of_order_are_refused() {
        let chunk = ChunkRef {
            min_ts_ms: 1,
            max_ts_ms: 2,
            reference: 8,
        };
        let parse = |labels| parse_body(&entry(labels, &[chunk]), 1, &symbols());
        assert!(parse(&[2, 0, 1, 1, 0]).is_ok());
        assert!(parse(&[2, 1, 1, 0, 0]).is_err());
        assert!(parse(&[2, 0, 1, 0, 1]).is_err());
        assert!(parse(&[1, 0, 7]).is_err());
    }

    proptest! {
        #[test]
        fn any_chunks_round_trip(gaps in vec((1_i64..1 << 40, 0_i64..1 << 40, 1_u64..1 << 30), 1..20)) {
            let (mut at, mut reference) = (-(1_i64 << 41), 0);
            let chunks: Vec<_> = gaps
                .into_iter()
                .map(|(gap, length, step)| {
                    let min_ts_ms = at + gap;
                    at = min_ts_ms + length;
                    reference += step;
                    ChunkRef { min_ts_ms, max_ts_ms: at, reference }
                })
                .collect();
            let body = entry(&[1, 0, 1], &chunks);
            let all = parse_body(&body, 7, &symbols()).unwrap();
            prop_assert_eq!(&*all.chunks, &chunks[..]);
        }

        #[test]
        fn arbitrary_bytes_never_panic(body: Vec<u8>) {
            let _entry = parse_body(&body, 1, &symbols());
            let _frame = entry_body(&body).and(entry_bytes(&body).map(Some));
        }
    }
}
