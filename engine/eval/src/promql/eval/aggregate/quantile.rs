//! `quantile`.

use rayon::prelude::*;

use super::ParameterRange;
use super::groups::Groups;
use crate::promql::annotations::Annotation;
use crate::promql::error::QueryError;
use crate::promql::eval::Evaluation;
use crate::promql::kernels::quantile;
use crate::promql::outcome::Value;
use crate::promql::output::Output;
use crate::promql::plan::{Aggregate, Node};
use crate::promql::series::StepSeries;

impl Evaluation<'_> {
    pub(super) fn quantile(
        &mut self,
        node: &Node,
        aggregate: &Aggregate,
    ) -> Result<Output, QueryError> {
        let steps = self.plan.grid(node).steps;
        let parameter = self.parameter(aggregate)?;
        let list = self.take_vector(aggregate.expr)?;
        let range = ParameterRange::of(&parameter, steps);
        if range.any_nan {
            self.note_parameter(aggregate, &Annotation::InvalidQuantile(f64::NAN));
        }
        if range.max > 1.0 {
            self.note_parameter(aggregate, &Annotation::InvalidQuantile(range.max));
        }
        if range.min < 0.0 {
            self.note_parameter(aggregate, &Annotation::InvalidQuantile(range.min));
        }
        if list.series.iter().any(|one| !one.histograms.is_empty()) {
            let aggregation = aggregate.op.as_str();
            let annotation = Annotation::IgnoredInAggregation { aggregation };
            self.notes.add(&annotation, aggregate.expr_span);
        }
        let labels = list.series.iter().map(|one| &one.labels);
        let groups = Groups::of(aggregate, labels);
        let mut members: Vec<Vec<&StepSeries>> = vec![Vec::new(); groups.len()];
        for (one, group) in list.series.iter().zip(&groups.of_series) {
            members[*group as usize].push(one);
        }
        let context = self.context;
        let compute = |(labels, members): (&obsq_model::Labels, &Vec<&StepSeries>)| {
            let dropped = members.iter().any(|one| one.drop_name);
            let mut result = StepSeries::new(labels.clone(), dropped);
            let mut values = Vec::with_capacity(members.len());
            for step in 0..steps {
                context.check()?;
                values.clear();
                values.extend(members.iter().filter_map(|one| one.floats.get(step)));
                if !values.is_empty() {
                    let value = quantile(parameter.get(step), &mut values);
                    result.push(step, Value::Float(value));
                }
            }
            Ok(result)
        };
        let series: Vec<StepSeries> = groups
            .labels
            .par_iter()
            .zip(&members)
            .map(compute)
            .collect::<Result<_, QueryError>>()?;
        let mut result = self.list(series)?;
        result.distinct = true;
        self.finish_aggregate(list.samples, result)
    }
}
