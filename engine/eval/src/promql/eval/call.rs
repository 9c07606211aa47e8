//! Functions over scalars and instant vectors.

mod absent;
mod histogram;
mod info;
mod labels;
mod math;
mod scalar;
mod sort;

use obsq_query_lang::promql::Function;

use super::Evaluation;
use crate::promql::error::QueryError;
use crate::promql::output::{Output, Scalar, SeriesList};
use crate::promql::plan::{Arg, Node};

/// The arguments of a call, in the order of their types.
#[derive(Debug)]
struct Arguments {
    scalars: Vec<Scalar>,
    vector: Option<SeriesList>,
    /// Samples held for all of them.
    samples: usize,
    /// Values that all of them together have at each step.
    gathered: Vec<u32>,
    /// The labels of the vector's series are all different.
    distinct: bool,
}

impl Evaluation<'_> {
    /// Evaluates a call.
    pub(super) fn call(
        &mut self,
        node: &Node,
        function: Function,
        args: &[Arg],
        texts: &[String],
    ) -> Result<Output, QueryError> {
        match function {
            Function::LabelReplace => return self.label_replace(node, args, texts),
            Function::LabelJoin => return self.label_join(node, args, texts),
            Function::Time | Function::Pi => return self.scalar_of_step(node, function),
            _ => {}
        }
        let steps = self.plan.grid(node).steps;
        let arguments = self.arguments(args, steps)?;
        match function {
            Function::MinOf | Function::MaxOf => {
                self.smaller_or_larger(function, &arguments, steps)
            }
            Function::Scalar => self.vector_to_scalar(&arguments, steps),
            Function::Vector => self.scalar_to_vector(node, &arguments),
            Function::Sort
            | Function::SortDesc
            | Function::SortByLabel
            | Function::SortByLabelDesc => self.sort(node, function, arguments, texts),
            Function::HistogramQuantile
            | Function::HistogramQuantiles
            | Function::HistogramFraction => {
                self.buckets_call(node, function, args, arguments, texts)
            }
            Function::HistogramCount
            | Function::HistogramSum
            | Function::HistogramAvg
            | Function::HistogramStddev
            | Function::HistogramStdvar => self.histogram_number(node, function, &arguments),
            Function::Timestamp => self.time_of_step(node, &arguments),
            Function::StartTimestamp => {
                self.meter.release(arguments.samples);
                Ok(Output::Vector(self.empty()))
            }
            _ => self.float_call(node, function, arguments),
        }
    }

    fn arguments(&mut self, args: &[Arg], steps: usize) -> Result<Arguments, QueryError> {
        let mut arguments = Arguments {
            scalars: Vec::new(),
            vector: None,
            samples: 0,
            gathered: vec![0; steps],
            distinct: true,
        };
        for arg in args {
            match self.take(arg.node)? {
                Output::Scalar(scalar) => {
                    arguments.scalars.push(scalar);
                    arguments.samples += steps;
                    arguments.gathered.iter_mut().for_each(|count| *count += 1);
                }
                Output::Vector(list) => {
                    let counts = list.counts_by_step(steps);
                    for (count, more) in arguments.gathered.iter_mut().zip(counts) {
                        *count += more;
                    }
                    arguments.samples += list.samples;
                    arguments.distinct = list.distinct;
                    arguments.vector = Some(list);
                }
                Output::Text(_) | Output::Windows(_) => {
                    return Err(QueryError::internal("a scalar or vector is expected"));
                }
            }
        }
        Ok(arguments)
    }
}
