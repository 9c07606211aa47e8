//! Range vectors as the result of a query: a window of stored samples, or a subquery's values.

use std::ops::Range;
use std::sync::Arc;

use obsq_model::{SampleColumns, is_stale_nan};
use obsq_source::SelectRequest;

use super::Evaluation;
use super::partition::in_parts;
use super::scan::SMALLEST_PART;
use crate::promql::budget::Reservation;
use crate::promql::error::QueryError;
use crate::promql::kernels::{Edges, extend_floats};
use crate::promql::outcome::RangeSeries;
use crate::promql::output::Output;
use crate::promql::plan::{Node, NodeId, Selector, WindowSpec};
use crate::promql::series::histogram_samples;

impl Evaluation<'_> {
    /// Returns the samples in the window of the only step.
    pub(super) fn select_window(
        &mut self,
        node: &Node,
        selector: &Selector,
    ) -> Result<Output, QueryError> {
        let grid = self.plan.grid(node);
        let reach = selector.window.reach(grid);
        let request = SelectRequest {
            range: reach,
            matchers: selector.matchers.clone(),
        };
        let set = self.source.select(self.tenant, &request, self.context)?;
        let context = self.context;
        let work = |range: Range<usize>| {
            let mut columns = SampleColumns::default();
            let mut memory = Reservation::empty(context);
            let mut series = Vec::new();
            for index in range {
                context.check()?;
                set.read(index, reach, &mut columns)?;
                let mut one = collect(&columns);
                one.labels = set.labels(index).clone();
                extend(&selector.window, grid.start_ms, &mut one)?;
                if !one.floats.is_empty() || !one.histograms.is_empty() {
                    memory.grow(one.floats.len() * 16 + one.histograms.len() * 24)?;
                    series.push(one);
                }
            }
            Ok((series, memory))
        };
        let mut all = Vec::new();
        in_parts(set.len(), SMALLEST_PART, work, |(series, _memory)| {
            for one in &series {
                let samples = samples_of(one);
                self.meter.hold(samples)?;
                let samples = samples as u64;
                self.meter.frame(node.frame).add(0, samples, samples);
            }
            all.extend(series);
            Ok(())
        })?;
        for warning in set.warnings() {
            self.notes.add_source_warning(warning);
        }
        Ok(Output::Windows(all))
    }

    /// Returns the values of a subquery that is the query's result.
    pub(super) fn subquery_result(
        &mut self,
        node: &Node,
        inner: NodeId,
    ) -> Result<Output, QueryError> {
        let grid = self.plan.grid(node);
        let inner_node = self.plan.node(inner);
        let (frame, inner_grid) = (inner_node.frame, self.plan.grid(inner_node));
        self.meter.absorb_subquery_total(frame, node.frame, grid);
        self.meter
            .absorb_subquery((frame, inner_grid), (node.frame, grid), None);
        let list = self.take_vector(inner)?;
        let windows = list.series.into_iter().map(|one| RangeSeries {
            floats: one
                .floats
                .iter()
                .map(|(step, value)| (inner_grid.time(step), value))
                .collect(),
            histograms: one
                .histograms
                .into_iter()
                .map(|(step, histogram)| (inner_grid.time(step), histogram))
                .collect(),
            labels: if one.drop_name && self.options.delayed_name_removal {
                one.labels.without_metadata()
            } else {
                one.labels
            },
        });
        Ok(Output::Windows(windows.collect()))
    }
}

fn samples_of(one: &RangeSeries) -> usize {
    let histograms = one.histograms.iter();
    one.floats.len()
        + histograms
            .map(|(_, histogram)| histogram_samples(histogram))
            .sum::<usize>()
}

/// Returns the samples that do not mark the series as stale.
fn collect(columns: &SampleColumns) -> RangeSeries {
    let floats = columns.float_ts.iter().copied().zip(&columns.floats);
    let histograms = columns.histogram_ts.iter().zip(&columns.histograms);
    RangeSeries {
        floats: floats
            .filter(|(_, value)| !is_stale_nan(**value))
            .map(|(time, value)| (time, *value))
            .collect(),
        histograms: histograms
            .filter(|(_, histogram)| !is_stale_nan(histogram.sum))
            .map(|(time, histogram)| (*time, Arc::clone(histogram)))
            .collect(),
        ..RangeSeries::default()
    }
}

/// Puts values at the edges of an `anchored` or `smoothed` window in the place of the samples
/// around it.
fn extend(spec: &WindowSpec, step_ms: i64, one: &mut RangeSeries) -> Result<(), QueryError> {
    let modifier = match spec.edges {
        Edges::Plain => return Ok(()),
        Edges::Anchored => "anchored",
        Edges::Smoothed => "smoothed",
    };
    if !one.histograms.is_empty() {
        return Err(QueryError::EdgesOfHistograms { modifier });
    }
    let end_ms = spec.end(step_ms);
    let start_ms = end_ms.saturating_sub(spec.range_ms);
    let smoothed = spec.edges == Edges::Smoothed;
    let (times, values): (Vec<i64>, Vec<f64>) = one.floats.iter().copied().unzip();
    one.floats = extend_floats(&times, &values, (start_ms, end_ms), smoothed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_counted_by_size() {
        let one = RangeSeries {
            floats: vec![(0, 1.0)],
            histograms: vec![(1, Arc::default())],
            ..RangeSeries::default()
        };
        assert_eq!(samples_of(&one), 1 + 176 / 16);
    }
}
