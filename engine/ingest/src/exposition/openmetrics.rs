//! OpenMetrics text.

use obsq_model::{Labels, METRIC_NAME, MetricType, SampleValue};
use rustc_hash::FxHashMap;

use super::cursor::{Cursor, unescape};
use super::family::{Families, numeric_label};
use super::sample_line::{self, Dialect};
use super::text::family_name;
use super::{MAX_SAMPLES, ParseError, Scraped, ScrapedSample};

/// Reads a body into `scraped`, up to the first error; `# EOF` must be its last line.
pub(super) fn read(
    body: &[u8],
    created_as_start: bool,
    scraped: &mut Scraped,
) -> Result<(), ParseError> {
    let mut state = State::default();
    let mut samples = Vec::new();
    let result = state.lines(Cursor::new(body, 1), &mut samples);
    if created_as_start {
        samples = created_to_start(samples, &state.families);
    }
    scraped.samples = samples;
    scraped.metadata = state.families.into_entries();
    result
}

/// What earlier lines say about the next one.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) families: Families,
    metric_type: MetricType,
    pub(super) ended: bool,
}

impl State {
    fn lines(
        &mut self,
        mut cursor: Cursor<'_>,
        samples: &mut Vec<ScrapedSample>,
    ) -> Result<(), ParseError> {
        while !self.ended {
            if cursor.at_end() {
                return Err(cursor.error("the body does not end with `# EOF`"));
            }
            samples.extend(self.line(&mut cursor)?);
            if samples.len() > MAX_SAMPLES {
                return Err(cursor.error(format!("more than {MAX_SAMPLES} samples")));
            }
        }
        if !cursor.at_end() {
            return Err(cursor.error("unexpected text after `# EOF`"));
        }
        Ok(())
    }

    /// Takes one line; `None` when it holds no sample.
    pub(super) fn line(
        &mut self,
        cursor: &mut Cursor<'_>,
    ) -> Result<Option<ScrapedSample>, ParseError> {
        if cursor.peek() != Some(b'#') {
            return sample_line::take(cursor, Dialect::OpenMetrics, self.metric_type).map(Some);
        }
        if !cursor.take_text("# ") {
            return Err(cursor.expected("`# HELP`, `# TYPE`, `# UNIT` or `# EOF`"));
        }
        match cursor.word() {
            b"EOF" => {
                self.ended = true;
                cursor.end_line()?;
            }
            keyword @ (b"HELP" | b"TYPE" | b"UNIT") => self.metadata(cursor, keyword)?,
            _ => return Err(cursor.error("expected `# HELP`, `# TYPE`, `# UNIT` or `# EOF`")),
        }
        Ok(None)
    }

    fn metadata(&mut self, cursor: &mut Cursor<'_>, keyword: &[u8]) -> Result<(), ParseError> {
        if !cursor.take(b' ') {
            return Err(cursor.expected("a blank and a metric name"));
        }
        let name = family_name(cursor, false)?;
        let has_blank = cursor.take(b' ');
        let text = std::str::from_utf8(cursor.rest_of_line())
            .map_err(|_not_utf8| cursor.error(format!("the metadata of {name:?} is not UTF-8")))?;
        if !has_blank && !text.is_empty() {
            return Err(cursor.error(format!("expected a blank after {name:?}")));
        }
        match keyword {
            b"TYPE" => {
                let known = MetricType::from_name(text).filter(|_| text != "untyped");
                self.metric_type =
                    known.ok_or_else(|| cursor.error(format!("invalid metric type {text:?}")))?;
                self.families.entry(&name).metric_type = self.metric_type;
            }
            b"HELP" => self.families.entry(&name).help = unescape(text, true).into_owned(),
            _ => {
                if !text.is_empty() && !name.ends_with(&format!("_{text}")) {
                    return Err(
                        cursor.error(format!("unit {text:?} is not a suffix of metric {name:?}"))
                    );
                }
                text.clone_into(&mut self.families.entry(&name).unit);
            }
        }
        cursor.end_line()
    }
}

/// Takes the `_created` series out and gives their times to the other series of the same metric.
fn created_to_start(samples: Vec<ScrapedSample>, families: &Families) -> Vec<ScrapedSample> {
    let mut start_by_metric: FxHashMap<Labels, i64> = FxHashMap::default();
    let mut kept = Vec::with_capacity(samples.len());
    for sample in samples {
        match (created_of(&sample, families), &sample.value) {
            (Some(metric), SampleValue::Float(seconds)) => {
                start_by_metric.insert(metric, (seconds * 1000.0) as i64);
            }
            _ => kept.push(sample),
        }
    }
    if start_by_metric.is_empty() {
        return kept;
    }
    for sample in &mut kept {
        let start =
            metric_of(&sample.labels, families).and_then(|metric| start_by_metric.get(&metric));
        sample.start_ts_ms = start.copied().unwrap_or(0);
    }
    kept
}

/// Returns the metric whose creation time the sample is: its labels with the family's name.
fn created_of(sample: &ScrapedSample, families: &Families) -> Option<Labels> {
    let family = sample.labels.metric_name().strip_suffix("_created")?;
    has_created(families.type_of(family)).then(|| with_name(&sample.labels, family, None))
}

/// Returns the metric that a counter, histogram or summary series belongs to.
fn metric_of(labels: &Labels, families: &Families) -> Option<Labels> {
    let name = labels.metric_name();
    let suffixes = ["_total", "_bucket", "_count", "_sum", ""];
    let mut candidates = suffixes
        .into_iter()
        .filter_map(|suffix| name.strip_suffix(suffix));
    let family = candidates.find(|family| has_created(families.type_of(family)))?;
    Some(with_name(
        labels,
        family,
        numeric_label(families.type_of(family)),
    ))
}

fn has_created(metric_type: MetricType) -> bool {
    matches!(
        metric_type,
        MetricType::Counter | MetricType::Histogram | MetricType::Summary
    )
}

fn with_name(labels: &Labels, name: &str, without: Option<&str>) -> Labels {
    let mut builder = labels.to_builder();
    if let Some(without) = without {
        builder.remove(without);
    }
    builder.set(METRIC_NAME, name).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(body: &[u8], created_as_start: bool) -> Result<Scraped, ParseError> {
        let mut scraped = Scraped::default();
        read(body, created_as_start, &mut scraped).map(|()| scraped)
    }

    #[test]
    fn a_counter_gets_its_start_exemplar_and_metadata() {
        let body = "# HELP shop_orders Orders.\n# TYPE shop_orders counter\n# UNIT shop_orders orders\n\
                    shop_orders_total{code=\"200\"} 7 1700.25 # {trace_id=\"ab\"} 0.5 1700.1\n\
                    shop_orders_created{code=\"200\"} 1600.5\n# EOF\n";
        let scraped = parse(body.as_bytes(), true).unwrap();
        let [sample] = &scraped.samples[..] else {
            panic!("one sample expected")
        };
        assert_eq!(
            (sample.ts_ms, sample.start_ts_ms),
            (Some(1_700_250), 1_600_500)
        );
        assert_eq!(sample.exemplars[0].labels.value("trace_id"), "ab");
        assert_eq!(sample.exemplars[0].ts_ms, Some(1_700_100));
        let (name, metadata) = &scraped.metadata[0];
        assert_eq!(
            (name.as_str(), metadata.unit.as_str()),
            ("shop_orders", "orders")
        );
        assert_eq!(parse(body.as_bytes(), false).unwrap().samples.len(), 2);
    }

    #[test]
    fn all_series_of_a_histogram_share_its_start() {
        let body = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 3\n\
                    h_created 5\n# TYPE g gauge\ng 1\n# EOF";
        let scraped = parse(body.as_bytes(), true).unwrap();
        let starts: Vec<_> = scraped
            .samples
            .iter()
            .map(|sample| sample.start_ts_ms)
            .collect();
        assert_eq!(starts, [5000, 5000, 5000, 5000, 0]);
        assert_eq!(scraped.samples[0].labels.value("le"), "1.0");
    }

    #[test]
    fn what_is_not_of_the_format_is_refused_with_its_line() {
        let cases = [
            ("a 1\n", "line 2: the body does not end with `# EOF`"),
            ("a 1\n# EOF\nb 1\n", "line 3: unexpected text after `# EOF`"),
            ("a  1\n# EOF\n", "line 1: expected a float, got \" 1\""),
            (
                "a{b=\"1\", c=\"2\"} 1\n# EOF\n",
                "line 1: expected a label name, got \" c=\\\"2\\\"} 1\"",
            ),
            (
                "# UNIT a seconds\n# EOF\n",
                "line 1: unit \"seconds\" is not a suffix of metric \"a\"",
            ),
            (
                "# TYPE a untyped\n# EOF\n",
                "line 1: invalid metric type \"untyped\"",
            ),
            (
                "# x\n# EOF\n",
                "line 1: expected `# HELP`, `# TYPE`, `# UNIT` or `# EOF`",
            ),
            (
                "\n# EOF\n",
                "line 1: expected a metric name, got the end of the line",
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(
                parse(body.as_bytes(), true).unwrap_err().to_string(),
                expected,
                "{body}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_without_a_panic(body in "(# (TYPE|HELP|UNIT) a (counter|x)\n|a_total \\PC{0,9}\n|\\PC{0,9}\n){0,5}") {
            drop(parse(body.as_bytes(), true));
        }
    }
}
