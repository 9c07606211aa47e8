//! Reading: selections, columns, labels, exemplars, metadata.

use std::fmt::Debug;

use obsq_model::{
    Exemplar, Labels, Matcher, MetricMetadata, Sample, SampleColumns, Tenant, TimeRange,
};

use crate::{Error, QueryContext};

/// Which series and which time range a selector needs.
#[derive(Debug, Clone)]
pub struct SelectRequest {
    /// Times needed, both ends inclusive; a source may hand out more only where
    /// [`SeriesSet::read`] cuts it again.
    pub range: TimeRange,
    /// All must hold. At least one does not match the empty value, unless the caller means
    /// every series.
    pub matchers: Vec<Matcher>,
}

/// A chunk as it is stored, for passing on without decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawChunk {
    /// Prometheus chunk encoding: 1 XOR, 2 histogram, 3 float histogram.
    pub encoding: u8,
    /// Time of the first sample.
    pub min_ts_ms: i64,
    /// Time of the last sample.
    pub max_ts_ms: i64,
    /// The chunk's data, without length, encoding byte and CRC.
    pub bytes: Vec<u8>,
}

/// The series that a request selected, sorted by label set, each label set once.
///
/// The set is a snapshot: what is appended later is not seen. Different series may be read from
/// different threads at the same time.
pub trait SeriesSet: Debug + Send + Sync {
    /// Returns the number of series.
    fn len(&self) -> usize;

    /// Says whether no series was selected.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the labels of series `index`.
    fn labels(&self, index: usize) -> &Labels;

    /// Replaces `columns` by the samples of series `index` whose time lies in `range`, which must
    /// lie within the request's range. Cost: O(samples of the chunks touched).
    fn read(
        &self,
        index: usize,
        range: TimeRange,
        columns: &mut SampleColumns,
    ) -> Result<(), Error>;

    /// Appends to `samples` those of series `index` in `range`, in time order, with integer
    /// histograms as they were stored.
    fn read_exact(
        &self,
        index: usize,
        range: TimeRange,
        samples: &mut Vec<Sample>,
    ) -> Result<(), Error>;

    /// Returns chunks that together hold exactly the samples of series `index` in the request's
    /// range, in time order, not overlapping, encodings 1 to 3 only. Samples at the edges may lie
    /// outside the range.
    fn chunks(&self, index: usize) -> Result<Vec<RawChunk>, Error>;

    /// Returns what went wrong without making the rest unusable, for the answer's warnings. Reading
    /// may add to it: what turns out to be damaged is left out. Ask when all is read.
    fn warnings(&self) -> Vec<String>;

    /// Fails when there are more warnings than `before`: for answers that cannot carry any.
    fn check_whole(&self, before: usize) -> Result<(), Error> {
        match self.warnings().into_iter().nth(before) {
            None => Ok(()),
            Some(what) => Err(Error::Corrupt { what, source: None }),
        }
    }
}

/// What `labels`, `label values` and `series` requests ask for.
#[derive(Debug, Clone)]
pub struct LabelRequest {
    /// Times of interest, both ends inclusive.
    pub range: TimeRange,
    /// Selectors whose results are united; empty means every series.
    pub selectors: Vec<Vec<Matcher>>,
    /// Most entries to return; 0 means all.
    pub limit: usize,
}

/// A series and its exemplars.
#[derive(Debug, Clone, PartialEq)]
pub struct ExemplarSeries {
    /// Labels of the series.
    pub labels: Labels,
    /// Exemplars in time order.
    pub exemplars: Vec<Exemplar>,
}

/// Metadata of one metric family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricMetadataEntry {
    /// Name of the family, as stored in `__name__`.
    pub metric: String,
    /// What is known of it; differing metadata of one family are entries of their own.
    pub metadata: MetricMetadata,
}

/// Anything that answers metric selections.
pub trait MetricSource: Debug + Send + Sync {
    /// Selects series. Sorted by labels; empty when nothing matches or the tenant is unknown.
    fn select(
        &self,
        tenant: &Tenant,
        request: &SelectRequest,
        context: &QueryContext,
    ) -> Result<Box<dyn SeriesSet>, Error>;

    /// Returns the names of all labels in the range, sorted.
    fn label_names(
        &self,
        tenant: &Tenant,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<String>, Error>;

    /// Returns the values of label `name` in the range, sorted.
    fn label_values(
        &self,
        tenant: &Tenant,
        name: &str,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<String>, Error>;

    /// Returns the label sets with a sample in the range, sorted.
    fn series(
        &self,
        tenant: &Tenant,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<Labels>, Error>;

    /// Returns exemplars of the series that any of the selectors matches, sorted by labels.
    fn exemplars(
        &self,
        tenant: &Tenant,
        request: &LabelRequest,
        context: &QueryContext,
    ) -> Result<Vec<ExemplarSeries>, Error>;

    /// Returns metadata of `metric`, or of all metrics when `None`, sorted by name.
    fn metadata(
        &self,
        tenant: &Tenant,
        metric: Option<&str>,
    ) -> Result<Vec<MetricMetadataEntry>, Error>;
}
