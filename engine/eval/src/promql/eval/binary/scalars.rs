//! Operators with a scalar on one side or both.

use std::sync::Arc;

use obsq_query_lang::promql::BinaryOp;
use rayon::prelude::*;

use super::Findings;
use super::element::{Finding, apply, floats, truth};
use crate::promql::error::QueryError;
use crate::promql::eval::Evaluation;
use crate::promql::outcome::Value;
use crate::promql::output::{Output, Scalar, SeriesList};
use crate::promql::plan::{Binary, Node};
use crate::promql::series::StepSeries;

impl Evaluation<'_> {
    pub(super) fn scalar_scalar(
        &mut self,
        node: &Node,
        binary: &Binary,
        left: &Scalar,
        right: &Scalar,
    ) -> Result<Output, QueryError> {
        let steps = self.plan.grid(node).steps;
        let op = binary.op;
        let result = Scalar::combine(left, right, steps, |left, right| {
            let (value, keep) = floats(op, left, right);
            if op.is_comparison() {
                truth(keep)
            } else {
                value
            }
        });
        // At the last step there are both inputs, the two numbers taken from them, and the result.
        self.meter.touch(steps + 2)?;
        self.meter.release(steps);
        Ok(Output::Scalar(result))
    }

    /// Applies an operator to each element of a vector; `swapped` when the scalar is on the left.
    pub(super) fn vector_scalar(
        &mut self,
        node: &Node,
        binary: &Binary,
        list: SeriesList,
        scalar: &Scalar,
        swapped: bool,
    ) -> Result<Output, QueryError> {
        let steps = self.plan.grid(node).steps;
        let gathered: Vec<u32> = list.counts_by_step(steps).iter().map(|n| n + 1).collect();
        let renames = binary.changes_meaning() || binary.return_bool;
        let context = self.context;
        let this: &Self = self;
        let compute = |one: StepSeries| {
            context.check()?;
            let mut result = if renames {
                this.renamed(&one)
            } else {
                one.like()
            };
            let operation = Operation {
                binary,
                scalar,
                swapped,
            };
            let mut findings = Findings::default();
            operation.add_histograms(&one, &mut result, &mut findings);
            operation.add_floats(one, &mut result, &mut findings);
            Ok((result, findings))
        };
        let (samples, distinct) = (list.samples, list.distinct);
        let done: Vec<(StepSeries, Findings)> = list
            .series
            .into_par_iter()
            .with_min_len(16)
            .map(compute)
            .collect::<Result<_, QueryError>>()?;
        let mut findings = Findings::default();
        let mut series = Vec::with_capacity(done.len());
        for (one, found) in done {
            findings.merge(found);
            series.push(one);
        }
        self.note_findings(node, binary, &findings);
        self.finish(node, samples + steps, &gathered, series, distinct)
    }
}

/// An operator and its scalar operand.
#[derive(Debug, Clone, Copy)]
struct Operation<'a> {
    binary: &'a Binary,
    scalar: &'a Scalar,
    swapped: bool,
}

impl Operation<'_> {
    /// Applies the operator to a float; `None` when a comparison does not hold.
    #[inline]
    fn float(self, value: f64, scalar: f64) -> Option<f64> {
        let op = self.binary.op;
        let (result, keep) = if self.swapped {
            floats(op, scalar, value)
        } else {
            floats(op, value, scalar)
        };
        if !op.is_comparison() {
            Some(result)
        } else if self.binary.return_bool {
            Some(truth(keep))
        } else {
            // The element of the vector stays, on whichever side it is.
            keep.then_some(value)
        }
    }

    fn add_floats(self, one: StepSeries, result: &mut StepSeries, findings: &mut Findings) {
        let op = self.binary.op;
        if matches!(op, BinaryOp::TrimLower | BinaryOp::TrimUpper) {
            for (step, _) in one.floats.iter() {
                findings.add(step, Finding::Types("float", "float"));
            }
            return;
        }
        match self.scalar {
            Scalar::Constant(scalar) if !op.is_comparison() || self.binary.return_bool => {
                let scalar = *scalar;
                result.floats = one.floats;
                result
                    .floats
                    .map(|value| self.float(value, scalar).unwrap_or(f64::NAN));
            }
            scalar => {
                result.floats = one
                    .floats
                    .filter_map(|step, value| self.float(value, scalar.get(step)));
            }
        }
    }

    fn add_histograms(self, one: &StepSeries, result: &mut StepSeries, findings: &mut Findings) {
        for (step, histogram) in &one.histograms {
            let vector = Value::Histogram(Arc::clone(histogram));
            let scalar = Value::Float(self.scalar.get(*step));
            let mut finding = None;
            let element = if self.swapped {
                apply(self.binary.op, &scalar, &vector, &mut finding)
            } else {
                apply(self.binary.op, &vector, &scalar, &mut finding)
            };
            if let Some(finding) = finding {
                findings.add(*step, finding);
            }
            if let Some(element) = element {
                result.push(*step, element.value);
            }
        }
    }
}
