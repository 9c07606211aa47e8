use axum::body::Body;
use axum::http::Request;
use obsq_ingest::prompb::{ReadQuery, ReadRequest, decode_read_response, read_request};
use obsq_model::TimeRange;
use obsq_query_lang::promql::{LabelMatcher, MatcherOp};

use super::*;
use crate::testing::{TestAnswer, TestServer};

fn query(name: &str, label: (&str, &str)) -> ReadQuery {
    let matcher = |name: &str, value: &str| LabelMatcher {
        name: name.into(),
        op: MatcherOp::Equal,
        value: value.into(),
    };
    ReadQuery {
        range: TimeRange::new(0, 10_000),
        matchers: vec![matcher("__name__", name), matcher(label.0, label.1)],
        hints: None,
    }
}

async fn ask(server: &TestServer, queries: Vec<ReadQuery>, stream: bool) -> TestAnswer {
    let accepted = if stream {
        vec![ResponseType::StreamedXorChunks]
    } else {
        Vec::new()
    };
    let body = snappy(&read_request(&ReadRequest { queries, accepted }));
    let request = Request::post("/api/v1/read")
        .body(Body::from(body))
        .unwrap();
    server.call(request).await
}

async fn filled() -> TestServer {
    let server = TestServer::start_with(|options| {
        options.external_labels = vec![("cluster".into(), "x".into())];
    })
    .await;
    server
        .store(
            "anonymous",
            &[("__name__", "a")],
            &[(1_000, 1.0), (20_000, 2.0)],
        )
        .await;
    server
        .store("anonymous", &[("__name__", "b")], &[(2_000, 3.0)])
        .await;
    server
}

#[tokio::test]
async fn each_query_has_a_result_with_external_labels() {
    let server = filled().await;
    let queries = vec![
        query("a", ("cluster", "x")),
        query("a", ("cluster", "other")),
        query("b", ("nosuch", "")),
    ];
    let answer = ask(&server, queries, false).await;
    let limits = IngestLimits::default();
    let body = decompress(&answer.body, &limits).unwrap();
    let results = decode_read_response(&body, &limits).unwrap();
    assert_eq!(results.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1]);
    let series = &results[0][0];
    assert_eq!(series.labels.to_string(), r#"{__name__="a", cluster="x"}"#);
    assert_eq!(series.samples.len(), 1, "only what lies in the range");
}

#[tokio::test]
async fn chunks_come_as_frames_with_length_and_checksum() {
    let server = filled().await;
    let answer = ask(&server, vec![query("a", ("cluster", "x"))], true).await;
    assert_eq!(answer.status, 200);
    let (length, frame) = answer.body.split_first().unwrap();
    let (checksum, message) = frame.split_at(4);
    assert_eq!(message.len(), usize::from(*length));
    assert_ne!(checksum, [0; 4]);
    let nothing = ask(&server, vec![query("nosuch", ("a", ""))], true).await;
    assert_eq!((nothing.status, nothing.body.len()), (200, 0));
}

#[tokio::test]
async fn requests_that_are_not_understood_are_refused() {
    let server = filled().await;
    for body in [&b"nonsense"[..], &snappy(b"\xff\xff\xff")] {
        let request = Request::post("/api/v1/read")
            .body(Body::from(body.to_vec()))
            .unwrap();
        assert_eq!(server.call(request).await.status, 400);
    }
    let mut bad = query("a", ("b", "("));
    bad.matchers[1].op = MatcherOp::Regex;
    for stream in [false, true] {
        let answer = ask(&server, vec![bad.clone()], stream).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
}
