//! Running aggregates of floats, one per step of a group.
//!
//! Source of the arithmetic: Prometheus 3.x, `aggregation`: compensated sums, a mean that is
//! computed incrementally once the sum would overflow, variance by Welford's method.

use obsq_model::KahanSum;
use obsq_query_lang::promql::AggregateOp;
use smallvec::SmallVec;

use crate::promql::bits::Bits;
use crate::promql::series::FloatColumn;

/// The cells of one group.
#[derive(Debug, Clone)]
pub(super) struct CellRow {
    op: AggregateOp,
    /// Sum, smallest or largest value, or sum of squared differences from the mean.
    value: SmallVec<[f64; 1]>,
    /// Compensation of the sum, or the mean.
    second: SmallVec<[f64; 1]>,
    /// Number of samples.
    count: SmallVec<[u32; 2]>,
    /// Steps whose sum overflowed: `value` is the mean there.
    incremental: Option<Box<Bits>>,
}

impl CellRow {
    /// Returns cells that nothing was added to.
    pub(super) fn new(op: AggregateOp, steps: usize) -> Self {
        let (values, seconds) = match op {
            AggregateOp::Count | AggregateOp::Group => (0, 0),
            AggregateOp::Min | AggregateOp::Max => (steps, 0),
            _ => (steps, steps),
        };
        Self {
            op,
            // Minus zero is what adding to changes nothing, not even the sign of zero.
            value: SmallVec::from_elem(-0.0, values),
            second: SmallVec::from_elem(0.0, seconds),
            count: SmallVec::from_elem(0, steps),
            incremental: None,
        }
    }

    /// Returns the bytes of memory that the cells of a group take.
    pub(super) fn size_bytes(steps: usize) -> usize {
        size_of::<Self>() + steps * 20
    }

    /// Adds the floats of a series.
    pub(super) fn add(&mut self, column: &FloatColumn) {
        match self.op {
            AggregateOp::Sum => self.add_sum(column),
            AggregateOp::Avg => self.add_each(column, Self::add_to_mean),
            AggregateOp::Min => self.add_each(column, Self::add_to_min),
            AggregateOp::Max => self.add_each(column, Self::add_to_max),
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                self.add_each(column, Self::add_to_variance);
            }
            _ => self.add_each(column, |_, _, _| {}),
        }
    }

    /// Counts a histogram.
    pub(super) fn count_histogram(&mut self, step: usize) {
        self.count[step] += 1;
    }

    fn add_sum(&mut self, column: &FloatColumn) {
        let Some((first, values)) = column.dense() else {
            self.add_each(column, Self::add_to_sum);
            return;
        };
        let range = first..first + values.len();
        let cells = self.value[range.clone()]
            .iter_mut()
            .zip(&mut self.second[range.clone()])
            .zip(&mut self.count[range]);
        for (((sum, compensation), count), value) in cells.zip(values) {
            let total = KahanSum {
                sum: *sum,
                compensation: *compensation,
            }
            .plus(*value);
            (*sum, *compensation) = (total.sum, total.compensation);
            *count += 1;
        }
    }

    /// Adds value by value; `add` sees the number of samples without the new one.
    fn add_each(&mut self, column: &FloatColumn, add: impl Fn(&mut Self, usize, f64)) {
        for (step, value) in column.iter() {
            add(self, step, value);
            self.count[step] += 1;
        }
    }

    fn sum(&self, step: usize) -> KahanSum {
        KahanSum {
            sum: self.value[step],
            compensation: self.second[step],
        }
    }

    fn set_sum(&mut self, step: usize, sum: KahanSum) {
        self.value[step] = sum.sum;
        self.second[step] = sum.compensation;
    }

    fn add_to_sum(&mut self, step: usize, value: f64) {
        self.set_sum(step, self.sum(step).plus(value));
    }

    fn add_to_min(&mut self, step: usize, value: f64) {
        let smallest = &mut self.value[step];
        if self.count[step] == 0 || *smallest > value || smallest.is_nan() {
            *smallest = value;
        }
    }

    fn add_to_max(&mut self, step: usize, value: f64) {
        let largest = &mut self.value[step];
        if self.count[step] == 0 || *largest < value || largest.is_nan() {
            *largest = value;
        }
    }

    fn add_to_mean(&mut self, step: usize, value: f64) {
        if self.count[step] == 0 {
            self.set_sum(step, KahanSum::new(value));
            return;
        }
        let before = f64::from(self.count[step]);
        let count = before + 1.0;
        if !self.is_incremental(step) {
            let sum = self.sum(step).plus(value);
            if !sum.sum.is_infinite() {
                self.set_sum(step, sum);
                return;
            }
            self.set_incremental(step);
            self.value[step] /= before;
            self.second[step] /= before;
        }
        let weight = before / count;
        let mean = KahanSum {
            sum: weight * self.value[step],
            compensation: weight * self.second[step],
        };
        self.set_sum(step, mean.plus(value / count));
    }

    fn add_to_variance(&mut self, step: usize, value: f64) {
        if self.count[step] == 0 {
            self.second[step] = value;
            self.value[step] = if value.is_finite() { 0.0 } else { f64::NAN };
            return;
        }
        let count = f64::from(self.count[step] + 1);
        let delta = value - self.second[step];
        self.second[step] += delta / count;
        self.value[step] += delta * (value - self.second[step]);
    }

    fn is_incremental(&self, step: usize) -> bool {
        let incremental = self.incremental.as_deref();
        incremental.is_some_and(|incremental| incremental.get(step))
    }

    fn set_incremental(&mut self, step: usize) {
        let steps = self.count.len();
        self.incremental
            .get_or_insert_with(|| Box::new(Bits::zeros(steps)))
            .set(step);
    }

    /// Adds the cells of later series of the same group.
    pub(super) fn merge(&mut self, later: &Self) {
        for step in 0..self.count.len() {
            if later.count[step] > 0 {
                self.merge_step(step, later);
            }
        }
    }

    fn merge_step(&mut self, step: usize, later: &Self) {
        if self.count[step] == 0 {
            self.copy_step(step, later);
            return;
        }
        match self.op {
            AggregateOp::Sum => self.merge_sum(step, later),
            AggregateOp::Min => self.add_to_min(step, later.value[step]),
            AggregateOp::Max => self.add_to_max(step, later.value[step]),
            AggregateOp::Avg => self.merge_mean(step, later),
            AggregateOp::Stddev | AggregateOp::Stdvar => self.merge_variance(step, later),
            _ => {}
        }
        self.count[step] += later.count[step];
    }

    fn copy_step(&mut self, step: usize, later: &Self) {
        self.count[step] = later.count[step];
        if let Some(value) = later.value.get(step) {
            self.value[step] = *value;
        }
        if let Some(second) = later.second.get(step) {
            self.second[step] = *second;
        }
        if later.is_incremental(step) {
            self.set_incremental(step);
        }
    }

    fn merge_sum(&mut self, step: usize, later: &Self) {
        let mut sum = self.sum(step).plus(later.value[step]);
        if !sum.sum.is_infinite() {
            sum.compensation += later.second[step];
        }
        self.set_sum(step, sum);
    }

    fn merge_mean(&mut self, step: usize, later: &Self) {
        if !self.is_incremental(step) && !later.is_incremental(step) {
            let before = self.sum(step);
            self.merge_sum(step, later);
            if !self.value[step].is_infinite() {
                return;
            }
            self.set_sum(step, before);
        }
        let (mine, theirs) = (f64::from(self.count[step]), f64::from(later.count[step]));
        let all = mine + theirs;
        let mean = self.mean(step) * (mine / all) + later.mean(step) * (theirs / all);
        self.set_incremental(step);
        self.set_sum(step, KahanSum::new(mean));
    }

    fn merge_variance(&mut self, step: usize, later: &Self) {
        let (mine, theirs) = (f64::from(self.count[step]), f64::from(later.count[step]));
        let all = mine + theirs;
        let delta = later.second[step] - self.second[step];
        self.second[step] += delta * (theirs / all);
        self.value[step] += later.value[step] + delta * delta * mine * theirs / all;
    }

    fn mean(&self, step: usize) -> f64 {
        if self.is_incremental(step) {
            return self.value[step] + self.second[step];
        }
        let count = f64::from(self.count[step]);
        self.value[step] / count + self.second[step] / count
    }

    /// Says whether anything was added at `step`.
    pub(super) fn has(&self, step: usize) -> bool {
        self.count[step] > 0
    }

    /// Returns the aggregate at `step`, if anything was added there.
    pub(super) fn get(&self, step: usize) -> Option<f64> {
        let count = f64::from(self.count[step]);
        if count == 0.0 {
            return None;
        }
        Some(match self.op {
            AggregateOp::Sum => self.sum(step).total(),
            AggregateOp::Avg => self.mean(step),
            AggregateOp::Count => count,
            AggregateOp::Group => 1.0,
            AggregateOp::Stdvar => self.value[step] / count,
            AggregateOp::Stddev => (self.value[step] / count).sqrt(),
            _ => self.value[step],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn row(op: AggregateOp, values: &[f64]) -> CellRow {
        let mut row = CellRow::new(op, 1);
        for value in values {
            row.add(&FloatColumn::constant(*value, 1));
        }
        row
    }

    fn aggregate(op: AggregateOp, values: &[f64]) -> Option<f64> {
        row(op, values).get(0)
    }

    #[test]
    fn sums_keep_what_plain_addition_loses() {
        let values = [1.0, 1e100, 1.0, -1e100];
        assert_eq!(aggregate(AggregateOp::Sum, &values), Some(2.0));
        assert_eq!(aggregate(AggregateOp::Avg, &values), Some(0.5));
        assert_eq!(aggregate(AggregateOp::Sum, &[]), None);
    }

    #[test]
    fn a_mean_survives_a_sum_that_overflows() {
        let mean = aggregate(AggregateOp::Avg, &[1.5e308, 1.5e308, 1.2e308]).unwrap();
        assert!((mean / 1.4e308 - 1.0).abs() < 1e-12, "{mean}");
        let mut left = row(AggregateOp::Avg, &[1.5e308]);
        left.merge(&row(AggregateOp::Avg, &[1.5e308, 1.2e308]));
        assert!((left.get(0).unwrap() / 1.4e308 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn numbers_win_over_nan_in_min_and_max() {
        let values = [f64::NAN, 2.0, f64::NAN, 1.0];
        assert_eq!(aggregate(AggregateOp::Min, &values), Some(1.0));
        assert_eq!(aggregate(AggregateOp::Max, &values), Some(2.0));
        assert!(aggregate(AggregateOp::Min, &[f64::NAN]).unwrap().is_nan());
        let infinite = aggregate(AggregateOp::Stddev, &[f64::INFINITY]);
        assert!(infinite.unwrap().is_nan());
    }

    proptest! {
        #[test]
        fn merged_parts_give_what_one_row_gives(
            values in vec(-1e3..1e3_f64, 1..20),
            at in any::<prop::sample::Index>(),
        ) {
            let (left, right) = values.split_at(at.index(values.len()));
            for op in AggregateOp::ALL.iter().filter(|op| !op.has_param()) {
                let mut merged = row(*op, left);
                merged.merge(&row(*op, right));
                let (merged, whole) = (merged.get(0).unwrap(), aggregate(*op, &values).unwrap());
                prop_assert!((merged - whole).abs() <= 1e-9 * whole.abs().max(1.0), "{op}");
            }
        }
    }
}
