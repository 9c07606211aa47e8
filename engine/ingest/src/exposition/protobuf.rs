//! Delimited `io.prometheus.client.MetricFamily` messages.
//!
//! ```text
//! body = (length uvarint, MetricFamily)*
//! ```
//!
//! The only format of the three that carries native histograms.

mod histogram;
mod message;

use obsq_model::{Labels, METRIC_NAME, MetricType, SampleValue};

use self::message::{MetricMessage, Simple};
use super::family::Families;
use super::label_set::label_set;
use super::number::{canonical_float, normal_nan};
use super::{MAX_SAMPLES, ParseError, ParseOptions, Scraped, ScrapedSample};
use crate::wire::{Reader, WireError};

/// Reads a body into `scraped`, up to the first error: each message is preceded by its length. Messages
/// are walked field by field, so that a body takes no more memory than what is kept of it.
pub(super) fn read(
    body: &[u8],
    options: ParseOptions,
    scraped: &mut Scraped,
) -> Result<(), ParseError> {
    let mut families = Families::default();
    let result = read_families(body, options, &mut families, &mut scraped.samples);
    scraped.metadata = families.into_entries();
    result
}

fn read_families(
    body: &[u8],
    options: ParseOptions,
    families: &mut Families,
    samples: &mut Vec<ScrapedSample>,
) -> Result<(), ParseError> {
    let mut rest = Reader::new(body);
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let at = |message: String| ParseError {
            line: number,
            message,
        };
        let family = rest
            .bytes()
            .and_then(RawFamily::read)
            .map_err(|cause| at(format!("not a metric family: {cause}")))?;
        family
            .take(options, families, samples)
            .map_err(|(name, fault)| at(format!("metric family {name:?}: {fault}")))?;
    }
    Ok(())
}

/// What is wrong in a family: its bytes or what they say.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Wire(WireError),
    #[error("{0}")]
    Rule(String),
}

impl From<WireError> for Fault {
    fn from(source: WireError) -> Self {
        Self::Wire(source)
    }
}

/// A family whose metrics are not yet read.
#[derive(Debug, Default)]
struct RawFamily<'a> {
    name: &'a [u8],
    help: &'a [u8],
    unit: &'a [u8],
    kind: u64,
    metrics: Vec<&'a [u8]>,
}

/// What a family's type means for its metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Simple(Simple),
    Summary,
    Histogram { is_gauge: bool },
}

impl<'a> RawFamily<'a> {
    fn read(message: &'a [u8]) -> Result<Self, WireError> {
        let mut family = Self::default();
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => family.name = value.bytes(field)?,
                2 => family.help = value.bytes(field)?,
                3 => family.kind = value.varint(field)?,
                4 => family.metrics.push(value.bytes(field)?),
                5 => family.unit = value.bytes(field)?,
                _ => {}
            }
        }
        Ok(family)
    }

    fn take(
        self,
        options: ParseOptions,
        families: &mut Families,
        samples: &mut Vec<ScrapedSample>,
    ) -> Result<(), (&'a str, Fault)> {
        let rule = |problem: &str| Fault::Rule(problem.to_owned());
        let name = std::str::from_utf8(self.name)
            .map_err(|_invalid| ("", rule("name is not valid UTF-8")))?;
        if name.is_empty() {
            return Err((name, rule("name is empty")));
        }
        let texts = [self.help, self.unit].map(std::str::from_utf8);
        let [Ok(help), Ok(unit)] = texts else {
            return Err((name, rule("help or unit is not valid UTF-8")));
        };
        let (kind, metric_type) = kind(self.kind).ok_or_else(|| {
            (
                name,
                Fault::Rule(format!("unknown metric type {}", self.kind)),
            )
        })?;
        let metadata = families.entry(name);
        metadata.metric_type = metric_type;
        help.clone_into(&mut metadata.help);
        unit.clone_into(&mut metadata.unit);
        let mut emitter = Emitter {
            family: name,
            options,
            out: samples,
        };
        for metric in self.metrics {
            emitter.add(metric, kind).map_err(|fault| (name, fault))?;
        }
        Ok(())
    }
}

fn kind(number: u64) -> Option<(Kind, MetricType)> {
    Some(match number {
        0 => (Kind::Simple(Simple::Counter), MetricType::Counter),
        1 => (Kind::Simple(Simple::Gauge), MetricType::Gauge),
        2 => (Kind::Summary, MetricType::Summary),
        3 => (Kind::Simple(Simple::Untyped), MetricType::Unknown),
        4 => (Kind::Histogram { is_gauge: false }, MetricType::Histogram),
        5 => (
            Kind::Histogram { is_gauge: true },
            MetricType::GaugeHistogram,
        ),
        _ => return None,
    })
}

/// Turns the metrics of one family into samples.
#[derive(Debug)]
struct Emitter<'a> {
    family: &'a str,
    options: ParseOptions,
    out: &'a mut Vec<ScrapedSample>,
}

/// What all samples of one metric share.
#[derive(Debug)]
struct Shared<'a> {
    pairs: Vec<(&'a str, &'a str)>,
    ts_ms: Option<i64>,
    start_ts_ms: i64,
}

impl Emitter<'_> {
    fn add(&mut self, metric: &[u8], kind: Kind) -> Result<(), Fault> {
        if self.out.len() > MAX_SAMPLES {
            return Err(Fault::Rule(format!("more than {MAX_SAMPLES} samples")));
        }
        let metric = MetricMessage::read(metric)?;
        let mut shared = Shared {
            pairs: metric.labels()?,
            ts_ms: Some(metric.ts_ms).filter(|ts_ms| *ts_ms != 0),
            start_ts_ms: 0,
        };
        match kind {
            Kind::Simple(simple) => {
                let value = metric.simple(simple)?;
                shared.start_ts_ms = value.start_ts_ms;
                let labels = self.labels(&shared, "", None)?;
                self.push(&shared, labels, value.value);
                if let Some(exemplar) = value.exemplar
                    && let Some(sample) = self.out.last_mut()
                {
                    sample.exemplars.push(exemplar);
                }
                Ok(())
            }
            Kind::Summary => self.add_summary(&metric, shared),
            Kind::Histogram { is_gauge } => self.add_histogram(&metric, shared, is_gauge),
        }
    }

    fn add_summary(
        &mut self,
        metric: &MetricMessage<'_>,
        mut shared: Shared<'_>,
    ) -> Result<(), Fault> {
        let summary = metric.summary()?;
        shared.start_ts_ms = summary.start_ts_ms;
        for (suffix, value) in [("_count", summary.count as f64), ("_sum", summary.sum)] {
            let labels = self.labels(&shared, suffix, None)?;
            self.push(&shared, labels, value);
        }
        for (quantile, value) in summary.quantiles {
            let text = canonical_float(quantile);
            let labels = self.labels(&shared, "", Some(("quantile", &text)))?;
            self.push(&shared, labels, value);
        }
        Ok(())
    }

    fn labels(
        &self,
        shared: &Shared<'_>,
        suffix: &str,
        extra: Option<(&str, &str)>,
    ) -> Result<Labels, Fault> {
        let name = format!("{}{suffix}", self.family);
        let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(shared.pairs.len() + 2);
        pairs.push((METRIC_NAME, &name));
        pairs.extend_from_slice(&shared.pairs);
        pairs.extend(extra);
        label_set(pairs).map_err(Fault::Rule)
    }

    fn push(&mut self, shared: &Shared<'_>, labels: Labels, value: f64) {
        self.out.push(ScrapedSample {
            labels,
            ts_ms: shared.ts_ms,
            start_ts_ms: shared.start_ts_ms,
            value: SampleValue::Float(if value.is_nan() { normal_nan() } else { value }),
            exemplars: Vec::new(),
        });
    }
}

#[cfg(test)]
mod encoded;
#[cfg(test)]
mod tests;
