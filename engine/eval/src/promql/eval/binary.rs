//! Operators between two values.

mod element;
mod matching;
mod pairs;
mod scalars;
mod sets;
mod stepwise;

use std::sync::Arc;

use obsq_model::FloatHistogram;

use super::Evaluation;
use crate::promql::annotations::Annotation;
use crate::promql::error::QueryError;
use crate::promql::output::Output;
use crate::promql::plan::{Binary, Node};
use element::Finding;

/// Returns a histogram with all its counts multiplied.
pub(crate) fn scaled(histogram: &FloatHistogram, factor: f64) -> Arc<FloatHistogram> {
    let mut scaled = histogram.clone();
    scaled.mul(factor);
    Arc::new(scaled)
}

impl Evaluation<'_> {
    /// Evaluates a binary operation.
    pub(super) fn binary(&mut self, node: &Node, binary: &Binary) -> Result<Output, QueryError> {
        let (lhs, rhs) = (self.take(binary.lhs)?, self.take(binary.rhs)?);
        match (lhs, rhs) {
            (Output::Scalar(left), Output::Scalar(right)) => {
                self.scalar_scalar(node, binary, &left, &right)
            }
            (Output::Vector(list), Output::Scalar(scalar)) => {
                self.vector_scalar(node, binary, list, &scalar, false)
            }
            (Output::Scalar(scalar), Output::Vector(list)) => {
                self.vector_scalar(node, binary, list, &scalar, true)
            }
            (Output::Vector(left), Output::Vector(right)) if binary.op.is_set() => {
                self.set_operation(node, binary, left, right)
            }
            (Output::Vector(left), Output::Vector(right)) => {
                self.vector_vector(node, binary, &left, &right)
            }
            _ => Err(QueryError::internal("an operator between range vectors")),
        }
    }

    /// Notes what elements of an operation found, of each step only the last finding.
    fn note_findings(&mut self, node: &Node, binary: &Binary, findings: &Findings) {
        for finding in findings.of_step.iter().flatten() {
            self.note_finding(node, binary, *finding);
        }
    }

    fn note_finding(&mut self, node: &Node, binary: &Binary, finding: Finding) {
        let operator = binary.op.as_str();
        let annotation = match finding {
            Finding::Types(left, right) => Annotation::IncompatibleTypes {
                left,
                operator,
                right,
            },
            Finding::Layout => Annotation::IncompatibleBucketLayout { operator },
            Finding::Collision(operation) => Annotation::CounterResetCollision(operation),
            Finding::Reconciled(operation) => Annotation::MismatchedCustomBuckets(operation),
        };
        self.notes.add(&annotation, node.span);
    }
}

/// The last finding of each step, as upstream reports only that one.
#[derive(Debug, Default)]
struct Findings {
    /// Empty while there is no finding.
    of_step: Vec<Option<Finding>>,
}

impl Findings {
    fn add(&mut self, step: usize, finding: Finding) {
        if self.of_step.len() <= step {
            self.of_step.resize(step + 1, None);
        }
        self.of_step[step] = Some(finding);
    }

    /// Adds the findings of later elements.
    fn merge(&mut self, later: Self) {
        for (step, finding) in later.of_step.into_iter().enumerate() {
            if let Some(finding) = finding {
                self.add(step, finding);
            }
        }
    }
}
