//! One line with a sample: `name{label="value"} value timestamp # {exemplar} value timestamp`.

use obsq_model::{LabelsBuilder, METRIC_NAME, MetricType, Sample};

use super::cursor::Cursor;
use super::family::numeric_label;
use super::number::{canonical_float, parse_float};
use super::{ParseError, ScrapedExemplar, ScrapedSample};

/// Most UTF-8 characters that an OpenMetrics exemplar's labels may have together.
const EXEMPLAR_CHARACTERS: usize = 128;

/// What differs between the two text formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Any blanks and tabs, timestamps in milliseconds, no exemplars.
    Text,
    /// Single blanks, timestamps in seconds, exemplars.
    OpenMetrics,
}

/// Takes one sample and its line end. `metric_type` is that of the family at hand, for bounds and
/// quantiles in their canonical form.
pub(super) fn take(
    cursor: &mut Cursor<'_>,
    dialect: Dialect,
    metric_type: MetricType,
) -> Result<ScrapedSample, ParseError> {
    let mut labels = LabelsBuilder::default();
    if let Some(name) = cursor.name(true) {
        labels.set(METRIC_NAME, name);
    } else if cursor.peek() != Some(b'{') {
        return Err(cursor.expected("a metric name"));
    }
    if dialect == Dialect::Text {
        cursor.skip_blanks();
    }
    if cursor.take(b'{') {
        take_labels(cursor, dialect, &mut labels)?;
    }
    if labels.get(METRIC_NAME).is_empty() {
        return Err(cursor.error("metric name not set"));
    }
    canonicalise(&mut labels, metric_type);
    separator(cursor, dialect, "a value")?;
    let value = take_value(cursor)?;
    let ts_ms = take_timestamp(cursor, dialect)?;
    let exemplars = take_exemplars(cursor, dialect)?;
    cursor.end_line()?;
    let sample = Sample::float(0, value);
    Ok(ScrapedSample {
        labels: labels.build(),
        ts_ms,
        start_ts_ms: 0,
        value: sample.value,
        exemplars,
    })
}

fn take_exemplars(
    cursor: &mut Cursor<'_>,
    dialect: Dialect,
) -> Result<Vec<ScrapedExemplar>, ParseError> {
    if dialect == Dialect::Text {
        cursor.skip_blanks();
        return Ok(Vec::new());
    }
    if !cursor.take_text(" # {") {
        return Ok(Vec::new());
    }
    let mut labels = LabelsBuilder::default();
    take_labels(cursor, dialect, &mut labels)?;
    if !labels.get(METRIC_NAME).is_empty() {
        return Err(cursor.error("an exemplar has no metric name"));
    }
    let characters = labels
        .pairs()
        .map(|(name, value)| name.chars().count() + value.chars().count());
    if characters.sum::<usize>() > EXEMPLAR_CHARACTERS {
        let limit = EXEMPLAR_CHARACTERS;
        return Err(cursor.error(format!(
            "the exemplar's labels have more than {limit} characters"
        )));
    }
    separator(cursor, dialect, "the exemplar's value")?;
    let value = take_value(cursor)?;
    let ts_ms = take_timestamp(cursor, dialect)?;
    Ok(vec![ScrapedExemplar {
        labels: labels.build(),
        value,
        ts_ms,
    }])
}

/// Takes labels up to and with the closing brace.
fn take_labels(
    cursor: &mut Cursor<'_>,
    dialect: Dialect,
    labels: &mut LabelsBuilder,
) -> Result<(), ParseError> {
    let blanks = |cursor: &mut Cursor<'_>| dialect == Dialect::Text && cursor.skip_blanks();
    let line_ends_allowed = dialect == Dialect::Text;
    loop {
        blanks(cursor);
        if cursor.take(b'}') {
            return Ok(());
        }
        let is_quoted = cursor.peek() == Some(b'"');
        let name = match cursor.name(false) {
            Some(name) => name.to_owned(),
            None if is_quoted => cursor.quoted(line_ends_allowed)?,
            None => return Err(cursor.expected("a label name")),
        };
        blanks(cursor);
        if cursor.take(b'=') {
            blanks(cursor);
            let value = cursor.quoted(line_ends_allowed)?;
            if labels.pairs().any(|(known, _)| known == name) {
                return Err(cursor.error(format!("label name {name:?} is not unique")));
            }
            labels.set(&name, &value);
        } else if !is_quoted {
            return Err(cursor.expected("`=`"));
        } else if labels.get(METRIC_NAME).is_empty() {
            labels.set(METRIC_NAME, &name);
        } else {
            return Err(cursor.error("metric name already set"));
        }
        blanks(cursor);
        if !cursor.take(b',') && cursor.peek() != Some(b'}') {
            return Err(cursor.expected("`,` or `}`"));
        }
    }
}

/// Brings the bound of a bucket or a quantile to the form that OpenMetrics prescribes, so that the
/// series is the same whatever the format of the scrape.
fn canonicalise(labels: &mut LabelsBuilder, metric_type: MetricType) {
    let Some(name) = numeric_label(metric_type) else {
        return;
    };
    if let Some(number) = parse_float(labels.get(name)) {
        labels.set(name, &canonical_float(number));
    }
}

fn separator(cursor: &mut Cursor<'_>, dialect: Dialect, what: &str) -> Result<(), ParseError> {
    match dialect {
        Dialect::Text => {
            cursor.skip_blanks();
            Ok(())
        }
        Dialect::OpenMetrics if cursor.take(b' ') => Ok(()),
        Dialect::OpenMetrics => Err(cursor.expected(&format!("a blank and {what}"))),
    }
}

fn take_value(cursor: &mut Cursor<'_>) -> Result<f64, ParseError> {
    let start = cursor.clone();
    let word = std::str::from_utf8(cursor.word()).unwrap_or("");
    parse_float(word).ok_or_else(|| start.expected("a float"))
}

fn take_timestamp(cursor: &mut Cursor<'_>, dialect: Dialect) -> Result<Option<i64>, ParseError> {
    let present = match dialect {
        Dialect::Text => cursor.skip_blanks() && !cursor.at_line_end(),
        Dialect::OpenMetrics => {
            let mut ahead = cursor.clone();
            ahead.take(b' ') && ahead.peek() != Some(b'#') && cursor.take(b' ')
        }
    };
    if !present {
        return Ok(None);
    }
    let start = cursor.clone();
    let word = std::str::from_utf8(cursor.word()).unwrap_or("");
    let milliseconds = match dialect {
        Dialect::Text => word.parse().ok(),
        Dialect::OpenMetrics => {
            let seconds = parse_float(word).filter(|seconds| seconds.is_finite());
            seconds.map(|seconds| (seconds * 1000.0) as i64)
        }
    };
    milliseconds
        .map(Some)
        .ok_or_else(|| start.expected("a timestamp"))
}
