//! Classic histograms put together from their bucket series, beside native ones.

use std::sync::Arc;

use obsq_model::FloatHistogram;
use obsq_query_lang::Span;
use rustc_hash::FxHashMap;

use crate::promql::annotations::Annotation;
use crate::promql::bits::Bits;
use crate::promql::eval::Evaluation;
use crate::promql::eval::aggregate::KeyBuffer;
use crate::promql::grid::Grid;
use crate::promql::kernels::ClassicBucket;
use crate::promql::output::SeriesList;
use crate::promql::series::{FloatColumn, StepSeries};

/// The label that holds a bucket's upper bound.
const BUCKET_LABEL: &str = "le";

/// A native histogram series.
#[derive(Debug)]
pub(super) struct Native {
    /// The series of the result, without values.
    pub(super) result: StepSeries,
    pub(super) histograms: Vec<(usize, Arc<FloatHistogram>)>,
}

/// The bucket series of a classic histogram.
#[derive(Debug)]
pub(super) struct Classic {
    /// The series of the result, without values.
    pub(super) result: StepSeries,
    buckets: Vec<(f64, FloatColumn)>,
    /// Steps at which a native histogram has the same labels.
    conflicts: Option<Bits>,
}

impl Classic {
    /// Leaves out the steps at which both have values, here and in `native`. Says whether there
    /// are any.
    fn exclude(&mut self, native: &mut Native, steps: usize) -> bool {
        let mut conflicts = Bits::zeros(steps);
        native.histograms.retain(|(step, _)| {
            let mut buckets = self.buckets.iter();
            let conflict = buckets.any(|(_, counts)| counts.get(*step).is_some());
            if conflict {
                conflicts.set(*step);
            }
            !conflict
        });
        let found = !conflicts.is_empty();
        if found {
            self.conflicts = Some(conflicts);
        }
        found
    }

    /// Replaces `buckets` by those at a step; none where there is a conflict.
    pub(super) fn buckets_at(&self, step: usize, buckets: &mut Vec<ClassicBucket>) {
        buckets.clear();
        if self.conflicts.as_ref().is_some_and(|steps| steps.get(step)) {
            return;
        }
        buckets.extend(self.buckets.iter().filter_map(|(upper_bound, counts)| {
            Some(ClassicBucket {
                upper_bound: *upper_bound,
                count: counts.get(step)?,
            })
        }));
    }
}

/// The histograms of a vector.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) native: Vec<Native>,
    pub(super) classic: Vec<Classic>,
    pub(super) grid: Grid,
    /// Where annotations point at.
    pub(super) span: Span,
}

impl Evaluation<'_> {
    /// Sorts the series of a vector into native and classic histograms. Where a native and a
    /// classic one have the same labels at the same step, both are left out.
    pub(super) fn split_histograms(&mut self, list: SeriesList, grid: Grid, span: Span) -> Split {
        let mut split = Split {
            native: Vec::new(),
            classic: Vec::new(),
            grid,
            span,
        };
        let mut buffer = KeyBuffer::default();
        let mut groups: FxHashMap<Box<[u8]>, usize> = FxHashMap::default();
        for one in &list.series {
            if one.floats.is_empty() {
                continue;
            }
            let bound = one.labels.value(BUCKET_LABEL);
            let Some(upper_bound) = parse_bound(bound) else {
                let metric = self.metric_for_notes(one);
                let annotation = Annotation::BadBucketLabel {
                    metric: &metric,
                    label: bound,
                };
                self.notes.add(&annotation, span);
                continue;
            };
            let key = buffer.key(&one.labels, |name| name != BUCKET_LABEL);
            let known = groups.get(key).copied();
            let group = known.unwrap_or_else(|| {
                groups.insert(key.into(), split.classic.len());
                let mut result = self.renamed(one);
                result.labels = result.labels.without(|name| name == BUCKET_LABEL);
                split.classic.push(Classic {
                    result,
                    buckets: Vec::new(),
                    conflicts: None,
                });
                split.classic.len() - 1
            });
            let bucket = (upper_bound, one.floats.clone());
            split.classic[group].buckets.push(bucket);
        }
        for one in list.series {
            if one.histograms.is_empty() {
                continue;
            }
            let mut native = Native {
                result: self.renamed(&one),
                histograms: one.histograms.clone(),
            };
            let group = groups.get(buffer.key(&one.labels, |_| true));
            if let Some(group) = group
                && split.classic[*group].exclude(&mut native, grid.steps)
            {
                let metric = self.metric_for_notes(&one);
                let annotation = Annotation::MixedClassicNative { metric: &metric };
                self.notes.add(&annotation, span);
            }
            split.native.push(native);
        }
        split
    }
}

/// Returns the upper bound that a bucket label stands for.
fn parse_bound(text: &str) -> Option<f64> {
    let bound: f64 = text.parse().ok()?;
    let named = text.contains(['i', 'I']);
    // What is too large for a float is no bound, but infinity by its name is.
    (bound.is_finite() || bound.is_nan() || named).then_some(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_numbers_and_named_infinities() {
        assert_eq!(parse_bound("0.5"), Some(0.5));
        assert_eq!(parse_bound("+Inf"), Some(f64::INFINITY));
        assert_eq!(parse_bound("1e3"), Some(1000.0));
        for text in ["", "abc", "1e999", "0.5s"] {
            assert_eq!(parse_bound(text), None, "{text}");
        }
    }
}
