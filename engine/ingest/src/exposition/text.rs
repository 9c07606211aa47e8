//! The Prometheus text format.

use obsq_model::MetricType;

use super::cursor::{Cursor, unescape};
use super::family::Families;
use super::sample_line::{self, Dialect};
use super::{MAX_SAMPLES, ParseError, Scraped, ScrapedSample};

/// Reads a body into `scraped`, up to the first error.
pub(super) fn read(body: &[u8], scraped: &mut Scraped) -> Result<(), ParseError> {
    let mut state = State::default();
    let result = state.lines(Cursor::new(body, 1), &mut scraped.samples);
    scraped.metadata = state.families.into_entries();
    result
}

/// What earlier lines say about the next one.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) families: Families,
    metric_type: MetricType,
}

impl State {
    fn lines(
        &mut self,
        mut cursor: Cursor<'_>,
        samples: &mut Vec<ScrapedSample>,
    ) -> Result<(), ParseError> {
        while !cursor.at_end() {
            samples.extend(self.line(&mut cursor)?);
            if samples.len() > MAX_SAMPLES {
                return Err(cursor.error(format!("more than {MAX_SAMPLES} samples")));
            }
        }
        Ok(())
    }

    /// Takes one line; `None` when it holds no sample.
    pub(super) fn line(
        &mut self,
        cursor: &mut Cursor<'_>,
    ) -> Result<Option<ScrapedSample>, ParseError> {
        cursor.skip_blanks();
        match cursor.peek() {
            None => Ok(None),
            Some(b'\n') => {
                cursor.take(b'\n');
                Ok(None)
            }
            Some(b'#') => {
                cursor.take(b'#');
                self.comment(cursor)?;
                cursor.end_line()?;
                Ok(None)
            }
            Some(_) => sample_line::take(cursor, Dialect::Text, self.metric_type).map(Some),
        }
    }

    /// Takes what follows `#`: a type, a help text, or anything else, which is skipped.
    fn comment(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ParseError> {
        let has_blank = cursor.skip_blanks();
        let mut ahead = cursor.clone();
        let keyword = ahead.word();
        if !has_blank || !matches!(keyword, b"HELP" | b"TYPE") {
            cursor.rest_of_line();
            return Ok(());
        }
        *cursor = ahead;
        cursor.skip_blanks();
        let name = family_name(cursor, true)?;
        let text = cursor.rest_of_line();
        let text = std::str::from_utf8(text)
            .map_err(|_not_utf8| cursor.error(format!("the help of {name:?} is not UTF-8")))?;
        let text = text.get(1..).unwrap_or("");
        if keyword == b"HELP" {
            self.families.entry(&name).help = unescape(text, false).into_owned();
            return Ok(());
        }
        self.metric_type = match text.trim_matches([' ', '\t']) {
            "counter" => MetricType::Counter,
            "gauge" => MetricType::Gauge,
            "histogram" => MetricType::Histogram,
            "summary" => MetricType::Summary,
            "untyped" => MetricType::Unknown,
            other => return Err(cursor.error(format!("invalid metric type {other:?}"))),
        };
        self.families.entry(&name).metric_type = self.metric_type;
        Ok(())
    }
}

/// Takes the name of a family, plain or quoted.
pub(super) fn family_name(
    cursor: &mut Cursor<'_>,
    line_ends_allowed: bool,
) -> Result<String, ParseError> {
    match cursor.name(true) {
        Some(name) => Ok(name.to_owned()),
        None if cursor.peek() == Some(b'"') => Ok(cursor.quoted(line_ends_allowed)?.into_owned()),
        None => Err(cursor.expected("a metric name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::SampleValue;
    use proptest::prelude::*;

    fn parse(body: &[u8]) -> Result<Scraped, ParseError> {
        let mut scraped = Scraped::default();
        read(body, &mut scraped).map(|()| scraped)
    }

    fn lines(body: &str) -> Vec<String> {
        let scraped = parse(body.as_bytes()).unwrap();
        let show = |sample: ScrapedSample| match sample.value {
            SampleValue::Float(value) => format!("{} {value} {:?}", sample.labels, sample.ts_ms),
            SampleValue::Histogram(_) => panic!("no histograms in text"),
        };
        scraped.samples.into_iter().map(show).collect()
    }

    #[test]
    fn samples_are_read_with_labels_blanks_and_timestamps() {
        let body = "# a comment\n#TYPE ignored\n\nup 1\n  go_gc { a = \"x\" , b=\"\\\\\\\"\\n\", } \t-2.5e1\t 1700\n\
                    {\"my.metric\", \"l.x\"=\"v\"} NaN\nlast{} +Inf";
        assert_eq!(
            lines(body),
            [
                r#"{__name__="up"} 1 None"#,
                r#"{__name__="go_gc", a="x", b="\\\"\n"} -25 Some(1700)"#,
                r#"{__name__="my.metric", "l.x"="v"} NaN None"#,
                r#"{__name__="last"} inf None"#,
            ]
        );
    }

    #[test]
    fn metadata_is_collected_and_bounds_are_canonical() {
        let body = "# HELP lat Latency\\nof \\\\ it.\n# TYPE lat histogram\nlat_bucket{le=\"1\"} 2\n\
                    # TYPE \"my.sum\" summary\n{\"my.sum\",quantile=\"0\"} 3\n# TYPE c counter\nc{le=\"1\"} 1\n";
        let scraped = parse(body.as_bytes()).unwrap();
        assert_eq!(scraped.metadata[0].0, "lat");
        assert_eq!(scraped.metadata[0].1.help, "Latency\nof \\ it.");
        assert_eq!(scraped.metadata[1].1.metric_type, MetricType::Summary);
        assert_eq!(scraped.samples[0].labels.value("le"), "1.0");
        assert_eq!(scraped.samples[1].labels.value("quantile"), "0.0");
        assert_eq!(scraped.samples[2].labels.value("le"), "1");
    }

    #[test]
    fn what_is_not_of_the_format_is_refused_with_its_line() {
        let cases = [
            ("up", "line 1: expected a float, got the end of the line"),
            ("a 1\nb x", "line 2: expected a float, got \"x\""),
            ("a 1 2.5", "line 1: expected a timestamp, got \"2.5\""),
            ("a 1 2 3", "line 1: expected the end of the line, got \"3\""),
            (
                "a{b=\"1\" c=\"2\"} 1",
                "line 1: expected `,` or `}`, got \"c=\\\"2\\\"} 1\"",
            ),
            (
                "a{b=\"1\",b=\"2\"} 1",
                "line 1: label name \"b\" is not unique",
            ),
            ("a{b} 1", "line 1: expected `=`, got \"} 1\""),
            ("{b=\"1\"} 1", "line 1: metric name not set"),
            ("a{\"b\"} 1", "line 1: metric name already set"),
            ("a{b=\"1} 1", "line 1: the quote is not closed"),
            (
                "# TYPE a nonsense\n",
                "line 1: invalid metric type \"nonsense\"",
            ),
            ("9a 1", "line 1: expected a metric name, got \"9a 1\""),
        ];
        for (body, expected) in cases {
            assert_eq!(
                parse(body.as_bytes()).unwrap_err().to_string(),
                expected,
                "{body}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(parse(&body));
        }

        #[test]
        fn any_printed_sample_is_read_back(
            name in "[a-z_:][a-z0-9_:]{0,8}", value in "\\PC{0,12}", number in any::<f64>(), ts in any::<i64>(),
        ) {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let body = format!("{name}{{l=\"{escaped}\"}} {number} {ts}\n");
            let scraped = parse(body.as_bytes()).unwrap();
            prop_assert_eq!(scraped.samples[0].labels.value("l"), value);
            prop_assert_eq!(scraped.samples[0].ts_ms, Some(ts));
            if let SampleValue::Float(read) = scraped.samples[0].value {
                prop_assert!(read == number || (read.is_nan() && number.is_nan()));
            }
        }
    }
}
