//! The times at which an expression is evaluated.

use std::ops::Range;

/// Evenly spaced evaluation times; a subquery's inner expression has a grid of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    /// Time of step 0.
    pub(crate) start_ms: i64,
    /// Distance of the steps, positive.
    pub(crate) step_ms: i64,
    /// Number of steps; a subquery may have none.
    pub(crate) steps: usize,
    /// The evaluation is for one time, so that the order of its result is kept.
    pub(crate) instant: bool,
}

impl Grid {
    /// Returns the grid of one time.
    pub(crate) fn instant(time_ms: i64) -> Self {
        Self {
            start_ms: time_ms,
            step_ms: 1,
            steps: 1,
            instant: true,
        }
    }

    /// Returns the grid from `start_ms` to at most `end_ms`, both inclusive.
    pub(crate) fn range(start_ms: i64, end_ms: i64, step_ms: i64) -> Self {
        let step_ms = step_ms.max(1);
        let steps = if end_ms < start_ms {
            0
        } else {
            end_ms.saturating_sub(start_ms) / step_ms + 1
        };
        Self {
            start_ms,
            step_ms,
            steps: usize::try_from(steps).unwrap_or(usize::MAX),
            instant: start_ms == end_ms,
        }
    }

    /// Returns the grid of step 0 alone, with the same distance.
    pub(crate) fn first(self) -> Self {
        Self {
            steps: self.steps.min(1),
            instant: true,
            ..self
        }
    }

    /// Returns the grid of the steps in `part` alone.
    pub(crate) fn part(self, part: &Range<usize>) -> Self {
        Self {
            start_ms: self.time(part.start),
            steps: part.len(),
            ..self
        }
    }

    /// Returns the first step that is not before `time_ms`, at most the number of steps.
    pub(crate) fn first_from(self, time_ms: i64) -> usize {
        let ahead_ms = time_ms.saturating_sub(self.start_ms).max(0) as u64;
        let step = ahead_ms.div_ceil(self.step_ms.max(1) as u64);
        usize::try_from(step).unwrap_or(usize::MAX).min(self.steps)
    }

    /// Returns the time of `step`.
    pub(crate) fn time(self, step: usize) -> i64 {
        self.start_ms
            .saturating_add(self.step_ms.saturating_mul(step as i64))
    }

    /// Returns the time of the last step; that of step 0 when there is none.
    pub(crate) fn last_ms(self) -> i64 {
        self.time(self.steps.saturating_sub(1))
    }

    /// Returns the grid of a subquery's inner expression: absolute multiples of `step_ms` in the
    /// windows `(t - offset - range, t - offset]` of all steps `t`, or of `at_ms` when given.
    pub(crate) fn subquery(
        self,
        range_ms: i64,
        step_ms: i64,
        offset_ms: i64,
        at_ms: Option<i64>,
    ) -> Self {
        let first = at_ms.unwrap_or(self.start_ms);
        let last = at_ms.unwrap_or_else(|| self.last_ms());
        let left = first.saturating_sub(offset_ms).saturating_sub(range_ms);
        let mut start_ms = left / step_ms * step_ms;
        if start_ms <= left {
            start_ms = start_ms.saturating_add(step_ms);
        }
        if self.steps == 0 {
            return Self {
                start_ms,
                step_ms,
                steps: 0,
                instant: false,
            };
        }
        Self::range(start_ms, last.saturating_sub(offset_ms), step_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_at_its_last_whole_step() {
        let grid = Grid::range(0, 25, 10);
        assert_eq!((grid.steps, grid.last_ms()), (3, 20));
        assert_eq!(Grid::range(5, 5, 10).steps, 1);
        assert_eq!(Grid::range(5, 4, 10).steps, 0);
    }

    #[test]
    fn the_first_step_from_a_time_lies_within_the_grid() {
        let grid = Grid::range(100, 200, 10);
        for (time_ms, step) in [
            (i64::MIN, 0),
            (100, 0),
            (101, 1),
            (110, 1),
            (200, 10),
            (201, 11),
            (i64::MAX, 11),
        ] {
            assert_eq!(grid.first_from(time_ms), step, "{time_ms}");
        }
        let part = grid.part(&(2..5));
        assert_eq!((part.start_ms, part.last_ms(), part.steps), (120, 140, 3));
    }

    #[test]
    fn a_subquery_starts_at_the_first_multiple_behind_its_left_edge() {
        let at = |time_ms, range_ms| {
            let grid = Grid::instant(time_ms).subquery(range_ms, 10, 0, None);
            (grid.start_ms, grid.last_ms(), grid.steps)
        };
        assert_eq!(at(100, 30), (80, 100, 3));
        assert_eq!(at(105, 30), (80, 100, 3));
        assert_eq!(at(-95, 30), (-120, -100, 3));
        assert_eq!(at(104, 3).2, 0);
    }

    #[test]
    fn a_subquery_with_an_own_time_does_not_follow_the_steps() {
        let grid = Grid::range(0, 1_000, 100).subquery(20, 10, 5, Some(50));
        assert_eq!((grid.start_ms, grid.last_ms()), (30, 40));
    }
}
