//! `/federate`: the newest sample of each series, for another server to scrape.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use obsq_model::{
    FloatHistogram, Labels, METRIC_NAME, SampleColumns, TimeRange, format_float_general,
    is_stale_nan,
};
use obsq_source::{MetricSource, SelectRequest};

use super::error::ApiError;
use super::handlers::{Call, Turn};
use super::selectors::parse_selectors;
use crate::app::App;
use crate::http::respond::answer;

/// Returns the route, which is not below `/api/v1`.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/federate", get(federate))
}

async fn federate(State(app): State<Arc<App>>, call: Call) -> Result<Response, ApiError> {
    let matchers: Vec<String> = call
        .form
        .all("match[]")
        .into_iter()
        .map(str::to_owned)
        .collect();
    let page = call.run_raw(app, None, move |turn| page(turn, &matchers));
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(answer(StatusCode::OK, content_type, page.await?))
}

/// The newest sample of one series.
#[derive(Debug)]
struct Newest {
    labels: Labels,
    ts_ms: i64,
    value: NewestValue,
}

#[derive(Debug)]
enum NewestValue {
    Float(f64),
    Histogram(Arc<FloatHistogram>),
}

fn page(turn: &Turn, matchers: &[String]) -> Result<String, ApiError> {
    let app = &turn.app;
    let now_ms = app.prom.now_ms();
    let lookback_ms = app.options.query.lookback_delta.as_millis() as i64;
    let range = TimeRange::new(now_ms - lookback_ms, now_ms);
    let mut samples = Vec::new();
    for matchers in parse_selectors(matchers)? {
        let request = SelectRequest { range, matchers };
        newest_samples(app.prom.source().as_ref(), turn, &request, &mut samples)?;
    }
    samples.sort_by(|a, b| {
        let names = a.labels.metric_name().cmp(b.labels.metric_name());
        names.then_with(|| a.labels.cmp(&b.labels))
    });
    samples.dedup_by(|a, b| a.labels == b.labels);
    Ok(write_page(&samples, &app.external_labels()))
}

fn newest_samples(
    source: &dyn MetricSource,
    turn: &Turn,
    request: &SelectRequest,
    samples: &mut Vec<Newest>,
) -> Result<(), ApiError> {
    let set = source.select(&turn.tenant, request, &turn.context)?;
    let mut columns = SampleColumns::default();
    for index in 0..set.len() {
        turn.context.check()?;
        set.read(index, request.range, &mut columns)?;
        if let Some((ts_ms, value)) = newest(&columns) {
            samples.push(Newest {
                labels: set.labels(index).clone(),
                ts_ms,
                value,
            });
        }
    }
    Ok(())
}

/// Returns the last sample, or `None` when there is none or the series is stale.
fn newest(columns: &SampleColumns) -> Option<(i64, NewestValue)> {
    let float = columns.float_ts.last().zip(columns.floats.last());
    let histogram = columns.histogram_ts.last().zip(columns.histograms.last());
    match (float, histogram) {
        (Some((ts_ms, _)), Some((histogram_ts_ms, histogram))) if histogram_ts_ms > ts_ms => {
            fresh_histogram(*histogram_ts_ms, histogram)
        }
        (Some((ts_ms, value)), _) => {
            let value = (!is_stale_nan(*value)).then_some(*value)?;
            Some((*ts_ms, NewestValue::Float(value)))
        }
        (None, Some((ts_ms, histogram))) => fresh_histogram(*ts_ms, histogram),
        (None, None) => None,
    }
}

fn fresh_histogram(ts_ms: i64, histogram: &Arc<FloatHistogram>) -> Option<(i64, NewestValue)> {
    let stale = is_stale_nan(histogram.sum);
    (!stale).then(|| (ts_ms, NewestValue::Histogram(Arc::clone(histogram))))
}

/// Writes the samples, sorted by name, in the text format. It cannot hold native histograms with
/// exponential buckets, which are left out; those with custom buckets become classic ones.
fn write_page(samples: &[Newest], external: &Labels) -> String {
    let mut page = String::new();
    let mut head = ("", "");
    for sample in samples {
        let name = sample.labels.metric_name();
        let kind = match &sample.value {
            NewestValue::Float(_) => "untyped",
            NewestValue::Histogram(histogram) if histogram.uses_custom_buckets() => "histogram",
            NewestValue::Histogram(_) => continue,
        };
        if name.is_empty() {
            continue;
        }
        if head != (name, kind) {
            writeln!(page, "# TYPE {} {kind}", quoted_name(name)).unwrap_or_default();
            head = (name, kind);
        }
        let labels = label_pairs(&sample.labels, external);
        match &sample.value {
            NewestValue::Float(value) => {
                push_line(&mut page, name, &labels, None, *value, sample.ts_ms);
            }
            NewestValue::Histogram(histogram) => {
                push_classic(&mut page, name, &labels, histogram, sample.ts_ms);
            }
        }
    }
    page
}

/// Returns all labels but the name; external ones where the series has none of its own, and an
/// empty `instance` in any case, so that the scraping server does not add its own.
fn label_pairs<'a>(labels: &'a Labels, external: &'a Labels) -> Vec<(&'a str, &'a str)> {
    let own = labels.iter().filter(|label| label.name != METRIC_NAME);
    let mut pairs: Vec<_> = own.map(|label| (label.name, label.value)).collect();
    let instance = external
        .get("instance")
        .is_none()
        .then_some(("instance", ""));
    let mut added: Vec<_> = external
        .iter()
        .map(|label| (label.name, label.value))
        .chain(instance)
        .collect();
    added.sort_unstable();
    for (name, value) in added {
        if labels.get(name).is_none() {
            pairs.push((name, value));
        }
    }
    pairs
}

fn push_classic(
    page: &mut String,
    name: &str,
    labels: &[(&str, &str)],
    histogram: &FloatHistogram,
    ts_ms: i64,
) {
    let mut counts = histogram.positive_counts().peekable();
    let mut sum = 0.0;
    let bucket = format!("{name}_bucket");
    for (index, bound) in histogram.custom_values.iter().enumerate() {
        while let Some((_, count)) = counts.next_if(|(at, _)| *at as usize <= index) {
            sum += count;
        }
        let bound = format_float_general(*bound);
        push_line(page, &bucket, labels, Some(&bound), sum, ts_ms);
    }
    push_line(page, &bucket, labels, Some("+Inf"), histogram.count, ts_ms);
    push_line(
        page,
        &format!("{name}_sum"),
        labels,
        None,
        histogram.sum,
        ts_ms,
    );
    push_line(
        page,
        &format!("{name}_count"),
        labels,
        None,
        histogram.count,
        ts_ms,
    );
}

fn push_line(
    page: &mut String,
    name: &str,
    labels: &[(&str, &str)],
    le: Option<&str>,
    value: f64,
    ts_ms: i64,
) {
    // A name that is no classic identifier goes into the braces, quoted.
    let plain = is_plain(name);
    let mut separator = '{';
    if plain {
        page.push_str(name);
    } else {
        write!(page, "{separator}{}", quoted_name(name)).unwrap_or_default();
        separator = ',';
    }
    for (name, value) in labels.iter().copied().chain(le.map(|le| ("le", le))) {
        write!(page, "{separator}{}=\"", quoted_name(name)).unwrap_or_default();
        crate::telemetry::push_label_value(page, value);
        page.push('"');
        separator = ',';
    }
    if separator == ',' {
        page.push('}');
    }
    writeln!(page, " {} {ts_ms}", format_float_general(value)).unwrap_or_default();
}

fn quoted_name(name: &str) -> String {
    if is_plain(name) {
        return name.to_owned();
    }
    let mut quoted = String::from("\"");
    crate::telemetry::push_label_value(&mut quoted, name);
    quoted.push('"');
    quoted
}

fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = |b: u8| b.is_ascii_alphabetic() || b == b'_' || b == b':';
    bytes.next().is_some_and(first) && bytes.all(|b| first(b) || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::BucketSpan;
    use obsq_model::histogram::CUSTOM_BUCKETS_SCHEMA;

    fn float(pairs: &[(&str, &str)], value: f64) -> Newest {
        Newest {
            labels: Labels::from_pairs(pairs),
            ts_ms: 1_000,
            value: NewestValue::Float(value),
        }
    }

    #[test]
    fn samples_are_untyped_and_carry_external_labels() {
        let samples = [
            float(&[("__name__", "up"), ("job", "a")], 1.0),
            float(
                &[
                    ("__name__", "up"),
                    ("job", "b"),
                    ("zone", "own"),
                    ("instance", "i"),
                ],
                1e7,
            ),
            float(&[("__name__", "a.b"), ("x.y", "q\"\n")], f64::NAN),
        ];
        let external = Labels::from_pairs(&[("zone", "eu")]);
        let expected = r#"# TYPE up untyped
up{job="a",instance="",zone="eu"} 1 1000
up{instance="i",job="b",zone="own"} 1e+07 1000
# TYPE "a.b" untyped
{"a.b","x.y"="q\"\n",instance="",zone="eu"} NaN 1000
"#;
        assert_eq!(write_page(&samples, &external), expected);
    }

    #[test]
    fn custom_buckets_become_a_classic_histogram() {
        let histogram = FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 6.0,
            sum: 18.5,
            custom_values: [5.0, 10.0].into(),
            positive_spans: vec![BucketSpan {
                offset: 0,
                length: 3,
            }],
            positive_buckets: vec![1.0, 1.0, 4.0],
            ..FloatHistogram::default()
        };
        let sample = Newest {
            labels: Labels::from_pairs(&[("__name__", "h"), ("instance", "i")]),
            ts_ms: 5,
            value: NewestValue::Histogram(Arc::new(histogram)),
        };
        let expected = r#"# TYPE h histogram
h_bucket{instance="i",le="5"} 1 5
h_bucket{instance="i",le="10"} 2 5
h_bucket{instance="i",le="+Inf"} 6 5
h_sum{instance="i"} 18.5 5
h_count{instance="i"} 6 5
"#;
        assert_eq!(write_page(&[sample], &Labels::empty()), expected);
    }

    #[test]
    fn the_newest_sample_counts_unless_it_is_stale() {
        let mut columns = SampleColumns {
            float_ts: vec![1, 5],
            floats: vec![1.0, 2.0],
            histogram_ts: vec![3],
            histograms: vec![Arc::default()],
            ..SampleColumns::default()
        };
        assert!(matches!(
            newest(&columns),
            Some((5, NewestValue::Float(2.0)))
        ));
        columns.histogram_ts[0] = 7;
        assert!(matches!(
            newest(&columns),
            Some((7, NewestValue::Histogram(_)))
        ));
        columns.histogram_ts[0] = 2;
        columns.floats[1] = obsq_model::stale_nan();
        assert!(newest(&columns).is_none());
        assert!(newest(&SampleColumns::default()).is_none());
    }
}
