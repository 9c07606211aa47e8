//! Looking into the head.

use std::sync::Arc;

use obsq_model::{Matcher, TimeRange};
use smallvec::SmallVec;

use super::{Head, HeadChunk, Series, SeriesState};
use crate::selected::{Rank, SelectedChunk, SelectedSeries, Source};

impl Head {
    /// Returns the matching series with a copy of what they hold in `range`, in no order.
    pub(crate) fn select(&self, matchers: &[Matcher], range: TimeRange) -> Vec<SelectedSeries> {
        let found = self.index.read().select(matchers);
        found
            .iter()
            .filter_map(|series| series.snapshot(range))
            .collect()
    }

    /// Returns the matching series that have samples in `range`, as far as chunks tell.
    pub(crate) fn series(&self, matchers: &[Matcher], range: TimeRange) -> Vec<Arc<Series>> {
        let mut found = self.index.read().select(matchers);
        found.retain(|series| series.state.lock().overlaps(range));
        found
    }
}

impl Series {
    /// Returns a copy of what the series holds in `range`, if anything.
    pub(crate) fn snapshot(&self, range: TimeRange) -> Option<SelectedSeries> {
        let mut chunks = SmallVec::new();
        copy_chunks(&self.state.lock(), range, &mut chunks);
        (!chunks.is_empty()).then(|| SelectedSeries {
            labels: self.labels.clone(),
            chunks,
        })
    }
}

/// Appends a copy of what the series holds in `range`.
pub(super) fn copy_chunks(
    state: &SeriesState,
    range: TimeRange,
    chunks: &mut impl Extend<SelectedChunk>,
) {
    let mut add = |rank, chunk: &HeadChunk| {
        if range.overlaps(TimeRange::new(chunk.min_ts_ms, chunk.max_ts_ms)) {
            chunks.extend([SelectedChunk {
                min_ts_ms: chunk.min_ts_ms,
                max_ts_ms: chunk.max_ts_ms,
                rank,
                source: Source::Head(chunk.clone()),
            }]);
        }
    };
    for chunk in &state.full {
        add(Rank::IN_ORDER, chunk);
    }
    let open = state.open.min_ts_ms().zip(state.open.max_ts_ms());
    if open.is_some_and(|(min, max)| range.overlaps(TimeRange::new(min, max)))
        && let Some(open) = state.open.snapshot()
    {
        add(Rank::IN_ORDER, &HeadChunk::in_memory(open));
    }
    let Some(late) = &state.late else { return };
    for (index, chunk) in late.all_chunks().enumerate() {
        add(Rank::late(index), chunk);
    }
    if let Some(open) = late.open.snapshot() {
        add(Rank::NEWEST, &HeadChunk::in_memory(open));
    }
    let start = late
        .buffer
        .partition_point(|sample| sample.ts_ms < range.start_ms);
    let end = late
        .buffer
        .partition_point(|sample| sample.ts_ms <= range.end_ms);
    let within = late.buffer.get(start..end).unwrap_or(&[]);
    if let (Some(first), Some(last)) = (within.first(), within.last()) {
        chunks.extend([SelectedChunk {
            min_ts_ms: first.ts_ms,
            max_ts_ms: last.ts_ms,
            rank: Rank::NEWEST,
            source: Source::Samples(within.into()),
        }]);
    }
}
