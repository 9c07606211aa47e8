//! Functions that make scalars or are made of them.

use obsq_model::Labels;
use obsq_query_lang::promql::Function;

use super::Arguments;
use crate::promql::error::QueryError;
use crate::promql::eval::Evaluation;
use crate::promql::float;
use crate::promql::outcome::Value;
use crate::promql::output::{Output, Scalar};
use crate::promql::plan::Node;
use crate::promql::series::StepSeries;

impl Evaluation<'_> {
    pub(super) fn scalar_of_step(
        &mut self,
        node: &Node,
        function: Function,
    ) -> Result<Output, QueryError> {
        let grid = self.plan.grid(node);
        self.meter.hold(grid.steps)?;
        Ok(Output::Scalar(match function {
            Function::Pi => Scalar::Constant(std::f64::consts::PI),
            _ => Scalar::Steps(
                (0..grid.steps)
                    .map(|step| grid.time(step) as f64 / 1000.0)
                    .collect(),
            ),
        }))
    }

    pub(super) fn smaller_or_larger(
        &mut self,
        function: Function,
        arguments: &Arguments,
        steps: usize,
    ) -> Result<Output, QueryError> {
        let [left, right] = &arguments.scalars[..] else {
            return Err(QueryError::internal("two scalars are expected"));
        };
        let result = match function {
            Function::MinOf => Scalar::combine(left, right, steps, float::min),
            _ => Scalar::combine(left, right, steps, float::max),
        };
        self.meter.touch(steps + 2)?;
        self.meter.release(steps);
        Ok(Output::Scalar(result))
    }

    /// `scalar`: the only float at a step, or NaN.
    pub(super) fn vector_to_scalar(
        &mut self,
        arguments: &Arguments,
        steps: usize,
    ) -> Result<Output, QueryError> {
        let mut found = vec![(f64::NAN, 0_u32); steps];
        for one in arguments.vector.iter().flat_map(|list| &list.series) {
            for (step, value) in one.floats.iter() {
                found[step] = (value, found[step].1 + 1);
            }
        }
        let numbers = found.into_iter().map(|(value, count)| match count {
            1 => value,
            _ => f64::NAN,
        });
        let result = Scalar::Steps(numbers.collect());
        for (step, count) in arguments.gathered.iter().enumerate() {
            self.meter.touch(step + 1 + *count as usize)?;
        }
        self.meter.release(arguments.samples);
        self.meter.hold(steps)?;
        Ok(Output::Scalar(result))
    }

    /// `vector`: a scalar as an element without labels.
    pub(super) fn scalar_to_vector(
        &mut self,
        node: &Node,
        arguments: &Arguments,
    ) -> Result<Output, QueryError> {
        let steps = self.plan.grid(node).steps;
        let mut one = StepSeries::new(Labels::empty(), false);
        for scalar in &arguments.scalars {
            for (step, value) in scalar.iter(steps).enumerate() {
                one.push(step, Value::Float(value));
            }
        }
        self.finish(
            node,
            arguments.samples,
            &arguments.gathered,
            vec![one],
            true,
        )
    }
}
