//! One line with a sample: `name{label="value"} value timestamp # {exemplar} value timestamp`.

use std::borrow::Cow;

use obsq_model::{Labels, METRIC_NAME, MetricType, Sample};

use super::cursor::Cursor;
use super::family::numeric_label;
use super::label_set::label_set;
use super::number::{canonical_float, parse_float};
use super::{ParseError, ScrapedExemplar, ScrapedSample};

/// Names and values as they are read.
type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

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
    let mut pairs: Pairs<'_> = Vec::new();
    let mut metric = cursor.name(true).map(Cow::Borrowed);
    if metric.is_none() && cursor.peek() != Some(b'{') {
        return Err(cursor.expected("a metric name"));
    }
    if dialect == Dialect::Text {
        cursor.skip_blanks();
    }
    if cursor.take(b'{') {
        take_labels(cursor, dialect, &mut metric, &mut pairs)?;
    }
    let Some(metric) = metric.filter(|name| !name.is_empty()) else {
        return Err(cursor.error("metric name not set"));
    };
    canonicalise(&mut pairs, metric_type);
    pairs.push((Cow::Borrowed(METRIC_NAME), metric));
    let labels = built(&pairs).map_err(|message| cursor.error(message))?;
    separator(cursor, dialect, "a value")?;
    let value = take_value(cursor)?;
    let ts_ms = take_timestamp(cursor, dialect)?;
    let exemplars = take_exemplars(cursor, dialect)?;
    cursor.end_line()?;
    let sample = Sample::float(0, value);
    Ok(ScrapedSample {
        labels,
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
    let (mut pairs, mut metric) = (Vec::new(), None);
    take_labels(cursor, dialect, &mut metric, &mut pairs)?;
    if metric.is_some() {
        return Err(cursor.error("an exemplar has no metric name"));
    }
    separator(cursor, dialect, "the exemplar's value")?;
    let value = take_value(cursor)?;
    let ts_ms = take_timestamp(cursor, dialect)?;
    Ok(vec![ScrapedExemplar {
        labels: built(&pairs).map_err(|message| cursor.error(message))?,
        value,
        ts_ms,
    }])
}

/// Takes labels up to and with the closing brace.
fn take_labels<'a>(
    cursor: &mut Cursor<'a>,
    dialect: Dialect,
    metric: &mut Option<Cow<'a, str>>,
    pairs: &mut Pairs<'a>,
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
            Some(name) => Cow::Borrowed(name),
            None if is_quoted => cursor.quoted(line_ends_allowed)?,
            None => return Err(cursor.expected("a label name")),
        };
        blanks(cursor);
        if cursor.take(b'=') {
            blanks(cursor);
            let value = cursor.quoted(line_ends_allowed)?;
            pairs.push((name, value));
        } else if !is_quoted {
            return Err(cursor.expected("`=`"));
        } else if metric.is_none() {
            *metric = Some(name);
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
fn canonicalise(pairs: &mut Pairs<'_>, metric_type: MetricType) {
    let Some(label) = numeric_label(metric_type) else {
        return;
    };
    for (name, value) in pairs {
        if name == label
            && let Some(number) = parse_float(value)
        {
            *value = Cow::Owned(canonical_float(number));
        }
    }
}

fn built(pairs: &Pairs<'_>) -> Result<Labels, String> {
    label_set(
        pairs
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect(),
    )
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
