//! Selectors with their times worked out.

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
