//! `topk`, `bottomk`, `limitk`, `limit_ratio`: some of the series at each step, as they are.

use obsq_model::Labels;
use obsq_query_lang::promql::AggregateOp;
use rayon::prelude::*;

use super::ParameterRange;
use super::groups::Groups;
use super::order::{Best, Rank, Ranked};
use crate::promql::annotations::Annotation;
use crate::promql::error::{ParameterError, QueryError};
use crate::promql::eval::Evaluation;
use crate::promql::outcome::Value;
use crate::promql::output::{Output, Scalar, SeriesList};
use crate::promql::plan::{Aggregate, Node};
use crate::promql::series::StepSeries;

/// What was picked at one step: numbers of series, in the order in which they are shown.
#[derive(Debug, Default)]
struct Picked {
    series: Vec<usize>,
    histogram_ignored: bool,
}

/// How series are picked.
#[derive(Debug)]
enum Rule {
    Rank(Rank),
    First,
    /// Where each series lies between 0 and 1.
    Ratio(Vec<f64>),
}

impl Evaluation<'_> {
    pub(super) fn pick(
        &mut self,
        node: &Node,
        aggregate: &Aggregate,
    ) -> Result<Output, QueryError> {
        let grid = self.plan.grid(node);
        let parameter = self.parameter(aggregate)?;
        let list = self.take_vector(aggregate.expr)?;
        if !self.check_parameter(aggregate, &parameter, grid.steps)? {
            let nothing = self.empty();
            return self.finish_aggregate(list.samples, nothing);
        }
        let labels = || list.series.iter().map(|one| &one.labels);
        let groups = Groups::of(aggregate, labels());
        let rule = match aggregate.op {
            AggregateOp::Topk => Rule::Rank(Rank::Largest),
            AggregateOp::Bottomk => Rule::Rank(Rank::Smallest),
            AggregateOp::Limitk => Rule::First,
            _ => Rule::Ratio(labels().map(place_of).collect()),
        };
        let context = self.context;
        let picked: Vec<Picked> = (0..grid.steps)
            .into_par_iter()
            .with_min_len(64)
            .map(|step| {
                context.check()?;
                Ok(rule.pick(&list, &groups, parameter.get(step), step))
            })
            .collect::<Result<_, QueryError>>()?;
        if picked.iter().any(|picked| picked.histogram_ignored) {
            let aggregation = aggregate.op.as_str();
            let annotation = Annotation::IgnoredInAggregation { aggregation };
            self.notes.add(&annotation, node.span);
        }
        let mut result = self.list(gather(&list, &picked))?;
        result.distinct = list.distinct;
        self.finish_aggregate(list.samples, result)
    }

    /// Checks the parameter; false when it picks nothing at any step.
    fn check_parameter(
        &mut self,
        aggregate: &Aggregate,
        parameter: &Scalar,
        steps: usize,
    ) -> Result<bool, QueryError> {
        let range = ParameterRange::of(parameter, steps);
        if aggregate.op != AggregateOp::LimitRatio {
            let checked = range.check_k().map_err(QueryError::Parameter)?;
            return Ok(checked.is_some());
        }
        if range.max == 0.0 && range.min == 0.0 {
            return Ok(false);
        }
        if range.any_nan {
            return Err(QueryError::Parameter(ParameterError::RatioNotANumber));
        }
        for (ratio, capped) in [(range.max, 1.0), (range.min, -1.0)] {
            if ratio.abs() > 1.0 && ratio.signum() == capped {
                let annotation = Annotation::InvalidRatio { ratio, capped };
                self.note_parameter(aggregate, &annotation);
            }
        }
        Ok(true)
    }
}

impl Rule {
    /// Picks series of one step.
    fn pick(&self, list: &SeriesList, groups: &Groups, parameter: f64, step: usize) -> Picked {
        match self {
            Self::Ratio(places) => {
                let chosen = list.at(step).filter(|(series, _)| {
                    let place = places[*series];
                    within(parameter.clamp(-1.0, 1.0), place)
                });
                let mut series: Vec<usize> = chosen.map(|(series, _)| series).collect();
                series.sort_by_key(|series| groups.of_series[*series]);
                Picked {
                    series,
                    histogram_ignored: false,
                }
            }
            Self::First => {
                let Some(limit) = limit(parameter, list) else {
                    return Picked::default();
                };
                let mut counts = vec![0; groups.len()];
                let mut series: Vec<usize> = Vec::new();
                for (index, _) in list.at(step) {
                    let count = &mut counts[groups.of_series[index] as usize];
                    if *count < limit {
                        *count += 1;
                        series.push(index);
                    }
                }
                series.sort_by_key(|series| groups.of_series[*series]);
                Picked {
                    series,
                    histogram_ignored: false,
                }
            }
            Self::Rank(rank) => match limit(parameter, list) {
                Some(limit) => best(*rank, limit, list, groups, step),
                None => Picked::default(),
            },
        }
    }
}

/// Returns how many series are picked; `None` when none is.
fn limit(parameter: f64, list: &SeriesList) -> Option<usize> {
    let limit = (parameter as i64).min(list.series.len() as i64);
    usize::try_from(limit).ok().filter(|limit| *limit > 0)
}

fn best(rank: Rank, limit: usize, list: &SeriesList, groups: &Groups, step: usize) -> Picked {
    let mut picked = Picked::default();
    let mut best: Vec<Option<Best>> = Vec::new();
    best.resize_with(groups.len(), || None);
    for (series, value) in list.at(step) {
        match value {
            Value::Histogram(_) => picked.histogram_ignored = true,
            Value::Float(value) => best[groups.of_series[series] as usize]
                .get_or_insert_with(|| Best::new(rank, limit))
                .offer(Ranked { value, series }),
        }
    }
    for group in best.into_iter().flatten() {
        let kept = group.into_sorted();
        picked.series.extend(kept.iter().map(|kept| kept.series));
    }
    picked
}

/// Says whether a series at `place` is within `ratio`; a negative ratio takes the other end.
fn within(ratio: f64, place: f64) -> bool {
    if ratio >= 0.0 {
        place < ratio
    } else {
        place >= 1.0 + ratio
    }
}

/// Returns a number between 0 and 1 that depends on the labels alone.
///
/// Source: Prometheus 3.x, `HashRatioSampler` over the packed form of labels: names and values
/// preceded by their length in one byte, or 255 and three bytes.
fn place_of(labels: &Labels) -> f64 {
    let mut packed = Vec::new();
    for label in labels {
        for text in [label.name, label.value] {
            let [a, b, c, ..] = text.len().to_le_bytes();
            if text.len() < 255 {
                packed.push(a);
            } else {
                packed.extend([255, a, b, c]);
            }
            packed.extend_from_slice(text.as_bytes());
        }
    }
    let hash = xxhash_rust::xxh64::xxh64(&packed, 0);
    hash as f64 / u64::MAX as f64
}

/// Returns the series that were picked, in the order in which they first were.
fn gather(list: &SeriesList, picked: &[Picked]) -> Vec<StepSeries> {
    let mut positions: Vec<Option<usize>> = vec![None; list.series.len()];
    let mut gathered: Vec<StepSeries> = Vec::new();
    for (step, picked) in picked.iter().enumerate() {
        for index in &picked.series {
            let one = &list.series[*index];
            let position = *positions[*index].get_or_insert_with(|| {
                gathered.push(one.like());
                gathered.len() - 1
            });
            if let Some(value) = one.get(step) {
                gathered[position].push(step, value);
            }
        }
    }
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_and_its_complement_share_no_series() {
        for place in [0.0, 0.2, 0.5, 0.999] {
            for ratio in [0.1, 0.2, 0.5, 0.9] {
                assert_ne!(within(ratio, place), within(ratio - 1.0, place));
            }
        }
        let labels = Labels::from_pairs(&[("a", "x".repeat(300).as_str())]);
        assert!((0.0..=1.0).contains(&place_of(&labels)));
    }
}
