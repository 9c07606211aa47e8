//! The chunks of a series, shared between the cache and those who read them.

use std::ops::Deref;
use std::sync::Arc;

use obsq_model::TimeRange;

use super::segments::ChunkRef;

/// Some consecutive chunks of a series, in order of time. Cloning does not copy them.
#[derive(Debug, Clone, Default)]
pub struct ChunkList {
    all: Arc<[ChunkRef]>,
    start: u32,
    end: u32,
}

impl From<Vec<ChunkRef>> for ChunkList {
    fn from(chunks: Vec<ChunkRef>) -> Self {
        let end = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        Self {
            all: chunks.into(),
            start: 0,
            end,
        }
    }
}

impl Deref for ChunkList {
    type Target = [ChunkRef];

    fn deref(&self) -> &[ChunkRef] {
        self.all
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

impl PartialEq for ChunkList {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for ChunkList {}

impl ChunkList {
    /// Returns the chunks from the first to the last that overlaps `range`.
    pub(crate) fn within(&self, range: TimeRange) -> Self {
        let overlaps =
            |chunk: &ChunkRef| range.overlaps(TimeRange::new(chunk.min_ts_ms, chunk.max_ts_ms));
        let (Some(first), Some(last)) = (
            self.iter().position(overlaps),
            self.iter().rposition(overlaps),
        ) else {
            return Self::default();
        };
        Self {
            all: Arc::clone(&self.all),
            start: self.start + first as u32,
            end: self.start + last as u32 + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_list_is_what_overlaps() {
        let chunk = |min_ts_ms: i64| ChunkRef {
            min_ts_ms,
            max_ts_ms: min_ts_ms + 9,
            reference: min_ts_ms as u64,
        };
        let list = ChunkList::from([0, 10, 20, 30].map(chunk).to_vec());
        let within = |start, end| list.within(TimeRange::new(start, end));
        assert_eq!(*within(12, 25), [chunk(10), chunk(20)]);
        assert_eq!(*within(i64::MIN, 5), [chunk(0)]);
        assert_eq!(within(-9, -1).len() + within(40, 90).len(), 0);
        assert_eq!(*within(0, 29).within(TimeRange::new(25, 99)), [chunk(20)]);
    }
}
