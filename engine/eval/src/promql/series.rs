//! The values of one series over a grid.

use std::sync::Arc;

use obsq_model::{FloatHistogram, Labels};
use smallvec::SmallVec;

use super::bits::Bits;
use super::outcome::Value;

/// Floats on a grid, from the first step that has one to the last.
///
/// One value takes no allocation, so that instant queries over many series stay cheap.
#[derive(Debug, Clone, Default)]
pub(crate) struct FloatColumn {
    /// Step of `values[0]`.
    first: usize,
    /// One slot per step; the slots of steps without a value hold anything.
    values: SmallVec<[f64; 1]>,
    /// Which slots hold a value; `None` means all.
    present: Option<Box<Bits>>,
}

impl FloatColumn {
    /// Returns the empty column with room for `steps` values.
    pub(crate) fn with_capacity(steps: usize) -> Self {
        Self {
            values: SmallVec::with_capacity(steps),
            ..Self::default()
        }
    }

    /// Removes all values and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.first = 0;
        self.values.clear();
        self.present = None;
    }

    /// Makes room for `steps` values.
    pub(crate) fn reserve(&mut self, steps: usize) {
        self.values.reserve_exact(steps);
    }

    /// Returns a column with `value` at each of the first `steps` steps.
    pub(crate) fn constant(value: f64, steps: usize) -> Self {
        Self {
            values: SmallVec::from_elem(value, steps),
            ..Self::default()
        }
    }

    /// Appends a value; steps must rise.
    pub(crate) fn push(&mut self, step: usize, value: f64) {
        if self.values.is_empty() {
            self.first = step;
        }
        let slot = step - self.first;
        debug_assert!(slot >= self.values.len(), "steps must rise");
        if slot > self.values.len() && self.present.is_none() {
            self.present = Some(Box::new(Bits::ones(self.values.len())));
        }
        if let Some(present) = &mut self.present {
            while self.values.len() < slot {
                self.values.push(0.0);
                present.push(false);
            }
            present.push(true);
        }
        self.values.push(value);
    }

    /// Returns the value at `step`.
    pub(crate) fn get(&self, step: usize) -> Option<f64> {
        let slot = step.checked_sub(self.first)?;
        let value = self.values.get(slot)?;
        match &self.present {
            Some(present) if !present.get(slot) => None,
            _ => Some(*value),
        }
    }

    /// Returns the number of values.
    pub(crate) fn count(&self) -> usize {
        match &self.present {
            Some(present) => present.count(),
            None => self.values.len(),
        }
    }

    /// Says whether there is no value.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns steps and values in rising order of steps.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, f64)> {
        let present = self.present.as_deref();
        self.values
            .iter()
            .enumerate()
            .filter(move |(slot, _)| present.is_none_or(|present| present.get(*slot)))
            .map(|(slot, value)| (self.first + slot, *value))
    }

    /// Returns the step behind the last one that has a value; 0 when there is none.
    pub(crate) fn end_step(&self) -> usize {
        self.first + self.values.len()
    }

    /// Returns the first step and the values when there is no gap between them.
    pub(crate) fn dense(&self) -> Option<(usize, &[f64])> {
        self.present.is_none().then_some((self.first, &self.values))
    }

    /// Replaces every value.
    pub(crate) fn map(&mut self, change: impl Fn(f64) -> f64) {
        for value in &mut self.values {
            *value = change(*value);
        }
    }

    /// Returns the column with only the steps and values that `keep` turns into some value.
    #[must_use]
    pub(crate) fn filter_map(&self, mut keep: impl FnMut(usize, f64) -> Option<f64>) -> Self {
        let mut kept = Self::with_capacity(self.values.len());
        for (step, value) in self.iter() {
            if let Some(value) = keep(step, value) {
                kept.push(step, value);
            }
        }
        kept
    }

    fn mark(&self, steps: &mut Bits) {
        match &self.present {
            None => steps.set_range(self.first, self.first + self.values.len()),
            Some(_) => self.iter().for_each(|(step, _)| steps.set(step)),
        }
    }

    fn size_bytes(&self) -> usize {
        self.values.len() * 9
    }
}

/// Histograms on a grid: steps in rising order with their histograms.
pub(crate) type HistogramColumn = Vec<(usize, Arc<FloatHistogram>)>;

/// One series of an intermediate result.
#[derive(Debug, Clone, Default)]
pub(crate) struct StepSeries {
    /// Labels, the metric's name still among them when it is to be dropped at the end.
    pub(crate) labels: Labels,
    /// The metric's name (and type and unit) no longer stands for the values.
    pub(crate) drop_name: bool,
    /// Floats by step.
    pub(crate) floats: FloatColumn,
    /// Histograms by step; no step occurs in both columns.
    pub(crate) histograms: HistogramColumn,
}

impl StepSeries {
    /// Returns the empty series with those labels.
    pub(crate) fn new(labels: Labels, drop_name: bool) -> Self {
        Self {
            labels,
            drop_name,
            ..Self::default()
        }
    }

    /// Returns the series with the same labels and flags but without values.
    pub(crate) fn like(&self) -> Self {
        Self::new(self.labels.clone(), self.drop_name)
    }

    /// Removes all values and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.floats.clear();
        self.histograms.clear();
    }

    /// Appends a value; steps must rise.
    pub(crate) fn push(&mut self, step: usize, value: Value) {
        match value {
            Value::Float(value) => self.floats.push(step, value),
            Value::Histogram(histogram) => self.histograms.push((step, histogram)),
        }
    }

    /// Returns the value at `step`.
    pub(crate) fn get(&self, step: usize) -> Option<Value> {
        if let Some(value) = self.floats.get(step) {
            return Some(Value::Float(value));
        }
        self.histogram(step)
            .map(|histogram| Value::Histogram(Arc::clone(histogram)))
    }

    /// Returns the histogram at `step`.
    pub(crate) fn histogram(&self, step: usize) -> Option<&Arc<FloatHistogram>> {
        let found = self.histograms.binary_search_by_key(&step, |(at, _)| *at);
        found.ok().map(|index| &self.histograms[index].1)
    }

    /// Says whether there is a value at `step`.
    pub(crate) fn has(&self, step: usize) -> bool {
        self.floats.get(step).is_some() || self.histogram(step).is_some()
    }

    /// Says whether there is no value.
    pub(crate) fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty()
    }

    /// Returns the first step that has a value.
    pub(crate) fn first_step(&self) -> Option<usize> {
        let float = self.floats.iter().next().map(|(step, _)| step);
        let histogram = self.histograms.first().map(|(step, _)| *step);
        match (float, histogram) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Returns the set of steps that have a value, of a grid of `steps` steps.
    pub(crate) fn presence(&self, steps: usize) -> Bits {
        let mut present = Bits::zeros(steps);
        self.mark(&mut present);
        present
    }

    /// Adds the steps that have a value to `steps`.
    pub(crate) fn mark(&self, steps: &mut Bits) {
        self.floats.mark(steps);
        for (step, _) in &self.histograms {
            steps.set(*step);
        }
    }

    /// Returns the series with only the values whose step is in `mask`, or is not.
    pub(crate) fn masked(mut self, mask: &Bits, member: bool) -> Self {
        let keep = |step, value| (mask.get(step) == member).then_some(value);
        self.floats = self.floats.filter_map(keep);
        self.histograms
            .retain(|(step, _)| mask.get(*step) == member);
        self
    }

    /// Returns the number of samples, a histogram counting by its size.
    pub(crate) fn samples(&self) -> usize {
        let histograms = self.histograms.iter();
        self.floats.count()
            + histograms
                .map(|(_, histogram)| histogram_samples(histogram))
                .sum::<usize>()
    }

    /// Returns the bytes of memory taken, roughly; histograms that are shared count in full.
    pub(crate) fn size_bytes(&self) -> usize {
        let histograms = self.histograms.iter();
        size_of::<Self>()
            + self.labels.size_bytes()
            + self.floats.size_bytes()
            + histograms
                .map(|(_, histogram)| 24 + histogram_samples(histogram) * 16)
                .sum::<usize>()
    }
}

/// Returns how many float samples a histogram sample counts for.
///
/// Source of the numbers: Prometheus 3.x, `HPoint.size`, 16 bytes per float sample.
pub(crate) fn histogram_samples(histogram: &FloatHistogram) -> usize {
    (histogram.counted_bytes() + 8) / 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_column_gives_back_what_was_pushed(slots in vec(proptest::option::of(any::<u32>()), 0..150)) {
            let mut column = FloatColumn::default();
            for (step, slot) in slots.iter().enumerate() {
                if let Some(value) = slot {
                    column.push(step, f64::from(*value));
                }
            }
            let expected: Vec<(usize, f64)> = slots
                .iter()
                .enumerate()
                .filter_map(|(step, slot)| slot.map(|value| (step, f64::from(value))))
                .collect();
            prop_assert_eq!(column.iter().collect::<Vec<_>>(), expected.clone());
            prop_assert_eq!(column.count(), expected.len());
            for (step, slot) in slots.iter().enumerate() {
                prop_assert_eq!(column.get(step), slot.map(f64::from));
            }
            let series = StepSeries { floats: column, ..StepSeries::default() };
            let steps: Vec<usize> = expected.iter().map(|(step, _)| *step).collect();
            prop_assert_eq!(series.presence(slots.len()).iter().collect::<Vec<_>>(), steps);
        }
    }

    #[test]
    fn a_histogram_counts_by_its_size() {
        let histogram = FloatHistogram {
            positive_buckets: vec![1.0; 4],
            positive_spans: vec![obsq_model::BucketSpan::default()],
            ..FloatHistogram::default()
        };
        assert_eq!(histogram_samples(&histogram), (168 + 40 + 8) / 16);
    }
}
