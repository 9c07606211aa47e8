//! Exposition formats: what targets answer to a scrape, and what `obsq import` reads.
//!
//! Three formats are understood: the Prometheus text format 0.0.4 (with the quoted UTF-8 names of 1.0.0),
//! OpenMetrics text 1.0 and the delimited protobuf `io.prometheus.client.MetricFamily`. A body is taken
//! whole or not at all: the first error refuses it, with the line where it stands.
//!
//! Source of the formats: Prometheus `exposition_formats.md`, OpenMetrics 1.0; where the two leave room,
//! what Prometheus 3 accepts is accepted.

mod cursor;
mod family;
mod label_set;
mod lines;
mod nhcb;
mod number;
mod openmetrics;
mod protobuf;
mod protocol;
mod sample_line;
mod text;

use obsq_model::{Labels, MetricMetadata, SampleValue};

pub use lines::{Lines, LinesError};
pub use protocol::{Format, ScrapeProtocol, accept_header, format_of};

/// Most samples of one body; more would take too much memory, whatever limit the body has.
const MAX_SAMPLES: usize = 4_000_000;

/// How a body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of a scrape configuration"
)]
pub struct ParseOptions {
    /// The format of the body.
    pub format: Format,
    /// Turns the `_created` series of OpenMetrics into start timestamps of their siblings instead of
    /// keeping them as series.
    pub created_as_start_timestamps: bool,
    /// Keeps the classic series of a histogram that also has a native form.
    pub keep_classic_histograms: bool,
    /// Turns classic histograms into native ones with custom buckets.
    pub convert_classic_histograms: bool,
    /// Leaves native histograms out, as if the target had none.
    pub ignore_native_histograms: bool,
}

impl ParseOptions {
    /// Returns the options of Prometheus' defaults for `format`.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            created_as_start_timestamps: true,
            keep_classic_histograms: false,
            convert_classic_histograms: false,
            ignore_native_histograms: false,
        }
    }
}

/// Everything one body says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scraped {
    /// Samples in the order of the body.
    pub samples: Vec<ScrapedSample>,
    /// Metadata by metric family, in the order of first mention.
    pub metadata: Vec<(String, MetricMetadata)>,
}

/// One sample of a body.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrapedSample {
    /// Labels with the metric's name.
    pub labels: Labels,
    /// Time in milliseconds, where the body says one.
    pub ts_ms: Option<i64>,
    /// Start timestamp in milliseconds; 0 when unknown.
    pub start_ts_ms: i64,
    /// The value.
    pub value: SampleValue,
    /// Exemplars of the sample.
    pub exemplars: Vec<ScrapedExemplar>,
}

/// One exemplar of a body.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrapedExemplar {
    /// The exemplar's own labels.
    pub labels: Labels,
    /// The observed value.
    pub value: f64,
    /// Time in milliseconds, where the body says one.
    pub ts_ms: Option<i64>,
}

/// Why a body was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ParseError {
    /// Line of the text, from 1; the number of the metric family, from 1, for protobuf.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

/// Reads a whole body.
///
/// # Errors
/// The first thing that is not of the format; nothing of the body should be used then.
pub fn parse(body: &[u8], options: ParseOptions) -> Result<Scraped, ParseError> {
    let (scraped, result) = parse_until_error(body, options);
    result.map(|()| scraped)
}

/// Reads a body up to the first thing that is not of the format. What stands before an error is there
/// to be counted, not to be stored.
pub fn parse_until_error(body: &[u8], options: ParseOptions) -> (Scraped, Result<(), ParseError>) {
    let mut scraped = Scraped::default();
    let result = match options.format {
        Format::Text => text::read(body, &mut scraped),
        Format::OpenMetrics => {
            openmetrics::read(body, options.created_as_start_timestamps, &mut scraped)
        }
        Format::Protobuf => protobuf::read(body, options, &mut scraped),
    };
    if options.convert_classic_histograms {
        scraped.samples = nhcb::convert(
            scraped.samples,
            &scraped.metadata,
            options.keep_classic_histograms,
        );
    }
    (scraped, result)
}

#[cfg(test)]
mod tests;
