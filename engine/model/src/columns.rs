//! Samples of one series as columns.

use std::sync::Arc;

use crate::histogram::FloatHistogram;

/// One series' samples in time order, floats and histograms in columns of their own.
///
/// No timestamp occurs twice, neither within a column nor across the two. Staleness markers are
/// included: a float marker as its NaN, a stale histogram by its sum. The start columns are empty
/// when no sample of the column has a start timestamp, else as long as the column with 0 for
/// unknown.
#[derive(Debug, Clone, Default)]
pub struct SampleColumns {
    /// Times of the float samples in ms, strictly rising.
    pub float_ts: Vec<i64>,
    /// Float values, `len == float_ts.len()`.
    pub floats: Vec<f64>,
    /// Start timestamps of the floats: empty, or `len == float_ts.len()`.
    pub float_start_ts: Vec<i64>,
    /// Times of the histogram samples in ms, strictly rising.
    pub histogram_ts: Vec<i64>,
    /// Histograms, `len == histogram_ts.len()`.
    pub histograms: Vec<Arc<FloatHistogram>>,
    /// Start timestamps of the histograms: empty, or `len == histogram_ts.len()`.
    pub histogram_start_ts: Vec<i64>,
}

impl SampleColumns {
    /// Empties all columns and keeps their memory.
    pub fn clear(&mut self) {
        self.float_ts.clear();
        self.floats.clear();
        self.float_start_ts.clear();
        self.histogram_ts.clear();
        self.histograms.clear();
        self.histogram_start_ts.clear();
    }

    /// Returns the number of samples of both kinds.
    pub fn len(&self) -> usize {
        self.float_ts.len() + self.histogram_ts.len()
    }

    /// Says whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
