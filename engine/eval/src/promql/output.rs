//! Values of plan nodes.

use obsq_model::Labels;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::bits::Bits;
use super::budget::Reservation;
use super::error::QueryError;
use super::grid::Grid;
use super::outcome::{RangeSeries, Value};
use super::series::StepSeries;

/// The value of one node over all steps.
#[derive(Debug)]
pub(crate) enum Output {
    /// An instant vector at each step.
    Vector(SeriesList),
    /// A number at each step.
    Scalar(Scalar),
    /// A string.
    Text(String),
    /// A range vector at one step.
    Windows(Vec<RangeSeries>),
}

/// A number at each step.
#[derive(Debug, Clone)]
pub(crate) enum Scalar {
    /// The same at every step.
    Constant(f64),
    /// One number per step.
    Steps(Vec<f64>),
}

impl Scalar {
    /// Returns the number at `step`; NaN beyond the grid.
    pub(crate) fn get(&self, step: usize) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Steps(values) => values.get(step).copied().unwrap_or(f64::NAN),
        }
    }

    /// Returns the number of each step.
    pub(crate) fn iter(&self, steps: usize) -> impl Iterator<Item = f64> + '_ {
        (0..steps).map(|step| self.get(step))
    }

    /// Returns the scalar with the number of each step computed from those of two.
    pub(crate) fn combine(
        left: &Self,
        right: &Self,
        steps: usize,
        compute: impl Fn(f64, f64) -> f64,
    ) -> Self {
        match (left, right) {
            (Self::Constant(left), Self::Constant(right)) => Self::Constant(compute(*left, *right)),
            _ => Self::Steps(
                (0..steps)
                    .map(|step| compute(left.get(step), right.get(step)))
                    .collect(),
            ),
        }
    }

    /// Replaces the number of each step.
    pub(crate) fn map(&mut self, change: impl Fn(f64) -> f64) {
        match self {
            Self::Constant(value) => *value = change(*value),
            Self::Steps(values) => values.iter_mut().for_each(|value| *value = change(*value)),
        }
    }
}

/// The series of an intermediate result, none of them empty, and what they take.
#[derive(Debug)]
pub(crate) struct SeriesList {
    /// The series. Their order matters where there is one step.
    pub(crate) series: Vec<StepSeries>,
    /// Number of samples, histograms by their size.
    pub(crate) samples: usize,
    /// Bytes taken from the query's budget.
    pub(crate) memory: Reservation,
    /// No two series have the same labels; may be false without being so.
    pub(crate) distinct: bool,
}

/// How the labels of two series of a result may relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uniqueness {
    /// Equal labels are one series where their steps differ, an error where they do not.
    Merge,
    /// Equal labels are an error.
    Distinct,
}

/// Makes each label set occur once: merges series with equal labels, or fails when both have a
/// value at the same step.
pub(crate) fn unify(
    series: Vec<StepSeries>,
    grid: Grid,
    rule: Uniqueness,
) -> Result<Vec<StepSeries>, QueryError> {
    if series.len() < 2 {
        return Ok(series);
    }
    let mut slots: FxHashMap<&Labels, SmallVec<[usize; 1]>> = FxHashMap::default();
    slots.reserve(series.len());
    for (index, one) in series.iter().enumerate() {
        slots.entry(&one.labels).or_default().push(index);
    }
    if slots.len() == series.len() {
        drop(slots);
        return Ok(series);
    }
    if rule == Uniqueness::Distinct {
        return Err(QueryError::SameLabelSet);
    }
    let mut groups: Vec<SmallVec<[usize; 1]>> = slots.into_values().collect();
    groups.sort_unstable_by_key(|group| group[0]);
    let mut open: Vec<Option<StepSeries>> = series.into_iter().map(Some).collect();
    let mut merged = Vec::with_capacity(groups.len());
    for group in groups {
        let members = group.iter().filter_map(|index| open[*index].take());
        merged.push(merge(members.collect(), grid)?);
    }
    Ok(merged)
}

/// Joins series whose steps do not overlap.
fn merge(mut members: Vec<StepSeries>, grid: Grid) -> Result<StepSeries, QueryError> {
    if members.len() == 1 {
        return members.pop().ok_or(QueryError::internal("no series"));
    }
    let mut taken = Bits::zeros(grid.steps);
    for member in &members {
        let steps = member.presence(grid.steps);
        if taken.first_common(&steps).is_some() {
            return Err(QueryError::SameLabelSet);
        }
        taken.union(&steps);
    }
    members.sort_by_key(StepSeries::first_step);
    let mut joined = members[0].like();
    for step in taken.iter() {
        let value = members.iter().find_map(|member| member.get(step));
        if let Some(value) = value {
            joined.push(step, value);
        }
    }
    Ok(joined)
}

impl SeriesList {
    /// Returns the number of values, histograms counting once, at each step.
    pub(crate) fn counts_by_step(&self, steps: usize) -> Vec<u32> {
        let mut counts = vec![0; steps];
        let mut everywhere = 0;
        for one in &self.series {
            match one.floats.dense() {
                Some((0, values)) if values.len() == steps => everywhere += 1,
                _ => one.floats.iter().for_each(|(step, _)| counts[step] += 1),
            }
            for (step, _) in &one.histograms {
                counts[*step] += 1;
            }
        }
        for count in &mut counts {
            *count += everywhere;
        }
        counts
    }

    /// Returns what is in the vector at `step`, as positions in `series` and values.
    pub(crate) fn at(&self, step: usize) -> impl Iterator<Item = (usize, Value)> + '_ {
        let series = self.series.iter().enumerate();
        series.filter_map(move |(index, one)| one.get(step).map(|value| (index, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(labels: &[(&str, &str)], steps: &[usize]) -> StepSeries {
        let mut one = StepSeries::new(Labels::from_pairs(labels), false);
        for step in steps {
            one.push(*step, Value::Float(*step as f64));
        }
        one
    }

    #[test]
    fn series_with_equal_labels_are_joined_in_order_of_steps() {
        let grid = Grid::range(0, 40, 10);
        let list = vec![
            series(&[("a", "1")], &[3, 4]),
            series(&[("b", "1")], &[0]),
            series(&[("a", "1")], &[0, 2]),
        ];
        let unified = unify(list, grid, Uniqueness::Merge).unwrap();
        assert_eq!(unified.len(), 2);
        let steps: Vec<usize> = unified[0].floats.iter().map(|(step, _)| step).collect();
        assert_eq!(steps, [0, 2, 3, 4]);
    }

    #[test]
    fn two_values_of_one_label_set_at_one_step_are_refused() {
        let grid = Grid::range(0, 40, 10);
        let list = || vec![series(&[], &[0, 1]), series(&[], &[1])];
        let refused = unify(list(), grid, Uniqueness::Merge);
        assert!(matches!(refused, Err(QueryError::SameLabelSet)));
        let apart = vec![series(&[], &[0]), series(&[], &[1])];
        assert!(unify(apart.clone(), grid, Uniqueness::Merge).is_ok());
        assert!(unify(apart, grid, Uniqueness::Distinct).is_err());
    }
}
