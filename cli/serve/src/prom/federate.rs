//! `/federate`: the newest sample of each series, for another server to scrape.

mod format;
mod protobuf;
mod text;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use obsq_model::{
    CounterResetHint, FloatHistogram, Labels, METRIC_NAME, SampleColumns, TimeRange, is_stale_nan,
};
use obsq_source::{MetricSource, SelectRequest};

use super::error::ApiError;
use super::handlers::{Call, Turn};
use super::selectors::parse_selectors;
use crate::app::App;
use crate::http::respond::answer;
use format::{PageFormat, PageKind};

/// Returns the route, which is not below `/api/v1`.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/federate", get(federate))
}

async fn federate(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    call: Call,
) -> Result<Response, ApiError> {
    let accept = headers.get_all(ACCEPT).iter();
    let accept: Vec<_> = accept.filter_map(|value| value.to_str().ok()).collect();
    let format = PageFormat::negotiate(&accept.join(","));
    let matchers: Vec<String> = call
        .form
        .all("match[]")
        .into_iter()
        .map(str::to_owned)
        .collect();
    let page = call.run_raw(app, None, move |turn| page(turn, &matchers, format));
    let mut response = answer(StatusCode::OK, "text/plain", page.await?);
    if let Ok(content_type) = HeaderValue::from_str(&format.content_type()) {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    Ok(response)
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

fn page(turn: &Turn, matchers: &[String], format: PageFormat) -> Result<Vec<u8>, ApiError> {
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
    let external = app.external_labels();
    Ok(match format.kind {
        PageKind::Text => text::write_page(&samples, &external, format.escaping).into_bytes(),
        PageKind::Protobuf => protobuf::write_page(&samples, &external, format.escaping),
    })
}

fn newest_samples(
    source: &dyn MetricSource,
    turn: &Turn,
    request: &SelectRequest,
    samples: &mut Vec<Newest>,
) -> Result<(), ApiError> {
    let set = source.select(&turn.tenant, request, &turn.context)?;
    let warned = set.warnings().len();
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
    Ok(set.check_whole(warned)?)
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

/// What a family holds. Samples of one name that differ in it make more than one family of that name,
/// which the readers of such pages take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FamilyKind {
    Float,
    Histogram,
    GaugeHistogram,
}

impl Newest {
    fn kind(&self) -> FamilyKind {
        match &self.value {
            NewestValue::Float(_) => FamilyKind::Float,
            NewestValue::Histogram(histogram) => match histogram.counter_reset_hint {
                CounterResetHint::Gauge => FamilyKind::GaugeHistogram,
                _ => FamilyKind::Histogram,
            },
        }
    }
}

/// Returns the cumulative counts of a histogram with custom buckets, by upper bound, the last one
/// (`+Inf`) left out.
fn classic_buckets(histogram: &FloatHistogram) -> Vec<(f64, f64)> {
    let mut counts = histogram.positive_counts().peekable();
    let mut sum = 0.0;
    let bounds = histogram.custom_values.iter().enumerate();
    bounds
        .map(|(index, bound)| {
            while let Some((_, count)) = counts.next_if(|(at, _)| *at as usize <= index) {
                sum += count;
            }
            (*bound, sum)
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::stale_nan;

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
        columns.floats[1] = stale_nan();
        assert!(newest(&columns).is_none());
        assert!(newest(&SampleColumns::default()).is_none());
    }
}
