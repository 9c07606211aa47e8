//! Aggregations over the series of each step.

mod accumulate;
mod cells;
mod count_values;
mod groups;
mod histograms;
mod order;
mod pick;
mod quantile;

use obsq_query_lang::promql::AggregateOp;

use super::Evaluation;
use crate::promql::annotations::Annotation;
use crate::promql::error::{ParameterError, QueryError};
use crate::promql::output::{Output, Scalar, SeriesList};
use crate::promql::plan::{Aggregate, Node};

pub(crate) use groups::{KeyBuffer, Numbering};
pub(crate) use order::sort_like_go;

impl Evaluation<'_> {
    /// Evaluates an aggregation.
    pub(super) fn aggregate(
        &mut self,
        node: &Node,
        aggregate: &Aggregate,
    ) -> Result<Output, QueryError> {
        match aggregate.op {
            AggregateOp::Sum
            | AggregateOp::Avg
            | AggregateOp::Count
            | AggregateOp::Min
            | AggregateOp::Max
            | AggregateOp::Group
            | AggregateOp::Stddev
            | AggregateOp::Stdvar => self.accumulate(node, aggregate),
            AggregateOp::CountValues => self.count_values(node, aggregate),
            AggregateOp::Quantile => self.quantile(node, aggregate),
            AggregateOp::Topk
            | AggregateOp::Bottomk
            | AggregateOp::Limitk
            | AggregateOp::LimitRatio => self.pick(node, aggregate),
        }
    }

    /// Returns the values of the parameter.
    fn parameter(&mut self, aggregate: &Aggregate) -> Result<Scalar, QueryError> {
        match &aggregate.param {
            Some(param) => self.take_scalar(param.node),
            None => Ok(Scalar::Constant(0.0)),
        }
    }

    /// Notes a problem of the parameter, at its place in the query.
    fn note_parameter(&mut self, aggregate: &Aggregate, annotation: &Annotation<'_>) {
        if let Some(param) = &aggregate.param {
            self.notes.add(annotation, param.span);
        }
    }

    /// Exchanges the samples held for an aggregation's input by those of its result.
    fn finish_aggregate(&mut self, input: usize, result: SeriesList) -> Result<Output, QueryError> {
        self.meter.release(input);
        self.meter.hold(result.samples)?;
        Ok(Output::Vector(result))
    }
}

/// Smallest and largest value of a parameter, and whether any is NaN.
#[derive(Debug, Clone, Copy)]
struct ParameterRange {
    min: f64,
    max: f64,
    any_nan: bool,
}

impl ParameterRange {
    fn of(values: &Scalar, steps: usize) -> Self {
        if let Scalar::Constant(value) = values {
            return Self {
                min: *value,
                max: *value,
                any_nan: value.is_nan(),
            };
        }
        let mut range = Self {
            min: f64::MAX,
            max: -f64::MAX,
            any_nan: false,
        };
        for value in values.iter(steps) {
            range.any_nan |= value.is_nan();
            range.min = crate::promql::float::min(range.min, value);
            range.max = crate::promql::float::max(range.max, value);
        }
        range
    }

    /// Checks the k of `topk`, `bottomk` and `limitk`; `None` means that nothing is picked.
    fn check_k(self) -> Result<Option<()>, ParameterError> {
        // The largest and smallest floats that fit a signed 64-bit integer.
        const LARGEST: f64 = 9_223_372_036_854_774_784.0;
        const SMALLEST: f64 = -9_223_372_036_854_775_808.0;
        if self.max < 1.0 {
            return Ok(None);
        }
        if self.any_nan {
            return Err(ParameterError::NotANumber);
        }
        let text = obsq_model::format_float_general;
        if self.min <= SMALLEST {
            return Err(ParameterError::Underflow(text(self.min)));
        }
        if self.max >= LARGEST {
            return Err(ParameterError::Overflow(text(self.max)));
        }
        Ok(Some(()))
    }
}
