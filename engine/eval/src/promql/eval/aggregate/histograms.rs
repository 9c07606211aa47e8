//! `sum` and `avg` of native histograms.

use std::sync::Arc;

use obsq_model::histogram::{Combined, HistogramError, HistogramMean, HistogramSum};
use obsq_model::{FloatHistogram, Labels};
use obsq_query_lang::promql::AggregateOp;

use super::accumulate::{Aside, GroupState};
use crate::promql::annotations::{Annotation, HistogramOperation};
use crate::promql::eval::Evaluation;
use crate::promql::outcome::Value;
use crate::promql::plan::Aggregate;
use crate::promql::series::StepSeries;

/// A sum or a mean that is being built.
#[derive(Debug)]
enum Running {
    Sum(HistogramSum),
    Mean(HistogramMean),
}

impl Running {
    fn new(op: AggregateOp, first: FloatHistogram) -> Self {
        match op {
            AggregateOp::Avg => Self::Mean(HistogramMean::new(first)),
            _ => Self::Sum(HistogramSum::new(first)),
        }
    }

    fn add(&mut self, other: &FloatHistogram) -> Result<(), HistogramError> {
        match self {
            Self::Sum(sum) => sum.add(other),
            Self::Mean(mean) => mean.add(other),
        }
    }

    fn combined(&self) -> Combined {
        match self {
            Self::Sum(sum) => sum.combined(),
            Self::Mean(mean) => mean.combined(),
        }
    }

    fn finish(self) -> FloatHistogram {
        match self {
            Self::Sum(sum) => sum.finish(),
            Self::Mean(mean) => mean.finish(),
        }
    }
}

impl Evaluation<'_> {
    /// Puts the aggregates of a group into a series: floats from its cells, histograms from those
    /// put aside, nothing where there are both.
    pub(super) fn finish_group(
        &mut self,
        aggregate: &Aggregate,
        state: &GroupState,
        steps: usize,
        labels_of: &impl Fn(usize) -> Labels,
        one: &mut StepSeries,
    ) {
        let mut asides: Vec<&Aside> = state.histograms.iter().collect();
        asides.sort_by_key(|aside| aside.step);
        let mut runs = asides.chunk_by(|a, b| a.step == b.step).peekable();
        for step in 0..steps {
            let Some(run) = runs.next_if(|run| run[0].step == step) else {
                if let Some(value) = state.cells.get(step) {
                    one.push(step, Value::Float(value));
                }
                continue;
            };
            if state.cells.has(step) {
                let annotation = Annotation::MixedFloatsHistogramsInAggregation;
                self.notes.add(&annotation, aggregate.expr_span);
            } else if let Some(histogram) = self.aggregated(aggregate, run, labels_of) {
                one.push(step, Value::Histogram(Arc::new(histogram)));
            }
        }
    }

    /// Returns the aggregate of the histograms of one step; none when they do not go together.
    fn aggregated(
        &mut self,
        aggregate: &Aggregate,
        run: &[&Aside],
        labels_of: &impl Fn(usize) -> Labels,
    ) -> Option<FloatHistogram> {
        let span = aggregate.expr_span;
        let (first, rest) = run.split_first()?;
        let mut running = Running::new(aggregate.op, FloatHistogram::clone(&first.histogram));
        let mut misfit = None;
        for aside in rest {
            if running.add(&aside.histogram).is_err() {
                misfit = Some(aside.series);
                break;
            }
        }
        let combined = running.combined();
        if combined.bounds_reconciled {
            let annotation = Annotation::MismatchedCustomBuckets(HistogramOperation::Aggregation);
            self.notes.add(&annotation, span);
        }
        if let Some(series) = misfit {
            let labels = labels_of(series);
            let metric = labels.metric_name();
            self.notes
                .add(&Annotation::MixedExponentialCustom { metric }, span);
            return None;
        }
        if combined.reset_collision {
            let annotation = Annotation::CounterResetCollision(HistogramOperation::Aggregation);
            self.notes.add(&annotation, span);
        }
        let mut histogram = running.finish();
        histogram.compact();
        Some(histogram)
    }
}
