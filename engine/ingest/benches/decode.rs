//! How fast requests and expositions are decoded; the numbers are per sample.

use obsq_ingest::exposition::{Format, ParseOptions, parse};
use obsq_ingest::otlp::{DeltaLimits, DeltaStates, OtlpOptions, decode_protobuf, translate};
use obsq_ingest::remote_write::{LabelCache, Message, decode, decompress};
use obsq_ingest::{IngestLimits, prompb};
use obsq_model::{Labels, ManualClock, Sample, Tenant};
use obsq_source::{MetricBatch, SeriesBatch};
use std::fmt::Write as _;
use std::sync::Arc;

const SERIES: usize = 5_000;

fn main() {
    divan::main();
}

fn batch(samples_per_series: usize) -> MetricBatch {
    let series = (0..SERIES).map(|index| {
        let (instance, path) = (
            format!("10.0.{}.{}:9100", index / 250, index % 250),
            index % 17,
        );
        let labels = Labels::from_pairs(&[
            ("__name__", "http_server_requests_total"),
            ("cluster", "eu-west-1"),
            ("env", "prod"),
            ("instance", &instance),
            ("job", "checkout"),
            ("method", "GET"),
            ("path", &format!("/api/v1/orders/{path}")),
            ("pod", &format!("checkout-7f9c-{index}")),
            ("status", "200"),
        ]);
        let samples = (0..samples_per_series)
            .map(|at| Sample::float(1_700_000_000_000 + at as i64 * 15_000, index as f64 * 1.5));
        SeriesBatch {
            labels,
            samples: samples.collect(),
            exemplars: Vec::new(),
        }
    });
    MetricBatch {
        series: series.collect(),
        metadata: Vec::new(),
    }
}

#[divan::bench(args = [1, 10])]
fn remote_write_v1(bencher: divan::Bencher<'_, '_>, samples_per_series: usize) {
    let body = prompb::snappy(&prompb::write_request(&batch(samples_per_series)));
    let (limits, known) = (IngestLimits::default(), LabelCache::default());
    bencher
        .counter(divan::counter::ItemsCount::new(SERIES * samples_per_series))
        .bench(|| {
            let body = decompress(&body, &limits).expect("a good body");
            decode(Message::V1, &body, &limits, &known).expect("a good body")
        });
}

#[divan::bench(args = [1, 10])]
fn remote_write_v2(bencher: divan::Bencher<'_, '_>, samples_per_series: usize) {
    let body = prompb::snappy(&prompb::write_request_v2(&batch(samples_per_series)));
    let (limits, known) = (IngestLimits::default(), LabelCache::default());
    bencher
        .counter(divan::counter::ItemsCount::new(SERIES * samples_per_series))
        .bench(|| {
            let body = decompress(&body, &limits).expect("a good body");
            decode(Message::V2, &body, &limits, &known).expect("a good body")
        });
}

#[divan::bench]
fn text_exposition(bencher: divan::Bencher<'_, '_>) {
    let mut body = "# TYPE http_server_requests_total counter\n".to_owned();
    for series in &batch(1).series {
        body += "http_server_requests_total{";
        for label in series.labels.iter().skip(1) {
            let _infallible = write!(body, "{}=\"{}\",", label.name, label.value);
        }
        body += "} 1234.5\n";
    }
    bencher
        .counter(divan::counter::ItemsCount::new(SERIES))
        .bench(|| parse(body.as_bytes(), ParseOptions::new(Format::Text)).expect("a good body"));
}

#[divan::bench]
fn otlp_gauges(bencher: divan::Bencher<'_, '_>) {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
    use opentelemetry_proto::tonic::metrics::v1::{
        Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
    };
    use prost::Message as _;
    let attribute = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    };
    let points = batch(1).series.into_iter().map(|series| NumberDataPoint {
        attributes: series
            .labels
            .iter()
            .skip(1)
            .map(|l| attribute(l.name, l.value))
            .collect(),
        time_unix_nano: 1_700_000_000_000_000_000,
        value: Some(number_data_point::Value::AsDouble(1.5)),
        ..NumberDataPoint::default()
    });
    let metric = Metric {
        name: "http.server.requests".to_owned(),
        data: Some(metric::Data::Gauge(Gauge {
            data_points: points.collect(),
        })),
        ..Metric::default()
    };
    let scope = ScopeMetrics {
        metrics: vec![metric],
        ..ScopeMetrics::default()
    };
    let resource = ResourceMetrics {
        scope_metrics: vec![scope],
        ..ResourceMetrics::default()
    };
    let body = obsq_ingest::otlp::collector::ExportMetricsServiceRequest {
        resource_metrics: vec![resource],
    }
    .encode_to_vec();
    let (limits, options) = (IngestLimits::default(), OtlpOptions::default());
    let deltas = DeltaStates::new(DeltaLimits::default(), Arc::new(ManualClock::at(0)));
    bencher
        .counter(divan::counter::ItemsCount::new(SERIES))
        .bench(|| {
            let request = decode_protobuf(&body, &limits).expect("a good body");
            translate(&request, &Tenant::anonymous(), &options, &deltas).expect("a good body")
        });
}
