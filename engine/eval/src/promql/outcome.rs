//! What a query answers.

use std::sync::Arc;

use obsq_model::{FloatHistogram, Labels};

use super::stats::QueryStats;

/// The value of one sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A float; NaN is a value like any other.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<FloatHistogram>),
}

/// One element of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct InstantSample {
    /// Labels of the element.
    pub labels: Labels,
    /// The value at [`QueryValue::Vector`]'s time.
    pub value: Value,
}

/// One series of a matrix; never empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RangeSeries {
    /// Labels of the series.
    pub labels: Labels,
    /// Times in milliseconds and floats, times strictly rising.
    pub floats: Vec<(i64, f64)>,
    /// Times in milliseconds and histograms, times strictly rising; no time occurs in both lists.
    pub histograms: Vec<(i64, Arc<FloatHistogram>)>,
}

/// The value of a query.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryValue {
    /// One number.
    Scalar {
        /// The evaluation time in milliseconds.
        ts_ms: i64,
        /// The number.
        value: f64,
    },
    /// One string.
    String {
        /// The evaluation time in milliseconds.
        ts_ms: i64,
        /// The string.
        value: String,
    },
    /// The elements at one time; ordered only when the query ends in a sort function, `topk` or
    /// `bottomk`.
    Vector {
        /// The evaluation time in milliseconds.
        ts_ms: i64,
        /// The elements.
        samples: Vec<InstantSample>,
    },
    /// Series over time, sorted by labels.
    Matrix(Vec<RangeSeries>),
}

/// A query's value and what is to be said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryOutcome {
    /// The value.
    pub value: QueryValue,
    /// Warnings with line and column, at most 10 and one that counts the others.
    pub warnings: Vec<String>,
    /// Infos with line and column, at most 10 and one that counts the others.
    pub infos: Vec<String>,
    /// What the evaluation cost.
    pub stats: QueryStats,
}
