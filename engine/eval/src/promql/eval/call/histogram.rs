//! Functions of histograms, native and classic.

mod classic;

use obsq_model::{FloatHistogram, format_float_general};
use obsq_query_lang::Span;
use obsq_query_lang::promql::Function;

use self::classic::Split;
use super::Arguments;
use crate::promql::annotations::{Annotation, MonotonicityFix};
use crate::promql::budget::Reservation;
use crate::promql::error::QueryError;
use crate::promql::eval::Evaluation;
use crate::promql::kernels::{
    ClassicBucket, RangeNotes, bucket_fraction, bucket_quantile, histogram_average,
    histogram_fraction, histogram_quantile, histogram_stddev, histogram_stdvar,
};
use crate::promql::outcome::Value;
use crate::promql::output::{Output, Scalar};
use crate::promql::plan::{Arg, Node};
use crate::promql::series::StepSeries;

impl Evaluation<'_> {
    /// Evaluates a function that makes a number of each native histogram.
    pub(super) fn histogram_number(
        &mut self,
        node: &Node,
        function: Function,
        arguments: &Arguments,
    ) -> Result<Output, QueryError> {
        let compute: fn(&FloatHistogram) -> f64 = match function {
            Function::HistogramCount => |histogram| histogram.count,
            Function::HistogramSum => |histogram| histogram.sum,
            Function::HistogramAvg => histogram_average,
            Function::HistogramStddev => histogram_stddev,
            _ => histogram_stdvar,
        };
        let mut series = Vec::new();
        for one in arguments.vector.iter().flat_map(|list| &list.series) {
            let mut result = self.renamed(one);
            for (step, histogram) in &one.histograms {
                result.push(*step, Value::Float(compute(histogram)));
            }
            series.push(result);
        }
        self.finish(node, arguments.samples, &arguments.gathered, series, false)
    }

    /// Evaluates `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`.
    pub(super) fn buckets_call(
        &mut self,
        node: &Node,
        function: Function,
        args: &[Arg],
        mut arguments: Arguments,
        texts: &[String],
    ) -> Result<Output, QueryError> {
        let grid = self.plan.grid(node);
        let steps = grid.steps;
        let span_of = |index: usize| args.get(index).map_or(node.span, |arg| arg.span);
        let Some(list) = arguments.vector.take() else {
            return Err(QueryError::internal("a vector is expected"));
        };
        let vector_at = match function {
            Function::HistogramQuantile => 1,
            Function::HistogramQuantiles => 0,
            _ => 2,
        };
        let split = self.split_histograms(list, grid, span_of(vector_at));
        let mut series = Vec::new();
        match (function, &arguments.scalars[..]) {
            (Function::HistogramFraction, [lower, upper]) => {
                self.each_histogram(&split, steps, &mut series, |step, histogram, notes| {
                    let (lower, upper) = (lower.get(step), upper.get(step));
                    match histogram {
                        One::Native(native) => {
                            (histogram_fraction(lower, upper, native, notes), None)
                        }
                        One::Classic(buckets) => (bucket_fraction(lower, upper, buckets), None),
                    }
                });
            }
            (_, quantiles) => {
                let first = usize::from(function == Function::HistogramQuantiles);
                let mut memory = Reservation::empty(self.context);
                for (index, quantile) in quantiles.iter().enumerate() {
                    self.note_quantile(quantile, steps, span_of(first + index));
                    let from = series.len();
                    self.context.check()?;
                    self.quantiles(&split, steps, quantile, &mut series);
                    let made = series[from..].iter();
                    memory.grow(made.map(StepSeries::size_bytes).sum())?;
                    if let Some(label) = texts.first() {
                        label_quantile(&mut series, from, label, quantile, steps);
                    }
                }
            }
        }
        self.finish(node, arguments.samples, &arguments.gathered, series, false)
    }

    fn note_quantile(&mut self, quantile: &Scalar, steps: usize, span: Span) {
        let shown = match quantile {
            Scalar::Constant(_) => steps.min(1),
            Scalar::Steps(_) => steps,
        };
        for value in quantile.iter(shown) {
            if !(0.0..=1.0).contains(&value) {
                self.notes.add(&Annotation::InvalidQuantile(value), span);
            }
        }
    }

    fn quantiles(
        &mut self,
        split: &Split,
        steps: usize,
        quantile: &Scalar,
        series: &mut Vec<StepSeries>,
    ) {
        self.each_histogram(split, steps, series, |step, histogram, notes| {
            let quantile = quantile.get(step);
            match histogram {
                One::Native(native) => (histogram_quantile(quantile, native, notes), None),
                One::Classic(buckets) => bucket_quantile(quantile, buckets),
            }
        });
    }

    /// Appends one series per histogram, native ones first, with what `compute` makes of it.
    fn each_histogram(
        &mut self,
        split: &Split,
        steps: usize,
        series: &mut Vec<StepSeries>,
        mut compute: impl FnMut(usize, One<'_>, &mut RangeNotes) -> (f64, Option<MonotonicityFix>),
    ) {
        for native in &split.native {
            let mut result = native.result.clone();
            let mut notes = RangeNotes::default();
            for (step, histogram) in &native.histograms {
                let (value, _) = compute(*step, One::Native(histogram), &mut notes);
                result.push(*step, Value::Float(value));
            }
            let metric = self.metric_for_notes(&native.result);
            self.notes.add_range_notes(&notes, &metric, split.span);
            series.push(result);
        }
        for group in &split.classic {
            let mut result = group.result.clone();
            let metric = self.metric_for_notes(&group.result);
            let mut buckets = Vec::new();
            for step in 0..steps {
                group.buckets_at(step, &mut buckets);
                if buckets.is_empty() {
                    continue;
                }
                let mut unused = RangeNotes::default();
                let (value, fix) = compute(step, One::Classic(&mut buckets), &mut unused);
                result.push(step, Value::Float(value));
                if let Some(fix) = fix {
                    let ts_ms = split.grid.time(step);
                    let metric = metric.as_str();
                    let annotation = Annotation::ForcedMonotonicity { metric, fix, ts_ms };
                    self.notes.add(&annotation, split.span);
                }
            }
            series.push(result);
        }
    }

    /// Returns the metric's name as annotations show it: none where it is dropped at once.
    fn metric_for_notes(&self, one: &StepSeries) -> String {
        if self.options.delayed_name_removal {
            one.labels.metric_name().to_owned()
        } else {
            String::new()
        }
    }
}

/// A histogram at one step.
enum One<'a> {
    Native(&'a FloatHistogram),
    Classic(&'a mut Vec<ClassicBucket>),
}

/// Gives the series from position `from` on a label that says which quantile they are; where that
/// changes from step to step, a series becomes several.
fn label_quantile(
    series: &mut Vec<StepSeries>,
    from: usize,
    label: &str,
    quantile: &Scalar,
    steps: usize,
) {
    let labelled = |one: &StepSeries, text: &str| {
        let mut labelled = one.like();
        labelled.labels = one.labels.to_builder().set(label, text).build();
        labelled
    };
    let unlabelled = series.split_off(from);
    if let Scalar::Constant(value) = quantile {
        let text = quantile_text(*value);
        series.extend(unlabelled.into_iter().map(|one| StepSeries {
            floats: one.floats.clone(),
            ..labelled(&one, &text)
        }));
        return;
    }
    let texts: Vec<String> = quantile.iter(steps).map(quantile_text).collect();
    for one in unlabelled {
        let mut parts: Vec<(&str, StepSeries)> = Vec::new();
        for (step, value) in one.floats.iter() {
            let text = texts[step].as_str();
            let known = parts.iter().position(|(known, _)| *known == text);
            let position = known.unwrap_or_else(|| {
                parts.push((text, labelled(&one, text)));
                parts.len() - 1
            });
            parts[position].1.push(step, Value::Float(value));
        }
        series.extend(parts.into_iter().map(|(_, part)| part));
    }
}

/// Returns a quantile as OpenMetrics writes floats: shortest, but with a point or an exponent.
fn quantile_text(quantile: f64) -> String {
    let text = format_float_general(quantile);
    let plain = quantile.is_finite() && !text.contains(['.', 'e']);
    if plain { format!("{text}.0") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_written_with_a_point() {
        let table = [
            (1.0, "1.0"),
            (0.5, "0.5"),
            (0.0, "0.0"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
        ];
        for (quantile, text) in table {
            assert_eq!(quantile_text(quantile), text);
        }
    }
}
