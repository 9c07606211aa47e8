use axum::body::Body;
use axum::http::Request;
use obsq_ingest::otlp::collector::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1 as proto;
use prost::Message as _;

use super::*;
use crate::testing::{TestAnswer, TestServer};

/// A gauge with one point per value, a second apart from 1,700,000,000.
fn request(values: &[f64]) -> ExportMetricsServiceRequest {
    let point = |(index, value): (usize, &f64)| proto::NumberDataPoint {
        time_unix_nano: (1_700_000_000 + index as u64) * 1_000_000_000,
        value: Some(proto::number_data_point::Value::AsDouble(*value)),
        ..proto::NumberDataPoint::default()
    };
    let gauge = proto::Gauge {
        data_points: values.iter().enumerate().map(point).collect(),
    };
    let metric = proto::Metric {
        name: "queue".into(),
        data: Some(proto::metric::Data::Gauge(gauge)),
        ..proto::Metric::default()
    };
    let scope = proto::ScopeMetrics {
        metrics: vec![metric],
        ..proto::ScopeMetrics::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![proto::ResourceMetrics {
            scope_metrics: vec![scope],
            ..proto::ResourceMetrics::default()
        }],
    }
}

async fn grpc(server: &TestServer, message: &[u8], headers: &[(&str, &str)]) -> TestAnswer {
    let mut frame = vec![0];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    let mut call = Request::post(grpc::METRICS_EXPORT).header("content-type", "application/grpc");
    for (name, value) in headers {
        call = call.header(*name, *value);
    }
    server.call(call.body(Body::from(frame)).unwrap()).await
}

/// Returns the gRPC status, which stands in the head when there is no message.
fn grpc_status(answer: &TestAnswer) -> &str {
    let head = answer.head.headers().get("grpc-status");
    let status = head.or_else(|| answer.trailers.get("grpc-status"));
    status.unwrap().to_str().unwrap()
}

#[tokio::test]
async fn a_grpc_call_stores_for_the_tenant_in_its_metadata() {
    let server = TestServer::start().await;
    let message = request(&[4.5]).encode_to_vec();
    let answer = grpc(&server, &message, &[("x-scope-orgid", "team")]).await;
    assert_eq!((answer.status, grpc_status(&answer)), (200, "0"));
    assert_eq!(answer.body, [0, 0, 0, 0, 0], "an empty answer in its frame");
    let query = |tenant: &str| {
        let path = "/api/v1/query?query=queue&time=1700000000";
        Request::get(path)
            .header("x-scope-orgid", tenant)
            .body(Body::empty())
            .unwrap()
    };
    assert!(server.call(query("team")).await.text().contains("\"4.5\""));
    assert!(
        server
            .call(query("other"))
            .await
            .text()
            .contains("\"result\":[]")
    );
}

#[tokio::test]
async fn bad_grpc_calls_have_a_status() {
    let server = TestServer::start().await;
    let answer = grpc(&server, b"\xff\xff", &[]).await;
    assert_eq!(grpc_status(&answer), "3");
    let answer = grpc(&server, &[], &[("x-scope-orgid", "../x")]).await;
    assert_eq!(grpc_status(&answer), "3");
    let answer = grpc(&server, &[], &[("grpc-encoding", "nosuch")]).await;
    assert_eq!(grpc_status(&answer), "12");
}

#[tokio::test]
async fn what_the_store_refuses_is_a_partial_success() {
    let server = TestServer::start().await;
    let send = async |values: &[f64]| {
        let body = request(values).encode_to_vec();
        let call = Request::post("/v1/metrics").header("content-type", "application/x-protobuf");
        let answer = server.call(call.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status, 200);
        ExportMetricsServiceResponse::decode(answer.body.as_slice())
            .unwrap()
            .partial_success
    };
    assert_eq!(send(&[1.0]).await, None);
    let partial = send(&[2.0, 3.0]).await.unwrap();
    assert_eq!(partial.rejected_data_points, 1);
    assert!(
        partial
            .error_message
            .contains("duplicate sample for timestamp"),
        "{partial:?}"
    );
}

#[test]
fn partial_success_counts_both_kinds_of_refusal() {
    let nothing = Written::default();
    assert_eq!(answer(&nothing, 0, String::new()).partial_success, None);
    let some = Written {
        refused: 2,
        ..Written::default()
    };
    let partial = answer(&some, 1, "metric \"x\": no".into())
        .partial_success
        .unwrap();
    assert_eq!(partial.rejected_data_points, 3);
    assert_eq!(
        partial.error_message,
        "metric \"x\": no; 2 of 2 samples and exemplars refused"
    );
}
