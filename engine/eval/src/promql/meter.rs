//! Counting samples, for the limit and for the statistics.
//!
//! Two different things are counted. *Held* samples are those of all intermediate results that
//! exist at one time; they are limited. *Looked at* and *read* samples only rise; they are
//! counted per frame, because a subquery's belong to the steps that use them.
//!
//! Source of the rules: Prometheus 3.x, `currentSamples` of the evaluator and `util/stats`.

use super::error::QueryError;
use super::grid::Grid;
use super::plan::{Frame, FrameId, Origin};
use super::stats::SampleStats;

/// Samples looked at and read in one frame.
#[derive(Debug, Clone, Default)]
pub(crate) struct FrameCounts {
    /// Samples looked at, those in overlapping windows once per window.
    pub(crate) total: u64,
    /// Samples read.
    pub(crate) read: u64,
    /// Both by step; empty where nobody asks.
    pub(crate) per_step: Vec<(u64, u64)>,
}

impl FrameCounts {
    /// Returns counts of zero that count by step when `steps` is some number.
    pub(crate) fn new(steps: Option<usize>) -> Self {
        Self {
            per_step: vec![(0, 0); steps.unwrap_or(0)],
            ..Self::default()
        }
    }

    /// Returns counts of zero of the same kind.
    pub(crate) fn empty_like(&self) -> Self {
        Self::new(Some(self.per_step.len()))
    }

    /// Counts samples at `step`.
    pub(crate) fn add(&mut self, step: usize, total: u64, read: u64) {
        self.total += total;
        self.read += read;
        if let Some((step_total, step_read)) = self.per_step.get_mut(step) {
            *step_total += total;
            *step_read += read;
        }
    }

    /// Adds the counts of a part of the same frame.
    pub(crate) fn merge(&mut self, part: &Self) {
        self.total += part.total;
        self.read += part.read;
        for (mine, theirs) in self.per_step.iter_mut().zip(&part.per_step) {
            mine.0 += theirs.0;
            mine.1 += theirs.1;
        }
    }
}

/// Counts for one evaluation.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: usize,
    held: usize,
    peak: usize,
    frames: Vec<FrameCounts>,
}

impl Meter {
    /// Returns the meter of a plan with those frames. Subqueries always count by step; the query
    /// itself does when `per_step` is set.
    pub(crate) fn new(limit: usize, frames: &[Frame], per_step: bool) -> Self {
        let counts = frames.iter().map(|frame| {
            let wanted = match frame.origin {
                Origin::Query => per_step,
                Origin::Subquery => true,
                Origin::Invariant => false,
            };
            FrameCounts::new(wanted.then_some(frame.grid.steps))
        });
        Self {
            limit,
            held: 0,
            peak: 0,
            frames: counts.collect(),
        }
    }

    /// Returns how many samples may be held.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns how many samples are held.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Adds samples to those held, or fails when they are too many.
    pub(crate) fn hold(&mut self, samples: usize) -> Result<(), QueryError> {
        self.held = self.held.saturating_add(samples);
        self.touch(0)
    }

    /// Notes that `samples` more than those held exist for a moment.
    pub(crate) fn touch(&mut self, samples: usize) -> Result<(), QueryError> {
        let now = self.held.saturating_add(samples);
        self.peak = self.peak.max(now);
        if now > self.limit {
            return Err(QueryError::TooManySamples { limit: self.limit });
        }
        Ok(())
    }

    /// Takes samples from those held.
    pub(crate) fn release(&mut self, samples: usize) {
        self.held = self.held.saturating_sub(samples);
    }

    /// Returns the counts of a frame.
    pub(crate) fn frame(&mut self, id: FrameId) -> &mut FrameCounts {
        &mut self.frames[id.0 as usize]
    }

    /// Counts what was done once for every step of `grid`.
    pub(crate) fn spread(&mut self, once: FrameId, outer: FrameId, grid: Grid) {
        let once = std::mem::take(&mut self.frames[once.0 as usize]);
        let outer = self.frame(outer);
        if outer.per_step.is_empty() {
            outer.total += once.total * grid.steps as u64;
        } else {
            (0..grid.steps).for_each(|step| outer.add(step, once.total, 0));
        }
        outer.add(0, 0, once.read);
    }

    /// Adds what a subquery read to the steps of the frame that uses it.
    ///
    /// `window` is offset and width of the windows that the outer steps cut from it; what lies
    /// between two windows is not counted. Without it everything is.
    pub(crate) fn absorb_subquery(
        &mut self,
        inner: (FrameId, Grid),
        outer: (FrameId, Grid),
        window: Option<(i64, i64)>,
    ) {
        let counts = std::mem::take(&mut self.frames[inner.0.0 as usize]);
        let (frame, grid) = outer;
        let outer = self.frame(frame);
        if grid.steps <= 1 {
            outer.add(0, 0, counts.read);
            return;
        }
        let (offset_ms, range_ms) = window.unwrap_or((0, 0));
        for (step, (_, read)) in counts.per_step.iter().enumerate() {
            let time = inner.1.time(step).saturating_add(offset_ms);
            let ahead = time.saturating_sub(grid.start_ms).max(0);
            let user = (ahead as u64).div_ceil(grid.step_ms as u64) as usize;
            let user = user.min(grid.steps - 1);
            let between = window.is_some() && time <= grid.time(user).saturating_sub(range_ms);
            if *read > 0 && !between {
                outer.add(user, 0, *read);
            }
        }
    }

    /// Adds what a subquery looked at to the last step of the frame that it is the result of.
    pub(crate) fn absorb_subquery_total(&mut self, inner: FrameId, outer: FrameId, grid: Grid) {
        let total = self.frame(inner).total;
        self.frame(outer)
            .add(grid.steps.saturating_sub(1), total, 0);
    }

    /// Returns the statistics of the query, whose own frame has `grid`.
    pub(crate) fn statistics(&self, grid: Grid) -> SampleStats {
        let mut stats = SampleStats {
            peak: self.peak,
            ..SampleStats::default()
        };
        if let Some(counts) = self.frames.first() {
            stats.total_queryable = counts.total;
            stats.read = counts.read;
            for (step, (total, read)) in counts.per_step.iter().enumerate() {
                stats
                    .total_queryable_per_step
                    .push((grid.time(step), *total));
                stats.read_per_step.push((grid.time(step), *read));
            }
        }
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(grid: Grid, origin: Origin) -> Frame {
        Frame { grid, origin }
    }

    const QUERY: FrameId = FrameId(0);
    const INNER: FrameId = FrameId(1);

    #[test]
    fn the_peak_is_the_most_that_was_held_at_once() {
        let mut meter = Meter::new(10, &[], false);
        meter.hold(4).unwrap();
        meter.touch(5).unwrap();
        meter.release(3);
        meter.hold(2).unwrap();
        assert_eq!(meter.held(), 3);
        assert_eq!(meter.statistics(Grid::instant(0)).peak, 9);
        assert!(meter.touch(7).is_ok());
        assert!(matches!(
            meter.touch(8),
            Err(QueryError::TooManySamples { limit: 10 })
        ));
        assert!(meter.touch(usize::MAX).is_err());
    }

    #[test]
    fn what_is_done_once_counts_for_every_step_but_is_read_once() {
        let grid = Grid::range(0, 30, 10);
        let frames = [
            frame(grid, Origin::Query),
            frame(grid.first(), Origin::Invariant),
        ];
        let mut meter = Meter::new(100, &frames, true);
        meter.frame(INNER).add(0, 7, 5);
        meter.spread(INNER, QUERY, grid);
        let stats = meter.statistics(grid);
        assert_eq!((stats.total_queryable, stats.read), (28, 5));
        assert_eq!(stats.read_per_step, [(0, 5), (10, 0), (20, 0), (30, 0)]);
        assert_eq!(stats.total_queryable_per_step[3], (30, 7));
    }

    #[test]
    fn what_a_subquery_read_counts_at_the_step_that_uses_it() {
        let outer = Grid::range(0, 20, 10);
        let inner = Grid::range(-4, 19, 1);
        let frames = [frame(outer, Origin::Query), frame(inner, Origin::Subquery)];
        let read_at = |time_ms: i64| {
            let mut meter = Meter::new(100, &frames, true);
            let step = usize::try_from(time_ms - inner.start_ms).unwrap();
            meter.frame(INNER).add(step, 0, 1);
            meter.absorb_subquery((INNER, inner), (QUERY, outer), Some((0, 5)));
            let stats = meter.statistics(outer);
            stats.read_per_step.iter().position(|(_, read)| *read == 1)
        };
        assert_eq!(read_at(-4), Some(0));
        assert_eq!(read_at(0), Some(0));
        // The window of the step at 10 begins behind 5.
        assert_eq!(read_at(5), None);
        assert_eq!(read_at(6), Some(1));
        assert_eq!(read_at(10), Some(1));
        assert_eq!(read_at(19), Some(2));
    }
}
