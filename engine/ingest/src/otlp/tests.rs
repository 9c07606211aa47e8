//! Requests through the whole translation.

use std::fmt::Write as _;
use std::sync::Arc;

use obsq_model::{ManualClock, Tenant};
use prost::Message as _;
use serde_json::{Value, json};

use super::*;
use crate::batch_text::batch_text;
use crate::limits::IngestLimits;

fn states() -> DeltaStates {
    DeltaStates::new(DeltaLimits::default(), Arc::new(ManualClock::at(1_000_000)))
}

fn request(resource: &Value, metrics: &Value) -> Value {
    json!({"resourceMetrics": [{
        "resource": {"attributes": resource},
        "scopeMetrics": [{
            "scope": {"name": "lib", "version": "1.2", "attributes": [attribute("k", "v")]},
            "schemaUrl": "urn:x",
            "metrics": metrics,
        }],
    }]})
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn service() -> Value {
    json!([
        attribute("service.name", "checkout"),
        attribute("service.namespace", "shop"),
        attribute("service.instance.id", "i-1"),
        attribute("k8s.pod.name", "pod-7"),
    ])
}

fn translated(request: &Value, options: &OtlpOptions, deltas: &DeltaStates) -> Translated {
    let body = serde_json::to_vec(request).unwrap();
    let request = decode_json(&body, &IngestLimits::default()).unwrap();
    let through_protobuf =
        decode_protobuf(&request.encode_to_vec(), &IngestLimits::default()).unwrap();
    assert_eq!(through_protobuf, request);
    translate(&request, &Tenant::anonymous(), options, deltas).unwrap()
}

fn text(metrics: &Value, options: &OtlpOptions) -> String {
    let translated = translated(&request(&service(), metrics), options, &states());
    let mut out = batch_text(&translated.batch);
    if translated.rejected > 0 {
        let Translated {
            rejected, message, ..
        } = translated;
        writeln!(out, "rejected {rejected}: {message}").unwrap();
    }
    out
}

fn every_type() -> Value {
    let times = |mut point: Value| {
        point["startTimeUnixNano"] = json!("1000000000");
        point["timeUnixNano"] = json!("2000000000");
        point
    };
    json!([
        {"name": "cpu.utilization", "unit": "1", "description": "share", "gauge": {"dataPoints": [
            times(json!({"asDouble": 0.5, "attributes": [attribute("cpu.mode", "user")]})),
            times(json!({"asInt": "3", "flags": 1})),
        ]}},
        {"name": "http.requests", "unit": "{request}", "sum": {
            "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [
                times(json!({"asInt": 7, "exemplars": [{
                    "asDouble": 1.5, "timeUnixNano": "1500000000",
                    "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708",
                    "filteredAttributes": [attribute("user", "u1")]}]})),
            ]}},
        {"name": "queue.length", "sum": {"aggregationTemporality": 2, "dataPoints": [
            times(json!({"asInt": -2})),
        ]}},
        {"name": "latency", "unit": "ms", "histogram": {"aggregationTemporality": 2, "dataPoints": [
            times(json!({"count": "6", "sum": 12.5, "bucketCounts": ["1", "2", 3],
                "explicitBounds": [0.5, 10], "exemplars": [
                    {"asDouble": 0.4}, {"asInt": 4}, {"asDouble": 99}]})),
            times(json!({"flags": 1, "bucketCounts": [0, 0], "explicitBounds": [1],
                "attributes": [attribute("gone", "yes")]})),
        ]}},
        {"name": "size", "unit": "By", "exponentialHistogram": {
            "aggregationTemporality": 2, "dataPoints": [
                times(json!({"count": 10, "sum": 3.5, "scale": 9, "zeroCount": 1,
                    "positive": {"offset": 3, "bucketCounts": ["1", 2, 0, 0, 0, 0, 0, 0, 0, 0, 4]},
                    "negative": {"offset": -2, "bucketCounts": [2]}})),
                times(json!({"scale": -5})),
            ]}},
        {"name": "rpc.time", "unit": "s", "summary": {"dataPoints": [
            times(json!({"count": 4, "sum": 2, "quantileValues": [
                {"quantile": 0.5, "value": 0.25}, {"quantile": 0.99, "value": 1}]})),
        ]}},
    ])
}

#[test]
fn every_type_of_metric_is_translated() {
    let _room = obsq_snapshots::bind("engine/ingest");
    insta::assert_snapshot!(
        "otlp_every_type",
        text(&every_type(), &OtlpOptions::default())
    );
}

#[test]
fn options_change_names_labels_and_histograms() {
    let _room = obsq_snapshots::bind("engine/ingest");
    let options = OtlpOptions {
        strategy: TranslationStrategy::NoUtf8EscapingWithSuffixes,
        promoted: PromotedAttributes::AllBut([String::from("service.name")].into()),
        convert_histograms_to_nhcb: true,
        promote_scope_metadata: true,
        keep_identifying_resource_attributes: true,
        ..OtlpOptions::default()
    };
    insta::assert_snapshot!("otlp_options", text(&every_type(), &options));
}

fn delta_sum(start: u64, time: u64, value: f64) -> Value {
    json!([{"name": "hits", "sum": {"aggregationTemporality": 1, "isMonotonic": true,
        "dataPoints": [{"asDouble": value, "startTimeUnixNano": start * 1_000_000_000,
            "timeUnixNano": time * 1_000_000_000}]}}])
}

#[test]
fn delta_sums_become_cumulative_with_the_first_start() {
    let states = states();
    let identity = json!([attribute("service.name", "a")]);
    let mut lines = Vec::new();
    for metrics in [
        delta_sum(1, 2, 5.0),
        delta_sum(2, 3, 2.0),
        delta_sum(2, 3, 2.0),
        delta_sum(3, 4, 1.0),
        delta_sum(1, 2, 9.0),
    ] {
        let translated = translated(
            &request(&identity, &metrics),
            &OtlpOptions::default(),
            &states,
        );
        lines.push(match translated.batch.series.first() {
            Some(series) => {
                let sample = &series.samples[0];
                format!(
                    "{:?} @{} from {}",
                    sample.value, sample.ts_ms, sample.start_ts_ms
                )
            }
            None => translated.message,
        });
    }
    let expected = [
        "Float(5.0) @2000 from 1000",
        "Float(7.0) @3000 from 1000",
        "Float(7.0) @3000 from 1000",
        "Float(8.0) @4000 from 1000",
        "metric \"hits\": data point with delta temporality is older than the last one",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn delta_histograms_add_up_bucket_by_bucket() {
    let _room = obsq_snapshots::bind("engine/ingest");
    let metrics = |time: u64| {
        let times = |mut point: Value| {
            point["startTimeUnixNano"] = json!((time - 1) * 1_000_000_000);
            point["timeUnixNano"] = json!(time * 1_000_000_000);
            point
        };
        json!([
            {"name": "latency", "histogram": {"aggregationTemporality": 1, "dataPoints": [
                times(json!({"count": 3, "sum": 2.5, "bucketCounts": [1, 2],
                    "explicitBounds": [1]}))]}},
            {"name": "size", "exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": [
                times(json!({"count": 3, "sum": 4, "scale": 10 - time, "zeroCount": 1,
                    "positive": {"offset": time, "bucketCounts": [1, 1]}}))]}},
        ])
    };
    let states = states();
    let mut out = String::new();
    for time in [2, 3, 4] {
        let request = request(&json!([]), &metrics(time));
        out += &batch_text(&translated(&request, &OtlpOptions::default(), &states).batch);
    }
    insta::assert_snapshot!("otlp_delta_histograms", out);
}

#[test]
fn bad_points_are_counted_and_the_good_ones_kept() {
    let point = |value: i64| json!({"asInt": value, "timeUnixNano": 5_000_000});
    let many: Vec<_> = (0..200).map(|n| attribute(&format!("a{n}"), "x")).collect();
    let metrics = json!([
        {"name": "good", "gauge": {"dataPoints": [point(1)]}},
        {"name": "no.temporality", "sum": {"dataPoints": [point(1), point(2)]}},
        {"name": "", "gauge": {"dataPoints": [point(1)]}},
        {"name": "wide", "gauge": {"dataPoints": [
            {"asInt": 1, "attributes": many}, point(2)]}},
        {"name": "empty", "gauge": {}},
        {"name": "typeless"},
    ]);
    let translated = translated(
        &request(&json!([]), &metrics),
        &OtlpOptions::default(),
        &states(),
    );
    let names: Vec<_> = translated
        .batch
        .series
        .iter()
        .map(|series| series.labels.metric_name())
        .collect();
    assert_eq!(names, ["good", "wide"]);
    assert_eq!(translated.rejected, 4);
    assert_eq!(
        translated.message,
        "metric \"no.temporality\": aggregation temporality is neither cumulative nor delta; \
         metric \"\": metric name \"\" has no character that can be kept; \
         metric \"wide\": 200 attributes: the limit is 128"
    );
}

#[test]
fn attributes_that_become_one_label_are_joined() {
    let metrics = json!([{"name": "m", "gauge": {"dataPoints": [{"asInt": 1, "attributes": [
        attribute("a_b", "2"), attribute("a.b", "1"), attribute("job", "mine"),
        attribute("__name__", "forged"), attribute("empty", ""),
    ]}]}}]);
    let identity = json!([attribute("service.name", "real")]);
    let translated = translated(
        &request(&identity, &metrics),
        &OtlpOptions::default(),
        &states(),
    );
    assert_eq!(
        translated.batch.series[0].labels.to_string(),
        r#"{__name__="m", a_b="1;2", job="real"}"#
    );
}

#[test]
fn a_resource_without_further_attributes_has_no_target_info() {
    let metrics = json!([{"name": "m", "gauge": {"dataPoints": [{"asInt": 1}]}}]);
    for (resource, expected) in [
        (json!([attribute("service.name", "a")]), 1),
        (json!([attribute("host.name", "h")]), 1),
        (
            json!([attribute("service.name", "a"), attribute("host.name", "h")]),
            2,
        ),
    ] {
        let mut twice = request(&resource, &metrics);
        let again = twice["resourceMetrics"][0].clone();
        let options = OtlpOptions::default();
        assert_eq!(
            translated(&twice, &options, &states()).batch.series.len(),
            expected
        );
        twice["resourceMetrics"].as_array_mut().unwrap().push(again);
        let both = translated(&twice, &options, &states());
        assert_eq!(both.batch.series.len(), expected + 1, "{resource}");
    }
}

#[test]
fn json_may_hold_nulls_and_unknown_fields() {
    let body = br#"{"resourceMetrics": [null, {"resource": null, "scopeMetrics": [{"metrics": [
        {"name": "m", "unit": null, "novel": {"deep": [1, {"x": []}]}, "sum": {
            "aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE",
            "dataPoints": [{"asDouble": "NaN", "attributes": null}]}}]}]}]}"#;
    let request = decode_json(body, &IngestLimits::default()).unwrap();
    let translated = translate(
        &request,
        &Tenant::anonymous(),
        &OtlpOptions::default(),
        &states(),
    )
    .unwrap();
    assert_eq!(translated.batch.series.len(), 1);
    assert_eq!(translated.rejected, 0);
}

#[test]
fn bodies_that_are_no_request_are_refused() {
    let limits = IngestLimits::default();
    for body in ["", "[1,2", "[]", "{\"resourceMetrics\": 5}", "{} x"] {
        assert_eq!(
            decode_json(body.as_bytes(), &limits).unwrap_err().status(),
            400,
            "{body}"
        );
    }
    let nested = format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"k","value":{}"#,
        r#"{"arrayValue":{"values":["#.repeat(200)
    );
    let error = decode_json(nested.as_bytes(), &limits).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("recursion limit"), "{error}: {cause}");
    let mut nested = Vec::new();
    for _ in 0..200 {
        let mut writer = crate::wire::Writer::default();
        writer.present_bytes(1, &nested);
        nested = writer.into_bytes();
        let mut writer = crate::wire::Writer::default();
        writer.present_bytes(5, &nested);
        nested = writer.into_bytes();
    }
    for field in [2, 1, 1, 1] {
        let mut writer = crate::wire::Writer::default();
        writer.present_bytes(field, &nested);
        nested = writer.into_bytes();
    }
    let error = decode_protobuf(&nested, &limits).unwrap_err();
    assert!(
        error.to_string().contains("nested deeper than 64"),
        "{error}"
    );
}

#[test]
fn small_bodies_cannot_take_much_memory() {
    let limits = IngestLimits {
        max_expanded_bytes: 1 << 20,
        ..IngestLimits::default()
    };
    let points = [0x0a, 0x00].repeat(50_000);
    let mut writer = crate::wire::Writer::default();
    writer.message(1, |w| {
        w.message(2, |w| {
            w.message(2, |w| {
                w.present_bytes(5, &points);
            });
        });
    });
    let error = decode_protobuf(&writer.into_bytes(), &limits).unwrap_err();
    assert_eq!(error.status(), 413);
    let objects = format!("{{\"resourceMetrics\":[{}{{}}]}}", "{},".repeat(50_000));
    assert_eq!(
        decode_json(objects.as_bytes(), &limits)
            .unwrap_err()
            .status(),
        413
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes_end_without_a_panic(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
    ) {
        let _unused = decode_protobuf(&bytes, &IngestLimits::default());
        let _unused = decode_json(&bytes, &IngestLimits::default());
    }
}
