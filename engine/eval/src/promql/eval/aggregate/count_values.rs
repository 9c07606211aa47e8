//! `count_values`.

use obsq_model::Labels;
use obsq_query_lang::{has_stray_bytes, quote};
use rustc_hash::FxHashMap;

use crate::promql::error::{ParameterError, QueryError};
use crate::promql::eval::Evaluation;
use crate::promql::float::to_decimal;
use crate::promql::outcome::Value;
use crate::promql::output::{Output, SeriesList};
use crate::promql::plan::{Aggregate, Node};
use crate::promql::series::StepSeries;

/// The series of the result and how to find them.
#[derive(Debug, Default)]
struct Counted {
    series: Vec<StepSeries>,
    by_labels: FxHashMap<Labels, usize>,
    /// Where the float with those bits of a series is counted.
    by_value: FxHashMap<(usize, u64), usize>,
}

impl Evaluation<'_> {
    pub(super) fn count_values(
        &mut self,
        node: &Node,
        aggregate: &Aggregate,
    ) -> Result<Output, QueryError> {
        let label = aggregate.value_label.as_deref().unwrap_or_default();
        if label.is_empty() || has_stray_bytes(label) {
            let error = ParameterError::CountLabel(quote(label));
            return Err(QueryError::Parameter(error));
        }
        let steps = self.plan.grid(node).steps;
        let list = self.take_vector(aggregate.expr)?;
        let mut counted = Counted::default();
        let mut counts: FxHashMap<usize, f64> = FxHashMap::default();
        let mut order: Vec<usize> = Vec::new();
        for step in 0..steps {
            self.context.check()?;
            for (index, value) in list.at(step) {
                let slot = counted.slot(aggregate, label, &list, index, &value);
                *counts.entry(slot).or_insert_with(|| {
                    order.push(slot);
                    0.0
                }) += 1.0;
            }
            for slot in order.drain(..) {
                let count = counts.remove(&slot).unwrap_or(0.0);
                counted.series[slot].push(step, Value::Float(count));
            }
        }
        let gathered = list.counts_by_step(steps);
        self.finish(node, list.samples, &gathered, counted.series, true)
    }
}

impl Counted {
    /// Returns the position of the series that counts a value.
    fn slot(
        &mut self,
        aggregate: &Aggregate,
        label: &str,
        list: &SeriesList,
        index: usize,
        value: &Value,
    ) -> usize {
        let (text, bits) = match value {
            Value::Float(value) => (None, Some((index, value.to_bits()))),
            Value::Histogram(histogram) => (Some(histogram.to_string()), None),
        };
        if let Some(slot) = bits.and_then(|bits| self.by_value.get(&bits)) {
            return *slot;
        }
        let text = text.unwrap_or_else(|| match value {
            Value::Float(value) => to_decimal(*value),
            Value::Histogram(_) => String::new(),
        });
        let mut builder = list.series[index].labels.to_builder();
        let all = builder.set(label, &text).build();
        let counts_label = |name: &str| !aggregate.without && name == label;
        let labels = all.only(|name| aggregate.keeps(name) || counts_label(name));
        let series = &mut self.series;
        let slot = *self.by_labels.entry(labels).or_insert_with_key(|labels| {
            series.push(StepSeries::new(labels.clone(), false));
            series.len() - 1
        });
        if let Some(bits) = bits {
            self.by_value.insert(bits, slot);
        }
        slot
    }
}
