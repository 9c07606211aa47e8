//! Selectors with their times worked out.

use std::ops::Range;

use obsq_model::{Labels, LabelsBuilder, METRIC_NAME, Matcher, TimeRange};
use obsq_query_lang::promql::{LabelMatcher, MatcherOp};
use obsq_query_lang::without_stray_bytes;

use crate::promql::grid::Grid;
use crate::promql::kernels::Edges;

/// Which samples a selector looks at, relative to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WindowSpec {
    /// Width of the window; the lookback for an instant selector.
    pub(crate) range_ms: i64,
    /// How far back the window is moved; negative moves ahead.
    pub(crate) offset_ms: i64,
    /// Time that takes the place of each step's own.
    pub(crate) at_ms: Option<i64>,
    /// What happens at the edges.
    pub(crate) edges: Edges,
    /// How far `anchored` and `smoothed` look beyond the edges.
    pub(crate) lookback_ms: i64,
}

impl WindowSpec {
    /// Returns the right end, inside the window, for a step at `step_ms`.
    pub(crate) fn end(&self, step_ms: i64) -> i64 {
        let reference = self.at_ms.unwrap_or(step_ms);
        reference.saturating_sub(self.offset_ms)
    }

    /// Returns how far back from [`Self::end`] samples are wanted, the far end outside.
    pub(crate) fn reach_back_ms(&self) -> i64 {
        match self.edges {
            Edges::Plain => self.range_ms,
            Edges::Anchored | Edges::Smoothed => self.range_ms.saturating_add(self.lookback_ms),
        }
    }

    /// Returns how far ahead of [`Self::end`] samples are wanted, the far end inside.
    pub(crate) fn reach_ahead_ms(&self) -> i64 {
        match self.edges {
            Edges::Plain | Edges::Anchored => 0,
            Edges::Smoothed => self.lookback_ms,
        }
    }

    /// Returns the steps of `grid` whose windows may hold a sample when all samples lie between
    /// `first_ms` and `last_ms`, both inside. A subquery's grid is often much longer.
    pub(crate) fn busy_steps(&self, grid: Grid, first_ms: i64, last_ms: i64) -> Range<usize> {
        if self.at_ms.is_some() {
            return 0..grid.steps;
        }
        let reached_ms = first_ms
            .saturating_sub(self.reach_ahead_ms())
            .saturating_add(self.offset_ms);
        let left_ms = last_ms
            .saturating_add(self.reach_back_ms())
            .saturating_add(self.offset_ms);
        let first = grid.first_from(reached_ms);
        first..grid.first_from(left_ms).max(first)
    }

    /// Returns the times, both ends inside, that all steps of `grid` together look at.
    pub(crate) fn reach(&self, grid: Grid) -> TimeRange {
        let first = self.end(grid.start_ms).saturating_sub(self.reach_back_ms());
        let last = self.end(grid.last_ms());
        TimeRange::new(
            first.saturating_add(1),
            last.saturating_add(self.reach_ahead_ms()),
        )
    }
}

/// A selector of stored series.
#[derive(Debug)]
pub(crate) struct Selector {
    /// Conditions on the labels.
    pub(crate) matchers: Vec<Matcher>,
    /// Which samples.
    pub(crate) window: WindowSpec,
    /// Only count, sum and resets of histograms are looked at, not their buckets.
    pub(crate) histogram_stats: bool,
}

/// Returns the labels that the absence of a selector's series can be reported with: those that
/// exactly one matcher fixes by `=`.
///
/// As upstream does it, a second matcher on a label removes the label, a third `=` does not bring
/// it back.
pub(super) fn absent_labels(matchers: &[LabelMatcher]) -> Labels {
    let mut builder = LabelsBuilder::default();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers {
        let name = matcher.name.as_str();
        if name == METRIC_NAME {
            continue;
        }
        if matcher.op == MatcherOp::Equal && !seen.contains(&name) {
            builder.set(name, &without_stray_bytes(&matcher.value));
            seen.push(name);
        } else {
            builder.remove(name);
        }
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(edges: Edges, offset_ms: i64, at_ms: Option<i64>) -> WindowSpec {
        WindowSpec {
            range_ms: 50,
            offset_ms,
            at_ms,
            edges,
            lookback_ms: 20,
        }
    }

    #[test]
    fn busy_steps_are_those_whose_windows_can_hold_a_sample() {
        let grid = Grid::range(0, 1_000, 10);
        for (edges, offset_ms) in [
            (Edges::Plain, 0),
            (Edges::Plain, 35),
            (Edges::Plain, -400),
            (Edges::Anchored, 5),
            (Edges::Smoothed, 0),
        ] {
            let spec = spec(edges, offset_ms, None);
            for (first_ms, last_ms) in [(300, 300), (-500, 47), (995, 2_000), (2_000, 3_000)] {
                let holds = |step: usize| {
                    let end_ms = spec.end(grid.time(step));
                    end_ms + spec.reach_ahead_ms() >= first_ms
                        && end_ms - spec.reach_back_ms() < last_ms
                };
                let expected: Vec<usize> = (0..grid.steps).filter(|step| holds(*step)).collect();
                let busy: Vec<usize> = spec.busy_steps(grid, first_ms, last_ms).collect();
                assert_eq!(
                    busy, expected,
                    "{edges:?} {offset_ms} {first_ms}..={last_ms}"
                );
            }
        }
    }

    #[test]
    fn all_steps_of_a_fixed_time_have_the_same_window() {
        let grid = Grid::range(0, 1_000, 10);
        let spec = spec(Edges::Plain, 0, Some(5_000));
        assert_eq!(spec.busy_steps(grid, 4_990, 4_995), 0..grid.steps);
    }
}
