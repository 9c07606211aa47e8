//! Putting labels of info series on other series, step by step.

use obsq_model::{Labels, METRIC_NAME, Matcher, SampleColumns, is_stale_nan};
use rustc_hash::FxHashMap;

use super::IDENTIFYING;
use crate::promql::error::{InfoError, QueryError};
use crate::promql::grid::Grid;
use crate::promql::output::SeriesList;
use crate::promql::series::StepSeries;

/// An info series: its labels, and the time of its latest sample at each step.
#[derive(Debug)]
pub(super) struct InfoSeries {
    labels: Labels,
    latest: Vec<(usize, i64)>,
}

impl InfoSeries {
    pub(super) fn new(
        labels: Labels,
        columns: &SampleColumns,
        grid: Grid,
        end_of: impl Fn(i64) -> i64,
        lookback_ms: i64,
    ) -> Self {
        let latest = (0..grid.steps).filter_map(|step| {
            let end_ms = end_of(grid.time(step));
            let behind = columns.float_ts.partition_point(|time| *time <= end_ms);
            let index = behind.checked_sub(1)?;
            let time = columns.float_ts[index];
            let fresh = end_ms.saturating_sub(time) < lookback_ms;
            (fresh && !is_stale_nan(columns.floats[index])).then_some((step, time))
        });
        Self {
            latest: latest.collect(),
            labels,
        }
    }

    /// Returns the steps with a sample.
    pub(super) fn steps(&self) -> impl Iterator<Item = usize> + '_ {
        self.latest.iter().map(|(step, _)| *step)
    }

    fn at(&self, step: usize) -> Option<i64> {
        let found = self.latest.binary_search_by_key(&step, |(step, _)| *step);
        found.ok().map(|index| self.latest[index].1)
    }
}

/// What identifies the target that a series is about.
fn target(labels: &Labels) -> [&str; 2] {
    IDENTIFYING.map(|name| labels.value(name))
}

/// How series are enriched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Enrichment<'a> {
    pub(super) grid: Grid,
    /// Matchers of the labels that are wanted; without any, all are.
    pub(super) data: &'a [Matcher],
    pub(super) infos: &'a [InfoSeries],
}

/// For each target and name of an info metric, the info series that have them.
type Candidates<'a> = FxHashMap<[&'a str; 2], Vec<(&'a str, Vec<usize>)>>;

impl<'a> Enrichment<'a> {
    /// Returns the enriched series; those in `ignored` stay as they are.
    pub(super) fn apply(
        &self,
        list: &SeriesList,
        ignored: &[bool],
    ) -> Result<Vec<StepSeries>, QueryError> {
        let candidates = self.candidates();
        self.check_duplicates(list, &candidates)?;
        let mut enriched = Vec::new();
        for (one, ignored) in list.series.iter().zip(ignored) {
            if *ignored {
                enriched.push(one.clone());
            } else {
                self.enrich(one, &candidates, &mut enriched)?;
            }
        }
        Ok(enriched)
    }

    fn candidates(&self) -> Candidates<'a> {
        let mut candidates: Candidates<'a> = FxHashMap::default();
        for (index, info) in self.infos.iter().enumerate() {
            let metrics = candidates.entry(target(&info.labels)).or_default();
            let name = info.labels.metric_name();
            match metrics.iter_mut().find(|(known, _)| *known == name) {
                Some((_, series)) => series.push(index),
                None => metrics.push((name, vec![index])),
            }
        }
        candidates
    }

    /// Fails when two info series of one metric and target have equally old samples at a step at
    /// which there is anything to enrich.
    fn check_duplicates(
        &self,
        list: &SeriesList,
        candidates: &Candidates<'_>,
    ) -> Result<(), QueryError> {
        let mut several: Vec<&Vec<usize>> = candidates
            .values()
            .flatten()
            .map(|(_, series)| series)
            .filter(|series| series.len() > 1)
            .collect();
        several.sort_unstable();
        if several.is_empty() {
            return Ok(());
        }
        let wanted = list.counts_by_step(self.grid.steps);
        for step in (0..self.grid.steps).filter(|step| wanted[*step] > 0) {
            for series in &several {
                self.latest_of(series, step)?;
            }
        }
        Ok(())
    }

    /// Returns the info series with the latest sample at a step.
    fn latest_of(&self, series: &[usize], step: usize) -> Result<Option<usize>, QueryError> {
        let mut latest: Option<(usize, i64)> = None;
        for index in series {
            let Some(time_ms) = self.infos[*index].at(step) else {
                continue;
            };
            match latest {
                Some((known, known_ms)) if known_ms == time_ms => {
                    return Err(QueryError::Info(InfoError::Duplicate {
                        existing: self.infos[known].labels.clone(),
                        existing_ms: known_ms,
                        new: self.infos[*index].labels.clone(),
                        new_ms: time_ms,
                    }));
                }
                Some((_, known_ms)) if known_ms > time_ms => {}
                _ => latest = Some((*index, time_ms)),
            }
        }
        Ok(latest.map(|(index, _)| index))
    }

    /// Appends what becomes of a series: one series for each set of info series that it meets.
    fn enrich(
        &self,
        one: &StepSeries,
        candidates: &Candidates<'_>,
        enriched: &mut Vec<StepSeries>,
    ) -> Result<(), QueryError> {
        let none = Vec::new();
        let metrics = candidates.get(&target(&one.labels)).unwrap_or(&none);
        let mut results: FxHashMap<Vec<usize>, Option<usize>> = FxHashMap::default();
        for step in one.presence(self.grid.steps).iter() {
            let mut met = Vec::with_capacity(metrics.len());
            for (_, series) in metrics {
                met.extend(self.latest_of(series, step)?);
            }
            let position = if let Some(position) = results.get(&met) {
                *position
            } else {
                let labels = self.labels_with(&one.labels, &met)?;
                let position = labels.map(|labels| {
                    enriched.push(StepSeries::new(labels, one.drop_name));
                    enriched.len() - 1
                });
                results.insert(met, position);
                position
            };
            if let (Some(position), Some(value)) = (position, one.get(step)) {
                enriched[position].push(step, value);
            }
        }
        Ok(())
    }

    /// Returns labels with those of the info series added; `None` when there are no info series
    /// but labels of them are demanded.
    fn labels_with(&self, base: &Labels, met: &[usize]) -> Result<Option<Labels>, QueryError> {
        if met.is_empty() && !self.data.iter().all(Matcher::matches_absent) {
            return Ok(None);
        }
        let mut builder = base.to_builder();
        let mut added: FxHashMap<&str, &str> = FxHashMap::default();
        for index in met {
            for label in &self.infos[*index].labels {
                let listed = |matcher: &Matcher| matcher.name() == label.name;
                let wanted = self.data.is_empty() || self.data.iter().any(listed);
                if label.name == METRIC_NAME || !wanted {
                    continue;
                }
                let known = added.get(label.name);
                if known.is_some_and(|value| *value != label.value) {
                    let name = label.name.to_owned();
                    return Err(QueryError::Info(InfoError::Conflict(name)));
                }
                if base.get(label.name).is_none() {
                    added.insert(label.name, label.value);
                    builder.set(label.name, label.value);
                }
            }
        }
        Ok(Some(builder.build()))
    }
}
