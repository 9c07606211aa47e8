//! Why a query has no answer.

use obsq_model::{ErrorKind, Labels};
use obsq_query_lang::{Diagnostic, Severity};
use obsq_source::MatcherError;

use super::kernels::KernelError;

/// Why a query could not be evaluated. The texts are those of Prometheus.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The text is not a valid query; the message is that of the first diagnostic, with position.
    #[error("{message}")]
    Parse {
        /// `1:5: parse error: ...`
        message: String,
        /// Everything that is wrong.
        diagnostics: Vec<Diagnostic>,
    },
    /// The query is well formed, but its type cannot be asked for over a range.
    #[error(
        "invalid expression type \"{documented_type}\" for range query, must be Scalar or instant \
         Vector"
    )]
    NotForRange {
        /// `range vector` or `string`.
        documented_type: &'static str,
    },
    /// A regular expression in a matcher is not valid.
    #[error("{0}")]
    Matcher(#[source] MatcherError),
    /// `anchored` or `smoothed` with a function that does not know it.
    #[error("{modifier} modifier can only be used with: {allowed} - not with {function}")]
    EdgesNotSupported {
        /// The modifier.
        modifier: &'static str,
        /// Functions that know it.
        allowed: String,
        /// The function.
        function: &'static str,
    },
    /// Several series of the side that must be unique match the same series of the other side.
    #[error(
        "found duplicate series for the match group {group} on the {side} hand-side of the \
         operation: [{first}, {second}];many-to-many matching not allowed: matching labels must \
         be unique on one side"
    )]
    ManyToMany {
        /// Labels of the group.
        group: Labels,
        /// `left` or `right`.
        side: &'static str,
        /// One of the series.
        first: String,
        /// Another one.
        second: String,
    },
    /// Several series of the left side match one of the right side.
    #[error(
        "multiple matches for labels: many-to-one matching must be explicit \
         (group_left/group_right)"
    )]
    ManyToOne,
    /// Several results of `group_left` or `group_right` have the same labels.
    #[error("multiple matches for labels: grouping labels must ensure unique matches")]
    GroupingNotUnique,
    /// A parameter has a value that its aggregation or function does not take.
    #[error("{0}")]
    Parameter(ParameterError),
    /// `info` cannot tell which labels to take.
    #[error("{0}")]
    Info(InfoError),
    /// `anchored` or `smoothed` on plain histogram samples.
    #[error("{modifier} modifier is not supported with histograms")]
    EdgesOfHistograms {
        /// The modifier.
        modifier: &'static str,
    },
    /// A broken invariant of the engine.
    #[error("internal error: {0}")]
    Internal(&'static str),
    /// The query holds more samples at once than allowed.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples {
        /// The limit.
        limit: usize,
    },
    /// The time allowed has passed.
    #[error("query timed out in query execution")]
    Timeout,
    /// The caller cancelled the query.
    #[error("query was canceled in query execution")]
    Canceled,
    /// Two elements of a result have the same labels.
    #[error("vector cannot contain metrics with the same labelset")]
    SameLabelSet,
    /// The source failed.
    #[error("expanding series: {0}")]
    Source(#[source] obsq_source::Error),
    /// The CPU pool could not be started.
    #[error("cannot start the threads of the query engine")]
    Threads(#[source] rayon::ThreadPoolBuildError),
}

/// Why a parameter was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// The k of `topk` and others is NaN.
    #[error("Parameter value is NaN")]
    NotANumber,
    /// The k of `topk` and others is too small.
    #[error("Scalar value {0} underflows int64")]
    Underflow(String),
    /// The k of `topk` and others is too large.
    #[error("Scalar value {0} overflows int64")]
    Overflow(String),
    /// The ratio of `limit_ratio` is NaN.
    #[error("Ratio value is NaN")]
    RatioNotANumber,
    /// A factor of `double_exponential_smoothing` is not between 0 and 1.
    #[error("invalid {which} factor. Expected: 0 < {short} < 1, got: {value:.6}")]
    SmoothingFactor {
        /// `smoothing` or `trend`.
        which: &'static str,
        /// `sf` or `tf`.
        short: &'static str,
        /// The factor.
        value: f64,
    },
    /// The label of `count_values` is not a label name.
    #[error("invalid label name {0}")]
    CountLabel(String),
    /// The regular expression of `label_replace` is not valid.
    #[error("invalid regular expression in label_replace(): {0}")]
    LabelReplaceRegex(String),
    /// A label to write is not a label name.
    #[error("invalid destination label name in {function}(): {name}")]
    Destination {
        /// The function.
        function: &'static str,
        /// The name.
        name: String,
    },
    /// A label to read is not a label name.
    #[error("invalid source label name in label_join(): {0}")]
    JoinSource(String),
}

impl From<KernelError> for ParameterError {
    fn from(error: KernelError) -> Self {
        let (which, short, value) = match error {
            KernelError::SmoothingFactor(value) => ("smoothing", "sf", value),
            KernelError::TrendFactor(value) => ("trend", "tf", value),
        };
        Self::SmoothingFactor {
            which,
            short,
            value,
        }
    }
}

impl From<ParameterError> for QueryError {
    fn from(error: ParameterError) -> Self {
        Self::Parameter(error)
    }
}

/// Why `info` cannot enrich a series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InfoError {
    /// Two info series of the same age match the same series.
    #[error(
        "found duplicate series for info metric: existing {existing} @ {existing_ms}, new {new} @ \
         {new_ms}"
    )]
    Duplicate {
        /// The one found first.
        existing: Labels,
        /// Time of its sample.
        existing_ms: i64,
        /// The other one.
        new: Labels,
        /// Time of its sample.
        new_ms: i64,
    },
    /// Two info metrics give a label different values.
    #[error("conflicting label: {0}")]
    Conflict(String),
    /// An info metric is a histogram.
    #[error("this should be an info metric, with float samples: {0}")]
    Histogram(Labels),
}

impl QueryError {
    /// Returns the error of a query `text` that has errors; the first one is shown.
    pub(crate) fn parse(text: &str, diagnostics: Vec<Diagnostic>) -> Self {
        let errors = diagnostics.iter();
        let first = errors.min_by_key(|diagnostic| diagnostic.severity != Severity::Error);
        Self::Parse {
            message: first.map_or_else(String::new, |diagnostic| diagnostic.compat(text)),
            diagnostics,
        }
    }

    pub(crate) fn internal(what: &'static str) -> Self {
        Self::Internal(what)
    }

    /// Returns the kind that callers decide on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Parse { .. } | Self::NotForRange { .. } => ErrorKind::BadQuery,
            Self::Matcher(_) => ErrorKind::BadQuery,
            Self::EdgesNotSupported { .. }
            | Self::EdgesOfHistograms { .. }
            | Self::ManyToMany { .. }
            | Self::ManyToOne
            | Self::GroupingNotUnique
            | Self::Parameter(_)
            | Self::Info(_)
            | Self::TooManySamples { .. }
            | Self::SameLabelSet => ErrorKind::Execution,
            Self::Internal(_) => ErrorKind::Internal,
            Self::Timeout => ErrorKind::Timeout,
            Self::Canceled => ErrorKind::Canceled,
            Self::Source(error) => error.kind(),
            Self::Threads(_) => ErrorKind::Internal,
        }
    }
}

impl From<obsq_source::Error> for QueryError {
    fn from(error: obsq_source::Error) -> Self {
        match error {
            obsq_source::Error::Canceled => Self::Canceled,
            obsq_source::Error::Timeout => Self::Timeout,
            other => Self::Source(other),
        }
    }
}
